//! An operator's own component: dropped into the directory, granted by digest, used by a workflow.

use crate::stage::{Stage, component};
use warroom_sandbox::Digest;

/// A workflow whose third action is the operator's, told to read the incident.
const WORKFLOW: &str = r##"[{
  "name": "drill",
  "triggers": [{ "name": "Said", "type": "text", "match": "#drill" }],
  "steps": [{ "name": "Only", "start_actions": [
    { "name": "Room", "type": "create_channel", "channel_name": "drill-{{.Instance.Number}}" },
    { "name": "People", "type": "add_users_channel", "channel_name": "{{.Action.Room.ChannelName}}", "users": "jon, chris" },
    { "name": "Own", "type": "hostile", "do": "incident" },
    { "name": "Done", "type": "post", "channel_name": "{{.Action.Room.ChannelName}}", "message": "Drilled." }
  ] }]
}]"##;

fn grant(interfaces: &str) -> String {
    let digest = Digest::of(&component("hostile").unwrap());
    format!("[[actions.grants]]\ndigest = \"{digest}\"\ninterfaces = [{interfaces}]\n")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_granted_component_of_the_operator_runs_like_a_built_in_one() {
    let workflow = WORKFLOW
        .replace(r##""match": "#drill""##, r##""match_regex": "#drill (?P<what>\\w+)""##)
        .replace("Drilled.", "Drilled: {{.Action.Own.Value}}");
    let stage = Stage::with_workflow(&workflow).await;
    std::fs::write(stage.directory.path().join("actions/own.wasm"), component("hostile").unwrap()).unwrap();
    stage.write_config(&grant("\"channels\""));
    let service = stage.service().await;
    let said = stage.say("jon", "town-square", "#drill fire").await;
    let room = stage.channel_id("drill-1").await;
    let post = stage.post(&room, "Drilled: ", 1).await;
    // It saw what templates can read, and when the post was written.
    let saw = format!("drill-1 #drill fire 2  {} what=fire", said["create_at"]);
    assert!(post["message"].as_str().unwrap().ends_with(&saw), "{post:#}");
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_its_grant_it_is_not_loaded_and_the_others_serve() {
    let stage = Stage::new().await;
    std::fs::write(stage.directory.path().join("actions/own.wasm"), component("hostile").unwrap()).unwrap();
    stage.write_workflow("drill.json", WORKFLOW);
    let service = stage.service().await;
    // The workflow that needs it is not in force; the other one is.
    stage.say("jon", "town-square", "#drill").await;
    stage.say("jon", "town-square", "#sec x").await;
    stage.channel("security-issue-1").await;
    assert_eq!(stage.rooms().await, ["security-issue-1"]);
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn its_failure_blocks_the_run_where_people_see_it() {
    let stage = Stage::with_workflow(&WORKFLOW.replace("\"do\": \"incident\"", "\"do\": \"panic\"")).await;
    std::fs::write(stage.directory.path().join("actions/own.wasm"), component("hostile").unwrap()).unwrap();
    stage.write_config(&grant("\"channels\""));
    let service = stage.service().await;
    stage.say("jon", "town-square", "#drill").await;
    let room = stage.channel_id("drill-1").await;
    let notice = stage.post(&room, ":warning:", 1).await;
    assert!(notice["message"].as_str().unwrap().contains("action `Own` failed"), "{notice:#}");
    assert_eq!(stage.press("chris", &notice, "Skip", None).await, 200);
    stage.post(&room, "Drilled.", 1).await;
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn taking_the_grant_away_stops_open_incidents_too() {
    // The operator's action stands behind a transition, so that the incident is open when the grant goes.
    let later = WORKFLOW
        .replace(r#"{ "name": "Own", "type": "hostile", "do": "incident" },"#, "")
        .replace(
            r#""message": "Drilled." }"#,
            r#""message": "Ready?", "transitions": [{ "label": "Go", "to": "Later" }] }"#,
        )
        .replace(
            "] }]\n}]",
            r#"] }, { "name": "Later", "start_actions": [{ "name": "Own", "type": "hostile", "do": "incident" }] }] }]"#,
        );
    let stage = Stage::with_workflow(&later).await;
    std::fs::write(stage.directory.path().join("actions/own.wasm"), component("hostile").unwrap()).unwrap();
    stage.write_config(&grant("\"channels\""));
    let service = stage.service().await;
    stage.say("jon", "town-square", "#drill").await;
    let room = stage.channel_id("drill-1").await;
    stage.post(&room, "Ready?", 1).await;
    service.stop().await;

    stage.write_config("");
    let service = stage.service().await;
    assert_eq!(service.runner().open_runs(), Vec::<String>::new());
    let town = stage.channel_id("town-square").await;
    let told = stage.post(&town, ":warning: Incident **drill 1** cannot go on", 1).await;
    assert!(told["message"].as_str().unwrap().contains("channels"), "{told:#}");
    service.stop().await;
}
