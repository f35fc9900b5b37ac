//! An hour of a big company's chatter in a minute: people post all the time, one post in a thousand starts an incident, and the host,
//! a process of its own, must miss none, decide quickly, and not grow.
//!
//! What it measured is read where an operator reads it, at `/metrics`. Fails when a post was missed; figures are only printed.

#![allow(
    missing_docs,
    dead_code,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stdout,
    reason = "a benchmark that cannot go on must fail, and its figures are what it is for"
)]

#[path = "../tests/proxy.rs"]
mod proxy;
#[path = "../tests/stage.rs"]
mod stage;

use serde_json::json;
use stage::Stage;
use std::time::{Duration, Instant};
use tokio::task::JoinSet;
use tokio::time::MissedTickBehavior;

const POSTS_PER_SECOND: usize = 2_000;
const SECONDS: usize = 60;
/// One post in so many starts an incident.
const TRIGGER_EVERY: usize = 1_000;
const WRITERS: usize = 8;
const CHANNELS: usize = 10;
/// When the first measure of the memory is taken: everything has been used by then.
const WARM: Duration = Duration::from_secs(10);

#[tokio::main]
async fn main() {
    // `cargo test --benches` only wants to know that it starts.
    if !std::env::args().any(|argument| argument == "--bench") {
        return;
    }
    let stage = Stage::with_workflow(&workflow()).await;
    stage.write_direct_config();
    let channels = channels(&stage).await;
    let host = stage.process();
    let host_id = host.id().unwrap();
    stage.eventually("a host that listens", async || ready(&stage).await.then_some(())).await;

    let begin = Instant::now();
    let mut tasks = JoinSet::new();
    for writer in 0..WRITERS {
        tasks.spawn(write(Writer::new(&stage, writer), channels.clone()));
    }
    tokio::time::sleep(WARM).await;
    let warm = resident_bytes(host_id);
    let mut largest = warm;
    while let Some(done) = tokio::time::timeout(Duration::from_secs(1), tasks.join_next()).await.transpose() {
        if let Ok(done) = done {
            done.unwrap();
        }
        largest = largest.max(resident_bytes(host_id));
    }
    let rate = (POSTS_PER_SECOND * SECONDS) as f64 / begin.elapsed().as_secs_f64();
    let wanted = (POSTS_PER_SECOND * SECONDS) as u64;
    let incidents = wanted / TRIGGER_EVERY as u64;
    let figures = stage
        .eventually("every post decided and every incident finished", async || {
            let figures = Figures::read(&stage).await;
            (figures.decided >= wanted && figures.finished >= incidents).then_some(figures)
        })
        .await;
    let last = resident_bytes(host_id);
    drop(host);

    println!(
        "{wanted} posts in {CHANNELS} channels, {rate:.0} a second; {incidents} of them start an incident"
    );
    println!("  decided {}, started {}, finished {}", figures.decided, figures.matched, figures.finished);
    println!("  from post to decision, by the server's clock: {}", figures.lag());
    println!("  connections lost {}, posts read afterwards {}", figures.losses, figures.caught_up);
    let mb = |bytes: u64| bytes as f64 / 1e6;
    println!(
        "  memory of the host: {:.1} MB after {} s, {:.1} MB at the end, {:.1} MB at most",
        mb(warm),
        WARM.as_secs(),
        mb(last),
        mb(largest)
    );
    let rooms = stage.rooms().await.iter().filter(|name| name.starts_with("soak-")).count() as u64;
    assert_eq!(
        (figures.decided, figures.matched, figures.finished, rooms),
        (wanted, incidents, incidents, incidents),
        "posts decided, triggers matched, incidents finished, rooms made"
    );
}

fn workflow() -> String {
    json!([{
        "name": "soak",
        "start_limit": { "starts": 1_000, "minutes": 1 },
        "triggers": [{ "name": "Reported", "type": "text", "match": "#soak" }],
        "steps": [{ "name": "Respond", "start_actions": [
            { "name": "Room", "type": "create_channel", "channel_name": "soak-{{.Instance.Number}}" },
            { "name": "Say", "type": "post", "channel_name": "{{.Action.Room.ChannelName}}",
              "message": "{{.Trigger.Reported.Message}}" }
        ] }]
    }])
    .to_string()
}

/// Channels that the bot listens to.
async fn channels(stage: &Stage) -> Vec<String> {
    let mut channels = Vec::new();
    for n in 0..CHANNELS {
        let channel = json!({ "team_id": stage.team_id, "name": format!("talk-{n}"), "display_name": format!("Talk {n}"), "type": "O" });
        let channel = stage.admin("POST", "/channels", Some(channel)).await;
        let id = channel["id"].as_str().unwrap().to_owned();
        for member in [&stage.bot_id, &stage.bring("jon").await] {
            stage.admin("POST", &format!("/channels/{id}/members"), Some(json!({ "user_id": member }))).await;
        }
        channels.push(id);
    }
    channels
}

async fn ready(stage: &Stage) -> bool {
    let answer = reqwest::get(format!("{}/readyz", stage.host_url())).await;
    answer.is_ok_and(|answer| answer.status().is_success())
}

/// Somebody who posts all the time.
struct Writer {
    http: reqwest::Client,
    url: String,
    token: String,
    first: usize,
}

impl Writer {
    fn new(stage: &Stage, first: usize) -> Writer {
        let (url, token) = (format!("{}/api/v4/posts", stage.server()), stage.token("jon").to_owned());
        Writer { http: reqwest::Client::new(), url, token, first }
    }
}

/// Posts evenly; what comes too late is caught up with.
async fn write(writer: Writer, channels: Vec<String>) {
    let mut tick = tokio::time::interval(Duration::from_secs(1) * WRITERS as u32 / POSTS_PER_SECOND as u32);
    tick.set_missed_tick_behavior(MissedTickBehavior::Burst);
    for n in (writer.first..POSTS_PER_SECOND * SECONDS).step_by(WRITERS) {
        tick.tick().await;
        let message = if n % TRIGGER_EVERY == TRIGGER_EVERY / 2 {
            format!("#soak number {n}")
        } else {
            format!(
                "chatter number {n}: the build is green again, and the deployment waits for a review of the change"
            )
        };
        let post = json!({ "channel_id": channels[n % channels.len()], "message": message });
        let request = writer.http.post(&writer.url).bearer_auth(&writer.token).json(&post);
        request.send().await.unwrap().error_for_status().unwrap().bytes().await.unwrap();
    }
}

fn resident_bytes(process: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).expect("the host has ended");
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.split_whitespace().next().unwrap().parse::<u64>().unwrap() * 1024
}

/// What the host says of itself.
struct Figures {
    decided: u64,
    matched: u64,
    finished: u64,
    losses: u64,
    caught_up: u64,
    /// Bounds in seconds, and how many posts were decided within each.
    buckets: Vec<(f64, u64)>,
}

impl Figures {
    async fn read(stage: &Stage) -> Figures {
        let text = reqwest::get(format!("{}/metrics", stage.host_url())).await.unwrap().text().await.unwrap();
        let value = |name: &str| {
            let line = text.lines().find_map(|line| line.strip_prefix(name));
            line.map_or(0, |value| value.trim().parse().unwrap())
        };
        let bucket = |line: &str| {
            let (bound, count) =
                line.strip_prefix("warroom_post_lag_seconds_bucket{le=\"")?.split_once("\"} ")?;
            Some((bound.parse().unwrap_or(f64::INFINITY), count.parse().unwrap()))
        };
        Figures {
            decided: value("warroom_post_lag_seconds_count"),
            matched: value("warroom_triggers_matched_total{workflow=\"soak\"}"),
            finished: value("warroom_runs_ended_total{workflow=\"soak\",outcome=\"finished\"}"),
            losses: value("warroom_event_stream_losses_total"),
            caught_up: value("warroom_events_total{kind=\"caught_up\"}"),
            buckets: text.lines().filter_map(bucket).collect(),
        }
    }

    /// Which bounds hold how much.
    fn lag(&self) -> String {
        let below = |part: f64| {
            let found = self.buckets.iter().find(|(_, count)| *count as f64 >= part * self.decided as f64);
            found.map_or(f64::INFINITY, |(bound, _)| bound * 1000.0)
        };
        format!(
            "p50 <= {} ms, p99 <= {} ms, p99.9 <= {} ms, all <= {} ms",
            below(0.5),
            below(0.99),
            below(0.999),
            below(1.0)
        )
    }
}
