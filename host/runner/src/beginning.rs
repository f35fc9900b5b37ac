//! Whether the journal has the start of a run.
//!
//! A start waits for the disk, and the first action has things to look up meanwhile. So a run is driven as soon as its number is known;
//! nothing of it is written before its start is, and no effect comes before what is written ahead of it.

use crate::core::Core;
use crate::ledger::Ledger;
use std::sync::Arc;
use tokio::sync::watch;

#[derive(Clone, Copy, PartialEq, Eq)]
enum Known {
    Awaited,
    Written,
    Failed,
}

/// What is known of the start of a run.
pub(crate) struct Beginning(watch::Sender<Known>);

impl Beginning {
    /// That of a run that was read from the journal.
    pub(crate) fn journalled() -> Beginning {
        Beginning(watch::Sender::new(Known::Written))
    }

    /// One that is being written.
    pub(crate) fn awaited() -> Beginning {
        Beginning(watch::Sender::new(Known::Awaited))
    }

    /// Waits until it is known whether the start is written.
    pub(crate) async fn written(&self) -> bool {
        let mut known = self.0.subscribe();
        // The sender is `self`, so it is there.
        known.wait_for(|known| *known != Known::Awaited).await.is_ok_and(|known| *known == Known::Written)
    }

    /// Whether it is not known yet whether the start is written.
    pub(crate) fn is_awaited(&self) -> bool {
        *self.0.borrow() == Known::Awaited
    }
}

/// A run that is driven while its start is being written. Dropped before that is known to be written, it is driven no more.
pub(crate) struct Ahead<'a> {
    core: &'a Core,
    ledger: Arc<Ledger>,
}

impl<'a> Ahead<'a> {
    /// The ledger's run is driven already, and its start awaited.
    pub(crate) fn new(core: &'a Core, ledger: Arc<Ledger>) -> Ahead<'a> {
        Ahead { core, ledger }
    }

    /// Tells that the journal has the start.
    pub(crate) fn confirm(self) {
        self.ledger.beginning.0.send_replace(Known::Written);
    }
}

impl Drop for Ahead<'_> {
    fn drop(&mut self) {
        if !self.ledger.beginning.is_awaited() {
            return;
        }
        let mut open = self.core.open();
        if open.get(&self.ledger.id).is_some_and(|run| Arc::ptr_eq(&run.ledger, &self.ledger))
            && let Some(run) = open.remove(&self.ledger.id)
        {
            run.driver.abort();
        }
        // Whoever waits for it finds nobody who drives the run.
        self.ledger.beginning.0.send_replace(Known::Failed);
    }
}
