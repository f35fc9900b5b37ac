//! Open runs that cannot be taken up: what they began with is not there, or cannot be read.
//!
//! They are not driven, so nobody can retry or skip anything. But people see them, and can end them: that needs nothing of what
//! they began with.

use crate::chat::{ControlKind, RenderedControl, RenderedPost, Section};
use crate::controls::{Address, Control, Key, Press, Reply, Unverified};
use crate::decisions::CommandError;
use crate::journal::encode;
use crate::ledger::{LedgerError, read};
use crate::mentions;
use crate::runner::Runner;
use serde_json::json;
use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError};
use warroom_engine::{Event, Fact, Person, Run, Status, effects::arguments_digest};
use warroom_workflow::{Catalog, Workflow, check};

pub(crate) mod telling;

impl Runner {
    /// The open runs that could not be taken up, by id, with the reasons.
    #[must_use]
    pub fn stuck(&self) -> BTreeMap<String, String> {
        self.core.stuck.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Ends a run that could not be taken up: as any that is cancelled, its controls go, people are told, and its room is archived
    /// unless it is to be kept.
    ///
    /// # Errors
    /// [`CommandError`], when the run's journal cannot be read or written, or it is over.
    pub async fn cancel_stuck(
        &self,
        id: &str,
        reason: Option<String>,
        keep_room: bool,
        by: Person,
    ) -> Result<(), CommandError> {
        let core = &self.core;
        let mut run = match read(core.journal.as_ref(), id).await {
            Err(error) if error.is_unreadable() => return self.close_unreadable(id, &by, &error).await,
            run => run?,
        };
        if !run.has_ended() {
            let fact = Fact::RunCancelled { by, reason, keep_room };
            let event = Event { at_ms: core.clock.now_ms(), fact };
            let (expected, record) = (run.seq, encode(&event)?);
            run.apply(&event);
            let is_over = run.has_settled();
            core.journal.append(id, expected, vec![record], is_over, Vec::new()).await?;
        }
        self.reopen(id).await.map_err(CommandError::NotOpen)
    }

    /// Ends a run whose journal makes no sense: what it did is not known, so its room and its posts stay as they are.
    async fn close_unreadable(&self, id: &str, by: &Person, error: &LedgerError) -> Result<(), CommandError> {
        let core = &self.core;
        let records = core.journal.records(id).await?.len() as u64;
        core.journal.append(id, records, Vec::new(), true, Vec::new()).await?;
        tracing::warn!(run = %id, by = %by.username, "a run that cannot be read is closed, and its room stays: {error}");
        core.note_stuck(id, None);
        Ok(())
    }

    /// A press on the notice of a run that could not be taken up; none when it was not made there.
    pub(crate) async fn press_stuck(
        &self,
        run: &Run,
        address: &Address,
        press: &Press,
    ) -> Option<Result<Reply, Unverified>> {
        let reason = self.stuck().remove(&run.id)?;
        if notice_key(&run.id, &reason) != address.post || address.control != Control::Cancel {
            return None;
        }
        if !self.has_stamp(address, press).await.unwrap_or(false) {
            return Some(Err(Unverified));
        }
        let by = match self.authorised(run, address, press).await {
            Ok(by) => by.person,
            Err(why) => return Some(Ok(Reply::Whisper(why))),
        };
        let post = cancelled_look(run, &reason, &by);
        Some(Ok(match self.cancel_stuck(&run.id, None, false, by).await {
            Ok(()) => Reply::Update { post, stamp: self.core.key.stamp(&address.post) },
            Err(error) => Reply::Whisper(error.to_string()),
        }))
    }
}

/// The key of the notice of a run that cannot be taken up: another reason is told anew. It goes through the server with the button, so
/// it is short however long the reason is.
pub(crate) fn notice_key(id: &str, reason: &str) -> String {
    format!("{id}/stuck/{}", arguments_digest(&json!(reason)))
}

/// That notice, with a button that ends the run.
pub(crate) fn notice(key: &Key, run: &Run, reason: &str) -> RenderedPost {
    let (name, quoted) = (name(run), mentions::quiet(reason));
    let message =
        format!(":warning: Incident **{name}** cannot go on until an operator mends this:\n\n> {quoted}");
    let id = Control::Cancel.id();
    let controls = vec![RenderedControl {
        context: key.context(&run.id, &notice_key(&run.id, reason), &id),
        id,
        label: "Cancel".to_owned(),
        kind: ControlKind::Button,
    }];
    let text = "**Cancel**: end the incident here and archive its room.".to_owned();
    RenderedPost { message, sections: vec![Section { title: "What now?".to_owned(), text, controls }] }
}

/// How that notice is to look when the run is stuck no more.
pub(crate) fn last_look(run: &Run, reason: &str) -> RenderedPost {
    if let Status::Cancelled(cancelled) = &run.status {
        return cancelled_look(run, reason, &cancelled.by);
    }
    let (name, quoted) = (name(run), mentions::quiet(reason));
    let message =
        format!(":white_check_mark: Incident **{name}** goes on again. It could not go on:\n\n> {quoted}");
    RenderedPost { message, sections: Vec::new() }
}

fn cancelled_look(run: &Run, reason: &str, by: &Person) -> RenderedPost {
    let (name, quoted, by) = (name(run), mentions::quiet(reason), by.mention());
    let message =
        format!(":white_check_mark: Cancelled by {by}. Incident **{name}** could not go on:\n\n> {quoted}");
    RenderedPost { message, sections: Vec::new() }
}

fn name(run: &Run) -> String {
    format!("{} {}", run.workflow, run.number)
}

/// A workflow in place of one that cannot be read: a run that has ended does nothing that its workflow says, and what is left to do
/// follows from its journal.
pub(crate) fn stand_in(run: &Run) -> Result<Arc<Workflow>, String> {
    let text = json!([{
        "name": run.workflow,
        "triggers": [{ "name": "None", "type": "text", "match": "none" }],
        "steps": [{ "name": "Over", "start_actions": [{ "name": "End", "type": "finished_workflow" }] }],
    }]);
    let catalog = Catalog::new([]).map_err(|error| error.to_string())?;
    let found = check(&text.to_string(), &catalog).workflows.into_iter().next();
    found.map(Arc::new).ok_or_else(|| format!("`{}` is no name of a workflow", run.workflow))
}
