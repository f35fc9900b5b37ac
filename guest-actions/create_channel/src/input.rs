//! The parameters of `create_channel`, as schema.json has them.

use serde::Deserialize;
use warroom_action::Flag;

#[derive(Deserialize)]
pub(crate) struct Input {
    pub(crate) channel_name: String,
    #[serde(default)]
    pub(crate) channel_displayname: String,
    #[serde(default)]
    pub(crate) team_name: Option<String>,
    #[serde(default)]
    pub(crate) header: String,
    #[serde(default)]
    pub(crate) purpose: String,
    #[serde(default)]
    pub(crate) private: Flag,
}
