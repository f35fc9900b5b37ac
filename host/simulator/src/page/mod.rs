//! The page on which a person can chat, press buttons and choose from menus.
//!
//! It is rendered on the server and works without a script; the script only sends forms in the background and fetches
//! what is new. Every act goes through the function that answers the same REST call.

mod clock;
mod controls;
mod forms;
mod guard;
mod markdown;
mod view;

use std::sync::Arc;
use std::time::Duration;

use askama::Template;
use axum::Router;
use axum::extract::{DefaultBodyLimit, Query, State};
use axum::http::StatusCode;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::middleware::from_fn;
use axum::response::{Html, IntoResponse, Response};
use axum::routing::{get, post};
use serde::Deserialize;

use crate::server::Shared;
use view::{Chat, Fragment};

/// How long a request for news waits for some.
const NEWS_TIMEOUT: Duration = Duration::from_secs(25);

/// The page and what belongs to it.
pub(crate) fn routes(body_bytes_max: usize) -> Router<Arc<Shared>> {
    Router::new()
        .route("/", get(chat))
        .route("/page/fragment", get(fragment))
        .route("/page/messages", post(forms::message))
        .route("/page/controls", post(forms::control))
        .route("/page/memberships", post(forms::membership))
        .route(
            "/page/chat.css",
            get(|| asset("text/css; charset=utf-8", include_str!("../../assets/chat.css"))),
        )
        .route(
            "/page/chat.js",
            get(|| asset("text/javascript; charset=utf-8", include_str!("../../assets/chat.js"))),
        )
        .layer(DefaultBodyLimit::max(body_bytes_max))
        .layer(from_fn(guard::check))
}

/// Who looks at what.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Look {
    /// User name of the person to act as.
    #[serde(rename = "as")]
    who: String,
    /// Id of the channel.
    channel: String,
    /// The version that the page shows already.
    version: u64,
}

async fn chat(State(shared): State<Arc<Shared>>, Query(look): Query<Look>) -> Response {
    let chat = Chat::of(&shared.world(), &shared.team_id, &look.who, &look.channel);
    render(chat.map(|chat| chat.render()))
}

/// Waits until something changed since `version`, then gives the parts of the page that may have changed.
async fn fragment(State(shared): State<Arc<Shared>>, Query(look): Query<Look>) -> Response {
    let mut version = shared.world().version();
    tokio::select! {
        // Whatever ends the wait, the answer is what there is now.
        _ = version.wait_for(|version| *version != look.version) => {}
        () = tokio::time::sleep(NEWS_TIMEOUT) => {}
        () = shared.stopping() => {}
    }
    let chat = Chat::of(&shared.world(), &shared.team_id, &look.who, &look.channel);
    render(chat.map(|chat| Fragment { chat }.render()))
}

fn render(page: Option<askama::Result<String>>) -> Response {
    match page {
        Some(Ok(html)) => ([(CACHE_CONTROL, "no-store")], Html(html)).into_response(),
        Some(Err(error)) => {
            tracing::error!(%error, "rendering the page failed");
            (StatusCode::INTERNAL_SERVER_ERROR, "The page could not be rendered; see the log.")
                .into_response()
        }
        None => (StatusCode::NOT_FOUND, "There is nobody to act as: start with at least one person.")
            .into_response(),
    }
}

async fn asset(kind: &'static str, text: &'static str) -> Response {
    ([(CONTENT_TYPE, kind), (CACHE_CONTROL, "no-cache")], text).into_response()
}
