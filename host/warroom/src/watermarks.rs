//! How far the posts of each channel were dealt with: in memory, and a moment later in the store.
//!
//! A post is dealt with before its mark is raised, and marks are written behind: after a crash some posts are looked at
//! twice, which the journal makes harmless, and none is missed. With each mark the ids of the posts that were dealt with within a margin
//! before it are known, since a server may write posts out of order: see `catch_up.rs`. Once later posts come, whatever their channel,
//! nothing more can come there: the channel is settled, and need not be read when nothing was posted to it since.

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use warroom_mattermost::Channel;
use warroom_runner::{Clock as _, SystemClock};
use warroom_store::{RECORDS_AT_ONCE_MAX, Store, StoreError, Watermark};

/// How often raised marks are written.
const WRITE_EVERY: Duration = Duration::from_secs(1);

/// How far before a mark posts may still come, in milliseconds.
pub(crate) const MARGIN_MS: u64 = 10_000;
/// How many posts of one channel are known there; with more, the margin is shorter.
const NEAR_MAX: usize = 500;
/// How often channels are looked through for those that are settled, in milliseconds: there may be thousands, and posts each second.
const SETTLE_EVERY_MS: u64 = 1_000;

/// The marks. Clones share them.
#[derive(Clone)]
pub(crate) struct Watermarks {
    store: Store,
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
struct State {
    channels: HashMap<String, Known>,
    /// Channels of which something cannot be read yet: their marks stay where they are, and they get none before.
    held: HashSet<String>,
    /// Channels of which something is to be written.
    raised: HashSet<String>,
    /// Channels where posts may still come before the mark.
    unsettled: HashSet<String>,
    /// When they were looked through last, by the server's clock.
    settled_ms: u64,
}

/// What is known of a channel.
struct Known {
    at_ms: u64,
    /// What is older was dealt with, though its ids are not known.
    base_ms: u64,
    /// Posts that were dealt with, not much older than the mark, in the order of their coming.
    near: VecDeque<(String, u64)>,
    /// Whether the mark stays where it is, since something after it cannot be read yet.
    is_held: bool,
}

impl Known {
    fn new(at_ms: u64, base_ms: u64) -> Known {
        Known { at_ms, base_ms, near: VecDeque::new(), is_held: false }
    }

    /// As it was written; near what cannot be read, posts are looked at twice.
    fn read(mark: &Watermark) -> Known {
        let near = serde_json::from_str(&mark.near).unwrap_or_default();
        Known { near, ..Known::new(mark.at_ms, mark.since_ms) }
    }

    fn to_write(&self, channel_id: String) -> Watermark {
        let near = serde_json::to_string(&self.near).unwrap_or_default();
        Watermark { channel_id, at_ms: self.at_ms, since_ms: self.base_ms, near }
    }

    fn is_settled(&self) -> bool {
        self.base_ms > self.at_ms
    }

    fn note(&mut self, post_id: &str, at_ms: u64) {
        if self.near.iter().any(|(known, _)| known == post_id) {
            return;
        }
        self.near.push_back((post_id.to_owned(), at_ms));
        let old =
            |near: &VecDeque<(String, u64)>, than_ms| near.front().is_some_and(|(_, at_ms)| *at_ms < than_ms);
        while self.near.len() > NEAR_MAX || old(&self.near, self.at_ms.saturating_sub(MARGIN_MS)) {
            let Some((_, at_ms)) = self.near.pop_front() else { return };
            if !self.is_held {
                self.base_ms = self.base_ms.max(at_ms.saturating_add(1).min(self.at_ms));
            }
        }
    }
}

/// The mark of a channel, in milliseconds since 1970 by the server's clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Mark {
    /// Posts up to here were dealt with, as far as they came in order.
    pub(crate) at_ms: u64,
    /// From here on posts may have come out of order; of those that were dealt with, the ids are known.
    pub(crate) since_ms: u64,
}

impl Watermarks {
    /// Reads what was written last.
    pub(crate) async fn read(store: Store) -> Result<Watermarks, StoreError> {
        let mut state = State::default();
        for mark in store.watermarks().await? {
            let known = Known::read(&mark);
            if !known.is_settled() {
                state.unsettled.insert(mark.channel_id.clone());
            }
            state.channels.insert(mark.channel_id, known);
        }
        Ok(Watermarks { store, state: Arc::new(Mutex::new(state)) })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The mark of a channel; none for one that was never listened to.
    pub(crate) fn of(&self, channel_id: &str) -> Option<Mark> {
        let state = self.state();
        let known = state.channels.get(channel_id)?;
        let since_ms = known.base_ms.max(known.at_ms.saturating_sub(MARGIN_MS));
        Some(Mark { at_ms: known.at_ms, since_ms })
    }

    /// The channel as one to which something was posted since its mark. It may have been listed before that, and servers tell of
    /// nothing on the stream that was posted in the moment of the bot's joining.
    pub(crate) fn as_unread(&self, channel: Channel) -> Channel {
        let since_ms = self.of(&channel.id).and_then(|mark| i64::try_from(mark.since_ms).ok()).unwrap_or(0);
        Channel { last_post_at: channel.last_post_at.max(since_ms), ..channel }
    }

    /// The newest of all marks.
    pub(crate) fn newest_ms(&self) -> Option<u64> {
        self.state().channels.values().map(|known| known.at_ms).max()
    }

    /// Whether the post was dealt with, as far as is known: see [`Mark::since_ms`].
    pub(crate) fn knows(&self, channel_id: &str, post_id: &str) -> bool {
        let state = self.state();
        let known = state.channels.get(channel_id);
        known.is_some_and(|known| known.near.iter().any(|(known, _)| known == post_id))
    }

    /// A post was dealt with, written at this time.
    pub(crate) fn dealt_with(&self, channel_id: &str, post_id: &str, at_ms: u64) {
        let at_ms = no_later_than_now(at_ms);
        self.raise(channel_id, at_ms);
        let mut state = self.state();
        if let Some(known) = state.channels.get_mut(channel_id) {
            known.note(post_id, at_ms);
            state.raised.insert(channel_id.to_owned());
        }
    }

    /// A post that was written at this time came over the stream, and nothing is missing before it: where the newest post is much older,
    /// nothing more can come before that one.
    pub(crate) fn settle(&self, now_ms: u64) {
        let now_ms = now_ms.min(SystemClock.now_ms());
        let mut state = self.state();
        let State { channels, raised, unsettled, settled_ms, .. } = &mut *state;
        if now_ms < settled_ms.saturating_add(SETTLE_EVERY_MS) {
            return;
        }
        *settled_ms = now_ms;
        unsettled.retain(|id| {
            let Some(known) = channels.get_mut(id) else { return false };
            if known.is_held || known.at_ms.saturating_add(MARGIN_MS) >= now_ms {
                return true;
            }
            known.base_ms = known.at_ms.saturating_add(1);
            known.near.clear();
            raised.insert(id.clone());
            false
        });
    }

    /// Posts of the channel up to this time were dealt with. For one that was never listened to, they count from then on.
    pub(crate) fn raise(&self, channel_id: &str, at_ms: u64) {
        let at_ms = no_later_than_now(at_ms);
        let mut state = self.state();
        let is_held = state.held.contains(channel_id);
        match state.channels.get_mut(channel_id) {
            Some(known) if known.is_held || known.at_ms >= at_ms => return,
            None if is_held => return,
            Some(known) => known.at_ms = at_ms,
            None => {
                state.channels.insert(channel_id.to_owned(), Known::new(at_ms, at_ms));
            }
        }
        state.raised.insert(channel_id.to_owned());
        state.unsettled.insert(channel_id.to_owned());
    }

    /// The channel's mark stays where it is, or may rise again. One without a mark gets none meanwhile: it would hide what cannot be read
    /// yet.
    pub(crate) fn hold(&self, channel_id: &str, is_held: bool) {
        let mut state = self.state();
        if is_held {
            state.held.insert(channel_id.to_owned());
        } else {
            state.held.remove(channel_id);
        }
        if let Some(known) = state.channels.get_mut(channel_id) {
            known.is_held = is_held;
        }
    }

    /// Writes raised marks for ever.
    pub(crate) async fn keep(self) {
        loop {
            tokio::time::sleep(WRITE_EVERY).await;
            self.write().await;
        }
    }

    /// Writes the raised marks. What cannot be written now is written later.
    pub(crate) async fn write(&self) {
        let raised: Vec<Watermark> = {
            let mut state = self.state();
            let raised = std::mem::take(&mut state.raised);
            let mark = |channel_id: String| Some(state.channels.get(&channel_id)?.to_write(channel_id));
            raised.into_iter().filter_map(mark).collect()
        };
        for part in raised.chunks(RECORDS_AT_ONCE_MAX) {
            if let Err(error) = self.store.raise_watermarks(part.to_vec()).await {
                tracing::warn!("how far posts were dealt with cannot be written yet: {error}");
                self.state().raised.extend(part.iter().map(|mark| mark.channel_id.clone()));
            }
        }
    }
}

/// The time of a post as a mark may have it. Administrators can write posts of a later time, and servers' clocks are set back: a mark of a
/// time to come would hide what is posted until then. Within the margin nothing is hidden, and clocks may differ by as much.
fn no_later_than_now(at_ms: u64) -> u64 {
    at_ms.min(SystemClock.now_ms().saturating_add(MARGIN_MS))
}

#[cfg(test)]
mod tests {
    use super::*;
    use warroom_store::Options;

    async fn store() -> Store {
        Store::open("sqlite::memory:", Options::default()).await.unwrap()
    }

    fn mark(at_ms: u64, since_ms: u64) -> Option<Mark> {
        Some(Mark { at_ms, since_ms })
    }

    #[tokio::test]
    async fn marks_rise_and_are_there_again() {
        let store = store().await;
        let marks = Watermarks::read(store.clone()).await.unwrap();
        assert_eq!((marks.of("town"), marks.newest_ms()), (None, None));
        marks.raise("town", 7);
        marks.raise("town", 5);
        marks.write().await;
        marks.raise("town", 9);
        let again = Watermarks::read(store).await.unwrap();
        assert_eq!((marks.of("town"), again.of("town")), (mark(9, 7), mark(7, 7)));
        assert_eq!(again.newest_ms(), Some(7));
    }

    #[tokio::test]
    async fn what_was_dealt_with_is_known_after_a_start_too() {
        let store = store().await;
        let marks = Watermarks::read(store.clone()).await.unwrap();
        marks.raise("town", 1_000);
        marks.dealt_with("town", "a", 50_000);
        marks.write().await;
        // The mark stays, and all the same it is written.
        marks.dealt_with("town", "late", 49_000);
        marks.write().await;
        let again = Watermarks::read(store).await.unwrap();
        assert_eq!(again.of("town"), mark(50_000, 40_000));
        assert!(again.knows("town", "a") && again.knows("town", "late") && !again.knows("town", "b"));
    }

    #[tokio::test]
    async fn a_channel_is_settled_once_much_later_posts_come_elsewhere() {
        let store = store().await;
        let marks = Watermarks::read(store.clone()).await.unwrap();
        for channel in ["town", "side", "held"] {
            marks.raise(channel, 1_000);
            marks.dealt_with(channel, channel, 50_000);
        }
        marks.hold("held", true);
        marks.dealt_with("side", "later", 51_000);
        marks.settle(60_000);
        assert_eq!(marks.of("town"), mark(50_000, 40_000), "a post may still come");
        marks.settle(61_000);
        marks.write().await;
        for marks in [marks.clone(), Watermarks::read(store).await.unwrap()] {
            assert_eq!(marks.of("town"), mark(50_000, 50_001));
            assert_eq!(marks.of("side"), mark(51_000, 41_000));
            assert_eq!(marks.of("held"), mark(50_000, 40_000));
        }
        marks.dealt_with("town", "again", 70_000);
        assert_eq!(marks.of("town"), mark(70_000, 60_000));
    }

    #[tokio::test]
    async fn within_the_margin_it_is_known_what_was_dealt_with() {
        let marks = Watermarks::read(store().await).await.unwrap();
        marks.raise("town", 1_000);
        marks.dealt_with("town", "a", 50_000);
        marks.dealt_with("town", "late", 49_000);
        assert_eq!(marks.of("town"), mark(50_000, 40_000));
        assert!(marks.knows("town", "a") && marks.knows("town", "late") && !marks.knows("town", "b"));
        marks.dealt_with("town", "b", 59_500);
        assert_eq!(marks.of("town"), mark(59_500, 49_500));
        assert!(marks.knows("town", "a") && marks.knows("town", "b"));
    }

    #[tokio::test]
    async fn the_margin_is_shorter_where_very_much_is_posted() {
        let marks = Watermarks::read(store().await).await.unwrap();
        marks.raise("town", 0);
        for n in 0..=NEAR_MAX as u64 {
            marks.dealt_with("town", &format!("p{n}"), 20_000 + n);
        }
        assert!(!marks.knows("town", "p0") && marks.knows("town", "p1"));
        assert_eq!(marks.of("town"), mark(20_000 + NEAR_MAX as u64, 20_001));
    }

    #[tokio::test]
    async fn a_post_of_a_time_to_come_hides_nothing() {
        let marks = Watermarks::read(store().await).await.unwrap();
        let now_ms = SystemClock.now_ms();
        marks.raise("town", now_ms - 60_000);
        marks.raise("side", now_ms - 1_000);
        marks.dealt_with("town", "later", now_ms + 3_600_000);
        assert!(marks.of("town").unwrap().since_ms <= SystemClock.now_ms() && marks.knows("town", "later"));
        marks.settle(now_ms + 3_600_000);
        assert_eq!(marks.of("side"), mark(now_ms - 1_000, now_ms - 1_000), "posts may still come there");
    }

    #[tokio::test]
    async fn a_mark_that_is_held_stays_whatever_comes() {
        let marks = Watermarks::read(store().await).await.unwrap();
        marks.raise("town", 100);
        marks.hold("town", true);
        for n in 0..=NEAR_MAX as u64 {
            marks.dealt_with("town", &format!("p{n}"), 20_000 + n);
        }
        assert_eq!(marks.of("town"), mark(100, 100));
        marks.hold("town", false);
        marks.raise("town", 90_000);
        assert_eq!(marks.of("town"), mark(90_000, 80_000));
    }

    #[tokio::test]
    async fn a_channel_that_is_held_before_it_has_a_mark_gets_none() {
        let marks = Watermarks::read(store().await).await.unwrap();
        marks.hold("town", true);
        marks.dealt_with("town", "a", 50_000);
        assert_eq!(marks.of("town"), None, "what came before is to be read first");
        marks.hold("town", false);
        marks.dealt_with("town", "b", 60_000);
        assert_eq!(marks.of("town"), mark(60_000, 60_000));
    }
}
