//! Whoever measures from outside.

use std::fmt;
use std::time::Duration;

use crate::error::ApiErrorKind;

/// Is told of every call and of the event stream, so that metrics can be made outside. It is called where the work is done: it must
/// be quick, and must not block.
pub trait Observer: fmt::Debug + Send + Sync {
    /// A call has ended. `call` is the name of the client's method; the duration holds the wait for the call's turn.
    fn called(&self, call: &'static str, outcome: CallOutcome, duration: Duration) {
        let _ = (call, outcome, duration);
    }

    /// The event stream stands; `resumed` as in [`crate::StreamEvent::Connected`].
    fn stream_connected(&self, resumed: bool) {
        let _ = resumed;
    }

    /// The event stream's connection was lost, or could not be made.
    fn stream_lost(&self) {}
}

/// How a call ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum CallOutcome {
    /// As it should.
    Ok,
    /// The server answered 400 to 499, but for what has a name of its own here.
    ClientError,
    /// The server answered 500 to 599.
    ServerError,
    /// No connection was made.
    Unreachable,
    /// The answer was lost or late.
    Interrupted,
    /// The server, or the client's own throttle, wants fewer calls.
    RateLimited,
    /// The token is refused.
    Refused,
    /// The answer makes no sense.
    Unexpected,
    /// The call makes no sense and was not sent.
    Invalid,
}

impl CallOutcome {
    /// How a call ended that failed.
    pub(crate) fn of(kind: &ApiErrorKind) -> Self {
        match kind {
            ApiErrorKind::TokenRefused | ApiErrorKind::Server { status: 401, .. } => Self::Refused,
            ApiErrorKind::Server { status: ..=499, .. } => Self::ClientError,
            ApiErrorKind::Server { .. } => Self::ServerError,
            ApiErrorKind::Unreachable(_) => Self::Unreachable,
            ApiErrorKind::Interrupted(_) => Self::Interrupted,
            ApiErrorKind::RateLimited { .. } | ApiErrorKind::TurnTooLate { .. } => Self::RateLimited,
            ApiErrorKind::Unexpected(_) | ApiErrorKind::TooLong(_) => Self::Unexpected,
            ApiErrorKind::Invalid(_) => Self::Invalid,
        }
    }

    /// A word for it, as a label of a metric.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::ClientError => "client_error",
            Self::ServerError => "server_error",
            Self::Unreachable => "unreachable",
            Self::Interrupted => "interrupted",
            Self::RateLimited => "rate_limited",
            Self::Refused => "refused",
            Self::Unexpected => "unexpected",
            Self::Invalid => "invalid",
        }
    }
}
