//! What is measured, for Prometheus: text in the OpenMetrics format at `/metrics`.
//!
//! Labels come from a small, closed set of values, or from names that the operator wrote (workflows, action types), and never from
//! what people write in the chat: each value of a label is a series that is kept for ever. A bound on the number of series of a family
//! makes sure of it.

use crate::metrics::families::{Bounded, action, call, callback, kind, outcome, state, workflow};
use crate::readiness::{Readiness, Witnesses};
use axum::extract::State;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::{Registry, Unit};
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Duration;
use tokio::sync::watch;
use warroom_mattermost::{CallOutcome, Observer};
use warroom_runner::{ActionEnd, Observed};
use warroom_sandbox::Occupancy;

mod families;
mod labels;
#[cfg(test)]
mod tests;

pub use labels::{ActionOutcome, CallbackOutcome, EventKind, RunEnd, RunState};

/// The content type of the format.
const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// Everything that is measured. Clones share it; each method is quick and never blocks.
#[derive(Clone)]
pub struct Metrics {
    inner: Arc<Inner>,
}

struct Inner {
    registry: Registry,
    events: Bounded<Counter>,
    triggers: Bounded<Counter>,
    runs: Bounded<Gauge>,
    runs_ended: Bounded<Counter>,
    actions: Bounded<Counter>,
    action_seconds: Bounded<Histogram>,
    room_seconds: Histogram,
    callbacks: Bounded<Counter>,
    callback_seconds: Bounded<Histogram>,
    callbacks_under_way: Gauge,
    calls: Bounded<Counter>,
    call_seconds: Bounded<Histogram>,
    calls_waiting: Gauge,
    executions_under_way: Gauge,
    executions_waiting: Gauge,
    connected: Gauge,
    ready: Gauge,
    token_refused: Gauge,
    reconnects: Bounded<Counter>,
    connections_lost: Counter,
    journal_waiting: Gauge,
    lag_seconds: Gauge<f64, AtomicU64>,
    post_seconds: Histogram,
}

impl fmt::Debug for Metrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Metrics").finish_non_exhaustive()
    }
}

impl Default for Metrics {
    fn default() -> Metrics {
        Metrics::new()
    }
}

impl Metrics {
    /// Nothing measured yet.
    #[must_use]
    pub fn new() -> Metrics {
        let mut inner = Inner {
            registry: Registry::with_prefix("warroom"),
            events: Bounded::counters(),
            triggers: Bounded::counters(),
            runs: Bounded::gauges(),
            runs_ended: Bounded::counters(),
            actions: Bounded::counters(),
            action_seconds: Bounded::durations(),
            room_seconds: families::durations(),
            callbacks: Bounded::counters(),
            callback_seconds: Bounded::durations(),
            callbacks_under_way: Gauge::default(),
            calls: Bounded::counters(),
            call_seconds: Bounded::durations(),
            calls_waiting: Gauge::default(),
            executions_under_way: Gauge::default(),
            executions_waiting: Gauge::default(),
            connected: Gauge::default(),
            ready: Gauge::default(),
            token_refused: Gauge::default(),
            reconnects: Bounded::counters(),
            connections_lost: Counter::default(),
            journal_waiting: Gauge::default(),
            lag_seconds: Gauge::default(),
            post_seconds: families::durations(),
        };
        inner.register_runs();
        inner.register_chat();
        // So that an alert on them has something to look at before the first one.
        for known in [RunState::Running, RunState::Waiting, RunState::Blocked] {
            inner.runs.with(&[state(known.as_str())], |gauge| {
                gauge.set(0);
            });
        }
        Metrics { inner: Arc::new(inner) }
    }

    /// An event was received.
    pub fn event(&self, event: EventKind) {
        self.inner.events.with(&[kind(event.as_str())], |counter| {
            counter.inc();
        });
    }

    /// A message met a trigger of the workflow.
    pub fn trigger_matched(&self, name: &str) {
        self.inner.triggers.with(&[workflow(name)], |counter| {
            counter.inc();
        });
    }

    /// How many open runs are in the state now.
    pub fn runs(&self, in_state: RunState, count: usize) {
        let count = i64::try_from(count).unwrap_or(i64::MAX);
        self.inner.runs.with(&[state(in_state.as_str())], |gauge| {
            gauge.set(count);
        });
    }

    /// A run of the workflow ended.
    pub fn run_ended(&self, name: &str, how: RunEnd) {
        let labels = [workflow(name), outcome(how.as_str())];
        self.inner.runs_ended.with(&labels, |counter| {
            counter.inc();
        });
    }

    /// An execution of an action of this type ended, or is to be tried again. It took so long since its first start; only its end
    /// is observed, so that each execution counts once.
    pub fn action(&self, type_name: &str, how: ActionOutcome, took: Duration) {
        self.inner.actions.with(&[action(type_name), outcome(how.as_str())], |counter| {
            counter.inc();
        });
        if how != ActionOutcome::Retried {
            self.inner
                .action_seconds
                .with(&[action(type_name)], |seconds| seconds.observe(took.as_secs_f64()));
        }
    }

    /// A run's first room exists, so long after the post that started it was received.
    pub fn room_made(&self, after: Duration) {
        self.inner.room_seconds.observe(after.as_secs_f64());
    }

    /// A press or a choice came, and is under way for as long as the value lives.
    #[must_use]
    pub fn callback_begun(&self) -> CallbackUnderWay {
        self.inner.callbacks_under_way.inc();
        CallbackUnderWay(self.inner.callbacks_under_way.clone())
    }

    /// A press or a choice was answered.
    pub fn callback(&self, what: CallbackOutcome, took: Duration) {
        self.inner.callbacks.with(&[callback(what.as_str())], |counter| {
            counter.inc();
        });
        self.inner.callback_seconds.with(&[], |seconds| seconds.observe(took.as_secs_f64()));
    }

    /// How many calls to Mattermost wait for their turn.
    pub fn calls_waiting(&self, count: usize) {
        self.inner.calls_waiting.set(i64::try_from(count).unwrap_or(i64::MAX));
    }

    /// How many actions execute, and how many wait for a place in the sandbox.
    pub fn executions(&self, Occupancy { under_way, waiting }: Occupancy) {
        self.inner.executions_under_way.set(i64::try_from(under_way).unwrap_or(i64::MAX));
        self.inner.executions_waiting.set(i64::try_from(waiting).unwrap_or(i64::MAX));
    }

    /// Whether the service does its work, as `/readyz` says.
    pub fn ready(&self, is_ready: bool) {
        self.inner.ready.set(i64::from(is_ready));
    }

    /// Whether the server refuses the bot's token.
    pub fn token_refused(&self, is_refused: bool) {
        self.inner.token_refused.set(i64::from(is_refused));
    }

    /// How many requests wait for the journal's writer.
    pub fn journal_waiting(&self, count: usize) {
        self.inner.journal_waiting.set(i64::try_from(count).unwrap_or(i64::MAX));
    }

    /// How old the oldest post is that was missed and is not read yet; zero when nothing is missed.
    pub fn catch_up_lag(&self, lag: Duration) {
        self.inner.lag_seconds.set(lag.as_secs_f64());
    }

    /// It is decided whether a post starts anything, so long after the server says that it was written.
    pub fn post_decided(&self, after: Duration) {
        self.inner.post_seconds.observe(after.as_secs_f64());
    }

    /// All of it, as text in the OpenMetrics format.
    #[must_use]
    pub fn render(&self) -> String {
        let mut text = String::new();
        // Writing to a string does not fail.
        if encode(&mut text, &self.inner.registry).is_err() {
            tracing::error!("the metrics could not be written as text");
        }
        text
    }

    /// The answer to `GET /metrics`.
    pub(crate) async fn serve(State(scrape): State<Scrape>) -> Response {
        scrape.sample();
        ([(CONTENT_TYPE, OPEN_METRICS)], scrape.metrics.render()).into_response()
    }
}

/// A press or a choice that is not answered yet. Who gives it up drops it, too.
#[derive(Debug)]
pub struct CallbackUnderWay(Gauge);

impl Drop for CallbackUnderWay {
    fn drop(&mut self) {
        self.0.dec();
    }
}

/// What is looked at when the metrics are asked for.
#[derive(Clone)]
pub(crate) struct Scrape {
    pub(crate) metrics: Metrics,
    pub(crate) store: watch::Receiver<Option<warroom_store::Store>>,
    pub(crate) witnesses: Witnesses,
}

impl Scrape {
    fn sample(&self) {
        if let Some(store) = &*self.store.borrow() {
            self.metrics.journal_waiting(store.waiting());
        }
        self.metrics.ready(self.witnesses.now() == Readiness::Ready);
        if let Some(client) = &*self.witnesses.client.borrow() {
            self.metrics.token_refused(*client.token_refused().borrow());
            self.metrics.calls_waiting(client.calls_waiting());
        }
        let runner = self.witnesses.runner.borrow().clone();
        if let Some(runner) = runner {
            let [running, waiting, blocked] = runner.states();
            self.metrics.runs(RunState::Running, running);
            self.metrics.runs(RunState::Waiting, waiting);
            self.metrics.runs(RunState::Blocked, blocked);
            self.metrics.executions(runner.executions());
        }
    }
}

impl warroom_runner::Observer for Metrics {
    fn matched(&self, workflow: &str) {
        self.trigger_matched(workflow);
    }

    fn happened(&self, what: &Observed) {
        match what {
            Observed::Action { type_name, end, took_ms } => {
                let how = match end {
                    ActionEnd::Succeeded => ActionOutcome::Succeeded,
                    ActionEnd::Failed => ActionOutcome::Failed,
                    ActionEnd::Deferred => ActionOutcome::Retried,
                };
                self.action(
                    type_name.as_deref().unwrap_or(families::OTHER),
                    how,
                    Duration::from_millis(*took_ms),
                );
            }
            Observed::RoomMade { after_ms } => self.room_made(Duration::from_millis(*after_ms)),
            Observed::RunEnded { workflow, is_cancelled } => {
                self.run_ended(workflow, if *is_cancelled { RunEnd::Cancelled } else { RunEnd::Finished });
            }
        }
    }
}

impl Observer for Metrics {
    fn called(&self, name: &'static str, how: CallOutcome, duration: Duration) {
        self.inner.calls.with(&[call(name), outcome(how.as_str())], |counter| {
            counter.inc();
        });
        self.inner.call_seconds.with(&[call(name)], |seconds| seconds.observe(duration.as_secs_f64()));
    }

    fn stream_connected(&self, resumed: bool) {
        self.inner.connected.set(1);
        let resumed = if resumed { "yes" } else { "no" };
        self.inner.reconnects.with(&[families::resumed(resumed)], |counter| {
            counter.inc();
        });
    }

    fn stream_lost(&self) {
        // A server that is away is one loss, however often it is tried.
        if self.inner.connected.set(0) == 1 {
            self.inner.connections_lost.inc();
        }
    }
}

impl Inner {
    fn register_runs(&mut self) {
        let registry = &mut self.registry;
        self.triggers.register(registry, "triggers_matched", "Messages that met a trigger");
        self.runs.register(registry, "runs", "Open incidents by state");
        self.runs_ended.register(registry, "runs_ended", "Incidents that ended, by how");
        self.actions.register(registry, "actions", "Executions of actions, by type and outcome");
        self.action_seconds.register_seconds(
            registry,
            "action_duration",
            "From the start of an action until it succeeded or failed, the waiting between its tries included",
        );
        registry.register(
            "executions_under_way",
            "Executions of components, those that wait for an answer of Mattermost among them",
            self.executions_under_way.clone(),
        );
        registry.register(
            "executions_waiting",
            "Executions that wait for a place in the sandbox",
            self.executions_waiting.clone(),
        );
        registry.register_with_unit(
            "trigger_to_room",
            "From receiving the post that starts an incident until its first room exists",
            Unit::Seconds,
            self.room_seconds.clone(),
        );
        registry.register(
            "journal_queue_length",
            "Requests that wait for the journal's writer",
            self.journal_waiting.clone(),
        );
    }

    fn register_chat(&mut self) {
        let registry = &mut self.registry;
        self.events.register(registry, "events", "Events received from Mattermost, by kind");
        self.callbacks.register(registry, "callbacks", "Presses and choices, by outcome");
        self.callback_seconds.register_seconds(
            registry,
            "callback_duration",
            "How long it took to answer presses and choices",
        );
        registry.register(
            "callbacks_under_way",
            "Presses and choices that are not answered yet",
            self.callbacks_under_way.clone(),
        );
        self.calls.register(registry, "mattermost_calls", "Calls to Mattermost, by name and outcome");
        self.call_seconds.register_seconds(
            registry,
            "mattermost_call_duration",
            "How long calls to Mattermost took, the wait for their turn included",
        );
        registry.register(
            "mattermost_calls_waiting",
            "Calls to Mattermost that wait for their turn",
            self.calls_waiting.clone(),
        );
        registry.register(
            "event_stream_connected",
            "Whether the event stream stands: 1 or 0",
            self.connected.clone(),
        );
        registry.register(
            "ready",
            "Whether the service does its work, as /readyz says: 1 or 0",
            self.ready.clone(),
        );
        registry.register(
            "token_refused",
            "Whether Mattermost refuses the bot's token: 1 or 0",
            self.token_refused.clone(),
        );
        self.reconnects.register(
            registry,
            "event_stream_connects",
            "How often the event stream was made, and whether it went on where it was",
        );
        registry.register(
            "event_stream_losses",
            "How often an event stream that stood was lost",
            self.connections_lost.clone(),
        );
        registry.register_with_unit(
            "post_lag",
            "From the writing of a post, by the server's clock, until it is decided whether it starts an incident",
            Unit::Seconds,
            self.post_seconds.clone(),
        );
        registry.register_with_unit(
            "catch_up_lag",
            "Age of the oldest post that was missed and is not read yet",
            Unit::Seconds,
            self.lag_seconds.clone(),
        );
    }
}
