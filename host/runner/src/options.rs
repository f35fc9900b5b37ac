//! How the runner behaves.

use crate::chat::ChatError;
use crate::groups::Groups;
use crate::observer::Observer;
use std::sync::Arc;
use warroom_engine::Budget;
use warroom_workflow::Retry;

/// How the runner behaves.
#[derive(Debug, Clone)]
pub struct Options {
    /// How many times an action is tried while something is temporarily away. An unreachable server spends none.
    pub retry_tries_max: u32,
    /// For how long an action is tried, in milliseconds.
    pub retry_period_ms: u64,
    /// The first wait while the server is away, in milliseconds; each further one doubles.
    pub retry_first_ms: u64,
    /// The longest wait while the server is away, in milliseconds.
    pub retry_wait_max_ms: u64,
    /// How many runs may be open at once.
    pub open_runs_max: usize,
    /// Who manages all runs, by user id, username or group; system administrators always do.
    pub managers: Vec<String>,
    /// The groups of the configuration.
    pub groups: Arc<Groups>,
    /// A post that is found later than this after it was written starts nothing by itself, in milliseconds.
    pub catch_up_age_max_ms: u64,
    /// How long the server may take to write the answer to a press into its post, in milliseconds: its channel is not archived before.
    pub answer_settles_ms: u64,
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
            groups: Arc::default(),
            catch_up_age_max_ms: 60 * 60 * 1000,
            answer_settles_ms: 1_000,
            observer: None,
        }
    }
}

impl Options {
    /// How long to wait before the next try, after so many: doubling up to a bound, half of it spread by `key`. Runs that were
    /// interrupted together must not all come back together, and a replay must wait as long as the first time.
    pub(crate) fn wait_ms(&self, tries: u32, key: &str) -> u64 {
        let backoff = self.retry_first_ms.saturating_mul(1 << tries.min(16)).min(self.retry_wait_max_ms);
        backoff / 2 + spread(backoff / 2, key)
    }

    /// How long to wait until people may have mended what the server refuses, after so many refusals: doubling, up to the time for which
    /// an action is tried.
    pub(crate) fn wait_for_people_ms(&self, refusals: u32) -> u64 {
        self.retry_wait_max_ms.saturating_mul(1 << refusals.min(16)).min(self.retry_period_ms)
    }

    /// The longest wait that [`Options::next_wait_ms`] gives.
    pub(crate) fn wait_ms_max(&self, retry: Option<Retry>) -> u64 {
        self.period_ms(retry).max(self.retry_wait_max_ms).saturating_add(ASKED_SPREAD_MS).max(1)
    }

    fn period_ms(&self, retry: Option<Retry>) -> u64 {
        retry.map_or(self.retry_period_ms, |retry| u64::from(retry.minutes) * 60_000)
    }

    /// How long to wait after a temporary error, which `budget` has taken in, in milliseconds; or why there is no other try.
    /// `retry` is what the workflow says of the action. What the server asks for is waited at least, and spread after it.
    pub(crate) fn next_wait_ms(
        &self,
        budget: &Budget,
        retry: Option<Retry>,
        error: &ChatError,
        (key, now_ms): (&str, u64),
    ) -> Result<u64, Spent> {
        let tries_max = retry.map_or(self.retry_tries_max, |retry| retry.tries);
        let period_ms = self.period_ms(retry);
        let spends_try = budget.outages == 0;
        let trying_ms = budget.trying_ms(now_ms);
        if spends_try && (budget.tries >= tries_max || trying_ms >= period_ms) {
            return Err(Spent::Budget);
        }
        let asked_ms = error.retry_after_ms.unwrap_or(0);
        if spends_try && trying_ms.saturating_add(asked_ms) > period_ms {
            return Err(Spent::Asked { seconds: asked_ms / 1000 });
        }
        let backoff_ms = if spends_try {
            between_tries_ms(budget.tries, tries_max, period_ms, key)
        } else {
            self.wait_ms(budget.outages - 1, key)
        };
        // Nobody is told of an outage, so one that is announced for a day is looked at more often.
        let asked_ms = match asked_ms.min(period_ms) {
            0 => 0,
            asked_ms => asked_ms.saturating_add(spread(ASKED_SPREAD_MS, key)),
        };
        Ok(backoff_ms.max(asked_ms).max(1))
    }
}

/// Why there is no other try.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Spent {
    /// It was tried as often, or for as long, as it may be.
    Budget,
    /// The server asks for a wait until after that.
    Asked {
        /// So many seconds.
        seconds: u64,
    },
}

/// How far those are spread who were asked to come back after the same time, in milliseconds.
const ASKED_SPREAD_MS: u64 = 2_000;

/// How often the wait between two tries doubles.
const DOUBLINGS_MAX: u32 = 7;

/// How long to wait after so many tries: doubling, and so that all tries together take about the period; a quarter is spread by `key`.
/// What passes soon is found out soon, and what takes minutes is still waited for.
fn between_tries_ms(tries: u32, tries_max: u32, period_ms: u64, key: &str) -> u64 {
    let waits = tries_max.saturating_sub(1).max(1);
    let doublings = DOUBLINGS_MAX.min(waits - 1);
    let longest = 1_u64 << doublings;
    let shares = longest - 1 + longest * u64::from(waits - doublings);
    let share = 1_u64 << tries.saturating_sub(1).min(doublings);
    // With few tries the shares are large, and nobody wants to wait that long for the second one.
    let wait_ms = (period_ms.saturating_mul(share) / shares).min(period_ms / 3);
    wait_ms - wait_ms / 4 + spread(wait_ms / 4, key)
}

/// A part of the time, always the same for the same key.
fn spread(ms: u64, key: &str) -> u64 {
    let place = key.bytes().fold(0_u16, |sum, byte| sum.wrapping_mul(31).wrapping_add(u16::from(byte)));
    ms.saturating_mul(u64::from(place)) / u64::from(u16::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chat::ChatErrorKind;

    fn failure(kind: ChatErrorKind, retry_after_ms: Option<u64>) -> ChatError {
        ChatError { kind, message: "x".to_owned(), retry_after_ms }
    }

    /// Tries until the budget is spent; gives the waits.
    fn waits(options: &Options, retry: Option<Retry>, key: &str) -> Vec<u64> {
        let error = failure(ChatErrorKind::Unavailable, None);
        let (mut budget, mut now_ms, mut waits) = (Budget::default(), 1_000_000, Vec::new());
        loop {
            budget.note(now_ms, true);
            let Ok(wait_ms) = options.next_wait_ms(&budget, retry, &error, (key, now_ms)) else {
                return waits;
            };
            waits.push(wait_ms);
            now_ms += wait_ms;
        }
    }

    #[test]
    fn all_tries_together_take_about_the_period() {
        for retry in [None, Some(Retry { tries: 4, minutes: 3 }), Some(Retry { tries: 100, minutes: 60 })] {
            let (tries, minutes) = retry.map_or((10, 15), |retry| (retry.tries, retry.minutes));
            let period_ms = u64::from(minutes) * 60_000;
            for key in ["r1/1/Post/1", "r2/1/Post/1", "z"] {
                let waits = waits(&Options::default(), retry, key);
                let total: u64 = waits.iter().sum();
                assert_eq!(waits.len(), tries as usize - 1, "{retry:?}");
                assert!(total > period_ms * 55 / 100 && total <= period_ms, "{retry:?}: {total}");
                assert!(waits.is_sorted(), "{waits:?}");
                assert!(waits[0] <= period_ms / 4 && waits.iter().all(|wait| *wait <= period_ms / 3));
            }
        }
    }

    #[test]
    fn the_waits_are_spread_over_runs_and_the_same_for_one() {
        let of = |key: &str| waits(&Options::default(), None, key);
        assert_eq!(of("r1/1/Post/1"), of("r1/1/Post/1"));
        assert_ne!(of("r1/1/Post/1"), of("r2/1/Post/1"));
    }

    #[test]
    fn a_period_that_is_over_ends_it_before_the_tries_are_spent() {
        let (options, mut budget) = (Options::default(), Budget::default());
        let error = failure(ChatErrorKind::RateLimited, Some(600_000));
        budget.note(0, true);
        let wait_ms = options.next_wait_ms(&budget, None, &error, ("k", 0)).unwrap();
        budget.note(300_000, true);
        assert!(options.next_wait_ms(&budget, None, &error, ("k", 300_000)).is_ok());
        budget.note(300_001, true);
        let asked = Err(Spent::Asked { seconds: 600 });
        assert_eq!(options.next_wait_ms(&budget, None, &error, ("k", 300_001)), asked);
        budget.note(900_000, true);
        assert_eq!(options.next_wait_ms(&budget, None, &error, ("k", 900_000)), Err(Spent::Budget));
        // What was asked for is waited at least.
        assert!((600_000..=602_000).contains(&wait_ms), "{wait_ms}");
        let (mut outage, asked) = (Budget::default(), failure(ChatErrorKind::Away, Some(86_400_000)));
        outage.note(0, false);
        let wait_ms = options.next_wait_ms(&outage, None, &asked, ("k", 0)).unwrap();
        assert!(wait_ms <= options.retry_period_ms + ASKED_SPREAD_MS, "{wait_ms}");
        for kind in [ChatErrorKind::Unavailable, ChatErrorKind::Away] {
            let wait_ms = |key: &str| {
                let mut budget = Budget::default();
                budget.note(0, kind == ChatErrorKind::Unavailable);
                options.next_wait_ms(&budget, None, &failure(kind, Some(7_000)), (key, 0)).unwrap()
            };
            assert!(["a", "b", "zz"].iter().all(|key| (7_000..=9_000).contains(&wait_ms(key))));
            assert_ne!(wait_ms("a"), wait_ms("zz"));
        }
    }

    #[test]
    fn an_outage_is_asked_about_more_often_and_for_ever() {
        let (options, mut budget) = (Options::default(), Budget::default());
        let error = failure(ChatErrorKind::Unreachable, None);
        let mut now_ms = 0;
        for _ in 0..500 {
            budget.note(now_ms, false);
            let wait_ms = options.next_wait_ms(&budget, None, &error, ("k", now_ms)).unwrap();
            assert!(wait_ms <= options.retry_wait_max_ms);
            now_ms += wait_ms;
        }
        assert!(now_ms > 10 * options.retry_period_ms);
    }
}
