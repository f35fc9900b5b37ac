//! Open runs that cannot be taken up: what they began with is not there, or cannot be read.
//!
//! They are not driven, so nobody can retry or skip anything. But people see them, and can end them: that needs nothing of what
//! they began with.

use crate::decisions::CommandError;
use crate::journal::encode;
use crate::ledger::read;
use crate::runner::Runner;
use serde_json::json;
use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError};
use warroom_engine::{Event, Fact, Person, Run};
use warroom_workflow::{Catalog, Workflow, check};

impl Runner {
    /// The open runs that could not be taken up, by id, with the reasons.
    #[must_use]
    pub fn stuck(&self) -> BTreeMap<String, String> {
        self.core.stuck.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(crate) fn note_stuck(&self, id: &str, reason: Option<&str>) {
        let mut stuck = self.core.stuck.lock().unwrap_or_else(PoisonError::into_inner);
        match reason {
            Some(reason) => stuck.insert(id.to_owned(), reason.to_owned()),
            None => stuck.remove(id),
        };
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
        let mut run = read(core.journal.as_ref(), id).await?;
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
