//! Workflow files are read again when they change; a wrong one leaves what was in force.

use crate::catch_up::with_operators;
use crate::stage::{SECURITY_ISSUE, Stage};

async fn posts_until_room(stage: &Stage, keyword: &str, room: &str) {
    // Files are polled: post until the new one is in force.
    stage
        .eventually(&format!("a room {room} by {keyword}"), async || {
            stage.say("jon", "town-square", keyword).await;
            stage.rooms().await.iter().any(|name| name.starts_with(room)).then_some(())
        })
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_changed_file_is_in_force_without_a_restart_and_a_wrong_one_is_not() {
    let stage = Stage::new().await;
    let service = stage.service().await;
    let changed = SECURITY_ISSUE.replace("#sec", "#alarm").replace("security-issue-", "alarm-");
    stage.write_workflow("workflow.json", &changed);
    posts_until_room(&stage, "#alarm", "alarm-").await;

    stage.write_workflow("workflow.json", &changed.replace("\"to\": \"Resolved\"", "\"to\": \"Resolvd\""));
    // A second, right file tells when the directory was read again.
    let other = SECURITY_ISSUE
        .replace("security_issue", "other")
        .replace("#sec", "#other")
        .replace("security-issue-", "other-");
    stage.write_workflow("other.json", &other);
    posts_until_room(&stage, "#other", "other-").await;
    let before = stage.rooms().await.len();
    stage.say("jon", "town-square", "#alarm again").await;
    stage
        .eventually("a room by the old file", async || (stage.rooms().await.len() > before).then_some(()))
        .await;
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_open_run_keeps_the_workflow_that_it_began_with() {
    let stage = Stage::new().await;
    let service = stage.service().await;
    stage.say("jon", "town-square", "#sec x").await;
    let room = stage.channel_id("security-issue-1").await;
    let triage = stage.post(&room, "New issue", 1).await;
    service.stop().await;
    stage.write_workflow("workflow.json", &SECURITY_ISSUE.replace("Finished Triage", "Something else"));
    let service = stage.service().await;
    stage.press("jon", &triage, "Resolved", None).await;
    stage.archived(&room).await;
    assert_eq!(stage.messages(&room).await[1], "Finished Triage");
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn operators_are_told_what_is_not_in_force() {
    let stage = Stage::new().await;
    let off_topic = with_operators(&stage).await;
    stage.write_workflow("early.json", "[{");
    std::fs::write(stage.directory.path().join("actions/own.wasm"), b"no component").unwrap();
    let service = stage.service().await;
    stage.post(&off_topic, ":warning: an action component is not loaded", 1).await;
    let early = format!(
        ":warning: Workflow files: {}",
        stage.directory.path().join("workflows/early.json").display()
    );
    let told = stage.post(&off_topic, &early, 1).await;
    assert!(told["message"].as_str().unwrap().contains("nothing of it is in force:\n```\nerror"), "{told}");
    stage.write_workflow("late.json", "[7, \"```\"]");
    let late = early.replace("early.json", "late.json");
    let told = stage.post(&off_topic, &late, 1).await;
    let message = told["message"].as_str().unwrap();
    assert_eq!(message.matches("```").count(), 2, "the file does not end the block: {message}");
    stage.write_workflow("second.json", SECURITY_ISSUE);
    stage.post(&off_topic, ":warning: Workflow files: workflow `security_issue` of second.json", 1).await;
    // And what is mended, each time.
    let mended = early.replace(":warning:", ":white_check_mark:");
    for times in 1..=2 {
        stage.write_workflow("early.json", &SECURITY_ISSUE.replace("security_issue", "early"));
        let told = stage.post(&off_topic, &mended, times).await;
        assert!(told["message"].as_str().unwrap().ends_with("has no errors any more"), "{told}");
        stage.write_workflow("early.json", "[{");
        stage.post(&off_topic, &early, times + 1).await;
    }
    stage.write_workflow("second.json", &SECURITY_ISSUE.replace("security_issue", "second"));
    stage
        .post(&off_topic, ":white_check_mark: Workflow files: this is over: workflow `security_issue`", 1)
        .await;
    service.stop().await;
}
