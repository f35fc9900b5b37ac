//! For how long the host tries what can be repeated without harm, and is no action.

use crate::chat::{Chat, ChatError, ChatErrorKind};
use crate::core::Core;
use warroom_engine::Budget;

/// What is being tried, and what that has cost. It is kept in memory: after a restart the host begins to count anew.
#[derive(Default)]
pub(crate) struct Patience {
    about: String,
    budget: Budget,
    wait: Option<Wait>,
}

/// The wait that was asked for last.
struct Wait {
    end_ms: u64,
    wait_ms: u64,
}

impl Patience {
    /// When the wait that was asked for last is over; none when it is, or the clock was set back.
    pub(crate) fn end_ms(&self, now_ms: u64) -> Option<u64> {
        let Wait { end_ms, wait_ms } = self.wait.as_ref()?;
        end_ms.checked_sub(now_ms).filter(|left_ms| (1..=*wait_ms).contains(left_ms)).map(|_| *end_ms)
    }

    /// How long to wait before the next try, in milliseconds; none when there is no point in another one: the error will not pass by
    /// itself, or it was tried for as long as an action is. `about` names what is tried: something else gets a budget of its own. A try
    /// that came before its time, since something else woke who tries, costs nothing.
    pub(crate) async fn wait_ms(&mut self, core: &Core, about: &str, error: &ChatError) -> Option<u64> {
        if self.about != about {
            *self = Patience { about: about.to_owned(), ..Patience::default() };
        }
        if !error.is_temporary() {
            return None;
        }
        let now_ms = core.clock.now_ms();
        if let Some(end_ms) = self.end_ms(now_ms) {
            return Some(end_ms - now_ms);
        }
        let spends_try = !is_outage(core.chat.as_ref(), error).await;
        let now_ms = core.clock.now_ms();
        self.budget.note(now_ms, spends_try);
        let wait_ms = core.options.next_wait_ms(&self.budget, None, error, (about, now_ms)).ok();
        self.wait = wait_ms.map(|wait_ms| Wait { end_ms: now_ms.saturating_add(wait_ms), wait_ms });
        wait_ms
    }
}

/// Whether the server is out, and not only in trouble with what it was asked: then trying again costs nothing. Where the error may mean
/// either, the server is asked something small; a proxy that refuses one large request for ever must not be taken for an outage.
pub(crate) async fn is_outage(chat: &dyn Chat, error: &ChatError) -> bool {
    match error.kind {
        ChatErrorKind::Unreachable => true,
        ChatErrorKind::Away | ChatErrorKind::Unavailable => !chat.answers().await,
        _ => false,
    }
}
