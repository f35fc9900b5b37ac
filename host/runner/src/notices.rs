//! Tells people that a run is blocked, where they are: in the room once somebody is in it, else where it was
//! triggered.

use crate::chat::{RenderedPost, find_or_create_post};
use crate::clock::earliest;
use crate::core::Core;
use crate::ledger::{Ledger, LedgerError, read};
use crate::mentions;
use crate::rendering;
use warroom_engine::{Fact, Run};

/// Posts the notice of the current block, once; after an interruption it is searched for first.
pub(crate) async fn post(core: &Core, ledger: &Ledger) -> Result<(), LedgerError> {
    let run = ledger.run().await?;
    let Some(notice) = &run.notice else {
        return intend(ledger, &run, None, "there is no channel to post it in").await;
    };
    let stamp = core.key.stamp(&notice.key);
    let post = rendering::notice(&core.key, &run, &notice.key);
    let since_ms = earliest(notice.intended_ms);
    match find_or_create_post(core.chat.as_ref(), &notice.channel_id, &stamp, since_ms, &post).await {
        Ok(post_id) => {
            let posted = Fact::NoticePosted { key: notice.key.clone(), post_id };
            ledger.append(vec![posted], Vec::new()).await
        }
        Err(error) if error.is_temporary() => {
            tracing::warn!(run = %run.id, "cannot post the notice that the run is blocked yet: {error}");
            let wait_ms = error.retry_after_ms.unwrap_or(core.options.retry_wait_max_ms / 4).max(1);
            core.clock.sleep_until(core.clock.now_ms() + wait_ms).await;
            Ok(())
        }
        Err(error) => {
            tracing::error!(run = %run.id, channel = %notice.channel_id, "cannot post that the run is blocked: {error}");
            intend(ledger, &run, Some(&notice.channel_id), &error.message).await
        }
    }
}

/// Journals where the notice is to stand next, after the place that was tried; the run's task asks again then, and finds it.
async fn intend(ledger: &Ledger, run: &Run, tried: Option<&str>, reason: &str) -> Result<(), LedgerError> {
    let mut places = places(run).into_iter();
    let place = match tried {
        Some(tried) => places.skip_while(|place| place != tried).nth(1),
        None => places.next(),
    };
    let fact = match place {
        Some(channel_id) => {
            let key = format!("{}/notice/{}", run.id, run.notices + 1);
            Fact::NoticeIntended { key, channel_id }
        }
        None => Fact::NoticeFailed { reason: reason.to_owned() },
    };
    ledger.append(vec![fact], Vec::new()).await
}

/// Tells the triggering channel that a run cannot be taken up, unless it was told before. Such a run has no buttons: what it began
/// with cannot be read. A failure is only logged; the next start tells again.
pub(crate) async fn tell_stuck(core: &Core, id: &str, reason: &str) {
    let Ok(run) = read(core.journal.as_ref(), id).await else { return };
    let stamp = core.key.stamp(&format!("{id}/stuck/{reason}"));
    let name = format!("{} {}", run.workflow, run.number);
    let reason = mentions::quiet(reason);
    let message =
        format!(":warning: Incident **{name}** cannot go on until an operator mends this:\n\n> {reason}");
    let post = RenderedPost { message, sections: Vec::new() };
    let channel = &run.trigger.channel.id;
    let since_ms = earliest(run.started_ms);
    let told = find_or_create_post(core.chat.as_ref(), channel, &stamp, since_ms, &post).await;
    if let Err(error) = told {
        tracing::error!(run = %id, "cannot post that the run is stuck: {error}");
    }
}

fn places(run: &Run) -> Vec<String> {
    let mut places: Vec<String> = run.peopled_room().into_iter().map(|room| room.id.clone()).collect();
    if !places.contains(&run.trigger.channel.id) {
        places.push(run.trigger.channel.id.clone());
    }
    places
}
