//! Whether the service does its work, as `/readyz` tells.

/// Why it does not while the server refuses the token.
pub(crate) const TOKEN_REFUSED: &str = "Mattermost refuses the bot's token";

/// Whether the service does its work.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Readiness {
    /// It listens to the chat.
    Ready,
    /// It does not, for this reason.
    Not(String),
}
