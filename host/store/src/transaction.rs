//! Where a job's transaction begins and ends.

use sqlx::QueryBuilder;

use crate::error::StoreError;
use crate::sqlite::Sqlite;

/// Where the transaction stands. A message to SQLite's thread and back costs as much as most of what it asks for, so the transaction of
/// a job that stands alone travels with the job's own statements: it begins with the first that writes, and ends with the last.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Transaction {
    /// Several jobs share it: no job begins or ends it.
    Shared,
    /// It begins when something is written.
    Awaited,
    /// It began.
    Begun,
    /// It ended with the last statement.
    Ended,
}

impl Sqlite {
    /// Begins a transaction that several jobs share.
    pub(crate) async fn begin(&mut self) -> Result<(), StoreError> {
        self.transaction = Transaction::Shared;
        self.control("BEGIN", "begin a transaction").await
    }

    /// The next job has a transaction of its own.
    pub(crate) fn begin_alone(&mut self) {
        self.transaction = Transaction::Awaited;
    }

    /// Begins the transaction if that is still to be done. For each job that writes, before it does.
    pub(crate) async fn begin_to_write(&mut self) -> Result<(), StoreError> {
        if self.transaction == Transaction::Awaited {
            self.control("BEGIN", "begin a transaction").await?;
            self.transaction = Transaction::Begun;
        }
        Ok(())
    }

    /// A text of statements that write, the first of a job: if need be it begins the transaction.
    pub(crate) fn writing(&mut self) -> QueryBuilder<sqlx::Sqlite> {
        if self.transaction != Transaction::Awaited {
            return QueryBuilder::new("");
        }
        self.transaction = Transaction::Begun;
        QueryBuilder::new("BEGIN; ")
    }

    /// Lets the last text of a job end the job's own transaction.
    pub(crate) fn ending(&mut self, text: &mut QueryBuilder<sqlx::Sqlite>) {
        if self.transaction == Transaction::Begun {
            self.transaction = Transaction::Ended;
            text.push("; COMMIT");
        }
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

    /// Ends the transaction, if the job's last statement did not; what was written is on disk afterwards.
    pub(crate) async fn commit(&mut self) -> Result<(), StoreError> {
        match std::mem::replace(&mut self.transaction, Transaction::Shared) {
            Transaction::Shared | Transaction::Begun => self.control("COMMIT", "commit a transaction").await,
            Transaction::Awaited | Transaction::Ended => Ok(()),
        }
    }

    /// Gives up the transaction. SQLite may have done so by itself, and then this fails and nothing is left to do.
    pub(crate) async fn rollback(&mut self) {
        if std::mem::replace(&mut self.transaction, Transaction::Shared) == Transaction::Awaited {
            return;
        }
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
}
