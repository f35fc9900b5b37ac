//! Notices when a channel that an open run made, or where people press its buttons, was archived by somebody, or is closed to the bot,
//! and when it is back.

use crate::announcements;
use crate::chat::{Chat, ChatError};
use crate::core::Core;
use crate::held;
use crate::ledger::{Ledger, LedgerError};
use crate::runner::{Runner, RunnerError};
use std::collections::{BTreeMap, VecDeque};
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, PoisonError};
use warroom_engine::{Channel, Fact, Loss, Run, effects::arguments_digest};
use warroom_sandbox::Call;

impl Runner {
    /// Takes in that something happened to a channel; none: it can be used again. What concerns no open run changes nothing.
    ///
    /// # Errors
    /// When the journal fails.
    pub async fn channel_changed(&self, channel_id: &str, loss: Option<Loss>) -> Result<(), RunnerError> {
        if loss.is_some() {
            self.core.recent_losses.add(channel_id);
        }
        for ledger in self.ledgers(|ledger| ledger.made(channel_id) || stands_in(&ledger.run(), channel_id)) {
            note(&self.core, &ledger, channel_id, loss).await?;
        }
        Ok(())
    }

    /// The chat server is seen to answer: what waits for it need not wait any longer.
    pub fn chat_answers(&self) {
        self.core.answers.fetch_add(1, Ordering::Relaxed);
        self.core.answering.notify_waiters();
        for ledger in self.ledgers(|_| true) {
            ledger.woken.notify_one();
            ledger.written.send_modify(|_| {});
        }
    }

    /// Looks at every channel that an open run needs, and lets what could be told nowhere be told again.
    ///
    /// # Errors
    /// When the journal fails. A chat server that is away is looked at the next time.
    pub async fn check_channels(&self) -> Result<(), RunnerError> {
        held::renew(&self.core);
        let mut needing: BTreeMap<String, Vec<Arc<Ledger>>> = BTreeMap::new();
        let mut channels = Vec::new();
        for ledger in &self.ledgers(|_| true) {
            announcements::renew(ledger).await?;
            ledger.canvas.forget_fixed();
            let run = ledger.run();
            for channel in needed(&run).filter(|known| is_of_use(&run, &known.id)) {
                let of_channel = needing.entry(channel.id.clone()).or_default();
                if of_channel.is_empty() {
                    channels.push(channel);
                }
                of_channel.push(Arc::clone(ledger));
            }
        }
        let losses = self.core.chat.losses(&channels).await;
        if channels.is_empty() || losses.iter().any(Result::is_ok) {
            self.chat_answers();
        }
        for (channel, loss) in channels.iter().zip(losses) {
            let loss = match loss {
                Ok(loss) => loss,
                // It is looked at the next time.
                Err(error) => {
                    unseen(channel, &error);
                    continue;
                }
            };
            for ledger in needing.get(&channel.id).into_iter().flatten() {
                // Most channels are there, as they were before.
                if loss.is_some() || ledger.run().lost.contains_key(&channel.id) {
                    note(&self.core, ledger, &channel.id, loss).await?;
                }
            }
        }
        Ok(())
    }

    pub(crate) fn ledgers(&self, is_wanted: impl Fn(&Ledger) -> bool) -> Vec<Arc<Ledger>> {
        let open = self.core.open();
        open.values().map(|run| &run.ledger).filter(|ledger| is_wanted(ledger)).map(Arc::clone).collect()
    }
}

/// The channels that were lost last. The server has a post, and a channel, a moment before the journal has it; one that is lost in that
/// moment is none that an open run is known to need. So a run that comes to rest looks at those of its channels that were lost since it
/// rested last.
#[derive(Default)]
pub(crate) struct RecentLosses(Mutex<Recent>);

#[derive(Default)]
struct Recent {
    /// How many there were, ever.
    count: u64,
    /// The newest of them, oldest first.
    channels: VecDeque<String>,
}

/// How many of the last losses are kept. What is beyond is found at the next look at all channels.
const RECENT_MAX: usize = 64;

impl RecentLosses {
    fn add(&self, channel_id: &str) {
        let mut recent = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        recent.count += 1;
        if recent.channels.len() == RECENT_MAX {
            recent.channels.pop_front();
        }
        recent.channels.push_back(channel_id.to_owned());
    }

    /// How many there were, ever.
    pub(crate) fn count(&self) -> u64 {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).count
    }

    /// The channels that were lost after so many losses, as far as they are kept.
    fn since(&self, seen: u64) -> Vec<String> {
        let recent = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let new = usize::try_from(recent.count.saturating_sub(seen)).unwrap_or(RECENT_MAX);
        recent.channels.iter().rev().take(new).cloned().collect()
    }
}

/// Looks at the channels of a run that comes to rest which were lost after so many losses. False: they are to be looked at once more.
pub(crate) async fn look_again(core: &Core, ledger: &Ledger, seen: u64) -> Result<bool, LedgerError> {
    let lost = core.recent_losses.since(seen);
    let run = ledger.run();
    // A call that is tried again may turn out to have been made before.
    let mut is_known = run.current.iter().chain(&run.left).all(|execution| execution.open_call().is_none());
    let is_wanted = |channel: &Channel| {
        lost.contains(&channel.id) && !run.lost.contains_key(&channel.id) && is_of_use(&run, &channel.id)
    };
    let wanted: BTreeMap<String, Channel> =
        needed(&run).filter(is_wanted).map(|channel| (channel.id.clone(), channel)).collect();
    if wanted.is_empty() {
        return Ok(is_known);
    }
    let channels: Vec<Channel> = wanted.into_values().collect();
    for (channel, loss) in channels.iter().zip(core.chat.losses(&channels).await) {
        match loss {
            Ok(loss) => note(core, ledger, &channel.id, loss).await?,
            Err(error) => {
                unseen(channel, &error);
                is_known = false;
            }
        }
    }
    Ok(is_known)
}

fn unseen(channel: &Channel, error: &ChatError) {
    tracing::warn!(channel = %channel.id, "a channel of an open incident cannot be looked at now: {error}");
}

async fn note(core: &Core, ledger: &Ledger, channel_id: &str, loss: Option<Loss>) -> Result<(), LedgerError> {
    let foreign = match loss {
        Some(_) if !ledger.made(channel_id) => {
            Some(named(core.chat.as_ref(), &ledger.run(), channel_id).await)
        }
        _ => None,
    };
    let mut open = ledger.open().await?;
    let run = open.run();
    let known = run.lost.get(channel_id).map(|(how, _)| *how);
    let fact = match (known, loss) {
        (None, Some(how)) if is_of_use(run, channel_id) && !is_being_archived(run, channel_id) => {
            let workflow = &run.workflow;
            tracing::warn!(%workflow, run = %run.id, channel = %channel_id, ?how, "a channel of an open run is lost");
            Fact::ChannelLost { channel_id: channel_id.to_owned(), how, channel: foreign }
        }
        (Some(_), None) => {
            ledger.canvas.forget_fixed();
            Fact::ChannelBack { channel_id: channel_id.to_owned() }
        }
        _ => return Ok(()),
    };
    open.append(vec![fact], Vec::new()).await
}

/// A channel that the run did not make, by the name that people know, as far as it can be found out.
async fn named(chat: &dyn Chat, run: &Run, channel_id: &str) -> Channel {
    if run.trigger.channel.id == channel_id {
        return run.trigger.channel.clone();
    }
    match chat.channel_by_id(channel_id).await {
        Ok(Some(channel)) => channel,
        _ => nameless(run, channel_id),
    }
}

fn nameless(run: &Run, channel_id: &str) -> Channel {
    Channel {
        id: channel_id.to_owned(),
        name: String::new(),
        display_name: String::new(),
        team_id: run.trigger.channel.team_id.clone(),
    }
}

/// The channels that the run made, where people can press, and that were lost.
fn needed(run: &Run) -> impl Iterator<Item = Channel> {
    let live = run.posts.iter().filter(|post| run.is_live(post)).map(|post| &post.channel_id);
    let foreign = live.chain(run.lost.keys()).filter(|id| !run.channels.iter().any(|made| made.id == **id));
    run.channels.iter().cloned().chain(foreign.map(|id| nameless(run, id)))
}

/// Whether people can press in the channel, or it was lost when they could.
fn stands_in(run: &Run, channel_id: &str) -> bool {
    run.lost.contains_key(channel_id)
        || run.posts.iter().any(|post| post.channel_id == channel_id && run.is_live(post))
}

/// Whether the run still needs the channel.
fn is_of_use(run: &Run, channel_id: &str) -> bool {
    let is_made = || run.channels.iter().any(|channel| channel.id == channel_id);
    !run.has_ended() && !run.archived.contains(channel_id) && (is_made() || stands_in(run, channel_id))
}

/// Whether the run itself is archiving the channel just now: the server tells of it before it answers.
fn is_being_archived(run: &Run, channel_id: &str) -> bool {
    let archiving = Call::ArchiveChannel { channel_id: channel_id.to_owned() };
    let Ok(arguments) = serde_json::to_value(&archiving) else { return false };
    let digest = arguments_digest(&arguments);
    let mut calls = run.current.iter().flat_map(|current| current.calls.values());
    calls.any(|call| {
        call.function == archiving.function() && call.arguments == digest && call.answer.is_none()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_losses_are_kept_and_no_more() {
        let recent = RecentLosses::default();
        assert_eq!((recent.count(), recent.since(0).len()), (0, 0));
        for n in 0..RECENT_MAX + 2 {
            recent.add(&n.to_string());
        }
        let count = recent.count();
        assert_eq!(recent.since(count - 2), ["65", "64"]);
        assert_eq!(recent.since(count), [""; 0]);
        let kept = recent.since(0);
        assert_eq!((kept.len(), kept.last().map(String::as_str)), (RECENT_MAX, Some("2")));
    }
}
