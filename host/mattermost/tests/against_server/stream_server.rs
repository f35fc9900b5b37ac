//! A WebSocket server that plays one script a connection.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::extract::ws::{Message, WebSocket, WebSocketUpgrade};
use axum::extract::{RawQuery, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use warroom_mattermost::{Client, ClientOptions, EventOptions, Token};

/// What the server does in a connection.
pub(crate) enum Step {
    Say(Value),
    SayText(String),
    SayBytes(Vec<u8>),
    /// Waits until the client has pinged.
    AwaitPing,
    /// Keeps the connection and answers pings.
    Stay,
    /// Keeps the connection and neither reads nor writes.
    PlayDead,
}

/// How a connection begins.
pub(crate) enum Script {
    /// After these steps the connection is cut, unless the last one stays.
    Play(Vec<Step>),
    /// The handshake is answered with a status.
    Reject(StatusCode),
}

pub(crate) struct StreamServer {
    pub(crate) client: Client,
    /// The query and the authorization of each handshake.
    pub(crate) handshakes: mpsc::UnboundedReceiver<(String, String)>,
}

struct Shared {
    scripts: Mutex<VecDeque<Script>>,
    handshakes: mpsc::UnboundedSender<(String, String)>,
    /// None: the call is never answered.
    me_status: Option<StatusCode>,
}

impl StreamServer {
    pub(crate) async fn start(scripts: Vec<Script>) -> Self {
        let options = |url: &str| ClientOptions::new(url, Token::new("BOT_TOKEN"));
        Self::start_with(scripts, StatusCode::OK, options).await
    }

    /// With the status that a call of the bot gets, or none when it is never answered, and the options of the client for the server's address.
    pub(crate) async fn start_with(
        scripts: Vec<Script>,
        me_status: impl Into<Option<StatusCode>>,
        options: impl FnOnce(&str) -> ClientOptions,
    ) -> Self {
        let (sender, handshakes) = mpsc::unbounded_channel();
        let (scripts, me_status) = (Mutex::new(scripts.into()), me_status.into());
        let shared = Arc::new(Shared { scripts, handshakes: sender, me_status });
        let router = Router::new()
            .route("/api/v4/websocket", get(handshake))
            .route("/api/v4/users/me", get(me))
            .with_state(shared);
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        tokio::spawn(async move { axum::serve(listener, router).await });
        let client = Client::new(options(&url)).unwrap();
        Self { client, handshakes }
    }
}

/// Options that lose no time.
pub(crate) fn fast() -> EventOptions {
    EventOptions {
        backoff_min: Duration::from_millis(1),
        backoff_max: Duration::from_millis(5),
        ..EventOptions::default()
    }
}

async fn me(State(shared): State<Arc<Shared>>) -> Response {
    match shared.me_status {
        Some(status) => (status, json!({"id": "bot"}).to_string()).into_response(),
        None => std::future::pending().await,
    }
}

async fn handshake(
    State(shared): State<Arc<Shared>>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
    upgrade: WebSocketUpgrade,
) -> Response {
    let authorization = headers["authorization"].to_str().unwrap().to_owned();
    shared.handshakes.send((query.unwrap_or_default(), authorization)).unwrap();
    // A test that is over in all but its connections reconnects once more than it has scripts.
    let script = shared.scripts.lock().unwrap().pop_front();
    match script.unwrap_or(Script::Reject(StatusCode::SERVICE_UNAVAILABLE)) {
        Script::Play(steps) => upgrade.on_upgrade(|socket| play(socket, steps)),
        Script::Reject(status) => status.into_response(),
    }
}

async fn play(mut socket: WebSocket, steps: Vec<Step>) {
    for step in steps {
        let sent = match step {
            Step::Say(value) => socket.send(Message::Text(value.to_string().into())).await,
            Step::SayText(text) => socket.send(Message::Text(text.into())).await,
            Step::SayBytes(bytes) => socket.send(Message::Binary(bytes.into())).await,
            Step::AwaitPing => {
                while let Some(Ok(message)) = socket.recv().await {
                    if matches!(message, Message::Ping(_)) {
                        break;
                    }
                }
                Ok(())
            }
            Step::Stay => {
                while let Some(Ok(_)) = socket.recv().await {}
                return;
            }
            Step::PlayDead => std::future::pending().await,
        };
        if sent.is_err() {
            return;
        }
    }
}

pub(crate) fn hello(connection_id: &str) -> Step {
    Step::Say(json!({"event": "hello", "seq": 0, "data": {"connection_id": connection_id}, "broadcast": {}}))
}

pub(crate) fn other(seq: u64) -> Step {
    Step::Say(json!({"event": "status_change", "seq": seq, "data": {}, "broadcast": {}}))
}

pub(crate) fn posted(seq: u64, id: &str) -> Step {
    let post = json!({"id": id, "channel_id": "c", "message": format!("text of {id}")}).to_string();
    Step::Say(
        json!({"event": "posted", "seq": seq, "data": {"post": post}, "broadcast": {"channel_id": "c"}}),
    )
}
