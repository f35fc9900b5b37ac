//! Limits of the configuration, as the service keeps them. What each of them does is tested where it is kept.

use crate::stage::{Stage, free_port};
use std::time::Duration;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

#[tokio::test(flavor = "multi_thread")]
async fn more_workflow_files_than_allowed_are_refused() {
    let stage = Stage::new().await;
    stage.write_workflow("second.json", "[]");
    let refused = stage.start(&[("WARROOM_LIMITS_WORKFLOW_FILES_MAX", "1")]).await;
    let error = format!("{:#}", refused.err().unwrap());
    assert!(error.contains("holds 2 files, and 1 are allowed"), "{error}");
    assert!(error.contains("[limits] workflow_files_max"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_server_is_called_no_faster_than_allowed() {
    let stage = Stage::new().await;
    let slow =
        [("WARROOM_LIMITS_MATTERMOST_CALLS_PER_SECOND", "5"), ("WARROOM_LIMITS_MATTERMOST_CALLS_BURST", "1")];
    let service = stage.service_with(&slow).await;
    stage.triage().await;
    let calls = stage.proxy.all_arrivals();
    // The stream is no call.
    let (first, last) = (calls[1], calls[calls.len() - 1]);
    let least = Duration::from_millis(200) * (u32::try_from(calls.len()).unwrap() - 3);
    assert!(calls.len() > 8 && last - first >= least, "{} calls in {:?}", calls.len(), last - first);
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn as_many_connections_are_served_as_allowed_and_none_for_longer() {
    let stage = Stage::new().await;
    let bounds =
        [("WARROOM_LIMITS_HTTP_CONNECTIONS_MAX", "8"), ("WARROOM_LIMITS_REQUEST_TIMEOUT_MS", "1000")];
    let service = stage.service_with(&bounds).await;
    let health = format!("http://{}/healthz", service.address());
    let ask = async || {
        let client = reqwest::Client::builder().timeout(Duration::from_secs(1)).build().unwrap();
        client.get(&health).send().await.map(|answer| answer.status().as_u16()).ok()
    };
    let mut idle = Vec::new();
    for _ in 0..8 {
        idle.push(TcpStream::connect(service.address()).await.unwrap());
    }
    stage.eventually("the full house", async || ask().await.is_none().then_some(())).await;
    let mut slow = idle.remove(0);
    drop(idle);
    stage.eventually("a free place", async || (ask().await == Some(200)).then_some(())).await;
    // A request whose body does not come is given up.
    slow.write_all(b"POST /callbacks/action HTTP/1.1\r\nhost: x\r\ncontent-length: 9\r\n\r\n").await.unwrap();
    let mut answer = [0; 12];
    let read = tokio::time::timeout(Duration::from_secs(30), slow.read_exact(&mut answer)).await;
    read.expect("an answer").unwrap();
    assert_eq!(std::str::from_utf8(&answer), Ok("HTTP/1.1 408"));
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn metrics_can_have_an_address_of_their_own() {
    let stage = Stage::new().await;
    let own = format!("127.0.0.1:{}", free_port());
    let service = stage.service_with(&[("WARROOM_METRICS_LISTEN", &own)]).await;
    let metrics = reqwest::get(format!("http://{own}/metrics")).await.unwrap();
    assert_eq!(metrics.status(), 200);
    assert!(metrics.text().await.unwrap().contains("warroom_runs{state=\"waiting\"} 0"));
    let elsewhere = reqwest::get(format!("http://{}/metrics", service.address())).await.unwrap();
    assert_eq!(elsewhere.status(), 404, "callbacks and metrics are apart");
    assert_eq!(reqwest::get(format!("http://{own}/healthz")).await.unwrap().status(), 404);
    service.stop().await;
}
