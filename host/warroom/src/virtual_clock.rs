//! A clock that a scenario can move forward.

use async_trait::async_trait;
use std::time::Duration;
use tokio::sync::watch;
use warroom_runner::{Clock, SystemClock};

/// The machine's clock, and how far it was moved.
pub(crate) struct VirtualClock {
    ahead_ms: watch::Sender<u64>,
}

impl VirtualClock {
    pub(crate) fn new() -> VirtualClock {
        VirtualClock { ahead_ms: watch::channel(0).0 }
    }

    /// Moves the time forward; whoever sleeps until then wakes.
    pub(crate) fn advance(&self, by: Duration) {
        let by_ms = u64::try_from(by.as_millis()).unwrap_or(u64::MAX);
        self.ahead_ms.send_modify(|ahead| *ahead = ahead.saturating_add(by_ms));
    }
}

#[async_trait]
impl Clock for VirtualClock {
    fn now_ms(&self) -> u64 {
        SystemClock.now_ms().saturating_add(*self.ahead_ms.borrow())
    }

    async fn sleep_until(&self, at_ms: u64) {
        let mut moved = self.ahead_ms.subscribe();
        loop {
            moved.mark_unchanged();
            let left = at_ms.saturating_sub(self.now_ms());
            if left == 0 {
                return;
            }
            tokio::select! {
                () = tokio::time::sleep(Duration::from_millis(left)) => {}
                _ = moved.changed() => {}
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_sleeper_wakes_when_the_clock_is_moved_past_its_time() {
        let clock = VirtualClock::new();
        let at_ms = clock.now_ms() + 3_600_000;
        let moved = async { clock.advance(Duration::from_secs(3_600)) };
        let both = async { tokio::join!(clock.sleep_until(at_ms), moved) };
        tokio::time::timeout(Duration::from_secs(10), both).await.unwrap();
        assert!(clock.now_ms() >= at_ms);
    }
}
