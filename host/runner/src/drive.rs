//! Drives one open run: asks the engine what is next, does it, until nothing is left to do.

use crate::announcements;
use crate::canvas::{self, PaintError};
use crate::chat::{ChatError, ChatErrorKind};
use crate::core::Core;
use crate::execution;
use crate::journal::JournalError;
use crate::last_looks;
use crate::ledger::{Ledger, LedgerError};
use crate::patience::Patience;
use crate::resting::Resting;
use crate::rooms;
use futures_util::FutureExt as _;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use tracing::Instrument as _;
use warroom_engine::{Channel, ControlPost, Fact, Failure, FailureKind, Next, next_besides};

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

impl Pace {
    /// The same, but no sleep beyond this time.
    fn before(self, end_ms: Option<u64>) -> Pace {
        match (self, end_ms) {
            (Pace::Idle, Some(end_ms)) => Pace::Until(end_ms),
            (Pace::Until(at_ms), Some(end_ms)) => Pace::Until(at_ms.min(end_ms)),
            (pace, _) => pace,
        }
    }
}

/// How long the task waits before it turns to a failing journal again.
const JOURNAL_PAUSE_MS: u64 = 2_000;

/// How often a run is driven on after a defect of this program stopped it.
const PANICS_MAX: u32 = 3;

/// The run is driven no longer, though it has not ended: defects of this program stopped it too often.
pub(crate) struct Abandoned;

impl Abandoned {
    /// Why, for people.
    pub(crate) const REASON: &str = "defects of this program stopped it again and again; the log has the details. Please report them, \
                                     then restart the service to try once more, or cancel the incident";
}

/// Drives the run until it ends. A defect of this program blocks the run, where people see it, and harms no other.
pub(crate) async fn drive(core: &Core, ledger: &Arc<Ledger>) -> Result<(), Abandoned> {
    for _ in 0..PANICS_MAX {
        // What a panic left half done is read anew from the journal.
        let driven = AssertUnwindSafe(drive_on(core, Arc::clone(ledger))).catch_unwind().await;
        if driven.is_ok() {
            return Ok(());
        }
        tracing::error!(run = %ledger.id, "a defect of this program stopped the run; please report it with the log");
        ledger.distrust().await;
        let message =
            "a defect of this program stopped it here; the log has the details. Retry, skip or cancel";
        block(core, ledger, Failure { kind: FailureKind::Failed, message: message.to_owned() }).await;
    }
    tracing::error!(run = %ledger.id, "the run is left alone until the next start");
    Err(Abandoned)
}

/// Drives the run until it ends. Survives a failing journal by asking it again, for as long as it takes.
async fn drive_on(core: &Core, ledger: Arc<Ledger>) {
    let (mut patience, mut resting) = (Patience::default(), Resting::default());
    // The task that failed may have ended; so a new one says that the journal works as soon as it knows.
    let (mut failed, mut seq) = (true, ledger.run().seq);
    let mut losses = core.recent_losses.count();
    loop {
        // What woke it is seen by this turn; and its own writes, which wake it too, must not cut a wait short.
        let _ = ledger.woken.notified().now_or_never();
        let pace = turn(core, &ledger, &mut patience, &mut resting).await;
        let mut pace = pace.map(|pace| pace.before(resting.next_ms()));
        if matches!(pace, Ok(Pace::Idle | Pace::Until(_)))
            && let Err(error) = look_again(core, &ledger, &mut losses).await
        {
            pace = Err(error);
        }
        // What is only applied ahead of the journal shows nothing. What rests was read anew after a failure, and is written.
        let rests = matches!(pace, Ok(Pace::Idle | Pace::Until(_) | Pace::Over));
        if ledger.run().seq > seq || failed && rests {
            core.journal_failing.store(false, Ordering::Relaxed);
            (failed, seq) = (false, ledger.run().seq);
        }
        match pace {
            Ok(Pace::Again) => {}
            Ok(Pace::Over) => return,
            Ok(Pace::Idle) => ledger.woken.notified().await,
            Ok(Pace::Until(at_ms)) => tokio::select! {
                () = core.clock.sleep_until(at_ms) => {}
                () = ledger.woken.notified() => {}
            },
            Err(LedgerError::Journal(JournalError::Refused(reason))) => refused(core, &ledger, reason).await,
            Err(error) => {
                failed = true;
                pause(core, &ledger, &error).await;
            }
        }
    }
}

/// Looks at channels that were lost while the run was under way. Whatever wakes the run goes first.
async fn look_again(core: &Core, ledger: &Ledger, seen: &mut u64) -> Result<(), LedgerError> {
    let count = core.recent_losses.count();
    if count > *seen {
        tokio::select! {
            is_known = rooms::look_again(core, ledger, *seen) => if is_known? {
                *seen = count;
            },
            () = ledger.woken.notified() => ledger.woken.notify_one(),
        }
    }
    Ok(())
}

async fn pause(core: &Core, ledger: &Ledger, error: &LedgerError) {
    if matches!(error, LedgerError::Unstarted) {
        // Whoever was to start it says what failed, and ends this task.
        std::future::pending::<()>().await;
    }
    core.journal_failing.store(true, Ordering::Relaxed);
    tracing::error!(run = %ledger.id, "the run waits, since the journal fails: {error}");
    core.clock.sleep_until(core.clock.now_ms() + JOURNAL_PAUSE_MS).await;
}

/// What the journal will never take blocks the run, where people see it.
async fn refused(core: &Core, ledger: &Ledger, reason: String) {
    let message = format!(
        "what happened could not be written down: {reason}. Make it smaller in the workflow, or cancel"
    );
    block(core, ledger, Failure { kind: FailureKind::Limit, message }).await;
}

async fn block(core: &Core, ledger: &Ledger, failure: Failure) {
    let blocked = async {
        let mut open = ledger.open().await?;
        // What has ended stays so: what is left to do is tried again, after a while.
        if open.run().has_ended() {
            drop(open);
            core.clock.sleep_until(core.clock.now_ms() + JOURNAL_PAUSE_MS).await;
            return Ok(());
        }
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

async fn turn(
    core: &Core,
    ledger: &Arc<Ledger>,
    patience: &mut Patience,
    resting: &mut Resting,
) -> Result<Pace, LedgerError> {
    let answered = ledger.answered().await;
    // Deciding and journalling happen under one lock, so that a click cannot come between.
    let mut open = ledger.open_ahead().await?;
    drop(answered);
    let next = next_besides(&ledger.workflow(), open.run(), &resting.now(core));
    if last_looks::may_end(&next, open.run()) {
        last_looks::note(core, ledger, open.run()).await?;
    }
    if !matches!(next, Next::Record(_) | Next::Act(_) | Next::Resume { not_before_ms: None }) {
        // From here on somebody outside sees it.
        open.flush().await?;
    }
    match next {
        Next::Record(facts) => open.append_soon(facts).await.map(|()| Pace::Again),
        Next::Act(act) => {
            let name = act.key.name.clone();
            let fact = execution::begin(core, &ledger.workflow(), open.run(), *act);
            let begun = matches!(fact, Fact::ActionStarted { .. });
            open.append_soon(vec![fact]).await?;
            drop(open);
            if begun {
                if let Some(following) = ledger.workflow().action_after(&name)
                    && !following.people().is_empty()
                {
                    core.chat.expect_users(following.people());
                }
                execute(core, ledger, &name).await?;
            }
            Ok(Pace::Again)
        }
        Next::Resume { not_before_ms } => {
            let name =
                open.run().current.as_ref().map(|current| current.key.name.clone()).unwrap_or_default();
            drop(open);
            // Who pressed a control of a post tells that it was written: its writer need not wait any longer.
            match not_before_ms.filter(|at_ms| !ledger.has_hints() && execution::waits(core, ledger, *at_ms))
            {
                Some(at_ms) => Ok(Pace::Until(at_ms)),
                None => execute(core, ledger, &name).await.map(|()| Pace::Again),
            }
        }
        Next::TakeNumber => open.renumber().await.map(|()| Pace::Again),
        Next::RemoveControls(post) => {
            drop(open);
            remove_controls(core, ledger, patience, &post).await
        }
        Next::Announce(n) => {
            drop(open);
            if announcements::post(core, ledger, resting.trying(core, n), n).await?.is_none() {
                resting.forget(n);
            }
            Ok(Pace::Again)
        }
        Next::Pin(post) => {
            drop(open);
            pin(core, ledger, patience, (&post, true)).await
        }
        Next::Unpin(post) => {
            drop(open);
            pin(core, ledger, patience, (&post, false)).await
        }
        Next::Settle { is_last_chance } => {
            drop(open);
            settle(core, ledger, patience, is_last_chance).await
        }
        Next::CloseRoom(room) => {
            drop(open);
            close_room(core, ledger, patience, &room).await
        }
        Next::Wait | Next::Blocked => Ok(Pace::Idle),
        Next::Done => Ok(Pace::Over),
    }
}

/// Runs the current execution, with the action's name in every line of the log.
async fn execute(core: &Core, ledger: &Arc<Ledger>, action: &str) -> Result<(), LedgerError> {
    let span = tracing::error_span!("action", %action);
    execution::execute(core, ledger).instrument(span).await
}

/// Rewriting a post can be repeated without harm, so it needs no intent. It is tried as long as an action is; then the run goes
/// on, since clicks are checked anyway.
async fn remove_controls(
    core: &Core,
    ledger: &Ledger,
    patience: &mut Patience,
    post: &ControlPost,
) -> Result<Pace, LedgerError> {
    match canvas::paint_now(core, ledger, &post.key).await {
        Ok(()) => {}
        Err(PaintError::Ledger(error)) => return Err(error),
        Err(PaintError::Chat(error)) => {
            if let Some(pace) = again(core, patience, &format!("{} without controls", post.key), &error).await
            {
                tracing::warn!(run = %ledger.id, post = %post.post_id, "controls cannot be taken away yet: {error}");
                return Ok(pace);
            }
            tracing::warn!(run = %ledger.id, post = %post.post_id, "controls stay: {error}");
        }
    }
    let removed = Fact::ControlsRemoved { post: post.key.clone() };
    ledger.append(vec![removed], Vec::new()).await.map(|()| Pace::Again)
}

/// When what can be repeated without harm is tried again; none: never.
async fn again(core: &Core, patience: &mut Patience, about: &str, error: &ChatError) -> Option<Pace> {
    let wait_ms = patience.wait_ms(core, about, error).await?;
    Some(Pace::Until(core.clock.now_ms().saturating_add(wait_ms)))
}

/// A pin is a help and no more: one that cannot be set or taken away is let be. While that may pass, it is tried again whenever the
/// run has nothing better to do.
async fn pin(
    core: &Core,
    ledger: &Ledger,
    patience: &mut Patience,
    (post, on): (&ControlPost, bool),
) -> Result<Pace, LedgerError> {
    if let Err(error) = core.chat.pin_post(&post.post_id, on).await {
        if let Some(pace) = again(core, patience, &format!("{} pinned {on}", post.key), &error).await {
            return Ok(pace);
        }
        tracing::info!(run = %ledger.id, post = %post.post_id, "the pin of a post stays as it is: {error}");
    }
    let post = post.key.clone();
    let fact = if on { Fact::Pinned { post } } else { Fact::Unpinned { post } };
    ledger.append(vec![fact], Vec::new()).await.map(|()| Pace::Again)
}

/// Finds out what an action did last that was cancelled or gone on without. A run that rests looks for it now and then, and does not
/// wait; one that comes to its end lets be what cannot be found out for as long as an action is tried.
async fn settle(
    core: &Core,
    ledger: &Arc<Ledger>,
    patience: &mut Patience,
    is_last_chance: bool,
) -> Result<Pace, LedgerError> {
    let Some(left) = ledger.run().execution_to_settle().cloned() else { return Ok(Pace::Again) };
    let asked = execution::settle(core, ledger, &left);
    let unsettled = if is_last_chance {
        asked.await?
    } else {
        tokio::select! {
            unsettled = asked => unsettled?,
            () = ledger.woken.notified() => return Ok(Pace::Again),
        }
    };
    let Some(unsettled) = unsettled else { return Ok(Pace::Again) };
    let about = format!("{} left, at the end: {is_last_chance}", left.key.execution(&ledger.id));
    let wait_ms = match patience.wait_ms(core, &about, &unsettled.error).await {
        None if !is_last_chance => Some(core.options.retry_period_ms),
        wait_ms => wait_ms,
    };
    if let Some(wait_ms) = wait_ms {
        return Ok(Pace::Until(core.clock.now_ms().saturating_add(wait_ms)));
    }
    tracing::warn!(
        run = %ledger.id, action = %left.key.name, "what an action did last is not found out: {}", unsettled.error
    );
    ledger.append(execution::given_up(&left, &unsettled), Vec::new()).await.map(|()| Pace::Again)
}

/// Archives a room of a cancelled run; what is archived already is fine.
async fn close_room(
    core: &Core,
    ledger: &Ledger,
    patience: &mut Patience,
    room: &Channel,
) -> Result<Pace, LedgerError> {
    let channel_id = room.id.clone();
    ledger.answers_settled().await;
    let fact = match close(core, room).await {
        Ok(()) => Fact::ChannelArchived { channel_id },
        Err(error) => {
            if let Some(pace) = again(core, patience, &format!("{channel_id} closed"), &error).await {
                tracing::warn!(run = %ledger.id, channel = %room.name, "a cancelled run's room is open still: {error}");
                return Ok(pace);
            }
            tracing::warn!(run = %ledger.id, channel = %room.name, "a cancelled run's room stays: {error}");
            Fact::ChannelKept { channel_id, reason: error.message }
        }
    };
    ledger.append(vec![fact], Vec::new()).await.map(|()| Pace::Again)
}

/// Who was removed from a room may not archive it; a public one lets the bot in again.
async fn close(core: &Core, room: &Channel) -> Result<(), ChatError> {
    match core.chat.archive_channel(&room.id).await {
        Err(denied) if denied.kind == ChatErrorKind::Denied => {
            let let_in = core.chat.add_member(&room.id, &core.chat.bot().id).await;
            let_in.map_err(|error| if error.is_temporary() { error } else { denied })?;
            core.chat.archive_channel(&room.id).await
        }
        result => result,
    }
}
