//! What a test can have go wrong, and how it is put right again.

use std::time::Duration;

use crate::faults::Fault;
use crate::rates::RateLimit;
use crate::simulator::{Simulator, StartError};

/// The longest an answer is held back.
const DELAY_MAX: Duration = Duration::from_secs(60 * 60);

impl Simulator {
    /// The next `count` requests with this method (`*` for any) whose path (`/api/v4/…`, without the query) starts with
    /// `path_prefix` are answered with `status`, and nothing is done. 429 comes as the real server sends it, with
    /// `Retry-After: 1`. Orders are met oldest first; the page's own requests are exempt.
    pub fn fail_next(&self, method: &str, path_prefix: &str, status: u16, count: u32) {
        self.shared.faults().order(method, path_prefix, Fault::Fail(status), count);
    }

    /// The next `count` such requests are done, but the connection is dropped without an answer.
    pub fn lose_answer_of_next(&self, method: &str, path_prefix: &str, count: u32) {
        self.shared.faults().order(method, path_prefix, Fault::LoseAnswer, count);
    }

    /// The next `count` such requests are done at once, but answered after `delay`: an hour at most, and no longer than
    /// the simulator runs.
    pub fn delay_next(&self, method: &str, path_prefix: &str, delay: Duration, count: u32) {
        self.shared.faults().order(method, path_prefix, Fault::Delay(delay.min(DELAY_MAX)), count);
    }

    /// From now on each user may make `per_second` calls, and `burst` beyond that at once; strangers count as one user.
    /// The rest is answered with 429. All answers have the headers that the real server sends, with a pair of numbers
    /// where it sends a pair. Zero calls a second are one a day.
    pub fn limit_rate(&self, per_second: impl Into<f64>, burst: u32) {
        self.shared.faults().limit_rate(Some(RateLimit::new(per_second.into(), burst)));
    }

    /// Lifts the limit that [`Simulator::limit_rate`] set.
    pub fn lift_rate_limit(&self) {
        self.shared.faults().limit_rate(None);
    }

    /// Refuses this token with 401 from now on. The event streams that were opened with it stay open and hear nothing, as on a
    /// real server. Whether there is such a token.
    pub fn revoke_token(&self, token: &str) -> bool {
        self.shared.world().accept_token(token, false)
    }

    /// Takes a token again that [`Simulator::revoke_token`] refused. Whether there is such a token.
    pub fn restore_token(&self, token: &str) -> bool {
        self.shared.world().accept_token(token, true)
    }

    /// Drops every event stream without a close frame, as a failing network does. They can be resumed.
    pub fn drop_websockets(&self) {
        self.shared.world().hub.break_all();
    }

    /// Drops every event stream and forgets it, as a restart of the server does: whoever comes back gets a `hello` with
    /// a new id, and nothing of what was missed.
    pub fn forget_websockets(&self) {
        self.shared.world().hub.close_those(|_| true);
    }

    /// Closes the port and cuts every connection: from when this returns, whoever connects is refused. The world is kept,
    /// event streams included: to have them lost as in a restart, call [`Simulator::forget_websockets`] too.
    pub fn go_away(&self) {
        self.door.close();
    }

    /// Opens the port again, at the same address. Does nothing while it is open.
    ///
    /// # Errors
    /// If another program has taken the address meanwhile.
    #[expect(
        clippy::unused_async,
        reason = "a listening socket belongs to a runtime, so one has to be there"
    )]
    pub async fn come_back(&self) -> Result<(), StartError> {
        self.door.open().map_err(|source| StartError::Listen { address: self.address, source })
    }
}
