//! One socket: from the handshake to its end.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::rejection::QueryRejection;
use axum::extract::ws::rejection::WebSocketUpgradeRejection;
use axum::extract::ws::{Message, Utf8Bytes, WebSocket, WebSocketUpgrade};
use axum::extract::{Query, State};
use axum::http::HeaderMap;
use axum::response::{IntoResponse, Response};
use futures_util::SinkExt as _;
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::time::{Instant, MissedTickBehavior, interval_at, timeout};

use super::event::{Audience, Event};
use super::hub::{Attached, Client};
use crate::errors::ApiError;
use crate::server::{Shared, bearer, error_response};
use crate::system::VERSION;

/// Bytes of a message from a client.
const MESSAGE_BYTES_MAX: usize = 64 << 10;
/// Bytes that are read from a socket at once. Each look at it clears as many, and clients say little.
const READ_BYTES: usize = 1 << 10;
/// How long a socket may stay without a token.
const AUTHENTICATION_TIMEOUT: Duration = Duration::from_secs(5);
/// How often the server pings.
const PING_EVERY: Duration = Duration::from_secs(60);
/// After how long a silence the server closes.
const SILENCE_MAX: Duration = Duration::from_secs(100);
/// How many frames are sent in one write.
const TOGETHER_MAX: usize = 32;
/// How long a client may take to accept what is sent in one write.
const SEND_TIMEOUT: Duration = Duration::from_secs(10);

/// What a client says when it connects.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Resume {
    connection_id: String,
    sequence_number: u64,
}

/// A message from a client.
#[derive(Debug, Deserialize)]
struct Request {
    #[serde(default)]
    seq: i64,
    #[serde(default)]
    action: String,
    #[serde(default)]
    data: Value,
}

/// `GET /api/v4/websocket`
pub(crate) async fn upgrade(
    State(shared): State<Arc<Shared>>,
    resume: Result<Query<Resume>, QueryRejection>,
    headers: HeaderMap,
    upgrade: Result<WebSocketUpgrade, WebSocketUpgradeRejection>,
) -> Response {
    let upgrade = match upgrade {
        Ok(upgrade) => upgrade,
        Err(_) => {
            let id = "api.web_socket.connect.upgrade.app_error";
            return error_response(
                &shared,
                &ApiError::invalid(id, "Failed to upgrade websocket connection."),
            );
        }
    };
    // What cannot be read cannot be resumed: the stream begins anew.
    let resume = resume.map(|Query(resume)| resume).unwrap_or_default();
    let client = bearer(&headers).and_then(|token| client_of(&shared, token));
    upgrade
        .read_buffer_size(READ_BYTES)
        .max_message_size(MESSAGE_BYTES_MAX)
        .on_upgrade(move |socket| run(socket, shared, client, resume))
        .into_response()
}

fn client_of(shared: &Shared, token: &str) -> Option<Client> {
    let user_id = shared.world().user_of_token(token)?.to_owned();
    Some(Client { user_id, token: token.to_owned() })
}

async fn run(mut socket: WebSocket, shared: Arc<Shared>, client: Option<Client>, resume: Resume) {
    let (attached, user_id) = match client {
        Some(client) => (attach(&shared, &client, Some(&resume)), client.user_id),
        None => {
            let admission = timeout(AUTHENTICATION_TIMEOUT, admit(&mut socket, &shared));
            let admitted = tokio::select! {
                admitted = admission => admitted.ok().flatten(),
                () = shared.stopping() => None,
            };
            // The real server closes without a word, too.
            let Some((attached, user_id)) = admitted else { return };
            (Some(attached), user_id)
        }
    };
    let Some(attached) = attached else { return };
    let (connection_id, socket_number) = (attached.connection_id.clone(), attached.socket_number);
    set_status(&shared, &user_id, "online");
    serve(&mut socket, &shared, attached).await;
    shared.world().hub.detach(&connection_id, socket_number);
    set_status(&shared, &user_id, "offline");
}

/// A stream for this client: the old one if it can be resumed, else a new one. Those who authenticate by challenge cannot
/// resume. `None` if there are too many, or the token was refused since.
fn attach(shared: &Shared, client: &Client, resume: Option<&Resume>) -> Option<Attached> {
    let mut world = shared.world();
    world.user_of_token(&client.token)?;
    if let Some(resume) = resume.filter(|resume| !resume.connection_id.is_empty())
        && let Some(attached) = world.hub.resume(client, &resume.connection_id, resume.sequence_number)
    {
        return Some(attached);
    }
    let connection_id = world.ids.next();
    world.hub.open(client, connection_id, resume.is_some())
}

fn set_status(shared: &Shared, user_id: &str, status: &str) {
    shared.world().emit(&Event {
        name: "status_change",
        data: json!({"status": status, "user_id": user_id}),
        audience: Audience::User(user_id.to_owned()),
    });
}

/// Waits for a token, and greets whoever has one. `None` if a wrong one comes, or none.
async fn admit(socket: &mut WebSocket, shared: &Shared) -> Option<(Attached, String)> {
    let (client, seq) = challenge(socket, shared).await?;
    let mut attached = attach(shared, &client, None)?;
    // The recorded server said hello before it answered; both orders were seen.
    let hello = attached.frames.recv().await?;
    let greeted =
        send_text(socket, hello).await && send(socket, json!({"status": "OK", "seq_reply": seq})).await;
    if !greeted {
        shared.world().hub.detach(&attached.connection_id, attached.socket_number);
    }
    greeted.then_some((attached, client.user_id))
}

/// Who has the token that comes, and the number of the request that brought it.
async fn challenge(socket: &mut WebSocket, shared: &Shared) -> Option<(Client, i64)> {
    while let Some(Ok(message)) = socket.recv().await {
        let Message::Text(text) = message else { continue };
        let request: Request = serde_json::from_str(&text).ok()?;
        if request.action == "authentication_challenge" {
            let token = request.data.get("token").and_then(Value::as_str)?;
            return Some((client_of(shared, token)?, request.seq));
        }
        let error =
            ApiError::new(401, "api.web_socket_router.not_authenticated.app_error", "Not authenticated.");
        if !send(socket, failure(request.seq, &error)).await {
            return None;
        }
    }
    None
}

fn failure(seq: i64, error: &ApiError) -> Value {
    let mut body = error.json("");
    if let Some(body) = body.as_object_mut() {
        body.remove("request_id");
    }
    json!({"status": "FAIL", "seq_reply": seq, "error": body})
}

async fn send(socket: &mut WebSocket, frame: Value) -> bool {
    send_text(socket, frame.to_string()).await
}

async fn send_text(socket: &mut WebSocket, text: impl Into<Utf8Bytes>) -> bool {
    send_all(socket, [text.into()]).await
}

/// Sends frames that wait together in one write: that costs more than what is in it.
async fn send_all(socket: &mut WebSocket, frames: impl IntoIterator<Item = Utf8Bytes>) -> bool {
    let sending = async {
        for frame in frames {
            socket.feed(Message::Text(frame)).await?;
        }
        socket.flush().await
    };
    matches!(timeout(SEND_TIMEOUT, sending).await, Ok(Ok(())))
}

/// Carries frames out and answers requests, until one side ends it.
async fn serve(socket: &mut WebSocket, shared: &Shared, attached: Attached) {
    let Attached { first, mut frames, .. } = attached;
    if !send_all(socket, first).await {
        return;
    }
    let mut together = Vec::with_capacity(TOGETHER_MAX);
    let mut pings = interval_at(Instant::now() + PING_EVERY, PING_EVERY);
    pings.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut heard = Instant::now();
    loop {
        let alive = tokio::select! {
            count = frames.recv_many(&mut together, TOGETHER_MAX) => {
                count > 0 && send_all(socket, together.drain(..)).await
            }
            message = socket.recv() => match message {
                Some(Ok(message)) => {
                    heard = Instant::now();
                    answer(socket, shared, message).await
                }
                _ => false,
            },
            _ = pings.tick() => {
                matches!(timeout(SEND_TIMEOUT, socket.send(Message::Ping(Vec::new().into()))).await, Ok(Ok(())))
            }
            () = tokio::time::sleep_until(heard + SILENCE_MAX) => false,
            () = shared.stopping() => {
                // The client may be gone already; either way the socket ends here.
                let _sent = timeout(SEND_TIMEOUT, socket.send(Message::Close(None))).await;
                false
            }
        };
        if !alive {
            return;
        }
    }
}

async fn answer(socket: &mut WebSocket, shared: &Shared, message: Message) -> bool {
    let text = match message {
        Message::Text(text) => text,
        Message::Close(_) => return false,
        Message::Ping(_) | Message::Pong(_) | Message::Binary(_) => return true,
    };
    let Ok(request) = serde_json::from_str::<Request>(&text) else { return false };
    let reply = match request.action.as_str() {
        "ping" => json!({
            "status": "OK",
            "seq_reply": request.seq,
            "data": {
                "node_id": "",
                "server_time": shared.world().now_ms(),
                "text": "pong",
                "version": VERSION,
            },
        }),
        "user_typing" | "authentication_challenge" => json!({"status": "OK", "seq_reply": request.seq}),
        _ => {
            let id = "api.web_socket_router.bad_action.app_error";
            failure(request.seq, &ApiError::new(500, id, "Unknown WebSocket action."))
        }
    };
    send(socket, reply).await
}
