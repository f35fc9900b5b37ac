//! People who are looked up before an action asks for them.
//!
//! While one action waits for the server, it is known whom the next one brings in. So the server is asked for them meanwhile, and the next
//! action need not wait for that. What is asked for early serves one action, and only for a short time: people change their names.

use std::collections::VecDeque;
use std::future::Future;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use tokio::task::JoinHandle;
use tracing::Instrument as _;
use warroom_mattermost::{ApiError, User};

/// How long an early answer is good for, from the asking on.
const GOOD_FOR: Duration = Duration::from_secs(10);
/// How many look-ups are kept; the oldest give way.
const LOOKUPS_MAX: usize = 64;

/// The look-ups that nobody has asked for yet.
#[derive(Default)]
pub(crate) struct Expected(Mutex<VecDeque<Lookup>>);

struct Lookup {
    names: Vec<String>,
    began: Instant,
    answer: JoinHandle<Result<Vec<User>, ApiError>>,
}

/// Ends its task when nobody waits for it any more.
impl Drop for Lookup {
    fn drop(&mut self) {
        self.answer.abort();
    }
}

impl Expected {
    /// Begins to look up the names.
    pub(crate) fn begin(
        &self,
        names: Vec<String>,
        lookup: impl Future<Output = Result<Vec<User>, ApiError>> + Send + 'static,
    ) {
        let answer = tokio::spawn(lookup.in_current_span());
        let mut lookups = self.fresh();
        if lookups.len() >= LOOKUPS_MAX {
            lookups.pop_front();
        }
        lookups.push_back(Lookup { names, began: Instant::now(), answer });
    }

    /// Whom exactly these names were found to be; none when that was not asked for, or not answered well.
    pub(crate) async fn take(&self, names: &[String]) -> Option<Vec<User>> {
        let mut lookup = {
            let mut lookups = self.fresh();
            let at = lookups.iter().position(|lookup| lookup.names == names)?;
            lookups.remove(at)?
        };
        (&mut lookup.answer).await.ok()?.ok()
    }

    /// Those that are still good.
    fn fresh(&self) -> MutexGuard<'_, VecDeque<Lookup>> {
        let mut lookups = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        lookups.retain(|lookup| lookup.began.elapsed() < GOOD_FOR);
        lookups
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::future::{pending, ready};

    fn name(n: usize) -> Vec<String> {
        vec![format!("user{n}")]
    }

    #[tokio::test]
    async fn the_oldest_look_ups_give_way_and_end() {
        let expected = Expected::default();
        let (alive, mut ended) = tokio::sync::mpsc::channel::<()>(1);
        expected.begin(name(0), async move {
            let _alive = alive;
            pending().await
        });
        for n in 1..=LOOKUPS_MAX {
            expected.begin(name(n), ready(Ok(Vec::new())));
        }
        assert!(ended.recv().await.is_none());
        assert!(expected.take(&name(0)).await.is_none());
        assert!(expected.take(&name(1)).await.is_some());
        assert!(expected.take(&name(1)).await.is_none());
    }
}
