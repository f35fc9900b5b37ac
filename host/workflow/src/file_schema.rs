//! A JSON Schema of workflow files, for editors.
//!
//! It says what the decoder says about the form of a file: which keys there are, their types and values. What needs a
//! view of the whole (steps that exist, names that differ, templates, patterns) only the decoder can say.

use serde_json::{Map, Value, json};

use crate::catalog::{Catalog, FINISHED_WORKFLOW, LANGUAGE_KEYS, TRANSITION_TO};
use crate::decode::{
    INSTANCE_NUMBER_START_MAX, START_LIMIT_MINUTES_MAX, START_LIMIT_STARTS_MAX, STEPS_MAX, WORKFLOWS_MAX,
};
use crate::decode_actions::{ACTIONS_MAX, RETRY_MINUTES_MAX, RETRY_TRIES_MAX};
use crate::decode_triggers::{PHRASE_CHARS_MAX, TRIGGERS_MAX};
use crate::model::{Retry, StartLimit};

/// A JSON Schema (draft 2020-12) of a file of workflows whose actions are those of `catalog`.
///
/// A component's own schema stands under `$defs`, with its references rewritten. Where its schema limits the wording of a
/// string, a string with a template passes too, as it does in [`check`](crate::check).
pub fn file_schema(catalog: &Catalog) -> Value {
    let mut definitions = Map::new();
    definitions.insert("name".to_owned(), name());
    definitions.insert("workflow".to_owned(), workflow());
    definitions.insert("trigger".to_owned(), trigger());
    definitions.insert("step".to_owned(), step());
    definitions.insert("retry".to_owned(), retry());
    definitions.insert("action".to_owned(), action(catalog));
    definitions.insert(definition(TRANSITION_TO), transition_to());
    definitions.insert(definition(FINISHED_WORKFLOW), finished_workflow());
    for type_name in catalog.type_names() {
        if let Some(described) = catalog.get(type_name) {
            definitions.insert(definition(type_name), component(type_name, &described.parameters));
        }
    }
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Workflows",
        "description": "A list of incident workflows.",
        "type": "array",
        "maxItems": WORKFLOWS_MAX,
        "items": {"$ref": "#/$defs/workflow"},
        "$defs": definitions,
    })
}

fn name() -> Value {
    json!({
        "description": "A letter, then letters, digits and underscores; at most 64. Unique in its scope.",
        "type": "string",
        "pattern": "^[A-Za-z][A-Za-z0-9_]{0,63}$"
    })
}

fn whole_number(max: u64, default: u64, description: &str) -> Value {
    json!({"type": "integer", "minimum": 1, "maximum": max, "default": default, "description": description})
}

fn workflow() -> Value {
    let StartLimit { starts, minutes } = StartLimit::default();
    json!({
        "type": "object",
        "properties": {
            "name": {"$ref": "#/$defs/name"},
            "description": {"type": "string", "description": "What the workflow is for, for people."},
            "instance_number_start":
                whole_number(INSTANCE_NUMBER_START_MAX, 1, "The number of the first incident."),
            "start_limit": {
                "description": "How many incidents may start within a time.",
                "type": "object",
                "properties": {
                    "starts": whole_number(u64::from(START_LIMIT_STARTS_MAX), u64::from(starts), "The most starts."),
                    "minutes": whole_number(u64::from(START_LIMIT_MINUTES_MAX), u64::from(minutes), "Within this many minutes.")
                },
                "additionalProperties": false
            },
            "triggers": {
                "description": "What starts an incident; the first that matches wins.",
                "type": "array", "minItems": 1, "maxItems": TRIGGERS_MAX, "items": {"$ref": "#/$defs/trigger"}
            },
            "steps": {
                "description": "The states of an incident; it begins with the first.",
                "type": "array", "minItems": 1, "maxItems": STEPS_MAX, "items": {"$ref": "#/$defs/step"}
            }
        },
        "required": ["name", "triggers", "steps"],
        "additionalProperties": false
    })
}

fn one_or_more(entry: &str, description: &str) -> Value {
    json!({
        "description": description,
        "type": ["string", "array"],
        "pattern": "^$|\\S",
        "items": {"description": entry, "type": "string", "pattern": "\\S"}
    })
}

fn trigger() -> Value {
    json!({
        "type": "object",
        "properties": {
            "name": {"$ref": "#/$defs/name"},
            "type": {"enum": ["text"], "description": "`text`: a post that holds a text."},
            "team_name": one_or_more("A team's handle.", "The teams it listens to; absent: all."),
            "channel_name": one_or_more("A channel's handle or name.", "The channels it listens to; absent: all."),
            "match": {
                "description": "The word or phrase that starts the incident; `\"\"` means unset.",
                "type": "string", "pattern": "^$|\\S", "maxLength": PHRASE_CHARS_MAX
            },
            "match_regex": {
                "description": "The pattern that starts the incident; `\"\"` means unset.", "type": "string"
            },
            "ignore_case": {
                "description": "Whether letter case does not count for `match` and `except`.", "type": "boolean", "default": false
            },
            "except": one_or_more("A word or phrase.", "Words or phrases that the post must not hold."),
            "except_regex": one_or_more("A pattern.", "Patterns that the post must not match."),
            "key": {
                "description": "A template: a match whose key is that of an open run is folded into that run.",
                "type": "string"
            },
            "match_in": {
                "enum": ["prose", "all", ""],
                "description": "What is searched: `prose` leaves out code, quotes and attachments; `all` searches everything."
            }
        },
        "required": ["name", "type"],
        "oneOf": [
            {"required": ["match"], "properties": {"match": {"minLength": 1}}},
            {"required": ["match_regex"], "properties": {"match_regex": {"minLength": 1}}}
        ],
        "additionalProperties": false
    })
}

fn step() -> Value {
    let actions = |description: &str| {
        json!({
            "description": description,
            "type": "array", "maxItems": ACTIONS_MAX, "items": {"$ref": "#/$defs/action"}
        })
    };
    let not_empty = |key: &str| json!({"required": [key], "properties": {key: {"minItems": 1}}});
    json!({
        "type": "object",
        "properties": {
            "name": {"$ref": "#/$defs/name"},
            "start_actions": actions("Run in order when the step is entered."),
            "finish_actions": actions("Run in order when the step is left."),
            "finished_actions": actions("Another spelling of `finish_actions`.")
        },
        "required": ["name"],
        "anyOf": [not_empty("start_actions"), not_empty("finish_actions"), not_empty("finished_actions")],
        "not": {"required": ["finish_actions", "finished_actions"]},
        "additionalProperties": false
    })
}

fn retry() -> Value {
    let Retry { tries, minutes } = Retry::default();
    json!({
        "description": "How long the action is tried while its failure may pass.",
        "type": "object",
        "properties": {
            "tries": whole_number(u64::from(RETRY_TRIES_MAX), u64::from(tries), "The most tries."),
            "minutes":
                whole_number(u64::from(RETRY_MINUTES_MAX), u64::from(minutes), "The longest time of trying.")
        },
        "additionalProperties": false
    })
}

/// An editor reports best what depends on one key's value when that value selects one schema.
fn action(catalog: &Catalog) -> Value {
    let types: Vec<&str> = catalog.type_names().chain([TRANSITION_TO, FINISHED_WORKFLOW]).collect();
    let select = |type_name: &&str| {
        json!({
            "if": {"properties": {"type": {"const": type_name}}, "required": ["type"]},
            "then": {"$ref": format!("#/$defs/{}", definition(type_name))}
        })
    };
    json!({
        "type": "object",
        "properties": {
            "type": {"enum": types, "description": "What the action does."},
            "name": {"$ref": "#/$defs/name"},
            "on_error": {
                "enum": ["block", "continue"],
                "default": "block",
                "description": "When it fails: `block` waits for a person, `continue` goes on."
            },
            "retry": {"$ref": "#/$defs/retry"}
        },
        "required": ["type", "name"],
        "allOf": types.iter().map(select).collect::<Vec<_>>()
    })
}

fn language_keys() -> Map<String, Value> {
    LANGUAGE_KEYS.into_iter().map(|key| (key.to_owned(), Value::Bool(true))).collect()
}

fn transition_to() -> Value {
    let mut properties = language_keys();
    let to = json!({
        "description": "The step to go to.", "type": "string", "not": {"pattern": TEMPLATE}
    });
    properties.insert("to".to_owned(), to);
    json!({
        "description": "Goes to another step, with nobody asked.",
        "properties": properties, "required": ["to"], "additionalProperties": false
    })
}

fn finished_workflow() -> Value {
    json!({
        "description": "Ends the incident.", "properties": language_keys(), "additionalProperties": false
    })
}

/// The pattern of a string that holds a template.
const TEMPLATE: &str = "\\{\\{";
/// Keywords about the wording of a string. A template's wording is known only when it is rendered.
const WORDING: [&str; 6] = ["pattern", "enum", "const", "format", "minLength", "maxLength"];

/// Where a type's schema stands under `$defs`.
fn definition(type_name: &str) -> String {
    format!("action_{type_name}")
}

/// A component's schema, as it applies to a whole action.
fn component(type_name: &str, parameters: &Value) -> Value {
    let root = format!("#/$defs/{}", definition(type_name));
    let mut schema = embedded(parameters, &root, true);
    if let Value::Object(members) = &mut schema {
        members.remove("$schema");
        members.remove("$id");
        let properties = members.entry("properties").or_insert_with(|| json!({}));
        if let Value::Object(properties) = properties {
            properties.extend(language_keys());
        }
    }
    schema
}

/// A schema with references that are right where it now stands, and with templates let through where `relaxed`.
fn embedded(schema: &Value, root: &str, relaxed: bool) -> Value {
    let Value::Object(members) = schema else { return schema.clone() };
    let mut rewritten = Map::new();
    let mut wording = Map::new();
    for (key, value) in members {
        match (key.as_str(), value) {
            ("$ref" | "$dynamicRef", Value::String(target)) => {
                let target = match target.strip_prefix('#') {
                    Some(pointer) if pointer.is_empty() || pointer.starts_with('/') => {
                        format!("{root}{pointer}")
                    }
                    _ => target.clone(),
                };
                rewritten.insert(key.clone(), Value::String(target));
            }
            (
                "properties" | "patternProperties" | "dependentSchemas" | "$defs" | "definitions",
                Value::Object(named),
            ) => {
                let named =
                    named.iter().map(|(name, schema)| (name.clone(), embedded(schema, root, relaxed)));
                rewritten.insert(key.clone(), Value::Object(named.collect()));
            }
            // In a choice the decoder does not tell which branch a template was meant for.
            ("anyOf" | "oneOf", Value::Array(schemas)) => {
                let schemas = schemas.iter().map(|schema| embedded(schema, root, false));
                rewritten.insert(key.clone(), schemas.collect());
            }
            ("allOf" | "prefixItems", Value::Array(schemas)) => {
                let schemas = schemas.iter().map(|schema| embedded(schema, root, relaxed));
                rewritten.insert(key.clone(), schemas.collect());
            }
            ("not" | "if" | "contains" | "propertyNames", schema) => {
                rewritten.insert(key.clone(), embedded(schema, root, false));
            }
            (
                "then"
                | "else"
                | "items"
                | "additionalProperties"
                | "unevaluatedProperties"
                | "unevaluatedItems",
                schema,
            ) => {
                rewritten.insert(key.clone(), embedded(schema, root, relaxed));
            }
            (key, value) if relaxed && WORDING.contains(&key) => {
                wording.insert(key.to_owned(), value.clone());
            }
            (key, value) => {
                rewritten.insert(key.to_owned(), value.clone());
            }
        }
    }
    if !wording.is_empty() {
        let unless_template =
            json!({"if": {"type": "string", "pattern": TEMPLATE}, "then": true, "else": wording});
        match rewritten.entry("allOf").or_insert_with(|| json!([])) {
            Value::Array(all) => all.push(unless_template),
            other => *other = json!([unless_template]),
        }
    }
    Value::Object(rewritten)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references_lead_into_the_component() {
        let schema = json!({
            "$id": "https://example.com/a",
            "properties": {"a": {"$ref": "#/$defs/b"}, "$ref": {"enum": [{"$ref": "#"}]}},
            "$defs": {"b": {"anyOf": [{"$ref": "#"}, {"minLength": 1}]}}
        });
        let rewritten = component("page", &schema);
        assert!(rewritten.get("$id").is_none());
        assert_eq!(rewritten["properties"]["a"]["$ref"], "#/$defs/action_page/$defs/b");
        assert_eq!(
            rewritten["$defs"]["b"]["anyOf"],
            json!([{"$ref": "#/$defs/action_page"}, {"minLength": 1}])
        );
        assert_eq!(rewritten["properties"]["$ref"]["allOf"][0]["else"], json!({"enum": [{"$ref": "#"}]}));
    }
}
