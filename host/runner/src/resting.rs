//! Notices of a run that the server does not take now. Each waits for its next try, and holds nothing else up meanwhile.

use crate::core::Core;
use crate::patience::Patience;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::Ordering;

/// The notices of one run that were tried in vain. Kept in memory: a start tries all of them at once.
#[derive(Default)]
pub(crate) struct Resting {
    /// By their numbers.
    notices: BTreeMap<u32, Rest>,
    /// When the next of those is to be tried that were not to be tried yet when that was asked last.
    next_ms: Option<u64>,
}

#[derive(Default)]
struct Rest {
    patience: Patience,
    from_ms: u64,
    until_ms: u64,
    /// How often the chat server had been seen to answer when it was tried.
    answers: u64,
}

/// The moment at which a notice is tried.
pub(crate) struct Moment {
    answers: u64,
}

impl Moment {
    pub(crate) fn now(core: &Core) -> Moment {
        Moment { answers: core.answers.load(Ordering::Relaxed) }
    }
}

impl Resting {
    /// For how long the notice was tried already.
    pub(crate) fn patience(&mut self, n: u32) -> &mut Patience {
        &mut self.notices.entry(n).or_default().patience
    }

    /// The notice, tried at that moment, is tried again after the wait; none: it is told, or told nowhere.
    pub(crate) fn put(&mut self, core: &Core, n: u32, tried: Moment, wait_ms: Option<u64>) {
        let Some(wait_ms) = wait_ms else {
            self.notices.remove(&n);
            return;
        };
        let rest = self.notices.entry(n).or_default();
        rest.from_ms = core.clock.now_ms();
        rest.until_ms = rest.from_ms.saturating_add(wait_ms);
        rest.answers = tried.answers;
    }

    /// Those that are not to be tried yet. Once the server was seen to answer since they were tried, all are to be; and so they are when
    /// the clock was set back.
    pub(crate) fn now(&mut self, core: &Core) -> BTreeSet<u32> {
        let (now_ms, answers) = (core.clock.now_ms(), core.answers.load(Ordering::Relaxed));
        let rests = |rest: &Rest| rest.answers == answers && (rest.from_ms..rest.until_ms).contains(&now_ms);
        let resting = || self.notices.iter().filter(|(_, rest)| rests(rest));
        self.next_ms = resting().map(|(_, rest)| rest.until_ms).min();
        resting().map(|(n, _)| *n).collect()
    }

    /// When to look at them again at the latest.
    pub(crate) fn next_ms(&self) -> Option<u64> {
        self.next_ms
    }
}
