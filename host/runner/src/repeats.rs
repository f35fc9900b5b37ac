//! Folds further matches of a keyed trigger into the open run that has the key, and tells people of them in one post.

use crate::chat::{ChatError, find_or_create_post};
use crate::clock::earliest;
use crate::core::Core;
use crate::journal::{Claim, encode};
use crate::ledger::{Ledger, LedgerError, read};
use crate::rendering;
use std::time::Duration;
use warroom_engine::{Event, Fact, Repeat, Run, ends_by_itself};

/// How long a repeat waits for a run that is closing; then it is folded into it all the same, as when the server is away.
const CLOSING_MAX: Duration = Duration::from_secs(5);

/// Journals the repeat in the run; false when the run has ended meanwhile, so that the key is free again.
pub(crate) async fn fold(core: &Core, run_id: &str, repeat: Repeat) -> Result<bool, LedgerError> {
    let fact = |run: &Run| {
        let claim = Claim::post(&run.workflow, &repeat.post_id);
        (Fact::Repeated { repeat: repeat.clone() }, claim)
    };
    let Some(ledger) = core.ledger(run_id) else {
        // Open, but driven by nobody: what it began with cannot be read. Once it can, it knows of the repeat.
        let run = read(core.journal.as_ref(), run_id).await?;
        if run.has_ended() {
            return Ok(false);
        }
        let (fact, claim) = fact(&run);
        let record = encode(&Event { at_ms: core.clock.now_ms(), fact })?;
        core.journal.append(run_id, run.seq, vec![record], false, vec![claim]).await?;
        return Ok(true);
    };
    // What repeats while the room is being closed belongs to no incident that anybody looks at: a new one is due.
    let over = tokio::time::timeout(CLOSING_MAX, closed(&ledger)).await;
    over.unwrap_or(Ok(()))?;
    let mut open = ledger.open().await?;
    if open.run().has_ended() {
        return Ok(false);
    }
    let (fact, claim) = fact(open.run());
    open.append(vec![fact], vec![claim]).await?;
    Ok(true)
}

/// Returns once the run has ended, or does not end by itself.
async fn closed(ledger: &Ledger) -> Result<(), LedgerError> {
    let mut changed = ledger.changed.subscribe();
    loop {
        changed.mark_unchanged();
        let is_closing = {
            let open = ledger.open().await?;
            ends_by_itself(&ledger.workflow, open.run())
        };
        if !is_closing || changed.changed().await.is_err() {
            return Ok(());
        }
    }
}

/// Writes or rewrites the post that tells of the repeats. Gives how long to wait before the next try, in milliseconds, when
/// the server cannot take it now.
pub(crate) async fn tell(core: &Core, ledger: &Ledger) -> Result<Option<u64>, LedgerError> {
    let run = ledger.run().await?;
    let count = run.repeats.count;
    let Some(post) = &run.repeats.post else {
        let channel_id = run.peopled_room().unwrap_or(&run.trigger.channel).id.clone();
        let key = format!("{}/repeats", run.id);
        return ledger
            .append(vec![Fact::RepeatsIntended { key, channel_id }], Vec::new())
            .await
            .map(|()| None);
    };
    let fact = match write(core, &run).await {
        Ok(post_id) => Fact::RepeatsTold { post_id, count },
        Err(error) if error.is_temporary() => {
            tracing::warn!(run = %run.id, "cannot tell of the repeats yet: {error}");
            return Ok(Some(error.retry_after_ms.unwrap_or(core.options.retry_wait_max_ms / 4).max(1)));
        }
        Err(error) => {
            tracing::error!(run = %run.id, channel = %post.channel_id, "cannot tell of {count} repeats: {error}");
            Fact::RepeatsUntold { count, reason: error.message }
        }
    };
    ledger.append(vec![fact], Vec::new()).await.map(|()| None)
}

/// Gives the post's id. Before it is written, it is searched for: an earlier process may have written it.
async fn write(core: &Core, run: &Run) -> Result<String, ChatError> {
    let (Some(post), Some(rendered)) = (&run.repeats.post, rendering::repeats(run)) else {
        return Ok(String::new());
    };
    let stamp = core.key.stamp(&post.key);
    let chat = core.chat.as_ref();
    match &post.post_id {
        Some(post_id) => {
            chat.update_post(post_id, &stamp, &rendered).await?;
            Ok(post_id.clone())
        }
        None => {
            let since_ms = earliest(post.intended_ms);
            let post_id = find_or_create_post(chat, &post.channel_id, &stamp, since_ms, &rendered).await?;
            // One that was found says what it said then.
            chat.update_post(&post_id, &stamp, &rendered).await?;
            Ok(post_id)
        }
    }
}
