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
