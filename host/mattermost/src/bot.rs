//! Bots and their tokens, as administrators see them.

use serde::Deserialize;

use crate::token::Token;

/// A bot account.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct Bot {
    /// The id of the bot's user, by which everything else knows it.
    pub user_id: String,
    /// The handle, without `@`.
    pub username: String,
    /// What people see.
    pub display_name: String,
    /// What it is for.
    pub description: String,
    /// Who made it. Servers disable the bots of people who are deactivated.
    pub owner_id: String,
    /// When it was disabled, in ms since 1970; 0: it is enabled.
    pub delete_at: i64,
}

/// An access token that was just made. The server shows it only now.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct NewToken {
    /// The id of the token, which is no secret.
    pub id: String,
    /// The token.
    pub token: Token,
}
