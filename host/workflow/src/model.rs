//! What a checked file says: workflows, their triggers, steps and actions.

use serde_json::{Map, Value};

use crate::name::Name;
use crate::patterns::Pattern;

/// A workflow. Made by [`check`](crate::check) only, so it has at least one trigger and one step, its names are
/// unique, and every step that is named without a template exists.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Workflow {
    /// Unique in its file.
    pub name: Name,
    /// What the workflow is for, for people.
    pub description: Option<String>,
    /// The number of the first incident, at least 1.
    pub instance_number_start: u64,
    /// How many incidents may start, and in what time.
    pub start_limit: StartLimit,
    /// In the order of the file; the first that matches a message starts the incident.
    pub triggers: Vec<Trigger>,
    /// In the order of the file; an incident begins with the first.
    pub steps: Vec<Step>,
}

/// How many incidents of a workflow may start within a time, so that a flood of alerts does not open a flood of rooms.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StartLimit {
    /// The most starts, at least 1.
    pub starts: u32,
    /// Within this many minutes, at least 1.
    pub minutes: u32,
}

impl Default for StartLimit {
    fn default() -> StartLimit {
        StartLimit { starts: 10, minutes: 10 }
    }
}

/// What starts an incident: a message, in some channels, that meets a condition.
#[derive(Debug, Clone, PartialEq)]
pub struct Trigger {
    /// Unique in its workflow; templates read `.Trigger.NAME`.
    pub name: Name,
    /// The handles of the teams it listens to; none: all.
    pub team_names: Vec<String>,
    /// The handles or display names of the channels it listens to; none: all.
    pub channel_names: Vec<String>,
    /// What the message must hold.
    pub condition: Condition,
    /// What the message must not hold: any of these.
    pub except: Vec<Condition>,
    /// What is searched; none: the prose of a person's post, the whole of an automated one.
    pub match_in: Option<MatchIn>,
    /// A template over the trigger's variables. A match whose key is that of an open run of the same workflow is folded
    /// into that run.
    pub key: Option<String>,
}

/// What part of a message a trigger searches.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MatchIn {
    /// The text without code and without quoted lines; no attachments.
    Prose,
    /// All of it: text and attachments, code and quotes too.
    All,
}

/// What a message must hold.
#[derive(Debug, Clone, PartialEq)]
pub enum Condition {
    /// A text as a word or phrase, see [`TriggerIndex`](crate::TriggerIndex).
    Text {
        /// The word or phrase.
        text: String,
        /// Whether letter case does not count.
        ignore_case: bool,
    },
    /// A match of this pattern, anywhere.
    Pattern(Pattern),
}

/// A state of the incident. At least one of the lists holds an action.
#[derive(Debug, Clone, PartialEq)]
pub struct Step {
    /// Unique in its workflow.
    pub name: Name,
    /// Run in order when the step is entered.
    pub start_actions: Vec<Action>,
    /// Run in order when the step is left.
    pub finish_actions: Vec<Action>,
}

/// Something that the host does.
#[derive(Debug, Clone, PartialEq)]
pub struct Action {
    /// Unique in its workflow; templates read `.Action.NAME`.
    pub name: Name,
    /// What a failure means for the incident.
    pub on_error: OnError,
    /// How long it is tried while the failure may pass; none: as the host is configured.
    pub retry: Option<Retry>,
    /// What is done.
    pub kind: ActionKind,
}

/// How long an action is tried whose failure may pass. Both bounds hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Retry {
    /// The most tries, at least 1.
    pub tries: u32,
    /// The longest time from the first try to the last, at least 1 minute.
    pub minutes: u32,
}

impl Default for Retry {
    fn default() -> Retry {
        Retry { tries: 10, minutes: 15 }
    }
}

/// What a failed action means for the incident.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum OnError {
    /// It waits for a person who retries, skips or cancels.
    #[default]
    Block,
    /// It goes on with the next action.
    Continue,
}

/// What an action does.
#[derive(Debug, Clone, PartialEq)]
pub enum ActionKind {
    /// Goes to another step, with nobody asked.
    TransitionTo {
        /// A step of the same workflow.
        step: Name,
    },
    /// Ends the incident.
    FinishedWorkflow,
    /// Runs a component.
    Component {
        /// A type of the [`Catalog`](crate::Catalog).
        type_name: String,
        /// As the author wrote them, templates not rendered; without the keys that belong to the language.
        parameters: Map<String, Value>,
        /// The values at `x-warroom-step`, as written, in the order of the file, each once: the only steps that the
        /// component may ask for. One that holds no template exists.
        steps: Vec<String>,
        /// The values at `x-warroom-outputs`: outputs that people set.
        fields: Vec<String>,
        /// The outputs that the component always has.
        outputs: Vec<String>,
        /// The people and groups at `x-warroom-role: people` that are written literally, without `@`, in the order of the file, each once.
        people: Vec<String>,
    },
}

impl Workflow {
    /// The step with this name.
    pub fn step(&self, name: &str) -> Option<&Step> {
        self.steps.iter().find(|step| step.name == name)
    }

    /// The step that an incident begins with.
    #[expect(
        clippy::indexing_slicing,
        reason = "`check` is the only maker of a workflow and refuses one that has no step"
    )]
    pub fn first_step(&self) -> &Step {
        &self.steps[0]
    }

    /// All actions, in the order of the file.
    pub fn actions(&self) -> impl Iterator<Item = &Action> {
        self.steps.iter().flat_map(Step::actions)
    }

    /// The action with this name; names are unique in a workflow.
    pub fn action(&self, name: &str) -> Option<&Action> {
        self.actions().find(|action| action.name == name)
    }

    /// The action that stands after the one with this name, in the same list.
    pub fn action_after(&self, name: &str) -> Option<&Action> {
        let mut lists = self.steps.iter().flat_map(|step| [&step.start_actions, &step.finish_actions]);
        lists.find_map(|list| list.iter().skip_while(|action| action.name != name).nth(1))
    }

    /// The outputs that people set, as pairs of action and field, in the order of the file.
    pub fn fields(&self) -> impl Iterator<Item = (&str, &str)> {
        self.actions().flat_map(|action| {
            let fields = match &action.kind {
                ActionKind::Component { fields, .. } => fields.as_slice(),
                ActionKind::TransitionTo { .. } | ActionKind::FinishedWorkflow => &[],
            };
            fields.iter().map(|field| (action.name.as_str(), field.as_str()))
        })
    }
}

impl Action {
    /// The people and groups that it brings in, as far as they are written literally; see [`ActionKind::Component`].
    pub fn people(&self) -> &[String] {
        match &self.kind {
            ActionKind::Component { people, .. } => people,
            ActionKind::TransitionTo { .. } | ActionKind::FinishedWorkflow => &[],
        }
    }
}

impl Step {
    /// All actions: those of the start, then those of the finish.
    pub fn actions(&self) -> impl Iterator<Item = &Action> {
        self.start_actions.iter().chain(&self.finish_actions)
    }
}
