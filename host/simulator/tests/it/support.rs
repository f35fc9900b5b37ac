//! A client, an integration to be called, and a listener to events.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use futures_util::{SinkExt, StreamExt};
use reqwest::{Client, Method};
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async};
use warroom_simulator::{Options, Simulator};

/// A test hangs no longer than this.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// A simulator and a client for it.
pub(crate) struct Setup {
    pub(crate) simulator: Simulator,
    pub(crate) client: Client,
}

/// What came back.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) kind: String,
    pub(crate) body: Value,
    pub(crate) headers: HeaderMap,
}

impl Setup {
    pub(crate) async fn start() -> Setup {
        Setup::with(Options::default()).await
    }

    pub(crate) async fn with(options: Options) -> Setup {
        let simulator = Simulator::start(options).await.unwrap();
        let client = Client::builder()
            .no_proxy()
            .tls_certs_only(Vec::new())
            .redirect(reqwest::redirect::Policy::none())
            .timeout(PATIENCE)
            .build()
            .unwrap();
        Setup { simulator, client }
    }

    /// A call that is answered. A JSON string as body is sent as it is.
    pub(crate) async fn call(&self, method: &str, path: &str, token: &str, body: &Value) -> Reply {
        self.try_call(method, path, token, body).await.unwrap()
    }

    pub(crate) async fn try_call(
        &self,
        method: &str,
        path: &str,
        token: &str,
        body: &Value,
    ) -> Result<Reply, reqwest::Error> {
        let url = format!("{}{path}", self.simulator.url());
        let mut request = self.client.request(method.parse::<Method>().unwrap(), url);
        if !token.is_empty() {
            request = request.bearer_auth(token);
        }
        request = match body {
            Value::Null => request,
            Value::String(raw) => request.body(raw.clone()),
            body => request.body(body.to_string()),
        };
        let response = request.send().await?;
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        let text = response.text().await?;
        let kind = headers.get("content-type").map_or("", |kind| kind.to_str().unwrap()).to_owned();
        let body = serde_json::from_str(&text).unwrap_or(json!({"_text": text}));
        Ok(Reply { status, kind, body, headers })
    }

    /// Like `call`, for what must succeed; gives the body.
    pub(crate) async fn must(&self, method: &str, path: &str, token: &str, body: Value) -> Value {
        let reply = self.call(method, &format!("/api/v4{path}"), token, &body).await;
        assert!(reply.status < 300, "{method} {path}: {reply:?}");
        reply.body
    }

    pub(crate) async fn channel_id(&self, name: &str) -> String {
        let path = format!("/teams/{}/channels/name/{name}", self.simulator.team_id());
        id_of(&self.must("GET", &path, self.simulator.admin_token(), Value::Null).await)
    }

    pub(crate) async fn user_id(&self, name: &str) -> String {
        id_of(
            &self
                .must("GET", &format!("/users/username/{name}"), self.simulator.admin_token(), Value::Null)
                .await,
        )
    }

    pub(crate) async fn post(&self, token: &str, channel_id: &str, message: &str) -> Value {
        self.must("POST", "/posts", token, json!({"channel_id": channel_id, "message": message})).await
    }
}

pub(crate) fn id_of(value: &Value) -> String {
    value["id"].as_str().unwrap().to_owned()
}

type Socket = WebSocketStream<MaybeTlsStream<TcpStream>>;

/// A listener to events.
pub(crate) struct Listener {
    pub(crate) socket: Socket,
}

impl Listener {
    /// Connects with a token in the header; `query` may ask to resume.
    pub(crate) async fn connect(setup: &Setup, token: &str, query: &str) -> Listener {
        let url = format!("{}/api/v4/websocket{query}", setup.simulator.url().replace("http", "ws"));
        let mut request = url.into_client_request().unwrap();
        if !token.is_empty() {
            request.headers_mut().insert("authorization", format!("Bearer {token}").parse().unwrap());
        }
        Listener { socket: connect_async(request).await.unwrap().0 }
    }

    /// The next frame; `None` at the end of the stream.
    pub(crate) async fn frame(&mut self) -> Option<Value> {
        loop {
            match tokio::time::timeout(PATIENCE, self.socket.next()).await.expect("no frame in time")? {
                Ok(Message::Text(text)) => return Some(serde_json::from_str(&text).unwrap()),
                Ok(Message::Close(_)) | Err(_) => return None,
                Ok(_) => {}
            }
        }
    }

    /// Frames up to the first of this event, which is the last one given.
    pub(crate) async fn until(&mut self, wanted: impl Fn(&Value) -> bool) -> Vec<Value> {
        let mut frames = Vec::new();
        loop {
            let frame = self.frame().await.expect("the stream ended");
            let found = wanted(&frame);
            frames.push(frame);
            if found {
                return frames;
            }
        }
    }

    /// Waits for the end of the stream; what was under way may still come.
    pub(crate) async fn ends(&mut self) {
        while self.frame().await.is_some() {}
    }

    pub(crate) async fn say(&mut self, message: Value) {
        self.socket.send(Message::Text(message.to_string().into())).await.unwrap();
    }
}

/// Whether a frame is a post with this text.
pub(crate) fn says(frame: &Value, message: &str) -> bool {
    frame["data"]["post"].as_str().is_some_and(|post| {
        let post: Value = serde_json::from_str(post).unwrap();
        post["message"] == message
    })
}

/// A request that an integration got.
#[derive(Debug, Clone)]
pub(crate) struct Called {
    pub(crate) headers: HeaderMap,
    pub(crate) body: Value,
}

/// A form as an object.
fn fields(form: &[u8]) -> Value {
    let url = reqwest::Url::parse(&format!("http://form/?{}", std::str::from_utf8(form).unwrap())).unwrap();
    Value::Object(url.query_pairs().map(|(key, value)| (key.into_owned(), json!(value))).collect())
}

#[derive(Clone, Default)]
struct Script {
    calls: Arc<Mutex<Vec<Called>>>,
    reply: Arc<Mutex<(u16, String)>>,
}

/// An integration: answers as told and remembers what it got.
pub(crate) struct Integration {
    pub(crate) url: String,
    script: Script,
}

impl Integration {
    pub(crate) async fn start() -> Integration {
        async fn answer(
            State(script): State<Script>,
            headers: HeaderMap,
            body: Bytes,
        ) -> (StatusCode, [(&'static str, &'static str); 1], String) {
            let is_form = headers["content-type"] == "application/x-www-form-urlencoded";
            let body = if is_form { fields(&body) } else { serde_json::from_slice(&body).unwrap() };
            script.calls.lock().unwrap().push(Called { headers, body });
            let (status, reply) = script.reply.lock().unwrap().clone();
            (StatusCode::from_u16(status).unwrap(), [("content-type", "application/json")], reply)
        }
        let script = Script::default();
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let app = Router::new().fallback(answer).with_state(script.clone());
        tokio::spawn(axum::serve(listener, app).into_future());
        Integration { url, script }
    }

    pub(crate) fn reply_with(&self, status: u16, body: &str) {
        *self.script.reply.lock().unwrap() = (status, body.to_owned());
    }

    /// Waits for a call.
    pub(crate) async fn called(&self) {
        let came = async {
            while self.script.calls.lock().unwrap().is_empty() {
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(PATIENCE, came).await.expect("the integration was not called");
    }

    pub(crate) fn take_calls(&self) -> Vec<Called> {
        std::mem::take(&mut self.script.calls.lock().unwrap())
    }
}
