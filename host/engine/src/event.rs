//! What can happen to a run. Events are the only truth; everything else is a fold over them.
//!
//! Facts are stored as JSON under their `kind`. A shipped kind keeps its fields for ever: what must change becomes a new kind,
//! or a field with a default.
//!
//! What is large and never changes is shared between a fact and the runs that it is folded into: a run is copied often.

use crate::control::ControlPost;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

/// One thing that happened, and when.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Event {
    /// When it was journalled, in milliseconds since 1970-01-01T00:00:00Z.
    pub at_ms: u64,
    /// What happened.
    #[serde(flatten)]
    pub fact: Fact,
}

/// Whether the text has the form of an id of the chat server: 26 small letters and digits.
#[must_use]
pub fn is_id(text: &str) -> bool {
    text.len() == 26 && text.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit())
}

/// A person (or bot) of the chat.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Person {
    /// The chat server's id.
    pub id: String,
    /// The handle, without `@`.
    pub username: String,
}

impl Person {
    /// Somebody who acts from the operators' shell, where nobody has an id of the chat.
    #[must_use]
    pub fn at_the_shell(name: &str) -> Person {
        Person { id: String::new(), username: name.to_owned() }
    }

    /// Whether `name` is the person's id, or username, with or without `@` and in capitals or not. What has the form of an id is
    /// nobody's username, though people may call themselves so: whom it was written for is meant.
    #[must_use]
    pub fn is_named(&self, name: &str) -> bool {
        let bare = name.trim_start_matches('@');
        self.id == name || (!is_id(bare) && self.username.eq_ignore_ascii_case(bare))
    }

    /// How texts name the person: `@username`, or without the sign for who is not of the chat.
    #[must_use]
    pub fn mention(&self) -> String {
        if self.id.is_empty() {
            format!("`{}` (shell)", self.username)
        } else {
            format!("@{}", self.username)
        }
    }
}

/// A channel of the chat.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Channel {
    /// The chat server's id.
    pub id: String,
    /// The handle.
    pub name: String,
    /// The name that people see.
    pub display_name: String,
    /// The id of the channel's team.
    pub team_id: String,
}

/// The post that started a run, as it was then.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Trigger {
    /// The trigger's name in the workflow.
    pub name: String,
    /// The post's id: with the workflow's name it is unique over all runs.
    pub post_id: String,
    /// The text, then the texts of the attachments, a line each.
    pub text: String,
    /// Who posted.
    pub user: Person,
    /// Where.
    pub channel: Channel,
    /// The handle of the team.
    pub team_name: String,
    /// An address that a browser can open.
    pub permalink: String,
    /// When it was written, by the chat server's clock, in milliseconds since 1970; 0 in journals that do not know it.
    #[serde(default)]
    pub created_ms: u64,
    /// The named groups of the trigger's pattern.
    #[serde(default)]
    pub groups: BTreeMap<String, String>,
}

/// A further post that a keyed trigger matched.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Repeat {
    /// The post's id.
    pub post_id: String,
    /// Who posted.
    pub user: Person,
    /// An address that a browser can open.
    pub permalink: String,
}

/// Which list of a step an action stands in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// `start_actions`, executed when the step is entered.
    Start,
    /// `finish_actions`, executed when the step is left.
    Finish,
}

/// Names one attempt at one action; unique within a run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ActionKey {
    /// Which visit of a step, counted from 1 over the run.
    pub visit: u32,
    /// Which list of the step.
    pub phase: Phase,
    /// Where in that list, from 0.
    pub index: u32,
    /// Counted from 1; a person's retry makes a new attempt.
    pub attempt: u32,
    /// The action's name in the workflow.
    pub name: String,
}

impl ActionKey {
    /// The key of this execution: `RUN/VISIT/ACTION/ATTEMPT`.
    #[must_use]
    pub fn execution(&self, run: &str) -> String {
        format!("{run}/{}/{}/{}", self.visit, self.name, self.attempt)
    }

    /// The key of the execution's `n`-th host call, counted from 1.
    #[must_use]
    pub fn call(&self, run: &str, n: u32) -> String {
        format!("{}/{n}", self.execution(run))
    }
}

/// Why an action failed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
    /// What kind of failure.
    pub kind: FailureKind,
    /// For people: what was being done, to what, why it failed, what to do.
    pub message: String,
}

/// Kinds of failure; the contract's error kinds, and what only the host can find.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FailureKind {
    /// The input is wrong.
    InvalidInput,
    /// Something named does not exist.
    NotFound,
    /// Something exists already, or is in the wrong state.
    Conflict,
    /// The name of a channel that was to be made is taken.
    NameTaken,
    /// Not allowed.
    Denied,
    /// A template could not be rendered.
    Template,
    /// The component trapped or overstepped a limit.
    Limit,
    /// An execution that was run again asked for something else than before.
    Nondeterministic,
    /// The other side stayed away until the action's budget was spent, or the guest says that it did.
    Unavailable,
    /// Anything else.
    Failed,
}

impl fmt::Display for FailureKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            FailureKind::InvalidInput => "invalid input",
            FailureKind::NotFound => "not found",
            FailureKind::Conflict => "conflict",
            FailureKind::NameTaken => "name taken",
            FailureKind::Denied => "denied",
            FailureKind::Template => "template",
            FailureKind::Limit => "limit",
            FailureKind::Nondeterministic => "nondeterministic",
            FailureKind::Unavailable => "unavailable",
            FailureKind::Failed => "failed",
        })
    }
}

/// What happened to a channel that a run made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Loss {
    /// Somebody archived it.
    Archived,
    /// The bot is no member of it any more.
    Removed,
    /// It is not there any more, or on a team that the bot is not on.
    Gone,
}

/// Who or what decided that a step is left.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Chooser {
    /// A person pressed a transition.
    Person(Person),
    /// A component asked for it in its outcome; the action's name.
    Action(String),
    /// The workflow says so: `transition_to`, `finished_workflow`, or a step that offers no transition.
    Workflow,
}

/// Where a run goes when a step is left.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Destination {
    /// Into a step.
    Step(String),
    /// To its end.
    End,
}

/// What happened.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Fact {
    /// A trigger matched. The first event of every run.
    RunStarted {
        /// The run's id, unique over all runs.
        run: String,
        /// The workflow's name.
        workflow: String,
        /// The digest of the file text that the run keeps until it ends.
        workflow_digest: String,
        /// The components that the run keeps until it ends: digests by action type.
        components: Arc<BTreeMap<String, String>>,
        /// The incident's number within the workflow.
        number: u64,
        /// What started it.
        trigger: Arc<Trigger>,
    },
    /// A step was entered; its start actions follow.
    StepEntered {
        /// The step.
        step: String,
    },
    /// An action's execution begins. A replay reads only this.
    ActionStarted {
        /// Which.
        action: ActionKey,
        /// The component's digest.
        digest: String,
        /// The rendered input.
        input: Arc<Map<String, Value>>,
        /// What the component can see of the incident, the time it shows included.
        incident: Arc<Value>,
    },
    /// A host call is about to be made.
    CallIntended {
        /// By which execution.
        action: ActionKey,
        /// Its number within the execution, from 1.
        n: u32,
        /// The function, such as `channels.create`.
        function: String,
        /// The digest of the arguments.
        arguments: String,
    },
    /// A host call was answered, with success or an error that the guest was shown.
    CallAnswered {
        /// By which execution.
        action: ActionKey,
        /// Its number within the execution.
        n: u32,
        /// The answer, as the host encodes it.
        answer: Arc<Value>,
    },
    /// What became of a host call of an execution that is over is not found out any more.
    CallGivenUp {
        /// By which execution.
        action: ActionKey,
        /// Its number within the execution.
        n: u32,
        /// The function, such as `channels.create`.
        function: String,
        /// The handle of the channel that may have been made, where it is known.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        channel_name: Option<String>,
        /// Why.
        reason: String,
    },
    /// The run made a channel; the first one is its room.
    ChannelCreated {
        /// The channel.
        channel: Channel,
    },
    /// The run brought people into a channel.
    PeopleAdded {
        /// The channel.
        channel_id: String,
        /// Who; earlier versions did not write it down.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        people: Vec<Person>,
    },
    /// The run wrote a post with controls.
    ControlsPosted {
        /// The post.
        post: ControlPost,
    },
    /// The execution was interrupted and will be run again.
    ActionDeferred {
        /// Which.
        action: ActionKey,
        /// Not before this time.
        until_ms: u64,
        /// Why.
        reason: String,
        /// Whether this spends one of the action's tries. An unreachable server spends none.
        spends_try: bool,
    },
    /// The execution ended well.
    ActionSucceeded {
        /// Which.
        action: ActionKey,
        /// What it put out.
        outputs: BTreeMap<String, String>,
    },
    /// The execution ended badly.
    ActionFailed {
        /// Which.
        action: ActionKey,
        /// Why.
        failure: Failure,
        /// Whether the workflow says to go on (`on_error: continue`); otherwise the run is blocked.
        goes_on: bool,
    },
    /// The run cannot go on by itself, for a reason that lies in no single action.
    RunBlocked {
        /// Why.
        failure: Failure,
    },
    /// The trigger matched again with the run's key: the post is folded into this run instead of starting another.
    Repeated {
        /// The post.
        repeat: Repeat,
    },
    /// One of the run's announcements is about to be posted.
    AnnouncementIntended {
        /// Which, from 0.
        n: u32,
        /// Where.
        channel_id: String,
    },
    /// The announcement was posted. What it says then follows the run.
    AnnouncementPosted {
        /// Which, from 0.
        n: u32,
        /// The post.
        post_id: String,
    },
    /// The announcement could be posted nowhere; the log has it.
    AnnouncementFailed {
        /// Which, from 0.
        n: u32,
        /// Why.
        reason: String,
    },
    /// The announcements that could be posted nowhere are to be tried again.
    AnnouncementsRenewed,
    /// What earlier versions journalled of the host's own posts. It changes nothing any more.
    #[serde(
        alias = "notice_intended",
        alias = "notice_posted",
        alias = "notice_failed",
        alias = "notice_renewed",
        alias = "repeats_intended",
        alias = "repeats_told",
        alias = "repeats_untold"
    )]
    Superseded,
    /// A channel that the run made, or where people press its buttons, cannot be used any more, by nothing that the run did.
    ChannelLost {
        /// The channel.
        channel_id: String,
        /// What happened to it.
        how: Loss,
        /// The channel with its names, when the run did not make it; they are empty when nobody could tell them.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        channel: Option<Channel>,
    },
    /// A channel that was lost can be used again.
    ChannelBack {
        /// The channel.
        channel_id: String,
    },
    /// The run archived a channel.
    ChannelArchived {
        /// The channel.
        channel_id: String,
    },
    /// A cancelled run could not archive a channel that it made.
    ChannelKept {
        /// The channel.
        channel_id: String,
        /// Why.
        reason: String,
    },
    /// Somebody deleted a post in which people decide. Another one stands in for it.
    PostDeleted {
        /// The key of the post.
        post: String,
    },
    /// The post of the current step is pinned to its channel, or cannot be.
    Pinned {
        /// The key of the post.
        post: String,
    },
    /// The post of a step that was left is not pinned any more, or that cannot be changed.
    Unpinned {
        /// The key of the post.
        post: String,
    },
    /// A person let the failed action be tried again.
    Retried {
        /// Who.
        by: Person,
    },
    /// A person let the failed action be tried again with the next number whose name is free.
    RenumberingAsked {
        /// Who.
        by: Person,
    },
    /// The incident has another number from now on.
    Renumbered {
        /// The number.
        number: u64,
    },
    /// A person let the failed action be tried again as the workflow is now.
    Repinned {
        /// Who.
        by: Person,
        /// The digest of the file text that the run keeps from now on.
        workflow_digest: String,
        /// The components that it keeps from now on: digests by action type.
        components: Arc<BTreeMap<String, String>>,
        /// Which list of the step the action stands in there.
        phase: Phase,
        /// Where in that list, from 0.
        index: u32,
    },
    /// A person let the run go on without the failed action.
    Skipped {
        /// Who.
        by: Person,
    },
    /// A person pressed a button field or chose from a menu.
    FieldSet {
        /// The key of the post.
        post: String,
        /// The action whose output it is.
        action: String,
        /// The field.
        field: String,
        /// Its value now.
        value: String,
        /// Who.
        by: Person,
        /// Which press it was; empty where the server does not tell, and in journals of earlier versions.
        #[serde(default, skip_serializing_if = "String::is_empty")]
        press: String,
    },
    /// It is decided that the current step is left.
    TransitionChosen {
        /// Where to.
        to: Destination,
        /// What the pressed button said, where one was pressed.
        label: Option<String>,
        /// Who decided.
        by: Chooser,
    },
    /// The controls of a post are gone from the chat.
    ControlsRemoved {
        /// The key of the post.
        post: String,
    },
    /// The step is left: its finish actions are done.
    StepLeft,
    /// The run reached its end.
    RunFinished,
    /// A person ended the run.
    RunCancelled {
        /// Who.
        by: Person,
        /// Why, in that person's words.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        reason: Option<String>,
        /// Whether the channels that the run made stay as they are; otherwise they are archived.
        #[serde(default)]
        keep_room: bool,
    },
}
