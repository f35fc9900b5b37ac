//! Remembers the last posts, since a resumed stream repeats some.

use std::collections::{HashSet, VecDeque};

/// The last ids seen, up to a bound.
#[derive(Debug)]
pub(crate) struct Recent {
    order: VecDeque<String>,
    ids: HashSet<String>,
    max: usize,
}

impl Recent {
    /// Remembers the last `max` ids.
    pub(crate) fn new(max: usize) -> Self {
        Self { order: VecDeque::new(), ids: HashSet::new(), max }
    }

    /// Whether the id is new; it is remembered from now on.
    pub(crate) fn insert(&mut self, id: &str) -> bool {
        if self.ids.contains(id) {
            return false;
        }
        self.ids.insert(id.to_owned());
        self.order.push_back(id.to_owned());
        if self.order.len() > self.max
            && let Some(oldest) = self.order.pop_front()
        {
            self.ids.remove(&oldest);
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_window_has_a_bound() {
        let mut recent = Recent::new(2);
        assert!(recent.insert("a") && recent.insert("b"));
        assert!(!recent.insert("a"));
        assert!(recent.insert("c"));
        assert!(!recent.insert("b") && recent.insert("a"));
        assert_eq!(recent.ids.len(), 2);
    }
}
