//! What goes into the journal and what comes out of it.

use std::fmt;

/// A fact, as the journal sees it.
#[derive(Clone, PartialEq, Eq)]
pub struct Record {
    /// What the fact is, in the writer's words.
    pub kind: String,
    /// The version of the body's format.
    pub version: u32,
    /// The fact itself; at most [`Options::record_bytes_max`] bytes.
    pub body: Vec<u8>,
}

/// Bodies hold what people wrote in the chat, so the text form says only how long they are.
impl fmt::Debug for Record {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Record")
            .field("kind", &self.kind)
            .field("version", &self.version)
            .field("body_bytes", &self.body.len())
            .finish()
    }
}

/// The bounds of a store.
#[derive(Debug, Clone)]
pub struct Options {
    /// How many requests may wait for the writer; who comes later waits until there is room. At least 1; the default is 1,024.
    pub queue_max: usize,
    /// How many waiting requests one transaction takes at most. At least 1; the default is 64.
    pub batch_max: usize,
    /// How long the body of one record may be, in bytes. The default is 1 MiB.
    pub record_bytes_max: usize,
}

impl Default for Options {
    fn default() -> Self {
        Self { queue_max: 1024, batch_max: 64, record_bytes_max: 1024 * 1024 }
    }
}

/// Makes a run's first records once its number is known.
///
/// It is called at most once, on the writer's thread while its transaction is open and before anything of the run is written. It
/// must neither wait for anything nor panic.
pub type FirstRecords = Box<dyn FnOnce(u64) -> Vec<Record> + Send>;

/// A run that is to be started.
pub struct NewRun {
    /// The run's id; unique over all workflows.
    pub run_id: String,
    /// The workflow's name.
    pub workflow: String,
    /// The post that triggered the run. A post starts at most one run per workflow.
    pub post_id: String,
    /// The number of the workflow's first run. When it is raised later, the numbers go on from there; they never go back.
    pub number_start: u64,
    /// When it starts, in milliseconds since 1970.
    pub at_ms: u64,
    /// While a run of the workflow with this key is open, no other one starts.
    pub fold_key: Option<String>,
    /// The run that has the key and can fold nothing; the new one takes the key from it.
    pub replaces: Option<String>,
    /// How many runs of the workflow may start within a time; none: any number.
    pub limit: Option<StartLimit>,
    /// The run's first records.
    pub first: FirstRecords,
}

/// How many runs of a workflow may start within a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StartLimit {
    /// The most starts.
    pub starts: u32,
    /// Those count that are not older, in milliseconds since 1970.
    pub since_ms: u64,
}

/// What became of a [`NewRun`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StartOutcome {
    /// The run and its first records are in the journal.
    Started {
        /// The run's number within its workflow. No other run of the workflow ever has it.
        number: u64,
    },
    /// The post started a run of this workflow before. Nothing was written and no number was taken.
    AlreadyStarted {
        /// The run that the post started.
        run_id: String,
    },
    /// An open run of the workflow has the key. Nothing was written and no number was taken.
    Keyed {
        /// The run that has it.
        run_id: String,
    },
    /// As many runs started as the limit allows. Nothing was written and no number was taken.
    Limited,
}

/// Whether a run may still move. Kept beside the journal, so that open runs are found without reading journals.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RunStatus {
    /// The run is not over.
    Open,
    /// The run is finished or cancelled.
    Ended,
}

/// A run without its records.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunRow {
    /// The run's id.
    pub run_id: String,
    /// The workflow's name.
    pub workflow: String,
    /// The run's number within its workflow.
    pub number: u64,
    /// Whether the run may still move.
    pub status: RunStatus,
}

/// The kind of claim that a run makes on a post which it took in after its start: scope is the workflow, name the post's id. Such a
/// post starts no other run of the workflow.
pub const POST_CLAIM: &str = "post";

/// A name that one run takes for itself, such as that of a channel which it is about to make. It has the name for as long as it is open;
/// a claim on a post ([`POST_CLAIM`]) stays for ever.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claim {
    /// What kind of thing is named, such as `channel`.
    pub kind: String,
    /// Where the name is unique, such as the id of a team.
    pub scope: String,
    /// The name.
    pub name: String,
}

/// Something that is kept as a whole and belongs to no run.
#[derive(Clone, PartialEq, Eq)]
pub struct Document {
    /// How often it was written, from 1.
    pub revision: u64,
    /// What it holds.
    pub body: Vec<u8>,
}

/// Documents hold what people wrote in the chat, so the text form says only how long they are.
impl fmt::Debug for Document {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Document")
            .field("revision", &self.revision)
            .field("body_bytes", &self.body.len())
            .finish()
    }
}

/// How far a channel's posts were dealt with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Watermark {
    /// The channel.
    pub channel_id: String,
    /// Posts up to here were dealt with, as far as they came in order; the chat server's time, in milliseconds since 1970.
    pub at_ms: u64,
    /// What is older was dealt with, whatever its order.
    pub since_ms: u64,
    /// What the host knows of the posts from then on; the store does not look into it.
    pub near: String,
}
