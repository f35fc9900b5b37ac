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
use crate::repeats::Outwaited;
use crate::rooms::RecentLosses;
use crate::workflows::Workflows;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, AtomicU64};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::Notify;
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
    /// The channels that were lost last.
    pub(crate) recent_losses: RecentLosses,
    /// What waits to be told to operators or a channel, by what it is about.
    pub(crate) telling: Mutex<BTreeSet<Told>>,
    /// Whether it was said that no place is left for a matter.
    pub(crate) tells_no_more: AtomicBool,
    /// Wakes what waits for the chat server, when that is seen to answer.
    pub(crate) answering: Notify,
    /// How often it was seen to answer.
    pub(crate) answers: AtomicU64,
    /// For how long runs that were closing were waited for in vain.
    pub(crate) outwaited: Mutex<Outwaited>,
    /// The runs that are driven, by id.
    pub(crate) open: Mutex<BTreeMap<String, OpenRun>>,
    /// The tasks that bring the posts of ended runs to their last look, by the runs' ids.
    pub(crate) showing: Mutex<BTreeMap<String, AbortHandle>>,
    /// Held while it is looked whether somebody drives a run.
    pub(crate) taking_up: tokio::sync::Mutex<()>,
    /// The open runs that could not be taken up, by id, with the reasons.
    pub(crate) stuck: Mutex<BTreeMap<String, String>>,
    /// Wakes who waits for a change there.
    pub(crate) unstuck: Notify,
}

/// How many matters for operators wait to be told while the server does not take them, and how many for other channels: those of
/// operators may have to wait for their channel.
pub(crate) const TOLD_AT_ONCE_MAX: usize = 64;

/// The place of a matter that is to be told, until it is told or cannot be.
pub(crate) struct Telling {
    core: Arc<Core>,
    told: Told,
}

/// Whether operators are told, and what it is about.
type Told = (bool, String);

impl Drop for Telling {
    fn drop(&mut self) {
        self.core.telling.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.told);
    }
}

/// Whether something begins to be told.
pub(crate) enum Begun {
    Now(Telling),
    /// It waits to be told already.
    Before,
    /// Too much waits.
    Never,
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

    pub(crate) fn showing(&self) -> MutexGuard<'_, BTreeMap<String, AbortHandle>> {
        self.showing.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Names the run in the lines of the log to come: in the span that is entered, which has the fields.
    pub(crate) fn name_in_log(&self, id: &str) {
        let span = tracing::Span::current();
        span.record("run", id);
        if let Some(ledger) = self.ledger(id) {
            span.record("workflow", ledger.workflow().name.as_str());
        }
    }

    /// Takes a place for a matter that is to be told, unless it has one, or as many have one as may.
    pub(crate) fn begin_telling(self: &Arc<Core>, to_operators: bool, about: &str) -> Begun {
        let told = (to_operators, about.to_owned());
        let mut telling = self.telling.lock().unwrap_or_else(PoisonError::into_inner);
        if telling.contains(&told) {
            return Begun::Before;
        }
        if telling.iter().filter(|known| known.0 == to_operators).count() >= TOLD_AT_ONCE_MAX {
            return Begun::Never;
        }
        telling.insert(told.clone());
        Begun::Now(Telling { core: Arc::clone(self), told })
    }

    /// Whether the run is one that could not be taken up.
    pub(crate) fn is_stuck(&self, id: &str) -> bool {
        self.why_stuck(id).is_some()
    }

    /// Why the run could not be taken up; none when it could.
    pub(crate) fn why_stuck(&self, id: &str) -> Option<String> {
        self.stuck.lock().unwrap_or_else(PoisonError::into_inner).get(id).cloned()
    }

    /// Notes that a run cannot be taken up, or, without a reason, that it can.
    pub(crate) fn note_stuck(&self, id: &str, reason: Option<&str>) {
        let mut stuck = self.stuck.lock().unwrap_or_else(PoisonError::into_inner);
        match reason {
            Some(reason) => stuck.insert(id.to_owned(), reason.to_owned()),
            None => stuck.remove(id),
        };
        self.unstuck.notify_waiters();
    }

    /// Waits until the run is not stuck any more.
    pub(crate) async fn stuck_no_more(&self, id: &str) {
        loop {
            let mut changed = std::pin::pin!(self.unstuck.notified());
            // From here on no change is missed.
            changed.as_mut().enable();
            if !self.is_stuck(id) {
                return;
            }
            changed.await;
        }
    }

    /// Waits so long, or until the chat server is seen to answer.
    pub(crate) async fn rest(&self, wait_ms: u64) {
        tokio::select! {
            () = self.clock.sleep_until(self.clock.now_ms().saturating_add(wait_ms)) => {}
            () = self.answering.notified() => {}
        }
    }

    pub(crate) fn ledger(&self, id: &str) -> Option<Arc<Ledger>> {
        self.open().get(id).map(|run| Arc::clone(&run.ledger))
    }
}
