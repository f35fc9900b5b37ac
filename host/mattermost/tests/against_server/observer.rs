//! Whoever measures learns of every call and of the stream.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::http::StatusCode;
use serde_json::{Value, json};
use warroom_mattermost::{CallOutcome, Client, ClientOptions, EventStream, NewPost, Observer, Token};

use crate::recordings::Replay;
use crate::stream_server::{Script, Step, StreamServer, fast, hello, posted};

#[derive(Debug, Default)]
struct Notes(Mutex<Vec<String>>);

impl Notes {
    fn take(&self) -> Vec<String> {
        std::mem::take(&mut self.0.lock().unwrap())
    }

    fn note(&self, text: String) {
        self.0.lock().unwrap().push(text);
    }
}

impl Observer for Notes {
    fn called(&self, call: &'static str, outcome: CallOutcome, _duration: Duration) {
        self.note(format!("{call} {}", outcome.as_str()));
    }

    fn stream_connected(&self, resumed: bool) {
        self.note(format!("connected {resumed}"));
    }

    fn stream_lost(&self) {
        self.note("lost".into());
    }
}

fn answer(status: u16, body: Value) -> Value {
    json!({"status": status, "headers": {}, "body": body})
}

#[tokio::test]
async fn every_call_is_told_with_its_outcome() {
    let replay = Replay::start().await;
    let notes = Arc::new(Notes::default());
    let options = ClientOptions { observer: Some(Arc::clone(&notes) as _), ..replay.options() };
    let client = Client::new(options).unwrap();
    let cases = [
        (answer(200, json!({})), "ok"),
        (answer(404, json!({})), "client_error"),
        (answer(503, json!({})), "server_error"),
        (answer(200, json!("<html>")), "unexpected"),
        (answer(301, json!({})), "unexpected"),
        (answer(401, json!({"id": "api.context.session_expired.app_error"})), "refused"),
        (answer(200, json!({})), "refused"),
    ];
    for (answer, expected) in cases {
        replay.set(&answer);
        drop(client.create_post(&NewPost::to("c")).await);
        assert_eq!(notes.take(), [format!("create_post {expected}")]);
    }
    client.replace_token(Token::new("SECOND")).unwrap();
    replay.set(&answer(429, json!("limit exceeded")));
    client.users_by_ids(&["u".into()]).await.unwrap_err();
    client.channel_by_id("..").await.unwrap_err();
    assert_eq!(notes.take(), ["users_by_ids rate_limited", "channel_by_id invalid"]);
}

#[tokio::test]
async fn a_server_that_is_not_there_is_told() {
    let notes = Arc::new(Notes::default());
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let options = ClientOptions {
        observer: Some(Arc::clone(&notes) as _),
        timeout: Duration::from_millis(100),
        ..ClientOptions::new(&url, Token::new("t"))
    };
    let client = Client::new(options).unwrap();
    client.me().await.unwrap_err();
    drop(listener);
    client.me().await.unwrap_err();
    assert_eq!(notes.take(), ["me interrupted", "me unreachable"]);
}

#[tokio::test]
async fn the_streams_connections_are_told() {
    let scripts = vec![Script::Play(vec![hello("a")]), Script::Play(vec![posted(1, "p"), Step::Stay])];
    let notes = Arc::new(Notes::default());
    let observer = Arc::clone(&notes);
    let options = |url: &str| ClientOptions {
        observer: Some(observer as _),
        ..ClientOptions::new(url, Token::new("BOT_TOKEN"))
    };
    let server = StreamServer::start_with(scripts, StatusCode::OK, options).await;
    let mut stream = EventStream::connect(&server.client, fast());
    for _ in 0..4 {
        stream.next().await.unwrap();
    }
    assert_eq!(notes.take(), ["connected false", "lost", "connected true"]);
}
