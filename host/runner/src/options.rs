//! How the runner behaves.

use crate::groups::Groups;
use crate::observer::Observer;
use std::sync::Arc;

/// How the runner behaves.
#[derive(Debug, Clone)]
pub struct Options {
    /// How many times an action is tried while something is temporarily away. An unreachable server spends none.
    pub retry_tries_max: u32,
    /// For how long an action is tried, in milliseconds.
    pub retry_period_ms: u64,
    /// The first wait between two tries, in milliseconds; each further one doubles.
    pub retry_first_ms: u64,
    /// The longest wait between two tries, in milliseconds.
    pub retry_wait_max_ms: u64,
    /// How many runs may be open at once.
    pub open_runs_max: usize,
    /// Who manages all runs, by user id, username or group; system administrators always do.
    pub managers: Vec<String>,
    /// Where operators want to be told what nobody else reads: a channel's id.
    pub operators_channel_id: Option<String>,
    /// The groups of the configuration.
    pub groups: Arc<Groups>,
    /// A post that is found later than this after it was written starts nothing by itself, in milliseconds.
    pub catch_up_age_max_ms: u64,
    /// Who is told of what is journalled.
    pub observer: Option<Arc<dyn Observer>>,
}

impl Default for Options {
    fn default() -> Options {
        Options {
            retry_tries_max: 10,
            retry_period_ms: 15 * 60 * 1000,
            retry_first_ms: 1_000,
            retry_wait_max_ms: 60_000,
            open_runs_max: 10_000,
            managers: Vec::new(),
            operators_channel_id: None,
            groups: Arc::default(),
            catch_up_age_max_ms: 60 * 60 * 1000,
            observer: None,
        }
    }
}

impl Options {
    /// How long to wait before the next try, after so many: doubling up to a bound, half of it spread by `key`. Runs that were
    /// interrupted together must not all come back together, and a replay must wait as long as the first time.
    pub(crate) fn wait_ms(&self, tries: u32, key: &str) -> u64 {
        let backoff = self.retry_first_ms.saturating_mul(1 << tries.min(16)).min(self.retry_wait_max_ms);
        let spread = key.bytes().fold(0_u16, |sum, byte| sum.wrapping_mul(31).wrapping_add(u16::from(byte)));
        backoff / 2 + backoff / 2 * u64::from(spread) / u64::from(u16::MAX)
    }
}
