//! Posts, and what they say.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::lenient::null_is_default;

/// A post.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct Post {
    /// The server's id.
    pub id: String,
    /// When it was written, in ms since 1970.
    pub create_at: i64,
    /// When anything about it changed, in ms since 1970.
    pub update_at: i64,
    /// When its text was changed, in ms since 1970; 0: never.
    pub edit_at: i64,
    /// When it was deleted, in ms since 1970; 0: it was not.
    pub delete_at: i64,
    /// Who wrote it.
    pub user_id: String,
    /// Where it stands.
    pub channel_id: String,
    /// The post that it answers; empty: none.
    pub root_id: String,
    /// The text, in Markdown.
    pub message: String,
    /// Empty for what people and bots write; see [`Post::is_system`].
    #[serde(rename = "type")]
    pub kind: String,
    /// Everything else. Reads hold no `integration` of the controls.
    #[serde(deserialize_with = "null_is_default")]
    pub props: Map<String, Value>,
    /// What the writer called the post before it had an id. The server scopes it to nobody.
    pub pending_post_id: String,
}

impl Post {
    /// Whether the server wrote it itself, as when somebody joins.
    #[must_use]
    pub fn is_system(&self) -> bool {
        self.kind.starts_with("system_")
    }

    /// Whether its text was changed after it was written.
    #[must_use]
    pub fn is_edit(&self) -> bool {
        self.edit_at != 0
    }

    /// Whether an incoming webhook wrote it, as monitoring systems do.
    #[must_use]
    pub fn from_webhook(&self) -> bool {
        self.has_flag("from_webhook")
    }

    /// Whether a bot wrote it.
    #[must_use]
    pub fn from_bot(&self) -> bool {
        self.has_flag("from_bot")
    }

    /// All that the post says: the message, then [`Post::attachments_text`], a line each. What is empty has no line.
    #[must_use]
    pub fn text(&self) -> String {
        let attachments = self.attachments_text();
        let parts = [self.message.as_str(), attachments.as_str()];
        parts.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join("\n")
    }

    /// The texts of the attachments, a line each. What is empty has no line. Of an attachment: pretext, title, text, then
    /// title and value of each field; the fallback when it has none of these.
    #[must_use]
    pub fn attachments_text(&self) -> String {
        let mut lines = Vec::new();
        let attachments = self.props.get("attachments").and_then(Value::as_array);
        for attachment in attachments.into_iter().flatten() {
            push_attachment(&mut lines, attachment);
        }
        lines.join("\n")
    }

    /// Whether a property says yes. Servers write `true` as well as `"true"`.
    fn has_flag(&self, name: &str) -> bool {
        match self.props.get(name) {
            Some(Value::Bool(flag)) => *flag,
            Some(Value::String(flag)) => flag == "true",
            _ => false,
        }
    }
}

fn push_attachment(lines: &mut Vec<String>, attachment: &Value) {
    let before = lines.len();
    let text = |value: &Value, name: &str| value.get(name).and_then(Value::as_str).map(str::to_owned);
    for name in ["pretext", "title", "text"] {
        push(lines, text(attachment, name).as_deref());
    }
    let fields = attachment.get("fields").and_then(Value::as_array);
    for field in fields.into_iter().flatten() {
        push(lines, text(field, "title").as_deref());
        // Monitoring systems send numbers here too.
        match field.get("value") {
            Some(Value::String(value)) => push(lines, Some(value)),
            Some(value @ (Value::Number(_) | Value::Bool(_))) => push(lines, Some(&value.to_string())),
            _ => {}
        }
    }
    if lines.len() == before {
        push(lines, text(attachment, "fallback").as_deref());
    }
}

fn push(lines: &mut Vec<String>, text: Option<&str>) {
    if let Some(text) = text.filter(|text| !text.is_empty()) {
        lines.push(text.to_owned());
    }
}

/// A post that is to be written.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct NewPost {
    /// Where.
    pub channel_id: String,
    /// Markdown, at most 16,383 characters.
    pub message: String,
    /// The post to answer; empty: none.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub root_id: String,
    /// The server gives the first post back when the same is sent again within about 30 s; empty: it does not.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub pending_post_id: String,
    /// Everything else; see [`crate::Attachment::props`].
    #[serde(skip_serializing_if = "Map::is_empty")]
    pub props: Map<String, Value>,
}

impl NewPost {
    /// An empty post to a channel, to be filled.
    #[must_use]
    pub fn to(channel_id: &str) -> Self {
        Self { channel_id: channel_id.to_owned(), ..Self::default() }
    }
}

/// Which posts of a channel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PostRange {
    /// The newest.
    Newest,
    /// Those after a post, the oldest of them on page 0.
    After(String),
    /// Those before a post, the newest of them on page 0.
    Before(String),
    /// Those that changed since a time, in ms since 1970. Servers give at most 1,000, without pages, and not reliably all.
    Since(i64),
}

/// A page of posts, as the server writes it. `posts` also holds the roots of threads, which `order` does not name.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct PostPage {
    #[serde(deserialize_with = "null_is_default")]
    order: Vec<String>,
    #[serde(deserialize_with = "null_is_default")]
    posts: std::collections::HashMap<String, Post>,
}

impl PostPage {
    /// The posts that were asked for, newest first.
    pub(crate) fn into_posts(mut self) -> Vec<Post> {
        self.order.iter().filter_map(|id| self.posts.remove(id)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn post(json: &str) -> Post {
        serde_json::from_str(json).unwrap()
    }

    #[test]
    fn the_text_has_the_attachments_a_line_each() {
        let post = post(
            r#"{"message": "DOWN", "props": {"attachments": [
                {"fallback": "f", "pretext": "p", "title": "t", "text": "x",
                 "fields": [{"title": "Host", "value": "web"}, {"title": "Tries", "value": 3}, {"value": null}, 7]},
                {"fallback": "only this", "text": ""}, "odd", null
            ]}}"#,
        );
        assert_eq!(post.text(), "DOWN\np\nt\nx\nHost\nweb\nTries\n3\nonly this");
    }

    #[test]
    fn missing_and_null_are_empty() {
        let post = post(r#"{"id": "x", "props": null}"#);
        assert_eq!(post.text(), "");
        assert!(!post.is_edit() && !post.is_system() && !post.from_webhook());
    }

    #[test]
    fn what_wrote_the_post_is_known() {
        assert!(post(r#"{"type": "system_join_channel"}"#).is_system());
        assert!(!post(r#"{"type": "custom_x"}"#).is_system());
        assert!(post(r#"{"props": {"from_webhook": "true"}}"#).from_webhook());
        assert!(post(r#"{"props": {"from_webhook": true}}"#).from_webhook());
        assert!(!post(r#"{"props": {"from_webhook": "false"}}"#).from_webhook());
        assert!(post(r#"{"edit_at": 5}"#).is_edit());
    }
}
