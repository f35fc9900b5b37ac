//! What an action may put out, and where it may lead: only what its parameters and its descriptor declare.

use std::collections::BTreeSet;
use warroom_workflow::{ActionKind, Workflow};

/// What an action said beforehand that it may put out and where it may lead.
#[derive(Default)]
pub(crate) struct Declared {
    pub(crate) outputs: BTreeSet<String>,
    pub(crate) steps: BTreeSet<String>,
}

impl Declared {
    pub(crate) fn by(workflow: &Workflow, action: &str) -> Declared {
        match workflow.action(action).map(|action| &action.kind) {
            Some(ActionKind::Component { steps, fields, outputs, .. }) => Declared {
                outputs: fields.iter().chain(outputs).cloned().collect(),
                // One that a template writes is known only now: it may lead anywhere in the workflow.
                steps: if steps.iter().any(|step| step.contains("{{")) {
                    workflow.steps.iter().map(|step| step.name.to_string()).collect()
                } else {
                    steps.iter().cloned().collect()
                },
            },
            _ => Declared::default(),
        }
    }
}
