//! Forms of values: what must be the same as on the real server, whatever the values are.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

/// The form of a value: keys and types without the values. Lists and maps by id are the set of forms they hold.
pub(crate) fn form(value: &Value) -> String {
    match value {
        Value::Null => "null".to_owned(),
        Value::Bool(_) => "bool".to_owned(),
        Value::Number(_) => "number".to_owned(),
        Value::String(_) => "string".to_owned(),
        Value::Array(list) => format!("[{}]", set(list.iter())),
        Value::Object(fields) if !fields.is_empty() && fields.keys().all(|key| is_id(key)) => {
            format!("{{ID: {}}}", set(fields.values()))
        }
        Value::Object(fields) => {
            let fields = fields.iter().filter(|(key, _)| *key != "request_id");
            let sorted: BTreeMap<&String, String> = fields.map(|(key, value)| (key, form(value))).collect();
            format!("{sorted:?}").replace('\\', "")
        }
    }
}

fn set<'a>(values: impl Iterator<Item = &'a Value>) -> String {
    values.map(form).collect::<BTreeSet<String>>().into_iter().collect::<Vec<_>>().join(" | ")
}

pub(crate) fn is_id(text: &str) -> bool {
    text.len() == 26 && text.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit())
}

/// An event's form; what it holds as JSON in a string is opened.
pub(crate) fn event_form(frame: &Value) -> String {
    let mut frame = frame.clone();
    for key in ["post", "channel", "reaction", "mentions"] {
        if let Some(inner) = frame["data"].get(key).and_then(Value::as_str) {
            frame["data"][key] = serde_json::from_str(inner).unwrap();
        }
    }
    format!("{} {}", frame["event"].as_str().unwrap_or("reply"), form(&frame))
}
