//! Drives one open run: asks the engine what is next, does it, until nothing is left to do.

use crate::core::Core;
use crate::execution;
use crate::journal::JournalError;
use crate::ledger::{Ledger, LedgerError};
use crate::notices;
use crate::rendering;
use crate::repeats;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use warroom_engine::{ControlPost, Fact, Failure, FailureKind, Next, next};

/// What the driving task does after one turn.
enum Pace {
    /// Asks again at once.
    Again,
    /// Sleeps until a person does something.
    Idle,
    /// Sleeps until this time, or until a person does something.
    Until(u64),
    /// Ends.
    Over,
}

/// How long the task waits before it turns to a failing journal again.
const JOURNAL_PAUSE_MS: u64 = 2_000;

/// Drives the run until it ends. Survives a failing journal by asking it again, for as long as it takes.
pub(crate) async fn drive(core: &Core, ledger: Arc<Ledger>) {
    loop {
        match turn(core, &ledger).await {
            Ok(Pace::Again) => core.journal_failing.store(false, Ordering::Relaxed),
            Ok(Pace::Over) => return,
            Ok(Pace::Idle) => ledger.woken.notified().await,
            Ok(Pace::Until(at_ms)) => tokio::select! {
                () = core.clock.sleep_until(at_ms) => {}
                () = ledger.woken.notified() => {}
            },
            Err(LedgerError::Journal(JournalError::Refused(reason))) => refused(core, &ledger, reason).await,
            Err(error) => pause(core, &ledger, &error).await,
        }
    }
}

async fn pause(core: &Core, ledger: &Ledger, error: &LedgerError) {
    tracing::error!(run = %ledger.id, "the run waits, since the journal fails: {error}");
    core.journal_failing.store(true, Ordering::Relaxed);
    core.clock.sleep_until(core.clock.now_ms() + JOURNAL_PAUSE_MS).await;
}

/// What the journal will never take blocks the run, where people see it.
async fn refused(core: &Core, ledger: &Ledger, reason: String) {
    let message = format!(
        "what happened could not be written down: {reason}. Make it smaller in the workflow, or cancel"
    );
    let failure = Failure { kind: FailureKind::Limit, message };
    let blocked = async {
        let mut open = ledger.open().await?;
        let fact = match open.run().current.as_ref().map(|current| current.key.clone()) {
            Some(action) => Fact::ActionFailed { action, failure, goes_on: false },
            None => Fact::RunBlocked { failure },
        };
        open.append(vec![fact], Vec::new()).await
    };
    if let Err(error) = blocked.await {
        pause(core, ledger, &error).await;
    }
}

async fn turn(core: &Core, ledger: &Arc<Ledger>) -> Result<Pace, LedgerError> {
    // Deciding and journalling happen under one lock, so that a click cannot come between.
    let mut open = ledger.open().await?;
    match next(&ledger.workflow, open.run()) {
        Next::Record(facts) => open.append(facts, Vec::new()).await.map(|()| Pace::Again),
        Next::Act(act) => {
            let fact = execution::begin(core, &ledger.workflow, open.run(), *act);
            let begun = matches!(fact, Fact::ActionStarted { .. });
            open.append(vec![fact], Vec::new()).await?;
            drop(open);
            if begun {
                execution::execute(core, ledger).await?;
            }
            Ok(Pace::Again)
        }
        Next::Resume { not_before_ms } => {
            drop(open);
            match not_before_ms.filter(|at_ms| *at_ms > core.clock.now_ms()) {
                Some(at_ms) => Ok(Pace::Until(at_ms)),
                None => execution::execute(core, ledger).await.map(|()| Pace::Again),
            }
        }
        Next::RemoveControls(post) => {
            let rendered = rendering::control_post(&core.key, open.run(), &post);
            drop(open);
            remove_controls(core, ledger, &post, &rendered).await
        }
        Next::PostNotice => {
            drop(open);
            notices::post(core, ledger).await.map(|()| Pace::Again)
        }
        Next::TellRepeats => {
            drop(open);
            let wait_ms = repeats::tell(core, ledger).await?;
            Ok(wait_ms.map_or(Pace::Again, |wait_ms| Pace::Until(core.clock.now_ms() + wait_ms)))
        }
        Next::Wait | Next::Blocked => Ok(Pace::Idle),
        Next::Done => Ok(Pace::Over),
    }
}

/// Rewriting a post can be repeated without harm, so it needs no intent. It is tried as long as an action is; then the run goes
/// on, since clicks are checked anyway.
async fn remove_controls(
    core: &Core,
    ledger: &Ledger,
    post: &ControlPost,
    rendered: &crate::RenderedPost,
) -> Result<Pace, LedgerError> {
    let stamp = core.key.stamp(&post.key);
    let (mut tries, mut waits) = (0, 0);
    while let Err(error) = core.chat.update_post(&post.post_id, &stamp, rendered).await {
        tries += u32::from(error.spends_try());
        tracing::warn!(run = %ledger.id, post = %post.post_id, "controls cannot be taken away: {error}");
        if !error.is_temporary() || tries >= core.options.retry_tries_max {
            break;
        }
        let wait_ms = core.options.wait_ms(waits, &post.key).max(error.retry_after_ms.unwrap_or(0));
        core.clock.sleep_until(core.clock.now_ms() + wait_ms).await;
        waits += 1;
    }
    let removed = Fact::ControlsRemoved { post: post.key.clone() };
    ledger.append(vec![removed], Vec::new()).await.map(|()| Pace::Again)
}
