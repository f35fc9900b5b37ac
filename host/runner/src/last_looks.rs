//! Sees to it that the posts of a run that has ended say so, also when the host stops before all of them do.
//!
//! Such a run is over in the journal, so no start takes it up. Before it can be over, a document notes that posts are still to be
//! brought to their last look; it goes when they are, or cannot be. Most runs end with nothing to rewrite, and are not noted.

use crate::beginning::Beginning;
use crate::canvas;
use crate::core::Core;
use crate::journal::JournalError;
use crate::ledger::{Ledger, read};
use crate::stuck::stand_in;
use std::sync::Arc;
use tracing::Instrument as _;
use warroom_engine::{Fact, Next, Run};

/// The kind of the documents.
const KIND: &str = "last_look";
/// How many ended runs a start brings to their last look.
const RUNS_MAX: u32 = 1_000;

/// Whether the run may be over when this is done.
pub(crate) fn may_end(next: &Next, run: &Run) -> bool {
    let finishes = |facts: &[Fact]| facts.iter().any(|fact| matches!(fact, Fact::RunFinished));
    run.has_ended() || matches!(next, Next::Record(facts) if finishes(facts))
}

/// Notes, once, that the run's posts are to be brought to their last look, if any of them can still change.
pub(crate) async fn note(core: &Core, ledger: &Ledger, run: &Run) -> Result<(), JournalError> {
    if ledger.canvas.is_noted() || !run.announcements.iter().any(canvas::changes) {
        return Ok(());
    }
    if core.journal.document(KIND, &ledger.id).await?.is_none() {
        core.journal.put_document(KIND, &ledger.id, 0, Vec::new()).await?;
    }
    ledger.canvas.note();
    Ok(())
}

/// The run's posts have their last look, or cannot have it.
pub(crate) async fn forget(core: &Core, ledger: &Ledger) {
    if ledger.canvas.is_noted()
        && let Err(error) = core.journal.delete_document(KIND, &ledger.id).await
    {
        tracing::warn!(run = %ledger.id, "it stays noted that posts of an ended run are to be rewritten: {error}");
    }
}

/// Goes on with the runs that ended before an earlier process had shown it.
pub(crate) async fn resume(core: &Arc<Core>) -> Result<(), JournalError> {
    for id in core.journal.document_ids(KIND, RUNS_MAX).await? {
        if core.ledger(&id).is_some() || core.is_stuck(&id) {
            continue;
        }
        match ended(core, &id).await {
            Ok(ledger) => show(core, ledger),
            Err(reason) => {
                tracing::error!(run = %id, "the posts of an ended run stay as they are: {reason}");
                core.journal.delete_document(KIND, &id).await?;
            }
        }
    }
    Ok(())
}

async fn ended(core: &Core, id: &str) -> Result<Ledger, String> {
    let run = read(core.journal.as_ref(), id).await.map_err(|error| error.to_string())?;
    let workflow = stand_in(&run)?;
    Ok(Ledger::new(run, workflow, Beginning::journalled(), core))
}

/// Has a task bring the posts to their last look.
fn show(core: &Arc<Core>, ledger: Ledger) {
    ledger.canvas.note();
    let (id, ledger, shown_by) = (ledger.id.clone(), Arc::new(ledger), Arc::clone(core));
    let span = tracing::error_span!("run", workflow = %ledger.workflow().name, run = %id);
    let mut showing = core.showing();
    let task = async move {
        canvas::keep(&shown_by, &ledger).await;
        forget(&shown_by, &ledger).await;
        shown_by.showing().remove(&ledger.id);
    };
    // Held until the task is listed, so that it cannot end before it is.
    showing.insert(id, tokio::spawn(task.instrument(span)).abort_handle());
}
