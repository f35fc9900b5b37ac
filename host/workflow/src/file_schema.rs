//! The form of a workflow file as a JSON Schema, for editors: it completes keys, shows what they mean, and marks what is
//! misspelled while the author writes. What a schema cannot say (steps that exist, templates that resolve) is for `check`.

use serde_json::{Map, Value, json};

use crate::catalog::{ActionType, Catalog, FINISHED_WORKFLOW, TRANSITION_TO};
use crate::decode::{INSTANCE_NUMBER_START_MAX, STEPS_MAX, WORKFLOWS_MAX};
use crate::decode_triggers::PHRASE_CHARS_MAX;
use crate::name::NAME_CHARS_MAX;
use crate::patterns::PATTERN_BYTES_MAX;

/// Matches a string that holds a template: what it says is known only when it is rendered.
const TEMPLATE: &str = r"\{\{";

/// A JSON Schema (draft 2020-12) of workflow files that use the action types of `catalog`.
///
/// A file that it accepts has the right structure: keys, types of values, parameters of actions.
///
/// ```
/// use warroom_workflow::{Catalog, file_schema};
///
/// let schema = file_schema(&Catalog::default());
/// assert_eq!(schema["$schema"], "https://json-schema.org/draft/2020-12/schema");
/// ```
#[must_use]
pub fn file_schema(catalog: &Catalog) -> Value {
    let mut definitions = Map::new();
    definitions.insert("name".to_owned(), name());
    definitions.insert("names".to_owned(), names());
    definitions.insert("texts".to_owned(), texts());
    definitions.insert("workflow".to_owned(), workflow());
    definitions.insert("trigger".to_owned(), trigger());
    definitions.insert("step".to_owned(), step());
    definitions.insert("actions".to_owned(), json!({"type": "array", "items": {"$ref": "#/$defs/action"}}));
    definitions.insert("retry".to_owned(), retry());
    definitions.insert("action".to_owned(), action(catalog));
    for type_name in [TRANSITION_TO, FINISHED_WORKFLOW] {
        definitions.insert(definition(type_name), control_flow(type_name));
    }
    for action in catalog.types() {
        definitions.insert(definition(&action.type_name), component(action));
    }
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Warroom workflows",
        "description": "A list of incident workflows.",
        "type": "array",
        "maxItems": WORKFLOWS_MAX,
        "items": {"$ref": "#/$defs/workflow"},
        "$defs": definitions,
    })
}

/// The name of an action type's definition. A dot keeps it apart from ours.
fn definition(type_name: &str) -> String {
    format!("action.{type_name}")
}

fn name() -> Value {
    json!({
        "description": "A letter, then letters, digits and underscores.",
        "type": "string",
        "pattern": "^[A-Za-z][A-Za-z0-9_]*$",
        "maxLength": NAME_CHARS_MAX,
    })
}

/// `team_name`, `channel_name`: the empty string is as good as none.
fn names() -> Value {
    json!({"anyOf": [
        {"type": "string", "pattern": r"^$|\S"},
        {"type": "array", "items": {"type": "string", "pattern": r"\S"}},
    ]})
}

fn texts() -> Value {
    json!({"anyOf": [
        {"type": "string", "pattern": r"^$|\S", "maxLength": PATTERN_BYTES_MAX},
        {"type": "array", "items": {"type": "string", "pattern": r"\S", "maxLength": PATTERN_BYTES_MAX}},
    ]})
}

fn workflow() -> Value {
    json!({
        "title": "Workflow",
        "type": "object",
        "properties": {
            "name": {"$ref": "#/$defs/name"},
            "description": {"description": "What the workflow is for.", "type": "string"},
            "instance_number_start": {
                "description": "The number of the first incident.",
                "type": "integer", "minimum": 1, "maximum": INSTANCE_NUMBER_START_MAX, "default": 1,
            },
            "start_limit": {
                "description": "How many incidents may start, and in what time. What is more is told in one post.",
                "type": "object",
                "properties": {
                    "starts": {"type": "integer", "minimum": 1, "maximum": 1000, "default": 10},
                    "minutes": {"type": "integer", "minimum": 1, "maximum": 1440, "default": 10},
                },
                "additionalProperties": false,
            },
            "triggers": {
                "description": "What starts an incident. Tried in order, the first that matches wins.",
                "type": "array", "minItems": 1, "items": {"$ref": "#/$defs/trigger"},
            },
            "steps": {
                "description": "An incident begins with the first.",
                "type": "array", "minItems": 1, "maxItems": STEPS_MAX, "items": {"$ref": "#/$defs/step"},
            },
        },
        "required": ["name", "triggers", "steps"],
        "additionalProperties": false,
    })
}

fn trigger() -> Value {
    let set = |key: &str| json!({"required": [key], "properties": {key: {"minLength": 1}}});
    json!({
        "title": "Trigger",
        "type": "object",
        "properties": {
            "name": {"$ref": "#/$defs/name"},
            "type": {"enum": ["text"]},
            "team_name": {"description": "The teams it listens to; by default all.", "$ref": "#/$defs/names"},
            "channel_name": {
                "description": "The channels it listens to, by handle or display name; by default all.",
                "$ref": "#/$defs/names",
            },
            "match": {
                "description": "A word or phrase.",
                "type": "string", "pattern": r"^$|\S", "maxLength": PHRASE_CHARS_MAX,
            },
            "match_regex": {"description": "A pattern, in the syntax of RE2.", "type": "string"},
            "ignore_case": {
                "description": "Whether letter case does not count in `match` and `except`.",
                "type": "boolean", "default": false,
            },
            "except": {"description": "Words or phrases that must not be there.", "$ref": "#/$defs/texts"},
            "except_regex": {"description": "Patterns that must not match.", "$ref": "#/$defs/texts"},
            "match_in": {
                "description": "What is searched: `prose` leaves out code, quoted lines and attachments; `all` is the whole post. By default `prose` for people, `all` for webhooks and bots.",
                "enum": ["prose", "all", ""],
            },
            "key": {
                "description": "A template over the trigger's variables. A match whose key an open incident has is folded into it.",
                "type": "string",
            },
        },
        "required": ["name", "type"],
        "oneOf": [set("match"), set("match_regex")],
        "additionalProperties": false,
    })
}

fn step() -> Value {
    let holds = |key: &str| json!({"required": [key], "properties": {key: {"minItems": 1}}});
    json!({
        "title": "Step",
        "type": "object",
        "properties": {
            "name": {"$ref": "#/$defs/name"},
            "start_actions": {"description": "Run in order when the step is entered.", "$ref": "#/$defs/actions"},
            "finish_actions": {"description": "Run in order when the step is left.", "$ref": "#/$defs/actions"},
            "finished_actions": {"description": "Another spelling of finish_actions.", "$ref": "#/$defs/actions", "deprecated": true},
        },
        "required": ["name"],
        "anyOf": [holds("start_actions"), holds("finish_actions"), holds("finished_actions")],
        "not": {"required": ["finish_actions", "finished_actions"]},
        "additionalProperties": false,
    })
}

fn retry() -> Value {
    json!({
        "description": "How long the action is tried while its failure may pass. Both bounds hold.",
        "type": "object",
        "properties": {
            "tries": {"type": "integer", "minimum": 1, "maximum": 1000, "default": 10},
            "minutes": {"type": "integer", "minimum": 1, "maximum": 1440, "default": 15},
        },
        "additionalProperties": false,
    })
}

/// An action: what it takes beside its name follows from its type.
fn action(catalog: &Catalog) -> Value {
    let control_flow = [TRANSITION_TO, FINISHED_WORKFLOW];
    let types: Vec<&str> = catalog.type_names().chain(control_flow).collect();
    let cases: Vec<Value> = types
        .iter()
        .map(|type_name| {
            json!({
                "if": {"properties": {"type": {"const": type_name}}, "required": ["type"]},
                "then": {"$ref": format!("#/$defs/{}", definition(type_name))},
            })
        })
        .collect();
    json!({
        "title": "Action",
        "type": "object",
        "properties": {"type": {"enum": types}, "name": {"$ref": "#/$defs/name"}},
        "required": ["name", "type"],
        "allOf": cases,
    })
}

/// The keys that every action has, whatever its type.
fn language_keys() -> Map<String, Value> {
    let keys = json!({
        "type": {"type": "string"},
        "name": {"description": "Templates read what the action puts out as .Action.NAME.KEY.", "$ref": "#/$defs/name"},
        "on_error": {
            "description": "What a lasting failure means: `block` waits for a person, `continue` goes on.",
            "enum": ["block", "continue"], "default": "block",
        },
        "retry": {"$ref": "#/$defs/retry"},
    });
    match keys {
        Value::Object(keys) => keys,
        _ => Map::new(),
    }
}

fn control_flow(type_name: &str) -> Value {
    let mut properties = language_keys();
    let mut required = vec!["name", "type"];
    let description = if type_name == TRANSITION_TO {
        properties.insert("to".to_owned(), json!({"description": "A step of this workflow.", "type": "string", "not": {"pattern": TEMPLATE}}));
        required.push("to");
        "Goes to another step, with nobody asked."
    } else {
        "Ends the incident."
    };
    json!({
        "description": description,
        "type": "object",
        "properties": properties,
        "required": required,
        "additionalProperties": false,
    })
}

/// A component's own schema, with the keys of the language among its properties, and templates allowed where they are to.
fn component(action: &ActionType) -> Value {
    let mut schema = action.parameters.clone();
    rebase(&mut schema, &format!("#/$defs/{}", definition(&action.type_name)));
    allow_templates(&mut schema);
    if let Value::Object(members) = &mut schema {
        for key in ["$schema", "$id"] {
            members.remove(key);
        }
        let properties = members.entry("properties").or_insert_with(|| Value::Object(Map::new()));
        if let Value::Object(properties) = properties {
            properties.extend(language_keys());
        }
    }
    schema
}

/// Makes references within the schema lead to where it stands now.
fn rebase(schema: &mut Value, base: &str) {
    match schema {
        Value::Object(members) => {
            for (key, value) in members {
                match value {
                    Value::String(target) if key == "$ref" => {
                        if let Some(pointer) = target.strip_prefix('#') {
                            *target = format!("{base}{pointer}");
                        }
                    }
                    _ => rebase(value, base),
                }
            }
        }
        Value::Array(items) => items.iter_mut().for_each(|item| rebase(item, base)),
        _ => {}
    }
}

/// Lets a string with a template stand wherever the wording of a string is bounded, as `check` does. Not inside of conditions
/// and alternatives, where it would decide which one holds.
fn allow_templates(schema: &mut Value) {
    let Value::Object(members) = schema else { return };
    for (key, value) in members.iter_mut() {
        match (key.as_str(), value) {
            ("properties" | "patternProperties" | "$defs", Value::Object(named)) => {
                named.values_mut().for_each(allow_templates);
            }
            ("allOf" | "prefixItems", Value::Array(schemas)) => {
                schemas.iter_mut().for_each(allow_templates);
            }
            ("items" | "additionalProperties" | "then" | "else", schema) => allow_templates(schema),
            _ => {}
        }
    }
    let mut wording = Map::new();
    for key in ["pattern", "enum", "const", "format", "minLength", "maxLength"] {
        if let Some((key, value)) = members.remove_entry(key) {
            wording.insert(key, value);
        }
    }
    if !wording.is_empty() {
        let alternatives = json!({"anyOf": [wording, {"type": "string", "pattern": TEMPLATE}]});
        match members.entry("allOf").or_insert_with(|| Value::Array(Vec::new())) {
            Value::Array(all) => all.push(alternatives),
            _ => {}
        }
    }
}
