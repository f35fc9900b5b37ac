//! What templates can read.

use crate::event::Trigger;
use crate::run::Run;
use serde_json::{Map, Value, json};
use warroom_workflow::Workflow;

/// The data of a run's templates: `.Instance.Number`, `.Trigger.NAME.…`, `.Action.NAME.KEY`.
///
/// Every field that the workflow declares is there, as the empty string until somebody sets it; outputs are there once
/// their action has run.
#[must_use]
pub fn template_data(workflow: &Workflow, run: &Run) -> Value {
    let mut actions: Map<String, Value> = Map::new();
    for (action, field) in workflow.fields() {
        write(&mut actions, action, field, "");
    }
    for (action, outputs) in &run.outputs {
        for (key, value) in outputs {
            write(&mut actions, action, key, value);
        }
    }
    json!({
        "Instance": { "Number": run.number },
        "Trigger": trigger_data(&run.trigger),
        "Action": actions,
    })
}

/// What templates read as `.Trigger`: the variables of the trigger that matched, under its name.
#[must_use]
pub fn trigger_data(trigger: &Trigger) -> Value {
    json!({ trigger.name.clone(): {
        "Message": trigger.text,
        "UserName": trigger.user.username,
        "ChannelName": trigger.channel.name,
        "TeamName": trigger.team_name,
        "PostID": trigger.post_id,
        "Permalink": trigger.permalink,
        "Groups": trigger.groups,
    } })
}

fn write(actions: &mut Map<String, Value>, action: &str, key: &str, value: &str) {
    let outputs = actions.entry(action).or_insert_with(|| Value::Object(Map::new()));
    if let Value::Object(outputs) = outputs {
        outputs.insert(key.to_owned(), Value::String(value.to_owned()));
    }
}
