//! Attachments with controls: the buttons and menus of a post.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// A block below a post's message.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Attachment {
    /// Stands above the text, in bold.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub title: String,
    /// Markdown.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub text: String,
    /// What clients show that know no attachments, as in notifications.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub fallback: String,
    /// The colour of the left edge, `#RRGGBB`.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub color: String,
    /// The controls, in order.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub actions: Vec<AttachmentAction>,
}

impl Attachment {
    /// The `props` of a post that has these attachments. Without any, they are empty.
    #[must_use]
    pub fn props(attachments: &[Self]) -> Map<String, Value> {
        let mut props = Map::new();
        if !attachments.is_empty() {
            props.insert("attachments".to_owned(), serde_json::json!(attachments));
        }
        props
    }
}

/// A button or a menu.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct AttachmentAction {
    /// Unique in the post, and only letters and digits: see [`is_clickable_id`].
    pub id: String,
    /// The button's label, or what the menu shows before somebody chooses.
    pub name: String,
    /// What it is.
    #[serde(rename = "type")]
    pub kind: ActionKind,
    /// A button's look: `default`, `primary`, `success`, `good`, `warning`, `danger` or `#RRGGBB`; empty: the server's choice.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub style: String,
    /// What a menu offers.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub options: Vec<ActionOption>,
    /// The value of the option that a menu shows as chosen; empty: none.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub default_option: String,
    /// Where a click goes. Servers never give it back: whoever changes the post must send it again.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub integration: Option<Integration>,
}

/// What a control is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ActionKind {
    /// To press.
    #[default]
    Button,
    /// To choose from.
    Select,
}

/// One thing that a menu offers.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ActionOption {
    /// What people see.
    pub text: String,
    /// What the callback holds as `selected_option`.
    pub value: String,
}

/// Where a click goes.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Integration {
    /// Where the server sends its callback.
    pub url: String,
    /// What the callback carries back. Clients do not see it; the order of keys is not kept.
    pub context: Map<String, Value>,
}

/// Whether a control with this id can be clicked: letters and digits only. A hyphen or an underscore would make each click a 404.
#[must_use]
pub fn is_clickable_id(id: &str) -> bool {
    !id.is_empty() && id.bytes().all(|byte| byte.is_ascii_alphanumeric())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn attachments_are_written_as_the_server_expects() {
        let menu = AttachmentAction {
            id: "Impact".into(),
            name: "Impact".into(),
            kind: ActionKind::Select,
            options: vec![ActionOption { text: "High".into(), value: "high".into() }],
            default_option: "high".into(),
            integration: Some(Integration { url: "http://h/a".into(), context: Map::new() }),
            ..AttachmentAction::default()
        };
        let button = AttachmentAction { id: "Ack".into(), name: "Ack".into(), ..AttachmentAction::default() };
        let attachment =
            Attachment { title: "Fields".into(), actions: vec![menu, button], ..Attachment::default() };
        let expected = json!({"attachments": [{
            "title": "Fields",
            "actions": [
                {"id": "Impact", "name": "Impact", "type": "select", "options": [{"text": "High", "value": "high"}],
                 "default_option": "high", "integration": {"url": "http://h/a", "context": {}}},
                {"id": "Ack", "name": "Ack", "type": "button"},
            ],
        }]});
        assert_eq!(Value::Object(Attachment::props(&[attachment])), expected);
        assert!(Attachment::props(&[]).is_empty());
    }

    #[test]
    fn ids_that_cannot_be_clicked_are_told() {
        assert!(is_clickable_id("Alert1"));
        assert!(!["", "a-b", "a_b", "é", "a b"].into_iter().any(is_clickable_id));
    }
}
