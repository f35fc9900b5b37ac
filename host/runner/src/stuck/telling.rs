//! Tells people of a run that cannot be taken up, and takes that back when it can.
//!
//! Whoever mends it restarts the service, so which notice is to be taken back is kept in a document.

use super::{last_look, notice, notice_key};
use crate::announcements::{self, place, waits};
use crate::chat::{ChatError, ChatErrorKind};
use crate::clock::earliest;
use crate::core::Core;
use crate::journal::JournalError;
use crate::ledger::read;
use crate::mentions;
use crate::patience::Patience;
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use tracing::Instrument as _;

/// The kind of the documents.
const KIND: &str = "stuck";
/// How many notices a start takes back.
const NOTICES_MAX: u32 = 1_000;

/// A notice that people read. Its document has its key as the id.
#[derive(Serialize, Deserialize)]
struct Told {
    run: String,
    reason: String,
    /// The last places where it stands: who may write where changes.
    post_ids: Vec<String>,
}

/// How many places of one notice are known.
const PLACES_MAX: usize = 8;

/// Tells the triggering channel that a run cannot be taken up, unless it was told before; else operators. Such a run can only
/// be cancelled: what it began with cannot be read. It is tried until it is told. When the run is stuck no more, the notice says so and
/// loses its button.
pub(crate) fn tell(core: &Arc<Core>, id: &str, reason: &str) {
    let (core, id, reason) = (Arc::clone(core), id.to_owned(), reason.to_owned());
    let span = tracing::error_span!("run", run = %id);
    let telling = async move {
        let about = notice_key(&id, &reason);
        let Some(post_id) = told(&core, &about, &id, &reason).await else { return };
        let told = match keep(&core, &about, (&id, &reason), &post_id).await {
            Ok(told) => told,
            Err(error) => {
                tracing::warn!("which notice is to be taken back will not be known after a restart: {error}");
                Told { run: id, reason, post_ids: vec![post_id] }
            }
        };
        take_back(&core, &about, &told).await;
    };
    tokio::spawn(telling.instrument(span));
}

/// Takes back what an earlier process told of runs that are stuck no more.
pub(crate) async fn resume(core: &Arc<Core>) -> Result<(), JournalError> {
    for about in core.journal.document_ids(KIND, NOTICES_MAX).await? {
        let Some((_, body)) = core.journal.document(KIND, &about).await? else { continue };
        let Ok(told) = serde_json::from_slice::<Told>(&body) else {
            tracing::warn!(notice = %about, "a notice stays as it is, since what is known of it cannot be read");
            core.journal.delete_document(KIND, &about).await?;
            continue;
        };
        // Who tells the same again finds the notice.
        if core.why_stuck(&told.run).as_deref() == Some(&told.reason) {
            continue;
        }
        let (core, span) = (Arc::clone(core), tracing::error_span!("run", run = %told.run));
        tokio::spawn(async move { take_back(&core, &about, &told).await }.instrument(span));
    }
    Ok(())
}

/// Tells it, however long that takes. Gives the notice's id; none when it has none to take back.
async fn told(core: &Core, about: &str, id: &str, reason: &str) -> Option<String> {
    let mut patience = Patience::default();
    loop {
        match try_to_tell(core, about, id, reason).await {
            Ok(post_id) => return post_id,
            Err(error) if waits(core, &mut patience, about, &error).await => {}
            // Who may write where changes.
            Err(error) => {
                tracing::error!(about, "people cannot be told: {error}");
                patience = Patience::default();
                core.rest(core.options.retry_period_ms).await;
            }
        }
    }
}

/// Gives the notice's id; none when there is nothing to tell any more. Of a run that makes no sense it is not known where people are, so
/// operators are told.
async fn try_to_tell(core: &Core, about: &str, id: &str, reason: &str) -> Result<Option<String>, ChatError> {
    if !core.is_stuck(id) {
        return Ok(None);
    }
    let run = match read(core.journal.as_ref(), id).await {
        Err(error) if error.is_unreadable() => {
            let text = format!(
                ":warning: The incident {id} cannot go on, since its journal cannot be read: {reason}. Start the version of this program that wrote \
                 it; or end the incident with `warroom runs cancel {id}`, and archive its room by hand."
            );
            return announcements::try_to_tell(core, None, about, &mentions::quiet(&text))
                .await
                .map(|()| None);
        }
        run => run.map_err(ChatError::passing)?,
    };
    let post = notice(&core.key, &run, reason);
    let since_ms = earliest(run.started_ms);
    let stamp = core.key.stamp(about);
    let post_id = place(core, &run.trigger.channel.id, &stamp, since_ms, &post).await?;
    // One that was found may say that the run goes on again, as it did for a while.
    if core.chat.shows_post(&post_id, &stamp, &post).await? {
        return Ok(Some(post_id));
    }
    match core.chat.update_post(&post_id, &stamp, &post).await {
        Ok(()) => Ok(Some(post_id)),
        Err(error) if error.is_temporary() => Err(error),
        Err(error) => {
            tracing::error!("the notice of a stuck run cannot be written anew: {error}");
            announcements::try_to_tell(core, None, about, &post.message).await.map(|()| None)
        }
    }
}

/// Keeps where the notice stands.
async fn keep(
    core: &Core,
    about: &str,
    (id, reason): (&str, &str),
    post_id: &str,
) -> Result<Told, JournalError> {
    let known = core.journal.document(KIND, about).await?;
    let revision = known.as_ref().map_or(0, |(revision, _)| *revision);
    // What cannot be read is written anew.
    let told = known.and_then(|(_, body)| serde_json::from_slice(&body).ok());
    let mut told =
        told.unwrap_or_else(|| Told { run: id.to_owned(), reason: reason.to_owned(), post_ids: Vec::new() });
    if told.post_ids.iter().any(|known| known == post_id) {
        return Ok(told);
    }
    told.post_ids.push(post_id.to_owned());
    let beyond = told.post_ids.len().saturating_sub(PLACES_MAX);
    told.post_ids.drain(..beyond);
    let body = serde_json::to_vec(&told).map_err(|error| JournalError::Failed(error.to_string()))?;
    core.journal.put_document(KIND, about, revision, body).await?;
    Ok(told)
}

/// Rewrites the notice once the run is stuck no more. What cannot be rewritten for as long as an action is tried is left to the next
/// start.
async fn take_back(core: &Core, about: &str, told: &Told) {
    core.stuck_no_more(&told.run).await;
    let mut patience = Patience::default();
    loop {
        match rewrite(core, about, told).await {
            Ok(true) => break,
            Ok(false) => return,
            Err(error) if waits(core, &mut patience, about, &error).await => {}
            Err(error) => {
                tracing::error!(about, "people cannot be told: {error}");
                return;
            }
        }
    }
    // Stuck again for the same reason: whoever tells that takes it back.
    if core.why_stuck(&told.run).as_deref() == Some(&told.reason) {
        return;
    }
    if let Err(error) = core.journal.delete_document(KIND, about).await {
        tracing::warn!("a notice that was taken back is taken back again at the next start: {error}");
    }
}

/// Gives whether nothing is left to rewrite.
async fn rewrite(core: &Core, about: &str, told: &Told) -> Result<bool, ChatError> {
    let run = read(core.journal.as_ref(), &told.run).await.map_err(ChatError::passing)?;
    let (stamp, look) = (core.key.stamp(about), last_look(&run, &told.reason));
    let mut is_done = true;
    for post_id in &told.post_ids {
        if core.why_stuck(&told.run).as_deref() == Some(&told.reason) {
            return Ok(true);
        }
        match core.chat.update_post(post_id, &stamp, &look).await {
            Ok(()) => {}
            Err(error) if error.is_temporary() => return Err(error),
            Err(error) if error.kind == ChatErrorKind::NotFound => {}
            // In a channel where the bot may not write now.
            Err(error) => {
                tracing::warn!(post = %post_id, "a notice stays as it is until the next start: {error}");
                is_done = false;
            }
        }
    }
    Ok(is_done)
}
