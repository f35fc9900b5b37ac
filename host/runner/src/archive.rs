//! What the journal tells of all runs, open and ended.

use crate::journal::Journal;
use crate::ledger::{events, read};
use crate::runner::RunnerError;
use std::sync::Arc;
use warroom_engine::{Event, Run};

/// The runs of a journal, to look at.
#[derive(Clone)]
pub struct Archive(Arc<dyn Journal>);

impl Archive {
    /// The runs of this journal.
    #[must_use]
    pub fn new(journal: Arc<dyn Journal>) -> Archive {
        Archive(journal)
    }

    /// A run as it is.
    ///
    /// # Errors
    /// When its journal cannot be read, or there is no such run.
    pub async fn run(&self, id: &str) -> Result<Run, RunnerError> {
        Ok(read(self.0.as_ref(), id).await?)
    }

    /// All that happened to a run; nothing when there is none.
    ///
    /// # Errors
    /// When its journal cannot be read.
    pub async fn events(&self, id: &str) -> Result<Vec<Event>, RunnerError> {
        Ok(events(self.0.as_ref(), id).await?)
    }

    /// Whether there is such a run, though it may not be readable.
    ///
    /// # Errors
    /// When the journal cannot be read.
    pub async fn has(&self, id: &str) -> Result<bool, RunnerError> {
        Ok(!self.0.records(id).await?.is_empty())
    }

    /// The id of the workflow's run with this number.
    ///
    /// # Errors
    /// When the journal cannot be read.
    pub async fn run_by_number(&self, workflow: &str, number: u64) -> Result<Option<String>, RunnerError> {
        Ok(self.0.run_by_number(workflow, number).await?)
    }

    /// The ids of the runs that are not over, oldest first.
    ///
    /// # Errors
    /// When the journal cannot be read.
    pub async fn open_runs(&self) -> Result<Vec<String>, RunnerError> {
        Ok(self.0.open_runs().await?)
    }

    /// The ids of the newest runs, open or ended, newest first.
    ///
    /// # Errors
    /// When the journal cannot be read.
    pub async fn newest_runs(&self, limit: u32) -> Result<Vec<String>, RunnerError> {
        Ok(self.0.newest_runs(limit).await?)
    }
}
