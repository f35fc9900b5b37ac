//! All that is said to SQLite.

use std::path::PathBuf;
use std::time::Duration;

use sqlx::sqlite::{
    SqliteConnectOptions, SqliteJournalMode, SqliteLockingMode, SqliteRow, SqliteSynchronous,
};
use sqlx::{ConnectOptions as _, Connection as _, Row as _, SqliteConnection};

use crate::append::Place;
use crate::error::StoreError;
use crate::location::{self, Location};
use crate::record::{NewRun, POST_CLAIM, Record, RunRow, RunStatus, StartOutcome};
use crate::schema;
use crate::transaction::Transaction;

/// How long opening waits for a lock: a service that restarts may overlap with its predecessor for a moment.
const LOCK_WAIT: Duration = Duration::from_millis(500);

/// SQLite's codes for a file that somebody else has; the low byte of an extended code.
const CODES_LOCKED: [i32; 2] = [5, 6];

/// The connection and what it checks.
pub(crate) struct Sqlite {
    pub(crate) connection: SqliteConnection,
    pub(crate) record_bytes_max: usize,
    pub(crate) transaction: Transaction,
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
        let mut db = Self { connection, record_bytes_max, transaction: Transaction::Shared };
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

    /// Closes the file.
    pub(crate) async fn close(self) {
        if let Err(error) = self.connection.close().await {
            tracing::warn!(%error, "the journal did not close cleanly; what was acknowledged is on disk all the same");
        }
    }

    /// See [`crate::Store::secret`].
    pub(crate) async fn secret(&mut self, name: &str, fresh: [u8; 32]) -> Result<[u8; 32], StoreError> {
        let doing = "read a secret";
        self.begin_to_write().await?;
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
        self.begin_to_write().await?;
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
        let since_ms = new.limit.map(|limit| limit.since_ms);
        let keyed = (new.fold_key.as_deref(), new.replaces.as_deref());
        let standing = self.standing(&new.workflow, &new.post_id, keyed, since_ms).await;
        let Standing { of_post, of_key, lately, next } = standing.map_err(failed)?;
        if let Some(run_id) = of_post {
            return Ok(StartOutcome::AlreadyStarted { run_id });
        }
        if let Some(run_id) = of_key {
            return Ok(StartOutcome::Keyed { run_id });
        }
        if new.limit.is_some_and(|limit| lately >= i64::from(limit.starts)) {
            return Ok(StartOutcome::Limited);
        }
        // Nobody else writes between the reading and this: the file is locked, and there is one connection.
        let next = next.map(|next| natural("the next number", next)).transpose()?;
        let number = next.map_or(new.number_start, |next| next.max(new.number_start));
        let after = integer("a run's number", number.saturating_add(1))?;
        let records = (new.first)(number);
        let mut start = self.writing();
        if let Some(replaced) = &new.replaces {
            start.push("UPDATE runs SET fold_key = NULL WHERE run_id = ").push_bind(replaced).push("; ");
        }
        start.push("INSERT INTO numbers (workflow, next) VALUES (").push_bind(&new.workflow);
        start.push(", ").push_bind(after);
        start.push(
            ") ON CONFLICT (workflow) DO UPDATE SET next = excluded.next; \
             INSERT INTO runs (run_id, workflow, post_id, number, status, record_count, started_ms, fold_key) VALUES (",
        );
        let mut values = start.separated(", ");
        values.push_bind(&new.run_id);
        values.push_bind(&new.workflow);
        values.push_bind(&new.post_id);
        values.push_bind(integer("a run's number", number)?);
        values.push_bind(status_word(RunStatus::Open));
        values.push_bind(integer("a run's records", count(records.len()))?);
        values.push_bind(integer("the time of a start", new.at_ms)?);
        values.push_bind(&new.fold_key);
        start.push(")");
        self.insert_records(start, &new.run_id, 0, &records, Place::Last).await?;
        Ok(StartOutcome::Started { number })
    }

    /// See [`crate::Store::has_taken`].
    pub(crate) async fn has_taken(&mut self, workflow: &str, post_id: &str) -> Result<bool, StoreError> {
        let standing = self.standing(workflow, post_id, (None, None), None).await;
        let standing = standing.map_err(|error| StoreError::database("look up a post", &error))?;
        Ok(standing.of_post.is_some())
    }

    /// All that decides about a start, read at once. With the key comes the run that is to give it up.
    async fn standing(
        &mut self,
        workflow: &str,
        post_id: &str,
        (fold_key, replaced): (Option<&str>, Option<&str>),
        since_ms: Option<u64>,
    ) -> Result<Standing, sqlx::Error> {
        // Without a limit nothing is to be counted: no run started so late.
        let since_ms = since_ms.and_then(|since_ms| i64::try_from(since_ms).ok()).unwrap_or(i64::MAX);
        let row = sqlx::query(
            "SELECT
                 coalesce((SELECT run_id FROM runs WHERE workflow = ?1 AND post_id = ?2),
                          (SELECT run_id FROM claims WHERE kind = ?3 AND scope = ?1 AND name = ?2)),
                 (SELECT run_id FROM runs WHERE workflow = ?1 AND fold_key = ?4 AND status = 'open' AND run_id IS NOT ?6),
                 (SELECT count(*) FROM runs WHERE workflow = ?1 AND started_ms >= ?5),
                 (SELECT next FROM numbers WHERE workflow = ?1)",
        )
        .bind(workflow)
        .bind(post_id)
        .bind(POST_CLAIM)
        .bind(fold_key)
        .bind(since_ms)
        .bind(replaced)
        .fetch_one(&mut self.connection)
        .await?;
        Ok(Standing {
            of_post: row.try_get(0)?,
            of_key: row.try_get(1)?,
            lately: row.try_get(2)?,
            next: row.try_get(3)?,
        })
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

    pub(crate) async fn take_number(&mut self, workflow: &str, start: u64) -> Result<u64, StoreError> {
        let doing = format!("number a run of {workflow}");
        let number: i64 = sqlx::query(
            "INSERT INTO numbers (workflow, next) VALUES (?1, ?2 + 1)
             ON CONFLICT (workflow) DO UPDATE SET next = max(next, ?2) + 1 RETURNING next - 1",
        )
        .bind(workflow)
        .bind(integer("a run's number", start)?)
        .fetch_one(&mut self.connection)
        .await
        .and_then(|row| row.try_get(0))
        .map_err(|error| StoreError::database(doing, &error))?;
        natural("a run's number", number)
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

/// What decides about a start.
struct Standing {
    /// The run that the post started, or that took it in and claimed it.
    of_post: Option<String>,
    /// The open run that has the key.
    of_key: Option<String>,
    /// How many runs of the workflow started lately.
    lately: i64,
    /// The workflow's next number, if it had a run.
    next: Option<i64>,
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
