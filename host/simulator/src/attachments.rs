//! Message attachments: the form in which the server keeps and shows them.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::ids::Ids;

/// One attachment. Keys that a caller leaves out come back with these defaults; unknown keys are dropped.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Attachment {
    id: i64,
    fallback: String,
    color: String,
    pretext: String,
    author_name: String,
    author_link: String,
    author_icon: String,
    pub(crate) title: String,
    title_link: String,
    pub(crate) text: String,
    fields: Option<Vec<Field>>,
    image_url: String,
    thumb_url: String,
    footer: String,
    footer_icon: String,
    ts: Value,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) actions: Vec<Action>,
}

/// A table-like line of an attachment.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default)]
struct Field {
    title: String,
    value: Value,
    short: bool,
}

/// A button or a menu.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Action {
    pub(crate) id: String,
    #[serde(rename = "type", skip_serializing_if = "String::is_empty")]
    pub(crate) kind: String,
    pub(crate) name: String,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub(crate) disabled: bool,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub(crate) style: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub(crate) data_source: String,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) options: Vec<ActionOption>,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub(crate) default_option: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) integration: Option<Integration>,
}

/// One choice of a menu.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct ActionOption {
    pub(crate) text: String,
    pub(crate) value: String,
}

/// Whom to call when the control is used. Never shown to anyone.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Integration {
    pub(crate) url: String,
    pub(crate) context: Map<String, Value>,
}

/// Brings `props.attachments` into the server's form and gives an id to each action that has none. What cannot be read
/// as an attachment is dropped, as the real server does.
pub(crate) fn normalise(props: &mut Map<String, Value>, ids: &mut Ids) {
    let Some(raw) = props.get("attachments") else { return };
    let mut attachments = read(raw);
    for action in attachments.iter_mut().flat_map(|attachment| &mut attachment.actions) {
        if action.id.is_empty() {
            action.id = ids.next();
        }
    }
    props.insert("attachments".to_owned(), write(&attachments));
}

/// The attachments of a post.
pub(crate) fn of(props: &Map<String, Value>) -> Vec<Attachment> {
    props.get("attachments").map(read).unwrap_or_default()
}

/// The props as readers get them: without the integrations.
pub(crate) fn public(props: &Map<String, Value>) -> Map<String, Value> {
    let mut shown = props.clone();
    if let Some(raw) = props.get("attachments") {
        let mut attachments = read(raw);
        for action in attachments.iter_mut().flat_map(|attachment| &mut attachment.actions) {
            action.integration = None;
        }
        shown.insert("attachments".to_owned(), write(&attachments));
    }
    shown
}

fn read(raw: &Value) -> Vec<Attachment> {
    let list = raw.as_array().map(Vec::as_slice).unwrap_or_default();
    list.iter().filter_map(|one| Attachment::deserialize(one).ok()).collect()
}

fn write(attachments: &[Attachment]) -> Value {
    // Plain data: strings, numbers and lists always have a JSON form.
    serde_json::to_value(attachments).unwrap_or(Value::Null)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn attachments_get_all_keys_and_lose_integrations_only_for_readers() {
        let mut props = json!({"attachments": [
            {"text": "t", "unknown": 1, "actions": [{"name": "A", "type": "button", "integration": {"url": "u"}}]},
            {"title": 7},
        ]});
        let props = props.as_object_mut().unwrap();
        normalise(props, &mut Ids::from_system().unwrap());
        let kept = of(props);
        assert_eq!(kept.len(), 1, "what is no attachment is dropped");
        assert_eq!(kept[0].actions[0].id.len(), 26);
        assert_eq!(kept[0].actions[0].integration.as_ref().unwrap().url, "u");
        let shown = Value::Object(public(props));
        assert_eq!(shown["attachments"][0]["fields"], Value::Null);
        assert_eq!(shown["attachments"][0]["id"], 0);
        assert!(shown["attachments"][0].get("unknown").is_none());
        assert!(shown["attachments"][0]["actions"][0].get("integration").is_none());
    }
}
