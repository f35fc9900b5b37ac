//! What makes running an interrupted execution again possible.

use serde_json::json;

use crate::fake_host::{Bench, FakeHost, Record};

#[tokio::test]
async fn the_same_input_and_answers_give_the_same_calls_and_outcome() {
    let input = json!({
        "channel_name": "room-7", "message": "New issue",
        "fields": [{"name": "Impact", "type": "options", "options": ["I1", "I2"]}],
        "transitions": [{"label": "Triaged", "to": "DevelopFix"}],
    })
    .to_string();
    let mut runs = Vec::new();
    for _ in 0..2 {
        let record = Record::default();
        let outcome = Bench::of("post").await.run(&input, FakeHost::new(&record)).await.unwrap().outcome;
        runs.push((record.calls(), outcome));
    }
    assert_eq!(runs[0], runs[1]);
    assert_eq!(runs[0].0.len(), 2);
}

#[tokio::test]
async fn nothing_stays_from_one_call_to_the_next() {
    let bench = Bench::of("hostile").await;
    let run = |input: &'static str| bench.run(input, FakeHost::new(&Record::default()));
    let before = run(r#"{"do": "grow", "bytes": 1}"#).await.unwrap();
    run(r#"{"do": "grow", "bytes": 20000000}"#).await.unwrap();
    let after = run(r#"{"do": "grow", "bytes": 1}"#).await.unwrap();
    assert_eq!(before.memory_bytes_peak, after.memory_bytes_peak);
}
