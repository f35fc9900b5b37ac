//! The handle that the rest of the program holds.

use tokio::sync::{mpsc, oneshot};

use crate::error::StoreError;
use crate::location::Location;
use crate::record::{
    Claim, Document, FirstRecords, NewRun, Options, Record, RunRow, RunStatus, StartOutcome, Watermark,
};
use crate::sqlite::Sqlite;
use crate::writer::{self, Command, Request};

/// How long a workflow text or a component may be, in bytes: 64 MiB. The largest components, with an interpreter inside,
/// have about 20 MB.
pub const BLOB_BYTES_MAX: usize = 64 * 1024 * 1024;

/// How many records one call may write.
pub const RECORDS_AT_ONCE_MAX: usize = 1024;

/// The journal. Clones share one queue and one connection.
///
/// A call that is dropped before it answers may have been done all the same; so may one that was waiting when the store
/// was closed.
#[derive(Clone)]
pub struct Store {
    commands: mpsc::Sender<Command>,
}

impl Store {
    /// Opens the journal at `url`, `sqlite:PATH` or `sqlite::memory:`, and makes the file (for its owner alone) and the tables that
    /// are missing. A thread of its own serves the store until it is closed.
    ///
    /// # Errors
    /// [`StoreError::Url`], [`StoreError::File`]; [`StoreError::Locked`] when somebody else has the file;
    /// [`StoreError::NewerSchema`] when a later version wrote it; [`StoreError::Database`].
    pub async fn open(url: &str, options: Options) -> Result<Self, StoreError> {
        let commands = writer::start(Location::parse(url)?, &options).await?;
        Ok(Self { commands })
    }

    /// The secret called `name`. The first time, `fresh` is stored and given back; ever after, what was stored then.
    ///
    /// # Errors
    /// [`StoreError::Database`], [`StoreError::Stopped`].
    pub async fn secret(&self, name: &str, fresh: [u8; 32]) -> Result<[u8; 32], StoreError> {
        let name = name.to_owned();
        self.call("read a secret", move |db| db.secret(&name, fresh)).await
    }

    /// Stores a workflow text or a component under its digest, `sha256:HEX`. Doing it again changes nothing: what is stored under a
    /// digest stays. The caller vouches that the digest is that of the bytes.
    ///
    /// # Errors
    /// [`StoreError::TooLarge`] above [`BLOB_BYTES_MAX`], [`StoreError::Database`], [`StoreError::Stopped`].
    pub async fn put_blob(&self, digest: &str, bytes: Vec<u8>) -> Result<(), StoreError> {
        bounded(&format!("the blob {digest} (bytes)"), bytes.len(), BLOB_BYTES_MAX)?;
        let digest = digest.to_owned();
        self.call("store a blob", move |db| db.put_blob(&digest, &bytes)).await
    }

    /// What is stored under a digest, if anything is.
    ///
    /// # Errors
    /// [`StoreError::Database`], [`StoreError::Stopped`].
    pub async fn blob(&self, digest: &str) -> Result<Option<Vec<u8>>, StoreError> {
        let digest = digest.to_owned();
        self.call("read a blob", move |db| db.blob(&digest)).await
    }

    /// Starts a run, all or nothing: takes the workflow's next number, and writes the run, which is open, and its first records.
    /// A start that is refused takes no number, so the numbers of a workflow have no gaps.
    ///
    /// # Errors
    /// [`StoreError::TooLarge`] for a record above [`Options::record_bytes_max`], more than [`RECORDS_AT_ONCE_MAX`] records, or a
    /// number above 2^63 - 1; [`StoreError::Database`], also when another run has this id; [`StoreError::Stopped`].
    pub async fn start_run(&self, new: NewRun) -> Result<StartOutcome, StoreError> {
        let doing = format!("start run {}", new.run_id);
        self.call(&doing, move |db| db.start_run(new)).await
    }

    /// The number that the workflow's next run gets, unless its `number_start` is higher; none while it had no run.
    ///
    /// # Errors
    /// [`StoreError::Database`], [`StoreError::Stopped`].
    pub async fn next_number(&self, workflow: &str) -> Result<Option<u64>, StoreError> {
        let doing = format!("read the next number of {workflow}");
        let workflow = workflow.to_owned();
        self.call(&doing, move |db| db.next_number(&workflow)).await
    }

    /// Appends records to a run, all or nothing, with its new status and the names it takes.
    ///
    /// `expected_seq` is how many records the run must have already: who writes on a stale reading is refused. A run may claim again
    /// what it claimed before.
    ///
    /// # Errors
    /// [`StoreError::Conflict`], [`StoreError::Claimed`], [`StoreError::UnknownRun`]; [`StoreError::TooLarge`] for a record above
    /// [`Options::record_bytes_max`] or more than [`RECORDS_AT_ONCE_MAX`] records; [`StoreError::Database`]; [`StoreError::Stopped`].
    pub async fn append(
        &self,
        run_id: &str,
        expected_seq: u64,
        records: Vec<Record>,
        status: RunStatus,
        claims: Vec<Claim>,
    ) -> Result<(), StoreError> {
        let doing = format!("append to run {run_id}");
        let run_id = run_id.to_owned();
        self.call(&doing, move |db| db.append(&run_id, expected_seq, &records, status, &claims)).await
    }

    /// Gives a run the workflow's next number and appends the records that `first` makes of it, all or nothing. The number that it
    /// had is not given to another run.
    ///
    /// # Errors
    /// As [`Store::append`].
    pub async fn renumber(
        &self,
        run_id: &str,
        expected_seq: u64,
        number_start: u64,
        first: FirstRecords,
    ) -> Result<u64, StoreError> {
        let doing = format!("renumber run {run_id}");
        let run_id = run_id.to_owned();
        self.call(&doing, move |db| db.renumber(&run_id, expected_seq, number_start, first)).await
    }

    /// A document, if there is one.
    ///
    /// # Errors
    /// [`StoreError::Database`], [`StoreError::Stopped`].
    pub async fn document(&self, kind: &str, id: &str) -> Result<Option<Document>, StoreError> {
        let (kind, id) = (kind.to_owned(), id.to_owned());
        self.call("read a document", move |db| db.document(&kind, &id)).await
    }

    /// The ids of at most `limit` documents of a kind, the last ones first.
    ///
    /// # Errors
    /// [`StoreError::Database`], [`StoreError::Stopped`].
    pub async fn document_ids(&self, kind: &str, limit: u32) -> Result<Vec<String>, StoreError> {
        let kind = kind.to_owned();
        self.call("list documents", move |db| db.document_ids(&kind, limit)).await
    }

    /// Whether the post started a run of the workflow, or was claimed by one with [`crate::POST_CLAIM`].
    ///
    /// # Errors
    /// [`StoreError::Database`], [`StoreError::Stopped`].
    pub async fn has_taken(&self, workflow: &str, post_id: &str) -> Result<bool, StoreError> {
        let (workflow, post_id) = (workflow.to_owned(), post_id.to_owned());
        self.call("look up a post", move |db| db.has_taken(&workflow, &post_id)).await
    }

    /// Writes a document as a whole. `expected_revision` is that of the document which it replaces, 0 for a new one.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] when somebody else wrote it meanwhile; [`StoreError::TooLarge`] above
    /// [`Options::record_bytes_max`]; [`StoreError::Database`]; [`StoreError::Stopped`].
    pub async fn put_document(
        &self,
        kind: &str,
        id: &str,
        expected_revision: u64,
        body: Vec<u8>,
    ) -> Result<(), StoreError> {
        let (kind, id) = (kind.to_owned(), id.to_owned());
        self.call("write a document", move |db| db.put_document(&kind, &id, expected_revision, &body)).await
    }

    /// Forgets a document; one that is not there is fine.
    ///
    /// # Errors
    /// [`StoreError::Database`], [`StoreError::Stopped`].
    pub async fn delete_document(&self, kind: &str, id: &str) -> Result<(), StoreError> {
        let (kind, id) = (kind.to_owned(), id.to_owned());
        self.call("delete a document", move |db| db.delete_document(&kind, &id)).await
    }

    /// How far each channel's posts were dealt with.
    ///
    /// # Errors
    /// [`StoreError::Database`], [`StoreError::Stopped`].
    pub async fn watermarks(&self) -> Result<Vec<Watermark>, StoreError> {
        self.call("read the watermarks", |db| db.watermarks()).await
    }

    /// Raises watermarks; one that is higher already stays, with what is known of its posts.
    ///
    /// # Errors
    /// [`StoreError::TooLarge`] for more than [`RECORDS_AT_ONCE_MAX`]; [`StoreError::Database`]; [`StoreError::Stopped`].
    pub async fn raise_watermarks(&self, watermarks: Vec<Watermark>) -> Result<(), StoreError> {
        bounded("watermarks at once", watermarks.len(), RECORDS_AT_ONCE_MAX)?;
        self.call("write the watermarks", move |db| db.raise_watermarks(&watermarks)).await
    }

    /// All records of a run, in the order of their writing; none when there is no such run.
    ///
    /// # Errors
    /// [`StoreError::Database`], [`StoreError::Stopped`].
    pub async fn records(&self, run_id: &str) -> Result<Vec<Record>, StoreError> {
        let doing = format!("read run {run_id}");
        let run_id = run_id.to_owned();
        self.call(&doing, move |db| db.records(&run_id)).await
    }

    /// The runs that are not over, oldest first.
    ///
    /// # Errors
    /// [`StoreError::Database`], [`StoreError::Stopped`].
    pub async fn open_runs(&self) -> Result<Vec<RunRow>, StoreError> {
        self.call("list the open runs", |db| db.open_runs()).await
    }

    /// A run without its records, if there is one.
    ///
    /// # Errors
    /// [`StoreError::Database`], [`StoreError::Stopped`].
    pub async fn run(&self, run_id: &str) -> Result<Option<RunRow>, StoreError> {
        let doing = format!("look up run {run_id}");
        let run_id = run_id.to_owned();
        self.call(&doing, move |db| db.run(&run_id)).await
    }

    /// A run by its workflow and number, without its records, if there is one.
    ///
    /// # Errors
    /// [`StoreError::Database`], [`StoreError::Stopped`]; [`StoreError::TooLarge`] for a number above 2^63 - 1.
    pub async fn run_by_number(&self, workflow: &str, number: u64) -> Result<Option<RunRow>, StoreError> {
        let workflow = workflow.to_owned();
        self.call("look up a run", move |db| db.run_by_number(&workflow, number)).await
    }

    /// At most `limit` runs, newest first.
    ///
    /// # Errors
    /// [`StoreError::Database`], [`StoreError::Stopped`].
    pub async fn runs(&self, limit: u32) -> Result<Vec<RunRow>, StoreError> {
        self.call("list the runs", move |db| db.runs(limit)).await
    }

    /// How many requests wait for the writer, at most [`Options::queue_max`]. For metrics.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.commands.max_capacity().saturating_sub(self.commands.capacity())
    }

    /// Finishes what waits, then closes the file and gives up its lock. Calls of other clones fail from now on with
    /// [`StoreError::Stopped`]. Without it the same happens once the last clone is dropped, a little later.
    pub async fn close(self) {
        let (reply, closed) = oneshot::channel();
        if self.commands.send(Command::Close(reply)).await.is_ok() {
            // An error would mean that the writer is gone, and the file with it.
            drop(closed.await);
        }
    }

    async fn call<T, F>(&self, doing: &str, work: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: FnOnce(&mut Sqlite) -> Result<T, StoreError> + Send + 'static,
    {
        let (reply, answer) = oneshot::channel();
        let stopped = || StoreError::Stopped { doing: doing.to_owned() };
        self.commands.send(Command::Do(Box::new(Request { work, reply }))).await.map_err(|_| stopped())?;
        answer.await.map_err(|_| stopped())?
    }
}

/// Refuses what is larger than its bound.
pub(crate) fn bounded(what: &str, size: usize, max: usize) -> Result<(), StoreError> {
    if size <= max {
        return Ok(());
    }
    let wide = |value: usize| u64::try_from(value).unwrap_or(u64::MAX);
    Err(StoreError::TooLarge { what: what.to_owned(), size: wide(size), max: wide(max) })
}
