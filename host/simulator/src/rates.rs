//! How often somebody may call, as the real server counts it when `RateLimitSettings` are on and vary by user.

use std::collections::HashMap;
use std::time::{Duration, Instant};

/// Callers whose calls are counted apart. Further ones share one count, which is stricter, not unbounded.
const CALLERS_MAX: usize = 10_000;
/// The slowest rate: one call a day.
const PER_SECOND_MIN: f64 = 1.0 / 86_400.0;

/// What the limit says to one call, as the headers name it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Verdict {
    /// Whether the call may go on.
    pub(crate) admitted: bool,
    /// Calls that may come at once.
    pub(crate) limit: u32,
    /// Calls that may come now.
    pub(crate) remaining: u32,
    /// Seconds until `limit` calls may come again, rounded up.
    pub(crate) reset_s: u64,
    /// Seconds until one call may come, rounded up.
    pub(crate) retry_after_s: u64,
}

/// Admits each caller one call, and `burst` more at once, then one each `every`.
#[derive(Debug)]
pub(crate) struct RateLimit {
    every: Duration,
    limit: u32,
    /// When each caller has made up for all calls so far.
    even_at: HashMap<String, Instant>,
}

impl RateLimit {
    /// `per_second` calls, and `burst` beyond that at once.
    pub(crate) fn new(per_second: f64, burst: u32) -> RateLimit {
        // Not a number and negative ones are the slowest, too.
        let per_second = per_second.max(PER_SECOND_MIN);
        RateLimit {
            every: Duration::from_secs_f64(1.0 / per_second),
            limit: burst.saturating_add(1),
            even_at: HashMap::new(),
        }
    }

    /// Counts a call of `caller` at `now`.
    pub(crate) fn admit(&mut self, caller: &str, now: Instant) -> Verdict {
        let known = self.even_at.contains_key(caller) || self.even_at.len() < CALLERS_MAX;
        let caller = if known { caller } else { "" };
        let window = self.every.saturating_mul(self.limit);
        let owed = self.even_at.get(caller).map_or(Duration::ZERO, |at| at.saturating_duration_since(now));
        let after = owed.saturating_add(self.every);
        let admitted = after <= window;
        let owed_now = if admitted { after } else { owed };
        if admitted && let Some(at) = now.checked_add(after) {
            self.even_at.insert(caller.to_owned(), at);
        }
        let free = window.saturating_sub(owed_now).as_secs_f64() / self.every.as_secs_f64();
        Verdict {
            admitted,
            limit: self.limit,
            // Rounded, since a call's time is not a whole number of nanoseconds.
            remaining: (free + 1e-6).floor().clamp(0.0, f64::from(self.limit)) as u32,
            reset_s: seconds(owed_now),
            retry_after_s: seconds(after.saturating_sub(window)),
        }
    }
}

fn seconds(time: Duration) -> u64 {
    time.as_secs() + u64::from(time.subsec_nanos() > 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_call_and_the_burst_come_at_once_then_one_for_each_moment() {
        let mut rates = RateLimit::new(10.0, 5);
        let start = Instant::now();
        for remaining in (0..6).rev() {
            let verdict = rates.admit("jon", start);
            assert_eq!((verdict.admitted, verdict.limit, verdict.remaining), (true, 6, remaining));
            assert_eq!(verdict.reset_s, 1);
        }
        let refused = rates.admit("jon", start);
        assert_eq!((refused.admitted, refused.remaining, refused.retry_after_s), (false, 0, 1));
        assert!(rates.admit("chris", start).admitted, "each caller has a count of its own");
        let later = start + Duration::from_millis(100);
        assert!(rates.admit("jon", later).admitted);
        assert!(!rates.admit("jon", later).admitted);
        let much_later = start + Duration::from_secs(10);
        assert_eq!(rates.admit("jon", much_later).remaining, 5, "what is not used does not add up");
    }

    #[test]
    fn an_impossible_rate_is_the_slowest_one() {
        for per_second in [0.0, -1.0, f64::NAN] {
            let mut rates = RateLimit::new(per_second, 0);
            let start = Instant::now();
            assert!(rates.admit("jon", start).admitted);
            assert_eq!(rates.admit("jon", start).retry_after_s, 86_400);
        }
    }

    #[test]
    fn callers_are_bounded() {
        let mut rates = RateLimit::new(1.0, 0);
        let start = Instant::now();
        for caller in 0..CALLERS_MAX {
            rates.admit(&caller.to_string(), start);
        }
        assert!(rates.admit("one more", start).admitted);
        assert!(!rates.admit("and another", start).admitted);
        assert!(rates.even_at.len() <= CALLERS_MAX + 1);
    }
}
