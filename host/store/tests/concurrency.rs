//! Many at once: the queue, the grouping of commits, and what one request must not do to another.
#![allow(clippy::unwrap_used, reason = "a failing helper fails its test")]

use std::sync::mpsc;
use std::time::Duration;

use tempfile::TempDir;
use tokio::task::JoinSet;
use warroom_store::{NewRun, Options, Record, RunStatus, StartOutcome, Store, StoreError};

fn record(text: &str) -> Record {
    Record { kind: "fact".into(), version: 1, body: text.as_bytes().to_vec() }
}

fn new_run(run_id: &str, post_id: &str) -> NewRun {
    NewRun {
        run_id: run_id.into(),
        workflow: "sec".into(),
        post_id: post_id.into(),
        number_start: 1,
        at_ms: 0,
        fold_key: None,
        replaces: None,
        limit: None,
        first: Box::new(|_| vec![record("start")]),
    }
}

async fn on_disk(options: Options) -> (TempDir, Store) {
    let directory = TempDir::new().unwrap();
    let url = format!("sqlite:{}", directory.path().join("journal.db").display());
    let store = Store::open(&url, options).await.unwrap();
    (directory, store)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hundred_starts_take_a_hundred_numbers() {
    let (_directory, store) = on_disk(Options::default()).await;
    let mut starts = JoinSet::new();
    for index in 0..100 {
        let store = store.clone();
        // Every post is seen twice, as replicas and repeated events do.
        let post = index / 2;
        starts.spawn(async move {
            store.start_run(new_run(&format!("run-{index}"), &format!("post-{post}"))).await.unwrap()
        });
    }
    let mut numbers: Vec<u64> = starts
        .join_all()
        .await
        .into_iter()
        .filter_map(|outcome| match outcome {
            StartOutcome::Started { number } => Some(number),
            _ => None,
        })
        .collect();
    numbers.sort_unstable();
    assert_eq!(numbers, (1..=50).collect::<Vec<_>>());
}

#[tokio::test(flavor = "multi_thread")]
async fn of_a_hundred_appends_at_one_place_one_succeeds() {
    let (_directory, store) = on_disk(Options::default()).await;
    store.start_run(new_run("r1", "p1")).await.unwrap();
    let mut appends = JoinSet::new();
    for index in 0..100 {
        let store = store.clone();
        appends.spawn(async move {
            let records = vec![record(&index.to_string()), record("second")];
            store.append("r1", 1, records, RunStatus::Open, vec![]).await
        });
    }
    let results = appends.join_all().await;
    assert_eq!(results.iter().filter(|result| result.is_ok()).count(), 1);
    let conflicts =
        results.iter().filter(|result| matches!(result, Err(StoreError::Conflict { .. }))).count();
    assert_eq!(conflicts, 99);
    assert_eq!(store.records("r1").await.unwrap().len(), 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hundred_runs_append_side_by_side() {
    let (_directory, store) = on_disk(Options::default()).await;
    let mut runs = JoinSet::new();
    for index in 0..100 {
        let store = store.clone();
        runs.spawn(async move {
            let run = format!("run-{index}");
            store.start_run(new_run(&run, &run)).await.unwrap();
            for seq in 1..6 {
                store.append(&run, seq, vec![record(&run)], RunStatus::Open, vec![]).await.unwrap();
            }
            let records = store.records(&run).await.unwrap();
            assert_eq!(records.len(), 6);
            assert!(records.iter().skip(1).all(|found| *found == record(&run)));
        });
    }
    runs.join_all().await;
    assert_eq!(store.open_runs().await.unwrap().len(), 100);
}

/// A start that keeps the writer busy until it is let go.
fn blocking_start(store: &Store) -> (mpsc::Receiver<()>, mpsc::Sender<()>) {
    let (entered, is_entered) = mpsc::channel();
    let (release, released) = mpsc::channel::<()>();
    let mut new = new_run("blocker", "blocker");
    new.first = Box::new(move |_| {
        entered.send(()).unwrap();
        released.recv().unwrap();
        vec![record("start")]
    });
    let store = store.clone();
    tokio::spawn(async move { store.start_run(new).await });
    (is_entered, release)
}

/// Polls once, then gives up; what was queued by then stays queued.
async fn ask_and_leave(store: &Store, run: &str) {
    let left = tokio::time::timeout(Duration::ZERO, store.start_run(new_run(run, run))).await;
    assert!(left.is_err(), "the writer is not busy");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_queue_has_a_bound() {
    let (_directory, store) = on_disk(Options { queue_max: 2, batch_max: 1, ..Options::default() }).await;
    let (is_entered, release) = blocking_start(&store);
    is_entered.recv().unwrap();
    for (run, waiting) in [("first", 1), ("second", 2), ("third", 2)] {
        ask_and_leave(&store, run).await;
        assert_eq!(store.waiting(), waiting, "after {run}");
    }
    release.send(()).unwrap();
    // The third never got in; the others were done although nobody waits for them any more.
    for (run, done) in [("first", true), ("second", true), ("third", false)] {
        assert_eq!(store.run(run).await.unwrap().is_some(), done, "{run}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failed_request_leaves_its_neighbours_in_the_transaction() {
    let (_directory, store) = on_disk(Options::default()).await;
    store.start_run(new_run("r1", "p1")).await.unwrap();
    store.start_run(new_run("r2", "p2")).await.unwrap();
    let (is_entered, release) = blocking_start(&store);
    is_entered.recv().unwrap();
    // These wait together, and so are one transaction.
    let (before, failing, after, ()) = tokio::join!(
        biased;
        store.append("r1", 1, vec![record("a")], RunStatus::Open, vec![]),
        store.append("r2", 7, vec![record("b")], RunStatus::Open, vec![]),
        store.append("r1", 2, vec![record("c")], RunStatus::Ended, vec![]),
        async { release.send(()).unwrap() },
    );
    assert!(before.is_ok() && after.is_ok());
    assert!(matches!(failing, Err(StoreError::Conflict { expected: 7, actual: 1, .. })), "{failing:?}");
    assert_eq!(store.records("r1").await.unwrap().len(), 3);
    assert_eq!(store.records("r2").await.unwrap().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn closing_finishes_what_waits() {
    let (directory, store) = on_disk(Options::default()).await;
    let (is_entered, release) = blocking_start(&store);
    is_entered.recv().unwrap();
    let waiting = store.clone();
    let (started, (), ()) = tokio::join!(
        biased;
        waiting.start_run(new_run("r1", "p1")),
        store.close(),
        async { release.send(()).unwrap() },
    );
    assert_eq!(started, Ok(StartOutcome::Started { number: 2 }));
    let url = format!("sqlite:{}", directory.path().join("journal.db").display());
    let store = Store::open(&url, Options::default()).await.unwrap();
    assert!(store.run("r1").await.unwrap().is_some());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_panic_on_the_writers_thread_leaves_nobody_waiting() {
    let (directory, store) = on_disk(Options::default()).await;
    store.start_run(new_run("r1", "p1")).await.unwrap();
    let (is_entered, release) = blocking_start(&store);
    is_entered.recv().unwrap();
    let (waiting, ()) = tokio::join!(
        biased;
        store.run("r1"),
        // The start that waits for it panics.
        async { drop(release) },
    );
    assert_eq!(waiting, Err(StoreError::Stopped { doing: "look up run r1".into() }));
    assert_eq!(store.run("r1").await, Err(StoreError::Stopped { doing: "look up run r1".into() }));
    store.close().await;
    let url = format!("sqlite:{}", directory.path().join("journal.db").display());
    let store = Store::open(&url, Options::default()).await.unwrap();
    assert_eq!(store.open_runs().await.unwrap().len(), 1, "the start that panicked left nothing");
}
