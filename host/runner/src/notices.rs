//! Tells people that a run is blocked, where they are: in the room once somebody is in it, else where it was
//! triggered.

use crate::chat::RenderedPost;
use crate::core::Core;
use crate::ledger::{Ledger, LedgerError, read};
use crate::mentions;
use crate::rendering;
use warroom_engine::{Fact, Notice, Run};

/// Posts the notice of the current block, once; after an interruption it is searched for first.
pub(crate) async fn post(core: &Core, ledger: &Ledger) -> Result<(), LedgerError> {
    let run = ledger.run().await?;
    let notice = match run.notice.clone() {
        Some(begun) => begun,
        None => {
            let Some(channel_id) = places(&run).into_iter().next() else { return Ok(()) };
            intend(core, ledger, &run, channel_id).await?
        }
    };
    // Clocks of two machines differ: five minutes are allowed.
    let began_ms = notice.intended_ms.saturating_sub(5 * 60 * 1000);
    let stamp = core.key.stamp(&notice.key);
    let post = rendering::notice(&core.key, &run, &notice.key);
    let result = match core.chat.find_post(&notice.channel_id, &stamp, began_ms).await {
        Ok(Some(post_id)) => Ok(post_id),
        Ok(None) => core.chat.create_post(&notice.channel_id, &stamp, &post).await,
        Err(error) => Err(error),
    };
    match result {
        Ok(post_id) => ledger.append(vec![Fact::NoticePosted { key: notice.key, post_id }], Vec::new()).await,
        Err(error) if error.is_temporary() => {
            tracing::warn!(run = %run.id, "cannot post the notice that the run is blocked yet: {error}");
            let wait_ms = error.retry_after_ms.unwrap_or(core.options.retry_wait_max_ms / 4).max(1);
            core.clock.sleep_until(core.clock.now_ms() + wait_ms).await;
            Ok(())
        }
        Err(error) => {
            let mut places = places(&run).into_iter().skip_while(|place| *place != notice.channel_id).skip(1);
            tracing::error!(run = %run.id, channel = %notice.channel_id, "cannot post that the run is blocked: {error}");
            match places.next() {
                Some(place) => intend(core, ledger, &run, place).await.map(|_| ()),
                None => {
                    ledger.append(vec![Fact::NoticeFailed { reason: error.to_string() }], Vec::new()).await
                }
            }
        }
    }
}

async fn intend(core: &Core, ledger: &Ledger, run: &Run, channel_id: String) -> Result<Notice, LedgerError> {
    let key = format!("{}/notice/{}", run.id, run.notices + 1);
    let fact = Fact::NoticeIntended { key: key.clone(), channel_id: channel_id.clone() };
    ledger.append(vec![fact], Vec::new()).await?;
    Ok(Notice { key, channel_id, post_id: None, intended_ms: core.clock.now_ms() })
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
    let told = match core.chat.find_post(channel, &stamp, run.started_ms).await {
        Ok(None) => core.chat.create_post(channel, &stamp, &post).await.map(|_| ()),
        Ok(Some(_)) => Ok(()),
        Err(error) => Err(error),
    };
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
