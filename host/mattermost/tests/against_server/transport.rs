//! Transports that break: what the caller learns of it.

use std::time::Duration;

use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use warroom_mattermost::{
    ApiErrorKind, Client, ClientOptions, EventOptions, EventStream, NewPost, StreamEvent, Token,
};

use crate::recordings::Replay;

fn options(listener: &TcpListener) -> ClientOptions {
    ClientOptions::new(&format!("http://{}", listener.local_addr().unwrap()), Token::new("s3cret-token"))
}

async fn listen() -> TcpListener {
    TcpListener::bind("127.0.0.1:0").await.unwrap()
}

/// Reads until the blank line that ends a request's head.
async fn read_head(socket: &mut TcpStream) {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(socket.read_u8().await.unwrap());
    }
}

/// Answers one request with these bytes, then hangs up.
async fn answer_once(listener: TcpListener, answer: Vec<u8>) {
    let (mut socket, _) = listener.accept().await.unwrap();
    read_head(&mut socket).await;
    socket.write_all(&answer).await.unwrap();
    socket.shutdown().await.unwrap();
}

async fn error_of(options: ClientOptions) -> warroom_mattermost::ApiError {
    Client::new(options).unwrap().me().await.unwrap_err()
}

#[tokio::test]
async fn nobody_listens() {
    let listener = listen().await;
    let options = options(&listener);
    drop(listener);
    let error = error_of(options).await;
    assert!(matches!(error.kind, ApiErrorKind::Unreachable(_)), "{error}");
    assert!(error.is_temporary() && !error.may_have_been_executed());
    assert!(
        error.to_string().starts_with("cannot look up whose the token is: the server cannot be reached"),
        "{error}"
    );
}

#[tokio::test]
async fn the_connection_is_cut_after_sending() {
    let listener = listen().await;
    let options = options(&listener);
    tokio::spawn(answer_once(listener, Vec::new()));
    let error = error_of(options).await;
    assert!(matches!(error.kind, ApiErrorKind::Interrupted(_)), "{error}");
    assert!(error.is_temporary() && error.may_have_been_executed());
}

#[tokio::test]
async fn the_connection_is_cut_within_the_answer() {
    let listener = listen().await;
    let options = options(&listener);
    tokio::spawn(answer_once(listener, b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{\"id\"".to_vec()));
    let error = error_of(options).await;
    assert!(matches!(error.kind, ApiErrorKind::Interrupted(_)), "{error}");
}

#[tokio::test]
async fn the_answer_does_not_come_in_time() {
    let listener = listen().await;
    let options = ClientOptions { timeout: Duration::from_millis(100), ..options(&listener) };
    // The kernel makes the connection; nobody ever reads from it.
    let error = error_of(options).await;
    assert!(matches!(error.kind, ApiErrorKind::Interrupted(_)), "{error}");
    assert!(error.may_have_been_executed());
    drop(listener);
}

#[tokio::test]
async fn the_answer_has_a_bound() {
    let body = format!("[{{\"id\": \"{}\"}}]", "x".repeat(1000));
    let (enough, little) = (body.len(), body.len() - 1);
    for (is_listing, answer_bytes_max, listing_bytes_max, fits) in [
        (false, enough, little, true),
        (false, little, enough, false),
        (true, little, enough, true),
        (true, enough, little, false),
    ] {
        let listener = listen().await;
        let options = ClientOptions { answer_bytes_max, listing_bytes_max, ..options(&listener) };
        // Without a length, so that only reading tells how long it is.
        tokio::spawn(answer_once(
            listener,
            format!("HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n{body}").into_bytes(),
        ));
        let client = Client::new(options).unwrap();
        let result = if is_listing {
            client.channels_of_me("t").await.map(|_| ())
        } else {
            client.public_channels("t", 0, 200).await.map(|_| ())
        };
        assert_eq!(result.is_ok(), fits);
        if let Err(error) = result {
            assert_eq!(error.kind, ApiErrorKind::TooLong(little));
        }
    }
}

#[tokio::test]
async fn the_answer_is_garbage() {
    let replay = Replay::start().await;
    replay.set(&json!({"status": 200, "headers": {}, "body": "<html>welcome"}));
    let error = replay.client().me().await.unwrap_err();
    assert!(matches!(&error.kind, ApiErrorKind::Unexpected(text) if text.contains("<html>")), "{error}");
    assert!(!error.is_temporary() && error.may_have_been_executed());
}

#[tokio::test]
async fn the_server_fails() {
    let replay = Replay::start().await;
    let body = json!({"id": "api.post.deduplicate_create_post.pending", "message": "m", "status_code": 500});
    replay.set(&json!({"status": 500, "headers": {}, "body": body}));
    let error = replay.client().create_post(&NewPost::to("c1")).await.unwrap_err();
    assert_eq!(error.id(), "api.post.deduplicate_create_post.pending");
    assert!(error.is_temporary() && error.may_have_been_executed());

    replay.set(&json!({"status": 502, "headers": {}, "body": "<html>Bad Gateway"}));
    let error = replay.client().me().await.unwrap_err();
    assert_eq!((error.status(), error.id()), (Some(502), ""));
    assert!(error.is_temporary() && error.to_string().contains("Bad Gateway"), "{error}");
    assert_eq!(error.retry_after(), None);

    replay.set(&json!({"status": 503, "headers": {"Retry-After": "7"}, "body": "<html>Maintenance"}));
    let error = replay.client().me().await.unwrap_err();
    assert_eq!(error.retry_after(), Some(Duration::from_secs(7)), "{error}");
}

#[tokio::test]
async fn a_redirect_is_not_followed() {
    let replay = Replay::start().await;
    replay.set(&json!({"status": 301, "headers": {"location": "https://elsewhere/"}, "body": ""}));
    let error = replay.client().me().await.unwrap_err();
    assert!(error.to_string().contains("https://elsewhere/: configure"), "{error}");
}

#[tokio::test]
async fn a_server_that_speaks_no_tls_is_unreachable() {
    let replay = listen().await;
    let url = options(&replay).url.replace("http://", "https://");
    tokio::spawn(async move {
        while let Ok((mut socket, _)) = replay.accept().await {
            drop(socket.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").await);
        }
    });
    let client = Client::new(ClientOptions::new(&url, Token::new("t"))).unwrap();
    let error = client.me().await.unwrap_err();
    assert!(matches!(error.kind, ApiErrorKind::Unreachable(_)), "{error}");
    let mut stream = EventStream::connect(&client, EventOptions::default());
    assert!(matches!(stream.next().await, Some(StreamEvent::Lost { .. })));
}

#[tokio::test]
async fn the_token_is_in_no_error() {
    let replay = Replay::start().await;
    let body = json!({"id": "odd", "message": "you sent BOT_TOKEN", "status_code": 401});
    replay.set(&json!({"status": 401, "headers": {}, "body": body}));
    let error = replay.client().me().await.unwrap_err();
    assert!(!format!("{error} {error:?}").contains("BOT_TOKEN"), "{error}");
    assert!(error.to_string().contains("make a new one"), "{error}");
}

#[tokio::test]
async fn what_is_no_id_is_not_sent() {
    let error = Replay::start().await.client().channel_by_id("..").await.unwrap_err();
    assert!(matches!(error.kind, ApiErrorKind::Invalid(_)));
    assert!(!error.is_temporary() && !error.may_have_been_executed());
}

#[tokio::test]
async fn people_are_looked_up_in_parts() {
    let replay = Replay::start().await;
    let many: Vec<String> = (0..201).map(|index| format!("user{index}")).collect();
    replay.set(&json!({"status": 200, "headers": {}, "body": [{"id": "u"}]}));
    let client = replay.client();
    assert_eq!(client.users_by_usernames(&many).await.unwrap().len(), 2);
    assert_eq!(replay.asked().body, json!(["user200"]));
    assert!(client.users_by_ids(&[]).await.unwrap().is_empty());
}

#[tokio::test]
async fn what_a_proxy_refuses_says_nothing_about_what_was_asked_for() {
    let replay = Replay::start().await;
    let client = Client::new(replay.options()).unwrap();
    for status in [400, 401, 403, 404, 410] {
        replay.set(&json!({"status": status, "headers": {}, "body": "<html>no backend</html>"}));
        let error = client.channel_by_id("c").await.unwrap_err();
        assert!(error.is_from_elsewhere() && error.is_temporary() && error.status().is_none(), "{error:?}");
        assert!(error.to_string().contains("what stands in front of it"), "{error}");
    }
    // The token was not the matter: calls go on.
    replay.set(&json!({"status": 200, "headers": {}, "body": {"id": "c"}}));
    assert_eq!(client.channel_by_id("c").await.unwrap().id, "c");
    replay.set(&json!({"status": 404, "headers": {}, "body": {"id": "app.channel.get.existing.app_error"}}));
    let error = client.channel_by_id("c").await.unwrap_err();
    assert!(!error.is_from_elsewhere() && error.status() == Some(404), "{error:?}");
}
