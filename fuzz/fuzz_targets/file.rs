//! Any text gets an answer: no panic, spans inside the text, an end in time (libFuzzer's `-timeout`).
#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use serde_json::Value;
use warroom_workflow::{ActionType, Catalog, Severity, check, render_diagnostics};

static CATALOG: LazyLock<Catalog> = LazyLock::new(|| {
    let schemas = [
        ("create_channel", include_str!("../../guest-actions/create_channel/src/schema.json")),
        ("add_users_channel", include_str!("../../guest-actions/add_users_channel/src/schema.json")),
        ("post", include_str!("../../guest-actions/post/src/schema.json")),
        ("archive_channel", include_str!("../../guest-actions/archive_channel/src/schema.json")),
    ];
    Catalog::new(schemas.map(|(name, schema)| ActionType {
        type_name: name.to_owned(),
        parameters: serde_json::from_str(schema).unwrap(),
        outputs: vec!["ChannelName".to_owned(), "ChannelID".to_owned()],
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
