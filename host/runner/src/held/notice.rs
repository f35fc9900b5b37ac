//! Writes the notices of floods, each by a task of its own.

use super::{Flood, read, write};
use crate::announcements::place;
use crate::chat::{ChatError, ChatErrorKind, RenderedPost};
use crate::clock::earliest;
use crate::core::Core;
use crate::journal::JournalError;
use crate::patience::Patience;
use std::sync::Arc;

/// The time between two rewrites of one notice, in milliseconds.
const REWRITE_PAUSE_MS: u64 = 1_000;

/// Has a task write the notice until it tells of everything.
pub(super) fn tell(core: &Arc<Core>, id: String) {
    if let Some(has_more) = core.floods.telling().get_mut(&id) {
        *has_more = true;
        return;
    }
    core.floods.telling().insert(id.clone(), false);
    let core = Arc::clone(core);
    tokio::spawn(async move { tell_all(&core, &id).await });
}

async fn tell_all(core: &Arc<Core>, id: &str) {
    let mut patience = Patience::default();
    loop {
        if let Some(has_more) = core.floods.telling().get_mut(id) {
            *has_more = false;
        }
        let wait_ms = match tell_once(core, id).await {
            Ok(()) => {
                patience = Patience::default();
                REWRITE_PAUSE_MS
            }
            Err(error) => {
                tracing::warn!(flood = %id, "cannot post yet what is held back: {error}");
                let wait_ms = patience.wait_ms(core, id, &error).await;
                if wait_ms.is_none() {
                    core.floods.untold().insert(id.to_owned());
                }
                if let Some(has_more) = core.floods.telling().get_mut(id) {
                    *has_more |= wait_ms.is_some();
                }
                wait_ms.unwrap_or(REWRITE_PAUSE_MS).max(1)
            }
        };
        // Nobody may see the task gone and the flood not told: looked at and removed under one lock.
        {
            let mut telling = core.floods.telling();
            if telling.get(id) != Some(&true) {
                telling.remove(id);
                return;
            }
        }
        core.rest(wait_ms).await;
    }
}

async fn tell_once(core: &Arc<Core>, id: &str) -> Result<(), ChatError> {
    let Some((_, mut flood)) = read(core, id).await.map_err(ChatError::passing)? else { return Ok(()) };
    let look = flood.look(&core.key, id);
    let rewritten = match &flood.notice {
        Some(post_id) if rewrite(core, post_id, &flood.stamp(core, id), &look).await? => {
            Some(post_id.clone())
        }
        Some(_) => {
            let Some(now) = forget_notice(core, id).await.map_err(ChatError::passing)? else { return Ok(()) };
            flood.deleted = now.deleted;
            None
        }
        None => None,
    };
    let post_id = match rewritten {
        Some(post_id) => post_id,
        None => {
            let (stamp, since_ms) = (flood.stamp(core, id), earliest(flood.first_ms));
            let placed = place(core, &flood.channel_id, &stamp, since_ms, &look).await;
            let post_id = placed.map_err(passing_by)?;
            // One that was written before, and found, says what was held back then.
            if !core.chat.shows_post(&post_id, &stamp, &look).await? {
                core.chat.update_post(&post_id, &stamp, &look).await?;
            }
            post_id
        }
    };
    let _newest = core.floods.newest.lock().await;
    let Some((revision, mut now)) = read(core, id).await.map_err(ChatError::passing)? else { return Ok(()) };
    (now.notice, now.told) = (Some(post_id), flood.changes);
    write(core, id, revision, &now).await.map_err(ChatError::passing)
}

/// Who may write where changes, so a refusal may pass too.
fn passing_by(error: ChatError) -> ChatError {
    if error.is_temporary() { error } else { ChatError::passing(error) }
}

/// Rewrites the notice; false when somebody has deleted it.
async fn rewrite(core: &Core, post_id: &str, stamp: &str, look: &RenderedPost) -> Result<bool, ChatError> {
    match core.chat.update_post(post_id, stamp, look).await {
        Ok(()) => Ok(true),
        Err(error) if error.kind == ChatErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}

/// Somebody has deleted the notice: another one is due.
async fn forget_notice(core: &Core, id: &str) -> Result<Option<Flood>, JournalError> {
    let _newest = core.floods.newest.lock().await;
    let Some((revision, mut flood)) = read(core, id).await? else { return Ok(None) };
    (flood.notice, flood.deleted) = (None, flood.deleted.saturating_add(1));
    write(core, id, revision, &flood).await?;
    Ok(Some(flood))
}
