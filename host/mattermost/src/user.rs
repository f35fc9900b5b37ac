//! People and bots.

use serde::Deserialize;

/// A person or a bot. There is no e-mail address here, on purpose.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct User {
    /// The server's id.
    pub id: String,
    /// The handle, without `@`.
    pub username: String,
    /// What the person wants to be called, often empty.
    pub nickname: String,
    /// Often empty.
    pub first_name: String,
    /// Often empty.
    pub last_name: String,
    /// The roles, separated by spaces. Only some answers hold them.
    pub roles: String,
    /// When the account was deactivated, in ms since 1970; 0: it is active.
    pub delete_at: i64,
    /// Whether it is a bot. Older servers leave it out.
    pub is_bot: bool,
}

impl User {
    /// Whether this person administers the server.
    #[must_use]
    pub fn is_system_admin(&self) -> bool {
        self.roles.split_whitespace().any(|role| role == "system_admin")
    }
}
