//! Posts in which people decide, and that somebody deletes: others take their place.

use crate::catch_up::unheard;
use crate::operators::warroom;
use crate::stage::{Stage, controls, drill};
use serde_json::{Value, json};
use warroom::Service;

async fn delete(stage: &Stage, post: &Value) {
    let gone = stage.admin("DELETE", &format!("/posts/{}", post["id"].as_str().unwrap()), None).await;
    assert_eq!(gone["status"], "OK", "{gone}");
}

/// Waits until so many runs are running, waiting and blocked: then the journal has what the server has.
async fn rests(stage: &Stage, service: &Service, states: [usize; 3]) {
    stage.eventually("the rest", async || (service.runner().states() == states).then_some(())).await;
}

/// Waits until the only run knows of what it announced that it stands in this post.
async fn stands(stage: &Stage, service: &Service, post: &Value) {
    let id = service.runner().open_runs().remove(0);
    let is_known = async || {
        let run = service.runner().run(&id).await.unwrap();
        let mut places = run.announcements.iter().filter_map(|known| known.place.as_ref());
        places.any(|place| place.post_id.as_deref() == post["id"].as_str()).then_some(())
    };
    stage.eventually("the journal that knows the post", is_known).await;
}

fn labels(post: &Value) -> Vec<String> {
    controls(post).iter().map(|control| control["name"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_step_goes_on_though_somebody_deletes_its_post_again_and_again() {
    let stage = Stage::new().await;
    let service = stage.service().await;
    let (room, triage) = stage.triage().await;
    rests(&stage, &service, [0, 1, 0]).await;
    assert_eq!(stage.press("chris", &triage, "Severity", Some("S1")).await, 200);
    delete(&stage, &triage).await;
    let second = stage.post(&room, ":wastebasket:", 1).await;
    assert!(second["message"].as_str().unwrap().contains("New issue to triage"), "{second}");
    assert_eq!(labels(&second), labels(&triage));
    assert!(second.to_string().contains("Severity: **S1**, set by @chris"), "{second}");
    stands(&stage, &service, &second).await;
    // Once unheard.
    unheard(&stage, delete(&stage, &second)).await;
    let third = stage.post(&room, ":wastebasket:", 1).await;
    assert_ne!(third["id"], second["id"]);
    assert_eq!(stage.press("jon", &third, "Severity", Some("S2")).await, 200);
    assert_eq!(stage.press("jon", &third, "Triaged", None).await, 200);
    let info = stage.post(&room, "Developing a fix", 1).await;
    assert!(info["message"].as_str().unwrap().contains("Severity: S2"), "{info}");
    let is_closed = async || {
        let now = stage.fresh(&third).await;
        (controls(&now).is_empty() && now.to_string().contains("**Triaged**, by @jon")).then_some(())
    };
    stage.eventually("the last look", is_closed).await;
    let (_, story) = warroom(&stage, &["runs", "show", "security_issue:1"]).await;
    assert_eq!(story.matches("was deleted by somebody").count(), 2, "{story}");
    assert_eq!(stage.press("jon", &info, "Resolved", None).await, 200);
    stage.archived(&room).await;
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_blocked_incident_is_decided_though_somebody_deletes_its_notice() {
    let lost = json!({"name": "Lost", "type": "post", "channel_name": "no-such-channel", "message": "x"});
    let stage = Stage::with_workflow(&drill(&json!([lost]))).await;
    let service = stage.service().await;
    stage.say("jon", "town-square", "#drill").await;
    let town = stage.channel_id("town-square").await;
    let notice = stage.post(&town, ":warning: Incident **drill 1** is blocked", 1).await;
    rests(&stage, &service, [0, 0, 1]).await;
    delete(&stage, &notice).await;
    let second = stage.post(&town, ":wastebasket:", 1).await;
    assert_eq!(labels(&second), ["Retry", "Skip", "Cancel"]);
    assert_eq!(stage.press("jon", &second, "Skip", None).await, 200);
    stage.eventually("the end", async || service.runner().open_runs().is_empty().then_some(())).await;
    let is_closed = async || {
        let now = stage.fresh(&second).await;
        (controls(&now).is_empty() && now.to_string().contains("Skipped by @jon")).then_some(())
    };
    stage.eventually("the last look", is_closed).await;
    service.stop().await;
}
