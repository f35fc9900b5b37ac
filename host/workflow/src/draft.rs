//! A file as it was read, with the gaps that mistakes leave. Checks that need the whole workflow work on drafts, so
//! that a mistake here hides none there; only a draft without gaps becomes a [`Workflow`].

use std::collections::HashSet;
use std::ops::Range;

use serde_json::{Map, Value};

use crate::model::{Action, ActionKind, OnError, Retry, StartLimit, Step, Trigger, Workflow};
use crate::name::Name;

pub(crate) struct DraftWorkflow {
    /// Whether no mistake of syntax hides a part of it.
    pub(crate) is_whole: bool,
    pub(crate) name: Option<Name>,
    pub(crate) description: Option<String>,
    pub(crate) instance_number_start: u64,
    pub(crate) start_limit: StartLimit,
    pub(crate) triggers: Vec<Trigger>,
    pub(crate) steps: Vec<DraftStep>,
}

pub(crate) struct DraftStep {
    pub(crate) name: Option<Name>,
    /// The name, or else the step.
    pub(crate) mark: Range<usize>,
    pub(crate) start_actions: Vec<DraftAction>,
    pub(crate) finish_actions: Vec<DraftAction>,
}

pub(crate) struct DraftAction {
    pub(crate) name: Option<Name>,
    /// The type, or else the action.
    pub(crate) mark: Range<usize>,
    pub(crate) on_error: OnError,
    pub(crate) retry: Option<Retry>,
    pub(crate) kind: Option<DraftKind>,
}

/// A step's name as it is written somewhere.
pub(crate) struct Target {
    pub(crate) name: String,
    pub(crate) mark: Range<usize>,
}

pub(crate) enum DraftKind {
    TransitionTo(Target),
    FinishedWorkflow,
    Component {
        type_name: String,
        parameters: Map<String, Value>,
        steps: Vec<Target>,
        fields: Vec<String>,
        outputs: Vec<String>,
    },
}

impl DraftWorkflow {
    /// The workflow, when nothing is missing.
    pub(crate) fn finish(self) -> Option<Workflow> {
        if self.triggers.is_empty() || self.steps.is_empty() {
            return None;
        }
        Some(Workflow {
            name: self.name?,
            description: self.description,
            instance_number_start: self.instance_number_start,
            start_limit: self.start_limit,
            triggers: self.triggers,
            steps: self.steps.into_iter().map(DraftStep::finish).collect::<Option<_>>()?,
        })
    }
}

impl DraftStep {
    fn finish(self) -> Option<Step> {
        let finish =
            |actions: Vec<DraftAction>| actions.into_iter().map(DraftAction::finish).collect::<Option<_>>();
        Some(Step {
            name: self.name?,
            start_actions: finish(self.start_actions)?,
            finish_actions: finish(self.finish_actions)?,
        })
    }
}

impl DraftAction {
    fn finish(self) -> Option<Action> {
        let kind = match self.kind? {
            DraftKind::TransitionTo(target) => {
                ActionKind::TransitionTo { step: Name::new(target.name).ok()? }
            }
            DraftKind::FinishedWorkflow => ActionKind::FinishedWorkflow,
            DraftKind::Component { type_name, parameters, steps, fields, outputs } => {
                let mut seen = HashSet::new();
                let names = steps.into_iter().map(|step| step.name);
                let steps = names.filter(|name| seen.insert(name.clone())).collect();
                ActionKind::Component { type_name, parameters, steps, fields, outputs }
            }
        };
        Some(Action { name: self.name?, on_error: self.on_error, retry: self.retry, kind })
    }
}
