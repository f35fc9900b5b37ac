//! What is said to SQLite to append to a run.

use crate::error::StoreError;
use crate::record::{Claim, FirstRecords, POST_CLAIM, Record, RunStatus};
use crate::sqlite::{Sqlite, count, integer, natural, status_word};
use crate::store::{RECORDS_AT_ONCE_MAX, bounded};

/// Where a run stands before an append.
struct Standing {
    /// Its place in the table.
    position: i64,
    /// Whether its status will change: then indexes change too.
    changes: bool,
}

impl Sqlite {
    /// See [`crate::Store::append`].
    pub(crate) fn append(
        &mut self,
        run_id: &str,
        expected: u64,
        records: &[Record],
        status: RunStatus,
        claims: &[Claim],
    ) -> Result<(), StoreError> {
        self.check_claims(run_id, claims)?;
        let standing = self.standing(run_id, expected, status)?;
        self.check_records(run_id, records)?;
        let from = integer("a run's records", expected)?;
        let total = integer("a run's records", expected.saturating_add(count(records.len())))?;
        self.insert_claims(run_id, claims)
            .and_then(|()| self.update_run(&standing, total, status))
            .and_then(|()| self.insert_records(run_id, from, records))
            .map_err(|error| StoreError::database(format!("append to run {run_id}"), &error))
    }

    /// See [`crate::Store::renumber`].
    pub(crate) fn renumber(
        &mut self,
        run_id: &str,
        expected: u64,
        number_start: u64,
        first: FirstRecords,
    ) -> Result<u64, StoreError> {
        let Some(row) = self.run(run_id)? else {
            return Err(StoreError::UnknownRun { run_id: run_id.to_owned() });
        };
        let number = self.free_number(&row.workflow, number_start)?;
        self.append(run_id, expected, &first(number), row.status, &[])?;
        self.take_number(&row.workflow, number)?;
        let values = (integer("a run's number", number)?, run_id);
        self.execute("UPDATE runs SET number = ?1 WHERE run_id = ?2", values)
            .map_err(|error| StoreError::database(format!("renumber run {run_id}"), &error))?;
        Ok(number)
    }

    /// Refuses names that other runs have.
    fn check_claims(&self, run_id: &str, claims: &[Claim]) -> Result<(), StoreError> {
        for claim in claims {
            if let Some(by_run) = self.claimed_by(claim)?.filter(|by_run| by_run != run_id) {
                return Err(StoreError::Claimed { claim: claim.clone(), by_run });
            }
        }
        Ok(())
    }

    /// The run that has the name. A claim on a post stays for ever, any other as long as its run is open.
    fn claimed_by(&self, claim: &Claim) -> Result<Option<String>, StoreError> {
        let Claim { kind, scope, name } = claim;
        self.row(
            "SELECT claims.run_id FROM claims JOIN runs USING (run_id)
             WHERE kind = ?1 AND scope = ?2 AND name = ?3 AND (kind = ?4 OR status = 'open')",
            (kind, scope, name, POST_CLAIM),
            |row| row.get(0),
        )
        .map_err(|error| StoreError::database(format!("read the claim of the {kind} {name}"), &error))
    }

    /// Refuses an append to a run that is not there, or does not have as many records as expected.
    fn standing(&self, run_id: &str, expected: u64, status: RunStatus) -> Result<Standing, StoreError> {
        let found = self
            .row(
                "SELECT position, status <> ?2, record_count FROM runs WHERE run_id = ?1",
                (run_id, status_word(status)),
                |row| Ok((Standing { position: row.get(0)?, changes: row.get(1)? }, row.get(2)?)),
            )
            .map_err(|error| StoreError::database(format!("append to run {run_id}"), &error))?;
        let run_id = run_id.to_owned();
        let Some((standing, actual)) = found else { return Err(StoreError::UnknownRun { run_id }) };
        let actual = natural("a run's records", actual)?;
        if actual == expected { Ok(standing) } else { Err(StoreError::Conflict { run_id, expected, actual }) }
    }

    /// Refuses records that are too many or too large.
    pub(crate) fn check_records(&self, run_id: &str, records: &[Record]) -> Result<(), StoreError> {
        bounded(&format!("records of run {run_id} at once"), records.len(), RECORDS_AT_ONCE_MAX)?;
        for record in records {
            let what = format!("a record `{}` of run {run_id} (bytes)", record.kind);
            bounded(&what, record.body.len(), self.record_bytes_max)?;
        }
        Ok(())
    }

    fn insert_claims(&mut self, run_id: &str, claims: &[Claim]) -> rusqlite::Result<()> {
        for Claim { kind, scope, name } in claims {
            self.execute(
                "INSERT INTO claims (kind, scope, name, run_id) VALUES (?1, ?2, ?3, ?4)
                 ON CONFLICT DO UPDATE SET run_id = excluded.run_id",
                (kind, scope, name, run_id),
            )?;
        }
        Ok(())
    }

    fn update_run(&mut self, standing: &Standing, total: i64, status: RunStatus) -> rusqlite::Result<()> {
        if !standing.changes {
            let statement = "UPDATE runs SET record_count = ?1 WHERE position = ?2";
            return self.execute(statement, (total, standing.position));
        }
        self.execute(
            "UPDATE runs SET record_count = ?1, status = ?2 WHERE position = ?3",
            (total, status_word(status), standing.position),
        )
    }

    /// Inserts records that were checked, behind the `from` that the run has.
    pub(crate) fn insert_records(
        &mut self,
        run_id: &str,
        from: i64,
        records: &[Record],
    ) -> rusqlite::Result<()> {
        let mut insert = self.connection.prepare_cached(
            "INSERT INTO records (run_id, seq, kind, version, body) VALUES (?1, ?2, ?3, ?4, ?5)",
        )?;
        for (seq, Record { kind, version, body }) in (from..).zip(records) {
            insert.execute((run_id, seq, kind, version, body))?;
        }
        Ok(())
    }
}
