//! The schema for editors and the decoder agree about the structure of files.

use jsonschema::Validator;
use proptest::prelude::*;
use proptest::sample::Index;
use serde_json::{Value, json};
use warroom_workflow::{check, file_schema};

use super::{SEED, catalog};

/// What a schema can say. The other errors are about names that must differ, steps, templates and patterns.
const STRUCTURAL: [&str; 13] =
    ["E004", "E005", "E006", "E007", "E008", "E009", "E010", "E020", "E021", "E022", "E030", "E031", "E033"];
const UNKNOWN_ACTION_TYPE: &str = "E032";

fn validator() -> Validator {
    jsonschema::draft202012::new(&file_schema(&catalog())).unwrap()
}

/// A file that has every key of the language.
fn whole() -> Value {
    json!([{
        "name": "whole", "description": "All keys", "instance_number_start": 3,
        "start_limit": {"starts": 5, "minutes": 20},
        "triggers": [
            {"name": "T", "type": "text", "match": "#x", "match_regex": "", "ignore_case": true,
             "team_name": "it", "channel_name": ["a", "b"], "except": ["x y"], "except_regex": "z+", "match_in": "all",
             "key": "{{.Trigger.T.Message}}"},
            {"name": "U", "type": "text", "match_regex": "a|b", "match": "", "team_name": ["it"], "except": "q"},
        ],
        "steps": [
            {"name": "A", "start_actions": [
                {"name": "Room", "type": "create_channel", "channel_name": "x-{{.Instance.Number}}", "private": "{{.Instance.Number}}",
                 "header": "h", "purpose": "p", "team_name": "it", "channel_displayname": "X", "on_error": "continue",
                 "retry": {"tries": 3, "minutes": 5}},
                {"name": "People", "type": "add_users_channel", "channel_name": "x-{{.Instance.Number}}", "users": ["jon"]},
                {"name": "Ask", "type": "post", "channel_name": "town-square", "message": "m", "fields_title": "f",
                 "fields": [{"name": "B", "type": "button", "description": "d"},
                            {"name": "M", "type": "options", "options": ["1", "2"]}],
                 "transitions_title": "t", "transitions": [{"label": "On", "to": "B", "description": "d"}]},
            ], "finish_actions": [{"name": "Bye", "type": "post", "channel_name": "town-square", "message": "bye"}]},
            {"name": "B", "start_actions": [{"name": "Go", "type": "transition_to", "to": "C"}]},
            {"name": "C", "start_actions": [{"name": "End", "type": "finished_workflow"}], "finished_actions": []},
        ],
    }])
}

/// Every place of a value, as JSON pointers.
fn places(value: &Value, here: &str, found: &mut Vec<String>) {
    found.push(here.to_owned());
    match value {
        Value::Object(members) => {
            members.iter().for_each(|(key, value)| places(value, &format!("{here}/{key}"), found))
        }
        Value::Array(items) => {
            items
                .iter()
                .enumerate()
                .for_each(|(index, value)| places(value, &format!("{here}/{index}"), found));
        }
        _ => {}
    }
}

fn odd_values() -> Vec<Value> {
    vec![
        json!(null),
        json!(true),
        json!(0),
        json!(7),
        json!(1_000_000_001),
        json!(2.5),
        json!(""),
        json!("  "),
        json!("word"),
        json!("two words"),
        json!("{{.Instance.Number}}"),
        json!([]),
        json!([""]),
        json!(["word"]),
        json!({}),
        json!({"a": 1}),
        json!("text"),
        json!("Yes"),
        json!("post"),
        json!("options"),
        json!("n".repeat(65)),
    ]
}

/// What is done to a file.
#[derive(Debug, Clone)]
enum Change {
    Remove,
    Add(&'static str, usize),
    Replace(usize),
}

fn changes() -> impl Strategy<Value = Change> {
    let keys = prop::sample::select(vec![
        "name",
        "type",
        "match",
        "match_regex",
        "to",
        "users",
        "options",
        "fields",
        "message",
        "nmae",
        "retry",
        "on_error",
        "finished_actions",
        "finish_actions",
        "description",
        "start_limit",
        "private",
        "key",
    ]);
    let values = odd_values().len();
    prop_oneof![
        Just(Change::Remove),
        (keys, 0..values).prop_map(|(key, value)| Change::Add(key, value)),
        (0..values).prop_map(Change::Replace),
    ]
}

fn change(file: &mut Value, place: &str, change: &Change) {
    let value = |index: &usize| odd_values().swap_remove(*index);
    match change {
        Change::Remove => {
            let Some((parent, last)) = place.rsplit_once('/') else { return };
            match file.pointer_mut(parent) {
                Some(Value::Object(members)) => drop(members.remove(last)),
                Some(Value::Array(items)) => drop(items.remove(last.parse().unwrap())),
                _ => {}
            }
        }
        Change::Add(key, index) => {
            if let Some(Value::Object(members)) = file.pointer_mut(place) {
                members.insert((*key).to_owned(), value(index));
            }
        }
        Change::Replace(index) => *file.pointer_mut(place).unwrap() = value(index),
    }
}

fn agree(validator: &Validator, file: &Value) -> Result<(), TestCaseError> {
    let text = serde_json::to_string_pretty(file).unwrap();
    let found = check(&text, &catalog()).diagnostics;
    let structural: Vec<_> = found
        .iter()
        .filter(|found| STRUCTURAL.contains(&found.code) || found.code == UNKNOWN_ACTION_TYPE)
        .map(|found| format!("{} {}", found.code, found.message))
        .collect();
    let refused: Vec<_> =
        validator.iter_errors(file).map(|error| format!("{}: {error}", error.instance_path())).collect();
    prop_assert_eq!(
        structural.is_empty(),
        refused.is_empty(),
        "decoder: {:#?}\nschema: {:#?}\n{}",
        structural,
        refused,
        text
    );
    Ok(())
}

#[test]
fn right_files_are_right_for_both() {
    let validator = validator();
    for file in [whole(), serde_json::from_str(SEED).unwrap()] {
        agree(&validator, &file).unwrap();
        assert!(validator.is_valid(&file), "{file:#}");
    }
}

#[test]
fn a_step_with_both_spellings_is_wrong_for_both() {
    let validator = validator();
    let mut file = whole();
    assert!(file[0]["steps"][0]["finish_actions"].is_array());
    file[0]["steps"][0]["finished_actions"] = json!([]);
    agree(&validator, &file).unwrap();
    assert!(!validator.is_valid(&file));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn schema_and_decoder_agree(made in prop::collection::vec((any::<Index>(), changes()), 1..4)) {
        let mut file = whole();
        for (place, made) in &made {
            let mut all = Vec::new();
            places(&file, "", &mut all);
            change(&mut file, place.get(&all).as_str(), made);
        }
        agree(&validator(), &file)?;
    }
}
