//! All that is said to SQLite.

use std::path::PathBuf;
use std::time::Duration;

use sqlx::sqlite::{
    SqliteConnectOptions, SqliteJournalMode, SqliteLockingMode, SqliteRow, SqliteSynchronous,
};
use sqlx::{ConnectOptions as _, Connection as _, Row as _, SqliteConnection};

use crate::error::StoreError;
use crate::location::{self, Location};
use crate::record::{
    Claim, FirstRecords, NewRun, POST_CLAIM, Record, RunRow, RunStatus, StartLimit, StartOutcome,
};
use crate::schema;
use crate::store::{RECORDS_AT_ONCE_MAX, bounded};

/// How long opening waits for a lock: a service that restarts may overlap with its predecessor for a moment.
const LOCK_WAIT: Duration = Duration::from_millis(500);

/// SQLite's codes for a file that somebody else has; the low byte of an extended code.
const CODES_LOCKED: [i32; 2] = [5, 6];

/// The connection and what it checks.
pub(crate) struct Sqlite {
    pub(crate) connection: SqliteConnection,
    pub(crate) record_bytes_max: usize,
}

impl Sqlite {
    /// Opens the database and brings its tables up to date.
    pub(crate) async fn open(location: Location, record_bytes_max: usize) -> Result<Self, StoreError> {
        // `locking_mode` comes before `journal_mode` in the order of sqlx: so the write-ahead log needs no shared memory.
        let options = SqliteConnectOptions::new()
            .locking_mode(SqliteLockingMode::Exclusive)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full)
            .foreign_keys(true)
            .busy_timeout(LOCK_WAIT)
            .disable_statement_logging();
        let (options, path) = match location {
            Location::Memory => (options, PathBuf::from(":memory:")),
            Location::File(path) => {
                location::create_file(&path).await?;
                (options.filename(&path), path)
            }
        };
        let failed = |error: sqlx::Error| opening_failed(path.clone(), &error);
        let connection = options.connect().await.map_err(failed)?;
        let mut db = Self { connection, record_bytes_max };
        db.create_tables().await.map_err(|error| match error {
            SchemaError::Newer(found) => StoreError::NewerSchema { found, known: schema::VERSION },
            SchemaError::Database(error) => failed(error),
        })?;
        Ok(db)
    }

    /// Writing even when all is there takes the lock for good, which is what keeps a second host out.
    async fn create_tables(&mut self) -> Result<(), SchemaError> {
        let mut transaction = self.connection.begin_with("BEGIN IMMEDIATE").await?;
        // The version first: the tables of a later one may not fit what follows.
        sqlx::query(schema::META).execute(&mut *transaction).await?;
        sqlx::query("INSERT INTO meta (name, value) VALUES ('schema_version', ?) ON CONFLICT DO NOTHING")
            .bind(schema::VERSION)
            .execute(&mut *transaction)
            .await?;
        let found: i64 = sqlx::query("SELECT value FROM meta WHERE name = 'schema_version'")
            .fetch_one(&mut *transaction)
            .await?
            .try_get(0)?;
        if found > schema::VERSION {
            return Err(SchemaError::Newer(found));
        }
        if found == 1 {
            for change in schema::FROM_1_TO_2 {
                sqlx::query(*change).execute(&mut *transaction).await?;
            }
        }
        sqlx::query("UPDATE meta SET value = ? WHERE name = 'schema_version'")
            .bind(schema::VERSION)
            .execute(&mut *transaction)
            .await?;
        for table in schema::TABLES {
            sqlx::query(*table).execute(&mut *transaction).await?;
        }
        transaction.commit().await?;
        Ok(())
    }

    /// Begins a transaction.
    pub(crate) async fn begin(&mut self) -> Result<(), StoreError> {
        self.control("BEGIN", "begin a transaction").await
    }

    /// Begins a part of the transaction that can be undone by itself.
    pub(crate) async fn savepoint(&mut self) -> Result<(), StoreError> {
        self.control("SAVEPOINT request", "begin a request").await
    }

    /// Ends the part and keeps it.
    pub(crate) async fn release(&mut self) -> Result<(), StoreError> {
        self.control("RELEASE request", "end a request").await
    }

    /// Ends the part and undoes it.
    pub(crate) async fn undo(&mut self) -> Result<(), StoreError> {
        self.control("ROLLBACK TO request", "undo a request").await?;
        self.release().await
    }

    /// Ends the transaction; it is on disk afterwards.
    pub(crate) async fn commit(&mut self) -> Result<(), StoreError> {
        self.control("COMMIT", "commit a transaction").await
    }

    /// Gives up the transaction. SQLite may have done so by itself, and then this fails and nothing is left to do.
    pub(crate) async fn rollback(&mut self) {
        if let Err(error) = self.control("ROLLBACK", "roll back a transaction").await {
            tracing::debug!(%error, "the transaction was gone already");
        }
    }

    async fn control(&mut self, statement: &'static str, doing: &str) -> Result<(), StoreError> {
        sqlx::query(statement)
            .execute(&mut self.connection)
            .await
            .map(|_| ())
            .map_err(|error| StoreError::database(doing, &error))
    }

    /// Says something to SQLite that the program never says.
    #[cfg(test)]
    pub(crate) async fn say(&mut self, statement: &'static str) -> Result<(), StoreError> {
        self.control(statement, "test").await
    }

    /// Closes the file.
    pub(crate) async fn close(self) {
        if let Err(error) = self.connection.close().await {
            tracing::warn!(%error, "the journal did not close cleanly; what was acknowledged is on disk all the same");
        }
    }

    /// See [`crate::Store::secret`].
    pub(crate) async fn secret(&mut self, name: &str, fresh: [u8; 32]) -> Result<[u8; 32], StoreError> {
        let doing = "read a secret";
        let failed = |error: sqlx::Error| StoreError::database(doing, &error);
        sqlx::query("INSERT INTO secrets (name, value) VALUES (?, ?) ON CONFLICT DO NOTHING")
            .bind(name)
            .bind(fresh.as_slice())
            .execute(&mut self.connection)
            .await
            .map_err(failed)?;
        let value: Vec<u8> = sqlx::query("SELECT value FROM secrets WHERE name = ?")
            .bind(name)
            .fetch_one(&mut self.connection)
            .await
            .and_then(|row| row.try_get(0))
            .map_err(failed)?;
        let wrong = |value: Vec<u8>| StoreError::Database {
            doing: doing.to_owned(),
            reason: format!("the secret `{name}` has {} bytes instead of 32", value.len()),
        };
        value.try_into().map_err(wrong)
    }

    /// See [`crate::Store::put_blob`].
    pub(crate) async fn put_blob(&mut self, digest: &str, bytes: &[u8]) -> Result<(), StoreError> {
        sqlx::query("INSERT INTO blobs (digest, body) VALUES (?, ?) ON CONFLICT DO NOTHING")
            .bind(digest)
            .bind(bytes)
            .execute(&mut self.connection)
            .await
            .map(|_| ())
            .map_err(|error| StoreError::database(format!("store the blob {digest}"), &error))
    }

    /// See [`crate::Store::blob`].
    pub(crate) async fn blob(&mut self, digest: &str) -> Result<Option<Vec<u8>>, StoreError> {
        sqlx::query("SELECT body FROM blobs WHERE digest = ?")
            .bind(digest)
            .fetch_optional(&mut self.connection)
            .await
            .and_then(|row| row.map(|row| row.try_get(0)).transpose())
            .map_err(|error| StoreError::database(format!("read the blob {digest}"), &error))
    }

    /// See [`crate::Store::start_run`].
    pub(crate) async fn start_run(&mut self, new: NewRun) -> Result<StartOutcome, StoreError> {
        let doing = format!("start run {}", new.run_id);
        let failed = |error: sqlx::Error| StoreError::database(doing.as_str(), &error);
        if let Some(run_id) = self.run_of_post(&new.workflow, &new.post_id).await.map_err(failed)? {
            return Ok(StartOutcome::AlreadyStarted { run_id });
        }
        if let Some(key) = &new.fold_key
            && let Some(run_id) = self.run_of_key(&new.workflow, key).await.map_err(failed)?
        {
            return Ok(StartOutcome::Keyed { run_id });
        }
        if let Some(limit) = new.limit
            && self.is_limited(&new.workflow, limit).await.map_err(failed)?
        {
            return Ok(StartOutcome::Limited);
        }
        let number = self.take_number(&new.workflow, new.number_start).await?;
        let records = (new.first)(number);
        sqlx::query(
            "INSERT INTO runs (run_id, workflow, post_id, number, status, record_count, started_ms, fold_key)
             VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        )
        .bind(&new.run_id)
        .bind(&new.workflow)
        .bind(&new.post_id)
        .bind(integer("a run's number", number)?)
        .bind(status_word(RunStatus::Open))
        .bind(integer("a run's records", count(records.len()))?)
        .bind(integer("the time of a start", new.at_ms)?)
        .bind(&new.fold_key)
        .execute(&mut self.connection)
        .await
        .map_err(failed)?;
        self.insert_records(&new.run_id, 0, records).await?;
        Ok(StartOutcome::Started { number })
    }

    /// See [`crate::Store::has_taken`].
    pub(crate) async fn has_taken(&mut self, workflow: &str, post_id: &str) -> Result<bool, StoreError> {
        let found = self.run_of_post(workflow, post_id).await;
        found.map(|run| run.is_some()).map_err(|error| StoreError::database("look up a post", &error))
    }

    /// The run that the post started, or that took it in and claimed it.
    async fn run_of_post(&mut self, workflow: &str, post_id: &str) -> Result<Option<String>, sqlx::Error> {
        sqlx::query(
            "SELECT run_id FROM runs WHERE workflow = ?1 AND post_id = ?2
             UNION ALL SELECT run_id FROM claims WHERE kind = ?3 AND scope = ?1 AND name = ?2",
        )
        .bind(workflow)
        .bind(post_id)
        .bind(POST_CLAIM)
        .fetch_optional(&mut self.connection)
        .await
        .and_then(|row| row.map(|row| row.try_get(0)).transpose())
    }

    /// The open run that has the key.
    async fn run_of_key(&mut self, workflow: &str, key: &str) -> Result<Option<String>, sqlx::Error> {
        sqlx::query("SELECT run_id FROM runs WHERE workflow = ? AND fold_key = ? AND status = 'open'")
            .bind(workflow)
            .bind(key)
            .fetch_optional(&mut self.connection)
            .await
            .and_then(|row| row.map(|row| row.try_get(0)).transpose())
    }

    async fn is_limited(&mut self, workflow: &str, limit: StartLimit) -> Result<bool, sqlx::Error> {
        let lately: i64 = sqlx::query("SELECT count(*) FROM runs WHERE workflow = ? AND started_ms >= ?")
            .bind(workflow)
            .bind(i64::try_from(limit.since_ms).unwrap_or(i64::MAX))
            .fetch_one(&mut self.connection)
            .await?
            .try_get(0)?;
        Ok(lately >= i64::from(limit.starts))
    }

    /// See [`crate::Store::next_number`].
    pub(crate) async fn next_number(&mut self, workflow: &str) -> Result<Option<u64>, StoreError> {
        let failed =
            |error: sqlx::Error| StoreError::database(format!("read the next number of {workflow}"), &error);
        let next: Option<i64> = sqlx::query("SELECT next FROM numbers WHERE workflow = ?")
            .bind(workflow)
            .fetch_optional(&mut self.connection)
            .await
            .and_then(|row| row.map(|row| row.try_get(0)).transpose())
            .map_err(failed)?;
        next.map(|next| natural("the next number", next)).transpose()
    }

    async fn take_number(&mut self, workflow: &str, start: u64) -> Result<u64, StoreError> {
        let doing = format!("number a run of {workflow}");
        let failed = |error: sqlx::Error| StoreError::database(doing.as_str(), &error);
        let number = start.max(self.next_number(workflow).await?.unwrap_or(0));
        sqlx::query(
            "INSERT INTO numbers (workflow, next) VALUES (?, ?) ON CONFLICT (workflow) DO UPDATE SET next = excluded.next",
        )
        .bind(workflow)
        .bind(integer("a run's number", number.saturating_add(1))?)
        .execute(&mut self.connection)
        .await
        .map_err(failed)?;
        Ok(number)
    }

    /// See [`crate::Store::append`].
    pub(crate) async fn append(
        &mut self,
        run_id: &str,
        expected: u64,
        records: Vec<Record>,
        status: RunStatus,
        claims: Vec<Claim>,
    ) -> Result<(), StoreError> {
        let doing = format!("append to run {run_id}");
        let failed = |error: sqlx::Error| StoreError::database(doing.as_str(), &error);
        let actual: Option<i64> = sqlx::query("SELECT record_count FROM runs WHERE run_id = ?")
            .bind(run_id)
            .fetch_optional(&mut self.connection)
            .await
            .and_then(|row| row.map(|row| row.try_get(0)).transpose())
            .map_err(failed)?;
        let Some(actual) = actual else {
            return Err(StoreError::UnknownRun { run_id: run_id.to_owned() });
        };
        let actual = natural("a run's records", actual)?;
        if actual != expected {
            return Err(StoreError::Conflict { run_id: run_id.to_owned(), expected, actual });
        }
        for claim in claims {
            self.claim(run_id, claim).await?;
        }
        let total = expected.saturating_add(count(records.len()));
        self.insert_records(run_id, expected, records).await?;
        sqlx::query("UPDATE runs SET record_count = ?, status = ? WHERE run_id = ?")
            .bind(integer("a run's records", total)?)
            .bind(status_word(status))
            .bind(run_id)
            .execute(&mut self.connection)
            .await
            .map(|_| ())
            .map_err(failed)
    }

    async fn claim(&mut self, run_id: &str, claim: Claim) -> Result<(), StoreError> {
        let doing = format!("claim the {} {}", claim.kind, claim.name);
        let failed = |error: sqlx::Error| StoreError::database(doing.as_str(), &error);
        sqlx::query(
            "INSERT INTO claims (kind, scope, name, run_id) VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING",
        )
        .bind(&claim.kind)
        .bind(&claim.scope)
        .bind(&claim.name)
        .bind(run_id)
        .execute(&mut self.connection)
        .await
        .map_err(failed)?;
        let by_run: String =
            sqlx::query("SELECT run_id FROM claims WHERE kind = ? AND scope = ? AND name = ?")
                .bind(&claim.kind)
                .bind(&claim.scope)
                .bind(&claim.name)
                .fetch_one(&mut self.connection)
                .await
                .and_then(|row| row.try_get(0))
                .map_err(failed)?;
        if by_run == run_id { Ok(()) } else { Err(StoreError::Claimed { claim, by_run }) }
    }

    async fn insert_records(
        &mut self,
        run_id: &str,
        from: u64,
        records: Vec<Record>,
    ) -> Result<(), StoreError> {
        bounded(&format!("records of run {run_id} at once"), records.len(), RECORDS_AT_ONCE_MAX)?;
        for (seq, record) in (from..).zip(records) {
            let what = format!("a record `{}` of run {run_id} (bytes)", record.kind);
            bounded(&what, record.body.len(), self.record_bytes_max)?;
            sqlx::query("INSERT INTO records (run_id, seq, kind, version, body) VALUES (?, ?, ?, ?, ?)")
                .bind(run_id)
                .bind(integer("a run's records", seq)?)
                .bind(&record.kind)
                .bind(i64::from(record.version))
                .bind(&record.body)
                .execute(&mut self.connection)
                .await
                .map_err(|error| StoreError::database(format!("append to run {run_id}"), &error))?;
        }
        Ok(())
    }

    /// See [`crate::Store::renumber`].
    pub(crate) async fn renumber(
        &mut self,
        run_id: &str,
        expected: u64,
        number_start: u64,
        first: FirstRecords,
    ) -> Result<u64, StoreError> {
        let doing = format!("renumber run {run_id}");
        let failed = |error: sqlx::Error| StoreError::database(doing.as_str(), &error);
        let Some(row) = self.run(run_id).await? else {
            return Err(StoreError::UnknownRun { run_id: run_id.to_owned() });
        };
        let number = self.take_number(&row.workflow, number_start).await?;
        self.append(run_id, expected, first(number), row.status, Vec::new()).await?;
        sqlx::query("UPDATE runs SET number = ? WHERE run_id = ?")
            .bind(integer("a run's number", number)?)
            .bind(run_id)
            .execute(&mut self.connection)
            .await
            .map_err(failed)?;
        Ok(number)
    }

    /// See [`crate::Store::records`].
    pub(crate) async fn records(&mut self, run_id: &str) -> Result<Vec<Record>, StoreError> {
        let doing = format!("read run {run_id}");
        let failed = |error: sqlx::Error| StoreError::database(doing.as_str(), &error);
        let rows = sqlx::query("SELECT kind, version, body FROM records WHERE run_id = ? ORDER BY seq")
            .bind(run_id)
            .fetch_all(&mut self.connection)
            .await
            .map_err(failed)?;
        let record = |row: &SqliteRow| {
            Ok(Record { kind: row.try_get(0)?, version: row.try_get(1)?, body: row.try_get(2)? })
        };
        rows.iter().map(record).collect::<Result<_, _>>().map_err(failed)
    }

    /// See [`crate::Store::open_runs`].
    pub(crate) async fn open_runs(&mut self) -> Result<Vec<RunRow>, StoreError> {
        let rows = sqlx::query(
            "SELECT run_id, workflow, number, status FROM runs WHERE status = 'open' ORDER BY position",
        )
        .fetch_all(&mut self.connection)
        .await;
        run_rows(rows, "list the open runs")
    }

    /// See [`crate::Store::run`].
    pub(crate) async fn run(&mut self, run_id: &str) -> Result<Option<RunRow>, StoreError> {
        let rows = sqlx::query("SELECT run_id, workflow, number, status FROM runs WHERE run_id = ?")
            .bind(run_id)
            .fetch_all(&mut self.connection)
            .await;
        Ok(run_rows(rows, &format!("look up run {run_id}"))?.pop())
    }

    /// See [`crate::Store::run_by_number`].
    pub(crate) async fn run_by_number(
        &mut self,
        workflow: &str,
        number: u64,
    ) -> Result<Option<RunRow>, StoreError> {
        let rows = sqlx::query(
            "SELECT run_id, workflow, number, status FROM runs WHERE workflow = ? AND number = ?",
        )
        .bind(workflow)
        .bind(integer("a run's number", number)?)
        .fetch_all(&mut self.connection)
        .await;
        Ok(run_rows(rows, &format!("look up {workflow} {number}"))?.pop())
    }

    /// See [`crate::Store::runs`].
    pub(crate) async fn runs(&mut self, limit: u32) -> Result<Vec<RunRow>, StoreError> {
        let rows =
            sqlx::query("SELECT run_id, workflow, number, status FROM runs ORDER BY position DESC LIMIT ?")
                .bind(i64::from(limit))
                .fetch_all(&mut self.connection)
                .await;
        run_rows(rows, "list the runs")
    }
}

enum SchemaError {
    Newer(i64),
    Database(sqlx::Error),
}

impl From<sqlx::Error> for SchemaError {
    fn from(error: sqlx::Error) -> Self {
        Self::Database(error)
    }
}

fn opening_failed(path: PathBuf, error: &sqlx::Error) -> StoreError {
    let code =
        error.as_database_error().and_then(|error| error.code()).and_then(|code| code.parse::<i32>().ok());
    if code.is_some_and(|code| CODES_LOCKED.contains(&(code & 0xff))) {
        return StoreError::Locked { path };
    }
    StoreError::File { doing: "open the journal", path, reason: error.to_string() }
}

fn run_rows(rows: Result<Vec<SqliteRow>, sqlx::Error>, doing: &str) -> Result<Vec<RunRow>, StoreError> {
    let failed = |error: sqlx::Error| StoreError::database(doing, &error);
    let row = |row: &SqliteRow| {
        let status: String = row.try_get(3).map_err(failed)?;
        Ok(RunRow {
            run_id: row.try_get(0).map_err(failed)?,
            workflow: row.try_get(1).map_err(failed)?,
            number: natural("a run's number", row.try_get(2).map_err(failed)?)?,
            // The table allows only the two words.
            status: if status == status_word(RunStatus::Open) { RunStatus::Open } else { RunStatus::Ended },
        })
    };
    rows.map_err(failed)?.iter().map(row).collect()
}

fn status_word(status: RunStatus) -> &'static str {
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
