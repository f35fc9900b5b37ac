//! Calls wait for their turn, so that the server need not refuse them.
//!
//! What the server really allows is found out: each time that it wants fewer calls the rate is halved, and it rises again slowly.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// The slowest rate that limits of the server lead to: a turn each second.
const PERIOD_MAX: Duration = Duration::from_secs(1);
/// How long the rate stays as it is after it was changed.
const STEADY: Duration = Duration::from_secs(10);
/// By how much the rate rises then.
const RISE: f64 = 1.1;

/// A bucket of turns. It fills at a rate up to its size, and each call takes one turn out, ahead of time if it must wait.
#[derive(Debug)]
pub(crate) struct Throttle {
    bucket: Mutex<Bucket>,
    /// How many calls wait for their turn.
    waiting: AtomicUsize,
    /// How long one turn takes to come at the highest rate.
    period_min: Duration,
    /// How many turns the bucket holds.
    burst: u32,
}

/// A call that waits for its turn, until it comes or the call is given up.
struct Waiting<'a>(&'a AtomicUsize);

impl<'a> Waiting<'a> {
    fn among(waiting: &'a AtomicUsize) -> Self {
        waiting.fetch_add(1, Ordering::Relaxed);
        Self(waiting)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

#[derive(Debug, Clone, Copy)]
struct Bucket {
    /// When the bucket is full again if nobody takes anything more.
    full_at: Instant,
    /// Until when the server wants no calls at all.
    held_until: Instant,
    /// How long one turn takes to come.
    period: Duration,
    /// When the rate may rise.
    rise_at: Instant,
}

impl Bucket {
    /// Lets the rate rise when it has been steady for long enough. What was taken ahead of time comes sooner by that, too.
    fn rise(&mut self, now: Instant, period_min: Duration) {
        if self.period <= period_min || now < self.rise_at {
            return;
        }
        let period = self.period.div_f64(RISE).max(period_min);
        let owed = self.full_at.saturating_duration_since(now);
        self.full_at = now + owed.mul_f64(period.as_secs_f64() / self.period.as_secs_f64());
        self.period = period;
        self.rise_at = now + STEADY;
    }
}

impl Throttle {
    /// A full bucket. Zeros count as ones, since calls must be possible.
    pub(crate) fn new(calls_per_second: u32, calls_burst: u32) -> Self {
        let period = Duration::from_secs(1) / calls_per_second.max(1);
        let now = Instant::now();
        Self {
            bucket: Mutex::new(Bucket { full_at: now, held_until: now, period, rise_at: now }),
            waiting: AtomicUsize::new(0),
            period_min: period,
            burst: calls_burst.max(1),
        }
    }

    /// Waits for a turn. When none comes before the deadline, says at once how long the wait would be, and takes none.
    pub(crate) async fn turn(&self, deadline: Instant) -> Result<(), Duration> {
        loop {
            let (at, held_until) = self.take(deadline)?;
            // Not for a turn that is free: the timer counts whole milliseconds, and each call would wait for the next one.
            if at > Instant::now() {
                let _waiting = Waiting::among(&self.waiting);
                tokio::time::sleep_until(at).await;
            }
            // When the server limited meanwhile, the turns given out before are void.
            if self.lock().held_until == held_until {
                return Ok(());
            }
        }
    }

    /// How many calls wait for their turn now.
    pub(crate) fn waiting(&self) -> usize {
        self.waiting.load(Ordering::Relaxed)
    }

    /// Takes a turn: when it comes, and the hold that it was taken under.
    fn take(&self, deadline: Instant) -> Result<(Instant, Instant), Duration> {
        let mut bucket = self.lock();
        let now = Instant::now();
        bucket.rise(now, self.period_min);
        let full_at = bucket.full_at.max(now) + bucket.period;
        let filling = bucket.period.saturating_mul(self.burst);
        let at = full_at.checked_sub(filling).map_or(now, |at| at.max(now));
        if at > deadline {
            return Err(at - now);
        }
        bucket.full_at = full_at;
        Ok((at, bucket.held_until))
    }

    /// The server wants to be left alone: the bucket is empty, begins to fill only after that time, and more slowly.
    pub(crate) fn hold(&self, wait: Duration) {
        let mut bucket = self.lock();
        let now = Instant::now();
        let until = now + wait;
        // Calls that were on their way when it said so first are refused for the same reason.
        if now >= bucket.held_until {
            bucket.period = bucket.period.saturating_mul(2).min(PERIOD_MAX.max(self.period_min));
        }
        if until > bucket.held_until {
            bucket.full_at = until + bucket.period.saturating_mul(self.burst);
            bucket.held_until = until;
            bucket.rise_at = until + STEADY;
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
        assert_eq!(waited, 2200);
        assert_eq!(throttle.turn(in_ms(50)).await, Err(Duration::from_millis(200)));
    }

    /// How long each of the next turns takes to come.
    async fn periods_ms(throttle: &Throttle, count: usize) -> Vec<u128> {
        let mut periods = Vec::new();
        for _ in 0..count {
            let began = Instant::now();
            throttle.turn(in_ms(60_000)).await.unwrap();
            periods.push(began.elapsed().as_millis());
        }
        periods
    }

    #[tokio::test(start_paused = true)]
    async fn the_rate_is_halved_at_each_limit_and_rises_again() {
        let throttle = Throttle::new(10, 1);
        for expected in [200, 400, 800, 1000, 1000] {
            throttle.hold(Duration::from_secs(1));
            // What was on its way meanwhile says nothing new.
            throttle.hold(Duration::from_millis(900));
            tokio::time::advance(Duration::from_secs(1)).await;
            assert_eq!(periods_ms(&throttle, 3).await, [expected; 3]);
        }
        let mut risen = Vec::new();
        for _ in 0..40 {
            tokio::time::advance(STEADY).await;
            throttle.turn(in_ms(60_000)).await.unwrap();
            risen.push(periods_ms(&throttle, 1).await[0]);
        }
        assert!(risen.is_sorted_by(|one, next| one >= next), "{risen:?}");
        assert!(risen[0] > 900 && risen.last() == Some(&100), "{risen:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn a_free_turn_is_there_at_once() {
        let throttle = Throttle::new(10, 3);
        // Between two ticks of the timer.
        tokio::time::advance(Duration::from_micros(1_300)).await;
        assert_eq!(throttle.turn(in_ms(10_000)).now_or_never(), Some(Ok(())));
    }

    #[tokio::test(start_paused = true)]
    async fn who_waits_is_counted_until_the_turn_comes_or_is_given_up() {
        let throttle = Throttle::new(10, 1);
        throttle.turn(in_ms(0)).await.unwrap();
        assert_eq!(throttle.waiting(), 0, "a turn that was free");
        let mut patient = std::pin::pin!(throttle.turn(in_ms(10_000)));
        let mut impatient = Box::pin(throttle.turn(in_ms(10_000)));
        assert!(patient.as_mut().now_or_never().is_none() && impatient.as_mut().now_or_never().is_none());
        assert_eq!(throttle.waiting(), 2);
        drop(impatient);
        assert_eq!(throttle.waiting(), 1);
        patient.await.unwrap();
        assert_eq!(throttle.waiting(), 0);
    }

    #[tokio::test(start_paused = true)]
    async fn zeros_count_as_ones() {
        let throttle = Throttle::new(0, 0);
        throttle.turn(in_ms(0)).await.unwrap();
        assert_eq!(throttle.turn(in_ms(0)).await, Err(Duration::from_secs(1)));
    }
}
