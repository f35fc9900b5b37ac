//! The parameters of `add_users_channel`, as schema.json has them.

use serde::Deserialize;
use warroom_action::{Flag, Names};

#[derive(Deserialize)]
pub(crate) struct Input {
    pub(crate) channel_name: String,
    #[serde(default)]
    pub(crate) team_name: Option<String>,
    pub(crate) users: Names,
    #[serde(default)]
    pub(crate) notify: Flag,
}
