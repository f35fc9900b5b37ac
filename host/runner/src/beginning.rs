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
    pub(crate) fn is_written() -> Beginning {
        Beginning(watch::Sender::new(Known::Written))
    }

    /// One that is being written.
    pub(crate) fn is_awaited() -> Beginning {
        Beginning(watch::Sender::new(Known::Awaited))
    }

    /// Waits until it is known whether the start is written.
    pub(crate) async fn written(&self) -> bool {
        let mut known = self.0.subscribe();
        // The sender is `self`, so it is there.
        known.wait_for(|known| *known != Known::Awaited).await.is_ok_and(|known| *known == Known::Written)
    }

    fn settle(&self, known: Known) {
        self.0.send_if_modified(|now| {
            let is_new = *now == Known::Awaited;
            if is_new {
                *now = known;
            }
            is_new
        });
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

    /// The journal has the start.
    pub(crate) fn is_written(self) {
        self.ledger.beginning.settle(Known::Written);
    }
}

impl Drop for Ahead<'_> {
    fn drop(&mut self) {
        self.ledger.beginning.settle(Known::Failed);
        if *self.ledger.beginning.0.borrow() == Known::Failed
            && let Some(run) = self.core.open().remove(&self.ledger.id)
        {
            run.driver.abort();
        }
    }
}
