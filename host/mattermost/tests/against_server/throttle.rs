//! A server that wants fewer calls gets none for a while.

use std::time::Duration;

use serde_json::json;
use warroom_mattermost::{ApiErrorKind, Client, ClientOptions};

use crate::recordings::Replay;

async fn skip(time: Duration) {
    tokio::time::pause();
    tokio::time::advance(time).await;
    tokio::time::resume();
}

#[tokio::test]
async fn a_limit_holds_all_calls_back_until_it_is_over() {
    // What the server asks for, and what is believed.
    for (asked, held) in [(1800, 1800), (3000, 2400)] {
        let replay = Replay::start().await;
        let options = ClientOptions { hold_max: Duration::from_secs(2400), ..replay.options() };
        let client = Client::new(options).unwrap();
        let limit =
            json!({"status": 429, "headers": {"retry-after": asked.to_string()}, "body": "limit exceeded"});
        replay.set(&limit);
        let error = client.me().await.unwrap_err();
        assert_eq!(error.retry_after(), Some(Duration::from_secs(asked)));

        replay.set(&json!({"status": 200, "headers": {}, "body": {"id": "bot"}}));
        let error = client.clone().me().await.unwrap_err();
        assert!(!replay.was_asked());
        assert!(matches!(error.kind, ApiErrorKind::TurnTooLate { .. }), "{error}");
        assert!(error.is_temporary() && !error.may_have_been_executed());
        let wait = error.retry_after().unwrap().as_secs();
        assert!((held - 600..=held).contains(&wait), "{wait} s of {held}");

        skip(Duration::from_secs(held)).await;
        client.me().await.unwrap();
    }
}

#[tokio::test]
async fn a_limit_without_a_time_holds_for_a_moment() {
    let replay = Replay::start().await;
    let client =
        Client::new(ClientOptions { timeout: Duration::from_secs(3600), ..replay.options() }).unwrap();
    let began = tokio::time::Instant::now();
    replay.set(&json!({"status": 429, "headers": {}, "body": "limit exceeded"}));
    assert_eq!(client.me().await.unwrap_err().retry_after(), None);
    replay.set(&json!({"status": 200, "headers": {}, "body": {"id": "bot"}}));
    client.me().await.unwrap();
    assert!(began.elapsed() >= Duration::from_secs(1));
}

#[tokio::test]
async fn the_wait_for_a_turn_is_within_the_timeout() {
    let replay = Replay::start().await;
    let client =
        Client::new(ClientOptions { timeout: Duration::from_millis(999), ..replay.options() }).unwrap();
    replay.set(&json!({"status": 429, "headers": {"retry-after": "1000"}, "body": "limit exceeded"}));
    client.me().await.unwrap_err();
    replay.set(&json!({"status": 200, "headers": {}, "body": {"id": "bot"}}));
    assert!(client.me().await.unwrap_err().retry_after() > Some(Duration::from_secs(1)));
    assert!(!replay.was_asked());
}
