//! The one thread that speaks to the database: it groups what waits into transactions.

use tokio::sync::{mpsc, oneshot};

use crate::error::StoreError;
use crate::location::Location;
use crate::record::Options;
use crate::sqlite::Sqlite;

/// What operators see in lists of threads; the kernel keeps 15 bytes.
const THREAD_NAME: &str = "warroom-journal";

/// What the writer is asked for.
pub(crate) enum Command {
    /// Work that is part of a transaction.
    Do(Box<dyn Job>),
    /// Finish what waits, close the file, then answer.
    Close(oneshot::Sender<()>),
}

/// Work together with the one who waits for its result.
pub(crate) trait Job: Send {
    /// Does the work. Its result is told to nobody until the transaction is settled.
    fn perform(self: Box<Self>, db: &mut Sqlite) -> Performed;
    /// Tells that the work was not begun.
    fn refuse(self: Box<Self>, error: StoreError);
}

/// Work that was done and is not yet committed.
pub(crate) struct Performed {
    failure: Option<StoreError>,
    answer: Answer,
}

/// Tells the result of some work, or that its transaction failed.
type Answer = Box<dyn FnOnce(Result<(), StoreError>)>;

/// A [`Job`] made of a function.
pub(crate) struct Request<T, F> {
    pub(crate) work: F,
    pub(crate) reply: oneshot::Sender<Result<T, StoreError>>,
}

impl<T, F> Job for Request<T, F>
where
    T: Send + 'static,
    F: FnOnce(&mut Sqlite) -> Result<T, StoreError> + Send,
{
    fn perform(self: Box<Self>, db: &mut Sqlite) -> Performed {
        let Self { work, reply } = *self;
        let result = work(db);
        let failure = result.as_ref().err().cloned();
        let answer = move |transaction: Result<(), StoreError>| {
            let answer = match (transaction, result) {
                // The cause is told to the one who met it. All other refusals may rest on what is undone now.
                (Err(_), Err(own @ StoreError::Database { .. })) => Err(own),
                (transaction, result) => transaction.and(result),
            };
            tell(reply, answer);
        };
        Performed { failure, answer: Box::new(answer) }
    }

    fn refuse(self: Box<Self>, error: StoreError) {
        tell(self.reply, Err(error));
    }
}

/// One who no longer waits has given up, and the request stands all the same.
fn tell<T>(reply: oneshot::Sender<Result<T, StoreError>>, result: Result<T, StoreError>) {
    drop(reply.send(result));
}

/// Opens the database on a thread of its own, which then does what is sent to it.
///
/// No task waits in SQLite: opening may wait for a lock, and every statement for the disk.
pub(crate) async fn start(
    location: Location,
    options: &Options,
) -> Result<mpsc::Sender<Command>, StoreError> {
    let (commands, queue) = mpsc::channel(options.queue_max.max(1));
    let (reply, opened) = oneshot::channel();
    let path = location.path().to_owned();
    let (batch_max, record_bytes_max) = (options.batch_max.max(1), options.record_bytes_max);
    let open_and_write = move || match Sqlite::open(&location, record_bytes_max) {
        Ok(db) => {
            tell(reply, Ok(()));
            write(db, queue, batch_max);
        }
        Err(error) => tell(reply, Err(error)),
    };
    let thread = std::thread::Builder::new().name(THREAD_NAME.to_owned());
    thread.spawn(open_and_write).map_err(|error| StoreError::File {
        doing: "start a thread for the journal",
        path,
        reason: error.to_string(),
    })?;
    opened.await.map_err(|_| StoreError::Stopped { doing: "open the journal".into() })??;
    Ok(commands)
}

/// Works until every [`crate::Store`] is dropped or one of them closes, then closes the database.
///
/// When a job panics, the thread ends with its transaction undone, and all who wait get [`StoreError::Stopped`], since the queue
/// and the answers go with it.
fn write(mut db: Sqlite, mut commands: mpsc::Receiver<Command>, batch_max: usize) {
    let mut waiting = Vec::with_capacity(batch_max);
    let mut closers = Vec::new();
    while commands.blocking_recv_many(&mut waiting, batch_max) > 0 {
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
            Some(job) if jobs.is_empty() => transact_alone(&mut db, job),
            Some(last) => {
                jobs.push(last);
                transact(&mut db, jobs);
            }
        }
    }
    db.close();
    for closer in closers {
        let _nobody_waits = closer.send(());
    }
}

/// Does one job in a transaction of its own, which is undone when the job fails.
fn transact_alone(db: &mut Sqlite, job: Box<dyn Job>) {
    if let Err(error) = db.begin() {
        // The last one may still be open.
        db.rollback();
        job.refuse(error);
        return;
    }
    let Performed { failure, answer } = job.perform(db);
    let transaction = if failure.is_none() { db.commit() } else { Ok(()) };
    if let Err(error) = &transaction {
        tracing::error!(%error, "a transaction of the journal failed");
    }
    if failure.is_some() || transaction.is_err() {
        db.rollback();
    }
    answer(transaction);
}

/// Does all jobs in one transaction, each in a savepoint, and answers them after the commit.
fn transact(db: &mut Sqlite, jobs: Vec<Box<dyn Job>>) {
    if let Err(error) = db.begin() {
        db.rollback();
        for job in jobs {
            job.refuse(error.clone());
        }
        return;
    }
    let mut answers = Vec::with_capacity(jobs.len());
    let mut jobs = jobs.into_iter();
    let mut transaction = Ok(());
    for job in jobs.by_ref() {
        if let Err(error) = perform(db, job, &mut answers) {
            transaction = Err(error);
            break;
        }
    }
    if transaction.is_ok() {
        transaction = db.commit();
    }
    if let Err(error) = &transaction {
        tracing::error!(%error, requests = answers.len(), "a transaction of the journal failed");
        db.rollback();
    }
    for answer in answers {
        answer(transaction.clone());
    }
    for job in jobs {
        job.refuse(transaction.clone().err().unwrap_or(StoreError::Stopped { doing: "write".into() }));
    }
}

/// Does one job; what a failed one wrote is undone. An error here means that the whole transaction is lost: some errors, such as
/// a full disk, make SQLite roll all of it back, and what came after would stand outside any transaction.
fn perform(db: &mut Sqlite, job: Box<dyn Job>, answers: &mut Vec<Answer>) -> Result<(), StoreError> {
    if let Err(error) = db.savepoint() {
        job.refuse(error.clone());
        return Err(error);
    }
    let Performed { failure, answer } = job.perform(db);
    answers.push(answer);
    let Some(failure) = failure else { return db.release() };
    db.undo().map_err(|_| StoreError::Database {
        doing: "write a group of requests".into(),
        reason: format!("all of it was undone, since one failed: {failure}"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::location::Location;
    use crate::record::{NewRun, Record, RunStatus};

    fn db() -> Sqlite {
        Sqlite::open(&Location::Memory, 1000).unwrap()
    }

    /// Says something to SQLite that the program never says.
    fn say(db: &Sqlite, statements: &str) {
        db.connection.execute_batch(statements).unwrap();
    }

    type Reply = oneshot::Receiver<Result<(), StoreError>>;

    fn job<F>(work: F) -> (Box<dyn Job>, Reply)
    where
        F: FnOnce(&mut Sqlite) -> Result<(), StoreError> + Send + 'static,
    {
        let (reply, answer) = oneshot::channel();
        (Box::new(Request { work, reply }), answer)
    }

    fn put(digest: &'static str, bytes: usize) -> (Box<dyn Job>, Reply) {
        job(move |db| db.put_blob(digest, &vec![0; bytes]))
    }

    fn has(db: &Sqlite, digest: &str) -> bool {
        db.blob(digest).unwrap().is_some()
    }

    #[test]
    fn when_sqlite_gives_up_the_transaction_nobody_is_told_of_success() {
        let mut db = db();
        let (first, first_answer) = put("first", 1);
        let (failing, failing_answer) = job(|db| {
            say(db, "ROLLBACK");
            Err(StoreError::Stopped { doing: "a stand-in for an error of the disk".into() })
        });
        let (last, last_answer) = put("last", 1);
        transact(&mut db, vec![first, failing, last]);
        assert!(matches!(failing_answer.blocking_recv().unwrap(), Err(StoreError::Database { .. })));
        for answer in [first_answer, last_answer] {
            let error = answer.blocking_recv().unwrap().unwrap_err();
            assert!(error.to_string().contains("undone, since one failed"), "{error}");
        }
        assert!(!has(&db, "first") && !has(&db, "last"));
    }

    #[test]
    fn when_the_commit_fails_nobody_is_told_of_success() {
        let mut db = db();
        let (first, first_answer) = put("first", 1);
        let (failing, failing_answer) = job(|db| {
            say(db, "PRAGMA defer_foreign_keys = ON");
            say(db, "INSERT INTO records VALUES ('no run', 0, 'k', 1, x'')");
            Ok(())
        });
        transact(&mut db, vec![first, failing]);
        for answer in [first_answer, failing_answer] {
            let error = answer.blocking_recv().unwrap().unwrap_err();
            assert!(error.to_string().starts_with("cannot commit a transaction"), "{error}");
        }
        assert!(!has(&db, "first"));
        let (next, next_answer) = put("next", 1);
        transact(&mut db, vec![next]);
        assert_eq!(next_answer.blocking_recv().unwrap(), Ok(()));
    }

    #[test]
    fn a_full_disk_fails_what_does_not_fit_and_no_more() {
        for alone in [false, true] {
            let mut db = db();
            say(&db, "PRAGMA max_page_count = 100");
            let (large, large_answer) = put("large", 1_000_000);
            let (small, small_answer) = put("small", 1);
            for job in [large, small] {
                if alone {
                    transact_alone(&mut db, job);
                } else {
                    transact(&mut db, vec![job]);
                }
            }
            let error = large_answer.blocking_recv().unwrap().unwrap_err();
            assert!(error.to_string().contains("full"), "{error}");
            assert_eq!(small_answer.blocking_recv().unwrap(), Ok(()));
            assert!(has(&db, "small") && !has(&db, "large"));
        }
    }

    #[test]
    fn an_append_that_fails_midway_or_at_its_end_leaves_nothing_and_no_transaction() {
        let mut db = db();
        let (start, started) = job(|db| db.start_run(new_run()).map(|_| ()));
        transact_alone(&mut db, start);
        assert_eq!(started.blocking_recv().unwrap(), Ok(()));
        let records = |bytes: usize| vec![Record { kind: "k".into(), version: 1, body: vec![0; bytes] }; 40];
        let append = |expected: u64, bytes: usize| {
            job(move |db| db.append("run", expected, &records(bytes), RunStatus::Ended, &[]))
        };
        let at_its_end = job(move |db| {
            db.append("run", 1, &records(1), RunStatus::Ended, &[])?;
            Err(StoreError::Stopped { doing: "a stand-in for what comes after".into() })
        });
        let midway = job(move |db| {
            say(db, "INSERT INTO records VALUES ('run', 20, 'in the way', 1, x'')");
            db.append("run", 1, &records(1), RunStatus::Ended, &[])
        });
        for (failing, answer) in [append(0, 1), append(2, 1), append(1, 1001), at_its_end, midway] {
            transact_alone(&mut db, failing);
            assert!(answer.blocking_recv().unwrap().is_err());
            assert_eq!(db.records("run").unwrap().len(), 1);
            assert_eq!(db.open_runs().unwrap().len(), 1);
        }
        let (good, answer) = append(1, 1);
        transact_alone(&mut db, good);
        assert_eq!(answer.blocking_recv().unwrap(), Ok(()));
        db.begin().unwrap(); // which fails within another transaction
        db.rollback();
        assert_eq!(db.records("run").unwrap().len(), 41);
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
