//! Which actions read what another one puts out.

use crate::model::{ActionKind, Workflow};
use crate::templates::Parsed;
use serde_json::Value;

impl Workflow {
    /// The names of the actions whose parameters read an output or a field of the action `name`, in the order of the file. A
    /// field that is read is there even when its post was never written, as the empty string: it counts all the same.
    #[must_use]
    pub fn readers_of(&self, name: &str) -> Vec<String> {
        let others = self.actions().filter(|action| action.name != name);
        let reading = others.filter(|action| match &action.kind {
            ActionKind::Component { parameters, .. } => parameters.values().any(|value| reads(value, name)),
            ActionKind::TransitionTo { .. } | ActionKind::FinishedWorkflow => false,
        });
        reading.map(|action| action.name.to_string()).collect()
    }
}

/// Whether a template in the value reads what the action puts out. Values are no deeper than a file's text may be.
fn reads(value: &Value, action: &str) -> bool {
    match value {
        Value::String(text) => template_reads(text, action),
        Value::Array(items) => items.iter().any(|item| reads(item, action)),
        Value::Object(members) => members.values().any(|member| reads(member, action)),
        Value::Null | Value::Bool(_) | Value::Number(_) => false,
    }
}

fn template_reads(text: &str, action: &str) -> bool {
    let Ok(Some(parsed)) = Parsed::new(text) else { return false };
    parsed.reads().iter().any(|read| match &read.path[..] {
        [root, name, ..] => root.name == "Action" && name.name == action,
        _ => false,
    })
}
