//! What a host provides.

use async_trait::async_trait;

use crate::call::{Answer, Call};
use crate::failure::{ActionError, CallFailure};

/// How important a line of the log is.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum LogLevel {
    /// For who develops the action.
    Debug,
    /// Worth knowing.
    Info,
    /// Something is odd.
    Warn,
    /// Something failed.
    Error,
}

/// The other side of a component's imports, for one execution. Calls come one after the other, and only of the capabilities
/// that the component imports and was granted.
#[async_trait]
pub trait Host: Send {
    /// Carries out a call and gives its answer; see [`Call`] for which answer belongs to which call.
    ///
    /// # Errors
    /// [`CallFailure::Error`] is given to the guest, [`CallFailure::Suspend`] ends the execution.
    async fn call(&mut self, call: Call) -> Result<Answer, CallFailure>;

    /// Takes a line that the guest wrote to the log. Untrusted text: it may hold anything.
    fn log(&mut self, level: LogLevel, message: &str);

    /// Gives a secret, which is neither journalled nor shown.
    ///
    /// # Errors
    /// Given to the guest: `denied` when the grant does not name the secret.
    fn secret(&mut self, name: &str) -> Result<String, ActionError>;
}
