//! What is said to SQLite to append to a run.

use sqlx::{QueryBuilder, Row as _};

use crate::error::StoreError;
use crate::record::{Claim, FirstRecords, POST_CLAIM, Record, RunStatus};
use crate::sqlite::{Sqlite, count, integer, natural, status_word};
use crate::store::{RECORDS_AT_ONCE_MAX, bounded};

/// What is to be appended to a run.
struct Appending<'a> {
    run_id: &'a str,
    /// How many records it must have already.
    expected: u64,
    records: Vec<Record>,
    status: RunStatus,
    claims: Vec<Claim>,
}

/// Where a text stands among those of its job.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place {
    Within,
    Last,
}

/// Says whether a claim counts no more: that on a name is its run's while the run is open.
fn push_has_ended(text: &mut QueryBuilder<sqlx::Sqlite>) {
    text.push("(claims.kind <> ").push_bind(POST_CLAIM);
    text.push(" AND EXISTS (SELECT 1 FROM runs WHERE runs.run_id = claims.run_id AND runs.status = ");
    text.push_bind(status_word(RunStatus::Ended)).push("))");
}

/// Rows of one statement. There are as many statements as numbers of rows, and SQLite keeps them prepared.
const ROWS_AT_ONCE: usize = 32;

impl Sqlite {
    /// See [`crate::Store::append`].
    pub(crate) async fn append(
        &mut self,
        run_id: &str,
        expected: u64,
        records: Vec<Record>,
        status: RunStatus,
        claims: Vec<Claim>,
    ) -> Result<(), StoreError> {
        let appending = Appending { run_id, expected, records, status, claims };
        self.append_in(&appending, Place::Last).await
    }

    async fn append_in(&mut self, appending: &Appending<'_>, place: Place) -> Result<(), StoreError> {
        if appending.records.is_empty() {
            // No record betrays that the run is another one, or none.
            self.refusal(appending).await?.map_or(Ok(()), Err)?;
        }
        match self.try_to_append(appending, place).await {
            // The tables refuse what does not follow: then there is a better word for it.
            Err(error @ (StoreError::Database { .. } | StoreError::TooLarge { .. })) => {
                Err(self.refusal(appending).await?.unwrap_or(error))
            }
            result => result,
        }
    }

    /// All in one text. What must not be written makes a column null that cannot be, and so undoes the rest.
    async fn try_to_append(&mut self, appending: &Appending<'_>, place: Place) -> Result<(), StoreError> {
        let Appending { run_id, expected, records, status, claims } = appending;
        let total = integer("a run's records", expected.saturating_add(count(records.len())))?;
        let expected_count = integer("a run's records", *expected)?;
        let mut text = self.writing();
        for claim in claims {
            text.push("INSERT INTO claims (kind, scope, name, run_id) VALUES (");
            let mut values = text.separated(", ");
            values.push_bind(&claim.kind).push_bind(&claim.scope).push_bind(&claim.name).push_bind(*run_id);
            text.push(") ON CONFLICT DO UPDATE SET run_id = CASE WHEN run_id = excluded.run_id OR ");
            push_has_ended(&mut text);
            text.push(" THEN excluded.run_id END; ");
        }
        text.push("UPDATE runs SET record_count = CASE record_count WHEN ").push_bind(expected_count);
        text.push(" THEN ").push_bind(total).push(" END, status = ").push_bind(status_word(*status));
        text.push(" WHERE run_id = ").push_bind(*run_id);
        self.insert_records(text, run_id, *expected, records, place).await
    }

    /// Why that cannot be appended, if the run or a claim of another run is why.
    async fn refusal(&mut self, appending: &Appending<'_>) -> Result<Option<StoreError>, StoreError> {
        for claim in &appending.claims {
            let by_run = self.claimed_by(claim).await?;
            if let Some(by_run) = by_run.filter(|by_run| by_run != appending.run_id) {
                return Ok(Some(StoreError::Claimed { claim: claim.clone(), by_run }));
            }
        }
        self.mismatch(appending.run_id, appending.expected).await
    }

    async fn claimed_by(&mut self, claim: &Claim) -> Result<Option<String>, StoreError> {
        let mut query = QueryBuilder::new("SELECT run_id FROM claims WHERE NOT ");
        push_has_ended(&mut query);
        query.push(" AND kind = ").push_bind(&claim.kind);
        query.push(" AND scope = ").push_bind(&claim.scope).push(" AND name = ").push_bind(&claim.name);
        let found = query.build().fetch_optional(&mut self.connection).await;
        found.and_then(|row| row.map(|row| row.try_get(0)).transpose()).map_err(|error| {
            StoreError::database(format!("read the claim of the {} {}", claim.kind, claim.name), &error)
        })
    }

    /// Why nothing can be appended there, if that is why.
    async fn mismatch(&mut self, run_id: &str, expected: u64) -> Result<Option<StoreError>, StoreError> {
        let doing = format!("append to run {run_id}");
        let actual: Option<i64> = sqlx::query("SELECT record_count FROM runs WHERE run_id = ?")
            .bind(run_id)
            .fetch_optional(&mut self.connection)
            .await
            .and_then(|row| row.map(|row| row.try_get(0)).transpose())
            .map_err(|error| StoreError::database(doing, &error))?;
        let run_id = run_id.to_owned();
        let Some(actual) = actual else { return Ok(Some(StoreError::UnknownRun { run_id })) };
        let actual = natural("a run's records", actual)?;
        Ok((actual != expected).then_some(StoreError::Conflict { run_id, expected, actual }))
    }

    /// Executes the text, and in the same breath inserts the records.
    pub(crate) async fn insert_records(
        &mut self,
        mut text: QueryBuilder<sqlx::Sqlite>,
        run_id: &str,
        from: u64,
        records: &[Record],
        place: Place,
    ) -> Result<(), StoreError> {
        bounded(&format!("records of run {run_id} at once"), records.len(), RECORDS_AT_ONCE_MAX)?;
        for record in records {
            let what = format!("a record `{}` of run {run_id} (bytes)", record.kind);
            bounded(&what, record.body.len(), self.record_bytes_max)?;
        }
        integer("a run's records", from.saturating_add(count(records.len())))?;
        let mut rows = (from..).zip(records).peekable();
        loop {
            if rows.peek().is_some() {
                text.push("; INSERT INTO records (run_id, seq, kind, version, body) ");
                text.push_values(rows.by_ref().take(ROWS_AT_ONCE), |mut row, (seq, record)| {
                    // Looked at above.
                    row.push_bind(run_id).push_bind(i64::try_from(seq).unwrap_or(i64::MAX));
                    row.push_bind(&record.kind).push_bind(i64::from(record.version)).push_bind(&record.body);
                });
            }
            let is_last = rows.peek().is_none();
            if is_last && place == Place::Last {
                self.ending(&mut text);
            }
            let done = text.build().execute(&mut self.connection).await;
            done.map_err(|error| StoreError::database(format!("append to run {run_id}"), &error))?;
            if is_last {
                return Ok(());
            }
            text = QueryBuilder::new("");
        }
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
        self.begin_to_write().await?;
        let number = self.take_number(&row.workflow, number_start).await?;
        let (records, status) = (first(number), row.status);
        let appending = Appending { run_id, expected, records, status, claims: Vec::new() };
        self.append_in(&appending, Place::Within).await?;
        sqlx::query("UPDATE runs SET number = ? WHERE run_id = ?")
            .bind(integer("a run's number", number)?)
            .bind(run_id)
            .execute(&mut self.connection)
            .await
            .map_err(failed)?;
        Ok(number)
    }
}
