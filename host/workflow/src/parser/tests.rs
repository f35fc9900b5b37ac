use std::time::{Duration, Instant};

use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::diagnostic::{Diagnostic, Severity};

fn read(text: &str) -> (Option<Value>, Vec<Diagnostic>) {
    let mut findings = Findings::new(text);
    let node = parse(text, &mut findings);
    (node.map(|node| node.to_json()), findings.finish())
}

fn found(text: &str) -> Vec<(&'static str, usize, usize)> {
    read(text).1.into_iter().map(|found| (found.code, found.line, found.column)).collect()
}

#[test]
fn one_mistake_is_one_diagnostic() {
    let mut wrong = Vec::new();
    for (text, code, line, column) in [
        ("[1, 2,]", "E002", 1, 6),
        ("{\"a\": 1,}", "E002", 1, 8),
        ("[1,, 2]", "E002", 1, 4),
        ("[,1]", "E002", 1, 2),
        ("[,]", "E002", 1, 2),
        ("[1 2]", "E002", 1, 3),
        ("{\"a\": 1 \"b\": 2}", "E002", 1, 8),
        ("{\"a\" 1}", "E002", 1, 5),
        ("{\"a\": , \"b\": 1}", "E002", 1, 6),
        ("{\"a\":\n \"b\": 1}", "E002", 1, 6),
        ("{\"a\", \"b\": 1}", "E002", 1, 5),
        ("{\"b\": 1, \"a\"}", "E002", 1, 13),
        ("{: 1}", "E002", 1, 2),
        ("{\"a\":: 1}", "E002", 1, 6),
        ("{\"a\" = 1}", "E002", 1, 6),
        ("{\"a\": 1; \"b\": 2}", "E002", 1, 8),
        ("[1] // x", "E012", 1, 5),
        ("[1, /* x */ 2]", "E012", 1, 5),
        ("[1] /* x", "E012", 1, 5),
        ("['a']", "E013", 1, 2),
        ("[\u{201c}a\u{201d}]", "E013", 1, 2),
        ("{a: 1}", "E015", 1, 2),
        ("{1: 1}", "E015", 1, 2),
        ("[True]", "E015", 1, 2),
        ("[None]", "E015", 1, 2),
        ("[hello big world, 1]", "E015", 1, 2),
        ("[NaN]", "E016", 1, 2),
        ("[01]", "E016", 1, 2),
        ("[1e999]", "E016", 1, 2),
        ("[\"a\tb\tc\"]", "E013", 1, 4),
        ("[\"\\d\\d\"]", "E013", 1, 3),
        ("[\"\\ud800\"]", "E013", 1, 3),
        ("[\"\\ud800\\u0041\"]", "E013", 1, 3),
        ("[\"\\u12\"]", "E013", 1, 3),
        ("[\"a,\n\"b\"]", "E013", 1, 2),
        ("[\"a\nb\"]", "E013", 1, 4),
        ("{\"a\": \"say \"x\" now\", \"b\": 1}", "E013", 1, 12),
        ("{\"a: \"x\", \"b\": 1}", "E013", 1, 6),
        ("{\"a\": \"x\",\n\"b: 1,\n\"c\": 2}", "E013", 2, 1),
        ("{\"a\": x\", \"b\": 1}", "E015", 1, 7),
        ("[1] 2", "E002", 1, 5),
        ("[1]]", "E002", 1, 4),
        ("{} {} {}", "E002", 1, 4),
        ("", "E002", 1, 1),
        (" \n", "E002", 2, 1),
        ("\u{0}[\u{0}]\u{0}", "E017", 1, 1),
        ("[1,\u{a0}2]", "E002", 1, 4),
        ("[^1]", "E002", 1, 2),
        ("[1", "E014", 1, 1),
        ("[{\"a\": [1, {\"b\"", "E014", 1, 12),
        ("[{\"a\": 1]", "E014", 1, 9),
        ("[{\"a\": 1}, {\"a\": 2]", "E014", 1, 19),
        ("[{\"a\": [1, 2}, {\"b\": 1}]", "E014", 1, 13),
        ("[{\"a\": [1, 2, \"b\": 1}]", "E014", 1, 13),
        ("[{\"a\": 1, {\"b\": 2}]", "E014", 1, 9),
        ("[{\"a\": 1 {\"b\": 2}]", "E014", 1, 9),
        ("[{\"a\": 1], {\"b\": 2}]", "E014", 1, 9),
        ("[{\"a\": [1, 2}}, {\"b\": 1}]", "E014", 1, 13),
        ("[{\"a\": 1}}, {\"b\": 2}]", "E014", 1, 10),
        ("[{\"a\": 1, \"b\": {1, 2}}]", "E014", 1, 16),
        ("[{\"a\": {{\"b\": 1}, {\"b\": 2}]}]", "E014", 1, 8),
        ("[{\"a\": [\"b\": 1}, {\"b\": 2}]}]", "E014", 1, 9),
        ("[{\"a\": [\"b\": 1, \"c\": 2]}]", "E014", 1, 9),
        ("[{\"a\": {\"b\": 1}], \"c\": 2}]", "E014", 1, 8),
        ("[{\"a\": {\"b\": 1}, {\"b\": 2}], \"c\": 2}]", "E014", 1, 8),
        ("[1] and so on, it's \"the", "E002", 1, 5),
        ("[1] [2]", "E002", 1, 5),
        ("{\"a\": 1, \"a\": 2}", "E004", 1, 10),
    ] {
        let found = found(text);
        if found != [(code, line, column)] {
            wrong.push((text, found));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn several_mistakes_are_several_diagnostics() {
    let text = "[\n  {'a': 1,},\n  // c\n  {b: 01 \"c\": None}\n]";
    let found: Vec<_> = found(text).into_iter().map(|(code, line, _)| (code, line)).collect();
    assert_eq!(
        found,
        [("E013", 2), ("E002", 2), ("E012", 3), ("E015", 4), ("E016", 4), ("E002", 4), ("E015", 4)]
    );
}

#[test]
fn what_is_meant_is_read() {
    for (text, meant) in [
        ("[1, 2,]", json!([1, 2])),
        ("[1 2]", json!([1, 2])),
        ("{a: 'x', \"b\" 1 /* c */}", json!({"a": "x", "b": 1})),
        ("[True, 01, .5, 1., +1]", json!([true, 1, 0.5, 1.0, 1])),
        ("[\"\\d+\"]", json!(["\\d+"])),
        ("{\"a\": hello world, \"b\": 2}", json!({"a": "hello world", "b": 2})),
        ("[\"a\nb\", 1]", json!(["a\nb", 1])),
        ("[\"a,\n 1]", json!([null, 1])),
        ("[{\"a\": 1, {\"b\": 2}]", json!([{"a": 1}, {"b": 2}])),
        ("[{\"a\": [1, 2, \"b\": 1}]", json!([{"a": [1, 2], "b": 1}])),
        ("{\"a\": {1, 2}}", json!({"a": [1, 2]})),
        ("{\"a\": [\"b\": 1]}", json!({"a": {"b": 1}})),
        ("[{\"a\": [{\"b\": 1], \"c\": 2}]", json!([{"a": [{"b": 1}], "c": 2}])),
        ("{\"a\": 1} {\"a\": 2}", json!([{"a": 1}, {"a": 2}])),
        ("[{\"a\": {\"b\": 1}, {\"b\": 2}], \"c\": 2}]", json!([{"a": [{"b": 1}, {"b": 2}], "c": 2}])),
        ("[1] [2]", json!([1, 2])),
        ("{\"a\": , \"b\": 1}", json!({"a": null, "b": 1})),
    ] {
        assert_eq!(read(text).0, Some(meant), "{text}");
    }
}

#[test]
fn indentation_tells_which_bracket_is_open() {
    let text = "[\n  {\n    \"steps\": [\n      {\n        \"start\": [\n          {\n            \"a\": 1\n        ]\n      }\n    ]\n  }\n]";
    assert_eq!(found(text), [("E014", 7, 19)]);
    let text = "[\n  {\n    \"steps\": [\n      {\n        \"start\": [\n          { \"a\": 1 }\n      }\n    ]\n  }\n]";
    assert_eq!(found(text), [("E014", 6, 21)]);
    let both = "[\n  {\n    \"steps\": [\n      {\n        \"start\": [\n          { \"a\": 1\n      },\n      { \"b\": 1 }\n    ]\n  }\n]";
    assert_eq!(found(both).len(), 1, "{:?}", read(both).1);
}

#[test]
fn nesting_is_bounded() {
    let nest = |depth: usize| format!("{}1{}", "[".repeat(depth), "]".repeat(depth));
    assert_eq!(found(&nest(NESTING_MAX)), []);
    assert_eq!(found(&nest(NESTING_MAX + 1)), [("E003", 1, NESTING_MAX + 1)]);
    assert_eq!(found(&format!("[\"\\\"{}\"]", "[".repeat(100))), []);
}

#[test]
fn time_is_linear() {
    const BYTES: usize = 4 * 1024 * 1024;
    for unit in [
        "[",
        "{\"a\":",
        "\"\\",
        ",",
        "/*",
        "\"",
        "'a' ",
        "\"a\"b",
        "\"\n",
        "\"a\n",
        "{",
        "]",
        "[]",
        "//\n",
        "=",
        "(",
        "\\u",
        "\u{a0}",
        ":",
        "a ",
        "0",
        "[}",
        "{]",
        "' ",
        "{\"a\":1]",
        "\"a\":[",
        " [\n",
    ] {
        let text = unit.repeat(BYTES / unit.len());
        let start = Instant::now();
        let (_, diagnostics) = read(&text);
        // Quadratic time would be hours.
        assert!(start.elapsed() < Duration::from_secs(20), "{unit:?}: {:?}", start.elapsed());
        assert!(diagnostics.iter().any(|found| found.severity == Severity::Error), "{unit:?}");
    }
}

fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        prop::num::f64::NORMAL.prop_map(Value::from),
        "(\\PC|[\\x00-\\x1f\\\\\"]){0,8}".prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 32, 5, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
            prop::collection::hash_map("[a-c\\PC]{0,3}", inner, 0..5)
                .prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

/// What a slip of the hand puts into JSON.
fn slip() -> impl Strategy<Value = String> {
    let slips = vec![
        "", "", "", "{", "}", "[", "]", "\"", ",", ":", "\\", "\n", "\r", "\t", " ", "//", "/*", "*/", "#",
        "'", "null", "True", "-", "+", ".", "0", "1e", "e5", "\\u", "\\ud800", "\\udc00", "\u{a0}", "\u{0}",
        "\u{b}", "a", "=", ";", "\u{201c}",
    ];
    prop::sample::select(slips).prop_map(str::to_owned)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn valid_json_is_read_as_it_is(value in value(), pretty in any::<bool>()) {
        let text = if pretty { serde_json::to_string_pretty(&value) } else { serde_json::to_string(&value) }.unwrap();
        let expected: Value = serde_json::from_str(&text).unwrap();
        prop_assert_eq!(read(&text), (Some(expected), Vec::new()));
    }

    #[test]
    fn what_is_no_json_is_refused_and_nothing_else(
        value in value(),
        slips in prop::collection::vec((any::<prop::sample::Index>(), 0_usize..3, slip()), 0..3)
    ) {
        let mut text = serde_json::to_string(&value).unwrap();
        for (at, length, slip) in slips {
            let start = text.floor_char_boundary(at.index(text.len() + 1));
            let end = text.ceil_char_boundary((start + length).min(text.len()));
            text.replace_range(start..end, &slip);
        }
        let (_, diagnostics) = read(&text);
        let errors: Vec<_> = diagnostics.iter().filter(|found| found.code != codes::DUPLICATE_KEY).collect();
        prop_assert_eq!(serde_json::from_str::<Value>(&text).is_ok(), errors.is_empty(), "{:?}: {:?}", text, errors);
        for found in &diagnostics {
            prop_assert!(text.get(found.span.clone()).is_some());
        }
    }
}
