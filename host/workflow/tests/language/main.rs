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

/// Action types like those that come with the service.
fn catalog() -> Catalog {
    let types: Vec<serde_json::Value> =
        serde_json::from_str(include_str!("../fixtures/catalog.json")).unwrap();
    let types = types.into_iter().map(|described| ActionType {
        type_name: described["type_name"].as_str().unwrap().to_owned(),
        parameters: described["parameters"].clone(),
        outputs: serde_json::from_value(described["outputs"].clone()).unwrap(),
    });
    Catalog::new(types).unwrap()
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
