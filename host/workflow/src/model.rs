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
    /// In the order of the file; the first that matches a message starts the incident.
    pub triggers: Vec<Trigger>,
    /// In the order of the file; an incident begins with the first.
    pub steps: Vec<Step>,
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
}

/// What a message must hold.
#[derive(Debug, Clone, PartialEq)]
pub enum Condition {
    /// This text as a word or phrase, see [`TriggerIndex`](crate::TriggerIndex).
    Text(String),
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
    /// What is done.
    pub kind: ActionKind,
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

impl Step {
    /// All actions: those of the start, then those of the finish.
    pub fn actions(&self) -> impl Iterator<Item = &Action> {
        self.start_actions.iter().chain(&self.finish_actions)
    }
}
