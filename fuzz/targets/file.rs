//! A workflow file of any bytes: `check` says what is wrong with it and where, and nothing else happens.
#![no_main]

use libfuzzer_sys::fuzz_target;
use std::sync::LazyLock;
use warroom_workflow::{ActionType, Catalog, Severity, check, render_diagnostics};

static CATALOG: LazyLock<Catalog> = LazyLock::new(|| {
    let schemas = [
        ("create_channel", include_str!("../../guest-actions/create_channel/src/schema.json")),
        ("add_users_channel", include_str!("../../guest-actions/add_users_channel/src/schema.json")),
        ("post", include_str!("../../guest-actions/post/src/schema.json")),
        ("archive_channel", include_str!("../../guest-actions/archive_channel/src/schema.json")),
    ];
    let types = schemas.map(|(name, schema)| ActionType {
        type_name: name.to_owned(),
        parameters: serde_json::from_str(schema).unwrap(),
        outputs: vec!["ChannelName".to_owned(), "ChannelID".to_owned()],
    });
    Catalog::new(types).unwrap()
});

fuzz_target!(|text: &str| {
    let checked = check(text, &CATALOG);
    let refused = checked.diagnostics.iter().any(|found| found.severity == Severity::Error);
    assert!(!refused || checked.workflows.is_empty(), "a file with an error gives no workflow");
    for found in &checked.diagnostics {
        assert!(text.get(found.span.clone()).is_some(), "{found:?}");
        assert!(found.line >= 1 && found.column >= 1, "{found:?}");
        assert!((found.line, found.column) <= (found.end_line, found.end_column), "{found:?}");
        assert!(!found.message.contains('\n'), "{found:?}");
    }
    // A byte order mark is a warning for us, and an error for others.
    let body = text.trim_start_matches('\u{feff}');
    assert!(refused || serde_json::from_str::<serde_json::Value>(body).is_ok(), "what is no JSON is refused");
    render_diagnostics("fuzzed.json", text, &checked.diagnostics, false);
});
