//! Calls wait for their turn, so that the server need not refuse them.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// A bucket of turns. It fills at a steady rate up to its size, and each call takes one turn out, ahead of time if it must wait.
#[derive(Debug)]
pub(crate) struct Throttle {
    bucket: Mutex<Bucket>,
    /// How long one turn takes to come.
    period: Duration,
    /// How long the whole bucket takes to fill.
    filling: Duration,
}

#[derive(Debug, Clone, Copy)]
struct Bucket {
    /// When the bucket is full again if nobody takes anything more.
    full_at: Instant,
    /// Until when the server wants no calls at all.
    held_until: Instant,
}

impl Throttle {
    /// A full bucket. Zeros count as ones, since calls must be possible.
    pub(crate) fn new(calls_per_second: u32, calls_burst: u32) -> Self {
        let period = Duration::from_secs(1) / calls_per_second.max(1);
        let now = Instant::now();
        Self {
            bucket: Mutex::new(Bucket { full_at: now, held_until: now }),
            period,
            filling: period.saturating_mul(calls_burst.max(1)),
        }
    }

    /// Waits for a turn. When none comes before the deadline, says at once how long the wait would be, and takes none.
    pub(crate) async fn turn(&self, deadline: Instant) -> Result<(), Duration> {
        loop {
            let (at, held_until) = self.take(deadline)?;
            // Not for a turn that is free: the timer counts whole milliseconds, and each call would wait for the next one.
            if at > Instant::now() {
                tokio::time::sleep_until(at).await;
            }
            // When the server limited meanwhile, the turns given out before are void.
            if self.lock().held_until == held_until {
                return Ok(());
            }
        }
    }

    /// Takes a turn: when it comes, and the hold that it was taken under.
    fn take(&self, deadline: Instant) -> Result<(Instant, Instant), Duration> {
        let mut bucket = self.lock();
        let now = Instant::now();
        let full_at = bucket.full_at.max(now) + self.period;
        let at = full_at.checked_sub(self.filling).map_or(now, |at| at.max(now));
        if at > deadline {
            return Err(at - now);
        }
        bucket.full_at = full_at;
        Ok((at, bucket.held_until))
    }

    /// The server wants to be left alone: the bucket is empty, and begins to fill only after that time.
    pub(crate) fn hold(&self, wait: Duration) {
        let mut bucket = self.lock();
        let until = Instant::now() + wait;
        if until > bucket.held_until {
            *bucket = Bucket { full_at: until + self.filling, held_until: until };
        }
    }

    fn lock(&self) -> MutexGuard<'_, Bucket> {
        // Nothing in here is left half changed by a panic.
        self.bucket.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::FutureExt as _;

    fn in_ms(ms: u64) -> Instant {
        Instant::now() + Duration::from_millis(ms)
    }

    #[tokio::test(start_paused = true)]
    async fn a_burst_passes_and_then_the_rate() {
        let throttle = Throttle::new(10, 3);
        let began = Instant::now();
        let mut waits = Vec::new();
        for _ in 0..6 {
            throttle.turn(in_ms(10_000)).await.unwrap();
            waits.push(began.elapsed().as_millis());
        }
        assert_eq!(waits, [0, 0, 0, 100, 200, 300]);
        // It fills again, and not above its size.
        tokio::time::advance(Duration::from_secs(60)).await;
        let began = Instant::now();
        for _ in 0..4 {
            throttle.turn(in_ms(10_000)).await.unwrap();
        }
        assert_eq!(began.elapsed().as_millis(), 100);
    }

    #[tokio::test(start_paused = true)]
    async fn a_turn_that_comes_too_late_is_not_taken() {
        let throttle = Throttle::new(1, 1);
        throttle.turn(in_ms(0)).await.unwrap();
        for _ in 0..3 {
            assert_eq!(throttle.turn(in_ms(999)).await, Err(Duration::from_secs(1)));
        }
        assert_eq!(throttle.turn(in_ms(1000)).await, Ok(()));
    }

    #[tokio::test(start_paused = true)]
    async fn a_hold_empties_the_bucket_for_those_who_wait_too() {
        let throttle = Throttle::new(10, 2);
        throttle.turn(in_ms(0)).await.unwrap();
        throttle.turn(in_ms(0)).await.unwrap();
        let began = Instant::now();
        let waiting = async {
            throttle.turn(in_ms(60_000)).await.unwrap();
            began.elapsed().as_millis()
        };
        let limited = async { throttle.hold(Duration::from_secs(2)) };
        // A shorter hold does not end a longer one.
        let limited_again = async { throttle.hold(Duration::from_secs(1)) };
        let (waited, (), ()) = tokio::join!(waiting, limited, limited_again);
        assert_eq!(waited, 2100);
        assert_eq!(throttle.turn(in_ms(50)).await, Err(Duration::from_millis(100)));
    }

    #[tokio::test(start_paused = true)]
    async fn a_free_turn_is_there_at_once() {
        let throttle = Throttle::new(10, 3);
        // Between two ticks of the timer.
        tokio::time::advance(Duration::from_micros(1_300)).await;
        assert_eq!(throttle.turn(in_ms(10_000)).now_or_never(), Some(Ok(())));
    }

    #[tokio::test(start_paused = true)]
    async fn zeros_count_as_ones() {
        let throttle = Throttle::new(0, 0);
        throttle.turn(in_ms(0)).await.unwrap();
        assert_eq!(throttle.turn(in_ms(0)).await, Err(Duration::from_secs(1)));
    }
}
