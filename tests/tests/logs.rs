//! The log of the program: who reads it finds the incident in every line, and no secret in any.

use crate::stage::{Stage, drill};
use serde_json::{Value, json};
use std::process::Stdio;
use tokio::io::AsyncReadExt as _;
use tokio::process::Command;
use warroom_store::{Options, Store};

/// A post to nowhere, then one with a control.
fn workflow() -> String {
    drill(&json!([
        {"name": "Lost", "type": "post", "channel_name": "no-such-channel", "message": "x", "on_error": "continue"},
        {"name": "Ask", "type": "post", "channel_name": "town-square", "message": "Well?",
         "transitions": [{"label": "Done", "to": "End"}]},
    ]))
}

/// What the program logs while it runs an incident whose first action fails; with it, the incident's run.
async fn logged(stage: &Stage, format: &str, level: &str) -> (String, String) {
    let mut process = Command::new(env!("CARGO_BIN_EXE_warroom-under-test"))
        .args(["--log-format", format, "serve", "--config"])
        .arg(stage.config_path())
        .env("RUST_LOG", level)
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let mut output = process.stderr.take().unwrap();
    // Read all the while: a full pipe would stop the program.
    let reading = tokio::spawn(async move {
        let mut text = String::new();
        output.read_to_string(&mut text).await.unwrap();
        text
    });
    stage.eventually("the listening host", async || (stage.proxy.stream_count() > 0).then_some(())).await;
    stage.say("jon", "town-square", "#drill").await;
    let town = stage.channel_id("town-square").await;
    stage.post(&town, ":warning: Incident **drill 1**: action `Lost` failed", 1).await;
    let ask = stage.post(&town, "Well?", 1).await;
    assert_eq!(stage.press("jon", &ask, "Done", None).await, 200);
    stage
        .eventually("the left step", async || {
            let left = stage.fresh(&ask).await;
            crate::stage::controls(&left).is_empty().then_some(())
        })
        .await;
    process.kill().await.unwrap();
    let log = reading.await.unwrap();
    let (_, story, error) = crate::cli::run(&[
        "runs",
        "show",
        "drill:1",
        "--format",
        "json",
        "--config",
        stage.config_path().to_str().unwrap(),
    ])
    .await;
    let story: Value = serde_json::from_str(&story).unwrap_or_else(|_| panic!("{story}{error}"));
    (log, story["run"].as_str().unwrap().to_owned())
}

/// All fields of a line of JSON, those of its spans too.
fn fields(line: &Value) -> Vec<(&str, &Value)> {
    let spans = line["spans"].as_array().into_iter().flatten().chain([line]);
    spans.filter_map(Value::as_object).flatten().map(|(name, value)| (name.as_str(), value)).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn every_line_of_an_incident_names_its_workflow_its_run_and_its_action() {
    let stage = Stage::with_workflow(&workflow()).await;
    // Whoever logs within an action, be it a library at its lowest level, is in its spans.
    let (log, run) = logged(&stage, "json", "trace").await;
    let lines: Vec<Value> = log
        .lines()
        .map(|line| serde_json::from_str(line).unwrap_or_else(|_| panic!("no JSON: {line}")))
        .collect();
    let of_run: Vec<&Value> = lines.iter().filter(|line| line.to_string().contains(&run)).collect();
    assert!(of_run.len() >= 2, "the start and the failure at least: {log}");
    for line in of_run {
        let fields = fields(line);
        assert!(fields.contains(&("workflow", &json!("drill"))), "{line}");
        assert!(fields.contains(&("run", &json!(run))), "{line}");
    }
    let span = |line: &Value, at: usize| line["spans"][at].clone();
    for action in ["Lost", "Ask"] {
        let of_action: Vec<&Value> = lines.iter().filter(|line| span(line, 1)["action"] == action).collect();
        assert!(!of_action.is_empty(), "nothing is logged within {action}: {log}");
        for line in of_action {
            assert_eq!(span(line, 0), json!({"name": "run", "workflow": "drill", "run": run}), "{line}");
        }
    }
    let is_press =
        |line: &&Value| line["message"].as_str().is_some_and(|text| text.contains("a control is pressed"));
    let press = lines.iter().find(is_press).unwrap_or_else(|| panic!("no line of the press: {log}"));
    assert_eq!(span(press, 0), json!({"name": "run", "workflow": "drill", "run": run}), "{press}");
    let is_failure =
        |line: &&Value| line["message"].as_str().is_some_and(|text| text.starts_with("action failed"));
    let failure = lines.iter().find(is_failure);
    let failure = failure.unwrap_or_else(|| panic!("no line of the failure: {log}"));
    assert!(fields(failure).contains(&("action", &json!("Lost"))), "{failure}");
    assert_eq!(failure["level"], "WARN");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_line_for_people_has_the_same_fields() {
    let stage = Stage::with_workflow(&workflow()).await;
    let (log, run) = logged(&stage, "text", "info").await;
    let of_run: Vec<&str> = log.lines().filter(|line| line.contains(&run)).collect();
    assert!(of_run.len() >= 2, "the start and the failure at least: {log}");
    for line in &of_run {
        assert!(line.contains("drill"), "the workflow is missing in {line}");
    }
    let failure = of_run.iter().find(|line| line.contains("action failed"));
    let failure = failure.unwrap_or_else(|| panic!("no line of the failure: {log}"));
    for part in ["workflow=drill", "action=Lost", "WARN", "no-such-channel"] {
        assert!(failure.contains(part), "{part} is missing in {failure}");
    }
    for headline in [" entered", "\u{201c}Done\u{201d} pressed, to End, by @jon"] {
        let line = of_run.iter().find(|line| line.ends_with(headline));
        assert!(line.is_some_and(|line| line.contains("INFO")), "{headline:?} is missing in {log}");
    }
}

/// Whatever is asked for: libraries below log what they send, headers too.
#[tokio::test(flavor = "multi_thread")]
async fn no_line_of_any_level_holds_a_secret() {
    for format in ["text", "json"] {
        let stage = Stage::with_workflow(&workflow()).await;
        let (log, _) = logged(&stage, format, "trace").await;
        assert!(log.contains("TRACE"), "it is asked for everything");
        let database = stage.directory.path().join("warroom.db");
        let store = Store::open(&format!("sqlite:{}", database.display()), Options::default()).await.unwrap();
        let key = store.secret("controls", [0; 32]).await.unwrap();
        store.close().await;
        assert_ne!(key, [0; 32], "the key that the program used");
        let hex: String = key.iter().map(|byte| format!("{byte:02x}")).collect();
        let numbers = key.map(|byte| byte.to_string()).join(", ");
        for (what, secret) in [("token", stage.bot_token()), ("key", &hex), ("key", &numbers)] {
            let line = log.lines().find(|line| line.contains(secret));
            assert_eq!(line, None, "the {what} is in the log");
        }
    }
}
