//! Notices of a run that the server does not take now. Each waits for its next try, and holds nothing else up meanwhile.

use crate::core::Core;
use crate::ledger::Ledger;
use crate::patience::Patience;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::Ordering;

/// The notices of one run that were tried in vain, by their numbers. Kept in memory: a start tries all of them at once.
#[derive(Default)]
pub(crate) struct Resting(BTreeMap<u32, Rest>);

#[derive(Default)]
struct Rest {
    patience: Patience,
    from_ms: u64,
    until_ms: u64,
    /// How often the chat server was seen to answer before.
    answers: u64,
}

impl Resting {
    /// For how long the notice was tried already.
    pub(crate) fn patience(&mut self, n: u32) -> &mut Patience {
        &mut self.0.entry(n).or_default().patience
    }

    /// The notice is tried again after the wait; none: it is told, or told nowhere.
    pub(crate) fn put(&mut self, core: &Core, n: u32, wait_ms: Option<u64>) {
        let Some(wait_ms) = wait_ms else {
            self.0.remove(&n);
            return;
        };
        let rest = self.0.entry(n).or_default();
        rest.from_ms = core.clock.now_ms();
        rest.until_ms = rest.from_ms.saturating_add(wait_ms);
        rest.answers = core.answers.load(Ordering::Relaxed);
    }

    /// Those that are not to be tried yet. Once the server is seen to answer, or somebody has pressed what may be one of them, all are
    /// tried; and so they are when the clock was set back.
    pub(crate) fn now(&self, core: &Core, ledger: &Ledger) -> BTreeSet<u32> {
        if ledger.has_hints() {
            return BTreeSet::new();
        }
        let (now_ms, answers) = (core.clock.now_ms(), core.answers.load(Ordering::Relaxed));
        let rests = |rest: &Rest| rest.answers == answers && (rest.from_ms..rest.until_ms).contains(&now_ms);
        self.0.iter().filter(|(_, rest)| rests(rest)).map(|(n, _)| *n).collect()
    }

    /// When the next of them is to be tried; the time of one that need not be told any more has passed or passes.
    pub(crate) fn next_ms(&self, core: &Core) -> Option<u64> {
        let now_ms = core.clock.now_ms();
        self.0.values().map(|rest| rest.until_ms).filter(|until_ms| *until_ms > now_ms).min()
    }
}
