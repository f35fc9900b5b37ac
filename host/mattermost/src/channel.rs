//! Teams and channels.

use serde::{Deserialize, Serialize};

/// A team.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct Team {
    /// The server's id.
    pub id: String,
    /// The handle, as in links.
    pub name: String,
    /// What people see.
    pub display_name: String,
    /// When the team was archived, in ms since 1970; 0: it is not.
    pub delete_at: i64,
}

/// Somebody's membership in a team.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct TeamMember {
    /// The team's id.
    pub team_id: String,
    /// The member's id.
    pub user_id: String,
    /// The roles, separated by spaces.
    pub roles: String,
    /// When the member left, in ms since 1970; 0: they are still there. Servers remember who was a member.
    pub delete_at: i64,
}

/// Who may see a channel.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum ChannelKind {
    /// Everybody on the team.
    #[serde(rename = "O")]
    Public,
    /// Its members.
    #[serde(rename = "P")]
    Private,
    /// Two people.
    #[serde(rename = "D")]
    Direct,
    /// Some people, without a team.
    #[serde(rename = "G")]
    Group,
    /// A kind that this client does not know.
    #[default]
    #[serde(other)]
    Other,
}

/// A channel.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct Channel {
    /// The server's id.
    pub id: String,
    /// The team's id; empty for direct and group channels.
    pub team_id: String,
    /// Who may see it.
    #[serde(rename = "type")]
    pub kind: ChannelKind,
    /// The handle.
    pub name: String,
    /// What people see.
    pub display_name: String,
    /// At most 1,024 characters.
    pub header: String,
    /// At most 250 characters.
    pub purpose: String,
    /// Who made it; empty for those that the server made.
    pub creator_id: String,
    /// When it was made, in ms since 1970.
    pub create_at: i64,
    /// When the last post was written that counts as one, in ms since 1970; 0: none.
    pub last_post_at: i64,
    /// When it was archived, in ms since 1970; 0: it is not.
    pub delete_at: i64,
}

impl Channel {
    /// Whether the channel is archived.
    #[must_use]
    pub fn is_archived(&self) -> bool {
        self.delete_at != 0
    }
}

/// A channel that is to be made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct NewChannel {
    /// The team's id.
    pub team_id: String,
    /// The handle: 2 to 64 of `a-z 0-9 - _`, beginning and ending with a letter or digit.
    pub name: String,
    /// At most 64 characters.
    pub display_name: String,
    /// [`ChannelKind::Public`] or [`ChannelKind::Private`].
    #[serde(rename = "type")]
    pub kind: ChannelKind,
    /// At most 1,024 characters.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub header: String,
    /// At most 250 characters.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub purpose: String,
}

/// What of a channel is to change; `None` stays as it is.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct ChannelPatch {
    /// At most 64 characters.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub display_name: Option<String>,
    /// At most 1,024 characters.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub header: Option<String>,
    /// At most 250 characters.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub purpose: Option<String>,
}

/// Somebody's membership in a channel.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct ChannelMember {
    /// The channel's id.
    pub channel_id: String,
    /// The member's id.
    pub user_id: String,
    /// The roles, separated by spaces.
    pub roles: String,
    /// When the membership changed last, as by joining, in ms since 1970; 0: the server does not say.
    pub last_update_at: i64,
}
