//! Posts what the host itself has to say about a run, where people are: in the room once somebody is in it, else where it was
//! triggered, else where the operators want to be told.

use crate::chat::{ChatError, RenderedPost, find_or_create_post};
use crate::clock::earliest;
use crate::core::Core;
use crate::ledger::{Ledger, LedgerError, read};
use crate::mentions;
use crate::patience::Patience;
use crate::rendering;
use warroom_engine::{Announcement, Fact, Matter, Run};

/// Posts the announcement, once; after an interruption it is searched for first. Gives how long to wait before the next try, in
/// milliseconds, when the server cannot take it now.
pub(crate) async fn post(
    core: &Core,
    ledger: &Ledger,
    patience: &mut Patience,
    n: u32,
) -> Result<Option<u64>, LedgerError> {
    let run = ledger.run();
    let Some(known) = run.announcements.get(n as usize) else { return Ok(None) };
    let Some(place) = &known.place else {
        intend(core, ledger, &run, (n, known), "there is no channel to post it in").await?;
        return Ok(None);
    };
    let key = run.announcement_key(n);
    let Some(look) = rendering::look(core, ledger, &run, &key) else { return Ok(None) };
    let stamp = core.key.stamp(&key);
    let since_ms = earliest(place.intended_ms);
    match find_or_create_post(core.chat.as_ref(), &place.channel_id, &stamp, since_ms, &look).await {
        Ok(post_id) => {
            // One that was found says what it said then.
            ledger.canvas.answered(&key, 0);
            ledger.append(vec![Fact::AnnouncementPosted { n, post_id }], Vec::new()).await?;
            Ok(None)
        }
        Err(error) => {
            let wait_ms = patience.wait_ms(core, &format!("{key} in {}", place.channel_id), &error).await;
            if wait_ms.is_some() {
                tracing::warn!(run = %run.id, "a notice cannot be posted yet: {error}");
            } else {
                tracing::error!(run = %run.id, channel = %place.channel_id, "a notice cannot be posted: {error}");
                intend(core, ledger, &run, (n, known), &error.message).await?;
            }
            Ok(wait_ms)
        }
    }
}

/// Journals where the announcement is to stand next, after the place that was tried; the run's task asks again then, and finds it.
async fn intend(
    core: &Core,
    ledger: &Ledger,
    run: &Run,
    (n, known): (u32, &Announcement),
    reason: &str,
) -> Result<(), LedgerError> {
    let places = places(core, run, &known.matter).await;
    // A room that was lost meanwhile is none of the places any more: then the best of the others comes next.
    let tried = known.place.as_ref().map(|tried| &tried.channel_id);
    let at = places.iter().position(|place| Some(place) == tried).map_or(0, |at| at + 1);
    let fact = match places.get(at).cloned() {
        Some(channel_id) => Fact::AnnouncementIntended { n, channel_id },
        None => Fact::AnnouncementFailed { n, reason: reason.to_owned() },
    };
    ledger.append(vec![fact], Vec::new()).await
}

/// Where an announcement can stand, the best place first.
async fn places(core: &Core, run: &Run, matter: &Matter) -> Vec<String> {
    let room = run.peopled_room().map(|room| room.id.clone());
    let trigger = Some(run.trigger.channel.id.clone());
    let places = match matter {
        Matter::Blocked { .. } | Matter::Warning { .. } => {
            vec![room, trigger, operators(core).await]
        }
        Matter::Repeats => vec![room, trigger],
        Matter::Lost { .. } | Matter::Cancelled => vec![trigger, operators(core).await],
        Matter::Pressed { channel_id, .. } => vec![Some(channel_id.clone())],
    };
    let mut distinct: Vec<String> = Vec::new();
    for place in places.into_iter().flatten() {
        if !distinct.contains(&place) {
            distinct.push(place);
        }
    }
    distinct
}

/// Lets what stops the run be told again, when it could be told nowhere before: who may write where changes.
pub(crate) async fn renew(ledger: &Ledger) -> Result<(), LedgerError> {
    let is_untold = |known: &Announcement| known.failed && known.is_open_block();
    if !ledger.run().announcements.iter().any(is_untold) {
        return Ok(());
    }
    ledger.append(vec![Fact::AnnouncementsRenewed], Vec::new()).await
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
    let since_ms = earliest(run.started_ms);
    let operators = operators(core).await;
    for channel in std::iter::once(&run.trigger.channel.id).chain(&operators) {
        match find_or_create_post(core.chat.as_ref(), channel, &stamp, since_ms, &post).await {
            Ok(_) => return,
            Err(error) => tracing::error!(run = %id, %channel, "cannot post that the run is stuck: {error}"),
        }
    }
}

/// Where operators want to be told, as far as it is known now.
pub(crate) async fn operators(core: &Core) -> Option<String> {
    core.chat.operators_channel().await.unwrap_or_else(|error| {
        tracing::error!("[operators] notify: the channel cannot be looked up: {error}");
        None
    })
}

/// How far back operators were told of the same, in milliseconds.
const TOLD_BEFORE_MS: u64 = 24 * 3_600 * 1_000;

/// See [`crate::Runner::tell_operators`].
pub(crate) async fn tell_operators(core: &Core, about: &str, text: &str) {
    let mut patience = Patience::default();
    while let Err(error) = try_to_tell_operators(core, about, text).await {
        let Some(wait_ms) = patience.wait_ms(core, about, &error).await else {
            tracing::error!("operators cannot be told: {error}");
            return;
        };
        tracing::warn!(wait_ms, "operators cannot be told yet: {error}");
        core.clock.sleep_until(core.clock.now_ms().saturating_add(wait_ms)).await;
    }
}

async fn try_to_tell_operators(core: &Core, about: &str, text: &str) -> Result<(), ChatError> {
    let Some(channel) = core.chat.operators_channel().await? else { return Ok(()) };
    let stamp = core.key.stamp(&format!("operators/{about}"));
    let post = RenderedPost { message: format!(":warning: {}", mentions::quiet(text)), sections: Vec::new() };
    let since_ms = core.clock.now_ms().saturating_sub(TOLD_BEFORE_MS);
    find_or_create_post(core.chat.as_ref(), &channel, &stamp, since_ms, &post).await.map(|_| ())
}
