//! People come into a room together.

use crate::stage::{Stage, drill};
use serde_json::json;

#[tokio::test(flavor = "multi_thread")]
async fn members_are_added_at_the_same_time() {
    let room = "room-{{.Instance.Number}}";
    let actions = json!([
        {"name": "Room", "type": "create_channel", "channel_name": room},
        {"name": "People", "type": "add_users_channel", "channel_name": room, "users": ["jon", "chris", "alex", "sam"]},
        {"name": "Told", "type": "post", "channel_name": room, "message": "{{.Action.People.Added}}"},
    ]);
    let stage = Stage::with_workflow(&drill(&actions)).await;
    let service = stage.service().await;
    let mut additions = stage.proxy.hold_next("POST", "/api/v4/channels/", 4);
    stage.say("jon", "town-square", "#drill").await;
    // None of them is answered before all were sent, so none waited for another.
    additions.reached(4).await;
    drop(additions);
    let room = stage.channel_id("room-1").await;
    stage.post(&room, "jon,chris,alex,sam", 1).await;
    assert_eq!(stage.members(&room).await.len(), 5, "they and the bot");
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_bot_joins_a_public_channel_to_bring_people_there() {
    let actions = json!([
        {"name": "People", "type": "add_users_channel", "channel_name": "escalations", "users": ["jon", "chris"]},
        {"name": "Told", "type": "post", "channel_name": "town-square", "message": "added {{.Action.People.Added}}"},
    ]);
    let stage = Stage::with_workflow(&drill(&actions)).await;
    let escalations = stage.make_channel("sam", "escalations", "Escalations", "O").await;
    let service = stage.service().await;
    stage.say("jon", "town-square", "#drill").await;
    let town = stage.channel_id("town-square").await;
    stage.post(&town, "added jon,chris", 1).await;
    assert_eq!(stage.members(&escalations).await.len(), 4, "sam, the bot, and who was added");
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn groups_bring_more_people_than_the_host_adds_in_one_call() {
    let room = "room-{{.Instance.Number}}";
    let actions = json!([
        {"name": "Room", "type": "create_channel", "channel_name": room},
        {"name": "People", "type": "add_users_channel", "channel_name": room, "users": ["jon", "chris", "@everybody"]},
        {"name": "Told", "type": "post", "channel_name": room, "message": "All: {{.Action.People.Added}}"},
    ]);
    let stage = Stage::with_workflow(&drill(&actions)).await;
    let mut everybody = Vec::new();
    for n in 0..199 {
        let name = format!("person{n}");
        stage.bring(&name).await;
        everybody.push(name);
    }
    stage.write_config(&format!("[groups]\neverybody = {}\n", json!(everybody)));
    let service = stage.service().await;
    stage.say("jon", "town-square", "#drill").await;
    let room = stage.channel_id("room-1").await;
    stage.post(&room, "All: jon,chris,person0,", 1).await;
    // The bot's room has all of them; a page of members has 200.
    assert_eq!(stage.members(&room).await.len(), 200);
    service.stop().await;
}
