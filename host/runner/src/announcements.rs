//! Posts what the host itself has to say about a run, where people are: in the room once somebody is in it, else where it was
//! triggered, else where the operators want to be told.

use crate::chat::{ChatError, RenderedPost, find_or_tell};
use crate::clock::earliest;
use crate::core::Core;
use crate::ledger::{Ledger, LedgerError};
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
        return intend(core, ledger, patience, (n, known), "there is no channel to post it in").await;
    };
    let key = run.announcement_key(n);
    let Some(look) = rendering::look(core, ledger, &run, &key) else { return Ok(None) };
    let stamp = core.key.stamp(&key);
    let since_ms = earliest(place.intended_ms);
    let error = match find_or_tell(core.chat.as_ref(), &place.channel_id, &stamp, since_ms, &look).await {
        Ok(post_id) => {
            // One that was found says what it said then.
            ledger.canvas.answered(&key, 0);
            ledger.append(vec![Fact::AnnouncementPosted { n, post_id }], Vec::new()).await?;
            return Ok(None);
        }
        Err(error) => error,
    };
    if error.is_temporary() {
        let wait_ms = patience.wait_ms(core, &format!("{key} in {}", place.channel_id), &error).await;
        if wait_ms.is_some() {
            tracing::warn!(run = %run.id, "a notice cannot be posted yet: {error}");
            return Ok(wait_ms);
        }
    }
    tracing::error!(run = %run.id, channel = %place.channel_id, "a notice cannot be posted: {error}");
    intend(core, ledger, patience, (n, known), &error.message).await
}

/// Journals where the announcement is to stand next, after the place that was tried; the run's task asks again then, and finds it.
/// Gives how long to wait before the next try, when the server does not say now where that is.
async fn intend(
    core: &Core,
    ledger: &Ledger,
    patience: &mut Patience,
    (n, known): (u32, &Announcement),
    reason: &str,
) -> Result<Option<u64>, LedgerError> {
    let run = ledger.run();
    let next = match next_place(core, &run, known).await {
        Ok(next) => next,
        Err(error) => {
            let about = format!("{} among operators", run.announcement_key(n));
            if let Some(wait_ms) = patience.wait_ms(core, &about, &error).await {
                tracing::warn!(run = %run.id, "where operators are told cannot be looked up yet: {error}");
                return Ok(Some(wait_ms));
            }
            None
        }
    };
    let fact = match next {
        Some(channel_id) => Fact::AnnouncementIntended { n, channel_id },
        None => Fact::AnnouncementFailed { n, reason: reason.to_owned() },
    };
    ledger.append(vec![fact], Vec::new()).await.map(|()| None)
}

/// The place after the one that was tried. Where operators are told is looked up only when nothing else is left.
async fn next_place(core: &Core, run: &Run, known: &Announcement) -> Result<Option<String>, ChatError> {
    let tried = known.place.as_ref().map(|tried| &tried.channel_id);
    let (mut places, also_operators) = places(run, &known.matter);
    let at = |places: &[String]| places.iter().position(|place| Some(place) == tried);
    let has_next = match tried {
        None => !places.is_empty(),
        Some(_) => at(&places).is_some_and(|at| at + 1 < places.len()),
    };
    if also_operators
        && !has_next
        && let Some(channel) = operators(core).await?.filter(|channel| !places.contains(channel))
    {
        places.push(channel);
    }
    // A room that was lost meanwhile is none of the places any more: then the best of the others comes next.
    Ok(places.get(at(&places).map_or(0, |at| at + 1)).cloned())
}

/// Where an announcement can stand, the best place first; and whether operators are told when it can stand nowhere there.
fn places(run: &Run, matter: &Matter) -> (Vec<String>, bool) {
    let room = run.peopled_room().map(|room| room.id.clone());
    let trigger = Some(run.trigger.channel.id.clone()).filter(|channel| run.can_post_to(channel));
    let (places, also_operators) = match matter {
        Matter::Blocked { .. } | Matter::Warning { .. } | Matter::Lost { .. } => ([room, trigger], true),
        Matter::Cancelled => ([trigger, None], true),
        Matter::StandIn { channel_id, .. } => {
            ([Some(channel_id.clone()).filter(|channel| run.can_post_to(channel)), room], true)
        }
        Matter::Repeats => ([room, trigger], false),
        Matter::Pressed { channel_id, .. } => ([Some(channel_id.clone()), None], false),
    };
    let mut distinct: Vec<String> = places.into_iter().flatten().collect();
    distinct.dedup();
    (distinct, also_operators)
}

/// Lets what could be told nowhere before be told again: who may write where changes.
pub(crate) async fn renew(ledger: &Ledger) -> Result<(), LedgerError> {
    if !ledger.run().announcements.iter().any(Announcement::can_be_renewed) {
        return Ok(());
    }
    ledger.append(vec![Fact::AnnouncementsRenewed], Vec::new()).await
}

/// Posts a notice in the channel, unless it stands there; where that takes none, where operators want to be told. Gives its post's id.
pub(crate) async fn place(
    core: &Core,
    channel_id: &str,
    stamp: &str,
    since_ms: u64,
    post: &RenderedPost,
) -> Result<String, ChatError> {
    let refused = match find_or_tell(core.chat.as_ref(), channel_id, stamp, since_ms, post).await {
        Err(error) if !error.is_temporary() => error,
        told => return told,
    };
    tracing::error!(channel = %channel_id, "a notice cannot be posted: {refused}");
    match operators(core).await?.filter(|operators| operators != channel_id) {
        Some(operators) => find_or_tell(core.chat.as_ref(), &operators, stamp, since_ms, post).await,
        None => Err(refused),
    }
}

/// Where operators want to be told.
async fn operators(core: &Core) -> Result<Option<String>, ChatError> {
    match core.chat.operators_channel().await {
        Err(error) if !error.is_temporary() => {
            tracing::error!("[operators] notify: {error}");
            Ok(None)
        }
        looked_up => looked_up,
    }
}

/// How far back operators were told of the same, and for how long what the server refuses is tried, in milliseconds.
const TOLD_WITHIN_MS: u64 = 24 * 3_600 * 1_000;

/// Tells a channel, or operators where that takes none; without a channel, operators. See [`crate::Runner::tell_operators`].
pub(crate) async fn tell(core: &Core, channel_id: Option<&str>, about: &str, message: &str) {
    let until_ms = core.clock.now_ms().saturating_add(TOLD_WITHIN_MS);
    let (mut patience, mut refusals, mut due_ms) = (Patience::default(), 0, 0);
    while let Err(error) = try_to_tell(core, channel_id, about, message).await {
        if waits(core, &mut patience, about, &error).await {
            continue;
        }
        if core.clock.now_ms() >= until_ms {
            tracing::error!(about, "people are not told any more: {error}");
            return;
        }
        // Somebody may make the channel, or let the bot write there. What wakes this earlier is no reason to wait longer.
        if core.clock.now_ms() >= due_ms {
            let wait_ms = core.options.wait_for_people_ms(refusals);
            tracing::error!(about, wait_ms, "people cannot be told until this is mended: {error}");
            (due_ms, refusals) = (core.clock.now_ms().saturating_add(wait_ms), refusals.saturating_add(1));
        }
        patience = Patience::default();
        core.rest(due_ms.saturating_sub(core.clock.now_ms()).min(core.options.retry_period_ms)).await;
    }
}

/// Waits for the next try; false when there is none.
pub(crate) async fn waits(core: &Core, patience: &mut Patience, about: &str, error: &ChatError) -> bool {
    let Some(wait_ms) = patience.wait_ms(core, about, error).await else { return false };
    tracing::warn!(about, wait_ms, "people cannot be told yet: {error}");
    core.rest(wait_ms).await;
    true
}

/// Tells it now. Where operators do not want to be told, they are not.
pub(crate) async fn try_to_tell(
    core: &Core,
    channel_id: Option<&str>,
    about: &str,
    message: &str,
) -> Result<(), ChatError> {
    let stamp = core.key.stamp(&format!("operators/{about}"));
    let post = RenderedPost { message: message.to_owned(), sections: Vec::new() };
    let since_ms = core.clock.now_ms().saturating_sub(TOLD_WITHIN_MS);
    let told = match channel_id {
        Some(channel_id) => place(core, channel_id, &stamp, since_ms, &post).await,
        None => {
            let Some(channel_id) = core.chat.operators_channel().await? else { return Ok(()) };
            find_or_tell(core.chat.as_ref(), &channel_id, &stamp, since_ms, &post).await
        }
    };
    told.map(|_| ())
}
