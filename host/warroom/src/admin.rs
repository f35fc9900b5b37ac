//! The operators' door: a socket in the file system, for `warroom runs` and `warroom doctor` on this machine. Who may open it is a matter of
//! the file's mode; nothing of it is reachable over a network.

use axum::Router;
use axum::extract::{DefaultBodyLimit, Path, Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Json, Response};
use axum::routing::{get, post};
use serde::{Deserialize, Serialize};
use serde_json::json;
use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path as FilePath;
use tokio::net::UnixListener;
use warroom_engine::{Loss, Person, Picked, Remedy, Run, Status, timeline};
use warroom_runner::{Archive, Command, CommandError, Runner, RunnerError};
use warroom_store::Store;

/// Only who runs the service, and root, may open the socket.
const SOCKET_MODE: u32 = 0o600;
/// The most runs that are listed.
const RUNS_LISTED_MAX: u32 = 1_000;
/// The largest request.
const REQUEST_BYTES_MAX: usize = 64 * 1024;

/// A run in a list.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct RunLine {
    pub(crate) run: String,
    pub(crate) workflow: String,
    pub(crate) number: u64,
    /// `running`, `waiting`, `blocked`, `finished` or `cancelled`.
    pub(crate) state: String,
    pub(crate) step: Option<String>,
    pub(crate) room: Option<String>,
    pub(crate) started_ms: u64,
    /// Why it is blocked, was cancelled, or cannot be worked on.
    pub(crate) reason: Option<String>,
}

/// A run with its timeline.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct RunStory {
    #[serde(flatten)]
    pub(crate) line: RunLine,
    pub(crate) started_by: String,
    pub(crate) permalink: String,
    pub(crate) events: Vec<StoryEvent>,
}

/// One event of a timeline.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct StoryEvent {
    pub(crate) at_ms: u64,
    /// The kind of the event, as it is journalled.
    pub(crate) kind: String,
    pub(crate) step: Option<String>,
    pub(crate) action: Option<String>,
    pub(crate) choice: Option<StoryChoice>,
    pub(crate) text: String,
    pub(crate) by: Option<String>,
    pub(crate) error: Option<String>,
    pub(crate) permalink: Option<String>,
    pub(crate) is_detail: bool,
}

/// What a person chose.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(untagged)]
pub(crate) enum StoryChoice {
    Field {
        field: String,
        value: String,
    },
    Transition {
        label: String,
    },
    Remedy {
        /// `retry`, `skip`, `renumber`, `current` or `cancel`.
        remedy: String,
        /// Whether the room of a run that is cancelled stays open.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        keep_room: bool,
    },
}

/// What is asked of a run.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Order {
    pub(crate) by: String,
    #[serde(default)]
    pub(crate) current: bool,
    #[serde(default)]
    pub(crate) renumber: bool,
    #[serde(default)]
    pub(crate) reason: Option<String>,
    #[serde(default)]
    pub(crate) keep_room: bool,
}

/// The answer to an order that is carried out.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Obeyed {
    /// The run's id, which stays when its number changes.
    pub(crate) run: String,
}

/// What the journal says of a workflow's next run.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct NextNumber {
    /// Its number, unless the workflow wants a higher one; none while the workflow had no run.
    pub(crate) next: Option<u64>,
}

#[derive(Deserialize)]
struct Wanted {
    #[serde(default)]
    all: bool,
    #[serde(default = "limit")]
    limit: u32,
}

fn limit() -> u32 {
    50
}

/// Listens on the socket. One that an earlier process left behind is replaced: the journal's lock says that it is gone.
///
/// # Errors
/// When the socket cannot be made.
pub(crate) fn listen(path: &FilePath) -> std::io::Result<UnixListener> {
    match std::fs::remove_file(path) {
        Ok(()) => {}
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
        Err(error) => return Err(error),
    }
    let listener = UnixListener::bind(path)?;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(SOCKET_MODE))?;
    Ok(listener)
}

pub(crate) fn router(runner: Runner, store: Store) -> Router {
    let numbers =
        Router::new().route("/workflows/{workflow}/next-number", get(next_number)).with_state(store);
    Router::new()
        .route("/runs", get(list))
        .route("/runs/{run}", get(show))
        .route("/runs/{run}/{command}", post(command))
        .with_state(runner)
        .merge(numbers)
        .layer(DefaultBodyLimit::max(REQUEST_BYTES_MAX))
}

async fn next_number(State(store): State<Store>, Path(workflow): Path<String>) -> Response {
    match store.next_number(&workflow).await {
        Ok(next) => Json(NextNumber { next }).into_response(),
        Err(error) => problem(StatusCode::INTERNAL_SERVER_ERROR, &error.to_string()),
    }
}

type Shared = State<Runner>;

async fn list(State(runner): Shared, Query(wanted): Query<Wanted>) -> Response {
    answer(lines(&runner.archive(), &runner.stuck(), wanted.all, wanted.limit).await)
}

/// The newest runs that are not over, or of all runs. `stuck` are those that could not be taken up, with the reasons. One that cannot
/// be read hides no other.
pub(crate) async fn lines(
    archive: &Archive,
    stuck: &BTreeMap<String, String>,
    all: bool,
    limit: u32,
) -> Result<Vec<RunLine>, RunnerError> {
    let limit = limit.min(RUNS_LISTED_MAX);
    let ids = if all {
        archive.newest_runs(limit).await?
    } else {
        archive.open_runs().await?.into_iter().rev().take(limit as usize).collect()
    };
    let mut lines = Vec::with_capacity(ids.len());
    for id in ids {
        let mut line = match archive.run(&id).await {
            Ok(run) => line(&run),
            Err(error) => unreadable(&id, &error),
        };
        if let Some(reason) = stuck.get(&id) {
            (line.state, line.reason) = ("blocked".to_owned(), Some(reason.clone()));
        }
        lines.push(line);
    }
    Ok(lines)
}

async fn show(State(runner): Shared, Path(name): Path<String>) -> Response {
    match story(&runner.archive(), &name).await {
        Ok(Some(mut story)) => {
            if let Some(reason) = runner.stuck().remove(&story.line.run) {
                (story.line.state, story.line.reason) = ("blocked".to_owned(), Some(reason));
            }
            Json(story).into_response()
        }
        Ok(None) => problem(StatusCode::NOT_FOUND, &unknown(&name)),
        Err(error) => failed(&error),
    }
}

/// A run with its timeline; none when there is no such run.
pub(crate) async fn story(archive: &Archive, name: &str) -> Result<Option<RunStory>, RunnerError> {
    let Some(id) = resolve(archive, name).await? else { return Ok(None) };
    let events = archive.events(&id).await?;
    let run = archive.run(&id).await?;
    // All links of a run begin as that of the post that triggered it, also when no server is there to be asked.
    let beginning = run.trigger.permalink.strip_suffix(&run.trigger.post_id);
    let permalink = |post_id: String| beginning.map(|beginning| format!("{beginning}{post_id}"));
    let events = timeline(&events).into_iter().map(|entry| StoryEvent {
        at_ms: entry.at_ms,
        kind: entry.kind,
        step: entry.step,
        action: entry.action,
        choice: entry.picked.map(|picked| match picked {
            Picked::Field { field, value } => StoryChoice::Field { field, value },
            Picked::Transition(label) => StoryChoice::Transition { label },
            Picked::Remedy { remedy, keep_room } => {
                StoryChoice::Remedy { remedy: remedy_name(remedy).to_owned(), keep_room }
            }
        }),
        text: entry.text,
        by: entry.by.map(|by| by.mention()),
        error: entry.error,
        permalink: entry.post_id.and_then(permalink),
        is_detail: entry.is_detail,
    });
    Ok(Some(RunStory {
        line: line(&run),
        started_by: run.trigger.user.mention(),
        permalink: run.trigger.permalink.clone(),
        events: events.collect(),
    }))
}

/// What a remedy is called, as on the command line.
fn remedy_name(remedy: Remedy) -> &'static str {
    match remedy {
        Remedy::Retry => "retry",
        Remedy::Skip => "skip",
        Remedy::Renumber => "renumber",
        Remedy::Repin => "current",
        Remedy::Cancel => "cancel",
    }
}

async fn command(
    State(runner): Shared,
    Path((name, command)): Path<(String, String)>,
    Json(order): Json<Order>,
) -> Response {
    let command = match command.as_str() {
        "retry" if order.current => Command::RetryCurrent,
        "retry" if order.renumber => Command::Renumber,
        "retry" => Command::Retry,
        "skip" => Command::Skip,
        "cancel" => Command::Cancel { reason: order.reason, keep_room: order.keep_room },
        _ => return problem(StatusCode::NOT_FOUND, "no such command"),
    };
    match resolve(&runner.archive(), &name).await {
        Ok(Some(id)) => match obey(&runner, &id, command, Person::at_the_shell(&order.by)).await {
            Ok(()) => Json(Obeyed { run: id }).into_response(),
            Err(CommandError::Runner(error)) => failed(&error),
            Err(error) => problem(StatusCode::CONFLICT, &error.to_string()),
        },
        Ok(None) => problem(StatusCode::NOT_FOUND, &unknown(&name)),
        Err(error) => failed(&error),
    }
}

/// A run that could not be taken up can only be ended.
async fn obey(runner: &Runner, id: &str, command: Command, by: Person) -> Result<(), CommandError> {
    match (runner.stuck().remove(id), command) {
        (None, command) => runner.command(id, command, by).await,
        (Some(_), Command::Cancel { reason, keep_room }) => {
            runner.cancel_stuck(id, reason, keep_room, by).await
        }
        (Some(reason), _) => Err(CommandError::NotOpen(format!(
            "the run cannot be taken up: {reason}. Mend that and restart the service, or cancel the run"
        ))),
    }
}

/// A run by its id, or as `WORKFLOW:NUMBER`.
async fn resolve(archive: &Archive, name: &str) -> Result<Option<String>, RunnerError> {
    if let Some((workflow, number)) = name.rsplit_once(':')
        && let Ok(number) = number.parse()
    {
        return archive.run_by_number(workflow, number).await;
    }
    Ok(archive.has(name).await?.then(|| name.to_owned()))
}

fn line(run: &Run) -> RunLine {
    let (state, reason) = match &run.status {
        Status::Open if run.waits() => ("waiting", lost(run)),
        Status::Open => ("running", lost(run)),
        Status::Blocked { failure, .. } => ("blocked", Some(failure.message.clone())),
        Status::Finished => ("finished", None),
        Status::Cancelled(cancelled) => ("cancelled", cancelled.reason.clone()),
    };
    RunLine {
        run: run.id.clone(),
        workflow: run.workflow.clone(),
        number: run.number,
        state: state.to_owned(),
        step: run.step().map(str::to_owned),
        room: run.room.as_ref().map(|room| room.name.clone()),
        started_ms: run.started_ms,
        reason,
    }
}

/// Why people cannot use the room, if they cannot.
fn lost(run: &Run) -> Option<String> {
    let (how, _) = run.lost.get(&run.room.as_ref()?.id)?;
    let reason = match how {
        Loss::Archived => "its room is archived: restore it, or cancel the incident",
        Loss::Removed => "the bot is not in its room any more: invite it again, or cancel the incident",
        Loss::Gone => "the bot cannot reach its room: see whether it is on the team, or cancel the incident",
    };
    Some(reason.to_owned())
}

/// What can be said of a run whose journal cannot be read.
fn unreadable(id: &str, error: &RunnerError) -> RunLine {
    RunLine {
        run: id.to_owned(),
        workflow: "?".to_owned(),
        number: 0,
        state: "unreadable".to_owned(),
        step: None,
        room: None,
        started_ms: 0,
        reason: Some(error.to_string()),
    }
}

fn answer(result: Result<impl Serialize, RunnerError>) -> Response {
    match result {
        Ok(value) => Json(value).into_response(),
        Err(error) => failed(&error),
    }
}

pub(crate) fn unknown(name: &str) -> String {
    format!("there is no run `{name}`; `warroom runs list --all` names them")
}

fn failed(error: &RunnerError) -> Response {
    problem(StatusCode::INTERNAL_SERVER_ERROR, &error.to_string())
}

fn problem(status: StatusCode, reason: &str) -> Response {
    (status, Json(json!({ "error": reason }))).into_response()
}
