//! Notices when a channel that an open run made was archived by somebody, or is closed to the bot, and when it is back.

use crate::announcements;
use crate::chat::ChatError;
use crate::ledger::{Ledger, LedgerError};
use crate::runner::{Runner, RunnerError};
use std::sync::Arc;
use warroom_engine::{Channel, Fact, Loss, Run};

impl Runner {
    /// Takes in that something happened to a channel; none: it can be used again. What concerns no open run changes nothing.
    ///
    /// # Errors
    /// When the journal fails.
    pub async fn channel_changed(&self, channel_id: &str, loss: Option<Loss>) -> Result<(), RunnerError> {
        for ledger in self.made_by(|ledger| ledger.made(channel_id)) {
            note(&ledger, channel_id, loss).await?;
        }
        Ok(())
    }

    /// Looks at every channel that an open run made, and lets blocks that could be told nowhere be told again.
    ///
    /// # Errors
    /// When the journal fails. A chat server that is away is looked at the next time.
    pub async fn check_channels(&self) -> Result<(), RunnerError> {
        let ledgers = self.made_by(|_| true);
        let mut channels: Vec<Channel> = Vec::new();
        for ledger in &ledgers {
            announcements::renew(ledger).await?;
            let run = ledger.run();
            channels.extend(run.channels.iter().filter(|known| is_of_use(&run, &known.id)).cloned());
        }
        let losses = match self.core.chat.losses(&channels).await {
            Ok(losses) => losses,
            Err(error) => {
                unseen(&error);
                return Ok(());
            }
        };
        for (channel, loss) in channels.iter().zip(losses) {
            self.channel_changed(&channel.id, loss).await?;
        }
        Ok(())
    }

    fn made_by(&self, is_wanted: impl Fn(&Ledger) -> bool) -> Vec<Arc<Ledger>> {
        let open = self.core.open();
        open.values().map(|run| &run.ledger).filter(|ledger| is_wanted(ledger)).map(Arc::clone).collect()
    }
}

fn unseen(error: &ChatError) {
    tracing::warn!("the rooms of open incidents cannot be looked at now: {error}");
}

async fn note(ledger: &Ledger, channel_id: &str, loss: Option<Loss>) -> Result<(), LedgerError> {
    let mut open = ledger.open().await?;
    let run = open.run();
    let known = run.lost.get(channel_id).map(|(how, _)| *how);
    let fact = match (known, loss) {
        (None, Some(how)) if is_of_use(run, channel_id) && !is_being_archived(run) => {
            let workflow = &run.workflow;
            tracing::warn!(%workflow, run = %run.id, channel = %channel_id, ?how, "a channel of an open run is lost");
            Fact::ChannelLost { channel_id: channel_id.to_owned(), how }
        }
        (Some(_), None) => Fact::ChannelBack { channel_id: channel_id.to_owned() },
        _ => return Ok(()),
    };
    open.append(vec![fact], Vec::new()).await
}

/// Whether the run still needs the channel.
fn is_of_use(run: &Run, channel_id: &str) -> bool {
    !run.has_ended() && !run.archived.contains(channel_id)
}

/// Whether the run itself is archiving something just now: the server tells of it before it answers.
fn is_being_archived(run: &Run) -> bool {
    let mut calls = run.current.iter().flat_map(|current| current.calls.values());
    calls.any(|call| call.function == "archiving.archive" && call.answer.is_none())
}
