//! A token that the server refuses, and one that takes its place.

use std::time::Duration;

use serde_json::{Value, json};
use warroom_mattermost::{ApiErrorKind, ClientOptions, Token};

use crate::recordings::{Replay, load};

fn refusal() -> Value {
    let exchange = load("bots").into_iter().find(|exchange| exchange["name"] == "wrong token").unwrap();
    exchange["response"].clone()
}

fn welcome() -> Value {
    json!({"status": 200, "headers": {}, "body": {"id": "bot"}})
}

#[tokio::test]
async fn after_a_refusal_calls_fail_without_being_sent() {
    let replay = Replay::start().await;
    let client = replay.client();
    let refused = client.token_refused();
    assert!(!*refused.borrow());
    replay.set(&refusal());
    let error = client.me().await.unwrap_err();
    assert_eq!(error.id(), "api.context.session_expired.app_error");
    assert!(*refused.borrow());

    replay.set(&welcome());
    // Clones know it too.
    let error = client.clone().post_by_id("p").await.unwrap_err();
    assert!(!replay.was_asked());
    assert_eq!(error.kind, ApiErrorKind::TokenRefused);
    assert_eq!(error.status(), Some(401));
    assert!(!error.is_temporary() && !error.may_have_been_executed());
    assert_eq!(
        error.to_string(),
        "cannot read the post p: the server refused the bot's token before, so nothing was sent. The token is refused: make a \
         new one for the bot, and configure it; or enable the bot again, if it was disabled"
    );
}

#[tokio::test]
async fn another_token_is_used_by_all_clones() {
    let replay = Replay::start().await;
    let client = replay.client();
    let clone = client.clone();
    replay.set(&refusal());
    client.me().await.unwrap_err();

    replay.set(&welcome());
    client.replace_token(Token::new("BOT_TOKEN")).unwrap();
    clone.me().await.unwrap_err();
    assert!(client.replace_token(Token::new("two\nlines")).is_err());
    clone.me().await.unwrap_err();
    assert!(!replay.was_asked());

    client.replace_token(Token::new("SECOND")).unwrap();
    assert!(!*clone.token_refused().borrow());
    clone.me().await.unwrap();
    assert_eq!(replay.asked().authorization, "Bearer SECOND");
}

#[tokio::test]
async fn a_refused_token_is_tried_again_after_a_while() {
    let replay = Replay::start().await;
    let every = Duration::from_secs(3600);
    let client =
        warroom_mattermost::Client::new(ClientOptions { refused_probe_every: every, ..replay.options() })
            .unwrap();
    replay.set(&refusal());
    client.me().await.unwrap_err();
    for is_refused_still in [true, false] {
        replay.set(&if is_refused_still { refusal() } else { welcome() });
        client.me().await.unwrap_err();
        assert!(!replay.was_asked());
        skip(every).await;
        assert_eq!(client.me().await.is_err(), is_refused_still);
        assert!(replay.was_asked());
        assert_eq!(*client.token_refused().borrow(), is_refused_still);
    }
    client.me().await.unwrap();
}

#[tokio::test]
async fn what_needs_no_token_is_sent_and_proves_nothing() {
    let replay = Replay::start().await;
    let client = replay.client();
    replay.set(&refusal());
    client.client_config().await.unwrap_err();
    assert!(!*client.token_refused().borrow());
    client.me().await.unwrap_err();
    replay.set(&json!({"status": 200, "headers": {}, "body": {"Version": "9"}}));
    assert_eq!(client.client_config().await.unwrap().version, "9");
    assert!(*client.token_refused().borrow());
}

/// Lets the clock jump, which otherwise runs as usual, since the sockets are real.
async fn skip(time: Duration) {
    tokio::time::pause();
    tokio::time::advance(time).await;
    tokio::time::resume();
}
