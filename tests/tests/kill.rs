//! A process that is killed, for real, goes on where it was.

use crate::stage::Stage;
use std::process::Stdio;
use tokio::process::{Child, Command};

/// Requests that change something; the others say little about how far the incident came.
async fn effects(stage: &Stage) -> usize {
    stage
        .proxy
        .requests()
        .iter()
        .filter(|(method, path)| method != "GET" && !path.contains("/users/"))
        .count()
}

#[tokio::test(flavor = "multi_thread")]
async fn kill_9_at_every_stage_of_the_beginning_loses_nothing_and_doubles_nothing() {
    // After the report itself come the incident's first effects: the room, two members, the announcement, the triage post.
    for killed_after in 0..5 {
        let stage = Stage::new().await;
        let mut process = stage.process();
        stage.eventually("the listening host", async || (stage.proxy.stream_count() > 0).then_some(())).await;
        stage.proxy.forget_requests();
        // The room's answer is lost, so that the host dies not knowing whether its call was done.
        stage.proxy.lose_answer_of_next("POST", "/api/v4/channels", u32::from(killed_after == 0));
        stage.say("jon", "town-square", "#sec x").await;
        stage
            .eventually("the point of death", async || {
                (effects(&stage).await > killed_after + 1).then_some(())
            })
            .await;
        // SIGKILL: no handler runs, nothing is flushed.
        process.kill().await.unwrap();

        let mut process = stage.process();
        let room = stage.channel_id("security-issue-1").await;
        let triage = stage.post(&room, "New issue to triage", 1).await;
        assert_eq!(stage.rooms().await, ["security-issue-1"], "killed after {killed_after}");
        assert_eq!(stage.messages(&room).await.len(), 1, "killed after {killed_after}");
        let town = stage.channel_id("town-square").await;
        assert_eq!(
            stage.messages(&town).await.len(),
            2,
            "killed after {killed_after}: report and announcement"
        );

        // Killed while it waits for people; the buttons of before still work.
        process.kill().await.unwrap();
        let mut process = stage.process();
        // A host that is just starting says so and changes nothing: people press again, and so does this.
        let resolved = async || {
            stage.press("jon", &triage, "Resolved", None).await;
            let moved = stage.messages(&room).await.len() > 1;
            moved.then_some(())
        };
        stage.eventually("the finish action", resolved).await;
        stage.archived(&room).await;
        assert_eq!(
            stage.messages(&room).await[1..],
            ["Finished Triage".to_owned(), "Resolved.".to_owned()],
            "killed after {killed_after}"
        );
        process.kill().await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_posted_after_the_first_start_of_all_is_read_though_that_was_killed_at_once() {
    let stage = Stage::new().await;
    let mut process = stage.process();
    let ready = format!("{}/readyz", stage.host_url());
    stage
        .eventually("readiness", async || {
            reqwest::get(&ready).await.is_ok_and(|answer| answer.status().is_success()).then_some(())
        })
        .await;
    process.kill().await.unwrap();
    stage.say("jon", "town-square", "#sec x").await;
    let mut process = stage.process();
    stage.channel_id("security-issue-1").await;
    process.kill().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_host_on_the_same_journal_refuses_to_start() {
    let stage = Stage::new().await;
    let service = stage.service().await;
    let output = Command::new(env!("CARGO_BIN_EXE_warroom-under-test"))
        .args(["serve", "--config"])
        .arg(stage.config_path())
        .env("WARROOM_HTTP_LISTEN", "127.0.0.1:0")
        .output()
        .await
        .unwrap();
    assert!(!output.status.success());
    let error = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(error.contains("another process works with it"), "{error}");
    service.stop().await;
}

/// Runs a tool of the system on the process.
async fn bound_files(process: &Child, bytes: &str) {
    let pid = process.id().unwrap().to_string();
    let status = Command::new("prlimit").args(["--pid", &pid, &format!("--fsize={bytes}:")]).status().await;
    assert!(status.unwrap().success());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_turns_readiness_red_and_loses_no_report() {
    let stage = Stage::new().await;
    // Writing more than allowed is then an error like that of a full disk, and no signal.
    let mut command = Command::new("sh");
    command.args(["-c", "trap '' XFSZ; exec \"$@\"", "sh", env!("CARGO_BIN_EXE_warroom-under-test")]);
    command.args(["serve", "--config"]).arg(stage.config_path()).stdout(Stdio::null()).kill_on_drop(true);
    // The log lies on that disk too.
    command.stderr(std::fs::File::create(stage.directory.path().join("log")).unwrap());
    let mut process = command.spawn().unwrap();
    let says = async |status: u16, words: &str| {
        let url = format!("{}/readyz", stage.host_url());
        stage
            .eventually(words, async || {
                let answer = reqwest::get(&url).await.ok()?;
                (answer.status().as_u16() == status && answer.text().await.ok()?.contains(words))
                    .then_some(())
            })
            .await;
    };
    says(200, "ready").await;
    bound_files(&process, "0").await;
    stage.say("jon", "town-square", "#sec while the disk is full").await;
    says(503, "the journal cannot be written").await;
    bound_files(&process, "unlimited").await;
    says(200, "ready").await;
    let room = stage.channel_id("security-issue-1").await;
    stage.post(&room, "New issue to triage", 1).await;
    assert_eq!(stage.rooms().await, ["security-issue-1"]);
    process.kill().await.unwrap();
}
