//! The HTTP endpoints: what Mattermost calls when somebody presses a control, and what tells whether all is well.

use crate::metrics::{CallbackOutcome, Metrics};
use crate::readiness::{Readiness, Witnesses};
use crate::wire::{ACTION_PATH, wire};
use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{DefaultBodyLimit, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Json, Response};
use axum::routing::{get, post};
use http_body_util::BodyExt as _;
use serde_json::json;
use std::time::{Duration, Instant};
use tokio::sync::watch;
use warroom_engine::Person;
use warroom_mattermost::{ActionRequest, ActionResponse, Update};
use warroom_runner::{Answer, Press, Reply, Runner};

/// Where `warroom doctor` sends Mattermost while the service runs.
pub(crate) const REACHED_PATH: &str = "/callbacks/reached";

/// How long a press may take; the server waits 30 s for the answer.
const PRESS_TIME_MAX: Duration = Duration::from_secs(20);

/// What the endpoints need.
#[derive(Clone)]
pub(crate) struct Endpoints {
    pub(crate) runner: watch::Receiver<Option<Runner>>,
    pub(crate) witnesses: Witnesses,
    pub(crate) callback_url: String,
    pub(crate) metrics: Metrics,
}

/// The router of all endpoints.
pub(crate) fn router(endpoints: Endpoints, request_bytes_max: usize) -> Router {
    Router::new()
        .route(ACTION_PATH, post(action))
        // Lets `warroom doctor` see that Mattermost reaches us; it knows nothing and does nothing.
        .route(REACHED_PATH, post(|| async { Json(json!({})) }))
        .route("/healthz", get(|| async { "ok\n" }))
        .route("/readyz", get(readyz))
        .layer(DefaultBodyLimit::max(request_bytes_max))
        .with_state(endpoints)
}

async fn readyz(State(endpoints): State<Endpoints>) -> Response {
    match endpoints.witnesses.now() {
        Readiness::Ready => (StatusCode::OK, "ready\n".to_owned()),
        Readiness::Not(reason) => (StatusCode::SERVICE_UNAVAILABLE, format!("not ready: {reason}\n")),
    }
    .into_response()
}

async fn action(State(endpoints): State<Endpoints>, body: Bytes) -> Response {
    let began = Instant::now();
    let _under_way = endpoints.metrics.callback_begun();
    let (outcome, response) = pressed(&endpoints, &body).await;
    endpoints.metrics.callback(outcome, began.elapsed());
    response
}

async fn pressed(endpoints: &Endpoints, body: &Bytes) -> (CallbackOutcome, Response) {
    let Ok(request) = serde_json::from_slice::<ActionRequest>(body) else {
        let answer = refuse(StatusCode::BAD_REQUEST, "the request is not what Mattermost sends");
        return (CallbackOutcome::Refused, answer);
    };
    let runner = endpoints.runner.borrow().clone();
    let Some(runner) = runner else {
        let answer = whisper("Warroom is just starting; press again in a moment.".to_owned());
        return (CallbackOutcome::Failed, answer);
    };
    let press = Press {
        option: request.selected_option().map(str::to_owned),
        context: request.context,
        post_id: request.post_id,
        channel_id: request.channel_id,
        by: Person { id: request.user_id, username: request.user_name },
        id: request.trigger_id,
    };
    let Ok(pressed) = tokio::time::timeout(PRESS_TIME_MAX, runner.press(&press)).await else {
        let answer = whisper(
            "That takes too long at the moment. Look at the post, and press again if nothing changed."
                .to_owned(),
        );
        return (CallbackOutcome::Failed, answer);
    };
    match pressed {
        Ok(Ok(pressed)) => {
            let (outcome, response) = match &pressed.reply {
                Reply::Update { post, stamp } => {
                    let (message, props) = wire(&endpoints.callback_url, stamp, post);
                    let update = Update { message: Some(message), props: Some(props) };
                    let response = ActionResponse { update: Some(update), ..ActionResponse::default() };
                    (CallbackOutcome::Accepted, answer(&response))
                }
                Reply::Whisper(text) => (CallbackOutcome::Told, whisper(text.clone())),
            };
            (outcome, keeping(pressed, response))
        }
        Ok(Err(_)) => {
            // What came is not to be believed, so it is logged escaped and short.
            let post: String = press.post_id.chars().take(64).collect();
            tracing::warn!(?post, "refused a press that no control of ours made");
            let answer = refuse(StatusCode::FORBIDDEN, "not a control of this installation");
            (CallbackOutcome::Refused, answer)
        }
        Err(_) => {
            let answer = whisper(
                "That could not be written down, so it changed nothing. Press again in a moment.".to_owned(),
            );
            (CallbackOutcome::Failed, answer)
        }
    }
}

/// The response, which keeps the answer until it is sent, or nobody takes it.
fn keeping(pressed: Answer, response: Response) -> Response {
    // The body is the last that is dropped of a response. Its errors do not matter here: it is only made to own the answer.
    response.map(|body| {
        Body::new(body.map_err(move |error| {
            let _kept = &pressed;
            error
        }))
    })
}

fn whisper(text: String) -> Response {
    answer(&ActionResponse { ephemeral_text: text, ..ActionResponse::default() })
}

fn answer(response: &ActionResponse) -> Response {
    Json(response).into_response()
}

fn refuse(status: StatusCode, reason: &str) -> Response {
    (status, Json(json!({ "error": reason }))).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;
    use warroom_mattermost::{Client, ClientOptions, Token};
    use warroom_simulator::{Options, Simulator};

    #[tokio::test]
    async fn a_refused_token_is_no_readiness_whatever_the_stream_says() {
        let server = Simulator::start(Options::default()).await.unwrap();
        let client = Client::new(ClientOptions::new(server.url(), Token::new("wrong"))).unwrap();
        let (_, runner) = watch::channel(None);
        let (_, listener) = watch::channel(Readiness::Ready);
        let (_, seen) = watch::channel(Some(client.clone()));
        let endpoints = Endpoints {
            runner: runner.clone(),
            witnesses: Witnesses { listener, runner, client: seen },
            callback_url: String::new(),
            metrics: Metrics::new(),
        };
        let status = async || readyz(State(endpoints.clone())).await.status();
        assert_eq!(status().await, StatusCode::OK);
        client.me().await.unwrap_err();
        assert_eq!(status().await, StatusCode::SERVICE_UNAVAILABLE);
        client.replace_token(Token::new(server.bot_token())).unwrap();
        assert_eq!(status().await, StatusCode::OK);
    }
}
