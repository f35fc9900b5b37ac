//! The one task that speaks to the database: it groups what waits into transactions.

use std::future::Future;
use std::pin::Pin;

use tokio::sync::{mpsc, oneshot};

use crate::error::StoreError;
use crate::sqlite::Sqlite;

/// A piece of work on the database, under way.
pub(crate) type Work<'a, T> = Pin<Box<dyn Future<Output = Result<T, StoreError>> + Send + 'a>>;

/// What the writer is asked for.
pub(crate) enum Command {
    /// Work that is part of a transaction.
    Do(Box<dyn Job>),
    /// Finish what waits, close the file, then answer.
    Close(oneshot::Sender<()>),
}

/// Work together with the one who waits for its result.
pub(crate) trait Job: Send {
    /// Does the work. Its result is told to nobody until [`Settle::settle`].
    fn perform(self: Box<Self>, db: &mut Sqlite) -> Pin<Box<dyn Future<Output = Performed> + Send + '_>>;
    /// Tells that the work was not begun.
    fn refuse(self: Box<Self>, error: StoreError);
}

/// Work that was done and is not yet committed.
pub(crate) struct Performed {
    failure: Option<StoreError>,
    answer: Box<dyn Settle>,
}

/// A result that waits for its transaction.
pub(crate) trait Settle: Send {
    /// Tells the result, or that the transaction failed.
    fn settle(self: Box<Self>, transaction: Result<(), StoreError>);
}

/// A [`Job`] made of a function.
pub(crate) struct Request<T, F> {
    pub(crate) work: F,
    pub(crate) reply: oneshot::Sender<Result<T, StoreError>>,
}

impl<T, F> Job for Request<T, F>
where
    T: Send + 'static,
    F: for<'a> FnOnce(&'a mut Sqlite) -> Work<'a, T> + Send + 'static,
{
    fn perform(self: Box<Self>, db: &mut Sqlite) -> Pin<Box<dyn Future<Output = Performed> + Send + '_>> {
        Box::pin(async move {
            let result = (self.work)(db).await;
            Performed {
                failure: result.as_ref().err().cloned(),
                answer: Box::new(Answer { result, reply: self.reply }),
            }
        })
    }

    fn refuse(self: Box<Self>, error: StoreError) {
        tell(self.reply, Err(error));
    }
}

struct Answer<T> {
    result: Result<T, StoreError>,
    reply: oneshot::Sender<Result<T, StoreError>>,
}

impl<T: Send> Settle for Answer<T> {
    fn settle(self: Box<Self>, transaction: Result<(), StoreError>) {
        let Self { result, reply } = *self;
        tell(
            reply,
            match (transaction, result) {
                // The cause is told to the one who met it. All other refusals may rest on what is undone now.
                (Err(_), Err(own @ StoreError::Database { .. })) => Err(own),
                (transaction, result) => transaction.and(result),
            },
        );
    }
}

/// One who no longer waits has given up, and the request stands all the same.
fn tell<T>(reply: oneshot::Sender<Result<T, StoreError>>, result: Result<T, StoreError>) {
    drop(reply.send(result));
}

/// Works until every [`crate::Store`] is dropped or one of them closes, then closes the database.
pub(crate) async fn write(mut db: Sqlite, mut commands: mpsc::Receiver<Command>, batch_max: usize) {
    let mut waiting = Vec::with_capacity(batch_max);
    let mut closers = Vec::new();
    while commands.recv_many(&mut waiting, batch_max).await > 0 {
        let mut jobs = Vec::with_capacity(waiting.len());
        for command in waiting.drain(..) {
            match command {
                Command::Do(job) => jobs.push(job),
                Command::Close(closer) => {
                    commands.close();
                    closers.push(closer);
                }
            }
        }
        match jobs.pop() {
            None => {}
            Some(job) if jobs.is_empty() => transact_alone(&mut db, job).await,
            Some(last) => {
                jobs.push(last);
                transact(&mut db, jobs).await;
            }
        }
    }
    db.close().await;
    for closer in closers {
        let _nobody_waits = closer.send(());
    }
}

/// Does one job in a transaction of its own, which is undone when the job fails. It begins and ends with the job's own statements.
async fn transact_alone(db: &mut Sqlite, job: Box<dyn Job>) {
    db.begin_alone();
    let Performed { failure, answer } = job.perform(db).await;
    let transaction = if failure.is_none() { db.commit().await } else { Ok(()) };
    if let Err(error) = &transaction {
        tracing::error!(%error, "a transaction of the journal failed");
    }
    if failure.is_some() || transaction.is_err() {
        db.rollback().await;
    }
    answer.settle(transaction);
}

/// Does all jobs in one transaction, each in a savepoint, and answers them after the commit.
async fn transact(db: &mut Sqlite, jobs: Vec<Box<dyn Job>>) {
    if let Err(error) = db.begin().await {
        for job in jobs {
            job.refuse(error.clone());
        }
        return;
    }
    let mut answers = Vec::with_capacity(jobs.len());
    let mut jobs = jobs.into_iter();
    let mut transaction = Ok(());
    for job in jobs.by_ref() {
        if let Err(error) = perform(db, job, &mut answers).await {
            transaction = Err(error);
            break;
        }
    }
    if transaction.is_ok() {
        transaction = db.commit().await;
    }
    if let Err(error) = &transaction {
        tracing::error!(%error, requests = answers.len(), "a transaction of the journal failed");
        db.rollback().await;
    }
    for answer in answers {
        answer.settle(transaction.clone());
    }
    for job in jobs {
        job.refuse(transaction.clone().err().unwrap_or(StoreError::Stopped { doing: "write".into() }));
    }
}

/// Does one job; what a failed one wrote is undone. An error here means that the whole transaction is lost: some errors, such as
/// a full disk, make SQLite roll all of it back, and what came after would stand outside any transaction.
async fn perform(
    db: &mut Sqlite,
    job: Box<dyn Job>,
    answers: &mut Vec<Box<dyn Settle>>,
) -> Result<(), StoreError> {
    if let Err(error) = db.savepoint().await {
        job.refuse(error.clone());
        return Err(error);
    }
    let Performed { failure, answer } = job.perform(db).await;
    answers.push(answer);
    let Some(failure) = failure else { return db.release().await };
    db.undo().await.map_err(|_| StoreError::Database {
        doing: "write a group of requests".into(),
        reason: format!("all of it was undone, since one failed: {failure}"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::location::Location;
    use crate::record::{NewRun, Record, RunStatus};

    async fn db() -> Sqlite {
        Sqlite::open(Location::Memory, 1000).await.unwrap()
    }

    type Answer = oneshot::Receiver<Result<(), StoreError>>;

    fn job<F>(work: F) -> (Box<dyn Job>, Answer)
    where
        F: for<'a> FnOnce(&'a mut Sqlite) -> Work<'a, ()> + Send + 'static,
    {
        let (reply, answer) = oneshot::channel();
        (Box::new(Request { work, reply }), answer)
    }

    fn put(digest: &'static str, bytes: usize) -> (Box<dyn Job>, Answer) {
        job(move |db| Box::pin(async move { db.put_blob(digest, &vec![0; bytes]).await }))
    }

    async fn has(db: &mut Sqlite, digest: &str) -> bool {
        db.blob(digest).await.unwrap().is_some()
    }

    #[tokio::test]
    async fn when_sqlite_gives_up_the_transaction_nobody_is_told_of_success() {
        let mut db = db().await;
        let (first, first_answer) = put("first", 1);
        let (failing, failing_answer) = job(|db| {
            Box::pin(async move {
                db.say("ROLLBACK").await?;
                Err(StoreError::Stopped { doing: "a stand-in for an error of the disk".into() })
            })
        });
        let (last, last_answer) = put("last", 1);
        transact(&mut db, vec![first, failing, last]).await;
        assert!(matches!(failing_answer.await.unwrap(), Err(StoreError::Database { .. })));
        for answer in [first_answer, last_answer] {
            let error = answer.await.unwrap().unwrap_err();
            assert!(error.to_string().contains("undone, since one failed"), "{error}");
        }
        assert!(!has(&mut db, "first").await && !has(&mut db, "last").await);
    }

    #[tokio::test]
    async fn when_the_commit_fails_nobody_is_told_of_success() {
        let mut db = db().await;
        let (first, first_answer) = put("first", 1);
        let (failing, failing_answer) = job(|db| {
            Box::pin(async move {
                db.say("PRAGMA defer_foreign_keys = ON").await?;
                db.say("INSERT INTO records VALUES ('no run', 0, 'k', 1, x'')").await
            })
        });
        transact(&mut db, vec![first, failing]).await;
        for answer in [first_answer, failing_answer] {
            let error = answer.await.unwrap().unwrap_err();
            assert!(error.to_string().starts_with("cannot commit a transaction"), "{error}");
        }
        assert!(!has(&mut db, "first").await);
        let (next, next_answer) = put("next", 1);
        transact(&mut db, vec![next]).await;
        assert_eq!(next_answer.await.unwrap(), Ok(()));
    }

    #[tokio::test]
    async fn a_full_disk_fails_what_does_not_fit_and_no_more() {
        for alone in [false, true] {
            let mut db = db().await;
            db.say("PRAGMA max_page_count = 100").await.unwrap();
            let (large, large_answer) = put("large", 1_000_000);
            let (small, small_answer) = put("small", 1);
            for job in [large, small] {
                if alone {
                    transact_alone(&mut db, job).await;
                } else {
                    transact(&mut db, vec![job]).await;
                }
            }
            let error = large_answer.await.unwrap().unwrap_err();
            assert!(error.to_string().contains("full"), "{error}");
            assert_eq!(small_answer.await.unwrap(), Ok(()));
            assert!(has(&mut db, "small").await && !has(&mut db, "large").await);
        }
    }

    #[tokio::test]
    async fn an_append_that_fails_midway_or_at_its_end_leaves_nothing_and_no_transaction() {
        let mut db = db().await;
        let (start, started) = job(|db| Box::pin(async move { db.start_run(new_run()).await.map(|_| ()) }));
        transact_alone(&mut db, start).await;
        assert_eq!(started.await.unwrap(), Ok(()));
        let append = |expected: u64, bytes: usize| {
            let records = vec![Record { kind: "k".into(), version: 1, body: vec![0; bytes] }; 40];
            job(move |db| {
                Box::pin(
                    async move { db.append("run", expected, records, RunStatus::Open, Vec::new()).await },
                )
            })
        };
        for (expected, bytes) in [(0, 1), (2, 1), (1, 1001)] {
            let (failing, answer) = append(expected, bytes);
            transact_alone(&mut db, failing).await;
            assert!(answer.await.unwrap().is_err(), "{expected} {bytes}");
            assert_eq!(db.records("run").await.unwrap().len(), 1);
        }
        let (good, answer) = append(1, 1);
        transact_alone(&mut db, good).await;
        assert_eq!(answer.await.unwrap(), Ok(()));
        db.begin().await.unwrap(); // which fails within another transaction
        db.rollback().await;
        assert_eq!(db.records("run").await.unwrap().len(), 41);
    }

    fn new_run() -> NewRun {
        NewRun {
            run_id: "run".into(),
            workflow: "w".into(),
            post_id: "p".into(),
            number_start: 1,
            at_ms: 0,
            fold_key: None,
            replaces: None,
            limit: None,
            first: Box::new(|_| vec![Record { kind: "k".into(), version: 1, body: Vec::new() }]),
        }
    }
}
