//! Posts that were made lately with a `pending_post_id`, so that a repeated call finds the first one.

use std::collections::{HashMap, VecDeque};
use std::time::{Duration, Instant};

/// How long a repeated `pending_post_id` gives the first post.
const TTL: Duration = Duration::from_secs(30);

#[derive(Debug)]
struct Entry {
    pending_id: String,
    post_id: String,
    at: Instant,
}

/// Id of the post by pending id. Scoped to nobody, as on the real server: a stranger who repeats an id gets its post.
#[derive(Debug)]
pub(crate) struct PendingPosts {
    by_id: HashMap<String, String>,
    /// Oldest first.
    entries: VecDeque<Entry>,
    entries_max: usize,
}

impl PendingPosts {
    /// Remembers at most `entries_max`; the oldest makes room.
    pub(crate) fn new(entries_max: usize) -> PendingPosts {
        PendingPosts { by_id: HashMap::new(), entries: VecDeque::new(), entries_max }
    }

    /// Remembers the post that was made with `pending_id` at `now`.
    pub(crate) fn remember(&mut self, pending_id: &str, post_id: &str, now: Instant) {
        if self.entries_max == 0 {
            return;
        }
        if self.entries.len() >= self.entries_max {
            self.forget_oldest();
        }
        let (pending_id, post_id) = (pending_id.to_owned(), post_id.to_owned());
        self.by_id.insert(pending_id.clone(), post_id.clone());
        self.entries.push_back(Entry { pending_id, post_id, at: now });
    }

    /// The post that was made with this id lately.
    pub(crate) fn find(&mut self, pending_id: &str, now: Instant) -> Option<&str> {
        while self.entries.front().is_some_and(|entry| now.saturating_duration_since(entry.at) > TTL) {
            self.forget_oldest();
        }
        self.by_id.get(pending_id).map(String::as_str)
    }

    fn forget_oldest(&mut self) {
        // The same id may have been used again, when its first post was gone.
        if let Some(Entry { pending_id, post_id, .. }) = self.entries.pop_front()
            && self.by_id.get(&pending_id) == Some(&post_id)
        {
            self.by_id.remove(&pending_id);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pending_id_is_known_for_thirty_seconds_and_while_there_is_room() {
        let mut pending = PendingPosts::new(2);
        let start = Instant::now();
        pending.remember("a", "post 1", start);
        assert_eq!(pending.find("a", start + TTL), Some("post 1"));
        assert_eq!(pending.find("a", start + TTL + Duration::from_millis(1)), None);
        for (id, post) in [("b", "post 2"), ("c", "post 3"), ("d", "post 4")] {
            pending.remember(id, post, start);
        }
        assert_eq!(pending.find("b", start), None);
        assert_eq!(pending.find("c", start), Some("post 3"));
        assert_eq!((pending.by_id.len(), pending.entries.len()), (2, 2));
    }

    #[test]
    fn an_id_that_is_used_again_stays_known_when_its_first_use_is_forgotten() {
        let mut pending = PendingPosts::new(2);
        let start = Instant::now();
        pending.remember("a", "post 1", start);
        pending.remember("a", "post 2", start);
        pending.remember("b", "post 3", start);
        assert_eq!(pending.find("a", start), Some("post 2"));
    }
}
