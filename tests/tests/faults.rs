//! A server that fails for a while loses nothing and doubles nothing.

use crate::stage::Stage;

const TRIAGE: &str = "New issue to triage";

/// Starts an incident under a fault, and expects it to come to its triage as if nothing had been.
async fn comes_through(arm: impl FnOnce(&Stage)) {
    let stage = Stage::new().await;
    let service = stage.service().await;
    arm(&stage);
    let (room, _) = stage.triage().await;
    assert_eq!(stage.rooms().await, ["security-issue-1"]);
    assert_eq!(stage.messages(&room).await.len(), 1);
    let town = stage.channel_id("town-square").await;
    let announced = stage.messages(&town).await;
    assert_eq!(announced.iter().filter(|text| text.starts_with("Security issue reported")).count(), 1);
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_error_is_tried_again() {
    comes_through(|stage| stage.proxy.fail_next("POST", "/api/v4/channels", 503, 1)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rate_limit_is_waited_out() {
    comes_through(|stage| stage.proxy.fail_next("GET", "/api/v4/teams", 429, 1)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_room_whose_creation_was_not_answered_is_found_again() {
    comes_through(|stage| stage.proxy.lose_answer_of_next("POST", "/api/v4/channels", 1)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_post_whose_answer_was_lost_is_found_again() {
    let stage = Stage::new().await;
    let service = stage.service().await;
    stage.say("jon", "town-square", "#sec x").await;
    // The host's first post is the announcement; it comes only after the room was made and filled.
    stage.proxy.lose_answer_of_next("POST", "/api/v4/posts", 1);
    let room = stage.channel_id("security-issue-1").await;
    stage.post(&room, TRIAGE, 1).await;
    let town = stage.channel_id("town-square").await;
    let announced = stage.messages(&town).await;
    assert_eq!(announced.len(), 2, "the report and one announcement: {announced:?}");
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_event_stream_is_resumed_without_losing_a_post() {
    let stage = Stage::new().await;
    let service = stage.service().await;
    stage.proxy.cut_streams();
    stage.say("jon", "town-square", "#sec while nobody listened").await;
    let room = stage.channel_id("security-issue-1").await;
    stage.post(&room, TRIAGE, 1).await;
    assert_eq!(stage.rooms().await, ["security-issue-1"]);
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slow_answer_doubles_nothing() {
    comes_through(|stage| {
        stage.proxy.delay_next("POST", "/api/v4/posts", std::time::Duration::from_millis(700), 1);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_press_before_the_answer_to_its_post_tells_that_the_post_is_there() {
    let stage = Stage::new().await;
    let service = stage.service().await;
    stage.say("jon", "town-square", "#sec x").await;
    let town = stage.channel_id("town-square").await;
    stage.post(&town, "Security issue reported", 1).await;
    // The answer to the triage post is lost, and so is every further way to find out but the press.
    stage.proxy.lose_answer_of_next("POST", "/api/v4/posts", 1);
    let room = stage.channel_id("security-issue-1").await;
    let triage = stage.post(&room, TRIAGE, 1).await;
    assert_eq!(stage.press("jon", &triage, "Triaged", None).await, 200);
    stage.post(&room, "Developing a fix", 1).await;
    assert_eq!(stage.messages(&room).await.iter().filter(|text| text.starts_with(TRIAGE)).count(), 1);
    service.stop().await;
}
