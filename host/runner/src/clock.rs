//! Time, as something that can be replaced.

use async_trait::async_trait;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Where the runner gets the time from.
#[async_trait]
pub trait Clock: Send + Sync {
    /// Milliseconds since 1970-01-01T00:00:00Z.
    fn now_ms(&self) -> u64;

    /// Returns once [`Clock::now_ms`] is at least `at_ms`, or earlier when the clock is set back meanwhile.
    async fn sleep_until(&self, at_ms: u64);
}

/// How far the clocks of this machine and the chat server may differ, in milliseconds.
const SKEW_MS_MAX: u64 = 5 * 60 * 1000;

/// The earliest time that the chat server can give a post which was intended at `intended_ms` by our clock.
pub(crate) fn earliest(intended_ms: u64) -> u64 {
    intended_ms.saturating_sub(SKEW_MS_MAX)
}

/// The machine's clock.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

/// The wall clock can be set back or forth while a run waits: it is read again at least this often.
const NAP_MAX: Duration = Duration::from_secs(5);

#[async_trait]
impl Clock for SystemClock {
    fn now_ms(&self) -> u64 {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
    }

    async fn sleep_until(&self, at_ms: u64) {
        let mut before_ms = 0;
        loop {
            let now_ms = self.now_ms();
            let left = at_ms.saturating_sub(now_ms);
            if left == 0 || now_ms < before_ms {
                return;
            }
            before_ms = now_ms;
            tokio::time::sleep(Duration::from_millis(left).min(NAP_MAX)).await;
        }
    }
}
