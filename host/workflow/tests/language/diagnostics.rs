//! Golden diagnostics: every file in `fixtures/wrong` and what is said about it.

use std::path::Path;

use warroom_workflow::{Severity, check, render_diagnostics};

use super::{SEED, catalog, codes};

#[test]
fn wrong_files_are_explained() {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/wrong");
    let mut files: Vec<_> =
        std::fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    assert!(files.len() >= 60);
    let catalog = catalog();
    for path in files {
        let text = std::fs::read_to_string(&path).unwrap();
        let checked = check(&text, &catalog);
        let stem = path.file_stem().unwrap().to_str().unwrap();
        let refused = checked.diagnostics.iter().any(|found| found.severity == Severity::Error);
        assert!(!checked.diagnostics.is_empty(), "{stem}");
        for found in &checked.diagnostics {
            assert!(found.help.as_ref().is_some_and(|help| !help.is_empty()), "{stem}: {}", found.message);
        }
        assert!(!refused || checked.workflows.is_empty(), "{stem}");
        let rendered = render_diagnostics(&format!("{stem}.json"), &text, &checked.diagnostics, false);
        insta::with_settings!({ prepend_module_to_snapshot => false, omit_expression => true }, {
            insta::assert_snapshot!(stem, rendered);
        });
    }
}

#[test]
fn the_messages_people_search_for_come_first() {
    let messages = |text: &str| -> Vec<String> {
        check(text, &catalog()).diagnostics.into_iter().map(|found| found.message).collect()
    };
    let begins = |text: &str, beginning: &str| {
        let messages = messages(text);
        assert!(messages.iter().any(|message| message.starts_with(beginning)), "{messages:#?}");
    };
    begins(
        include_str!("../fixtures/wrong/blank_names.json"),
        "Error parsing workflow: workflow name must not be blank",
    );
    begins(
        include_str!("../fixtures/wrong/blank_names.json"),
        "Error parsing workflow: step name must not be blank",
    );
    begins(
        include_str!("../fixtures/wrong/no_triggers.json"),
        "Error parsing workflow: unable to load triggers",
    );
    begins(
        include_str!("../fixtures/wrong/no_actions.json"),
        "Error parsing workflow: unable to load actions",
    );
}

#[test]
fn positions_count_characters() {
    let text = SEED.replace("\"security_issue\",", "\"security_issue\", \"düscription\": 1,");
    let found = check(&text, &catalog()).diagnostics.remove(0);
    assert_eq!((found.line, found.column, found.end_line, found.end_column), (3, 31, 3, 44));
    assert_eq!(&text[found.span.clone()], "\"düscription\"");
    let after = text.replace("\"düscription\": 1,", "\"description\": \"ü\", \"odd\": 1,");
    let diagnostics = check(&after, &catalog()).diagnostics;
    assert!(render_diagnostics("a.json", &after, &diagnostics, false).contains("a.json:3:51"));
    assert_eq!(found.help.as_deref().map(|help| help.starts_with("did you mean `description`?")), Some(true));
}

#[test]
fn colour_is_only_added_on_request() {
    let text = "[";
    let diagnostics = check(text, &catalog()).diagnostics;
    assert!(!render_diagnostics("a.json", text, &diagnostics, false).contains('\u{1b}'));
    assert!(render_diagnostics("a.json", text, &diagnostics, true).contains('\u{1b}'));
    assert_eq!(render_diagnostics("a.json", text, &[], false), "");
}

#[test]
fn the_seed_without_a_comma_is_one_error() {
    assert_eq!(codes(&SEED.replacen("},", "}", 1)), ["E002", "W017"]);
}
