//! The controls of posts, as data: what people can press and choose.

use serde::{Deserialize, Serialize};

/// What a field is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FieldKind {
    /// Its value becomes the username of who pressed it last.
    Button,
    /// Its value becomes the option chosen last.
    Menu(Vec<String>),
}

/// A value that people set.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Field {
    /// Its name, which templates read.
    pub name: String,
    /// For people.
    pub description: String,
    /// What it is.
    pub kind: FieldKind,
}

/// A way on to another step, as a control of a post.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TransitionControl {
    /// What the button says.
    pub label: String,
    /// For people.
    pub description: String,
    /// The step.
    pub to: String,
    /// Who may press it, by username or user id; none: every member of the channel.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub allowed: Vec<String>,
}

/// The controls of a post, as data.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Controls {
    /// Title over the fields.
    pub fields_title: String,
    /// The fields, in order.
    pub fields: Vec<Field>,
    /// Title over the transitions.
    pub transitions_title: String,
    /// The transitions, in order.
    pub transitions: Vec<TransitionControl>,
}

impl Controls {
    /// Whether the field of this name is a button.
    #[must_use]
    pub fn is_button(&self, field: &str) -> bool {
        self.fields.iter().any(|known| known.name == field && known.kind == FieldKind::Button)
    }
}

/// A post with controls, as it was written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ControlPost {
    /// The key of the host call that wrote it.
    pub key: String,
    /// The visit whose end takes the controls away.
    pub visit: u32,
    /// The action that wrote it, under whose name its fields are read.
    pub action: String,
    /// The chat server's id of the post.
    pub post_id: String,
    /// The channel it stands in.
    pub channel_id: String,
    /// Its message.
    pub message: String,
    /// Its controls.
    pub controls: Controls,
}
