//! How far the posts of each channel were dealt with: in memory, and a moment later in the store.
//!
//! A post is dealt with before its mark is raised, and marks are written behind: after a crash some posts are looked at
//! twice, which the journal makes harmless, and none is missed.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use warroom_store::{RECORDS_AT_ONCE_MAX, Store, StoreError, Watermark};

/// How often raised marks are written.
const WRITE_EVERY: Duration = Duration::from_secs(1);

/// The marks. Clones share them.
#[derive(Clone)]
pub(crate) struct Watermarks {
    store: Store,
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
struct State {
    marks: HashMap<String, u64>,
    raised: HashSet<String>,
}

impl Watermarks {
    /// Reads what was written last.
    pub(crate) async fn read(store: Store) -> Result<Watermarks, StoreError> {
        let marks = store.watermarks().await?.into_iter().map(|mark| (mark.channel_id, mark.at_ms)).collect();
        Ok(Watermarks { store, state: Arc::new(Mutex::new(State { marks, raised: HashSet::new() })) })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The mark of a channel, in milliseconds since 1970 by the server's clock; none for one that was never listened to.
    pub(crate) fn of(&self, channel_id: &str) -> Option<u64> {
        self.state().marks.get(channel_id).copied()
    }

    /// Posts of the channel up to this time were dealt with.
    pub(crate) fn raise(&self, channel_id: &str, at_ms: u64) {
        let mut state = self.state();
        match state.marks.get_mut(channel_id) {
            Some(mark) if *mark >= at_ms => return,
            Some(mark) => *mark = at_ms,
            None => {
                state.marks.insert(channel_id.to_owned(), at_ms);
            }
        }
        state.raised.insert(channel_id.to_owned());
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
            let mark = |channel_id: String| {
                let at_ms = state.marks.get(&channel_id).copied()?;
                Some(Watermark { channel_id, at_ms })
            };
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

#[cfg(test)]
mod tests {
    use super::*;
    use warroom_store::Options;

    #[tokio::test]
    async fn marks_rise_and_are_there_again() {
        let store = Store::open("sqlite::memory:", Options::default()).await.unwrap();
        let marks = Watermarks::read(store.clone()).await.unwrap();
        assert_eq!(marks.of("town"), None);
        marks.raise("town", 7);
        marks.raise("town", 5);
        marks.write().await;
        marks.raise("town", 9);
        let again = Watermarks::read(store).await.unwrap();
        assert_eq!((marks.of("town"), again.of("town")), (Some(9), Some(7)));
    }
}
