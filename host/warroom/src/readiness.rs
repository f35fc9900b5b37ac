//! Whether the service does its work, as `/readyz` and the metrics tell.

use tokio::sync::watch;
use warroom_mattermost::Client;
use warroom_runner::Runner;

/// Why it does not while the server refuses the token.
pub(crate) const TOKEN_REFUSED: &str = "Mattermost refuses the bot's token";

/// Why it does not while the journal takes nothing.
pub(crate) const JOURNAL_FAILS: &str = "the journal cannot be written (see the log)";

/// Whether the service does its work.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Readiness {
    /// It listens to the chat.
    Ready,
    /// It does not, for this reason.
    Not(String),
}

/// Everything that has a say in it.
#[derive(Clone)]
pub(crate) struct Witnesses {
    /// What whoever listens to the chat says.
    pub(crate) listener: watch::Receiver<Readiness>,
    /// Knows whether the journal takes what happens to runs; none while the service starts.
    pub(crate) runner: watch::Receiver<Option<Runner>>,
    /// Knows of a refused token before the event stream does; none while the service starts.
    pub(crate) client: watch::Receiver<Option<Client>>,
}

impl Witnesses {
    /// Whether the service does its work now.
    pub(crate) fn now(&self) -> Readiness {
        if self.client.borrow().as_ref().is_some_and(|client| *client.token_refused().borrow()) {
            return Readiness::Not(TOKEN_REFUSED.to_owned());
        }
        if self.runner.borrow().as_ref().is_some_and(Runner::is_journal_failing) {
            return Readiness::Not(JOURNAL_FAILS.to_owned());
        }
        self.listener.borrow().clone()
    }
}
