//! The journal: durable, ordered facts about runs, on SQLite.
//!
//! Nothing in Warroom acts on memory alone: a fact is in the journal before anything is done because of it, so a process that is
//! killed at any instant goes on where it was. This crate keeps the facts and knows nothing of their meaning: a [`Record`] is a kind,
//! a version and bytes.
//!
//! ```
//! use warroom_store::{NewRun, Options, Record, RunStatus, StartOutcome, Store};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), warroom_store::StoreError> {
//! let store = Store::open("sqlite::memory:", Options::default()).await?;
//! let started = Record { kind: "started".into(), version: 1, body: b"{}".to_vec() };
//! let new = NewRun {
//!     run_id: "run-1".into(),
//!     workflow: "security_issue".into(),
//!     post_id: "post-1".into(),
//!     number_start: 1,
//!     at_ms: 0,
//!     fold_key: None,
//!     replaces: None,
//!     limit: None,
//!     first: Box::new(move |_number| vec![started]),
//! };
//! assert_eq!(store.start_run(new).await?, StartOutcome::Started { number: 1 });
//!
//! let ended = Record { kind: "ended".into(), version: 1, body: b"{}".to_vec() };
//! store.append("run-1", 1, vec![ended], RunStatus::Ended, Vec::new()).await?;
//! assert_eq!(store.records("run-1").await?.len(), 2);
//! store.close().await;
//! # Ok(())
//! # }
//! ```
//!
//! # Why it is made so
//!
//! One thread owns the one connection and takes its work from a bounded queue. SQLite writes one transaction at a time anyway, and a
//! commit waits for the disk: so what waits meanwhile is gathered into the next transaction, each request in a savepoint of its own,
//! and all are answered after the commit. A hundred runs that move at once cost a few waits for the disk, not a hundred.
//! Reads take the same way, and so see everything that was answered before they were asked.
//!
//! It is an operating system's thread and no task, since SQLite's calls block. A request travels to it once and its answer back once,
//! however many statements it takes; between the two, statements are plain calls.
//!
//! The file is locked exclusively. Two hosts on one file would both start every run; the second one is refused while it opens.
//!
//! All SQL is in the modules `sqlite`, `append`, `documents` and `schema`, so that another database can stand beside it.

mod append;
mod documents;
mod error;
mod location;
mod record;
mod schema;
mod sqlite;
mod store;
mod writer;

pub use error::StoreError;
pub use record::{
    Claim, Document, FirstRecords, NewRun, Options, POST_CLAIM, Record, RunRow, RunStatus, StartLimit,
    StartOutcome, Watermark,
};
pub use store::{BLOB_BYTES_MAX, RECORDS_AT_ONCE_MAX, Store};
