//! The state of a run: what the fold of its journal amounts to.

use crate::event::{
    ActionKey, Channel, Chooser, ControlPost, Destination, Event, Fact, Failure, Person, Phase, Repeat,
    Trigger,
};
use serde_json::{Map, Value};
use std::collections::{BTreeMap, BTreeSet};

/// Whether a run goes on, and why not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Status {
    /// It goes on by itself, or waits for people.
    Open,
    /// It waits for somebody to retry, skip or cancel.
    Blocked {
        /// Why.
        failure: Failure,
        /// The action that failed; none when the reason lies in no single action.
        action: Option<ActionKey>,
    },
    /// It reached its end.
    Finished,
    /// A person ended it.
    Cancelled(Person),
}

/// One stay in a step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Visit {
    /// The step's name.
    pub step: String,
    /// When it was entered, in milliseconds since 1970.
    pub entered_ms: u64,
    /// When it was left, after its finish actions.
    pub left_ms: Option<u64>,
    /// How it was left.
    pub leaving: Option<Leaving>,
}

/// A decided transition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Leaving {
    /// Where to.
    pub to: Destination,
    /// What the pressed button said.
    pub label: Option<String>,
    /// Who decided.
    pub by: Chooser,
}

/// An execution that has begun and not ended.
#[derive(Debug, Clone, PartialEq)]
pub struct CurrentAction {
    /// Which.
    pub key: ActionKey,
    /// The component's digest.
    pub digest: String,
    /// The rendered input.
    pub input: Map<String, Value>,
    /// What the component sees of the incident.
    pub incident: Value,
    /// When it began, in milliseconds since 1970.
    pub started_ms: u64,
    /// Its host calls, by number.
    pub calls: BTreeMap<u32, Call>,
    /// When it may be run again, after an interruption.
    pub not_before_ms: Option<u64>,
    /// How many tries it has spent.
    pub tries_spent: u32,
    /// When the first try was spent, in milliseconds since 1970.
    pub first_spent_ms: Option<u64>,
    /// How often it was interrupted at all; backoff counts these.
    pub interruptions: u32,
}

/// A host call of the current execution.
#[derive(Debug, Clone, PartialEq)]
pub struct Call {
    /// The function.
    pub function: String,
    /// The digest of the arguments.
    pub arguments: String,
    /// The answer, when there is one.
    pub answer: Option<Value>,
}

/// What a field was set to, and by whom.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Choice {
    /// The value.
    pub value: String,
    /// Who set it last.
    pub by: Person,
    /// When, in milliseconds since 1970.
    pub at_ms: u64,
}

/// The notice of a failure, from the intent to post it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notice {
    /// The key that the post carries.
    pub key: String,
    /// Where it stands.
    pub channel_id: String,
    /// The post, once it is written.
    pub post_id: Option<String>,
    /// When it was intended, in milliseconds since 1970.
    pub intended_ms: u64,
}

/// How often a keyed trigger matched again while the run was open, and what people were told of it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Repeats {
    /// How often.
    pub count: u64,
    /// The last one, and when it was taken in, in milliseconds since 1970.
    pub last: Option<(Repeat, u64)>,
    /// The one post that tells of them, once it is intended.
    pub post: Option<RepeatsPost>,
    /// How many people were told of, or could not be.
    pub settled: u64,
}

/// The one post that says how often a trigger matched again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RepeatsPost {
    /// The key that it carries.
    pub key: String,
    /// Where it stands.
    pub channel_id: String,
    /// The post, once it is written.
    pub post_id: Option<String>,
    /// When it was intended, in milliseconds since 1970.
    pub intended_ms: u64,
}

/// The first event of a journal was not the start of a run.
#[derive(Debug, thiserror::Error)]
#[error(
    "the journal does not begin with `run_started`: it is damaged, or was written by something else; restore it from a backup"
)]
pub struct NotARun;

/// A run, as of the last event applied.
#[derive(Debug, Clone, PartialEq)]
pub struct Run {
    /// Unique over all runs.
    pub id: String,
    /// The workflow's name.
    pub workflow: String,
    /// The digest of the workflow file's text.
    pub workflow_digest: String,
    /// The digests of the components it keeps, by action type.
    pub components: BTreeMap<String, String>,
    /// The incident's number within the workflow.
    pub number: u64,
    /// What started it.
    pub trigger: Trigger,
    /// When it started, in milliseconds since 1970.
    pub started_ms: u64,
    /// How many events were applied.
    pub seq: u64,
    /// Whether it goes on.
    pub status: Status,
    /// All visits; the last one is the current step.
    pub visits: Vec<Visit>,
    /// The list that is being executed in the current visit.
    pub phase: Phase,
    /// The next action of that list, from 0.
    pub index: u32,
    /// The attempt at that action, from 1.
    pub attempt: u32,
    /// The execution in progress.
    pub current: Option<CurrentAction>,
    /// A failed execution with a host call that may or may not have been made: a retry goes on with it, so that the call is
    /// found out about and not made twice.
    pub unsettled: Option<CurrentAction>,
    /// What actions put out and people set, by action in the order of first writing.
    pub outputs: Vec<(String, BTreeMap<String, String>)>,
    /// Who set which field: (action, field).
    pub choices: BTreeMap<(String, String), Choice>,
    /// The first channel that the run made.
    pub room: Option<Channel>,
    /// Every channel that the run made.
    pub channels: Vec<Channel>,
    /// Channels that the run brought people into, by id.
    pub peopled: BTreeSet<String>,
    /// The posts with controls, in order.
    pub posts: Vec<ControlPost>,
    /// Keys of the posts whose controls are gone.
    pub removed: Vec<String>,
    /// Who pressed or chose last.
    pub last_actor: Option<Person>,
    /// The notice of the current block.
    pub notice: Option<Notice>,
    /// Whether the notice of the current block could be posted nowhere.
    pub notice_failed: bool,
    /// How many notices were intended; makes their keys unique.
    pub notices: u32,
    /// Transitions since a person last decided one.
    pub automatic_transitions: u32,
    /// How often the trigger matched again.
    pub repeats: Repeats,
}

impl Run {
    /// The run that a `run_started` event begins, before anything else happened.
    ///
    /// # Errors
    /// [`NotARun`] for any other event.
    pub fn start(event: &Event) -> Result<Run, NotARun> {
        let Fact::RunStarted { run, workflow, workflow_digest, components, number, trigger } = &event.fact
        else {
            return Err(NotARun);
        };
        Ok(Run {
            id: run.clone(),
            workflow: workflow.clone(),
            workflow_digest: workflow_digest.clone(),
            components: components.clone(),
            number: *number,
            trigger: trigger.clone(),
            started_ms: event.at_ms,
            seq: 1,
            status: Status::Open,
            visits: Vec::new(),
            phase: Phase::Start,
            index: 0,
            attempt: 1,
            current: None,
            unsettled: None,
            outputs: Vec::new(),
            choices: BTreeMap::new(),
            room: None,
            channels: Vec::new(),
            peopled: BTreeSet::new(),
            posts: Vec::new(),
            removed: Vec::new(),
            last_actor: None,
            notice: None,
            notice_failed: false,
            notices: 0,
            automatic_transitions: 0,
            repeats: Repeats::default(),
        })
    }

    /// The fold of a whole journal.
    ///
    /// # Errors
    /// [`NotARun`] when it is empty or does not begin with `run_started`.
    pub fn replay<'a>(events: impl IntoIterator<Item = &'a Event>) -> Result<Run, NotARun> {
        let mut events = events.into_iter();
        let mut run = Run::start(events.next().ok_or(NotARun)?)?;
        for event in events {
            run.apply(event);
        }
        Ok(run)
    }

    /// The number of the current visit, from 1; 0 before the first step is entered.
    #[must_use]
    pub fn visit(&self) -> u32 {
        u32::try_from(self.visits.len()).unwrap_or(u32::MAX)
    }

    /// The step that the run is in.
    #[must_use]
    pub fn step(&self) -> Option<&str> {
        self.visits.last().map(|visit| visit.step.as_str())
    }

    /// The transition that is decided and not yet completed.
    #[must_use]
    pub fn leaving(&self) -> Option<&Leaving> {
        self.visits.last().filter(|visit| visit.left_ms.is_none()).and_then(|visit| visit.leaving.as_ref())
    }

    /// The room, once somebody is in it who could read what is posted there.
    #[must_use]
    pub fn peopled_room(&self) -> Option<&Channel> {
        self.room.as_ref().filter(|room| self.peopled.contains(&room.id))
    }

    /// Whether the run has ended, well or cancelled.
    #[must_use]
    pub fn has_ended(&self) -> bool {
        matches!(self.status, Status::Finished | Status::Cancelled(_))
    }

    /// Whether people can still press the controls of this post: its visit goes on and nobody has decided to leave.
    #[must_use]
    pub fn is_live(&self, post: &ControlPost) -> bool {
        !self.has_ended()
            && post.visit == self.visit()
            && self.visits.last().is_some_and(|visit| visit.left_ms.is_none() && visit.leaving.is_none())
            && !self.removed.contains(&post.key)
    }

    /// A post with controls by the key of the call that wrote it.
    #[must_use]
    pub fn post(&self, key: &str) -> Option<&ControlPost> {
        self.posts.iter().find(|post| post.key == key)
    }

    /// Whether the current visit offers a transition that somebody could press.
    #[must_use]
    pub fn offers_transitions(&self) -> bool {
        self.posts.iter().any(|post| post.visit == self.visit() && !post.controls.transitions.is_empty())
    }
}
