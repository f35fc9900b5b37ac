//! Gaps of single channels: what they miss is read, and what cannot be read of one holds up no other.

use crate::catch_up::{invite, looks, new_channel, rooms_only, unheard, with_operators};
use crate::stage::Stage;
use serde_json::json;
use std::time::Duration;

#[tokio::test(flavor = "multi_thread")]
async fn what_was_missed_in_a_channel_that_was_archived_meanwhile_is_read_once_it_is_back() {
    let stage = Stage::with_workflow(&rooms_only(&json!({}))).await;
    let side = new_channel(&stage, "side", true).await;
    let service = stage.service().await;
    unheard(&stage, async {
        stage.say("sam", "side", "#disk missed").await;
        stage.archive(&side).await;
    })
    .await;
    stage.say("jon", "town-square", "#disk first").await;
    looks(&stage, 1).await;
    // What is restored later than this is not near the gap any more.
    tokio::time::sleep(Duration::from_secs(11)).await;
    stage.admin("POST", &format!("/channels/{side}/restore"), None).await;
    assert_eq!(looks(&stage, 2).await, ["#disk first", "#disk missed"]);
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_channel_that_the_bot_came_into_while_nobody_listened_counts_from_then_on() {
    let stage = Stage::with_workflow(&rooms_only(&json!({}))).await;
    let side = new_channel(&stage, "side", false).await;
    let late = new_channel(&stage, "late", false).await;
    stage.say("sam", "side", "#disk before the bot came").await;
    let service = stage.service().await;
    unheard(&stage, async {
        stage.say("sam", "side", "#disk nor just before that").await;
        // The server counts in milliseconds, and the two are to differ.
        tokio::time::sleep(Duration::from_millis(20)).await;
        invite(&stage, &side).await;
        tokio::time::sleep(Duration::from_millis(20)).await;
        stage.say("sam", "side", "#disk unheard").await;
        // Nor when it can be read only at the second try.
        stage.proxy.break_next("GET", &format!("/api/v4/channels/{side}/posts"), 1);
    })
    .await;
    assert_eq!(looks(&stage, 1).await, ["#disk unheard"]);
    service.stop().await;
    // Nor does it matter whether the host was running.
    invite(&stage, &late).await;
    tokio::time::sleep(Duration::from_millis(20)).await;
    stage.say("sam", "late", "#disk while it was down").await;
    let service = stage.service().await;
    assert_eq!(looks(&stage, 2).await[1], "#disk while it was down");
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_channel_whose_posts_never_arrive_holds_up_no_other() {
    let stage = Stage::with_workflow(&rooms_only(&json!({}))).await;
    let off_topic = with_operators(&stage).await;
    let side = new_channel(&stage, "side", true).await;
    let often = [("WARROOM_LIMITS_ROOMS_CHECK_MS", "1000")];
    let service = stage.service_with(&often).await;
    unheard(&stage, async {
        stage.say("sam", "side", "#disk second").await;
        stage.say("jon", "town-square", "#disk first").await;
        stage.proxy.lose_answer_of_next("GET", &format!("/api/v4/channels/{side}/posts"), 10_000);
    })
    .await;
    assert_eq!(looks(&stage, 1).await, ["#disk first"]);
    stage
        .post(&off_topic, ":warning: What was posted to ~side while nobody listened cannot be read", 1)
        .await;
    stage.proxy.mend();
    assert_eq!(looks(&stage, 2).await[1], "#disk second");
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_loss_is_noticed_though_the_channels_of_its_team_cannot_be_listed() {
    let stage = Stage::new().await;
    let service = stage.service().await;
    let (room, _) = stage.triage().await;
    unheard(&stage, async {
        stage.archive(&room).await;
        for whom in ["me", &stage.bot_id] {
            let path = format!("/api/v4/users/{whom}/teams/{}/channels", stage.team_id);
            stage.proxy.fail_next("GET", &path, 500, 10_000);
        }
    })
    .await;
    let town = stage.channel_id("town-square").await;
    stage.post(&town, ":warning: The channel ~security-issue-1", 1).await;
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_posted_to_a_channel_that_cannot_be_read_yet_hides_nothing_before_it() {
    let stage = Stage::with_workflow(&rooms_only(&json!({}))).await;
    let side = new_channel(&stage, "side", false).await;
    let service = stage.service_with(&[("WARROOM_LIMITS_ROOMS_CHECK_MS", "1000")]).await;
    unheard(&stage, async {
        invite(&stage, &side).await;
        tokio::time::sleep(Duration::from_millis(20)).await;
        stage.say("sam", "side", "#disk unheard").await;
        // As often as it is tried before the rest goes on without it.
        stage.proxy.break_next("GET", &format!("/api/v4/channels/{side}/posts"), 3);
    })
    .await;
    service.ready().await.unwrap();
    stage.say("sam", "side", "whatever").await;
    assert_eq!(looks(&stage, 1).await, ["#disk unheard"]);
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn channels_that_cannot_be_read_are_named_together_and_tried_in_turn() {
    let stage = Stage::with_workflow(&rooms_only(&json!({}))).await;
    let off_topic = with_operators(&stage).await;
    let mut posts = Vec::new();
    for n in 0..12 {
        let id = new_channel(&stage, &format!("side-{n}"), true).await;
        posts.push(format!("/api/v4/channels/{id}/posts"));
    }
    let service = stage.service_with(&[("WARROOM_LIMITS_ROOMS_CHECK_MS", "1000")]).await;
    stage.proxy.forget_requests();
    unheard(&stage, async {
        for (n, path) in posts.iter().enumerate() {
            stage.say("sam", &format!("side-{n}"), "nothing much").await;
            stage.proxy.break_next("GET", path, 10_000);
        }
    })
    .await;
    let told = stage.post(&off_topic, ":warning: What was posted to ~side-", 1).await;
    let told = told["message"].as_str().unwrap();
    assert_eq!(told.matches("~side-").count(), 10, "{told}");
    assert!(told.contains(", 2 more while nobody listened cannot be read"), "{told}");
    // Fewer than all at a time, so the others must come first the next time.
    stage.proxy.forget_requests();
    let all_asked = async || {
        let asked = stage.proxy.requests();
        posts.iter().all(|path| asked.iter().any(|(_, known)| known == path)).then_some(())
    };
    stage.eventually("a look at each of them", all_asked).await;
    assert_eq!(stage.messages(&off_topic).await.len(), 1, "they are told once");
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn names_that_cannot_be_looked_up_keep_the_bot_from_no_other() {
    let trigger = json!([{"name": "Alert", "type": "text", "match": "#disk", "channel_name": ["a-fails", "b-fails", "side"]}]);
    let stage = Stage::with_workflow(&rooms_only(&json!({ "triggers": trigger }))).await;
    let off_topic = with_operators(&stage).await;
    let side = new_channel(&stage, "side", false).await;
    for name in ["a-fails", "b-fails"] {
        stage.proxy.break_next(
            "GET",
            &format!("/api/v4/teams/{}/channels/name/{name}", stage.team_id),
            10_000,
        );
    }
    let service = stage.service_with(&[("WARROOM_LIMITS_ROOMS_CHECK_MS", "1000")]).await;
    let is_in = async || stage.members(&side).await.contains(&stage.bot_id).then_some(());
    stage.eventually("the bot in the channel that can be looked up", is_in).await;
    for name in ["a-fails", "b-fails"] {
        stage.post(&off_topic, &format!(":warning: A trigger listens to \u{201c}{name}\u{201d}"), 1).await;
    }
    service.stop().await;
}

/// Has catch-up read Town Square once this was posted there, and so that the stream brings it too.
async fn read_twice(stage: &Stage, town: &str, happens: impl Future<Output = ()>) {
    let mut reading = stage.proxy.hold_next("GET", &format!("/api/v4/channels/{town}/posts"), 1);
    unheard(stage, stage.say("jon", "town-square", "nothing much")).await;
    reading.reached(1).await;
    happens.await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_catch_up_held_back_is_not_started_by_the_stream() {
    let stage = Stage::with_workflow(&rooms_only(&json!({}))).await;
    let service = stage.service_with(&[("WARROOM_LIMITS_CATCH_UP_MAX_AGE_MS", "1")]).await;
    let town = stage.channel_id("town-square").await;
    read_twice(&stage, &town, async {
        stage.say("jon", "town-square", "#disk twice").await;
        // Older than what is taken in late.
        tokio::time::sleep(Duration::from_millis(20)).await;
    })
    .await;
    stage.post(&town, ":hourglass:", 1).await;
    stage.say("jon", "town-square", "#disk live").await;
    assert_eq!(looks(&stage, 1).await, ["#disk live"]);
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nor_when_it_is_too_old_to_be_known_by_its_id() {
    let stage = Stage::with_workflow(&rooms_only(&json!({}))).await;
    let service = stage.service_with(&[("WARROOM_LIMITS_CATCH_UP_MAX_AGE_MS", "1")]).await;
    let town = stage.channel_id("town-square").await;
    let decided = async || {
        let url = format!("http://{}/metrics", service.address());
        let text = reqwest::get(&url).await.unwrap().text().await.unwrap();
        let count = text.lines().find_map(|line| line.strip_prefix("warroom_post_lag_seconds_count "));
        count.unwrap_or_else(|| panic!("{text}")).parse::<u64>().unwrap()
    };
    let before = decided().await;
    read_twice(&stage, &town, async {
        let held = stage.say("jon", "town-square", "#disk twice").await;
        // Only a time to come is far enough from the other one without a wait.
        let later = held["create_at"].as_i64().unwrap() + 3_600_000;
        let body = json!({ "channel_id": town, "message": "whatever", "create_at": later });
        stage.admin("POST", "/posts", Some(body)).await;
        tokio::time::sleep(Duration::from_millis(20)).await;
    })
    .await;
    stage.post(&town, ":hourglass:", 1).await;
    stage.eventually("the post of the stream", async || (decided().await > before).then_some(())).await;
    assert_eq!(stage.rooms().await, [""; 0]);
    assert!(service.runner().open_runs().is_empty());
    service.stop().await;
}
