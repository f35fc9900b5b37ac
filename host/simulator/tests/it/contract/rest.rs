//! The REST calls, in the order in which they were recorded, and the events that they cause.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::forms::event_form;
use super::player::{ADMIN, ALERTS, BOT, Player};
use super::recordings::{Replayed, recording};
use crate::support::{Listener, id_of, says};

pub(crate) async fn replay() -> Replayed {
    let mut player = Player::start().await;
    let (teams, channels) = (recording("teams"), recording("channels"));
    player.replay_all("system", &recording("system")).await;
    player.replay_all("bots", &recording("bots")).await;
    player.replay("teams", &teams[0]).await;
    player.replay("channels", &channels[0]).await;
    player.replay_all("teams", &teams[1..]).await;
    let mut listener = Listener::connect(&player.setup, "", "").await;
    let token = json!({"token": player.tokens["bot"]});
    listener.say(json!({"seq": 1, "action": "authentication_challenge", "data": token})).await;
    // The bot was a member of Alerts, and had a direct channel with the administrator.
    let alerts = format!("/channels/{}/members", player.ids[ALERTS]);
    let bot = player.ids[BOT].clone();
    player.setup.must("POST", &alerts, &player.tokens["admin"], json!({"user_id": bot})).await;
    let pair = json!([bot, player.ids[ADMIN]]);
    player.setup.must("POST", "/channels/direct", &player.tokens["bot"], pair).await;
    player.replay_all("channels", &channels[1..]).await;
    player.replay_all("users", &recording("users")).await;
    player.replay_all("members", &recording("members")).await;
    player.replay_all("posts", &recording("posts")).await;
    let actions = recording("actions");
    player.replay_all("actions", &actions[..2]).await;
    for click in &actions[2..] {
        player.click(click, &actions[0]["request"]["body"]).await;
    }
    player.replay_all("commands", &recording("commands")).await;
    player.replay_all("dialogs", &recording("dialogs")).await;
    player.add_jon_to_alerts().await;
    let webhooks = recording("webhooks");
    let (said, asked) = webhooks.split_last().unwrap();
    player.replay_all("webhooks", asked).await;
    player.say_outgoing(said).await;
    let files = recording("files");
    player.upload(&files[0]).await;
    player.replay_all("files", &files[1..]).await;
    chat(&player).await;
    player.replay_all("archive", &recording("archive")).await;
    check_events(&mut listener, &mut player).await;
    player.replayed
}

/// What the recording's people did outside of its exchanges.
async fn chat(player: &Player) {
    let (jon, square) = (&player.tokens["jon"], player.setup.channel_id("town-square").await);
    player.setup.post(jon, &square, "@incident-bot look").await;
    let post = player.setup.post(jon, &square, "soon gone").await;
    let me = player.setup.user_id("jon").await;
    let fire = json!({"user_id": me, "post_id": id_of(&post), "emoji_name": "fire"});
    player.setup.must("POST", "/reactions", jon, fire).await;
    player.setup.must("DELETE", &format!("/posts/{}", id_of(&post)), jon, Value::Null).await;
    player.setup.must("PUT", &format!("/users/{me}/patch"), jon, json!({"nickname": "J"})).await;
}

/// Every event that the bot got has a form that the recorded bot got for this kind of event; and every form that
/// was recorded came.
async fn check_events(listener: &mut Listener, player: &mut Player) {
    let square = player.setup.channel_id("town-square").await;
    player.setup.post(&player.tokens["jon"], &square, "the end").await;
    let frames = listener.until(|frame| says(frame, "the end")).await;
    let recording = recording("websocket_events");
    let recorded = recording[0]["events"].as_array().unwrap();
    let known: BTreeSet<String> = recorded.iter().map(event_form).collect();
    let numbers: Vec<u64> = frames.iter().filter_map(|frame| frame["seq"].as_u64()).collect();
    assert_eq!(numbers, (0..numbers.len() as u64).collect::<Vec<_>>(), "no number is left out");
    for frame in &frames {
        assert!(known.contains(&event_form(frame)), "not recorded: {frame:#}");
    }
    let came: BTreeSet<String> = frames.iter().map(event_form).collect();
    let missing: BTreeSet<&String> = known.difference(&came).collect();
    assert!(missing.is_empty(), "recorded, but did not come: {missing:#?}");
    let name = recording[0]["name"].as_str().unwrap();
    player.replayed.insert(("websocket_events".to_owned(), name.to_owned()));
}
