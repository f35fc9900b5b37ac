//! The text that Prometheus reads.

use super::families::SERIES_MAX;
use super::*;
use futures_util::FutureExt as _;
use warroom_mattermost::{Client, ClientOptions, Token};

fn lines(metrics: &Metrics, beginning: &str) -> Vec<String> {
    let text = metrics.render();
    assert!(text.ends_with("# EOF\n"), "{text}");
    text.lines().filter(|line| line.starts_with(beginning)).map(str::to_owned).collect()
}

#[test]
fn states_are_there_before_the_first_run() {
    let metrics = Metrics::new();
    let mut runs = lines(&metrics, "warroom_runs{");
    runs.sort();
    assert_eq!(
        runs,
        [
            "warroom_runs{state=\"blocked\"} 0",
            "warroom_runs{state=\"running\"} 0",
            "warroom_runs{state=\"waiting\"} 0"
        ]
    );
    metrics.runs(RunState::Blocked, 2);
    assert_eq!(lines(&metrics, "warroom_runs{state=\"blocked\"}"), ["warroom_runs{state=\"blocked\"} 2"]);
    assert_eq!(lines(&metrics, "# TYPE warroom_runs "), ["# TYPE warroom_runs gauge"]);
}

#[test]
fn what_happens_is_counted_under_its_labels() {
    let metrics = Metrics::new();
    metrics.event(EventKind::Post);
    metrics.event(EventKind::Post);
    metrics.event(EventKind::CaughtUp);
    metrics.trigger_matched("security_issue");
    metrics.run_ended("security_issue", RunEnd::Cancelled);
    metrics.action("post", ActionOutcome::Failed, Duration::from_millis(30));
    metrics.callback(CallbackOutcome::Refused, Duration::from_millis(1));
    metrics.journal_waiting(7);
    metrics.catch_up_lag(Duration::from_millis(1_500));
    metrics.room_made(Duration::from_millis(15));
    metrics.post_decided(Duration::from_millis(3));
    for line in [
        "warroom_events_total{kind=\"post\"} 2",
        "warroom_events_total{kind=\"caught_up\"} 1",
        "warroom_triggers_matched_total{workflow=\"security_issue\"} 1",
        "warroom_runs_ended_total{workflow=\"security_issue\",outcome=\"cancelled\"} 1",
        "warroom_actions_total{type=\"post\",outcome=\"failed\"} 1",
        "warroom_action_duration_seconds_bucket{le=\"0.02\",type=\"post\"} 0",
        "warroom_action_duration_seconds_bucket{le=\"0.05\",type=\"post\"} 1",
        "warroom_action_duration_seconds_sum{type=\"post\"} 0.03",
        "warroom_callbacks_total{outcome=\"refused\"} 1",
        "warroom_callback_duration_seconds_count 1",
        "warroom_journal_queue_length 7",
        "warroom_catch_up_lag_seconds 1.5",
        "warroom_post_lag_seconds_bucket{le=\"0.005\"} 1",
        "warroom_trigger_to_room_seconds_bucket{le=\"0.01\"} 0",
        "warroom_trigger_to_room_seconds_bucket{le=\"0.02\"} 1",
    ] {
        assert_eq!(lines(&metrics, line), [line], "{}", metrics.render());
    }
}

#[test]
fn an_execution_that_is_tried_again_is_timed_once() {
    let metrics = Metrics::new();
    metrics.action("post", ActionOutcome::Retried, Duration::from_secs(1));
    metrics.action("post", ActionOutcome::Retried, Duration::from_secs(2));
    metrics.action("post", ActionOutcome::Succeeded, Duration::from_secs(4));
    for line in [
        "warroom_actions_total{type=\"post\",outcome=\"retried\"} 2",
        "warroom_action_duration_seconds_sum{type=\"post\"} 4.0",
        "warroom_action_duration_seconds_count{type=\"post\"} 1",
    ] {
        assert_eq!(lines(&metrics, line), [line], "{}", metrics.render());
    }
}

#[test]
fn the_client_and_its_stream_are_observed() {
    let metrics = Metrics::new();
    metrics.called("create_post", CallOutcome::Ok, Duration::from_millis(5));
    metrics.called("create_post", CallOutcome::RateLimited, Duration::from_secs(2));
    metrics.stream_connected(false);
    metrics.stream_lost();
    metrics.stream_lost();
    assert_eq!(lines(&metrics, "warroom_event_stream_connected"), ["warroom_event_stream_connected 0"]);
    metrics.stream_connected(true);
    for line in [
        "warroom_mattermost_calls_total{call=\"create_post\",outcome=\"ok\"} 1",
        "warroom_mattermost_calls_total{call=\"create_post\",outcome=\"rate_limited\"} 1",
        "warroom_mattermost_call_duration_seconds_count{call=\"create_post\"} 2",
        "warroom_event_stream_connected 1",
        "warroom_event_stream_connects_total{resumed=\"no\"} 1",
        "warroom_event_stream_connects_total{resumed=\"yes\"} 1",
        "warroom_event_stream_losses_total 1",
    ] {
        assert_eq!(lines(&metrics, line), [line], "{}", metrics.render());
    }
}

#[test]
fn the_number_of_series_is_bounded() {
    let metrics = Metrics::new();
    for at in 0..SERIES_MAX {
        metrics.trigger_matched(&format!("w{at}"));
    }
    assert_eq!(lines(&metrics, "warroom_triggers_matched_total{").len(), SERIES_MAX);
    metrics.trigger_matched("one_more");
    metrics.trigger_matched("and_another");
    metrics.trigger_matched("w0");
    assert_eq!(lines(&metrics, "warroom_triggers_matched_total{").len(), SERIES_MAX + 1);
    for line in [
        "warroom_triggers_matched_total{workflow=\"other\"} 2",
        "warroom_triggers_matched_total{workflow=\"w0\"} 2",
    ] {
        assert_eq!(lines(&metrics, line), [line]);
    }
}

#[test]
fn names_are_escaped() {
    let metrics = Metrics::new();
    metrics.trigger_matched("a\"b\\c\nd");
    let line = "warroom_triggers_matched_total{workflow=\"a\\\"b\\\\c\\nd\"} 1";
    assert_eq!(lines(&metrics, line), [line], "{}", metrics.render());
}

#[test]
fn presses_under_way_are_those_that_nobody_answered_or_gave_up() {
    let metrics = Metrics::new();
    let under_way = || lines(&metrics, "warroom_callbacks_under_way ");
    let (first, second) = (metrics.callback_begun(), metrics.callback_begun());
    assert_eq!(under_way(), ["warroom_callbacks_under_way 2"]);
    drop(first);
    assert_eq!(under_way(), ["warroom_callbacks_under_way 1"]);
    drop(second);
    assert_eq!(under_way(), ["warroom_callbacks_under_way 0"]);
}

fn scrape(readiness: Readiness, client: Option<Client>) -> Scrape {
    let witnesses = Witnesses {
        listener: watch::channel(readiness).1,
        runner: watch::channel(None).1,
        client: watch::channel(client).1,
    };
    Scrape { metrics: Metrics::new(), store: watch::channel(None).1, witnesses }
}

#[test]
fn whether_the_service_does_its_work_is_looked_at_when_metrics_are_asked_for() {
    for (readiness, says) in [
        (Readiness::Ready, "warroom_ready 1"),
        (Readiness::Not("the journal cannot be written".to_owned()), "warroom_ready 0"),
    ] {
        let scrape = scrape(readiness, None);
        scrape.sample();
        assert_eq!(lines(&scrape.metrics, "warroom_ready"), [says]);
    }
}

#[tokio::test]
async fn calls_that_wait_for_their_turn_are_looked_at_when_metrics_are_asked_for() {
    let options = ClientOptions {
        calls_per_second: 1,
        calls_burst: 1,
        ..ClientOptions::new("http://127.0.0.1:9", Token::new("t"))
    };
    let client = Client::new(options).unwrap();
    let scrape = scrape(Readiness::Ready, Some(client.clone()));
    let mut calls = [Box::pin(client.me()), Box::pin(client.me()), Box::pin(client.me())];
    for call in &mut calls {
        assert!(call.as_mut().now_or_never().is_none());
    }
    scrape.sample();
    assert_eq!(
        lines(&scrape.metrics, "warroom_mattermost_calls_waiting"),
        ["warroom_mattermost_calls_waiting 2"]
    );
    drop(calls);
    scrape.sample();
    assert_eq!(
        lines(&scrape.metrics, "warroom_mattermost_calls_waiting"),
        ["warroom_mattermost_calls_waiting 0"]
    );
}

#[tokio::test]
async fn the_endpoint_says_what_format_it_is() {
    let response = Metrics::serve(State(scrape(Readiness::Ready, None))).await;
    assert_eq!(response.headers()[CONTENT_TYPE], OPEN_METRICS);
    let body = axum::body::to_bytes(response.into_body(), 1 << 20).await.unwrap();
    assert!(body.starts_with(b"# HELP warroom_"));
}
