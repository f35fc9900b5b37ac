//! Nothing that was posted while nobody listened is lost, and nothing happens twice.

use crate::stage::{Stage, controls};
use serde_json::json;
use std::time::Duration;

const TRIAGE: &str = "New issue to triage";

/// A workflow that only makes a numbered room.
fn rooms_only(more: &serde_json::Value) -> String {
    let mut workflow = json!({
        "name": "disk",
        "triggers": [{"name": "Alert", "type": "text", "match": "#disk"}],
        "steps": [
            {"name": "Look", "start_actions": [
                {"name": "Room", "type": "create_channel", "channel_name": "disk-{{.Instance.Number}}"},
                {"name": "Say", "type": "post", "channel_name": "disk-{{.Instance.Number}}",
                 "message": "Look: {{.Trigger.Alert.Message}}", "transitions": [{"label": "Done", "to": "End"}]},
            ]},
            {"name": "End", "start_actions": [{"name": "Bye", "type": "finished_workflow"}]},
        ],
    });
    if let (Some(workflow), Some(more)) = (workflow.as_object_mut(), more.as_object()) {
        workflow.extend(more.clone());
    }
    json!([workflow]).to_string()
}

/// A new stream that cannot be resumed, as after a long time without connection.
fn lose_the_stream(stage: &Stage) {
    match stage.simulator() {
        Some(simulator) => simulator.forget_websockets(),
        // More events than a real server keeps come meanwhile: see `chatter`.
        None => stage.proxy.cut_streams(),
    }
}

/// So many posts that the server forgets the stream.
async fn chatter(stage: &Stage, count: usize) {
    for n in 0..count {
        stage.say("alex", "town-square", &format!("chatter {n}")).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_posted_while_the_connection_was_gone_is_taken_in_once_and_in_order() {
    let stage = Stage::with_workflow(&rooms_only(&json!({}))).await;
    let service = stage.service().await;
    stage.proxy.go_away();
    lose_the_stream(&stage);
    stage.say("jon", "town-square", "#disk first").await;
    chatter(&stage, 1_000).await;
    stage.say("chris", "town-square", "#disk second").await;
    stage.proxy.come_back();
    let second = stage.channel_id("disk-2").await;
    stage.post(&second, "Look: #disk second", 1).await;
    let first = stage.channel_id("disk-1").await;
    assert_eq!(stage.messages(&first).await, ["Look: #disk first"]);
    // Once more, with nothing new: nothing happens twice.
    lose_the_stream(&stage);
    stage.say("jon", "town-square", "#disk third").await;
    stage.channel("disk-3").await;
    assert_eq!(stage.rooms().await.len(), 3);
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_posted_while_the_host_was_down_starts_an_incident() {
    let stage = Stage::new().await;
    let service = stage.service().await;
    stage.say("jon", "town-square", "nothing much").await;
    service.stop().await;
    stage.say("jon", "town-square", "#sec while the host was down").await;
    let service = stage.service().await;
    let room = stage.channel_id("security-issue-1").await;
    stage.post(&room, TRIAGE, 1).await;
    service.stop().await;
    let service = stage.service().await;
    stage.say("jon", "town-square", "#sec again").await;
    stage.channel("security-issue-2").await;
    assert_eq!(stage.rooms().await.len(), 2, "the first post started nothing more");
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_channel_that_is_seen_for_the_first_time_begins_now() {
    let stage = Stage::new().await;
    stage.say("jon", "town-square", "#sec long before warroom came").await;
    let service = stage.service().await;
    stage.say("jon", "town-square", "#sec now").await;
    let room = stage.channel_id("security-issue-1").await;
    let triage = stage.post(&room, TRIAGE, 1).await;
    assert!(triage["message"].as_str().unwrap().contains("#sec now"), "{triage}");
    assert_eq!(stage.rooms().await.len(), 1);
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_found_too_late_is_listed_and_a_person_starts_it() {
    let stage = Stage::with_workflow(&rooms_only(&json!({}))).await;
    let service = stage.service().await;
    stage.say("jon", "town-square", "hello").await;
    service.stop().await;
    let late = stage.say("jon", "town-square", "#disk long ago").await;
    stage.say("jon", "town-square", "#disk long ago too").await;
    tokio::time::sleep(Duration::from_millis(50)).await;
    let service = stage.service_with(&[("WARROOM_LIMITS_CATCH_UP_MAX_AGE_MS", "1")]).await;
    let town = stage.channel_id("town-square").await;
    let notice = stage.post(&town, ":hourglass:", 1).await;
    let notice = stage
        .eventually("both in the list", async || {
            let now = stage.fresh(&notice).await;
            (controls(&now).len() == 2).then_some(now)
        })
        .await;
    let text = notice["message"].as_str().unwrap();
    assert!(text.contains("#disk long ago") && text.contains(late["id"].as_str().unwrap()), "{text}");
    assert_eq!(stage.rooms().await, [""; 0]);

    assert_eq!(stage.press("chris", &notice, "Start 2", None).await, 200);
    let room = stage.channel_id("disk-1").await;
    stage.post(&room, "Look: #disk long ago too", 1).await;
    let now = stage.fresh(&notice).await;
    assert!(now["message"].as_str().unwrap().contains("was started as **disk 1** by @chris."), "{now}");
    assert_eq!(controls(&now).len(), 1);
    // After a restart the other one can still be started.
    service.stop().await;
    let service = stage.service().await;
    assert_eq!(stage.press("sam", &notice, "Start 1", None).await, 200);
    stage.channel("disk-2").await;
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_start_limit_holds_back_can_be_started() {
    let limit = json!({"start_limit": {"starts": 1, "minutes": 60}});
    let stage = Stage::with_workflow(&rooms_only(&limit)).await;
    let service = stage.service().await;
    stage.say("sam", "town-square", "#disk 1").await;
    stage.say("sam", "town-square", "#disk 2").await;
    let town = stage.channel_id("town-square").await;
    let notice = stage.post(&town, ":warning: **disk** has started 1 incidents", 1).await;
    assert_eq!(stage.rooms().await, ["disk-1"]);
    service.stop().await;
    let service = stage.service().await;
    assert_eq!(stage.press("jon", &notice, "Start 1", None).await, 200);
    let room = stage.channel_id("disk-2").await;
    stage.post(&room, "Look: #disk 2", 1).await;
    service.stop().await;
}
