//! What the listener has dealt with, for a scenario that must not look too early.

use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};

/// The posts that were offered to the runner, and the runs they started, oldest first. As large as its scenario.
#[derive(Debug, Default)]
pub(crate) struct Seen {
    state: Mutex<(BTreeSet<String>, Vec<String>)>,
}

impl Seen {
    pub(crate) fn offered(&self, post_id: &str, runs: impl IntoIterator<Item = String>) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.1.extend(runs);
        state.0.insert(post_id.to_owned());
    }

    pub(crate) fn knows(&self, post_id: &str) -> bool {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).0.contains(post_id)
    }

    pub(crate) fn runs(&self) -> Vec<String> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).1.clone()
    }
}
