//! What is said to SQLite about runs, secrets and blobs, and where its transactions begin and end.

use std::path::Path;
use std::time::Duration;

use rusqlite::config::DbConfig;
use rusqlite::{Connection, ErrorCode, OpenFlags, OptionalExtension as _, Params, Row, TransactionBehavior};

use crate::error::{StoreError, reason};
use crate::location::{self, Location};
use crate::record::{NewRun, POST_CLAIM, Record, RunRow, RunStatus, StartOutcome};
use crate::schema;

/// How long opening waits for a lock: a service that restarts may overlap with its predecessor for a moment.
const LOCK_WAIT: Duration = Duration::from_millis(500);

/// How many statements stay prepared: more than this crate has.
const STATEMENTS_PREPARED_MAX: usize = 64;

/// `locking_mode` comes before `journal_mode`: so the write-ahead log needs no shared memory.
const SETTINGS: &str = "PRAGMA locking_mode = EXCLUSIVE;
    PRAGMA journal_mode = WAL;
    PRAGMA synchronous = FULL;
    PRAGMA foreign_keys = ON;";

/// The connection and what it checks.
pub(crate) struct Sqlite {
    pub(crate) connection: Connection,
    pub(crate) record_bytes_max: usize,
}

/// Opening and closing.
impl Sqlite {
    /// Opens the database and brings its tables up to date.
    pub(crate) fn open(location: &Location, record_bytes_max: usize) -> Result<Self, StoreError> {
        if let Location::File(path) = location {
            location::create_file(path)?;
        }
        let failed = |error: rusqlite::Error| opening_failed(location.path(), &error);
        let mut connection = connect(location.path()).map_err(failed)?;
        let found = create_tables(&mut connection).map_err(failed)?;
        if found > schema::VERSION {
            return Err(StoreError::NewerSchema { found, known: schema::VERSION });
        }
        Ok(Self { connection, record_bytes_max })
    }

    /// Closes the file.
    pub(crate) fn close(self) {
        if let Err((_, error)) = self.connection.close() {
            tracing::warn!(%error, "the journal did not close cleanly; what was acknowledged is on disk all the same");
        }
    }
}

fn connect(path: &Path) -> rusqlite::Result<Connection> {
    // One thread has the connection, so SQLite needs no mutex.
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)?;
    connection.set_prepared_statement_cache_capacity(STATEMENTS_PREPARED_MAX);
    connection.busy_timeout(LOCK_WAIT)?;
    // Without it, SQLite plans a statement anew for each other value that some index might be of use for.
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
    connection.execute_batch(SETTINGS)?;
    Ok(connection)
}

/// Brings the tables up to date and says which version they had; those of a later version stay as they are.
///
/// Writing even when all is there takes the lock for good, which is what keeps a second host out.
fn create_tables(connection: &mut Connection) -> rusqlite::Result<i64> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    // The version first: the tables of a later one may not fit what follows.
    transaction.execute(schema::META, ())?;
    transaction.execute(
        "INSERT INTO meta (name, value) VALUES ('schema_version', ?1) ON CONFLICT DO NOTHING",
        (schema::VERSION,),
    )?;
    let found: i64 =
        transaction
            .query_row("SELECT value FROM meta WHERE name = 'schema_version'", (), |row| row.get(0))?;
    if found > schema::VERSION {
        return Ok(found);
    }
    if found == 1 {
        for change in schema::FROM_1_TO_2 {
            transaction.execute(change, ())?;
        }
    }
    transaction.execute("UPDATE meta SET value = ?1 WHERE name = 'schema_version'", (schema::VERSION,))?;
    for table in schema::TABLES {
        transaction.execute(table, ())?;
    }
    transaction.commit()?;
    Ok(found)
}

fn opening_failed(path: &Path, error: &rusqlite::Error) -> StoreError {
    let path = path.to_owned();
    match error.sqlite_error_code() {
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => StoreError::Locked { path },
        _ => StoreError::File { doing: "open the journal", path, reason: reason(error) },
    }
}

/// Transactions. One that only reads takes no lock and waits for no disk.
impl Sqlite {
    /// Begins a transaction.
    pub(crate) fn begin(&mut self) -> Result<(), StoreError> {
        self.control("BEGIN", "begin a transaction")
    }

    /// Ends the transaction; what was written is on disk afterwards.
    pub(crate) fn commit(&mut self) -> Result<(), StoreError> {
        self.control("COMMIT", "commit a transaction")
    }

    /// Gives up the transaction, if SQLite did not do so by itself.
    pub(crate) fn rollback(&mut self) {
        if self.connection.is_autocommit() {
            return;
        }
        if let Err(error) = self.control("ROLLBACK", "roll back a transaction") {
            tracing::error!(%error, "a transaction of the journal stays open");
        }
    }

    /// Begins a part of the transaction that can be undone by itself.
    pub(crate) fn savepoint(&mut self) -> Result<(), StoreError> {
        self.control("SAVEPOINT request", "begin a request")
    }

    /// Ends the part and keeps it.
    pub(crate) fn release(&mut self) -> Result<(), StoreError> {
        self.control("RELEASE request", "end a request")
    }

    /// Ends the part and undoes it.
    pub(crate) fn undo(&mut self) -> Result<(), StoreError> {
        self.control("ROLLBACK TO request", "undo a request")?;
        self.release()
    }

    fn control(&mut self, statement: &str, doing: &str) -> Result<(), StoreError> {
        self.execute(statement, ()).map_err(|error| StoreError::database(doing, &error))
    }
}

/// Statements, which stay prepared.
impl Sqlite {
    /// Executes a statement that gives no rows.
    pub(crate) fn execute(&mut self, statement: &str, values: impl Params) -> rusqlite::Result<()> {
        self.connection.prepare_cached(statement)?.execute(values).map(|_| ())
    }

    /// The first row, if there is one.
    pub(crate) fn row<T>(
        &self,
        query: &str,
        values: impl Params,
        read: impl FnOnce(&Row<'_>) -> rusqlite::Result<T>,
    ) -> rusqlite::Result<Option<T>> {
        self.connection.prepare_cached(query)?.query_row(values, read).optional()
    }

    /// All rows.
    pub(crate) fn rows<T>(
        &self,
        query: &str,
        values: impl Params,
        read: impl FnMut(&Row<'_>) -> rusqlite::Result<T>,
    ) -> rusqlite::Result<Vec<T>> {
        self.connection.prepare_cached(query)?.query_map(values, read)?.collect()
    }
}

/// Secrets and blobs.
impl Sqlite {
    /// See [`crate::Store::secret`].
    pub(crate) fn secret(&mut self, name: &str, fresh: [u8; 32]) -> Result<[u8; 32], StoreError> {
        let failed = |error: rusqlite::Error| StoreError::database("read a secret", &error);
        let query = "SELECT value FROM secrets WHERE name = ?1";
        if let Some(value) = self.row(query, (name,), |row| row.get(0)).map_err(failed)? {
            return Ok(value);
        }
        self.execute("INSERT INTO secrets (name, value) VALUES (?1, ?2)", (name, fresh)).map_err(failed)?;
        Ok(fresh)
    }

    /// See [`crate::Store::put_blob`].
    pub(crate) fn put_blob(&mut self, digest: &str, bytes: &[u8]) -> Result<(), StoreError> {
        let failed =
            |error: rusqlite::Error| StoreError::database(format!("store the blob {digest}"), &error);
        // SQLite copies the bytes before it finds that it has them.
        let stored =
            self.row("SELECT 1 FROM blobs WHERE digest = ?1", (digest,), |_| Ok(())).map_err(failed)?;
        if stored.is_some() {
            return Ok(());
        }
        self.execute("INSERT INTO blobs (digest, body) VALUES (?1, ?2)", (digest, bytes)).map_err(failed)
    }

    /// See [`crate::Store::blob`].
    pub(crate) fn blob(&self, digest: &str) -> Result<Option<Vec<u8>>, StoreError> {
        self.row("SELECT body FROM blobs WHERE digest = ?1", (digest,), |row| row.get(0))
            .map_err(|error| StoreError::database(format!("read the blob {digest}"), &error))
    }
}

/// Starts and their numbers.
impl Sqlite {
    /// See [`crate::Store::start_run`].
    pub(crate) fn start_run(&mut self, new: NewRun) -> Result<StartOutcome, StoreError> {
        let failed =
            |error: rusqlite::Error| StoreError::database(format!("start run {}", new.run_id), &error);
        if let Some(refusal) = self.start_refusal(&new).map_err(failed)? {
            return Ok(refusal);
        }
        let number = self.free_number(&new.workflow, new.number_start)?;
        let records = (new.first)(number);
        self.check_records(&new.run_id, &records)?;
        let values = (
            &new.run_id,
            &new.workflow,
            &new.post_id,
            integer("a run's number", number)?,
            status_word(RunStatus::Open),
            integer("a run's records", count(records.len()))?,
            integer("the time of a start", new.at_ms)?,
            &new.fold_key,
        );
        if let Some(replaced) = &new.replaces {
            self.execute("UPDATE runs SET fold_key = NULL WHERE run_id = ?1", (replaced,)).map_err(failed)?;
        }
        self.take_number(&new.workflow, number)?;
        self.execute(
            "INSERT INTO runs (run_id, workflow, post_id, number, status, record_count, started_ms, fold_key)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
            values,
        )
        .map_err(failed)?;
        self.insert_records(&new.run_id, 0, &records).map_err(failed)?;
        Ok(StartOutcome::Started { number })
    }

    /// What stands against a start. Nobody else writes between this and the start: the file is locked, and there is one connection.
    fn start_refusal(&self, new: &NewRun) -> rusqlite::Result<Option<StartOutcome>> {
        if let Some(run_id) = self.taken_by(&new.workflow, &new.post_id)? {
            return Ok(Some(StartOutcome::AlreadyStarted { run_id }));
        }
        if let Some(key) = &new.fold_key
            && let Some(run_id) = self.keyed_by(&new.workflow, key, new.replaces.as_deref())?
        {
            return Ok(Some(StartOutcome::Keyed { run_id }));
        }
        if let Some(limit) = new.limit
            && self.starts_around(&new.workflow, limit.since_ms, new.at_ms)? >= i64::from(limit.starts)
        {
            return Ok(Some(StartOutcome::Limited));
        }
        Ok(None)
    }

    /// See [`crate::Store::has_taken`].
    pub(crate) fn has_taken(&self, workflow: &str, post_id: &str) -> Result<bool, StoreError> {
        let taken = self.taken_by(workflow, post_id);
        taken.map(|by_run| by_run.is_some()).map_err(|error| StoreError::database("look up a post", &error))
    }

    /// The run that the post started, or that took it in and claimed it.
    fn taken_by(&self, workflow: &str, post_id: &str) -> rusqlite::Result<Option<String>> {
        self.row(
            "SELECT coalesce((SELECT run_id FROM runs WHERE workflow = ?1 AND post_id = ?2),
                             (SELECT run_id FROM claims WHERE kind = ?3 AND scope = ?1 AND name = ?2))",
            (workflow, post_id, POST_CLAIM),
            |row| row.get(0),
        )
        .map(Option::flatten)
    }

    /// The open run that has the key, other than the one that is to give it up.
    fn keyed_by(
        &self,
        workflow: &str,
        key: &str,
        replaced: Option<&str>,
    ) -> rusqlite::Result<Option<String>> {
        self.row(
            "SELECT run_id FROM runs WHERE workflow = ?1 AND fold_key = ?2 AND status = 'open' AND run_id IS NOT ?3",
            (workflow, key, replaced),
            |row| row.get(0),
        )
    }

    /// How many runs of the workflow started since then, or as long after now: a clock that was ahead, and was set back, is not to keep
    /// others from starting until that time has come.
    fn starts_around(&self, workflow: &str, since_ms: u64, now_ms: u64) -> rusqlite::Result<i64> {
        let until_ms = now_ms.saturating_add(now_ms.saturating_sub(since_ms));
        // No run started later than SQLite can say.
        let [since_ms, until_ms] = [since_ms, until_ms].map(|ms| i64::try_from(ms).unwrap_or(i64::MAX));
        let query = "SELECT count(*) FROM runs WHERE workflow = ?1 AND started_ms BETWEEN ?2 AND ?3";
        Ok(self.row(query, (workflow, since_ms, until_ms), |row| row.get(0))?.unwrap_or_default())
    }

    /// See [`crate::Store::next_number`].
    pub(crate) fn next_number(&self, workflow: &str) -> Result<Option<u64>, StoreError> {
        self.row("SELECT next FROM numbers WHERE workflow = ?1", (workflow,), |row| row.get(0))
            .map_err(|error| StoreError::database(format!("read the next number of {workflow}"), &error))?
            .map(|next| natural("the next number", next))
            .transpose()
    }

    /// The number that a run of the workflow may take now: one that can be stored, and so can the one after it.
    pub(crate) fn free_number(&self, workflow: &str, start: u64) -> Result<u64, StoreError> {
        let number = self.next_number(workflow)?.map_or(start, |next| next.max(start));
        integer("a run's number", number.saturating_add(1)).map(|_| number)
    }

    /// Gives the number to no other run of the workflow.
    pub(crate) fn take_number(&mut self, workflow: &str, number: u64) -> Result<(), StoreError> {
        let next = integer("a run's number", number.saturating_add(1))?;
        self.execute(
            "INSERT INTO numbers (workflow, next) VALUES (?1, ?2)
             ON CONFLICT (workflow) DO UPDATE SET next = excluded.next",
            (workflow, next),
        )
        .map_err(|error| StoreError::database(format!("number a run of {workflow}"), &error))
    }
}

/// Runs and their records.
impl Sqlite {
    /// See [`crate::Store::records`].
    pub(crate) fn records(&self, run_id: &str) -> Result<Vec<Record>, StoreError> {
        let query = "SELECT kind, version, body FROM records WHERE run_id = ?1 ORDER BY seq";
        let record =
            |row: &Row<'_>| Ok(Record { kind: row.get(0)?, version: row.get(1)?, body: row.get(2)? });
        self.rows(query, (run_id,), record)
            .map_err(|error| StoreError::database(format!("read run {run_id}"), &error))
    }

    /// See [`crate::Store::open_runs`].
    pub(crate) fn open_runs(&self) -> Result<Vec<RunRow>, StoreError> {
        let query =
            "SELECT run_id, workflow, number, status FROM runs WHERE status = 'open' ORDER BY position";
        self.run_rows(query, (), "list the open runs")
    }

    /// See [`crate::Store::run`].
    pub(crate) fn run(&self, run_id: &str) -> Result<Option<RunRow>, StoreError> {
        let query = "SELECT run_id, workflow, number, status FROM runs WHERE run_id = ?1";
        Ok(self.run_rows(query, (run_id,), &format!("look up run {run_id}"))?.pop())
    }

    /// See [`crate::Store::run_by_number`].
    pub(crate) fn run_by_number(&self, workflow: &str, number: u64) -> Result<Option<RunRow>, StoreError> {
        let query = "SELECT run_id, workflow, number, status FROM runs WHERE workflow = ?1 AND number = ?2";
        let values = (workflow, integer("a run's number", number)?);
        Ok(self.run_rows(query, values, &format!("look up {workflow} {number}"))?.pop())
    }

    /// See [`crate::Store::runs`].
    pub(crate) fn runs(&self, limit: u32) -> Result<Vec<RunRow>, StoreError> {
        let query = "SELECT run_id, workflow, number, status FROM runs ORDER BY position DESC LIMIT ?1";
        self.run_rows(query, (limit,), "list the runs")
    }

    fn run_rows(&self, query: &str, values: impl Params, doing: &str) -> Result<Vec<RunRow>, StoreError> {
        let columns = |row: &Row<'_>| <(String, String, i64, String)>::try_from(row);
        let rows = self.rows(query, values, columns).map_err(|error| StoreError::database(doing, &error))?;
        rows.into_iter().map(run_row).collect()
    }
}

fn run_row((run_id, workflow, number, word): (String, String, i64, String)) -> Result<RunRow, StoreError> {
    let number = natural("a run's number", number)?;
    // The table allows only the two words.
    let status = if word == status_word(RunStatus::Open) { RunStatus::Open } else { RunStatus::Ended };
    Ok(RunRow { run_id, workflow, number, status })
}

pub(crate) fn status_word(status: RunStatus) -> &'static str {
    match status {
        RunStatus::Open => "open",
        RunStatus::Ended => "ended",
    }
}

pub(crate) fn count(length: usize) -> u64 {
    u64::try_from(length).unwrap_or(u64::MAX)
}

/// SQLite's integers are signed.
pub(crate) fn integer(what: &str, value: u64) -> Result<i64, StoreError> {
    i64::try_from(value).map_err(|_| StoreError::TooLarge {
        what: what.to_owned(),
        size: value,
        max: i64::MAX.unsigned_abs(),
    })
}

pub(crate) fn natural(what: &str, value: i64) -> Result<u64, StoreError> {
    u64::try_from(value).map_err(|_| StoreError::Database {
        doing: "read the journal".into(),
        reason: format!("{what} is {value}, which this program never writes"),
    })
}

#[cfg(test)]
mod tests {
    use rusqlite::StatementStatus;
    use rusqlite::types::Value;
    use tempfile::TempDir;

    use super::*;

    #[test]
    fn the_settings_are_in_force() {
        let directory = TempDir::new().unwrap();
        let db = Sqlite::open(&Location::File(directory.path().join("journal.db")), 1000).unwrap();
        let settings: [(&str, Value); 5] = [
            ("locking_mode", "exclusive".to_owned().into()),
            ("journal_mode", "wal".to_owned().into()),
            ("synchronous", 2.into()),
            ("foreign_keys", 1.into()),
            ("busy_timeout", 500.into()),
        ];
        for (name, value) in settings {
            let found = db.row(&format!("PRAGMA {name}"), (), |row| row.get(0)).unwrap();
            assert_eq!(found, Some(value), "{name}");
        }
    }

    #[test]
    fn a_statement_is_planned_once_whatever_its_values() {
        let db = Sqlite::open(&Location::Memory, 1000).unwrap();
        // There is an index of those that are open, which is of use for one of the values.
        let query = "SELECT position FROM runs WHERE status = ?1 ORDER BY position";
        let mut statement = db.connection.prepare(query).unwrap();
        for status in ["open", "closed", "open"] {
            assert!(!statement.exists((status,)).unwrap());
        }
        assert_eq!(statement.get_status(StatementStatus::RePrepare), 0);
    }
}
