//! What the host has to say reaches people: in busy channels, after outages, and when it could be said nowhere before.

use crate::callbacks::Desk;
use crate::catch_up::invite;
use crate::operators::warroom;
use crate::stage::{Stage, controls, drill};
use futures_util::future::join_all;
use serde_json::{Value, json};
use std::time::Duration;

/// Looks at rooms, and tells again what could be told nowhere, each second.
const OFTEN: (&str, &str) = ("WARROOM_LIMITS_ROOMS_CHECK_MS", "1000");
/// Gives up at the first failure that the server could answer for.
const IMPATIENT: (&str, &str) = ("WARROOM_LIMITS_RETRY_TRIES_MAX", "1");

/// An action that fails, since there is no such channel.
fn fails() -> Value {
    json!({"name": "Lost", "type": "post", "channel_name": "no-such-channel", "message": "x"})
}

/// A workflow whose first step blocks, and of which one starts within ten minutes.
fn one_that_blocks() -> String {
    drill(&json!([fails()])).replace("\"minutes\":1,\"starts\":1000", "\"minutes\":10,\"starts\":1")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_channel_full_of_alerts_is_told_all_the_same() {
    let stage = Stage::with_workflow(&one_that_blocks()).await;
    stage.write_config(&format!("[operators]\nnotify = \"{}/town-square\"\n", stage.team));
    let service = stage.service().await;
    let town = stage.channel_id("town-square").await;
    for _ in 0..21 {
        let post = || {
            stage.call(
                "POST",
                "/posts",
                stage.token("sam"),
                Some(json!({ "channel_id": town, "message": "disk full" })),
            )
        };
        let answers = join_all((0..50).map(|_| post())).await;
        assert!(answers.iter().all(|(status, _)| *status == 201));
    }
    stage.say("jon", "town-square", "#drill").await;
    stage.post(&town, ":warning: Incident **drill 1** is blocked", 1).await;
    stage.say("jon", "town-square", "#drill").await;
    stage.post(&town, ":warning: **drill** has started 1 incidents", 1).await;
    service.runner().tell_operators("a matter", "Something is wrong.");
    stage.post(&town, ":warning: Something is wrong.", 1).await;
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cancellation_that_could_be_told_nowhere_is_told_once_it_can_be() {
    let stage = Stage::new().await;
    let service = stage.service_with(&[OFTEN]).await;
    let (room, _) = stage.triage().await;
    stage.proxy.forbid_next("POST", "/api/v4/posts", 1_000);
    let (code, said) = warroom(&stage, &["runs", "cancel", "security_issue:1"]).await;
    assert_eq!(code, 0, "{said}");
    // Telling comes before that.
    stage.archived(&room).await;
    stage.proxy.mend();
    let town = stage.channel_id("town-square").await;
    stage.post(&town, ":x: Incident **security_issue 1** was cancelled", 1).await;
    stage.at_rest(&service).await;
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_warning_that_could_be_told_nowhere_is_told_once_it_can_be() {
    let mut fails = fails();
    fails["on_error"] = json!("continue");
    let stage = Stage::with_workflow(&drill(&json!([fails]))).await;
    let service = stage.service_with(&[OFTEN]).await;
    stage.proxy.forbid_next("POST", "/api/v4/posts", 2);
    stage.say("jon", "town-square", "#drill").await;
    let town = stage.channel_id("town-square").await;
    stage.post(&town, ":warning: Incident **drill 1**: action `Lost` failed", 1).await;
    stage.at_rest(&service).await;
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn held_posts_that_could_be_told_nowhere_are_told_once_they_can_be() {
    let stage = Stage::with_workflow(&one_that_blocks()).await;
    let service = stage.service_with(&[OFTEN, IMPATIENT]).await;
    let town = stage.channel_id("town-square").await;
    stage.say("jon", "town-square", "#drill").await;
    stage.post(&town, ":warning: Incident **drill 1** is blocked", 1).await;
    stage.proxy.forbid_next("POST", "/api/v4/posts", 2);
    stage.say("jon", "town-square", "#drill").await;
    stage.post(&town, ":warning: **drill** has started 1 incidents", 1).await;
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn operators_are_told_though_their_channel_cannot_be_looked_up_at_first() {
    let stage = Stage::with_workflow(&drill(&json!([fails()]))).await;
    let ops = stage.make_channel("jon", "ops", "Operators", "O").await;
    invite(&stage, &ops).await;
    stage.write_config(&format!("[operators]\nnotify = \"{}/ops\"\n", stage.team));
    let service = stage.service_with(&[OFTEN]).await;
    let town = stage.channel_id("town-square").await;
    stage.proxy.forbid_next("POST", "/api/v4/posts", 2);
    stage.proxy.break_next("GET", &format!("/api/v4/teams/{}/channels/name/ops", stage.team_id), 1);
    // The host goes on with the next place when it is found, not with no place at all.
    stage.say("jon", "town-square", "#drill").await;
    let told = stage.eventually("the notice", async || {
        let texts = [stage.messages(&town).await, stage.messages(&ops).await].concat();
        texts.iter().any(|text| text.starts_with(":warning: Incident **drill 1** is blocked")).then_some(())
    });
    told.await;
    let id = service.runner().open_runs().remove(0);
    let run = service.runner().run(&id).await.unwrap();
    assert_eq!(run.announcements[0].failures, 0, "it was never given up");
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_operators_are_to_know_waits_for_their_channel() {
    let stage = Stage::new().await;
    stage.write_config(&format!("[operators]\nnotify = \"{}/ops\"\n", stage.team));
    stage.write_workflow("broken.json", "[{");
    let service = stage.service_with(&[OFTEN]).await;
    let ops = format!("/api/v4/teams/{}/channels/name/ops", stage.team_id);
    let looked = async || (stage.proxy.arrivals("GET", &ops).len() > 1).then_some(());
    stage.eventually("the first try", looked).await;
    let ops = stage.make_channel("jon", "ops", "Operators", "O").await;
    invite(&stage, &ops).await;
    stage.post(&ops, ":warning: Workflow files: ", 1).await;
    service.stop().await;
}

/// Asks in a channel that the run did not make.
fn asks(channel: &str) -> Value {
    json!({"name": "Ask", "type": "post", "channel_name": channel, "message": "Well?",
           "transitions": [{"label": "Done", "to": "End"}]})
}

#[tokio::test(flavor = "multi_thread")]
async fn a_channel_with_buttons_that_is_archived_by_hand_is_told_and_goes_on_once_it_is_back() {
    let mut ask = asks("ops");
    ask["fields"] = json!([{"name": "Ack", "description": "Seen", "type": "button"}]);
    let stage = Stage::with_workflow(&drill(&json!([ask]))).await;
    let ops = stage.make_channel("jon", "ops", "Operations", "O").await;
    let desk = Desk::on(stage).await;
    let stage = &desk.stage;
    stage.say("jon", "town-square", "#drill").await;
    let asked = stage.post(&ops, "Well?", 1).await;
    let (press, done) =
        (desk.take("jon", &asked, "Ack", None).await, desk.take("jon", &asked, "Done", None).await);
    stage
        .eventually("the journal to have the post", async || {
            (desk.service.runner().states() == [0, 1, 0]).then_some(())
        })
        .await;
    stage.archive(&ops).await;
    let town = stage.channel_id("town-square").await;
    let notice =
        stage.post(&town, ":warning: The channel ~ops of incident **drill 1** was archived", 1).await;
    let labels: Vec<_> = controls(&notice).iter().map(|control| control["name"].clone()).collect();
    assert_eq!(labels, ["Cancel"]);
    let words = desk.told(&press).await;
    assert!(words.contains("The channel is archived or closed to the bot"), "{words}");
    stage.admin("POST", &format!("/channels/{ops}/restore"), None).await;
    stage
        .eventually("the channel to be back", async || {
            let now = stage.fresh(&notice).await;
            now["message"].as_str().unwrap().contains("can be used again").then_some(())
        })
        .await;
    desk.shown(&done).await;
    desk.ended().await;
    stage
        .eventually("the controls to go", async || {
            controls(&stage.fresh(&asked).await).is_empty().then_some(())
        })
        .await;
    desk.service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_channel_that_is_archived_before_the_journal_has_the_post_there_is_told_at_once() {
    let stage = Stage::with_workflow(&drill(&json!([asks("ops")]))).await;
    let ops = stage.make_channel("jon", "ops", "Operations", "O").await;
    let bot = json!({ "user_id": stage.bot_id });
    stage.admin("POST", &format!("/channels/{ops}/members"), Some(bot)).await;
    let service = stage.service().await;
    stage.proxy.delay_next("POST", "/api/v4/posts", Duration::from_secs(3), 1);
    stage.say("jon", "town-square", "#drill").await;
    stage.post(&ops, "Well?", 1).await;
    stage.archive(&ops).await;
    let town = stage.channel_id("town-square").await;
    stage.post(&town, ":warning: The channel ~ops of incident **drill 1** was archived", 1).await;
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn another_room_that_is_archived_by_hand_is_told_while_the_run_archives_one() {
    let room =
        |name: &str, handle: &str| json!({"name": name, "type": "create_channel", "channel_name": handle});
    let stage = Stage::with_workflow(&drill(&json!([
        room("First", "one-{{.Instance.Number}}"),
        room("Second", "two-{{.Instance.Number}}"),
        asks("two-{{.Instance.Number}}"),
        {"name": "Close", "type": "archive_channel", "channel_name": "one-{{.Instance.Number}}"},
    ])))
    .await;
    let service = stage.service().await;
    let mut held = stage.proxy.hold_next("DELETE", "/api/v4/channels/", 1);
    stage.say("jon", "town-square", "#drill").await;
    held.reached(1).await;
    let (two, id) = (stage.channel_id("two-1").await, service.runner().open_runs().remove(0));
    stage.archive(&two).await;
    let is_noticed = async || service.runner().run(&id).await.unwrap().lost.contains_key(&two).then_some(());
    stage.eventually("the loss", is_noticed).await;
    drop(held);
    let town = stage.channel_id("town-square").await;
    stage.post(&town, ":warning: The channel ~two-1 of incident **drill 1** was archived", 1).await;
    stage.archived(&stage.channel_id("one-1").await).await;
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn buttons_that_could_not_be_taken_away_go_once_the_bot_may() {
    let mut workflow: Value = serde_json::from_str(&drill(&json!([asks("town-square")]))).unwrap();
    let mut asked_next = asks("town-square");
    (asked_next["name"], asked_next["message"]) = (json!("AskNext"), json!("And now?"));
    workflow[0]["steps"][0]["start_actions"][0]["transitions"][0]["to"] = json!("Next");
    let next = json!({"name": "Next", "start_actions": [asked_next]});
    workflow[0]["steps"].as_array_mut().unwrap().insert(1, next);
    let stage = Stage::with_workflow(&workflow.to_string()).await;
    let desk = Desk::on(stage).await;
    let stage = &desk.stage;
    stage.say("jon", "town-square", "#drill").await;
    let town = stage.channel_id("town-square").await;
    let asked = stage.post(&town, "Well?", 1).await;
    let path = format!("/api/v4/posts/{}", asked["id"].as_str().unwrap());
    let press = desk.take("jon", &asked, "Done", None).await;
    stage.proxy.forbid_next("PUT", &path, 1_000);
    // What the host answers does not reach the server.
    desk.shown(&press).await;
    stage.post(&town, "And now?", 1).await;
    // The post was looked at again, after the answer had its time.
    let is_given_up =
        async || (stage.proxy.arrivals("PUT", &format!("{path}/patch")).len() >= 2).then_some(());
    stage.eventually("the tries", is_given_up).await;
    assert_eq!(controls(&stage.fresh(&asked).await).len(), 1);
    stage.proxy.mend();
    stage
        .eventually("the buttons to go", async || {
            // The host may still be about to learn of the last refusal.
            desk.service.runner().check_channels().await.unwrap();
            controls(&stage.fresh(&asked).await).is_empty().then_some(())
        })
        .await;
    desk.service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_notice_shows_what_was_done_though_the_host_was_killed_before_it_could_be_rewritten() {
    let stage = Stage::with_workflow(&drill(&json!([fails()]))).await;
    let mut process = stage.process();
    stage.eventually("the listening host", async || (stage.proxy.stream_count() > 0).then_some(())).await;
    stage.say("jon", "town-square", "#drill").await;
    let town = stage.channel_id("town-square").await;
    let notice = stage.post(&town, ":warning: Incident **drill 1** is blocked", 1).await;
    let path = format!("/api/v4/posts/{}", notice["id"].as_str().unwrap());
    stage.proxy.fail_next("PUT", &path, 500, 1_000);
    let (code, said) = warroom(&stage, &["runs", "cancel", "drill:1"]).await;
    assert_eq!(code, 0, "{said}");
    stage.post(&town, ":x: Incident **drill 1** was cancelled", 1).await;
    stage
        .eventually("the end of the run", async || {
            let (_, listed) = warroom(&stage, &["runs", "list"]).await;
            (!listed.contains("drill:1")).then_some(())
        })
        .await;
    process.kill().await.unwrap();
    stage.proxy.mend();
    let service = stage.service().await;
    stage
        .eventually("the last look", async || {
            let now = stage.fresh(&notice).await;
            now["message"].as_str().unwrap().starts_with(":white_check_mark: Cancelled by").then_some(())
        })
        .await;
    assert_eq!(controls(&stage.fresh(&notice).await).len(), 0);
    service.stop().await;
}
