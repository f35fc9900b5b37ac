//! Tests of the language as its users meet it: files, messages and templates in, results out.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test that fails may panic")]

mod acceptance;
mod diagnostics;
mod go_patterns;
mod go_templates;
mod limits;
mod properties;
mod reports;
mod schema;
mod triggers;

use warroom_workflow::{ActionType, Catalog};

/// The workflow that files in use look like.
const SEED: &str = include_str!("../fixtures/security_issue.json");

/// The action types that come with the service, by the schemas that they have.
fn catalog() -> Catalog {
    let action = |name: &str, schema: &str, outputs: &[&str]| ActionType {
        type_name: name.to_owned(),
        parameters: serde_json::from_str(schema).unwrap(),
        outputs: outputs.iter().map(|output| (*output).to_owned()).collect(),
    };
    Catalog::new([
        action(
            "create_channel",
            include_str!("../../../../guest-actions/create_channel/src/schema.json"),
            &["ChannelName", "ChannelID"],
        ),
        action(
            "add_users_channel",
            include_str!("../../../../guest-actions/add_users_channel/src/schema.json"),
            &["Added", "NotAdded"],
        ),
        action(
            "post",
            include_str!("../../../../guest-actions/post/src/schema.json"),
            &["PostID", "ChannelID"],
        ),
        action(
            "archive_channel",
            include_str!("../../../../guest-actions/archive_channel/src/schema.json"),
            &[],
        ),
    ])
    .unwrap()
}

/// A file of one workflow with these steps.
fn file(steps: &str) -> String {
    format!(
        r##"[{{"name": "incident", "triggers": [{{"name": "Said", "type": "text", "match": "#sec"}}], "steps": [{steps}]}}]"##
    )
}

/// The codes that checking `text` reports.
fn codes(text: &str) -> Vec<&'static str> {
    warroom_workflow::check(text, &catalog()).diagnostics.into_iter().map(|found| found.code).collect()
}
