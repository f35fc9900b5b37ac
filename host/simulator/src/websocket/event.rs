//! What happened, and who hears of it.

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

impl Event {
    /// The frame with this sequence number.
    pub(crate) fn frame(&self, seq: u64) -> String {
        let (user_id, channel_id, team_id) = match &self.audience {
            Audience::Everybody => ("", "", ""),
            Audience::User(id) => (id.as_str(), "", ""),
            Audience::Channel(id) => ("", id.as_str(), ""),
            Audience::Team(id) => ("", "", id.as_str()),
        };
        json!({
            "event": self.name,
            "data": self.data,
            "broadcast": {
                "omit_users": null,
                "user_id": user_id,
                "channel_id": channel_id,
                "team_id": team_id,
            },
            "seq": seq,
        })
        .to_string()
    }
}
