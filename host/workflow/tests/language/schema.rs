//! The JSON Schema of files and the decoder say the same.

use std::sync::LazyLock;

use jsonschema::{Draft, Validator};
use proptest::prelude::*;
use serde_json::{Value, json};
use warroom_workflow::{Catalog, check, file_schema};

use super::{SEED, catalog};

static CATALOG: LazyLock<Catalog> = LazyLock::new(catalog);
static SCHEMA: LazyLock<Validator> = LazyLock::new(|| {
    jsonschema::options().with_draft(Draft::Draft202012).offline().build(&file_schema(&CATALOG)).unwrap()
});

/// What a schema can say: types, keys, values, names and how many there are. All else needs a view of the whole.
const STRUCTURAL: [&str; 12] =
    ["E005", "E006", "E007", "E008", "E009", "E010", "E020", "E021", "E022", "E030", "E031", "E032"];
const PARAMETER: &str = "E033";
/// Keys that the schema has and the decoder does not know yet.
const NOT_DECODED: [&str; 6] = ["ignore_case", "except", "except_regex", "key", "match_in", "start_limit"];

fn is_structurally_right(file: &Value) -> bool {
    let found = check(&file.to_string(), &CATALOG).diagnostics;
    !found.iter().any(|found| STRUCTURAL.contains(&found.code) || found.code == PARAMETER)
}

fn rich() -> Value {
    json!([{
        "name": "incident", "description": "d", "instance_number_start": 5,
        "triggers": [
            {"name": "A", "type": "text", "match": "#sec", "match_regex": "", "team_name": "it", "channel_name": ["a", "b"]},
            {"name": "B", "type": "text", "match_regex": "x+"}
        ],
        "steps": [
            {"name": "One", "start_actions": [
                {"name": "R", "type": "create_channel", "channel_name": "c-{{.Instance.Number}}", "private": "Yes",
                 "on_error": "continue", "retry": {"tries": 3, "minutes": 4}},
                {"name": "P", "type": "post", "channel_name": "c", "fields": [{"name": "F", "type": "options", "options": ["a"]}],
                 "transitions": [{"label": "Go", "to": "Two"}]}
            ], "finish_actions": []},
            {"name": "Two", "finished_actions": [
                {"name": "U", "type": "add_users_channel", "channel_name": "c", "users": ["a"]}
            ], "start_actions": [{"name": "T", "type": "transition_to", "to": "End"}]},
            {"name": "End", "start_actions": [{"name": "E", "type": "finished_workflow"}]}
        ]
    }])
}

/// The places of a value, as JSON pointers.
fn places(value: &Value, pointer: &str, found: &mut Vec<String>) {
    found.push(pointer.to_owned());
    match value {
        Value::Array(items) => {
            items.iter().enumerate().for_each(|(n, item)| places(item, &format!("{pointer}/{n}"), found));
        }
        Value::Object(members) => {
            members.iter().for_each(|(key, member)| places(member, &format!("{pointer}/{key}"), found));
        }
        _ => {}
    }
}

#[derive(Debug, Clone)]
enum Slip {
    Remove,
    Replace(Value),
    Add(&'static str, Value),
}

fn any_value() -> impl Strategy<Value = Value> {
    prop::sample::select(vec![
        json!(null),
        json!(true),
        json!(0),
        json!(1),
        json!(1.0),
        json!(1.5),
        json!(2_000),
        json!(-1),
        json!(""),
        json!(" "),
        json!("text"),
        json!("two words"),
        json!("{{.Instance.Number}}"),
        json!("block"),
        json!("post"),
        json!("Yes"),
        json!([]),
        json!([""]),
        json!(["a"]),
        json!({}),
        json!({"tries": 1}),
    ])
}

fn slip() -> impl Strategy<Value = Slip> {
    let keys = vec![
        "extra",
        "name",
        "type",
        "to",
        "match",
        "match_regex",
        "retry",
        "on_error",
        "message",
        "private",
        "finish_actions",
        "finished_actions",
        "description",
        "users",
        "team_name",
        "minutes",
        "options",
    ];
    prop_oneof![
        Just(Slip::Remove),
        any_value().prop_map(Slip::Replace),
        (prop::sample::select(keys), any_value()).prop_map(|(key, value)| Slip::Add(key, value)),
    ]
}

fn apply(file: &mut Value, pointer: &str, slip: Slip) {
    match slip {
        Slip::Replace(value) => *file.pointer_mut(pointer).unwrap() = value,
        Slip::Add(key, value) => {
            if let Some(Value::Object(members)) = file.pointer_mut(pointer) {
                members.insert(key.to_owned(), value);
            }
        }
        Slip::Remove => {
            let Some((parent, key)) = pointer.rsplit_once('/') else { return };
            match file.pointer_mut(parent) {
                Some(Value::Object(members)) => drop(members.remove(key)),
                Some(Value::Array(items)) => drop(items.remove(key.parse().unwrap())),
                _ => {}
            }
        }
    }
}

#[test]
fn files_in_use_are_valid() {
    for text in [SEED, include_str!("../../../../samples/workflows/security_issue.json")] {
        let file: Value = serde_json::from_str(text).unwrap();
        assert!(
            SCHEMA.is_valid(&file),
            "{:?}",
            SCHEMA.iter_errors(&file).map(|e| e.to_string()).collect::<Vec<_>>()
        );
    }
    assert!(SCHEMA.is_valid(&rich()) && is_structurally_right(&rich()));
}

#[test]
fn keys_that_come_are_in_the_schema() {
    let schema = file_schema(&CATALOG).to_string();
    assert!(NOT_DECODED.iter().all(|key| schema.contains(&format!("\"{key}\":"))));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 3_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn schema_and_decoder_agree(slips in prop::collection::vec((any::<prop::sample::Index>(), slip()), 0..3)) {
        let mut file = rich();
        for (place, slip) in slips {
            let mut found = Vec::new();
            places(&file, "", &mut found);
            apply(&mut file, &found[place.index(found.len())].clone(), slip);
        }
        let errors: Vec<String> = SCHEMA.iter_errors(&file).map(|error| format!("{} at {}", error, error.instance_path())).collect();
        prop_assert_eq!(errors.is_empty(), is_structurally_right(&file), "{}: {:?}", file, errors);
    }
}
