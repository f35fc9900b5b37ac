//! The log of the running program.

use crate::stage::Stage;
use serde_json::Value;
use std::fs::File;
use std::process::Stdio;
use tokio::process::Command;

#[tokio::test(flavor = "multi_thread")]
async fn a_line_about_a_press_names_the_workflow_and_the_run() {
    let stage = Stage::new().await;
    let log = stage.directory.path().join("log");
    let mut command = Command::new(env!("CARGO_BIN_EXE_warroom-under-test"));
    command.args(["serve", "--log-format", "json", "--config"]).arg(stage.config_path());
    command.env("RUST_LOG", "warn,warroom_runner=debug");
    command.stdout(Stdio::null()).stderr(File::create(&log).unwrap());
    let _process = command.kill_on_drop(true).spawn().unwrap();
    stage.eventually("the listening host", async || (stage.proxy.stream_count() > 0).then_some(())).await;
    let (_, triage) = stage.triage().await;
    assert_eq!(stage.press("jon", &triage, "Triaged", None).await, 200);
    let line = stage
        .eventually("the line about the press", async || {
            let text = std::fs::read_to_string(&log).unwrap();
            let mut lines = text.lines().filter(|line| line.contains("a control is pressed"));
            serde_json::from_str::<Value>(lines.next()?).ok()
        })
        .await;
    let spans = line["spans"].as_array().unwrap();
    let span = spans.iter().find(|span| span["name"] == "run").unwrap_or_else(|| panic!("{line:#}"));
    assert_eq!(span["workflow"], "security_issue", "{line:#}");
    assert!(span["run"].as_str().is_some_and(|run| !run.is_empty()), "{line:#}");
}
