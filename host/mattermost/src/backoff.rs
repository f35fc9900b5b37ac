//! How long to wait before the next attempt to connect.

use std::time::Duration;

/// Doubles the longest wait with every failure. The wait itself is drawn between the shortest and that, so that clients which lost
/// a server at the same moment do not all come back at the same moment.
#[derive(Debug)]
pub(crate) struct Backoff {
    min: Duration,
    max: Duration,
    failures: u32,
}

impl Backoff {
    /// Waits between `min` and `max`.
    pub(crate) fn new(min: Duration, max: Duration) -> Self {
        Self { min, max: max.max(min), failures: 0 }
    }

    /// The wait after one more failure.
    pub(crate) fn next_wait(&mut self) -> Duration {
        self.failures = self.failures.saturating_add(1);
        let factor = 2_u32.checked_pow(self.failures).unwrap_or(u32::MAX);
        let longest = self.min.saturating_mul(factor).min(self.max);
        // Without random numbers the wait is the longest one: late, but never a storm.
        let share = getrandom::u32().map_or(1.0, |random| f64::from(random) / f64::from(u32::MAX));
        self.min + (longest - self.min).mul_f64(share)
    }

    /// The connection stood: the next failure is the first again.
    pub(crate) fn reset(&mut self) {
        self.failures = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_within_their_bounds() {
        let (min, max) = (Duration::from_secs(1), Duration::from_secs(60));
        let mut backoff = Backoff::new(min, max);
        for failures in 1..100_u32 {
            let wait = backoff.next_wait();
            let longest = 2_u32.checked_pow(failures).map_or(max, |seconds| max.min(min * seconds));
            assert!(wait >= min && wait <= longest, "{wait:?} after {failures}");
        }
        backoff.reset();
        assert!(backoff.next_wait() <= Duration::from_secs(2));
    }

    #[test]
    fn waits_differ() {
        let mut backoff = Backoff::new(Duration::from_secs(1), Duration::from_secs(60));
        let waits: std::collections::HashSet<_> = (0..50).map(|_| backoff.next_wait()).collect();
        assert!(waits.len() > 10);
    }
}
