//! What belongs to no run: documents and watermarks; and the numbers of runs that change.

#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test that cannot go on must fail at once"
)]

use tempfile::TempDir;
use warroom_store::{NewRun, Options, Record, RunStatus, StartOutcome, Store, StoreError, Watermark};

async fn open(directory: &TempDir) -> Store {
    let url = format!("sqlite:{}", directory.path().join("journal.db").display());
    Store::open(&url, Options { record_bytes_max: 1_000, ..Options::default() }).await.unwrap()
}

fn record(text: &str) -> Record {
    Record { kind: "fact".into(), version: 1, body: text.as_bytes().to_vec() }
}

fn new_run(run_id: &str) -> NewRun {
    NewRun {
        run_id: run_id.into(),
        workflow: "sec".into(),
        post_id: run_id.into(),
        number_start: 5,
        at_ms: 0,
        fold_key: None,
        replaces: None,
        limit: None,
        first: Box::new(|number| vec![record(&number.to_string())]),
    }
}

#[tokio::test]
async fn a_document_is_written_only_by_who_read_the_last_one() {
    let directory = TempDir::new().unwrap();
    let store = open(&directory).await;
    assert_eq!(store.document("held", "sec").await.unwrap(), None);
    store.put_document("held", "sec", 0, b"one".to_vec()).await.unwrap();
    let stale = store.put_document("held", "sec", 0, b"other".to_vec()).await.unwrap_err();
    assert!(matches!(stale, StoreError::Conflict { expected: 0, actual: 1, .. }), "{stale}");
    store.put_document("held", "sec", 1, b"two".to_vec()).await.unwrap();
    store.put_document("other", "sec", 0, b"else".to_vec()).await.unwrap();
    store.close().await;

    let store = open(&directory).await;
    assert_eq!(store.document_ids("held", 10).await.unwrap(), ["sec"]);
    store.put_document("held", "tec", 0, b"new".to_vec()).await.unwrap();
    assert_eq!(store.document_ids("held", 10).await.unwrap(), ["tec", "sec"]);
    assert_eq!(store.document_ids("held", 1).await.unwrap(), ["tec"]);
    let document = store.document("held", "sec").await.unwrap().unwrap();
    assert_eq!((document.revision, &document.body[..]), (2, &b"two"[..]));
    store.delete_document("held", "sec").await.unwrap();
    store.delete_document("held", "sec").await.unwrap();
    assert_eq!(store.document("held", "sec").await.unwrap(), None);
}

#[tokio::test]
async fn a_document_has_a_bound() {
    let directory = TempDir::new().unwrap();
    let store = open(&directory).await;
    store.put_document("held", "fits", 0, vec![0; 1_000]).await.unwrap();
    let error = store.put_document("held", "large", 0, vec![0; 1_001]).await.unwrap_err();
    assert!(matches!(error, StoreError::TooLarge { max: 1_000, .. }), "{error}");
}

#[tokio::test]
async fn a_watermark_only_rises() {
    let directory = TempDir::new().unwrap();
    let store = open(&directory).await;
    let mark = |channel: &str, at_ms: u64| Watermark {
        channel_id: channel.into(),
        at_ms,
        since_ms: at_ms - 1,
        near: format!("{at_ms}"),
    };
    store.raise_watermarks(vec![mark("a", 10), mark("b", 5)]).await.unwrap();
    store.raise_watermarks(vec![mark("a", 7), mark("b", 6)]).await.unwrap();
    // What is known near a mark may change while the mark stays.
    let known = Watermark { near: "more".into(), ..mark("b", 6) };
    store.raise_watermarks(vec![known.clone()]).await.unwrap();
    let mut found = store.watermarks().await.unwrap();
    found.sort_by(|one, other| one.channel_id.cmp(&other.channel_id));
    assert_eq!(found, [mark("a", 10), known]);
}

#[tokio::test]
async fn a_run_takes_the_next_number_and_its_old_one_is_given_to_nobody() {
    let directory = TempDir::new().unwrap();
    let store = open(&directory).await;
    assert_eq!(store.start_run(new_run("r1")).await.unwrap(), StartOutcome::Started { number: 5 });
    let first = Box::new(|number: u64| vec![record(&format!("now {number}"))]);
    assert_eq!(store.renumber("r1", 1, 5, first).await.unwrap(), 6);
    assert_eq!(store.records("r1").await.unwrap()[1].body, b"now 6");
    assert_eq!(store.run_by_number("sec", 6).await.unwrap().unwrap().run_id, "r1");
    assert_eq!(store.run_by_number("sec", 5).await.unwrap(), None);
    assert_eq!(store.run("r1").await.unwrap().unwrap().status, RunStatus::Open);
    let stale = store.renumber("r1", 1, 5, Box::new(|_| vec![record("x")])).await.unwrap_err();
    assert!(matches!(stale, StoreError::Conflict { .. }), "{stale}");
    assert!(!store.has_taken("sec", "r2").await.unwrap());
    assert_eq!(store.start_run(new_run("r2")).await.unwrap(), StartOutcome::Started { number: 7 });
    assert!(store.has_taken("sec", "r2").await.unwrap());
}
