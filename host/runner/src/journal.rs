//! What the runner needs of a journal, and how events become records.

use async_trait::async_trait;
use serde::Deserialize;
use warroom_engine::Event;

/// One journalled fact, as the store sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// The fact's kind.
    pub kind: String,
    /// The version of its encoding.
    pub version: u32,
    /// The event, as JSON.
    pub body: Vec<u8>,
}

/// A run about to start.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewRun {
    /// Its id.
    pub run_id: String,
    /// The workflow's name; unique together with the post.
    pub workflow: String,
    /// The triggering post's id.
    pub post_id: String,
    /// The number of the workflow's first incident.
    pub number_start: u64,
    /// When it starts, in milliseconds since 1970.
    pub at_ms: u64,
    /// While a run of the workflow with this key is open, no other one starts.
    pub key: Option<String>,
    /// The run that has the key and can fold nothing; the new one takes the key from it.
    pub replaces: Option<String>,
    /// How many runs of the workflow may start within a time; none: any number.
    pub limit: Option<Limit>,
}

/// How many runs may start within a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limit {
    /// The most starts.
    pub starts_max: u32,
    /// The time in which they are counted, in milliseconds.
    pub period_ms: u64,
}

/// What became of a start.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StartOutcome {
    /// The run is journalled, with this number.
    Started(u64),
    /// This post started that run of the workflow before, or was folded into it.
    AlreadyStarted(String),
    /// That open run has the key.
    Keyed(String),
    /// As many runs started as are allowed within the time.
    Limited,
}

/// A name that only one run may hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claim {
    /// What sort of thing, such as `channel`.
    pub kind: String,
    /// Within what it is unique, such as a team's id.
    pub scope: String,
    /// The name.
    pub name: String,
}

impl Claim {
    /// The claim of a run on a post that it took in after its start: such a post starts no other run of the workflow.
    #[must_use]
    pub fn post(workflow: &str, post_id: &str) -> Claim {
        Claim { kind: POST_CLAIM.to_owned(), scope: workflow.to_owned(), name: post_id.to_owned() }
    }
}

/// The kind of [`Claim::post`].
pub const POST_CLAIM: &str = "post";

/// Why the journal did not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum JournalError {
    /// The run has other events than the caller thought.
    #[error("the journal of run {run} moved on: it has {actual} events, not {expected}")]
    Moved {
        /// The run.
        run: String,
        /// What the caller thought.
        expected: u64,
        /// What it has.
        actual: u64,
    },
    /// Another run holds the name.
    #[error("the {} `{}` is claimed by run {by_run}", claim.kind, claim.name)]
    Claimed {
        /// The name.
        claim: Claim,
        /// Who holds it.
        by_run: String,
    },
    /// The journal will never take this: it is too large, or cannot be encoded. Nothing was written.
    #[error("{0}")]
    Refused(String),
    /// What was written is there and makes no sense to this program. It does not pass by itself.
    #[error("{0}")]
    Unreadable(String),
    /// Anything else, in words for people. It may pass; whether anything was written nobody knows.
    #[error("{0}")]
    Failed(String),
}

/// Where events are kept. Every method returns only after what it wrote is durable.
#[async_trait]
pub trait Journal: Send + Sync {
    /// Starts a run in one transaction: takes the workflow's next number, stores the records that `first` makes of it. `first` is
    /// called as soon as the number is known; the start may fail after that.
    async fn start_run(
        &self,
        new: NewRun,
        first: Box<dyn FnOnce(u64) -> Vec<Record> + Send>,
    ) -> Result<StartOutcome, JournalError>;

    /// Whether the post started a run of the workflow, or was taken into one.
    async fn has_taken(&self, workflow: &str, post_id: &str) -> Result<bool, JournalError>;

    /// Appends records to a run that has exactly `expected` ones, all or none, together with the claims.
    async fn append(
        &self,
        run: &str,
        expected: u64,
        records: Vec<Record>,
        ended: bool,
        claims: Vec<Claim>,
    ) -> Result<(), JournalError>;

    /// Gives a run that has exactly `expected` records the workflow's next number, at least `number_start`, together with the
    /// records that `first` makes of it.
    async fn renumber(
        &self,
        run: &str,
        expected: u64,
        number_start: u64,
        first: Box<dyn FnOnce(u64) -> Vec<Record> + Send>,
    ) -> Result<u64, JournalError>;

    /// All records of a run, in order; none for a run that does not exist.
    async fn records(&self, run: &str) -> Result<Vec<Record>, JournalError>;

    /// The ids of all runs that have not ended.
    async fn open_runs(&self) -> Result<Vec<String>, JournalError>;

    /// The id of the workflow's run with this number.
    async fn run_by_number(&self, workflow: &str, number: u64) -> Result<Option<String>, JournalError>;

    /// The ids of the newest runs, newest first.
    async fn newest_runs(&self, limit: u32) -> Result<Vec<String>, JournalError>;

    /// Something that is kept as a whole, with its revision, which counts from 1.
    async fn document(&self, kind: &str, id: &str) -> Result<Option<(u64, Vec<u8>)>, JournalError>;

    /// The ids of the documents of a kind, the last ones first, at most so many.
    async fn document_ids(&self, kind: &str, limit: u32) -> Result<Vec<String>, JournalError>;

    /// Writes a document whose revision is exactly `expected`, 0 for a new one.
    async fn put_document(
        &self,
        kind: &str,
        id: &str,
        expected: u64,
        body: Vec<u8>,
    ) -> Result<(), JournalError>;

    /// Forgets a document; one that is not there is fine.
    async fn delete_document(&self, kind: &str, id: &str) -> Result<(), JournalError>;

    /// Keeps bytes under a name, for ever. Storing the same again is fine.
    async fn put_blob(&self, name: &str, bytes: Vec<u8>) -> Result<(), JournalError>;

    /// The bytes kept under a name.
    async fn blob(&self, name: &str) -> Result<Option<Vec<u8>>, JournalError>;
}

/// The version of the encoding below.
const EVENT_VERSION: u32 = 1;

/// Encodes an event.
pub(crate) fn encode(event: &Event) -> Result<Record, JournalError> {
    #[derive(Deserialize)]
    struct Tagged {
        kind: String,
    }
    let refused = |error| JournalError::Refused(format!("cannot encode an event: {error}"));
    let body = serde_json::to_vec(event).map_err(refused)?;
    let Tagged { kind } = serde_json::from_slice(&body).map_err(refused)?;
    Ok(Record { kind, version: EVENT_VERSION, body })
}

/// Decodes a run's records.
pub(crate) fn decode(run: &str, records: &[Record]) -> Result<Vec<Event>, JournalError> {
    let event = |(at, record): (usize, &Record)| {
        if record.version != EVENT_VERSION {
            return Err(JournalError::Unreadable(format!(
                "event {} of run {run} is a `{}` of version {}, which this program does not know: it was written by a \
                 newer one; start that one",
                at + 1,
                record.kind,
                record.version
            )));
        }
        serde_json::from_slice(&record.body).map_err(|error| {
            JournalError::Unreadable(format!(
                "event {} of run {run}, a `{}`, cannot be read: {error}",
                at + 1,
                record.kind
            ))
        })
    };
    records.iter().enumerate().map(event).collect()
}
