//! What can happen to a run. Events are the only truth; everything else is a fold over them.
//!
//! Facts are stored as JSON under their `kind`. A shipped kind keeps its fields for ever: what must change becomes a new kind,
//! or a field with a default.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::collections::BTreeMap;
use std::fmt;

/// One thing that happened, and when.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Event {
    /// When it was journalled, in milliseconds since 1970-01-01T00:00:00Z.
    pub at_ms: u64,
    /// What happened.
    #[serde(flatten)]
    pub fact: Fact,
}

/// A person (or bot) of the chat.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Person {
    /// The chat server's id.
    pub id: String,
    /// The handle, without `@`.
    pub username: String,
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
            FailureKind::Denied => "denied",
            FailureKind::Template => "template",
            FailureKind::Limit => "limit",
            FailureKind::Nondeterministic => "nondeterministic",
            FailureKind::Unavailable => "unavailable",
            FailureKind::Failed => "failed",
        })
    }
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

/// What a field is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FieldKind {
    /// Its value becomes the username of who pressed it last.
    Button,
    /// Its value becomes the option chosen last.
    Menu(Vec<String>),
}

/// A value that people set.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Field {
    /// Its name, which templates read.
    pub name: String,
    /// For people.
    pub description: String,
    /// What it is.
    pub kind: FieldKind,
}

/// A way on to another step, as a control of a post.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TransitionControl {
    /// What the button says.
    pub label: String,
    /// For people.
    pub description: String,
    /// The step.
    pub to: String,
    /// Who may press it, by username or user id; none: every member of the channel.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub allowed: Vec<String>,
}

/// The controls of a post, as data.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Controls {
    /// Title over the fields.
    pub fields_title: String,
    /// The fields, in order.
    pub fields: Vec<Field>,
    /// Title over the transitions.
    pub transitions_title: String,
    /// The transitions, in order.
    pub transitions: Vec<TransitionControl>,
}

/// A post with controls, as it was written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ControlPost {
    /// The key of the host call that wrote it.
    pub key: String,
    /// The visit whose end takes the controls away.
    pub visit: u32,
    /// The action that wrote it, under whose name its fields are read.
    pub action: String,
    /// The chat server's id of the post.
    pub post_id: String,
    /// The channel it stands in.
    pub channel_id: String,
    /// Its message.
    pub message: String,
    /// Its controls.
    pub controls: Controls,
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
        components: BTreeMap<String, String>,
        /// The incident's number within the workflow.
        number: u64,
        /// What started it.
        trigger: Trigger,
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
        input: Map<String, Value>,
        /// What the component can see of the incident, the time it shows included.
        incident: Value,
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
        answer: Value,
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
    /// The notice of a failure is about to be posted.
    NoticeIntended {
        /// The key that the post carries.
        key: String,
        /// Where.
        channel_id: String,
    },
    /// The notice of a failure was posted.
    NoticePosted {
        /// The key that the post carries.
        key: String,
        /// The post.
        post_id: String,
    },
    /// The notice could not be posted anywhere; the log has it.
    NoticeFailed {
        /// Why.
        reason: String,
    },
    /// The notice that could be posted nowhere is to be tried again.
    NoticeRenewed,
    /// The trigger matched again with the run's key: the post is folded into this run instead of starting another.
    Repeated {
        /// The post.
        repeat: Repeat,
    },
    /// The post that says how often the trigger matched again is about to be written.
    RepeatsIntended {
        /// The key that the post carries.
        key: String,
        /// Where.
        channel_id: String,
    },
    /// That post says so many repeats now.
    RepeatsTold {
        /// The post.
        post_id: String,
        /// How many it says.
        count: u64,
    },
    /// The repeats could not be told, and will not be until there are more.
    RepeatsUntold {
        /// How many there were.
        count: u64,
        /// Why.
        reason: String,
    },
    /// A person let the failed action be tried again.
    Retried {
        /// Who.
        by: Person,
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
    },
}
