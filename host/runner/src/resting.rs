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
    /// For how long it was tried already, and until when it waits.
    patience: Patience,
    /// How often the chat server had been seen to answer when it was tried.
    answers: u64,
}

impl Resting {
    /// The notice is tried now; gives for how long it was tried already.
    pub(crate) fn trying(&mut self, core: &Core, n: u32) -> &mut Patience {
        let rest = self.notices.entry(n).or_default();
        rest.answers = core.answers.load(Ordering::Relaxed);
        &mut rest.patience
    }

    /// The notice is told, or told nowhere.
    pub(crate) fn forget(&mut self, n: u32) {
        self.notices.remove(&n);
    }

    /// Those that are not to be tried yet. Once the server was seen to answer since they were tried, all are to be; and so they are when
    /// the clock was set back.
    pub(crate) fn now(&mut self, core: &Core) -> BTreeSet<u32> {
        let (now_ms, answers) = (core.clock.now_ms(), core.answers.load(Ordering::Relaxed));
        let end_ms = |rest: &Rest| rest.patience.end_ms(now_ms).filter(|_| rest.answers == answers);
        let resting = || self.notices.iter().filter_map(|(n, rest)| Some((*n, end_ms(rest)?)));
        self.next_ms = resting().map(|(_, end_ms)| end_ms).min();
        resting().map(|(n, _)| n).collect()
    }

    /// When to look at them again at the latest.
    pub(crate) fn next_ms(&self) -> Option<u64> {
        self.next_ms
    }
}
