//! The REST calls, in the order in which they were recorded, and the events that they cause.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::forms::event_form;
use super::player::{ADMIN, ALERTS, BOT, Player};
use super::recordings::{EVENTS_LEFT_OUT, Replayed, recording};
use crate::support::{Integration, Listener, id_of, says};

pub(crate) async fn replay() -> Replayed {
    let mut player = Player::start().await;
    let (teams, channels) = (recording("teams"), recording("channels"));
    player.replay_all("system", &recording("system")).await;
    player.replay_all("bots", &recording("bots")).await;
    player.replay("teams", &teams[0]).await;
    player.replay("channels", &channels[0]).await;
    player.replay_all("teams", &teams[1..]).await;
    let mut listener = Listener::connect(&player.setup, &player.tokens["bot"].clone(), "").await;
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
    let integration = Integration::start().await;
    for click in &actions[2..] {
        player.click(click, &actions[0]["request"]["body"], &integration).await;
    }
    player.replay_all("webhooks", &recording("webhooks")).await;
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
    player.setup.must("DELETE", &format!("/posts/{}", id_of(&post)), jon, Value::Null).await;
}

/// Every event that the bot got has a form that the recorded bot got for this kind of event; and every form that
/// was recorded came, but those that are left out.
async fn check_events(listener: &mut Listener, player: &mut Player) {
    let square = player.setup.channel_id("town-square").await;
    player.setup.post(&player.tokens["jon"], &square, "the end").await;
    let frames = listener.until(|frame| says(frame, "the end")).await;
    let recording = recording("websocket_events");
    let recorded = recording[0]["events"].as_array().unwrap();
    let known: BTreeSet<String> = recorded.iter().map(event_form).collect();
    for (index, frame) in frames.iter().enumerate() {
        assert_eq!(frame["seq"], json!(index), "no number is left out");
        assert!(known.contains(&event_form(frame)), "not recorded: {frame:#}");
    }
    let came: BTreeSet<String> = frames.iter().map(event_form).collect();
    let mut missing: BTreeSet<&String> = known.difference(&came).collect();
    for (name, holds, reason) in EVENTS_LEFT_OUT {
        let before = missing.len();
        missing.retain(|form| !(form.starts_with(&format!("{name} ")) && form.contains(holds)));
        assert_ne!(
            missing.len(),
            before,
            "{name} {holds} is left out ({reason}), but came or is not recorded"
        );
    }
    assert!(missing.is_empty(), "recorded, but did not come: {missing:#?}");
    let name = recording[0]["name"].as_str().unwrap();
    player.replayed.insert(("websocket_events".to_owned(), name.to_owned()));
}
