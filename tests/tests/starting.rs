//! Starts beside a server that cannot be asked: what is open goes on later, and can be looked at now.

use crate::operators::warroom;
use crate::stage::Stage;
use warroom::{Config, Service};

/// Starts the service, which need not become ready.
async fn started(stage: &Stage) -> Service {
    let config = Config::read(&stage.config_path(), &|_| None).unwrap();
    Service::start(config).await.unwrap()
}

async fn readiness(service: &Service) -> (u16, String) {
    let answer = reqwest::get(format!("http://{}/readyz", service.address())).await.unwrap();
    (answer.status().as_u16(), answer.text().await.unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_that_starts_while_the_server_is_away_shows_its_incidents_and_goes_on_later() {
    let stage = Stage::new().await;
    let service = stage.service().await;
    let (room, triage) = stage.triage().await;
    service.stop().await;

    stage.proxy.go_away().await;
    let service = started(&stage).await;
    let (status, reason) = readiness(&service).await;
    assert!(status == 503 && reason.starts_with("not ready: "), "{status} {reason}");
    let (code, listed) = warroom(&stage, &["runs", "list"]).await;
    assert!(code == 0 && listed.contains("security_issue"), "{listed}");

    stage.proxy.come_back();
    service.ready().await.unwrap();
    assert_eq!(stage.press("jon", &triage, "Resolved", None).await, 200);
    stage.archived(&room).await;
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_that_is_refused_at_the_start_is_waited_for_where_it_was_good_before() {
    let stage = Stage::new().await;
    stage.service().await.stop().await;
    stage.revoke_bot_token().await;
    let service = started(&stage).await;
    let (status, reason) = readiness(&service).await;
    assert!(status == 503 && reason.contains("refuses the bot's token"), "{status} {reason}");
    stage.renew_bot_token().await;
    service.ready().await.unwrap();
    stage.triage().await;
    service.stop().await;
}
