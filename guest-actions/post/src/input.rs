//! The parameters of `post`, as schema.json has them.

use serde::Deserialize;
use warroom_action::Names;

#[derive(Default, Deserialize)]
#[serde(default)]
pub(crate) struct Input {
    pub(crate) channel_name: String,
    pub(crate) team_name: Option<String>,
    pub(crate) message: String,
    pub(crate) fields_title: Option<String>,
    pub(crate) fields: Vec<Field>,
    pub(crate) transitions_title: Option<String>,
    pub(crate) transition_title: Option<String>,
    pub(crate) transitions: Vec<Transition>,
}

#[derive(Deserialize)]
pub(crate) struct Field {
    pub(crate) name: String,
    #[serde(rename = "type")]
    pub(crate) kind: Kind,
    #[serde(default)]
    pub(crate) description: String,
    #[serde(default)]
    pub(crate) options: Vec<String>,
}

#[derive(Clone, Copy, Deserialize, PartialEq)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Kind {
    Button,
    Options,
}

#[derive(Deserialize)]
pub(crate) struct Transition {
    pub(crate) label: String,
    #[serde(default)]
    pub(crate) description: String,
    pub(crate) to: String,
    #[serde(default)]
    pub(crate) allowed: Option<Names>,
}
