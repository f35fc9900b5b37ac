//! How a call or an action fails.

use std::fmt;

use serde::{Deserialize, Serialize};

/// What kind of failure it is. The host acts on the kind, people read the message.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum ErrorKind {
    /// The workflow's author must change the input.
    InvalidInput,
    /// The thing named does not exist.
    NotFound,
    /// The thing exists already, or its state does not allow this.
    Conflict,
    /// The grant, or the chat server, does not allow this.
    Denied,
    /// The other side asked to come back later.
    RateLimited,
    /// The other side cannot be reached or is failing.
    Unavailable,
    /// Anything else; trying again would not help.
    Failed,
}

impl ErrorKind {
    /// The kind as the contract writes it, `not-found`.
    pub fn name(self) -> &'static str {
        match self {
            Self::InvalidInput => "invalid-input",
            Self::NotFound => "not-found",
            Self::Conflict => "conflict",
            Self::Denied => "denied",
            Self::RateLimited => "rate-limited",
            Self::Unavailable => "unavailable",
            Self::Failed => "failed",
        }
    }
}

/// A failure, for the host to act on and for a person to read.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize, thiserror::Error)]
#[error("{message}")]
pub struct ActionError {
    /// What kind.
    pub kind: ErrorKind,
    /// What was being done, to what, why it failed and what to do. At most 1,000 characters.
    pub message: String,
}

impl ActionError {
    /// A failure of a kind with a message.
    pub fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into() }
    }
}

/// Why a host does not answer a call.
#[derive(Clone, Debug, PartialEq)]
pub enum CallFailure {
    /// The guest is told, and goes on.
    Error(ActionError),
    /// The execution stops here and the guest never learns why; the host runs it again later. The text says what for.
    Suspend(String),
}

impl From<ActionError> for CallFailure {
    fn from(error: ActionError) -> Self {
        Self::Error(error)
    }
}

impl fmt::Display for ErrorKind {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.name())
    }
}
