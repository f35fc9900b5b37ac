//! Who was found to be a member of which channel, for a moment: people press several controls in a row, and each press is to be
//! answered at once. That somebody is no member is not remembered: they are asked to join, and press again.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

/// How long a membership is believed, in milliseconds.
const BELIEVED_MS: u64 = 60_000;
/// How many are remembered.
const MEMBERS_MAX: usize = 4_096;

/// Memberships that were seen lately: until when they are believed, by channel and person.
#[derive(Default)]
pub(crate) struct Members(Mutex<BTreeMap<(String, String), u64>>);

impl Members {
    pub(crate) fn has(&self, channel_id: &str, user_id: &str, now_ms: u64) -> bool {
        let seen = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        seen.get(&(channel_id.to_owned(), user_id.to_owned())).is_some_and(|until_ms| *until_ms > now_ms)
    }

    pub(crate) fn saw(&self, channel_id: &str, user_id: &str, now_ms: u64) {
        let mut seen = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if seen.len() >= MEMBERS_MAX {
            seen.retain(|_, until_ms| *until_ms > now_ms);
        }
        // Too many at once: the server can be asked again.
        if seen.len() >= MEMBERS_MAX {
            seen.clear();
        }
        seen.insert((channel_id.to_owned(), user_id.to_owned()), now_ms.saturating_add(BELIEVED_MS));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_membership_is_believed_for_its_time_there_and_for_nobody_else() {
        let members = Members::default();
        members.saw("room", "jon", 1_000);
        assert!(members.has("room", "jon", 1_000 + BELIEVED_MS - 1));
        assert!(!members.has("room", "jon", 1_000 + BELIEVED_MS));
        assert!(!members.has("room", "sam", 1_000));
        assert!(!members.has("town", "jon", 1_000));
    }

    #[test]
    fn no_more_are_remembered_than_the_bound() {
        let members = Members::default();
        for at in 0..=MEMBERS_MAX {
            members.saw("room", &at.to_string(), 1_000);
            assert!(members.has("room", &at.to_string(), 1_000));
        }
        assert!(members.0.lock().unwrap().len() <= MEMBERS_MAX);
    }
}
