//! The HTTP side: from a request to the world and back.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::{ConnectInfo, Path, Query, Request, State};
use axum::http::header::{AUTHORIZATION, CONTENT_TYPE, RETRY_AFTER};
use axum::http::{HeaderMap, StatusCode};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::{any, get, post};
use serde::Deserialize;
use tokio::sync::watch;

use crate::call::{Answer, Call};
use crate::callbacks::{Callbacks, Message, Received};
use crate::errors::ApiError;
use crate::faults::{Fault, Faults};
use crate::link::Scissors;
use crate::rates::Verdict;
use crate::router::{self, Handler};
use crate::world::World;
use crate::{actions, commands, dialogs, page, webhooks, websocket};

const JSON: &str = "application/json";
/// Version, build, hash of the configuration, and whether there is a licence.
const VERSION_ID: &str = "5.37.0.5.37.0.simulator.false";
const TEXT: &str = "text/plain; charset=utf-8";

/// What all requests share.
#[derive(Debug)]
pub(crate) struct Shared {
    world: Mutex<World>,
    faults: Mutex<Faults>,
    callbacks: Callbacks,
    /// Id of the team that the page shows.
    pub(crate) team_id: String,
    /// Bytes of one request's body.
    pub(crate) body_bytes_max: usize,
    stop: watch::Receiver<bool>,
}

impl Shared {
    /// Serves `world` until `stop` says true, or its sender is gone.
    pub(crate) fn new(
        world: World,
        callbacks: Callbacks,
        team_id: String,
        stop: watch::Receiver<bool>,
    ) -> Shared {
        Shared {
            faults: Mutex::new(Faults::new(world.limits.requests_logged_max)),
            body_bytes_max: world.limits.body_bytes_max,
            world: Mutex::new(world),
            callbacks,
            team_id,
            stop,
        }
    }

    /// The world, for a short visit: never keep it over an `await`. A panic of another visitor leaves it usable, since
    /// this is a server for trials and tests.
    pub(crate) fn world(&self) -> MutexGuard<'_, World> {
        self.world.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Faults on order and the requests seen.
    pub(crate) fn faults(&self) -> MutexGuard<'_, Faults> {
        self.faults.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Sends something to an integration, unless the simulator stops. The error says why nothing came back.
    pub(crate) async fn exchange(&self, url: &str, message: Message) -> Result<Received, String> {
        tokio::select! {
            received = self.callbacks.exchange(url, message) => received,
            () = self.stopping() => Err("the simulator is stopping".to_owned()),
        }
    }

    /// Waits until the simulator is to stop.
    pub(crate) async fn stopping(&self) {
        let mut stop = self.stop.clone();
        if stop.wait_for(|stop| *stop).await.is_err() {
            tracing::debug!("the simulator was dropped without being stopped");
        }
    }
}

/// Everything the simulator answers.
pub(crate) fn routes(shared: Arc<Shared>) -> Router {
    let api = Router::new()
        .route("/api/v4/websocket", get(websocket::upgrade))
        .route("/api/v4/{*path}", any(api))
        .route("/hooks/{id}", post(hook))
        .route("/hooks/commands/{id}", post(response_hook))
        .layer(from_fn_with_state(Arc::clone(&shared), faulty));
    let page = page::routes(shared.body_bytes_max);
    api.merge(page).fallback(not_found).with_state(shared)
}

/// Logs a request, counts it where the rate is limited, and does the fault ordered for it.
async fn faulty(
    State(shared): State<Arc<Shared>>,
    ConnectInfo(scissors): ConnectInfo<Scissors>,
    request: Request,
    next: Next,
) -> Response {
    let fault = shared.faults().meet(request.method().as_str(), request.uri().path());
    let (verdict, session) = counted(&shared, request.headers());
    if let Some(verdict) = verdict.filter(|verdict| !verdict.admitted) {
        return limit_exceeded(&verdict);
    }
    let mut answer = match fault {
        None => next.run(request).await,
        Some(Fault::LoseAnswer) => {
            let answer = next.run(request).await;
            scissors.cut();
            answer
        }
        Some(Fault::Delay(delay)) => {
            let answer = next.run(request).await;
            tokio::select! {
                () = tokio::time::sleep(delay) => {}
                () = shared.stopping() => {}
            }
            answer
        }
        Some(Fault::Fail(429)) => {
            limit_exceeded(&Verdict { admitted: false, limit: 6, remaining: 0, reset_s: 1, retry_after_s: 1 })
        }
        Some(Fault::Fail(status)) => {
            let error =
                ApiError::new(status, "simulator.fault.app_error", "This failure was ordered by a test.");
            error_response(&shared, &error)
        }
    };
    if let Some(verdict) = verdict {
        // Calls with a session are counted at two places of the real server, and both write their headers.
        name_limit(answer.headers_mut(), &verdict, session);
    }
    answer
}

/// What the rate limit says to a call, if there is a limit; and whether the call has a session.
fn counted(shared: &Shared, headers: &HeaderMap) -> (Option<Verdict>, bool) {
    if !shared.faults().limits_rate() {
        return (None, false);
    }
    let caller = bearer(headers).and_then(|token| shared.world().user_of_token(token).map(str::to_owned));
    (shared.faults().count(caller.as_deref().unwrap_or_default()), caller.is_some())
}

fn limit_exceeded(verdict: &Verdict) -> Response {
    let mut answer =
        (StatusCode::TOO_MANY_REQUESTS, [(CONTENT_TYPE, TEXT)], "limit exceeded\n").into_response();
    answer.headers_mut().insert(RETRY_AFTER, verdict.retry_after_s.into());
    name_limit(answer.headers_mut(), verdict, false);
    answer
}

fn name_limit(headers: &mut HeaderMap, verdict: &Verdict, twice: bool) {
    for (name, number) in [
        ("x-ratelimit-limit", u64::from(verdict.limit)),
        ("x-ratelimit-remaining", u64::from(verdict.remaining)),
        ("x-ratelimit-reset", verdict.reset_s),
    ] {
        let text = if twice { format!("{number}, {number}") } else { number.to_string() };
        if let Ok(value) = text.parse() {
            headers.insert(name, value);
        }
    }
}

async fn api(State(shared): State<Arc<Shared>>, request: Request) -> Response {
    match answer(&shared, request).await {
        Ok(answer) => {
            let status = StatusCode::from_u16(answer.status).unwrap_or(StatusCode::OK);
            let (kind, body) = match answer.file {
                Some((kind, content)) => (kind, Body::from(content)),
                None => (JSON, Body::from(answer.body.to_string())),
            };
            let headers = [(CONTENT_TYPE.as_str(), kind), ("x-version-id", VERSION_ID)];
            let mut response = (status, headers, body).into_response();
            if let Some(token) = answer.token.and_then(|token| token.parse().ok()) {
                response.headers_mut().insert("token", token);
            }
            response
        }
        Err(error) => error_response(&shared, &error),
    }
}

#[derive(Default, Deserialize)]
struct Selection {
    #[serde(default)]
    selected_option: String,
}

async fn answer(shared: &Shared, request: Request) -> Result<Answer, ApiError> {
    let (head, body) = request.into_parts();
    let path = head.uri.path();
    let found = router::find(head.method.as_str(), path.trim_start_matches("/api/v4/"))
        .ok_or_else(|| ApiError::route(head.method.as_str(), path))?;
    let caller = match session(shared, &head.headers) {
        Err(error) if found.session => return Err(error),
        caller => caller.unwrap_or_default(),
    };
    let query =
        Query::<Vec<(String, String)>>::try_from_uri(&head.uri).map_err(|_| ApiError::url("query"))?.0;
    let body = to_bytes(body, shared.body_bytes_max).await.map_err(|_| too_large(shared))?;
    let call = Call { caller, params: found.params, query, body: body.into() };
    match found.handler {
        Handler::World(handler) => handler(&mut shared.world(), &call),
        Handler::Press => {
            let selection =
                if call.body.is_empty() { Selection::default() } else { call.json("selected_option")? };
            let selected = &selection.selected_option;
            actions::press(shared, &call.caller, &call.id(0, "post_id")?, call.param(1), selected).await
        }
        Handler::Command => commands::execute(shared, &call).await,
        Handler::Dialog => dialogs::submit(shared, &call).await,
    }
}

fn session(shared: &Shared, headers: &HeaderMap) -> Result<String, ApiError> {
    let token = bearer(headers).ok_or_else(ApiError::session)?;
    shared.world().user_of_token(token).map(str::to_owned).ok_or_else(ApiError::session)
}

/// The token of an `Authorization` header.
pub(crate) fn bearer(headers: &HeaderMap) -> Option<&str> {
    let (scheme, token) = headers.get(AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    let known = scheme.eq_ignore_ascii_case("bearer") || scheme.eq_ignore_ascii_case("token");
    known.then_some(token.trim())
}

fn too_large(shared: &Shared) -> ApiError {
    let id = "api.context.request_body_too_large.app_error";
    ApiError::new(413, id, format!("The body broke off, or has more than {} bytes.", shared.body_bytes_max))
}

/// What is said through a webhook of any kind.
type Speak = fn(&mut World, &str, &[u8]) -> Result<(), ApiError>;

async fn hook(State(shared): State<Arc<Shared>>, Path(id): Path<String>, request: Request) -> Response {
    spoken(&shared, &id, request, webhooks::speak).await
}

async fn response_hook(
    State(shared): State<Arc<Shared>>,
    Path(id): Path<String>,
    request: Request,
) -> Response {
    spoken(&shared, &id, request, commands::respond).await
}

async fn spoken(shared: &Shared, id: &str, request: Request, speak: Speak) -> Response {
    let spoken = match to_bytes(request.into_body(), shared.body_bytes_max).await {
        Ok(body) => speak(&mut shared.world(), id, &body),
        Err(_) => Err(too_large(shared)),
    };
    match spoken {
        Ok(()) => ([(CONTENT_TYPE, "text/plain")], "ok").into_response(),
        Err(error) => error_response(shared, &error),
    }
}

async fn not_found(State(shared): State<Arc<Shared>>, request: Request) -> Response {
    error_response(&shared, &ApiError::route(request.method().as_str(), request.uri().path()))
}

/// An error as the real server sends it.
pub(crate) fn error_response(shared: &Shared, error: &ApiError) -> Response {
    let request_id = shared.world().ids.next();
    let status = StatusCode::from_u16(error.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let kind = if error.is_route() { TEXT } else { JSON };
    (status, [(CONTENT_TYPE, kind)], error.json(&request_id).to_string()).into_response()
}
