//! Bringing people into a channel.

use super::{HostCalls, Trouble};
use crate::ledger::LedgerError;
use futures_util::stream::{self, StreamExt as _};
use warroom_engine::Fact;
use warroom_sandbox::{Refusal, User};

/// How many members are added at the same time.
const MEMBERS_AT_ONCE: usize = 8;

impl HostCalls {
    /// Adds people while the intent to do so is being written: they can be added again without harm. Not before the run's start is
    /// written, nor when the journal has lost something of this run: it may lose that again and again.
    pub(super) async fn add_while_intending(
        &self,
        channel_id: &str,
        users: &[User],
        intent: &Fact,
        intended: bool,
    ) -> Result<Vec<Refusal>, Trouble> {
        if intended || self.losses > 0 {
            self.intend(intent, intended, Vec::new()).await?;
            return self.add_members(channel_id, users).await;
        }
        if !self.ledger.beginning.written().await {
            return Err(LedgerError::Unstarted.into());
        }
        let mut open = self.open_to_act().await?;
        let writing = async {
            let written = open.append(vec![intent.clone()], Vec::new()).await;
            drop(open);
            written
        };
        let (written, added) = tokio::join!(writing, self.add_members(channel_id, users));
        written?;
        added
    }

    async fn add_members(&self, channel_id: &str, users: &[User]) -> Result<Vec<Refusal>, Trouble> {
        let add = |user: &User| {
            let user = user.clone();
            async move { (self.chat.add_member(channel_id, &user.id).await, user) }
        };
        let calls: Vec<_> = users.iter().map(add).collect();
        let results: Vec<_> = stream::iter(calls).buffered(MEMBERS_AT_ONCE).collect().await;
        let mut refusals = Vec::new();
        for (result, user) in results {
            match result.map_err(Trouble::from) {
                Ok(()) => {}
                Err(Trouble::Shown(reason)) => refusals.push(Refusal { user, reason }),
                Err(interruption) => return Err(interruption),
            }
        }
        Ok(refusals)
    }
}
