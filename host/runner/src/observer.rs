//! Whoever measures from outside.

use std::fmt;
use warroom_engine::{Event, Fact, Run};
use warroom_workflow::{ActionKind, Workflow};

/// Is told of what is journalled, so that metrics can be made outside. It is called where the work is done: it must be quick, and
/// must not block.
pub trait Observer: fmt::Debug + Send + Sync {
    /// A post met a trigger of the workflow.
    fn matched(&self, workflow: &str);

    /// Something was journalled.
    fn happened(&self, what: &Observed);
}

/// Something that was journalled.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Observed {
    /// An execution of an action ended.
    Action {
        /// Its type; none when the workflow does not have the action any more.
        type_name: Option<String>,
        /// How it ended.
        end: ActionEnd,
        /// How long it took, waiting between its tries included, in milliseconds.
        took_ms: u64,
    },
    /// A run made its first room.
    RoomMade {
        /// So long after the run started, in milliseconds.
        after_ms: u64,
    },
    /// A run ended.
    RunEnded {
        /// Its workflow.
        workflow: String,
        /// Whether somebody cancelled it.
        is_cancelled: bool,
    },
}

/// How an execution of an action ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ActionEnd {
    /// As it should.
    Succeeded,
    /// With an error that blocks the run, or is passed over.
    Failed,
    /// With one that may pass: it is tried again.
    Deferred,
}

/// What an event of a run means to an observer; `run` is as it was before.
pub(crate) fn observed(workflow: &Workflow, run: &Run, event: &Event) -> Option<Observed> {
    let (action, end) = match &event.fact {
        Fact::ActionSucceeded { action, .. } => (action, ActionEnd::Succeeded),
        Fact::ActionFailed { action, .. } => (action, ActionEnd::Failed),
        Fact::ActionDeferred { action, .. } => (action, ActionEnd::Deferred),
        Fact::RunFinished | Fact::RunCancelled { .. } => {
            let is_cancelled = matches!(event.fact, Fact::RunCancelled { .. });
            return Some(Observed::RunEnded { workflow: run.workflow.clone(), is_cancelled });
        }
        Fact::ChannelCreated { .. } if run.room.is_none() => {
            return Some(Observed::RoomMade { after_ms: event.at_ms.saturating_sub(run.started_ms) });
        }
        _ => return None,
    };
    let began_ms = run.current.as_ref().map_or(event.at_ms, |current| current.started_ms);
    let type_name = match workflow.action(&action.name).map(|action| &action.kind) {
        Some(ActionKind::Component { type_name, .. }) => Some(type_name.clone()),
        _ => None,
    };
    Some(Observed::Action { type_name, end, took_ms: event.at_ms.saturating_sub(began_ms) })
}
