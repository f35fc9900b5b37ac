//! The tables, and their version.

/// The version of the tables below. A file with a later one is refused.
pub(crate) const VERSION: i64 = 3;

/// Makes the table that holds the version, the only one that every version must have.
pub(crate) const META: &str = "CREATE TABLE IF NOT EXISTS meta (
    name TEXT PRIMARY KEY NOT NULL,
    value INTEGER NOT NULL
) STRICT, WITHOUT ROWID";

/// Brings the tables of version 1 to version 2: keys and times of starts.
pub(crate) const FROM_1_TO_2: &[&str] = &[
    "ALTER TABLE runs ADD COLUMN started_ms INTEGER NOT NULL DEFAULT 0",
    "ALTER TABLE runs ADD COLUMN fold_key TEXT",
];

/// Makes the tables where they are missing.
///
/// `runs.position` keeps the order of the starts. `runs.record_count` is how many records the run has: the check of an append
/// reads one row. Records are an ordinary table, since large rows are slow in one without row ids.
pub(crate) const TABLES: &[&str] = &[
    "CREATE TABLE IF NOT EXISTS secrets (
        name TEXT PRIMARY KEY NOT NULL,
        value BLOB NOT NULL CHECK (length(value) = 32)
    ) STRICT",
    "CREATE TABLE IF NOT EXISTS blobs (
        digest TEXT PRIMARY KEY NOT NULL,
        body BLOB NOT NULL
    ) STRICT",
    "CREATE TABLE IF NOT EXISTS numbers (
        workflow TEXT PRIMARY KEY NOT NULL,
        next INTEGER NOT NULL
    ) STRICT",
    "CREATE TABLE IF NOT EXISTS runs (
        position INTEGER PRIMARY KEY AUTOINCREMENT,
        run_id TEXT NOT NULL UNIQUE,
        workflow TEXT NOT NULL,
        post_id TEXT NOT NULL,
        number INTEGER NOT NULL,
        status TEXT NOT NULL CHECK (status IN ('open', 'ended')),
        record_count INTEGER NOT NULL CHECK (record_count >= 0),
        started_ms INTEGER NOT NULL DEFAULT 0,
        fold_key TEXT,
        UNIQUE (workflow, post_id),
        UNIQUE (workflow, number)
    ) STRICT",
    "CREATE INDEX IF NOT EXISTS runs_started ON runs (workflow, started_ms)",
    "CREATE UNIQUE INDEX IF NOT EXISTS runs_keyed ON runs (workflow, fold_key) WHERE status = 'open'",
    "CREATE INDEX IF NOT EXISTS runs_open ON runs (position) WHERE status = 'open'",
    "CREATE TABLE IF NOT EXISTS records (
        run_id TEXT NOT NULL REFERENCES runs (run_id),
        seq INTEGER NOT NULL,
        kind TEXT NOT NULL,
        version INTEGER NOT NULL,
        body BLOB NOT NULL,
        PRIMARY KEY (run_id, seq)
    ) STRICT",
    "CREATE TABLE IF NOT EXISTS documents (
        kind TEXT NOT NULL,
        id TEXT NOT NULL,
        revision INTEGER NOT NULL CHECK (revision > 0),
        body BLOB NOT NULL,
        PRIMARY KEY (kind, id)
    ) STRICT",
    "CREATE TABLE IF NOT EXISTS watermarks (
        channel_id TEXT PRIMARY KEY NOT NULL,
        at_ms INTEGER NOT NULL
    ) STRICT, WITHOUT ROWID",
    // A file of a version without it has it from the next start on; a program that does not know it loses nothing by that.
    "CREATE TABLE IF NOT EXISTS margins (
        channel_id TEXT PRIMARY KEY NOT NULL,
        since_ms INTEGER NOT NULL,
        near TEXT NOT NULL
    ) STRICT, WITHOUT ROWID",
    "CREATE TABLE IF NOT EXISTS claims (
        kind TEXT NOT NULL,
        scope TEXT NOT NULL,
        name TEXT NOT NULL,
        run_id TEXT NOT NULL REFERENCES runs (run_id),
        PRIMARY KEY (kind, scope, name)
    ) STRICT, WITHOUT ROWID",
];
