//! What trying something has cost so far.

/// How often something was tried that failed in a way that may pass, and for how long. Time in which the server was away
/// counts for nothing.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Budget {
    /// How many tries are spent.
    pub tries: u32,
    /// How often in a row the server was away.
    pub outages: u32,
    /// When the first try was spent, in milliseconds since 1970, moved on by every outage since.
    first_ms: Option<u64>,
    /// Since when the server is away, in milliseconds since 1970.
    away_since_ms: Option<u64>,
    /// When the next try was to be made, in milliseconds since 1970.
    until_ms: Option<u64>,
}

/// How much later than it was to be made the end of a try still counts, in milliseconds: it takes some time itself. When more time
/// passes, it was the host that was down.
const TRY_MS_MAX: u64 = 60_000;

impl Budget {
    /// Takes in a failure at this time, in milliseconds since 1970: one that spends a try, or an outage.
    pub fn note(&mut self, at_ms: u64, spends_try: bool) {
        let until_ms = self.until_ms.take().filter(|_| self.away_since_ms.is_none());
        let down_ms =
            until_ms.map_or(0, |until_ms| at_ms.saturating_sub(until_ms.saturating_add(TRY_MS_MAX)));
        self.first_ms = self.first_ms.map(|first_ms| first_ms.saturating_add(down_ms));
        if !spends_try {
            self.outages = self.outages.saturating_add(1);
            self.away_since_ms.get_or_insert(at_ms);
            return;
        }
        let away_ms = self.away_since_ms.take().map_or(0, |since_ms| at_ms.saturating_sub(since_ms));
        self.first_ms = Some(self.first_ms.map_or(at_ms, |first_ms| first_ms.saturating_add(away_ms)));
        self.tries = self.tries.saturating_add(1);
        self.outages = 0;
    }

    /// The next try is to be made at this time, in milliseconds since 1970.
    pub fn waits_until(&mut self, until_ms: u64) {
        self.until_ms = Some(until_ms);
    }

    /// For how long it was tried until now, outages apart, in milliseconds.
    #[must_use]
    pub fn trying_ms(&self, now_ms: u64) -> u64 {
        let until_ms = self.away_since_ms.unwrap_or(now_ms);
        self.first_ms.map_or(0, |first_ms| until_ms.saturating_sub(first_ms))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_outage_counts_neither_as_tries_nor_as_time() {
        let mut budget = Budget::default();
        budget.note(1_000, true);
        budget.note(3_000, false);
        budget.note(5_000, false);
        assert_eq!((budget.tries, budget.outages, budget.trying_ms(9_000_000)), (1, 2, 2_000));
        budget.note(9_000_000, true);
        assert_eq!((budget.tries, budget.outages, budget.trying_ms(9_000_000)), (2, 0, 2_000));
        budget.note(9_004_000, true);
        assert_eq!((budget.tries, budget.trying_ms(9_004_000)), (3, 6_000));
    }

    #[test]
    fn time_in_which_the_host_was_down_does_not_count() {
        let mut budget = Budget::default();
        budget.note(1_000, true);
        budget.waits_until(5_000);
        budget.note(9_000, true);
        assert_eq!(budget.trying_ms(9_000), 8_000, "a try takes its time");
        budget.waits_until(20_000);
        budget.note(9_000_000, true);
        assert_eq!(budget.trying_ms(9_000_000), 19_000 + TRY_MS_MAX);
        budget.waits_until(9_001_000);
        budget.note(20_000_000, false);
        assert_eq!(budget.trying_ms(20_000_000), 20_000 + 2 * TRY_MS_MAX, "nor before an outage");
    }

    #[test]
    fn an_outage_before_the_first_try_costs_nothing() {
        let mut budget = Budget::default();
        budget.note(1_000, false);
        budget.note(500_000, true);
        assert_eq!((budget.tries, budget.trying_ms(500_000)), (1, 0));
    }
}
