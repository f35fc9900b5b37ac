//! Drives one open run: asks the engine what is next, does it, until nothing is left to do.

use crate::execution;
use crate::ledger::{Ledger, LedgerError};
use crate::notices;
use crate::rendering;
use crate::runner::Core;
use std::sync::Arc;
use warroom_engine::{ControlPost, Fact, Next, next};

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
            Ok(Pace::Again) => {}
            Ok(Pace::Over) => return,
            Ok(Pace::Idle) => ledger.woken.notified().await,
            Ok(Pace::Until(at_ms)) => tokio::select! {
                () = core.clock.sleep_until(at_ms) => {}
                () = ledger.woken.notified() => {}
            },
            Err(error) => {
                tracing::error!(run = %ledger.id, "the run waits, since the journal fails: {error}");
                core.clock.sleep_until(core.clock.now_ms() + JOURNAL_PAUSE_MS).await;
            }
        }
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
        Next::Wait | Next::Blocked => Ok(Pace::Idle),
        Next::Done => Ok(Pace::Over),
    }
}

/// Rewriting a post can be repeated without harm, so it needs no intent.
async fn remove_controls(
    core: &Core,
    ledger: &Ledger,
    post: &ControlPost,
    rendered: &crate::RenderedPost,
) -> Result<Pace, LedgerError> {
    match core.chat.update_post(&post.post_id, &core.key.stamp(&post.key), rendered).await {
        Ok(()) => {}
        Err(error) if error.is_temporary() => {
            tracing::warn!(run = %ledger.id, "cannot take the controls away yet: {error}");
            let wait_ms = error.retry_after_ms.unwrap_or(core.options.retry_first_ms);
            return Ok(Pace::Until(core.clock.now_ms() + wait_ms));
        }
        // The post is gone, or its channel is archived: nobody can press these controls, and clicks are checked anyway.
        Err(error) => {
            tracing::warn!(run = %ledger.id, post = %post.post_id, "controls stay visible: {error}")
        }
    }
    let removed = Fact::ControlsRemoved { post: post.key.clone() };
    ledger.append(vec![removed], Vec::new()).await.map(|()| Pace::Again)
}
