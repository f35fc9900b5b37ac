//! Faults on order, for tests, and a log of what was asked.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use crate::rates::{RateLimit, Verdict};

/// Orders kept at once; the oldest makes room.
const ORDERS_MAX: usize = 1_000;

/// What is to go wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    /// Answer with this status and do nothing.
    Fail(u16),
    /// Do what is asked, then drop the connection without an answer.
    LoseAnswer,
    /// Do what is asked, and answer after this time.
    Delay(Duration),
}

#[derive(Debug)]
struct Order {
    method: String,
    path_prefix: String,
    fault: Fault,
    left: u32,
}

/// Faults on order and the requests seen.
#[derive(Debug)]
pub(crate) struct Faults {
    orders: VecDeque<Order>,
    log: VecDeque<(String, String)>,
    log_max: usize,
    rates: Option<RateLimit>,
}

impl Faults {
    /// No faults; remembers the last `log_max` requests.
    pub(crate) fn new(log_max: usize) -> Self {
        Faults { orders: VecDeque::new(), log: VecDeque::new(), log_max, rates: None }
    }

    /// Orders a fault for the next `count` requests with this method and a path that starts so.
    pub(crate) fn order(&mut self, method: &str, path_prefix: &str, fault: Fault, count: u32) {
        if count == 0 {
            return;
        }
        if self.orders.len() >= ORDERS_MAX {
            self.orders.pop_front();
        }
        self.orders.push_back(Order {
            method: method.to_ascii_uppercase(),
            path_prefix: path_prefix.to_owned(),
            fault,
            left: count,
        });
    }

    /// Logs a request and takes the fault ordered for it, if any: the oldest order that fits.
    pub(crate) fn meet(&mut self, method: &str, path: &str) -> Option<Fault> {
        if self.log.len() >= self.log_max {
            self.log.pop_front();
        }
        if self.log_max > 0 {
            self.log.push_back((method.to_owned(), path.to_owned()));
        }
        let at = self.orders.iter().position(|order| {
            (order.method == "*" || order.method == method) && path.starts_with(&order.path_prefix)
        })?;
        let order = self.orders.get_mut(at)?;
        let fault = order.fault;
        order.left -= 1;
        if order.left == 0 {
            self.orders.remove(at);
        }
        Some(fault)
    }

    /// Limits the rate of calls from now on, or lifts the limit.
    pub(crate) fn limit_rate(&mut self, rates: Option<RateLimit>) {
        self.rates = rates;
    }

    /// Whether the rate of calls is limited.
    pub(crate) fn limits_rate(&self) -> bool {
        self.rates.is_some()
    }

    /// Counts a call; `None` while there is no limit.
    pub(crate) fn count(&mut self, caller: &str) -> Option<Verdict> {
        self.rates.as_mut().map(|rates| rates.admit(caller, Instant::now()))
    }

    /// The requests seen, oldest first.
    pub(crate) fn requests(&self) -> Vec<(String, String)> {
        self.log.iter().cloned().collect()
    }

    /// Forgets the requests seen.
    pub(crate) fn forget_requests(&mut self) {
        self.log.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_order_is_met_count_times_by_matching_requests_only() {
        let mut faults = Faults::new(2);
        faults.order("post", "/api/v4/posts", Fault::Fail(503), 2);
        assert_eq!(faults.meet("GET", "/api/v4/posts"), None);
        assert_eq!(faults.meet("POST", "/api/v4/channels"), None);
        assert_eq!(faults.meet("POST", "/api/v4/posts"), Some(Fault::Fail(503)));
        assert_eq!(faults.meet("POST", "/api/v4/posts/ephemeral"), Some(Fault::Fail(503)));
        assert_eq!(faults.meet("POST", "/api/v4/posts"), None);
        assert_eq!(faults.requests().len(), 2, "the log is bounded");
    }
}
