//! Ends without a farewell: what was acknowledged is there afterwards.
#![allow(clippy::unwrap_used, reason = "a failing helper fails its test")]

use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Command, Stdio};

use tempfile::TempDir;
use warroom_store::{NewRun, Options, Record, RunStatus, Store};

/// Tells the child where its journal is. Without it, the child's part of the test is over at once.
const CHILD_URL: &str = "WARROOM_STORE_TEST_CHILD_URL";

fn record(seq: u64) -> Record {
    Record { kind: "fact".into(), version: 1, body: seq.to_be_bytes().to_vec() }
}

fn new_run() -> NewRun {
    NewRun {
        run_id: "r1".into(),
        workflow: "sec".into(),
        post_id: "p1".into(),
        number_start: 1,
        at_ms: 0,
        fold_key: None,
        replaces: None,
        limit: None,
        first: Box::new(|_| vec![record(0)]),
    }
}

/// Not a test by itself: what the process does that `an_acknowledged_append_survives_kill_9` kills.
#[tokio::test]
async fn child_appends_until_it_is_killed() {
    let Ok(url) = std::env::var(CHILD_URL) else { return };
    let store = Store::open(&url, Options::default()).await.unwrap();
    store.start_run(new_run()).await.unwrap();
    for seq in 1..1_000_000 {
        store.append("r1", seq, vec![record(seq)], RunStatus::Open, vec![]).await.unwrap();
        // Not println, which the test harness would keep.
        writeln!(std::io::stdout(), "appended {seq}").unwrap();
    }
}

#[tokio::test]
async fn an_acknowledged_append_survives_kill_9() {
    let directory = TempDir::new().unwrap();
    let url = format!("sqlite:{}", directory.path().join("journal.db").display());
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "child_appends_until_it_is_killed", "--nocapture"])
        .env(CHILD_URL, &url)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut acknowledged = 0;
    for line in BufReader::new(child.stdout.take().unwrap()).lines() {
        if let Some(seq) = line.unwrap().strip_prefix("appended ") {
            acknowledged = seq.parse().unwrap();
        }
        if acknowledged == 200 {
            break;
        }
    }
    child.kill().unwrap();
    child.wait().unwrap();
    assert_eq!(acknowledged, 200, "the child ended by itself");

    let store = Store::open(&url, Options::default()).await.unwrap();
    let records = store.records("r1").await.unwrap();
    assert!(records.len() > 200, "{} records", records.len());
    assert!(records.iter().zip(0..).all(|(found, seq)| *found == record(seq)));
    // The run's count agrees with its records: the next append finds its place.
    let next = u64::try_from(records.len()).unwrap();
    store.append("r1", next, vec![record(next)], RunStatus::Ended, vec![]).await.unwrap();
}

#[tokio::test]
async fn a_store_that_was_dropped_can_be_opened_again() {
    let directory = TempDir::new().unwrap();
    let url = format!("sqlite:{}", directory.path().join("journal.db").display());
    let store = Store::open(&url, Options::default()).await.unwrap();
    store.start_run(new_run()).await.unwrap();
    drop(store);
    let store = Store::open(&url, Options::default()).await.unwrap();
    assert_eq!(store.records("r1").await.unwrap(), vec![record(0)]);
}
