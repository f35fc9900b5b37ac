//! What all parts of the runner share.

use crate::chat::Chat;
use crate::clock::Clock;
use crate::components::Components;
use crate::controls::Key;
use crate::held::Floods;
use crate::journal::Journal;
use crate::ledger::Ledger;
use crate::members::Members;
use crate::options::Options;
use crate::workflows::Workflows;
use std::collections::BTreeMap;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::Semaphore;
use tokio::task::AbortHandle;

/// What the runner was given, and the runs that it drives.
pub(crate) struct Core {
    pub(crate) chat: Arc<dyn Chat>,
    pub(crate) journal: Arc<dyn Journal>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) components: Arc<Components>,
    pub(crate) workflows: Arc<Workflows>,
    pub(crate) key: Key,
    pub(crate) options: Options,
    /// Whether the last write to the journal failed.
    pub(crate) journal_failing: AtomicBool,
    /// Who was seen to be a member where.
    pub(crate) members: Members,
    /// What is held back.
    pub(crate) floods: Floods,
    /// Places for what waits to be told to the operators.
    pub(crate) telling: Arc<Semaphore>,
    /// The runs that are driven, by id.
    pub(crate) open: Mutex<BTreeMap<String, OpenRun>>,
    /// The open runs that could not be taken up, by id, with the reasons.
    pub(crate) stuck: Mutex<BTreeMap<String, String>>,
}

/// A run that is driven.
pub(crate) struct OpenRun {
    pub(crate) ledger: Arc<Ledger>,
    /// The task that drives it.
    pub(crate) driver: AbortHandle,
}

impl Core {
    pub(crate) fn open(&self) -> MutexGuard<'_, BTreeMap<String, OpenRun>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Names the run in the lines of the log to come: in the span that is entered, which has the fields.
    pub(crate) fn name_in_log(&self, id: &str) {
        let span = tracing::Span::current();
        span.record("run", id);
        if let Some(ledger) = self.ledger(id) {
            span.record("workflow", ledger.workflow().name.as_str());
        }
    }

    pub(crate) fn ledger(&self, id: &str) -> Option<Arc<Ledger>> {
        self.open().get(id).map(|run| Arc::clone(&run.ledger))
    }
}
