//! Why the journal refused.

use std::path::PathBuf;

use crate::record::Claim;

/// Why a request to the journal failed. After an error nothing of the request is in the journal, save for
/// [`StoreError::Database`] and [`StoreError::Stopped`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StoreError {
    /// The address of the journal is not one that this store understands.
    #[error(
        "cannot open the journal `{url}`: {reason}. Write `sqlite:PATH`, or `sqlite::memory:` for a journal that is forgotten"
    )]
    Url {
        /// The address as it was given.
        url: String,
        /// What is wrong with it.
        reason: String,
    },
    /// Another process, or another store in this one, has the file.
    #[error(
        "cannot open the journal {}: another process works with it. A journal belongs to one host at a time: stop the other one \
         (`fuser {}` names it), or give this one a file of its own",
        path.display(),
        path.display()
    )]
    Locked {
        /// The file.
        path: PathBuf,
    },
    /// A newer version of Warroom wrote the file.
    #[error(
        "cannot open the journal: its schema has version {found}, and this version of warroom knows {known}. Start the version that \
         wrote it, or a later one; an older one would misread it"
    )]
    NewerSchema {
        /// The version of the file.
        found: i64,
        /// The newest version known here.
        known: i64,
    },
    /// The file cannot be made or read.
    #[error("cannot {doing} {}: {reason}", path.display())]
    File {
        /// What was being done.
        doing: &'static str,
        /// The file or directory.
        path: PathBuf,
        /// Why it failed, and what to do.
        reason: String,
    },
    /// Somebody else wrote to the run since it was read. Read its records again and decide anew.
    #[error(
        "cannot append to run {run_id}: {expected} records were expected and there are {actual}. Read the run again"
    )]
    Conflict {
        /// The run.
        run_id: String,
        /// How many records the writer thought there were.
        expected: u64,
        /// How many there are.
        actual: u64,
    },
    /// Another run took the name before.
    #[error(
        "the {} `{}` (in `{}`) is claimed by run {by_run}. Choose another name",
        claim.kind,
        claim.name,
        claim.scope
    )]
    Claimed {
        /// The claim that failed.
        claim: Claim,
        /// The run that holds it.
        by_run: String,
    },
    /// There is no such run.
    #[error("cannot append to run {run_id}: the journal has no such run")]
    UnknownRun {
        /// The run that was asked for.
        run_id: String,
    },
    /// Something is longer or larger than its bound.
    #[error("cannot write {what} to the journal: {size} is more than the {max} allowed")]
    TooLarge {
        /// What is too large, and the unit of the sizes.
        what: String,
        /// How large it is.
        size: u64,
        /// How large it may be.
        max: u64,
    },
    /// The database failed. When it failed to commit, nobody knows whether the request was written: read before writing again.
    #[error("cannot {doing}: the journal's database says: {reason}")]
    Database {
        /// What was being done.
        doing: String,
        /// What the database said.
        reason: String,
    },
    /// The store was closed, or its writer died. Whether the request was written is not known.
    #[error("cannot {doing}: the journal is closed. Restart the host")]
    Stopped {
        /// What was being done.
        doing: String,
    },
}

impl StoreError {
    /// An error of the database while `doing`.
    pub(crate) fn database(doing: impl Into<String>, error: &rusqlite::Error) -> Self {
        Self::Database { doing: doing.into(), reason: reason(error) }
    }
}

/// What SQLite said, with its code, since the same words may have several causes.
pub(crate) fn reason(error: &rusqlite::Error) -> String {
    match error.sqlite_extended_error_code() {
        Some(code) => format!("{error} (code {code})"),
        None => error.to_string(),
    }
}
