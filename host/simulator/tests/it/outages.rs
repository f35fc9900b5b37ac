//! Outages on order: a token refused, streams forgotten, a port that is closed, answers that are late, a rate that is
//! limited.

use std::io::ErrorKind;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::net::TcpStream;

use crate::support::{Listener, Setup, id_of, says};

const HOUR: Duration = Duration::from_secs(60 * 60);

fn connection_id(hello: &Value) -> String {
    hello["data"]["connection_id"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn a_refused_token_is_a_stranger_until_it_is_restored() {
    let setup = Setup::start().await;
    let (bot, jon) = (setup.simulator.bot_token(), setup.simulator.token_of("jon").unwrap());
    let mut refused = Listener::connect(&setup, bot, "").await;
    refused.frame().await.unwrap();
    let mut other = Listener::connect(&setup, jon, "").await;
    other.until(|frame| frame["event"] == "status_change").await;
    assert!(setup.simulator.revoke_token(bot));
    let square = setup.channel_id("town-square").await;
    setup.post(jon, &square, "unheard").await;
    let me = setup.call("GET", "/api/v4/users/me", bot, &Value::Null).await;
    assert_eq!((me.status, &me.body["id"]), (401, &json!("api.context.session_expired.app_error")));
    setup.must("GET", "/users/me", jon, Value::Null).await;
    assert_eq!(setup.simulator.websocket_count(), 2, "its stream stays open, and is mute");

    assert!(setup.simulator.restore_token(bot));
    setup.must("GET", "/users/me", bot, Value::Null).await;
    setup.post(jon, &square, "heard").await;
    let frames = refused.until(|frame| says(frame, "heard")).await;
    assert!(!frames.iter().any(|frame| says(frame, "unheard")));
    assert!(!setup.simulator.revoke_token("unknown") && !setup.simulator.restore_token("unknown"));
}

#[tokio::test]
async fn forgotten_streams_begin_anew_with_nothing_of_what_was_missed() {
    let setup = Setup::start().await;
    let (bot, jon) = (setup.simulator.bot_token(), setup.simulator.token_of("jon").unwrap());
    let square = setup.channel_id("town-square").await;
    let mut listener = Listener::connect(&setup, bot, "").await;
    let hello = listener.frame().await.unwrap();
    setup.simulator.forget_websockets();
    listener.ends().await;
    setup.post(jon, &square, "missed").await;
    let query = format!("?connection_id={}&sequence_number=1", connection_id(&hello));
    let mut again = Listener::connect(&setup, bot, &query).await;
    let first = again.frame().await.unwrap();
    assert_eq!((&first["event"], &first["seq"]), (&json!("hello"), &json!(0)));
    assert_ne!(connection_id(&first), connection_id(&hello));
    setup.post(jon, &square, "heard").await;
    let frames = again.until(|frame| says(frame, "heard")).await;
    assert!(!frames.iter().any(|frame| says(frame, "missed")));
}

#[tokio::test]
async fn a_simulator_that_is_away_refuses_connections_and_comes_back_with_its_world() {
    let setup = Setup::start().await;
    let (bot, jon) = (setup.simulator.bot_token(), setup.simulator.token_of("jon").unwrap());
    let square = setup.channel_id("town-square").await;
    let post = id_of(&setup.post(bot, &square, "before").await);
    let mut listener = Listener::connect(&setup, bot, "").await;
    let hello = listener.frame().await.unwrap();
    let seen = listener.until(|frame| frame["event"] == "status_change").await;
    let next = seen.last().unwrap()["seq"].as_u64().unwrap() + 1;
    for _ in 0..2 {
        setup.simulator.go_away();
        listener.ends().await;
        let refused = TcpStream::connect(setup.simulator.address()).await.unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::ConnectionRefused);
        // The connection that the client kept open is cut, too.
        assert!(setup.try_call("GET", "/api/v4/system/ping", "", &Value::Null).await.is_err());
        setup.simulator.go_away();
        setup.simulator.come_back().await.unwrap();
        setup.simulator.come_back().await.unwrap();
        assert_eq!(setup.must("GET", &format!("/posts/{post}"), bot, Value::Null).await["message"], "before");
    }
    setup.post(jon, &square, "after").await;
    let query = format!("?connection_id={}&sequence_number={next}", connection_id(&hello));
    let mut again = Listener::connect(&setup, bot, &query).await;
    let frames = again.until(|frame| says(frame, "after")).await;
    assert_eq!(frames[0]["seq"], next, "the stream goes on");
}

#[tokio::test]
async fn a_simulator_can_be_stopped_while_it_is_away() {
    let setup = Setup::start().await;
    setup.simulator.go_away();
    let Setup { simulator, client } = setup;
    let url = simulator.url().to_owned();
    simulator.stop().await;
    assert!(client.get(url).send().await.unwrap_err().is_connect());
}

#[tokio::test]
async fn a_late_answer_is_late_though_all_is_done_and_comes_at_the_end() {
    let setup = Setup::start().await;
    let bot = setup.simulator.bot_token().to_owned();
    let square = setup.channel_id("town-square").await;
    let mut listener = Listener::connect(&setup, &bot, "").await;
    setup.simulator.delay_next("POST", "/api/v4/posts", HOUR, 1);
    let url = format!("{}/api/v4/posts", setup.simulator.url());
    let new = json!({"channel_id": square, "message": "slow"}).to_string();
    let slow = tokio::spawn(setup.client.post(url).bearer_auth(&bot).body(new).send());
    listener.until(|frame| says(frame, "slow")).await;
    setup.post(&bot, &square, "quick").await;
    assert!(!slow.is_finished(), "it was done, but is not answered");
    setup.simulator.stop().await;
    assert_eq!(slow.await.unwrap().unwrap().status(), 201);
}

#[tokio::test]
async fn an_answer_that_is_a_little_late_comes_by_itself() {
    let setup = Setup::start().await;
    setup.simulator.delay_next("*", "/api/v4/system", Duration::from_millis(1), 1);
    setup.must("GET", "/system/ping", "", Value::Null).await;
}

#[tokio::test]
async fn a_rate_is_limited_for_each_user_until_the_limit_is_lifted() {
    let setup = Setup::start().await;
    let (bot, jon) = (setup.simulator.bot_token(), setup.simulator.token_of("jon").unwrap());
    setup.simulator.limit_rate(0, 1);
    let me = async |token| setup.call("GET", "/api/v4/users/me", token, &Value::Null).await;
    assert_eq!((me(bot).await.status, me(bot).await.status), (200, 200));
    assert_eq!(me(bot).await.status, 429);
    assert_eq!(me(jon).await.status, 200);
    let stranger = setup.call("GET", "/api/v4/system/ping", "", &Value::Null).await;
    assert_eq!(stranger.headers["x-ratelimit-remaining"], "1", "one number for strangers");
    setup.simulator.lift_rate_limit();
    let free = me(bot).await;
    assert_eq!((free.status, free.headers.get("x-ratelimit-limit")), (200, None));
}
