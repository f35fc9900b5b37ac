//! A server that fails for a while loses nothing and doubles nothing.

use crate::stage::{Stage, controls, drill};
use serde_json::json;
use std::time::Duration;

const TRIAGE: &str = "New issue to triage";

/// Starts an incident under a fault, and expects it to come to its triage as if nothing had been.
async fn comes_through(environment: &[(&str, &str)], arm: impl FnOnce(&Stage)) -> Stage {
    let stage = Stage::new().await;
    let service = stage.service_with(environment).await;
    arm(&stage);
    let (room, _) = stage.triage().await;
    assert_eq!(stage.rooms().await, ["security-issue-1"]);
    assert_eq!(stage.messages(&room).await.len(), 1);
    let town = stage.channel_id("town-square").await;
    let announced = stage.messages(&town).await;
    assert_eq!(announced.iter().filter(|text| text.starts_with("Security issue reported")).count(), 1);
    service.stop().await;
    stage
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_error_is_tried_again() {
    comes_through(&[], |stage| stage.proxy.fail_next("POST", "/api/v4/channels", 503, 1)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rate_limit_is_waited_out() {
    // The host's own wait is shorter than what the server asks for.
    let stage = comes_through(&[("WARROOM_LIMITS_RETRY_PERIOD_MS", "30000")], |stage| {
        stage.proxy.fail_next("POST", "/api/v4/channels", 429, 1);
    })
    .await;
    let waits = stage.proxy.waits("POST", "/api/v4/channels");
    assert!(waits.len() == 1 && waits[0] >= Duration::from_secs(1), "{waits:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_maintenance_is_waited_out() {
    let stage = comes_through(&[("WARROOM_LIMITS_RETRY_PERIOD_MS", "30000")], |stage| {
        stage.proxy.maintain_next("POST", "/api/v4/channels", 2, 1);
    })
    .await;
    let waits = stage.proxy.waits("POST", "/api/v4/channels");
    assert!(waits.len() == 1 && waits[0] >= Duration::from_secs(2), "{waits:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_room_whose_creation_was_not_answered_is_found_again() {
    comes_through(&[], |stage| stage.proxy.lose_answer_of_next("POST", "/api/v4/channels", 1)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_post_whose_answer_was_lost_is_found_again() {
    let stage = Stage::new().await;
    let service = stage.service().await;
    stage.say("jon", "town-square", "#sec x").await;
    // The host's first post is the announcement; it comes only after the room was made and filled.
    stage.proxy.lose_answer_of_next("POST", "/api/v4/posts", 1);
    let room = stage.channel_id("security-issue-1").await;
    stage.post(&room, TRIAGE, 1).await;
    let town = stage.channel_id("town-square").await;
    let announced = stage.messages(&town).await;
    assert_eq!(announced.len(), 2, "the report and one announcement: {announced:?}");
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_event_stream_is_resumed_without_losing_a_post() {
    let stage = Stage::new().await;
    let service = stage.service().await;
    stage.proxy.cut_streams();
    stage.say("jon", "town-square", "#sec while nobody listened").await;
    let room = stage.channel_id("security-issue-1").await;
    stage.post(&room, TRIAGE, 1).await;
    assert_eq!(stage.rooms().await, ["security-issue-1"]);
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slow_answer_doubles_nothing() {
    // The host has given up when the answer comes.
    let stage = comes_through(&[("WARROOM_LIMITS_MATTERMOST_TIMEOUT_MS", "300")], |stage| {
        stage.proxy.delay_next("POST", "/api/v4/posts", Duration::from_millis(700), 1);
    })
    .await;
    // It looked for its post before it would have written another one.
    let town = stage.channel_id("town-square").await;
    let search = ("GET".to_owned(), format!("/api/v4/channels/{town}/posts"));
    assert!(stage.proxy.requests().contains(&search));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_press_before_the_answer_to_its_post_tells_that_the_post_is_there() {
    let stage = Stage::new().await;
    let service = stage.service().await;
    // The answer to the triage post is lost, and so is every further way to find out but the press.
    stage.proxy.lose_answer_about("POST", "/api/v4/posts", TRIAGE);
    stage.say("jon", "town-square", "#sec x").await;
    let room = stage.channel_id("security-issue-1").await;
    stage.proxy.fail_next("GET", &format!("/api/v4/channels/{room}/posts"), 500, 10_000);
    let triage = stage.post(&room, TRIAGE, 1).await;
    assert_eq!(stage.press("jon", &triage, "Triaged", None).await, 200);
    stage.post(&room, "Developing a fix", 1).await;
    assert_eq!(stage.messages(&room).await.iter().filter(|text| text.starts_with(TRIAGE)).count(), 1);
    service.stop().await;
}

/// Starts an incident for which these people are wanted besides; gives what its room is told about them.
async fn missed(stage: &Stage, more: &str) -> String {
    let workflow = crate::stage::SECURITY_ISSUE.replace("\"chris\"", &format!("\"chris\", {more}"));
    stage.write_workflow("workflow.json", &workflow);
    let service = stage.service().await;
    let (room, _) = stage.triage().await;
    let told = stage.post(&room, ":warning: Not everybody could be added", 1).await;
    let members = stage.get(&format!("/channels/{room}/members")).await;
    assert_eq!(members.as_array().unwrap().len(), 3, "jon, chris and the bot: {members}");
    service.stop().await;
    told["message"].as_str().unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_group_whose_members_are_hidden_keeps_nobody_else_out() {
    let stage = Stage::new().await;
    stage.proxy.forbid_next("GET", "/api/v4/groups/", 100);
    let group = r#"[{"id":"gggggggggggggggggggggggggg","name":"hidden","display_name":"H","delete_at":0}]"#;
    stage.proxy.answer_next("GET", "/api/v4/groups", group, 100);
    let told = missed(&stage, "\"hidden\"").await;
    assert!(
        told.contains("`hidden` is no active user of this server, nor a group that the bot may read"),
        "{told}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_without_groups_is_asked_for_one_once() {
    let stage = Stage::new().await;
    missed(&stage, "\"ghost\", \"spectre\"").await;
    // A server with a licence is asked for each of them.
    let has_licence = stage.get("/groups").await.is_array();
    let asked = stage.proxy.requests();
    let asked = asked.iter().filter(|(_, path)| path == "/api/v4/groups").count();
    assert_eq!(asked, if has_licence { 2 } else { 1 });
}

/// A list of groups, as a licensed server gives it.
const SRE: &str = r#"[{"id":"gggggggggggggggggggggggggg","name":"sre","display_name":"SRE","delete_at":0}]"#;

#[tokio::test(flavor = "multi_thread")]
async fn a_group_of_the_server_is_brought_in_and_may_be_the_one_to_press() {
    let actions = json!([
        {"name": "Room", "type": "create_channel", "channel_name": "room-{{.Instance.Number}}"},
        {"name": "People", "type": "add_users_channel", "channel_name": "room-{{.Instance.Number}}", "users": ["@sre", "sam"]},
        {"name": "Ask", "type": "post", "channel_name": "room-{{.Instance.Number}}",
         "message": "Added {{.Action.People.Added}}, without {{.Action.People.NotAdded}}.",
         "transitions": [{"label": "Done", "to": "End", "allowed": ["@sre"]}]},
    ]);
    let stage = Stage::with_workflow(&drill(&actions)).await;
    let mut members = Vec::new();
    for name in ["chris", "alex"] {
        members.push(stage.get(&format!("/users/username/{name}")).await);
    }
    // One of them has left.
    members[1]["delete_at"] = json!(1);
    let listed = json!({ "members": members, "total_member_count": 2 }).to_string();
    stage.proxy.answer_next("GET", "/api/v4/groups/", &listed, 100);
    stage.proxy.answer_next("GET", "/api/v4/groups", SRE, 100);
    let service = stage.service().await;
    stage.say("jon", "town-square", "#drill").await;
    let room = stage.channel_id("room-1").await;
    let ask = stage.post(&room, "Added chris,sam, without .", 1).await;
    assert_eq!(stage.members(&room).await.len(), 3, "they and the bot");
    assert_eq!(stage.press("sam", &ask, "Done", None).await, 200);
    assert_eq!(controls(&stage.fresh(&ask).await).len(), 1, "sam may not");
    assert_eq!(stage.press("chris", &ask, "Done", None).await, 200);
    stage.eventually("the end", async || (controls(&stage.fresh(&ask).await).is_empty()).then_some(())).await;
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_on_the_first_page_of_a_large_group_presses_whatever_the_next_page_says() {
    let ask = json!([{"name": "Ask", "type": "post", "channel_name": "town-square", "message": "Well?",
        "transitions": [{"label": "Done", "to": "End", "allowed": ["@sre"]}]}]);
    let stage = Stage::with_workflow(&drill(&ask)).await;
    // As many as make a page a full one.
    let mut members = vec![stage.get("/users/username/chris").await];
    members.extend(
        (1..200).map(|n| json!({ "id": format!("{n:026}"), "username": format!("sre{n}"), "delete_at": 0 })),
    );
    let page = json!({ "members": members, "total_member_count": 5_000 }).to_string();
    stage.proxy.answer_next("GET", "/api/v4/groups/", &page, 1);
    stage.proxy.forbid_next("GET", "/api/v4/groups/", 100);
    stage.proxy.answer_next("GET", "/api/v4/groups", SRE, 100);
    let service = stage.service().await;
    stage.say("jon", "town-square", "#drill").await;
    let town = stage.channel_id("town-square").await;
    let ask = stage.post(&town, "Well?", 1).await;
    assert_eq!(stage.press("chris", &ask, "Done", None).await, 200);
    stage.at_rest(&service).await;
    let asked = stage.proxy.requests();
    assert_eq!(asked.iter().filter(|(_, path)| path.starts_with("/api/v4/groups/")).count(), 1);
    service.stop().await;
}

/// What a server says to a name that is too long for it, though it lets others of that length be.
#[tokio::test(flavor = "multi_thread")]
async fn a_room_that_the_server_fails_to_make_is_made_later() {
    let stage = comes_through(&[], |stage| {
        let id = "app.channel.create_channel.internal_error";
        stage.proxy.refuse_with("POST", "/api/v4/channels", "security-issue-1", 500, id);
    })
    .await;
    assert_eq!(stage.proxy.arrivals("POST", "/api/v4/channels").len(), 2);
}
