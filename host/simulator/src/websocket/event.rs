//! What happened, and who hears of it.

use axum::extract::ws::Utf8Bytes;
use serde_json::{Value, json};

/// Who hears of an event.
#[derive(Debug, Clone)]
pub(crate) enum Audience {
    /// Every stream.
    Everybody,
    /// The streams of this user.
    User(String),
    /// The members of this channel.
    Channel(String),
    /// The members of this team.
    Team(String),
}

/// Something that happened.
#[derive(Debug, Clone)]
pub(crate) struct Event {
    /// Such as `posted`.
    pub(crate) name: &'static str,
    /// What happened, in the form of this kind of event.
    pub(crate) data: Value,
    /// Who hears of it.
    pub(crate) audience: Audience,
}

/// What every stream is sent of an event; only the number differs.
pub(crate) struct Unnumbered(String);

impl Unnumbered {
    /// The frame with this sequence number.
    pub(crate) fn frame(&self, seq: u64) -> Utf8Bytes {
        format!("{},\"seq\":{seq}}}", self.0).into()
    }
}

impl Event {
    /// The frame without a sequence number.
    pub(crate) fn unnumbered(&self) -> Unnumbered {
        let (user_id, channel_id, team_id) = match &self.audience {
            Audience::Everybody => ("", "", ""),
            Audience::User(id) => (id.as_str(), "", ""),
            Audience::Channel(id) => ("", id.as_str(), ""),
            Audience::Team(id) => ("", "", id.as_str()),
        };
        let broadcast = json!({
            "omit_users": null,
            "user_id": user_id,
            "channel_id": channel_id,
            "team_id": team_id,
        });
        Unnumbered(format!(
            "{{\"event\":{},\"data\":{},\"broadcast\":{broadcast}",
            json!(self.name),
            self.data
        ))
    }
}
