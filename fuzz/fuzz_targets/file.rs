//! Any text gets an answer: no panic, spans inside the text, an end in time (libFuzzer's `-timeout`).
#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use serde_json::Value;
use warroom_workflow::{ActionType, Catalog, Severity, check, render_diagnostics};

static CATALOG: LazyLock<Catalog> = LazyLock::new(|| {
    let types: Vec<Value> =
        serde_json::from_str(include_str!("../../host/workflow/tests/fixtures/catalog.json")).unwrap();
    Catalog::new(types.into_iter().map(|described| ActionType {
        type_name: described["type_name"].as_str().unwrap().to_owned(),
        parameters: described["parameters"].clone(),
        outputs: serde_json::from_value(described["outputs"].clone()).unwrap(),
    }))
    .unwrap()
});

fuzz_target!(|text: &str| {
    let checked = check(text, &CATALOG);
    let refused = checked.diagnostics.iter().any(|found| found.severity == Severity::Error);
    assert!(!refused || checked.workflows.is_empty());
    for found in &checked.diagnostics {
        assert!(text.get(found.span.clone()).is_some(), "{found:?}");
        assert!(found.line == found.end_line && found.line >= 1 && found.column >= 1, "{found:?}");
    }
    // What serde_json refuses must not pass, save for a byte order mark.
    if !refused {
        serde_json::from_str::<Value>(text.trim_start_matches('\u{feff}')).unwrap();
    }
    let _ = render_diagnostics("a.json", text, &checked.diagnostics, false);
});
