//! People come into a room together.

use crate::stage::{Stage, controls, drill, unique};
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
async fn people_are_looked_up_while_their_room_is_made() {
    let room = "room-{{.Instance.Number}}";
    let actions = json!([
        {"name": "Room", "type": "create_channel", "channel_name": room},
        {"name": "People", "type": "add_users_channel", "channel_name": room, "users": "@jon, @oncall"},
        {"name": "Told", "type": "post", "channel_name": room, "message": "{{.Action.People.Added}}"},
    ]);
    let stage = Stage::with_workflow(&drill(&actions)).await;
    stage.write_config("[groups]\noncall = [\"chris\", \"sam\"]\n");
    let service = stage.service().await;
    stage.proxy.forget_requests();
    let mut making = stage.proxy.hold_next("POST", "/api/v4/channels", 1);
    let mut lookup = stage.proxy.hold_next("POST", "/api/v4/users/usernames", 1);
    stage.say("jon", "town-square", "#drill").await;
    making.reached(1).await;
    lookup.reached(1).await;
    assert_eq!(stage.proxy.arrivals("POST", "/api/v4/channels").len(), 1, "the room is still being made");
    drop((making, lookup));
    let room = stage.channel_id("room-1").await;
    stage.post(&room, "jon,chris,sam", 1).await;
    assert_eq!(stage.proxy.arrivals("POST", "/api/v4/users/usernames").len(), 1, "they are looked up once");
    service.stop().await;
}

/// People are to be brought into a public channel that the bot is not in; gives its id.
async fn people_are_to_come() -> (Stage, String) {
    let actions = json!([
        {"name": "People", "type": "add_users_channel", "channel_name": "escalations", "users": ["jon", "chris"]},
        {"name": "Told", "type": "post", "channel_name": "town-square", "message": "added {{.Action.People.Added}}"},
    ]);
    let stage = Stage::with_workflow(&drill(&actions)).await;
    let escalations = stage.make_channel("sam", "escalations", "Escalations", "O").await;
    (stage, escalations)
}

#[tokio::test(flavor = "multi_thread")]
async fn the_bot_joins_a_public_channel_to_bring_people_there() {
    let (stage, escalations) = people_are_to_come().await;
    let service = stage.service().await;
    stage.say("jon", "town-square", "#drill").await;
    let town = stage.channel_id("town-square").await;
    stage.post(&town, "added jon,chris", 1).await;
    assert_eq!(stage.members(&escalations).await.len(), 4, "sam, the bot, and who was added");
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bot_that_cannot_join_yet_brings_everybody_later() {
    let (stage, escalations) = people_are_to_come().await;
    // Servers fail so where the same member is written twice at once.
    let path = format!("/api/v4/channels/{escalations}/members");
    stage.proxy.refuse_with("POST", &path, &stage.bot_id, 500, "app.channel.save_member.app_error");
    let service = stage.service().await;
    stage.say("jon", "town-square", "#drill").await;
    let town = stage.channel_id("town-square").await;
    stage.post(&town, "added jon,chris", 1).await;
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

/// Waits until usernames were looked up that are as the server has them now: the second look-up begins when the first is dealt with.
async fn usernames_are_fresh(stage: &Stage) {
    for _ in 0..2 {
        stage.proxy.hold_next("POST", "/api/v4/users/ids", 1).reached(1).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_group_goes_with_people_who_are_renamed() {
    let room = "room-{{.Instance.Number}}";
    let actions = json!([
        {"name": "Room", "type": "create_channel", "channel_name": room},
        {"name": "People", "type": "add_users_channel", "channel_name": room, "users": ["@oncall"]},
        {"name": "Told", "type": "post", "channel_name": room, "message": "Look, @oncall"},
    ]);
    let stage = Stage::with_workflow(&drill(&actions)).await;
    let (before, after) = (unique("before"), unique("after"));
    let person = stage.bring(&before).await;
    stage.write_config(&format!("[groups]\noncall = [\"jon\", \"{person}\"]\n"));
    // The server is out when the service first asks.
    stage.proxy.fail_next("POST", "/api/v4/users/ids", 503, 1);
    let service = stage.service_with(&[("WARROOM_LIMITS_ROOMS_CHECK_MS", "1000")]).await;
    for (number, name) in [(1, before), (2, after)] {
        let renamed = json!({ "username": name });
        let renamed = stage.admin("PUT", &format!("/users/{person}/patch"), Some(renamed)).await;
        assert_eq!(renamed["username"], name, "{renamed}");
        usernames_are_fresh(&stage).await;
        stage.say("jon", "town-square", "#drill").await;
        let room = stage.channel_id(&format!("room-{number}")).await;
        stage.post(&room, &format!("Look, @oncall (@jon, @{name})"), 1).await;
        assert!(stage.members(&room).await.contains(&person));
    }
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_calls_himself_by_the_id_of_somebody_is_somebody_else() {
    let actions = json!([
        {"name": "Room", "type": "create_channel", "channel_name": "room-{{.Instance.Number}}"},
        {"name": "People", "type": "add_users_channel", "channel_name": "room-{{.Instance.Number}}", "users": ["@oncall", "sam"]},
        {"name": "Ask", "type": "post", "channel_name": "room-{{.Instance.Number}}", "message": "Well?",
         "transitions": [{"label": "Done", "to": "End", "allowed": ["@oncall"]}]},
    ]);
    let stage = Stage::with_workflow(&drill(&actions)).await;
    // A simulator's people are the test's own: nobody misses sam's name.
    if stage.simulator().is_none() {
        return;
    }
    let chris = stage.person_id("chris").await;
    let sam = stage.person_id("sam").await;
    stage.write_config(&format!("[groups]\noncall = [\"{chris}\"]\n"));
    let service = stage.service().await;
    stage.say("jon", "town-square", "#drill").await;
    let room = stage.channel_id("room-1").await;
    let ask = stage.post(&room, "Well?", 1).await;
    let renamed = json!({ "username": chris });
    stage.admin("PUT", &format!("/users/{sam}/patch"), Some(renamed)).await;
    assert_eq!(stage.press("sam", &ask, "Done", None).await, 200, "refused in words");
    assert_eq!(controls(&stage.fresh(&ask).await).len(), 1);
    stage.say("jon", "town-square", "#drill").await;
    let second = stage.channel_id("room-2").await;
    stage.post(&second, "Well?", 1).await;
    let members = stage.members(&second).await;
    assert!(members.contains(&chris) && !members.contains(&sam), "{members:?}");
    assert_eq!(stage.press("chris", &ask, "Done", None).await, 200);
    stage
        .eventually("the end of the first", async || {
            controls(&stage.fresh(&ask).await).is_empty().then_some(())
        })
        .await;
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_has_the_name_of_a_group_is_not_that_group() {
    let stage = Stage::with_workflow("[]").await;
    let (chris, sam) = (stage.person_id("chris").await, stage.person_id("sam").await);
    let room = "room-{{.Instance.Number}}";
    let actions = json!([
        {"name": "Room", "type": "create_channel", "channel_name": room},
        {"name": "People", "type": "add_users_channel", "channel_name": room, "users": ["@sam"]},
        {"name": "Ask", "type": "post", "channel_name": room, "message": "Well?",
         "transitions": [{"label": "Done", "to": "End", "allowed": ["@sam"]}]},
    ]);
    stage.write_workflow("drill.json", &drill(&actions));
    stage.write_config("[groups]\nsam = [\"chris\"]\n");
    let service = stage.service().await;
    stage.say("jon", "town-square", "#drill").await;
    let room = stage.channel_id("room-1").await;
    let ask = stage.post(&room, "Well?", 1).await;
    let members = stage.members(&room).await;
    assert!(members.contains(&chris) && !members.contains(&sam), "{members:?}");
    let member = json!({ "user_id": sam });
    stage.admin("POST", &format!("/channels/{room}/members"), Some(member)).await;
    assert_eq!(stage.press("sam", &ask, "Done", None).await, 200, "refused in words");
    assert_eq!(controls(&stage.fresh(&ask).await).len(), 1);
    assert_eq!(stage.press("chris", &ask, "Done", None).await, 200);
    stage.eventually("the end", async || controls(&stage.fresh(&ask).await).is_empty().then_some(())).await;
    service.stop().await;
}
