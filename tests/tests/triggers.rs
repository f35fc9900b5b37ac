//! What starts an incident and what does not, over real sockets.

use crate::stage::{Stage, controls};
use serde_json::{Value, json};

/// A workflow with one step that waits, over these trigger keys.
fn workflow(trigger: Value, more: Value) -> String {
    let mut trigger = trigger;
    (trigger["name"], trigger["type"]) = (json!("Alert"), json!("text"));
    let mut workflow = json!({
        "name": "disk",
        "triggers": [trigger],
        "steps": [
            {"name": "Look", "start_actions": [
                {"name": "Room", "type": "create_channel", "channel_name": "disk-{{.Instance.Number}}"},
                {"name": "People", "type": "add_users_channel", "channel_name": "disk-{{.Instance.Number}}",
                 "users": ["jon", "chris"], "notify": true},
                {"name": "Ask", "type": "post", "channel_name": "disk-{{.Instance.Number}}",
                 "message": "Look: {{.Trigger.Alert.Message}}",
                 "transitions": [{"label": "Done", "to": "End", "allowed": ["chris"]}]},
            ]},
            {"name": "End", "start_actions": [
                {"name": "Close", "type": "archive_channel", "channel_name": "disk-{{.Instance.Number}}"},
            ]},
        ],
    });
    if let (Value::Object(workflow), Value::Object(more)) = (&mut workflow, more) {
        workflow.extend(more);
    }
    json!([workflow]).to_string()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_alert_that_repeats_is_one_room_with_one_post_that_counts() {
    let stage = Stage::with_workflow(&workflow(
        json!({"match_regex": r"disk full on (?P<host>\w+)", "key": "{{.Trigger.Alert.Groups.host}}"}),
        json!({}),
    ))
    .await;
    let service = stage.service().await;
    stage.say("sam", "town-square", "disk full on web1").await;
    let room = stage.channel_id("disk-1").await;
    stage.post(&room, "Look: disk full on web1", 1).await;
    for _ in 0..30 {
        stage.say("sam", "town-square", "disk full on web1").await;
    }
    stage.say("sam", "town-square", "disk full on web2").await;
    stage.channel("disk-2").await;
    stage
        .eventually("all repeats to be told", async || {
            let messages = stage.messages(&room).await;
            let told: Vec<_> = messages.iter().filter(|text| text.starts_with(":repeat:")).collect();
            assert!(told.len() <= 1, "{told:?}");
            told.first().filter(|text| text.contains("Reported 30 more times")).map(|_| ())
        })
        .await;
    assert_eq!(stage.rooms().await.len(), 2);

    // Once the run is over, the key is free again.
    let ask = stage.post(&room, "Look: ", 1).await;
    assert_eq!(stage.press("chris", &ask, "Done", None).await, 200);
    stage.archived(&room).await;
    stage.say("sam", "town-square", "disk full on web1").await;
    stage.channel("disk-3").await;
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn repeats_of_an_incident_that_cannot_close_hold_up_no_other_for_long() {
    let stage = Stage::with_workflow(&workflow(
        json!({"match_regex": r"disk full on (?P<host>\w+)", "key": "{{.Trigger.Alert.Groups.host}}"}),
        json!({}),
    ))
    .await;
    let service = stage.service().await;
    stage.say("sam", "town-square", "disk full on web1").await;
    let room = stage.channel_id("disk-1").await;
    let ask = stage.post(&room, "Look: ", 1).await;
    let archiving = stage.proxy.hold_next("DELETE", "/api/v4/channels/", 1);
    assert_eq!(stage.press("chris", &ask, "Done", None).await, 200);
    // Each of them waits for the end, and longer than anybody's patience if one after the other does.
    for _ in 0..10 {
        stage.say("sam", "town-square", "disk full on web1").await;
    }
    stage.say("sam", "town-square", "disk full on web2").await;
    stage.channel("disk-2").await;
    drop(archiving);
    stage.archived(&room).await;
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn starts_above_the_limit_are_told_in_one_post() {
    let limit = json!({"start_limit": {"starts": 2, "minutes": 5}});
    let stage = Stage::with_workflow(&workflow(json!({"match": "#disk"}), limit)).await;
    let service = stage.service().await;
    for n in 0..6 {
        stage.say("sam", "town-square", &format!("#disk {n}")).await;
    }
    let town = stage.channel_id("town-square").await;
    stage
        .eventually("the notice of all four", async || {
            let messages = stage.messages(&town).await;
            let told: Vec<_> = messages.iter().filter(|text| text.contains("start_limit")).collect();
            assert!(told.len() <= 1, "{told:?}");
            told.first().filter(|text| text.contains("4 posts started none:")).map(|_| ())
        })
        .await;
    stage.channel("disk-2").await;
    let mut rooms = stage.rooms().await;
    rooms.sort();
    assert_eq!(rooms, ["disk-1", "disk-2"]);
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_post_in_the_room_of_an_open_run_triggers_nothing() {
    let stage = Stage::with_workflow(&workflow(json!({"match": "#disk"}), json!({}))).await;
    let service = stage.service().await;
    stage.say("sam", "town-square", "#disk one").await;
    let room = stage.channel_id("disk-1").await;
    let ask = stage.post(&room, "Look: ", 1).await;
    stage.say("jon", "disk-1", "as in the last #disk incident").await;
    stage.say("sam", "town-square", "#disk two").await;
    stage.channel("disk-2").await;
    assert_eq!(
        stage.rooms().await.len(),
        2,
        "posts are taken in order, so the one in the room was looked at"
    );
    assert_eq!(stage.press("chris", &ask, "Done", None).await, 200);
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_transition_is_for_those_whom_it_allows_and_people_are_mentioned() {
    let stage = Stage::with_workflow(&workflow(json!({"match": "#disk"}), json!({}))).await;
    let service = stage.service().await;
    stage.say("sam", "town-square", "#disk one").await;
    let room = stage.channel_id("disk-1").await;
    let ask = stage.post(&room, "Look: ", 1).await;
    assert!(stage.messages(&room).await.contains(&"@jon @chris: you are needed here.".to_owned()));
    assert_eq!(stage.press("jon", &ask, "Done", None).await, 200, "refused in words, not by status");
    assert_eq!(controls(&stage.fresh(&ask).await).len(), 1);
    assert_eq!(stage.press("chris", &ask, "Done", None).await, 200);
    stage.archived(&room).await;
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn recoveries_code_and_quotes_start_nothing() {
    let stage =
        Stage::with_workflow(&workflow(json!({"match": "#disk", "except": "[RESOLVED]"}), json!({}))).await;
    let service = stage.service().await;
    for text in ["[RESOLVED] #disk", "see `#disk`", "> #disk\n\nwhat was that?", "```\n#disk\n```", "#disks"]
    {
        stage.say("sam", "town-square", text).await;
    }
    stage.say("sam", "town-square", "#disk").await;
    let room = stage.channel_id("disk-1").await;
    stage.post(&room, "Look: #disk", 1).await;
    assert_eq!(stage.rooms().await, ["disk-1"]);
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_post_waits_until_the_handle_of_its_team_is_known() {
    let stage = Stage::new().await;
    let other = format!("{}b", stage.team);
    let text = workflow(json!({"match": "#disk", "team_name": other}), json!({}));
    stage.write_workflow("workflow.json", &text);
    let service = stage.service().await;
    let team = json!({ "name": other, "display_name": other, "type": "O" });
    let team = stage.admin("POST", "/teams", Some(team)).await["id"].as_str().unwrap().to_owned();
    let path = format!("/teams/{team}/channels/name/town-square");
    let town = stage.get(&path).await["id"].as_str().unwrap().to_owned();
    stage.proxy.fail_next("GET", &format!("/api/v4/teams/{team}"), 500, 2);
    let members = format!("/teams/{team}/members");
    stage.admin("POST", &members, Some(json!({ "team_id": team, "user_id": stage.bot_id }))).await;
    let post = json!({ "channel_id": town, "message": "#disk" });
    stage.admin("POST", "/posts", Some(post)).await;
    stage
        .eventually("the room", async || {
            let room = stage.get(&format!("/teams/{team}/channels/name/disk-1")).await;
            room["team_id"].is_string().then_some(())
        })
        .await;
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn links_lead_where_the_server_says_that_browsers_find_it() {
    let step = json!([{
        "name": "disk",
        "triggers": [{"name": "Alert", "type": "text", "match": "#disk"}],
        "steps": [{"name": "Look", "start_actions": [
            {"name": "Say", "type": "post", "channel_name": "town-square", "message": "Look at {{.Trigger.Alert.Permalink}}"},
        ]}],
    }]);
    let stage = Stage::with_workflow(&step.to_string()).await;
    let site_url = stage.get("/config/client?format=old").await["SiteURL"].as_str().unwrap().to_owned();
    // The service itself reaches the server by another address.
    assert_ne!(site_url, stage.proxy.url());
    let service = stage.service().await;
    let post = stage.say("sam", "town-square", "#disk").await;
    let base = if site_url.is_empty() { stage.proxy.url() } else { &site_url };
    let link = format!("Look at {base}/{}/pl/{}", stage.team, post["id"].as_str().unwrap());
    let town = stage.channel_id("town-square").await;
    stage.post(&town, &link, 1).await;
    service.stop().await;
}
