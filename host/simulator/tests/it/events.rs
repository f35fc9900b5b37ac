//! The event stream: who hears what, and how a broken stream goes on.

use serde_json::{Value, json};

use crate::support::{Listener, Setup, id_of, says};

fn connection_id(hello: &Value) -> String {
    hello["data"]["connection_id"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn a_broken_stream_is_resumed_with_what_was_missed() {
    let setup = Setup::start().await;
    let (bot, jon) = (setup.simulator.bot_token(), setup.simulator.token_of("jon").unwrap());
    let square = setup.channel_id("town-square").await;
    let mut listener = Listener::connect(&setup, bot, "").await;
    let hello = listener.frame().await.unwrap();
    setup.post(jon, &square, "one").await;
    let seen = listener.until(|frame| says(frame, "one")).await;
    let next = seen.last().unwrap()["seq"].as_u64().unwrap() + 1;

    setup.simulator.drop_websockets();
    listener.ends().await;
    for number in 0..3 {
        setup.post(jon, &square, &format!("missed {number}")).await;
    }
    let query = format!("?connection_id={}&sequence_number={next}", connection_id(&hello));
    let mut again = Listener::connect(&setup, bot, &query).await;
    let missed = again.until(|frame| says(frame, "missed 2")).await;
    assert_eq!(missed[0]["seq"], next, "it goes on where it was");
    assert!(missed.iter().all(|frame| frame["event"] != "hello"));
    assert_eq!(missed.iter().filter(|frame| frame["event"] == "posted").count(), 3);
}

#[tokio::test]
async fn what_cannot_be_resumed_begins_anew() {
    let setup = Setup::start().await;
    let (bot, jon) = (setup.simulator.bot_token(), setup.simulator.token_of("jon").unwrap());
    let square = setup.channel_id("town-square").await;
    let mut listener = Listener::connect(&setup, bot, "").await;
    let hello = listener.frame().await.unwrap();
    setup.simulator.drop_websockets();
    listener.ends().await;
    for number in 0..130 {
        setup.post(jon, &square, &format!("missed {number}")).await;
    }
    for (token, id) in [
        (bot, connection_id(&hello)),
        (bot, "aaaaaaaaaaaaaaaaaaaaaaaaaa".to_owned()),
        (jon, connection_id(&hello)),
    ] {
        let query = format!("?connection_id={id}&sequence_number=1");
        let first = Listener::connect(&setup, token, &query).await.frame().await.unwrap();
        assert_eq!(first["event"], "hello");
        assert_ne!(connection_id(&first), id);
    }
}

#[tokio::test]
async fn a_stream_opened_by_challenge_cannot_be_resumed() {
    let setup = Setup::start().await;
    let bot = setup.simulator.bot_token();
    let mut listener = Listener::connect(&setup, "", "").await;
    listener.say(json!({"seq": 1, "action": "ping"})).await;
    assert_eq!(listener.frame().await.unwrap()["status"], "FAIL");
    listener.say(json!({"seq": 2, "action": "authentication_challenge", "data": {"token": bot}})).await;
    let frames = listener.until(|frame| frame["event"] == "status_change").await;
    assert_eq!(frames.len(), 3);
    assert_eq!(frames[0]["event"], "hello");
    assert_eq!((&frames[1]["status"], &frames[1]["seq_reply"]), (&json!("OK"), &json!(2)));
    let id = connection_id(&frames[0]);
    setup.simulator.drop_websockets();
    listener.ends().await;
    let query = format!("?connection_id={id}&sequence_number=1");
    let first = Listener::connect(&setup, bot, &query).await.frame().await.unwrap();
    assert_ne!(connection_id(&first), id);
}

#[tokio::test]
async fn only_members_hear_a_channel() {
    let setup = Setup::start().await;
    let (bot, jon) = (setup.simulator.bot_token(), setup.simulator.token_of("jon").unwrap());
    let square = setup.channel_id("town-square").await;
    let new =
        json!({"team_id": setup.simulator.team_id(), "name": "room-1", "display_name": "Room", "type": "O"});
    let room = id_of(&setup.must("POST", "/channels", bot, new).await);
    let mut listener = Listener::connect(&setup, jon, "").await;
    setup.post(bot, &room, "before").await;
    let user_id = setup.user_id("jon").await;
    setup.must("POST", &format!("/channels/{room}/members"), bot, json!({"user_id": user_id})).await;
    setup.post(bot, &room, "with jon").await;
    setup.must("DELETE", &format!("/channels/{room}/members/{user_id}"), bot, Value::Null).await;
    setup.post(bot, &room, "after").await;
    setup.post(bot, &square, "the end").await;
    let frames = listener.until(|frame| says(frame, "the end")).await;
    let heard = |message| frames.iter().any(|frame| says(frame, message));
    assert!(!heard("before") && heard("with jon") && !heard("after"));
    for event in ["user_added", "user_removed"] {
        assert!(frames.iter().any(|frame| frame["event"] == event), "{event}");
    }
}

#[tokio::test]
async fn an_ephemeral_reply_reaches_only_who_clicked() {
    let setup = Setup::start().await;
    let integration = crate::support::Integration::start().await;
    integration.reply_with(200, r#"{"ephemeral_text": "only you"}"#);
    let (bot, jon) = (setup.simulator.bot_token(), setup.simulator.token_of("jon").unwrap());
    let square = setup.channel_id("town-square").await;
    let control = json!({"id": "A", "name": "A", "type": "button", "integration": {"url": integration.url}});
    let post =
        json!({"channel_id": square, "message": "m", "props": {"attachments": [{"actions": [control]}]}});
    let post = id_of(&setup.must("POST", "/posts", bot, post).await);
    let mut clicker = Listener::connect(&setup, jon, "").await;
    let mut other = Listener::connect(&setup, setup.simulator.token_of("chris").unwrap(), "").await;
    setup.must("POST", &format!("/posts/{post}/actions/A"), jon, json!({})).await;
    setup.post(bot, &square, "the end").await;
    let heard = clicker.until(|frame| says(frame, "the end")).await;
    assert!(heard.iter().any(|frame| frame["event"] == "ephemeral_message" && says(frame, "only you")));
    let heard = other.until(|frame| says(frame, "the end")).await;
    assert!(heard.iter().all(|frame| !says(frame, "only you")));
}
