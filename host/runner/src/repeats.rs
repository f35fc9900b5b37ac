//! Folds further matches of a keyed trigger into the open run that has the key.

use crate::core::Core;
use crate::journal::{Claim, encode};
use crate::ledger::{Ledger, LedgerError, read};
use std::sync::PoisonError;
use std::time::Duration;
use tokio::time::Instant;
use warroom_engine::{Event, Fact, Repeat, Run, ends_by_itself};

/// How long repeats wait for a run that is closing, counted from the first of them; then they are folded into it all the same, as when
/// the server is away. All that is posted waits with them.
const CLOSING_MAX: Duration = Duration::from_secs(5);

/// For how long altogether runs are waited for in vain within [`OUTWAITED_PERIOD`]; many may be closing when the server is away.
const OUTWAITED_MAX: Duration = Duration::from_secs(15);
const OUTWAITED_PERIOD: Duration = Duration::from_secs(60);

/// For how long runs that were closing were waited for in vain.
#[derive(Default)]
pub(crate) struct Outwaited {
    since: Option<Instant>,
    spent: Duration,
}

impl Outwaited {
    /// Whether no run is waited for now.
    fn is_enough(&self, now: Instant) -> bool {
        self.is_recent(now) && self.spent >= OUTWAITED_MAX
    }

    fn add(&mut self, waited: Duration, now: Instant) {
        if !self.is_recent(now) {
            *self = Outwaited { since: Some(now), spent: Duration::ZERO };
        }
        self.spent += waited;
    }

    fn is_recent(&self, now: Instant) -> bool {
        self.since.is_some_and(|since| now.duration_since(since) < OUTWAITED_PERIOD)
    }
}

/// What became of a repeat.
pub(crate) enum Folding {
    /// It is journalled in the run.
    Folded,
    /// The run has ended meanwhile, or cannot be read: the key is free for another one.
    KeyIsFree,
}

/// Journals the repeat in the run, if that can take it.
pub(crate) async fn fold(core: &Core, run_id: &str, repeat: Repeat) -> Result<Folding, LedgerError> {
    let fact = |run: &Run| {
        let claim = Claim::post(&run.workflow, &repeat.post_id);
        (Fact::Repeated { repeat: repeat.clone() }, claim)
    };
    let Some(ledger) = core.ledger(run_id) else {
        // Open, but driven by nobody: what it began with cannot be read. Once it can, it knows of the repeat.
        let run = match read(core.journal.as_ref(), run_id).await {
            Err(error) if error.is_unreadable() => {
                tracing::error!(run = %run_id, "a repeat begins another incident, since its own cannot be read: {error}");
                return Ok(Folding::KeyIsFree);
            }
            run => run?,
        };
        if run.has_ended() {
            return Ok(Folding::KeyIsFree);
        }
        let (fact, claim) = fact(&run);
        let record = encode(&Event { at_ms: core.clock.now_ms(), fact })?;
        core.journal.append(run_id, run.seq, vec![record], false, vec![claim]).await?;
        return Ok(Folding::Folded);
    };
    // What repeats while the room is being closed belongs to no incident that anybody looks at: a new one is due.
    closed(core, &ledger).await?;
    let mut open = ledger.open().await?;
    if open.run().has_ended() {
        return Ok(Folding::KeyIsFree);
    }
    let (fact, claim) = fact(open.run());
    open.append(vec![fact], vec![claim]).await?;
    Ok(Folding::Folded)
}

/// Returns once the run is over, or does not end by itself, or was waited for long enough.
async fn closed(core: &Core, ledger: &Ledger) -> Result<(), LedgerError> {
    let outwaited = || core.outwaited.lock().unwrap_or_else(PoisonError::into_inner);
    let began = Instant::now();
    if outwaited().is_enough(began) {
        return Ok(());
    }
    let mut changed = ledger.written.subscribe();
    loop {
        changed.mark_unchanged();
        let is_closing = {
            let open = ledger.open().await?;
            let run = open.run();
            // What has ended is still listed as open while something is to be told.
            ends_by_itself(&ledger.workflow(), run) || run.has_ended() && !run.has_settled()
        };
        let Some(end) = ledger.closing_end(is_closing, CLOSING_MAX) else { return Ok(()) };
        match tokio::time::timeout_at(end, changed.changed()).await {
            Ok(Ok(())) => {}
            Ok(Err(_)) | Err(_) => {
                outwaited().add(began.elapsed(), Instant::now());
                return Ok(());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_are_waited_for_in_vain_for_a_bounded_part_of_the_time() {
        let (mut outwaited, begin) = (Outwaited::default(), Instant::now());
        let at = |seconds| begin + Duration::from_secs(seconds);
        for n in 1..=3 {
            assert!(!outwaited.is_enough(at(5 * n)));
            outwaited.add(CLOSING_MAX, at(5 * n));
        }
        assert!(outwaited.is_enough(at(15)) && outwaited.is_enough(at(64)));
        assert!(!outwaited.is_enough(at(65)), "after a minute they are waited for again");
        outwaited.add(CLOSING_MAX, at(65));
        assert!(!outwaited.is_enough(at(66)), "and what was waited before counts no more");
    }
}
