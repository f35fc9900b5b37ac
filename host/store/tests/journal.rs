//! What the journal promises, on real files.
#![allow(clippy::panic, clippy::unwrap_used, reason = "a failing helper fails its test")]

use std::path::Path;

use rusqlite::Connection;
use tempfile::TempDir;
use warroom_store::{
    Claim, NewRun, Options, POST_CLAIM, RECORDS_AT_ONCE_MAX, Record, RunRow, RunStatus, StartLimit,
    StartOutcome, Store, StoreError,
};

fn url(directory: &Path) -> String {
    format!("sqlite:{}", directory.join("journal.db").display())
}

async fn open(directory: &TempDir) -> Store {
    Store::open(&url(directory.path()), Options::default()).await.unwrap()
}

/// The file as any other program sees it.
fn raw(directory: &TempDir) -> Connection {
    Connection::open(directory.path().join("journal.db")).unwrap()
}

fn record(text: &str) -> Record {
    Record { kind: "fact".into(), version: 3, body: text.as_bytes().to_vec() }
}

fn claim(name: &str) -> Claim {
    Claim { kind: "channel".into(), scope: "team-1".into(), name: name.into() }
}

fn new_run(run_id: &str, workflow: &str, post_id: &str, number_start: u64) -> NewRun {
    NewRun {
        run_id: run_id.into(),
        workflow: workflow.into(),
        post_id: post_id.into(),
        number_start,
        at_ms: 0,
        fold_key: None,
        replaces: None,
        limit: None,
        first: Box::new(|number| vec![record(&format!("number {number}"))]),
    }
}

async fn started(store: &Store, run_id: &str, post_id: &str) -> u64 {
    match store.start_run(new_run(run_id, "sec", post_id, 1)).await.unwrap() {
        StartOutcome::Started { number } => number,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn the_number_is_in_the_first_record() {
    let directory = TempDir::new().unwrap();
    let store = open(&directory).await;
    let outcome = store.start_run(new_run("r1", "sec", "p1", 41)).await.unwrap();
    assert_eq!(outcome, StartOutcome::Started { number: 41 });
    assert_eq!(store.records("r1").await.unwrap(), vec![record("number 41")]);
}

#[tokio::test]
async fn the_next_number_is_known_before_it_is_taken() {
    let directory = TempDir::new().unwrap();
    let store = open(&directory).await;
    assert_eq!(store.next_number("sec").await.unwrap(), None);
    store.start_run(new_run("r1", "sec", "p1", 41)).await.unwrap();
    assert_eq!(store.next_number("sec").await.unwrap(), Some(42));
    assert_eq!(started(&store, "r2", "p2").await, 42);
    assert_eq!(store.next_number("other").await.unwrap(), None);
}

#[tokio::test]
async fn a_post_starts_one_run_per_workflow() {
    let directory = TempDir::new().unwrap();
    let store = open(&directory).await;
    assert_eq!(started(&store, "r1", "p1").await, 1);
    let again = store.start_run(new_run("r2", "sec", "p1", 1)).await.unwrap();
    assert_eq!(again, StartOutcome::AlreadyStarted { run_id: "r1".into() });
    assert_eq!(store.run("r2").await.unwrap(), None);
    assert!(store.records("r2").await.unwrap().is_empty());

    let other = store.start_run(new_run("r3", "outage", "p1", 1)).await.unwrap();
    assert_eq!(other, StartOutcome::Started { number: 1 });
}

#[tokio::test]
async fn refused_starts_leave_no_gap_in_the_numbers() {
    let directory = TempDir::new().unwrap();
    let store = open(&directory).await;
    assert_eq!(started(&store, "r1", "p1").await, 1);
    store.start_run(new_run("r2", "sec", "p1", 1)).await.unwrap();
    let mut too_large = new_run("r3", "sec", "p3", 1);
    too_large.first = Box::new(|_| vec![Record { body: vec![0; 1024 * 1024 + 1], ..record("") }]);
    assert!(matches!(store.start_run(too_large).await, Err(StoreError::TooLarge { .. })));
    assert!(matches!(store.start_run(new_run("r1", "sec", "p4", 1)).await, Err(StoreError::Database { .. })));
    assert_eq!(started(&store, "r5", "p5").await, 2);
}

#[tokio::test]
async fn numbers_go_on_after_a_restart_and_never_back() {
    let directory = TempDir::new().unwrap();
    let store = open(&directory).await;
    for (post, start, number) in [("p1", 7, 7), ("p2", 7, 8), ("p3", 1, 9), ("p4", 20, 20)] {
        let outcome = store.start_run(new_run(post, "sec", post, start)).await.unwrap();
        assert_eq!(outcome, StartOutcome::Started { number });
    }
    store.close().await;
    let store = open(&directory).await;
    let outcome = store.start_run(new_run("p5", "sec", "p5", 7)).await.unwrap();
    assert_eq!(outcome, StartOutcome::Started { number: 21 });
}

#[tokio::test]
async fn a_number_that_the_database_cannot_hold_is_refused() {
    let store = Store::open("sqlite::memory:", Options::default()).await.unwrap();
    let refused = store.start_run(new_run("r1", "sec", "p1", u64::MAX)).await;
    assert!(matches!(refused, Err(StoreError::TooLarge { .. })), "{refused:?}");
    assert_eq!(started(&store, "r2", "p2").await, 1);
}

#[tokio::test]
async fn records_come_back_in_order_and_whole() {
    let directory = TempDir::new().unwrap();
    let store = open(&directory).await;
    started(&store, "r1", "p1").await;
    let odd = Record { kind: "bytes".into(), version: u32::MAX, body: vec![0, 255, 10, 0] };
    store.append("r1", 1, vec![odd.clone(), record("b")], RunStatus::Open, vec![]).await.unwrap();
    store.append("r1", 3, vec![record("c")], RunStatus::Open, vec![]).await.unwrap();
    let expected = vec![record("number 1"), odd, record("b"), record("c")];
    assert_eq!(store.records("r1").await.unwrap(), expected);
}

#[tokio::test]
async fn a_stale_append_is_refused() {
    let store = Store::open("sqlite::memory:", Options::default()).await.unwrap();
    started(&store, "r1", "p1").await;
    for expected in [0, 2, u64::MAX] {
        let refused = store.append("r1", expected, vec![record("x")], RunStatus::Ended, vec![]).await;
        let conflict = StoreError::Conflict { run_id: "r1".into(), expected, actual: 1 };
        assert_eq!(refused, Err(conflict));
    }
    assert_eq!(store.records("r1").await.unwrap().len(), 1);
    assert_eq!(store.open_runs().await.unwrap().len(), 1);
    let unknown = store.append("r9", 0, vec![], RunStatus::Open, vec![]).await;
    assert_eq!(unknown, Err(StoreError::UnknownRun { run_id: "r9".into() }));
}

#[tokio::test]
async fn an_append_with_a_failing_claim_writes_nothing() {
    let store = Store::open("sqlite::memory:", Options::default()).await.unwrap();
    started(&store, "r1", "p1").await;
    started(&store, "r2", "p2").await;
    store.append("r1", 1, vec![], RunStatus::Open, vec![claim("room-1")]).await.unwrap();

    let claims = vec![claim("room-2"), claim("room-1")];
    let refused = store.append("r2", 1, vec![record("intent")], RunStatus::Ended, claims).await;
    assert_eq!(refused, Err(StoreError::Claimed { claim: claim("room-1"), by_run: "r1".into() }));
    assert_eq!(store.records("r2").await.unwrap().len(), 1);
    assert_eq!(store.run("r2").await.unwrap().unwrap().status, RunStatus::Open);
    // `room-2` was undone with the rest, so another run can have it.
    store.append("r1", 1, vec![], RunStatus::Open, vec![claim("room-2")]).await.unwrap();
}

#[tokio::test]
async fn a_run_may_claim_again_what_it_has() {
    let store = Store::open("sqlite::memory:", Options::default()).await.unwrap();
    started(&store, "r1", "p1").await;
    started(&store, "r2", "p2").await;
    for seq in 1..3 {
        store.append("r1", seq, vec![record("x")], RunStatus::Open, vec![claim("room-1")]).await.unwrap();
    }
    // The same name elsewhere is another name.
    let elsewhere = Claim { scope: "team-2".into(), ..claim("room-1") };
    store.append("r2", 1, vec![], RunStatus::Open, vec![elsewhere]).await.unwrap();
}

#[tokio::test]
async fn runs_are_listed_by_status_and_age() {
    let store = Store::open("sqlite::memory:", Options::default()).await.unwrap();
    for run in ["r1", "r2", "r3"] {
        started(&store, run, run).await;
    }
    store.append("r2", 1, vec![record("end")], RunStatus::Ended, vec![]).await.unwrap();
    let ids = |rows: Vec<RunRow>| rows.into_iter().map(|row| row.run_id).collect::<Vec<_>>();
    assert_eq!(ids(store.open_runs().await.unwrap()), ["r1", "r3"]);
    assert_eq!(ids(store.runs(2).await.unwrap()), ["r3", "r2"]);
    let row = RunRow { run_id: "r2".into(), workflow: "sec".into(), number: 2, status: RunStatus::Ended };
    assert_eq!(store.run("r2").await.unwrap(), Some(row));
}

#[tokio::test]
async fn a_secret_is_made_once() {
    let directory = TempDir::new().unwrap();
    let store = open(&directory).await;
    assert_eq!(store.secret("mac", [1; 32]).await.unwrap(), [1; 32]);
    assert_eq!(store.secret("mac", [2; 32]).await.unwrap(), [1; 32]);
    assert_eq!(store.secret("other", [2; 32]).await.unwrap(), [2; 32]);
    store.close().await;
    assert_eq!(open(&directory).await.secret("mac", [3; 32]).await.unwrap(), [1; 32]);
}

#[tokio::test]
async fn a_blob_stays_as_it_was_first_stored() {
    let store = Store::open("sqlite::memory:", Options::default()).await.unwrap();
    assert_eq!(store.blob("sha256:00").await.unwrap(), None);
    store.put_blob("sha256:00", vec![7; 3_000_000]).await.unwrap();
    store.put_blob("sha256:00", vec![8]).await.unwrap();
    assert_eq!(store.blob("sha256:00").await.unwrap(), Some(vec![7; 3_000_000]));
}

#[tokio::test]
async fn reopening_keeps_everything() {
    let directory = TempDir::new().unwrap();
    let store = open(&directory).await;
    started(&store, "r1", "p1").await;
    store.append("r1", 1, vec![record("x")], RunStatus::Open, vec![claim("room-1")]).await.unwrap();
    started(&store, "r2", "p2").await;
    store.append("r2", 1, vec![record("end")], RunStatus::Ended, vec![]).await.unwrap();
    store.put_blob("sha256:00", b"text".to_vec()).await.unwrap();
    store.close().await;

    let store = open(&directory).await;
    assert_eq!(store.records("r1").await.unwrap(), vec![record("number 1"), record("x")]);
    assert_eq!(store.open_runs().await.unwrap().len(), 1);
    assert_eq!(store.blob("sha256:00").await.unwrap(), Some(b"text".to_vec()));
    let taken = store.append("r2", 2, vec![], RunStatus::Ended, vec![claim("room-1")]).await;
    assert!(matches!(taken, Err(StoreError::Claimed { .. })));
    let again = store.start_run(new_run("r3", "sec", "p1", 1)).await.unwrap();
    assert_eq!(again, StartOutcome::AlreadyStarted { run_id: "r1".into() });
}

#[tokio::test]
async fn a_second_host_is_refused_and_told_what_to_do() {
    let directory = TempDir::new().unwrap();
    let store = open(&directory).await;
    let Err(error) = Store::open(&url(directory.path()), Options::default()).await else {
        panic!("two stores on one file");
    };
    assert_eq!(error, StoreError::Locked { path: directory.path().join("journal.db") });
    assert!(error.to_string().contains("stop the other one"), "{error}");
    // The first is none the worse for it, and its end lets the next one in.
    started(&store, "r1", "p1").await;
    store.close().await;
    assert_eq!(open(&directory).await.runs(9).await.unwrap().len(), 1);
}

#[tokio::test]
async fn a_closed_store_says_so() {
    let store = Store::open("sqlite::memory:", Options::default()).await.unwrap();
    let clone = store.clone();
    store.close().await;
    let refused = clone.run("r1").await;
    assert_eq!(refused, Err(StoreError::Stopped { doing: "look up run r1".into() }));
    clone.close().await;
}

#[tokio::test]
async fn a_newer_schema_is_refused() {
    let directory = TempDir::new().unwrap();
    open(&directory).await.close().await;
    raw(&directory).execute("UPDATE meta SET value = 4", ()).unwrap();
    let Err(error) = Store::open(&url(directory.path()), Options::default()).await else {
        panic!("a newer schema was opened");
    };
    assert_eq!(error, StoreError::NewerSchema { found: 4, known: 3 });
}

#[tokio::test]
async fn the_file_is_private_and_has_a_write_ahead_log() {
    use std::os::unix::fs::PermissionsExt;
    let directory = TempDir::new().unwrap();
    let store = open(&directory).await;
    started(&store, "r1", "p1").await;
    for name in ["journal.db", "journal.db-wal"] {
        let mode = std::fs::metadata(directory.path().join(name)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{name}");
    }
    store.close().await;
    let mode: String = raw(&directory).query_row("PRAGMA journal_mode", (), |row| row.get(0)).unwrap();
    assert_eq!(mode, "wal");
}

#[tokio::test]
async fn what_is_no_journal_is_refused() {
    let directory = TempDir::new().unwrap();
    std::fs::write(directory.path().join("journal.db"), vec![b'x'; 8192]).unwrap();
    let refused = Store::open(&url(directory.path()), Options::default()).await.err().unwrap();
    assert!(refused.to_string().contains("not a database"), "{refused}");
    let nowhere =
        Store::open(&url(&directory.path().join("missing")), Options::default()).await.err().unwrap();
    assert!(nowhere.to_string().contains("Make the directory"), "{nowhere}");
}

#[tokio::test]
async fn records_have_a_bound() {
    let options = Options { record_bytes_max: 1000, ..Options::default() };
    let store = Store::open("sqlite::memory:", options).await.unwrap();
    started(&store, "r1", "p1").await;
    let sized = |bytes| Record { body: vec![1; bytes], ..record("") };
    store.append("r1", 1, vec![sized(1000)], RunStatus::Open, vec![]).await.unwrap();
    let refused = store.append("r1", 2, vec![sized(1), sized(1001)], RunStatus::Open, vec![]).await;
    assert!(matches!(refused, Err(StoreError::TooLarge { size: 1001, max: 1000, .. })), "{refused:?}");
    assert_eq!(store.records("r1").await.unwrap().len(), 2);
}

#[tokio::test]
async fn records_at_once_have_a_bound() {
    let store = Store::open("sqlite::memory:", Options::default()).await.unwrap();
    started(&store, "r1", "p1").await;
    let many = |count| vec![record("x"); count];
    store.append("r1", 1, many(RECORDS_AT_ONCE_MAX), RunStatus::Open, vec![]).await.unwrap();
    let refused = store.append("r1", 1025, many(RECORDS_AT_ONCE_MAX + 1), RunStatus::Open, vec![]).await;
    assert!(matches!(refused, Err(StoreError::TooLarge { .. })), "{refused:?}");
}

fn keyed(run_id: &str, post_id: &str, key: &str) -> NewRun {
    NewRun { fold_key: Some(key.into()), ..new_run(run_id, "sec", post_id, 1) }
}

#[tokio::test]
async fn an_open_run_keeps_its_key_to_itself() {
    let directory = TempDir::new().unwrap();
    let store = open(&directory).await;
    assert_eq!(
        store.start_run(keyed("r1", "p1", "disk")).await.unwrap(),
        StartOutcome::Started { number: 1 }
    );
    let outcome = store.start_run(keyed("r2", "p2", "disk")).await.unwrap();
    assert_eq!(outcome, StartOutcome::Keyed { run_id: "r1".into() });
    assert_eq!(store.start_run(keyed("r2", "p2", "cpu")).await.unwrap(), StartOutcome::Started { number: 2 });
    let other = NewRun { workflow: "ops".into(), ..keyed("r3", "p2", "disk") };
    assert_eq!(store.start_run(other).await.unwrap(), StartOutcome::Started { number: 1 });

    store.append("r1", 1, vec![record("end")], RunStatus::Ended, Vec::new()).await.unwrap();
    assert_eq!(
        store.start_run(keyed("r4", "p4", "disk")).await.unwrap(),
        StartOutcome::Started { number: 3 }
    );
}

#[tokio::test]
async fn a_key_can_be_taken_from_an_open_run() {
    let directory = TempDir::new().unwrap();
    let store = open(&directory).await;
    store.start_run(keyed("r1", "p1", "disk")).await.unwrap();
    let replaces = |run_id: &str| Some(run_id.to_owned());
    let second = NewRun { replaces: replaces("r1"), ..keyed("r2", "p2", "disk") };
    assert_eq!(store.start_run(second).await.unwrap(), StartOutcome::Started { number: 2 });
    // Only from the one that was meant.
    let third = NewRun { replaces: replaces("r1"), ..keyed("r3", "p3", "disk") };
    let outcome = store.start_run(third).await.unwrap();
    assert_eq!(outcome, StartOutcome::Keyed { run_id: "r2".into() });
    assert_eq!(store.open_runs().await.unwrap().len(), 2, "the run without its key goes on");
}

#[tokio::test]
async fn a_name_is_free_again_once_its_run_has_ended_and_a_post_never() {
    let directory = TempDir::new().unwrap();
    let store = open(&directory).await;
    started(&store, "r1", "p1").await;
    started(&store, "r2", "p2").await;
    let post = || Claim { kind: POST_CLAIM.into(), scope: "sec".into(), name: "p3".into() };
    let claims = || vec![claim("room-1"), post()];
    store.append("r1", 1, vec![record("intent")], RunStatus::Open, claims()).await.unwrap();
    let refused = store.append("r2", 1, vec![record("intent")], RunStatus::Open, vec![claim("room-1")]).await;
    assert_eq!(refused, Err(StoreError::Claimed { claim: claim("room-1"), by_run: "r1".into() }));
    store.append("r1", 2, vec![record("end")], RunStatus::Ended, Vec::new()).await.unwrap();
    store.append("r2", 1, vec![record("intent")], RunStatus::Open, vec![claim("room-1")]).await.unwrap();
    let refused = store.append("r2", 2, vec![record("again")], RunStatus::Open, vec![post()]).await;
    assert_eq!(refused, Err(StoreError::Claimed { claim: post(), by_run: "r1".into() }));
    started(&store, "r3", "p4").await;
    let refused = store.append("r3", 1, vec![record("intent")], RunStatus::Open, vec![claim("room-1")]).await;
    assert_eq!(refused, Err(StoreError::Claimed { claim: claim("room-1"), by_run: "r2".into() }));
}

#[tokio::test]
async fn a_post_that_a_run_took_in_starts_no_other() {
    let directory = TempDir::new().unwrap();
    let store = open(&directory).await;
    started(&store, "r1", "p1").await;
    let taken = Claim { kind: POST_CLAIM.into(), scope: "sec".into(), name: "p2".into() };
    store.append("r1", 1, vec![record("again")], RunStatus::Ended, vec![taken]).await.unwrap();
    let outcome = store.start_run(new_run("r2", "sec", "p2", 1)).await.unwrap();
    assert_eq!(outcome, StartOutcome::AlreadyStarted { run_id: "r1".into() });
    let other = store.start_run(new_run("r3", "ops", "p2", 1)).await.unwrap();
    assert_eq!(other, StartOutcome::Started { number: 1 });
}

#[tokio::test]
async fn starts_are_limited_within_a_time() {
    let directory = TempDir::new().unwrap();
    let store = open(&directory).await;
    let at = |run_id: &str, at_ms: u64| NewRun {
        at_ms,
        limit: Some(StartLimit { starts: 2, since_ms: at_ms.saturating_sub(100) }),
        ..new_run(run_id, "sec", run_id, 1)
    };
    for run in ["r1", "r2"] {
        assert!(matches!(store.start_run(at(run, 1_000)).await.unwrap(), StartOutcome::Started { .. }));
    }
    assert_eq!(store.start_run(at("r3", 1_100)).await.unwrap(), StartOutcome::Limited);
    // The refused start took no number, and counts for nothing.
    assert_eq!(store.start_run(at("r3", 1_101)).await.unwrap(), StartOutcome::Started { number: 3 });
    // The clock is set back: what it dated far ahead keeps nobody from starting.
    assert_eq!(store.start_run(at("r4", 1_000)).await.unwrap(), StartOutcome::Limited);
    assert_eq!(store.start_run(at("r4", 500)).await.unwrap(), StartOutcome::Started { number: 4 });
}

#[tokio::test]
async fn a_journal_of_version_1_is_brought_up_to_date() {
    let directory = TempDir::new().unwrap();
    let store = open(&directory).await;
    started(&store, "r1", "p1").await;
    store.close().await;
    let db = raw(&directory);
    for change in [
        "DROP INDEX runs_started",
        "DROP INDEX runs_keyed",
        "ALTER TABLE runs DROP COLUMN started_ms",
        "ALTER TABLE runs DROP COLUMN fold_key",
        "UPDATE meta SET value = 1 WHERE name = 'schema_version'",
    ] {
        db.execute(change, ()).unwrap();
    }
    drop(db);

    let store = open(&directory).await;
    assert_eq!(store.records("r1").await.unwrap().len(), 1);
    assert!(matches!(
        store.start_run(keyed("r2", "p2", "disk")).await.unwrap(),
        StartOutcome::Started { number: 2 }
    ));
    store.close().await;
    assert!(open(&directory).await.run("r2").await.unwrap().is_some());
}
