//! Whatever the text, there is an answer and no panic.

use std::sync::LazyLock;

use proptest::prelude::*;
use serde_json::json;
use warroom_workflow::{Catalog, Pattern, Severity, check, check_template, render, render_diagnostics};

use super::{SEED, catalog};

static CATALOG: LazyLock<Catalog> = LazyLock::new(catalog);

/// Checks `text`, and that the answer is consistent in itself.
fn explain(text: &str) {
    let checked = check(text, &CATALOG);
    let refused = checked.diagnostics.iter().any(|found| found.severity == Severity::Error);
    assert!(!refused || checked.workflows.is_empty());
    for found in &checked.diagnostics {
        assert!(text.get(found.span.clone()).is_some(), "{found:?}");
        assert!(found.line == found.end_line && found.line >= 1 && found.column >= 1, "{found:?}");
    }
    for workflow in &checked.workflows {
        assert!(workflow.step(&workflow.first_step().name).is_some());
    }
    let rendered = render_diagnostics("a.json", text, &checked.diagnostics, false);
    assert_eq!(rendered.is_empty(), checked.diagnostics.is_empty());
}

/// What a slip of the hand puts into a file.
fn fragment() -> impl Strategy<Value = String> {
    prop_oneof![
        Just(String::new()),
        prop::sample::select(vec![
            "{",
            "}",
            "[",
            "]",
            "\"",
            ",",
            ":",
            "\\",
            "\n",
            "//",
            "/*",
            "null",
            "-1",
            "1e999",
            "true",
            "{{",
            "}}",
            "{{end}}",
            "\"name\": \"Setup\",",
            "\"to\": 7",
            "ü",
            "\u{feff}",
            "\u{0}",
            "\\ud800",
            "{{range 9}}",
        ])
        .prop_map(str::to_owned),
        ".{0,12}",
    ]
}

fn template() -> impl Strategy<Value = String> {
    let piece = prop::sample::select(vec![
        "{{",
        "}}",
        "{{-",
        "-}}",
        "{{end}}",
        "{{else}}",
        "{{if .N}}",
        "{{range .Words}}",
        "{{with .N}}",
        "{{break}}",
        "{{define \"a\"}}",
        "{{template \"a\"}}",
        "{{block \"b\" .}}",
        "{{$x := 1}}",
        "{{$x}}",
        "{{.N}}",
        "{{/* c */}}",
        "{{printf \"%d\" .N}}",
        "{{index .Words 1}}",
        "{{slice \"ü\" 1}}",
        "\"",
        "`",
        "'",
        "|",
        "(",
        ")",
        " ",
        "x",
        "ü",
        "$",
        "{{else if .N}}",
        "if",
        "0x",
        "1e",
        ".",
        "\\",
    ]);
    prop::collection::vec(piece, 0..12).prop_map(|pieces| pieces.concat())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_text_gets_an_answer(text in "\\PC{0,200}") {
        explain(&text);
    }

    #[test]
    fn a_spoilt_file_gets_an_answer(
        slips in prop::collection::vec((0..SEED.len(), 0_usize..24, fragment()), 1..4)
    ) {
        let mut text = SEED.to_owned();
        for (at, length, fragment) in slips {
            let start = text.floor_char_boundary(at.min(text.len()));
            let end = text.ceil_char_boundary((start + length).min(text.len()));
            text.replace_range(start..end, &fragment);
        }
        explain(&text);
    }

    #[test]
    fn any_template_gets_an_answer(template in prop_oneof![template(), "\\PC{0,60}"]) {
        let data = json!({"N": 1, "Words": ["a", "ü"], "Empty": ""});
        let rendered = render(&template, &data);
        prop_assert!(check_template(&template).is_ok() || rendered.is_err());
        prop_assert!(!rendered.is_ok_and(|output| output.contains("<no value>") && !template.contains("<no value>")));
    }

    #[test]
    fn any_pattern_gets_an_answer(pattern in "\\PC{0,40}", text in "\\PC{0,40}") {
        if let Ok(pattern) = Pattern::new(&pattern) {
            let _ = pattern.is_match(&text);
        }
    }
}
