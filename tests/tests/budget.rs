//! What a failure that may pass costs: tries and time, of which there are so many, and an outage of the server, which is free.

use crate::stage::{Stage, controls};
use serde_json::{Value, json};
use std::time::{Duration, Instant};
use warroom::Service;
use warroom_engine::{Run, Status};

const TRIAGE: &str = "New issue to triage";
const CHANNELS: &str = "/api/v4/channels";
/// Longer than the tests wait for anything, in tries.
const FOR_EVER: u32 = 100_000;

/// A service that tries three times, a few hundred milliseconds apart.
async fn hasty(stage: &Stage) -> Service {
    let limits = [("WARROOM_LIMITS_RETRY_TRIES_MAX", "3"), ("WARROOM_LIMITS_RETRY_PERIOD_MS", "2400")];
    stage.service_with(&limits).await
}

/// The first run of the service, once it is as wanted.
async fn run(stage: &Stage, service: &Service, what: &str, is_wanted: impl Fn(&Run) -> bool) -> Run {
    stage
        .eventually(what, async || {
            let id = service.runner().open_runs().pop()?;
            service.runner().run(&id).await.ok().filter(&is_wanted)
        })
        .await
}

fn tries(run: &Run) -> u32 {
    run.current.as_ref().map_or(0, |current| current.budget.tries)
}

fn outages(run: &Run) -> u32 {
    run.current.as_ref().map_or(0, |current| current.budget.outages)
}

/// Waits until an action that began now would be given up for its time.
async fn outlast(since: Instant) {
    tokio::time::sleep_until((since + Duration::from_millis(2_600)).into()).await;
}

fn asked(stage: &Stage, path: &str) -> usize {
    stage.proxy.requests().iter().filter(|request| request.0 == "POST" && request.1 == path).count()
}

/// The notice that the incident is blocked, which must give the reason.
async fn given_up(stage: &Stage, reason: &str) -> Value {
    let town = stage.channel_id("town-square").await;
    let notice = stage.post(&town, BLOCKED, 1).await;
    let text = notice["message"].as_str().unwrap();
    assert!(text.contains(reason) && text.contains("given up after 3 tries"), "{text}");
    notice
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failure_that_stays_is_tried_so_often_and_then_blocks_with_its_reason() {
    let stage = Stage::new().await;
    let service = hasty(&stage).await;
    stage.proxy.break_next("POST", CHANNELS, FOR_EVER);
    stage.say("jon", "town-square", "#sec x").await;
    let notice = given_up(&stage, "Something broke").await;
    assert_eq!(asked(&stage, CHANNELS), 3);
    let waits = stage.proxy.waits("POST", CHANNELS);
    assert!(waits.iter().all(|wait| *wait >= Duration::from_millis(500)), "{waits:?}");

    stage.proxy.mend();
    assert_eq!(stage.press("jon", &notice, "Retry", None).await, 200);
    let room = stage.channel_id("security-issue-1").await;
    stage.post(&room, TRIAGE, 1).await;
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn tries_are_counted_on_after_a_restart() {
    let stage = Stage::new().await;
    let service = hasty(&stage).await;
    stage.proxy.break_next("POST", CHANNELS, FOR_EVER);
    stage.say("jon", "town-square", "#sec x").await;
    run(&stage, &service, "the first try", |run| tries(run) == 1).await;
    service.stop().await;
    let service = hasty(&stage).await;
    given_up(&stage, "Something broke").await;
    assert_eq!(asked(&stage, CHANNELS), 3);
    service.stop().await;
}

/// One try is spent, then the server is out for longer than the period, then a second try is spent: there is a third one.
async fn outlives(restarts: bool) {
    let stage = Stage::new().await;
    let service = hasty(&stage).await;
    stage.proxy.break_next("POST", CHANNELS, 2);
    stage.say("jon", "town-square", "#sec x").await;
    run(&stage, &service, "the first try", |run| tries(run) == 1).await;
    let since = Instant::now();
    stage.proxy.go_away().await;
    let mut service = service;
    run(&stage, &service, "the outage", |run| outages(run) > 0).await;
    outlast(since).await;
    if restarts {
        service.stop().await;
        stage.proxy.come_back();
        service = hasty(&stage).await;
    } else {
        stage.proxy.come_back();
    }
    let room = stage.channel_id("security-issue-1").await;
    stage.post(&room, TRIAGE, 1).await;
    assert_eq!(asked(&stage, CHANNELS), 3);
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_outage_longer_than_the_period_spends_nothing() {
    outlives(false).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_outage_that_ends_with_a_restart_of_the_host_spends_nothing() {
    outlives(true).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_hangs_is_out() {
    let stage = Stage::new().await;
    let limits = [
        ("WARROOM_LIMITS_RETRY_TRIES_MAX", "1"),
        ("WARROOM_LIMITS_MATTERMOST_TIMEOUT_MS", "200"),
        ("WARROOM_LIMITS_RETRY_PERIOD_MS", "100"),
    ];
    let service = stage.service_with(&limits).await;
    stage.say("jon", "town-square", "#sec x").await;
    let room = stage.channel_id("security-issue-1").await;
    let triage = stage.post(&room, TRIAGE, 1).await;
    run(&stage, &service, "the end of its start", Run::waits).await;
    assert_eq!(stage.press("jon", &triage, "Triaged", None).await, 200);
    stage.proxy.hang();
    let held_up = run(&stage, &service, "the outage", |run| outages(run) > 1).await;
    assert_eq!((tries(&held_up), &held_up.status), (0, &Status::Open));
    stage.proxy.mend();
    stage.post(&room, "Developing a fix", 1).await;
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_proxy_that_refuses_one_request_for_ever_is_no_outage() {
    let stage = Stage::new().await;
    let service = hasty(&stage).await;
    stage.proxy.fail_next("POST", CHANNELS, 502, FOR_EVER);
    stage.say("jon", "town-square", "#sec x").await;
    given_up(&stage, "the server answered 502").await;
    assert_eq!(asked(&stage, CHANNELS), 3);
    service.stop().await;
}

/// A stage on which the first incident finds its room's name taken, and is blocked.
async fn blocked_stage() -> Stage {
    let stage = Stage::new().await;
    let body =
        json!({ "team_id": stage.team_id, "name": "security-issue-1", "display_name": "Taken", "type": "O" });
    assert_eq!(stage.call("POST", "/channels", stage.token("jon"), Some(body)).await.0, 201);
    stage
}

const BLOCKED: &str = ":warning: Incident **security_issue 1** is blocked";

#[tokio::test(flavor = "multi_thread")]
async fn a_notice_that_could_stand_nowhere_is_posted_as_soon_as_it_can() {
    let stage = blocked_stage().await;
    let service = stage.service_with(&[("WARROOM_LIMITS_ROOMS_CHECK_MS", "1000")]).await;
    stage.proxy.forbid_next("POST", "/api/v4/posts", FOR_EVER);
    stage.say("jon", "town-square", "#sec x").await;
    run(&stage, &service, "the failure", |run| run.announcements.iter().any(|known| known.failed)).await;
    stage.proxy.mend();
    let town = stage.channel_id("town-square").await;
    stage.post(&town, BLOCKED, 1).await;
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_channel_for_operators_that_comes_later_is_found() {
    let stage = blocked_stage().await;
    stage.write_config(&format!("[operators]\nnotify = \"{}/ops\"", stage.team));
    let service = stage.service().await;
    let body = json!({ "team_id": stage.team_id, "name": "ops", "display_name": "Ops", "type": "O" });
    assert_eq!(stage.call("POST", "/channels", stage.token("jon"), Some(body)).await.0, 201);
    // In Town Square the bot may not post, neither before it joins nor after.
    stage.proxy.forbid_next("POST", "/api/v4/posts", 2);
    stage.say("jon", "town-square", "#sec x").await;
    let ops = stage.channel_id("ops").await;
    stage.post(&ops, BLOCKED, 1).await;
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_notice_outlives_an_outage_longer_than_the_period() {
    let stage = blocked_stage().await;
    let service = hasty(&stage).await;
    stage.proxy.break_next("POST", "/api/v4/posts", 2);
    stage.say("jon", "town-square", "#sec x").await;
    let (posts, service_of) = ("/api/v4/posts", &service);
    stage.eventually("the first try", async || (asked(&stage, posts) == 1).then_some(())).await;
    run(&stage, service_of, "the intent", |run| run.announcements.iter().any(|known| known.place.is_some()))
        .await;
    let since = Instant::now();
    stage.proxy.go_away().await;
    outlast(since).await;
    stage.proxy.come_back();
    let town = stage.channel_id("town-square").await;
    let notice = stage.post(&town, BLOCKED, 1).await;
    assert_eq!(asked(&stage, posts), 3);
    assert!(!controls(&notice).is_empty());
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pin_that_fails_once_is_set_all_the_same() {
    let stage = Stage::new().await;
    let service = hasty(&stage).await;
    stage.proxy.break_next("POST", "/api/v4/posts/", 1);
    let (_, triage) = stage.triage().await;
    stage
        .eventually("the pin", async || (stage.fresh(&triage).await["is_pinned"] == true).then_some(()))
        .await;
    assert_eq!(asked(&stage, &format!("/api/v4/posts/{}/pin", triage["id"].as_str().unwrap())), 2);
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn skipping_warns_of_the_templates_that_will_miss_something() {
    let stage = Stage::new().await;
    let service = hasty(&stage).await;
    stage.proxy.break_next("POST", CHANNELS, FOR_EVER);
    stage.say("jon", "town-square", "#sec x").await;
    let notice = given_up(&stage, "Something broke").await;
    let text = notice["props"]["attachments"].to_string();
    let skip = text.split("\\n").find(|line| line.starts_with("**Skip**")).unwrap();
    assert!(skip.contains("AddUsers") && skip.contains("TriagePost"), "{skip}");
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_can_only_say_that_it_failed_is_out() {
    let stage = Stage::new().await;
    let service = hasty(&stage).await;
    // As with its database gone: whatever it is asked.
    stage.proxy.break_next("POST", CHANNELS, FOR_EVER);
    stage.proxy.break_next("GET", "/api/v4/users/me", FOR_EVER);
    stage.say("jon", "town-square", "#sec x").await;
    let held_up = run(&stage, &service, "the outage", |run| outages(run) > 3).await;
    assert_eq!((tries(&held_up), &held_up.status), (0, &Status::Open));
    stage.proxy.mend();
    let room = stage.channel_id("security-issue-1").await;
    stage.post(&room, TRIAGE, 1).await;
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_asks_for_a_wait_beyond_the_period_blocks_at_once_and_says_so() {
    let stage = Stage::new().await;
    let service = stage.service().await;
    stage.proxy.maintain_next("POST", CHANNELS, 86_400, 1);
    stage.say("jon", "town-square", "#sec x").await;
    let town = stage.channel_id("town-square").await;
    let notice = stage.post(&town, BLOCKED, 1).await;
    let text = notice["message"].as_str().unwrap();
    assert!(text.contains("the server asks for a wait of at least 3600 s"), "{text}");
    assert_eq!(stage.press("jon", &notice, "Retry", None).await, 200);
    let room = stage.channel_id("security-issue-1").await;
    stage.post(&room, TRIAGE, 1).await;
    service.stop().await;
}
