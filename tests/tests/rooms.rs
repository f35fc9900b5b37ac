//! Rooms that are lost while their incident is open, and what the host does in rooms: pins, posts, archives.

use crate::callbacks::Desk;
use crate::stage::{Stage, controls};
use serde_json::json;
use std::time::Duration;

#[tokio::test(flavor = "multi_thread")]
async fn a_room_that_is_archived_by_hand_is_told_and_goes_on_once_it_is_back() {
    let stage = Stage::new().await;
    let service = stage.service().await;
    let (room, triage) = stage.triage().await;
    stage.admin("DELETE", &format!("/channels/{room}"), None).await;
    let town = stage.channel_id("town-square").await;
    let notice = stage.post(&town, ":warning: The channel ~security-issue-1", 1).await;
    assert!(notice["message"].as_str().unwrap().contains("was archived by somebody"), "{notice}");

    stage.admin("POST", &format!("/channels/{room}/restore"), None).await;
    stage
        .eventually("the room to be back", async || {
            let now = stage.fresh(&notice).await;
            now["message"].as_str().unwrap().contains("can be used again").then_some(())
        })
        .await;
    assert_eq!(stage.press("jon", &triage, "Resolved", None).await, 200);
    stage.archived(&room).await;
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bot_that_is_removed_from_its_room_says_so_and_the_incident_can_be_cancelled() {
    let stage = Stage::new().await;
    let service = stage.service().await;
    let (room, _) = stage.triage().await;
    stage.admin("DELETE", &format!("/channels/{room}/members/{}", stage.bot_id), None).await;
    let town = stage.channel_id("town-square").await;
    let notice = stage.post(&town, ":warning: The channel ~security-issue-1", 1).await;
    assert!(notice["message"].as_str().unwrap().contains("was removed from there"), "{notice}");
    // The room lets the bot in again only at the second try.
    stage.proxy.break_next("POST", &format!("/api/v4/channels/{room}/members"), 1);
    assert_eq!(stage.press("jon", &notice, "Cancel", None).await, 200);
    let told = stage.post(&town, ":x: Incident **security_issue 1** was cancelled by @jon", 1).await;
    assert_eq!(controls(&told).len(), 0);
    stage.archived(&room).await;
    stage
        .eventually("the end of the run", async || service.runner().open_runs().is_empty().then_some(()))
        .await;
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_loss_while_the_host_was_down_is_noticed_at_the_next_start() {
    let stage = Stage::new().await;
    let service = stage.service().await;
    let (room, _) = stage.triage().await;
    service.stop().await;
    stage.admin("DELETE", &format!("/channels/{room}"), None).await;
    let service = stage.service().await;
    let town = stage.channel_id("town-square").await;
    stage.post(&town, ":warning: The channel ~security-issue-1", 1).await;
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_current_step_is_pinned_and_a_pressed_button_is_a_post_too() {
    let stage = Stage::new().await;
    let service = stage.service().await;
    let (room, triage) = stage.triage().await;
    let pinned = async |post: &serde_json::Value, is_pinned: bool| {
        stage
            .eventually("the pin", async || (stage.fresh(post).await["is_pinned"] == is_pinned).then_some(()))
            .await;
    };
    pinned(&triage, true).await;
    for _ in 0..2 {
        assert_eq!(stage.press("chris", &triage, "Alert", None).await, 200);
    }
    stage.post(&room, "**Alert**: @chris", 1).await;
    assert_eq!(stage.press("chris", &triage, "Severity", Some("S1")).await, 200);
    assert_eq!(stage.press("jon", &triage, "Severity", Some("S2")).await, 200);
    let shown = stage.fresh(&triage).await.to_string();
    assert!(shown.contains("Severity: **S2**, set by @jon (before: S1 by @chris)"), "{shown}");
    assert_eq!(stage.press("jon", &triage, "Triaged", None).await, 200);
    let info = stage.post(&room, "Developing a fix", 1).await;
    pinned(&info, true).await;
    pinned(&triage, false).await;
    let alerts = stage.messages(&room).await;
    assert_eq!(alerts.iter().filter(|text| text.starts_with("**Alert**")).count(), 1, "{alerts:?}");
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_press_in_an_archived_room_is_answered_in_words() {
    let desk = Desk::new().await;
    let (room, triage) = desk.stage.triage().await;
    // Pressed before, it comes after the room was archived.
    let press = desk.take("jon", &triage, "Severity", Some("S1")).await;
    desk.stage.admin("DELETE", &format!("/channels/{room}"), None).await;
    let town = desk.stage.channel_id("town-square").await;
    desk.stage.post(&town, ":warning: The channel ~security-issue-1", 1).await;
    let words = desk.told(&press).await;
    assert!(words.starts_with("That is written down. The channel is archived"), "{words}");
    assert_eq!(desk.told(&press).await, words, "and so is its repetition");
    let id = desk.service.runner().open_runs().remove(0);
    let run = desk.service.runner().run(&id).await.unwrap();
    assert_eq!(run.choice("TriagePost", "Severity").unwrap().value, "S1");
    desk.service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_bot_joins_the_public_channels_that_triggers_name() {
    let workflow = json!([{
        "name": "disk",
        "triggers": [{"name": "Alert", "type": "text", "match": "#disk", "channel_name": ["Alerts Here", "later", "Forbidden"]}],
        "steps": [{"name": "Look", "start_actions": [
            {"name": "Room", "type": "create_channel", "channel_name": "disk-{{.Instance.Number}}"},
        ]}],
    }]);
    let stage = Stage::with_workflow(&workflow.to_string()).await;
    let new = |name: &str, display_name: &str| json!({ "team_id": stage.team_id, "name": name, "display_name": display_name, "type": "O" });
    // What people see is another name than the one that is written.
    let alerts = new("alerts-here", "Where alerts come");
    let (status, _) = stage.call("POST", "/channels", stage.token("sam"), Some(alerts)).await;
    assert_eq!(status, 201);
    // One that the bot may not even look up keeps it from no other.
    let team = stage.team_id.clone();
    stage.proxy.fail_next("GET", &format!("/api/v4/teams/{team}/channels/name/forbidden"), 403, 1_000);
    let service = stage.service().await;
    let path = format!("/channels/{}/members/{}", stage.channel_id("alerts-here").await, stage.bot_id);
    let member = stage.get(&path).await;
    assert_eq!(member["user_id"], stage.bot_id, "{member}");
    stage.say("sam", "alerts-here", "#disk one").await;
    stage.channel("disk-1").await;
    assert_eq!(stage.rooms().await.len(), 2);
    service.stop().await;
}

/// A stage whose workflow makes a room for each post with `#disk`, wherever it is.
async fn disk_stage() -> Stage {
    let workflow = json!([{
        "name": "disk",
        "triggers": [{"name": "Alert", "type": "text", "match": "#disk"}],
        "steps": [{"name": "Look", "start_actions": [
            {"name": "Room", "type": "create_channel", "channel_name": "disk-{{.Instance.Number}}"},
        ]}],
    }]);
    Stage::with_workflow(&workflow.to_string()).await
}

/// What makes the bot listen to all public channels, and look for new ones each second.
const LISTENS_TO_ALL: [(&str, &str); 2] =
    [("WARROOM_MATTERMOST_WATCH", "all"), ("WARROOM_LIMITS_ROOMS_CHECK_MS", "1000")];

/// Has sam make a public channel; its id.
async fn make_channel(stage: &Stage, name: &str) -> String {
    let body = json!({ "team_id": stage.team_id, "name": name, "display_name": name, "type": "O" });
    let (status, made) = stage.call("POST", "/channels", stage.token("sam"), Some(body)).await;
    assert_eq!(status, 201, "{made}");
    made["id"].as_str().unwrap().to_owned()
}

/// Waits until the bot is in the channel.
async fn bot_comes(stage: &Stage, channel_id: &str) {
    let is_in = async || {
        let member = stage.get(&format!("/channels/{channel_id}/members/{}", stage.bot_id)).await;
        (member["user_id"] == stage.bot_id).then_some(())
    };
    stage.eventually("the bot in the new channel", is_in).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_bot_listens_to_all_public_channels_where_it_is_told_to_and_follows_new_ones() {
    let stage = disk_stage().await;
    make_channel(&stage, "before").await;
    let service = stage.service_with(&LISTENS_TO_ALL).await;
    stage.say("sam", "before", "#disk one").await;
    stage.channel("disk-1").await;
    let new = make_channel(&stage, "after").await;
    bot_comes(&stage, &new).await;
    stage.say("sam", "after", "#disk two").await;
    stage.channel("disk-2").await;
    service.stop().await;
}

/// A real server may show a new member before its stream knows of it: what is posted in that moment is told to nobody.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_posted_while_the_bot_joins_is_heard_though_the_stream_does_not_tell_it() {
    let stage = disk_stage().await;
    let Some(simulator) = stage.simulator() else { return };
    let service = stage.service_with(&LISTENS_TO_ALL).await;
    // The bot waits for the answer to its joining.
    simulator.delay_next("POST", "/api/v4/channels/", Duration::from_millis(500), 1);
    let new = make_channel(&stage, "new").await;
    bot_comes(&stage, &new).await;
    simulator.revoke_token(stage.bot_token());
    stage.say("sam", "new", "#disk one").await;
    simulator.restore_token(stage.bot_token());
    stage.channel("disk-1").await;
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_loss_while_the_connection_was_gone_is_noticed_once_it_is_back() {
    let stage = Stage::new().await;
    let service = stage.service().await;
    let (room, _) = stage.triage().await;
    stage.proxy.go_away().await;
    if let Some(simulator) = stage.simulator() {
        simulator.forget_websockets();
    }
    stage.admin("DELETE", &format!("/channels/{room}"), None).await;
    stage.proxy.come_back();
    let town = stage.channel_id("town-square").await;
    let notice = stage.post(&town, ":warning: The channel ~security-issue-1", 1).await;
    assert!(notice["message"].as_str().unwrap().contains("was archived by somebody"), "{notice}");
    service.stop().await;
}
