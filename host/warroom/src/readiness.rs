//! Whether the service does its work, as `/readyz` tells.

/// Whether the service does its work.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Readiness {
    /// It listens to the chat.
    Ready,
    /// It does not, for this reason.
    Not(String),
}
