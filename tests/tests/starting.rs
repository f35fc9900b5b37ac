//! Starts beside a server that cannot be asked: what is open goes on later, and can be looked at now.

use crate::operators::warroom;
use crate::stage::Stage;
use std::time::Duration;
use warroom::Service;

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
    let service = stage.start(&[]).await.unwrap();
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
    let service = stage.start(&[]).await.unwrap();
    let (status, reason) = readiness(&service).await;
    assert!(status == 503 && reason.contains("refuses the bot's token"), "{status} {reason}");
    stage.renew_bot_token().await;
    service.ready().await.unwrap();
    stage.triage().await;
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_of_another_account_does_nothing_after_a_start_without_the_server_and_ends_the_service() {
    let stage = Stage::new().await;
    let service = stage.service().await;
    stage.triage().await;
    service.stop().await;
    stage.write_token(stage.token("chris"));
    stage.proxy.go_away().await;
    let service = stage.start(&[]).await.unwrap();
    stage.proxy.forget_requests();
    // Whoever did not wait for that answer would have called meanwhile.
    stage.proxy.delay_next("GET", "/api/v4/users/me", Duration::from_secs(5), 10);
    stage.proxy.come_back();
    let ends = tokio::time::timeout(Duration::from_secs(60), service.run_until(std::future::pending()));
    let error = ends.await.unwrap().unwrap_err().to_string();
    assert!(error.contains("the token is that of @chris") && error.contains("start it again"), "{error}");
    let asked = stage.proxy.requests();
    let is_question = |path: &str| path == "/api/v4/users/me" || path.starts_with("/api/v4/config/client");
    assert!(!asked.is_empty() && asked.iter().all(|(_, path)| is_question(path)), "{asked:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_of_another_account_that_is_refused_at_the_start_does_nothing_when_it_is_taken() {
    let stage = Stage::new().await;
    stage.service().await.stop().await;
    stage.write_token(stage.token("chris"));
    stage.proxy.refuse_with("GET", "/api/v4/users/me", "", 401, "api.context.session_expired.app_error");
    let service = stage.start(&[]).await.unwrap();
    let (status, reason) = readiness(&service).await;
    assert!(status == 503 && reason.contains("refuses the bot's token"), "{status} {reason}");
    // It is tried again half a minute later.
    let ends = tokio::time::timeout(Duration::from_secs(90), service.run_until(std::future::pending()));
    let error = ends.await.unwrap().unwrap_err().to_string();
    assert!(error.contains("the token is that of @chris"), "{error}");
    let asked = stage.proxy.requests();
    assert!(
        !asked.iter().any(|(method, path)| method == "POST" && path.starts_with("/api/v4/posts")),
        "{asked:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_first_start_at_what_is_no_mattermost_server_fails_and_says_what_to_look_at() {
    let stage = Stage::new().await;
    stage.proxy.answer_next("GET", "/api/v4/users/me", "<!doctype html><title>Welcome</title>", 1);
    let error = stage.start(&[]).await.err().unwrap().to_string();
    assert!(error.contains("makes no sense") && error.contains("<!doctype html>"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_first_start_beside_a_proxy_whose_server_is_only_starting_waits_for_it() {
    let stage = Stage::new().await;
    stage.proxy.fail_next("GET", "/api/v4/users/me", 404, 1);
    stage.service().await.stop().await;
    assert!(stage.proxy.arrivals("GET", "/api/v4/users/me").len() >= 2);
}
