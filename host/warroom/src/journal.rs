//! The runner's journal, kept by the store.

use async_trait::async_trait;
use warroom_runner::{Claim, Journal, JournalError, NewRun, Record, StartOutcome};
use warroom_store as store;

// What the runner claims for a post is what the store looks for.
const _: () = assert!(
    matches!(warroom_runner::POST_CLAIM.as_bytes(), b"post")
        && matches!(store::POST_CLAIM.as_bytes(), b"post")
);

/// The runner's journal, kept by the store.
pub(crate) struct StoreJournal(pub(crate) store::Store);

#[async_trait]
impl Journal for StoreJournal {
    async fn start_run(
        &self,
        new: NewRun,
        first: Box<dyn FnOnce(u64) -> Vec<Record> + Send>,
    ) -> Result<StartOutcome, JournalError> {
        let run = store::NewRun {
            run_id: new.run_id.clone(),
            workflow: new.workflow,
            post_id: new.post_id,
            number_start: new.number_start,
            at_ms: new.at_ms,
            fold_key: new.key,
            replaces: new.replaces,
            limit: new.limit.map(|limit| store::StartLimit {
                starts: limit.starts_max,
                since_ms: new.at_ms.saturating_sub(limit.period_ms),
            }),
            first: Box::new(move |number| first(number).into_iter().map(record).collect()),
        };
        Ok(match self.0.start_run(run).await.map_err(|error| failure(&new.run_id, error))? {
            store::StartOutcome::Started { number } => StartOutcome::Started(number),
            store::StartOutcome::AlreadyStarted { run_id } => StartOutcome::AlreadyStarted(run_id),
            store::StartOutcome::Keyed { run_id } => StartOutcome::Keyed(run_id),
            store::StartOutcome::Limited => StartOutcome::Limited,
        })
    }

    async fn append(
        &self,
        run: &str,
        expected: u64,
        records: Vec<Record>,
        ended: bool,
        claims: Vec<Claim>,
    ) -> Result<(), JournalError> {
        let status = if ended { store::RunStatus::Ended } else { store::RunStatus::Open };
        let claims = claims
            .into_iter()
            .map(|claim| store::Claim { kind: claim.kind, scope: claim.scope, name: claim.name })
            .collect();
        let records = records.into_iter().map(record).collect();
        self.0.append(run, expected, records, status, claims).await.map_err(|error| failure(run, error))
    }

    async fn renumber(
        &self,
        run: &str,
        expected: u64,
        number_start: u64,
        first: Box<dyn FnOnce(u64) -> Vec<Record> + Send>,
    ) -> Result<u64, JournalError> {
        let first = Box::new(move |number| first(number).into_iter().map(record).collect());
        self.0.renumber(run, expected, number_start, first).await.map_err(|error| failure(run, error))
    }

    async fn has_taken(&self, workflow: &str, post_id: &str) -> Result<bool, JournalError> {
        self.0.has_taken(workflow, post_id).await.map_err(|error| failure("", error))
    }

    async fn run_by_number(&self, workflow: &str, number: u64) -> Result<Option<String>, JournalError> {
        let run = self.0.run_by_number(workflow, number).await.map_err(|error| failure("", error))?;
        Ok(run.map(|run| run.run_id))
    }

    async fn newest_runs(&self, limit: u32) -> Result<Vec<String>, JournalError> {
        let runs = self.0.runs(limit).await.map_err(|error| failure("", error))?;
        Ok(runs.into_iter().map(|run| run.run_id).collect())
    }

    async fn document(&self, kind: &str, id: &str) -> Result<Option<(u64, Vec<u8>)>, JournalError> {
        let found = self.0.document(kind, id).await.map_err(|error| failure(id, error))?;
        Ok(found.map(|document| (document.revision, document.body)))
    }

    async fn document_ids(&self, kind: &str, limit: u32) -> Result<Vec<String>, JournalError> {
        self.0.document_ids(kind, limit).await.map_err(|error| failure("", error))
    }

    async fn put_document(
        &self,
        kind: &str,
        id: &str,
        expected: u64,
        body: Vec<u8>,
    ) -> Result<(), JournalError> {
        self.0.put_document(kind, id, expected, body).await.map_err(|error| failure(id, error))
    }

    async fn delete_document(&self, kind: &str, id: &str) -> Result<(), JournalError> {
        self.0.delete_document(kind, id).await.map_err(|error| failure(id, error))
    }

    async fn records(&self, run: &str) -> Result<Vec<Record>, JournalError> {
        let records = self.0.records(run).await.map_err(|error| failure(run, error))?;
        let record =
            |record: store::Record| Record { kind: record.kind, version: record.version, body: record.body };
        Ok(records.into_iter().map(record).collect())
    }

    async fn open_runs(&self) -> Result<Vec<String>, JournalError> {
        let runs = self.0.open_runs().await.map_err(|error| failure("", error))?;
        Ok(runs.into_iter().map(|run| run.run_id).collect())
    }

    async fn put_blob(&self, name: &str, bytes: Vec<u8>) -> Result<(), JournalError> {
        self.0.put_blob(name, bytes).await.map_err(|error| failure("", error))
    }

    async fn blob(&self, name: &str) -> Result<Option<Vec<u8>>, JournalError> {
        self.0.blob(name).await.map_err(|error| failure("", error))
    }
}

fn record(record: Record) -> store::Record {
    store::Record { kind: record.kind, version: record.version, body: record.body }
}

fn failure(run: &str, error: store::StoreError) -> JournalError {
    match error {
        store::StoreError::Conflict { expected, actual, .. } => {
            JournalError::Moved { run: run.to_owned(), expected, actual }
        }
        store::StoreError::Claimed { claim, by_run } => JournalError::Claimed {
            claim: Claim { kind: claim.kind, scope: claim.scope, name: claim.name },
            by_run,
        },
        refused @ store::StoreError::TooLarge { .. } => JournalError::Refused(refused.to_string()),
        other => JournalError::Failed(other.to_string()),
    }
}
