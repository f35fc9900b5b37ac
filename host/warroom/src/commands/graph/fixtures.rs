//! Workflows to draw, for the tests of this command.

use serde_json::{Value, json};
use warroom_workflow::{ActionType, Catalog, Workflow, check};

/// The real schema of `post`, a component that branches, and one that takes anything.
pub(super) fn catalog() -> Catalog {
    let post = include_str!("../../../../../guest-actions/post/src/schema.json");
    let step = json!({"type": "string", "x-warroom-step": true});
    let types = [
        ("post", serde_json::from_str(post).unwrap()),
        ("branch", json!({"properties": {"yes": step, "no": step}})),
        ("create_channel", json!({})),
        ("add_users_channel", json!({})),
        ("archive_channel", json!({})),
    ];
    let types = types.map(|(type_name, parameters)| ActionType {
        type_name: type_name.to_owned(),
        parameters,
        outputs: ["ChannelName".to_owned(), "ChannelID".to_owned()].to_vec(),
    });
    Catalog::new(types).unwrap()
}

/// The workflows of a file that has no errors.
pub(super) fn workflows(text: &str) -> Vec<Workflow> {
    let checked = check(text, &catalog());
    assert!(!checked.workflows.is_empty(), "{:#?}", checked.diagnostics);
    checked.workflows
}

/// A workflow that consists of these steps.
pub(super) fn workflow(steps: Value) -> Workflow {
    let trigger = json!({"name": "Reported", "type": "text", "match": "#sec"});
    let text = json!([{"name": "security_issue", "triggers": [trigger], "steps": steps}]).to_string();
    workflows(&text).remove(0)
}

/// The workflow of the samples.
pub(super) fn sample() -> Workflow {
    workflows(include_str!("../../../../workflow/tests/fixtures/security_issue.json")).remove(0)
}

/// A post that offers these steps, as pairs of label and step.
pub(super) fn post(name: &str, transitions: &[(&str, &str)]) -> Value {
    let offer = |(label, to): &(&str, &str)| json!({"label": label, "to": to});
    let transitions: Vec<_> = transitions.iter().map(offer).collect();
    json!({"name": name, "type": "post", "channel_name": "c", "message": "m", "transitions": transitions})
}
