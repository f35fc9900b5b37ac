//! What the server sends when somebody presses or chooses, and what it takes as an answer.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::lenient::null_is_default;

/// A press or a choice. Nothing in it is proven: anyone who can post can aim a control at any address, so only what the context
/// proves by itself can be believed.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct ActionRequest {
    /// Who pressed.
    pub user_id: String,
    /// The handle of who pressed.
    pub user_name: String,
    /// Where the post stands.
    pub channel_id: String,
    /// The channel's handle.
    pub channel_name: String,
    /// The channel's team; empty for direct channels.
    pub team_id: String,
    /// The team's handle.
    pub team_domain: String,
    /// The post that has the control.
    pub post_id: String,
    /// Opens a dialog for who pressed, for a few seconds. Each press has its own.
    pub trigger_id: String,
    /// `button` or `select`.
    #[serde(rename = "type")]
    pub kind: String,
    /// `users` or `channels` for menus of these.
    pub data_source: String,
    /// What the control was sent with, and `selected_option` of a menu.
    #[serde(deserialize_with = "null_is_default")]
    pub context: Map<String, Value>,
}

impl ActionRequest {
    /// What was chosen from a menu. The server does not check that it was offered.
    #[must_use]
    pub fn selected_option(&self) -> Option<&str> {
        self.context.get("selected_option").and_then(Value::as_str)
    }
}

/// The answer to a press or a choice. It must be sent with status 200, as JSON, within 30 s.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct ActionResponse {
    /// What the post is to look like now; `None`: as before.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub update: Option<Update>,
    /// What only the person who pressed sees; empty: nothing.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub ephemeral_text: String,
}

/// A post's new look.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Update {
    /// The message. A server takes a missing one as empty, so give it always unless the message is to go.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    /// The whole `props`, with each control's integration; `None` keeps them, an empty map removes them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub props: Option<Map<String, Value>>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn answers_leave_out_what_is_empty() {
        assert_eq!(json!(ActionResponse::default()), json!({}));
        let update = Update { message: Some("m".into()), props: Some(Map::new()) };
        let answer = ActionResponse { update: Some(update), ephemeral_text: "done".into() };
        assert_eq!(json!(answer), json!({"update": {"message": "m", "props": {}}, "ephemeral_text": "done"}));
    }

    #[test]
    fn requests_may_leave_out_anything() {
        let request: ActionRequest = serde_json::from_str(r#"{"user_id": "u", "context": null}"#).unwrap();
        assert_eq!(request.user_id, "u");
        assert_eq!(request.selected_option(), None);
    }
}
