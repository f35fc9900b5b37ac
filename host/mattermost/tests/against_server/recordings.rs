//! What a real server said, and a server that says it again.

use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::{HeaderMap, Method, Response, Uri};
use serde_json::Value;
use tokio::net::TcpListener;
use warroom_mattermost::{Client, ClientOptions, Token};

/// The exchanges of a file.
pub(crate) fn load(name: &str) -> Vec<Value> {
    let path = format!("{}/tests/recordings/{name}.json", env!("CARGO_MANIFEST_DIR"));
    serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
}

/// What the server was asked.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Asked {
    pub(crate) method: String,
    /// With the query, below `/api/v4`.
    pub(crate) path: String,
    pub(crate) authorization: String,
    pub(crate) body: Value,
}

/// A server that answers everything with the same recorded response.
pub(crate) struct Replay {
    url: String,
    state: Arc<Mutex<Exchange>>,
}

#[derive(Default)]
struct Exchange {
    response: Value,
    asked: Option<Asked>,
}

impl Replay {
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let state = Arc::new(Mutex::new(Exchange::default()));
        let router = Router::new().fallback(answer).with_state(Arc::clone(&state));
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self { url, state }
    }

    pub(crate) fn client(&self) -> Client {
        Client::new(self.options()).unwrap()
    }

    pub(crate) fn options(&self) -> ClientOptions {
        ClientOptions::new(&self.url, Token::new("BOT_TOKEN"))
    }

    /// Chooses the answer: `{status, headers, body}`.
    pub(crate) fn set(&self, response: &Value) {
        let response = response.clone();
        *self.state.lock().unwrap() = Exchange { response, asked: None };
    }

    /// What came last since the answer was chosen.
    pub(crate) fn asked(&self) -> Asked {
        self.state.lock().unwrap().asked.clone().unwrap()
    }

    /// Whether anything came since the answer was chosen.
    pub(crate) fn was_asked(&self) -> bool {
        self.state.lock().unwrap().asked.is_some()
    }
}

async fn answer(
    State(state): State<Arc<Mutex<Exchange>>>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response<Body> {
    let mut exchange = state.lock().unwrap();
    exchange.asked = Some(Asked {
        method: method.to_string(),
        path: uri.to_string().strip_prefix("/api/v4").unwrap().to_owned(),
        authorization: headers["authorization"].to_str().unwrap().to_owned(),
        body: serde_json::from_slice(&body).unwrap_or_default(),
    });
    let recorded = &exchange.response;
    let mut response =
        Response::builder().status(u16::try_from(recorded["status"].as_u64().unwrap()).unwrap());
    for (name, value) in recorded["headers"].as_object().unwrap() {
        response = response.header(name, value.as_str().unwrap());
    }
    let body = match &recorded["body"] {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    response.body(Body::from(body)).unwrap()
}
