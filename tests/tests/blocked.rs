//! An action that fails blocks its run, and says so where the people are, with a way on.

use crate::stage::{Stage, controls};
use serde_json::json;

/// Takes the first room's name before the incident wants it.
async fn stage_with_taken_name() -> (Stage, String) {
    let stage = Stage::new().await;
    let body =
        json!({ "team_id": stage.team_id, "name": "security-issue-1", "display_name": "Taken", "type": "O" });
    let (status, channel) = stage.call("POST", "/channels", stage.token("jon"), Some(body)).await;
    assert_eq!(status, 201);
    (stage, channel["id"].as_str().unwrap().to_owned())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_taken_name_blocks_the_run_until_somebody_mends_it_and_retries() {
    let (stage, taken) = stage_with_taken_name().await;
    let service = stage.service().await;
    stage.say("jon", "town-square", "#sec x").await;
    let town = stage.channel_id("town-square").await;
    let notice = stage.post(&town, ":warning:", 1).await;
    let text = notice["message"].as_str().unwrap();
    let deciders =
        "Here @jon, who started it, decides what becomes of it, or administrators of the server: no managers";
    for part in ["security_issue 1", "step `Setup`", "action `CreateWarroom`", "the name is taken", deciders]
    {
        assert!(text.contains(part), "{part} is missing in {text}");
    }
    let labels: Vec<_> = controls(&notice).iter().map(|control| control["name"].clone()).collect();
    assert_eq!(labels, ["Retry", "Use the next free number", "Skip", "Cancel"]);

    // Nobody but the starter and the managers decides while there is no room.
    assert_eq!(stage.press("chris", &notice, "Retry", None).await, 200);
    assert_eq!(controls(&stage.fresh(&notice).await).len(), 4);

    let renamed = json!({ "name": "something-else" });
    let patched = stage.admin("PUT", &format!("/channels/{taken}/patch"), Some(renamed)).await;
    assert_eq!(patched["name"], "something-else", "{patched}");
    assert_eq!(stage.press("jon", &notice, "Retry", None).await, 200);
    let room = stage.channel_id("security-issue-1").await;
    stage.post(&room, "New issue to triage", 1).await;
    let settled = stage.fresh(&notice).await;
    assert_eq!(controls(&settled), Vec::<serde_json::Value>::new());
    let text = settled["message"].as_str().unwrap();
    assert!(text.starts_with(":white_check_mark: Tried again by @jon."), "{text}");
    assert!(!text.contains("decides"), "{text}");
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_notice_outlives_a_restart_and_its_cancel_ends_the_run() {
    let (stage, _) = stage_with_taken_name().await;
    let service = stage.service().await;
    stage.say("jon", "town-square", "#sec x").await;
    let town = stage.channel_id("town-square").await;
    let notice = stage.post(&town, ":warning:", 1).await;
    service.stop().await;

    let service = stage.service().await;
    assert_eq!(service.runner().open_runs().len(), 1);
    assert_eq!(stage.press("jon", &notice, "Cancel", None).await, 200);
    stage
        .eventually("the end of the run", async || service.runner().open_runs().is_empty().then_some(()))
        .await;
    let settled = stage.fresh(&notice).await;
    assert!(
        settled["message"].as_str().unwrap().starts_with(":white_check_mark: Cancelled by @jon."),
        "{settled}"
    );
    let notices = stage.messages(&town).await;
    assert_eq!(
        notices.iter().filter(|text| text.contains("is blocked")).count(),
        0,
        "posted once, and settled"
    );
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_room_that_nobody_is_in_is_no_place_for_a_notice() {
    let workflow =
        crate::stage::SECURITY_ISSUE.replace("\"jon\",", "\"nobody\",").replace("\"chris\"", "\"noone\"");
    let stage = Stage::with_workflow(&workflow).await;
    let service = stage.service().await;
    stage.say("jon", "town-square", "#sec x").await;
    let town = stage.channel_id("town-square").await;
    let notice = stage.post(&town, ":warning:", 1).await;
    let text = notice["message"].as_str().unwrap();
    assert!(
        text.contains("action `AddUsers` failed") && text.contains("nobody") && text.contains("noone"),
        "{text}"
    );
    service.stop().await;
}

/// A stage whose incidents stop in their first step, with a room that nobody is in.
async fn stage_with_an_empty_room() -> Stage {
    let nobody = crate::stage::SECURITY_ISSUE.replace("\"jon\",", "\"nobody\",");
    let nobody = nobody.replace("\"chris\"", "\"noone\"").replacen(
        "\"match\": \"#sec\"",
        "\"match\": \"#sec\", \"key\": \"{{.Trigger.IssueReported.TeamName}}\"",
        1,
    );
    Stage::with_workflow(&nobody).await
}

/// What an operator does about the only incident, in the shell.
async fn operate(stage: &Stage, verb: &str) {
    let mut command = tokio::process::Command::new(env!("CARGO_BIN_EXE_warroom-under-test"));
    command.args(["runs", verb, "security_issue:1"]).env("WARROOM_CONFIG", stage.config_path());
    let output = command.output().await.unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_post_that_cannot_be_rewritten_keeps_no_other_from_it() {
    // The server fails at it, or something in front of the server does.
    for status in [500, 502] {
        one_that_cannot_be_rewritten_keeps_no_other_from_it(status).await;
    }
}

async fn one_that_cannot_be_rewritten_keeps_no_other_from_it(status: u16) {
    let stage = stage_with_an_empty_room().await;
    let service = stage.service().await;
    stage.say("jon", "town-square", "#sec x").await;
    let town = stage.channel_id("town-square").await;
    let notice = stage.post(&town, ":warning:", 1).await;
    stage.say("jon", "town-square", "#sec again").await;
    stage.post(&town, ":repeat: Reported once more", 1).await;
    let path = format!("/api/v4/posts/{}", notice["id"].as_str().unwrap());
    stage.proxy.fail_next("PUT", &path, status, 1_000);
    operate(&stage, "retry").await;
    stage.say("jon", "town-square", "#sec once more").await;
    stage.post(&town, ":repeat: Reported 2 more times", 1).await;
    assert!(stage.fresh(&notice).await["message"].as_str().unwrap().contains("is blocked"));
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_happens_at_the_very_end_is_shown_though_a_post_was_being_rewritten() {
    let stage = stage_with_an_empty_room().await;
    let service = stage.service().await;
    stage.say("jon", "town-square", "#sec x").await;
    let town = stage.channel_id("town-square").await;
    let notice = stage.post(&town, ":warning:", 1).await;
    let room = stage.channel_id("security-issue-1").await;
    // The notice's last look takes its time, and meanwhile the run comes to its end.
    let path = format!("/api/v4/posts/{}", notice["id"].as_str().unwrap());
    stage.proxy.delay_next("PUT", &path, std::time::Duration::from_secs(2), 1);
    stage.proxy.forbid_next("DELETE", &format!("/api/v4/channels/{room}"), 2);
    operate(&stage, "cancel").await;
    stage
        .eventually("the room that stays", async || {
            let told = stage.post(&town, ":x: Incident", 1).await;
            told["message"].as_str().unwrap().contains("could not be archived").then_some(())
        })
        .await;
    service.stop().await;
}
