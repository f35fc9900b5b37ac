//! The state of a run: what the fold of its journal amounts to.

use crate::announcement::{Announcement, Matter};
use crate::budget::Budget;
use crate::control::ControlPost;
use crate::event::{
    ActionKey, Channel, Chooser, Destination, Event, Fact, Failure, Loss, Person, Phase, Repeat, Trigger,
};
use serde_json::{Map, Value};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

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
    Cancelled(Cancelled),
}

/// How a run was ended by a person.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cancelled {
    /// Who.
    pub by: Person,
    /// Why, in that person's words.
    pub reason: Option<String>,
    /// Whether the channels that the run made stay as they are.
    pub keep_room: bool,
}

/// A search for the next number whose name is free, asked for by a person.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Renumbering {
    /// How many numbers were tried.
    pub tried: u32,
    /// Whether the next number is to be taken now.
    pub is_due: bool,
}

/// How many choices of a field are remembered from one visit.
pub const CHOICES_KEPT_MAX: usize = 10;

/// How many executions are remembered that the run went on without, while a call of theirs is to be found out about.
pub const LEFT_MAX: usize = 16;

/// How many deleted posts others take the place of.
pub const DELETED_MAX: usize = 50;

/// How many calls are remembered that nobody found out about.
pub const GIVEN_UP_MAX: usize = 16;

/// A host call of which nobody knows whether it was made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GivenUp {
    /// The action that made it.
    pub action: String,
    /// The function.
    pub function: String,
    /// The handle of the channel that may have been made, where it is known.
    pub channel_name: Option<String>,
    /// Why it is not found out about.
    pub reason: String,
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
    pub input: Arc<Map<String, Value>>,
    /// What the component sees of the incident.
    pub incident: Arc<Value>,
    /// When it began, in milliseconds since 1970.
    pub started_ms: u64,
    /// Its host calls, by number.
    pub calls: BTreeMap<u32, Call>,
    /// When it may be run again, after an interruption.
    pub not_before_ms: Option<u64>,
    /// What its interruptions have cost so far.
    pub budget: Budget,
}

impl CurrentAction {
    /// The call that is intended and not answered, with its number.
    #[must_use]
    pub fn open_call(&self) -> Option<(u32, &Call)> {
        let mut calls = self.calls.iter();
        calls.find(|(_, call)| call.answer.is_none()).map(|(n, call)| (*n, call))
    }
}

/// A host call of the current execution.
#[derive(Debug, Clone, PartialEq)]
pub struct Call {
    /// The function.
    pub function: String,
    /// The digest of the arguments.
    pub arguments: String,
    /// The answer, when there is one.
    pub answer: Option<Arc<Value>>,
}

/// What a field was set to, by whom and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Choice {
    /// The value.
    pub value: String,
    /// Who set it.
    pub by: Person,
    /// The key of the post on which it was set.
    pub post: String,
    /// The visit of that post.
    pub visit: u32,
    /// Which press it was; empty where that is not known.
    pub press: String,
    /// When, in milliseconds since 1970.
    pub at_ms: u64,
}

/// How often a keyed trigger matched again while the run was open.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Repeats {
    /// How often.
    pub count: u64,
    /// The last one, and when it was taken in, in milliseconds since 1970.
    pub last: Option<(Repeat, u64)>,
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
    pub components: Arc<BTreeMap<String, String>>,
    /// The incident's number within the workflow.
    pub number: u64,
    /// What started it.
    pub trigger: Arc<Trigger>,
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
    /// The execution that failed and blocks the run, with a host call that may or may not have been made. A retry goes on with it, so
    /// that the call is found out about and not made twice.
    pub unsettled: Option<CurrentAction>,
    /// Executions with such a call that the run went on without, or was cancelled in, oldest first; at most [`LEFT_MAX`]. What they
    /// made belongs to the run all the same, and is cleared away with the run.
    pub left: Vec<CurrentAction>,
    /// Calls of such executions that nobody found out about; at most [`GIVEN_UP_MAX`].
    pub given_up: Vec<GivenUp>,
    /// What actions put out and people set, by action in the order of first writing.
    pub outputs: Vec<(String, BTreeMap<String, String>)>,
    /// Who set which field, (action, field), the newest last; at most [`CHOICES_KEPT_MAX`] of each from one visit.
    pub choices: BTreeMap<(String, String), Vec<Choice>>,
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
    /// What the host has to say about the run, in the order it came up.
    pub announcements: Vec<Announcement>,
    /// The keys of posts in which people decided, and that somebody deleted; at most [`DELETED_MAX`].
    pub deleted: BTreeSet<String>,
    /// Channels that the run archived.
    pub archived: BTreeSet<String>,
    /// Channels that the run needs and cannot use now: what happened, and the number of the announcement that says so.
    pub lost: BTreeMap<String, (Loss, u32)>,
    /// Channels that a cancelled run could not archive, and why.
    pub kept: BTreeMap<String, String>,
    /// The key of the post that is pinned.
    pub pinned: Option<String>,
    /// The search for the next free number.
    pub renumbering: Option<Renumbering>,
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
            components: Arc::clone(components),
            number: *number,
            trigger: Arc::clone(trigger),
            started_ms: event.at_ms,
            seq: 1,
            status: Status::Open,
            visits: Vec::new(),
            phase: Phase::Start,
            index: 0,
            attempt: 1,
            current: None,
            unsettled: None,
            left: Vec::new(),
            given_up: Vec::new(),
            outputs: Vec::new(),
            choices: BTreeMap::new(),
            room: None,
            channels: Vec::new(),
            peopled: BTreeSet::new(),
            posts: Vec::new(),
            removed: Vec::new(),
            last_actor: None,
            announcements: Vec::new(),
            deleted: BTreeSet::new(),
            archived: BTreeSet::new(),
            lost: BTreeMap::new(),
            kept: BTreeMap::new(),
            pinned: None,
            renumbering: None,
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

    /// The room, once somebody is in it who could read what is posted there, and while it can be posted to.
    #[must_use]
    pub fn peopled_room(&self) -> Option<&Channel> {
        self.room.as_ref().filter(|room| self.peopled.contains(&room.id) && self.can_post_to(&room.id))
    }

    /// Whether nothing is known that keeps posts from being written or changed there.
    #[must_use]
    pub fn can_post_to(&self, channel_id: &str) -> bool {
        !self.archived.contains(channel_id) && !self.lost.contains_key(channel_id)
    }

    /// The last choice of a field.
    #[must_use]
    pub fn choice(&self, action: &str, field: &str) -> Option<&Choice> {
        self.choices.get(&(action.to_owned(), field.to_owned()))?.last()
    }

    /// The choices of a field that a post shows, the newest last: those up to the end of its visit. What is chosen on a later
    /// visit is no matter of a post that was left.
    #[must_use]
    pub fn choices_on(&self, post: &ControlPost, field: &str) -> &[Choice] {
        let of_field = self.choices.get(&(post.action.clone(), field.to_owned()));
        let choices = of_field.map(Vec::as_slice).unwrap_or_default();
        // Only posts of the current visit take choices, so visits stand in order.
        choices.get(..choices.partition_point(|choice| choice.visit <= post.visit)).unwrap_or_default()
    }

    /// The block that stops the run now, among the announcements: its number.
    #[must_use]
    pub fn current_block(&self) -> Option<u32> {
        let blocks = |known: &Announcement| known.is_open_block();
        let at = self.announcements.iter().rposition(blocks)?;
        u32::try_from(at).ok()
    }

    /// The announcement that a key belongs to, with its number.
    #[must_use]
    pub fn announcement(&self, key: &str) -> Option<(u32, &Announcement)> {
        let n: u32 = key.strip_prefix(&self.announcement_key_head())?.parse().ok()?;
        Some((n, self.announcements.get(n as usize)?))
    }

    /// The key of the post in whose place people decide there, since somebody deleted that; for any other post its own.
    #[must_use]
    pub fn stands_for<'a>(&'a self, key: &'a str) -> &'a str {
        match self.announcement(key) {
            Some((_, Announcement { matter: Matter::StandIn { post, .. }, .. })) => post,
            _ => key,
        }
    }

    /// The key of the `n`-th announcement's post.
    #[must_use]
    pub fn announcement_key(&self, n: u32) -> String {
        format!("{}{n}", self.announcement_key_head())
    }

    fn announcement_key_head(&self) -> String {
        format!("{}/announcement/", self.id)
    }

    /// The first channel that a cancelled run made and has still to archive.
    #[must_use]
    pub fn room_to_close(&self) -> Option<&Channel> {
        let is_left = |channel: &&Channel| {
            let is_archived = self.archived.contains(&channel.id)
                || matches!(self.lost.get(&channel.id), Some((Loss::Archived, _)));
            !is_archived && !self.kept.contains_key(&channel.id)
        };
        match &self.status {
            Status::Cancelled(cancelled) if !cancelled.keep_room => self.channels.iter().find(is_left),
            _ => None,
        }
    }

    /// The first execution that the run went on without, or was cancelled in, while nobody knew whether its last call was made.
    #[must_use]
    pub fn execution_to_settle(&self) -> Option<&CurrentAction> {
        self.left.first().filter(|_| self.status != Status::Finished)
    }

    /// Whether the run has ended and nothing is left to do for it.
    #[must_use]
    pub fn has_settled(&self) -> bool {
        self.has_ended()
            && self.posts.iter().all(|post| self.removed.contains(&post.key))
            && self.announcements.iter().all(Announcement::has_settled)
            && self.execution_to_settle().is_none()
            && self.room_to_close().is_none()
            && (self.status == Status::Finished || self.stale_pin().is_none())
    }

    /// The post that is still pinned, where that can be changed.
    #[must_use]
    pub fn stale_pin(&self) -> Option<&ControlPost> {
        self.post(self.pinned.as_deref()?).filter(|pinned| self.can_post_to(&pinned.channel_id))
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

    /// Whether people are asked, and nothing is done meanwhile.
    #[must_use]
    pub fn waits(&self) -> bool {
        self.status == Status::Open
            && self.current.is_none()
            && self.leaving().is_none()
            && self.offers_transitions()
    }

    /// The post that is to be pinned: the newest one that people can use, in a channel that the run made. Nobody's channel is
    /// filled with pins of incidents.
    #[must_use]
    pub fn post_to_pin(&self) -> Option<&ControlPost> {
        let is_own = |id: &str| self.channels.iter().any(|channel| channel.id == id) && self.can_post_to(id);
        self.posts.iter().rev().find(|post| self.is_live(post) && is_own(&post.channel_id))
    }

    /// Whether the current visit offers a transition that somebody could press.
    #[must_use]
    pub fn offers_transitions(&self) -> bool {
        self.posts.iter().any(|post| post.visit == self.visit() && !post.controls.transitions.is_empty())
    }
}
