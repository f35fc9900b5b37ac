//! What `warroom runs` says to programs, and what it does about incidents that are in a bad way.

use crate::operators::warroom;
use crate::stage::{Stage, component, drill};
use serde_json::{Value, json};
use warroom_sandbox::Digest;

/// Runs `warroom runs` and gives whether all was well, and what it says.
async fn runs(stage: &Stage, arguments: &[&str]) -> (bool, String) {
    let (code, text) = warroom(stage, &[&["runs"], arguments].concat()).await;
    (code == 0, text)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_program_reads_every_event_with_what_was_chosen_and_where() {
    let stage = Stage::new().await;
    let service = stage.service().await;
    let (room, triage) = stage.triage().await;
    assert_eq!(stage.press("chris", &triage, "Severity", Some("S1")).await, 200);
    assert_eq!(stage.press("jon", &triage, "Triaged", None).await, 200);
    stage.post(&room, "Developing a fix", 1).await;
    let (_, text) = runs(&stage, &["show", "security_issue:1", "--format", "json"]).await;
    let story: Value = serde_json::from_str(&text).unwrap();
    let events = story["events"].as_array().unwrap();
    let of =
        |kind: &str| events.iter().find(|event| event["kind"] == kind).unwrap_or_else(|| panic!("{kind}"));
    assert_eq!(of("field_set")["choice"], json!({ "field": "Severity", "value": "S1" }));
    assert_eq!(of("field_set")["action"], "TriagePost");
    let pressed = events.iter().find(|event| event["choice"]["label"] == "Triaged").unwrap();
    let triage_id = triage["id"].as_str().unwrap();
    assert!(pressed["permalink"].as_str().unwrap().ends_with(&format!("/pl/{triage_id}")), "{pressed}");
    assert_eq!((pressed["step"].as_str(), pressed["by"].as_str()), (Some("Triage"), Some("@jon")));
    let added = of("people_added")["text"].as_str().unwrap();
    assert!(added.contains("@jon") && added.contains("@chris"), "{added}");
    let town = stage.channel_id("town-square").await;
    let announced = stage.post(&town, "Security issue reported", 1).await;
    let plain = events
        .iter()
        .find(|event| event["kind"] == "action_succeeded" && event["action"] == "attention_post");
    let permalink = plain.unwrap()["permalink"].as_str().unwrap();
    assert!(permalink.ends_with(announced["id"].as_str().unwrap()), "{permalink}");
    // Calls are there without asking.
    of("call_answered");
    service.stop().await;
}

/// The operator's action stands behind a transition, so that the incident is open when the grant goes.
const WORKFLOW: &str = r##"[{
  "name": "drill",
  "triggers": [{ "name": "Said", "type": "text", "match": "#drill" }],
  "steps": [
    { "name": "Only", "start_actions": [
      { "name": "Room", "type": "create_channel", "channel_name": "drill-{{.Instance.Number}}" },
      { "name": "People", "type": "add_users_channel", "channel_name": "{{.Action.Room.ChannelName}}", "users": "jon" },
      { "name": "Ask", "type": "post", "channel_name": "{{.Action.Room.ChannelName}}", "message": "Ready?",
        "transitions": [{ "label": "Go", "to": "Later" }] }
    ] },
    { "name": "Later", "start_actions": [{ "name": "Own", "type": "hostile", "do": "incident" }] }
  ]
}]"##;

#[tokio::test(flavor = "multi_thread")]
async fn an_incident_that_cannot_be_taken_up_is_listed_as_blocked_and_can_be_cancelled() {
    let stage = Stage::with_workflow(WORKFLOW).await;
    std::fs::write(stage.directory.path().join("actions/own.wasm"), component("hostile").unwrap()).unwrap();
    let digest = Digest::of(&component("hostile").unwrap());
    stage.write_config(&format!("[[actions.grants]]\ndigest = \"{digest}\"\ninterfaces = [\"channels\"]\n"));
    let service = stage.service().await;
    stage.say("jon", "town-square", "#drill").await;
    let room = stage.channel_id("drill-1").await;
    stage.post(&room, "Ready?", 1).await;
    service.stop().await;

    stage.write_config("");
    let service = stage.service().await;
    let (_, listed) = runs(&stage, &["list"]).await;
    assert!(
        listed.contains("drill:1") && listed.contains("blocked") && listed.contains("channels"),
        "{listed}"
    );
    let (is_well, refused) = runs(&stage, &["retry", "drill:1"]).await;
    assert!(!is_well && refused.contains("cannot be taken up"), "{refused}");
    let (is_well, said) = runs(&stage, &["cancel", "drill:1"]).await;
    assert!(is_well, "{said}");
    stage.archived(&room).await;
    let (_, listed) = runs(&stage, &["list", "--all"]).await;
    assert!(listed.contains("cancelled") && !listed.contains("blocked"), "{listed}");
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_room_that_was_just_being_made_is_archived_after_a_cancel() {
    let stage = Stage::new().await;
    let service = stage.service().await;
    // It is made, the host does not hear of it, and cannot ask.
    stage.proxy.lose_answer_of_next("POST", "/api/v4/channels", 1);
    stage.say("jon", "town-square", "#sec x").await;
    stage
        .eventually("the lost answer", async || {
            let run = service.runner().run(&service.runner().open_runs().pop()?).await.ok()?;
            (run.current?.budget.tries > 0).then_some(())
        })
        .await;
    stage.proxy.go_away().await;
    let (is_well, said) = runs(&stage, &["cancel", "security_issue:1"]).await;
    assert!(is_well, "{said}");
    let room = stage.channel_id("security-issue-1").await;
    assert_eq!(stage.get(&format!("/channels/{room}")).await["delete_at"], 0);
    stage.proxy.come_back();
    stage.archived(&room).await;
    stage
        .eventually("the end of the run", async || service.runner().open_runs().is_empty().then_some(()))
        .await;
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_room_that_was_made_unheard_belongs_to_the_incident_that_goes_on_without_it() {
    let town = "town-square";
    let actions = json!([
        {"name": "Room", "type": "create_channel", "channel_name": "drill-{{.Instance.Number}}", "retry": {"tries": 1}},
        {"name": "Ask", "type": "post", "channel_name": town, "message": "Ask", "transitions": [{"label": "On", "to": "End"}]},
    ]);
    let stage = Stage::with_workflow(&drill(&actions)).await;
    let service = stage.service().await;
    stage.proxy.lose_answer_of_next("POST", "/api/v4/channels", 1);
    stage.say("jon", town, "#drill").await;
    let town = stage.channel_id(town).await;
    let notice = stage.post(&town, ":warning: Incident **drill 1** is blocked", 1).await;
    let room = stage.channel_id("drill-1").await;
    assert_eq!(stage.press("jon", &notice, "Skip", None).await, 200);
    stage.post(&town, "Ask", 1).await;
    let (is_well, said) = runs(&stage, &["cancel", "drill:1"]).await;
    assert!(is_well, "{said}");
    stage.archived(&room).await;
    service.stop().await;
}

/// A drill whose room is tried for once, and that then asks people in Town Square.
fn drill_with_a_room() -> String {
    drill(&json!([
        {"name": "Room", "type": "create_channel", "channel_name": "drill-{{.Instance.Number}}", "retry": {"tries": 1}},
        {"name": "Ask", "type": "post", "channel_name": "town-square", "message": "Ask", "transitions": [{"label": "On", "to": "End"}]},
    ]))
}

/// Longer than the tests wait for anything, in tries.
const FOR_EVER: u32 = 100_000;

/// A drill whose room was made unheard and that goes on without it, while nobody can ask for that room: gives the room.
async fn gone_on_without_its_room(stage: &Stage) -> String {
    stage.proxy.lose_answer_of_next("POST", "/api/v4/channels", 1);
    stage.say("jon", "town-square", "#drill").await;
    let town = stage.channel_id("town-square").await;
    let notice = stage.post(&town, ":warning: Incident **drill 1** is blocked", 1).await;
    let room = stage.channel_id("drill-1").await;
    let look_up = format!("/api/v4/teams/{}/channels/name/drill-1", stage.team_id);
    stage.proxy.break_next("GET", &look_up, FOR_EVER);
    stage.proxy.forget_requests();
    assert_eq!(stage.press("jon", &notice, "Skip", None).await, 200);
    stage.post(&town, "Ask", 1).await;
    let asked = async || (!stage.proxy.arrivals("GET", &look_up).is_empty()).then_some(());
    stage.eventually("a look for the room", asked).await;
    room
}

#[tokio::test(flavor = "multi_thread")]
async fn a_room_that_was_made_unheard_is_looked_for_until_the_server_tells() {
    let stage = Stage::with_workflow(&drill_with_a_room()).await;
    let service = stage.service().await;
    let room = gone_on_without_its_room(&stage).await;
    stage.proxy.mend();
    let (is_well, said) = runs(&stage, &["cancel", "drill:1"]).await;
    assert!(is_well, "{said}");
    stage.archived(&room).await;
    stage.at_rest(&service).await;
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_room_that_nobody_finds_out_about_is_named_in_the_notice_and_in_the_timeline() {
    let stage = Stage::with_workflow(&drill_with_a_room()).await;
    let limits = [("WARROOM_LIMITS_RETRY_TRIES_MAX", "2"), ("WARROOM_LIMITS_RETRY_PERIOD_MS", "1200")];
    let service = stage.service_with(&limits).await;
    gone_on_without_its_room(&stage).await;
    let (is_well, said) = runs(&stage, &["cancel", "drill:1", "--keep-room"]).await;
    assert!(is_well, "{said}");
    stage.at_rest(&service).await;
    let town = stage.channel_id("town-square").await;
    let told = async || {
        let notice = stage.post(&town, ":x: Incident **drill 1** was cancelled", 1).await;
        notice["message"].as_str()?.contains("A channel `drill-1` may be left behind").then_some(())
    };
    stage.eventually("the name of the room", told).await;
    let (_, text) = runs(&stage, &["show", "drill:1", "--format", "json"]).await;
    let story: Value = serde_json::from_str(&text).unwrap();
    let of = |kind: &str| {
        let mut events = story["events"].as_array().unwrap().iter();
        events.find(|event| event["kind"] == kind).unwrap_or_else(|| panic!("{kind}: {text}"))
    };
    let given_up = of("call_given_up");
    assert_eq!(given_up["text"], "a channel `drill-1` may be left behind");
    assert!(given_up["error"].as_str().unwrap().contains("Something broke"), "{given_up}");
    assert_eq!(of("skipped")["choice"], json!({ "remedy": "skip" }));
    assert_eq!(of("run_cancelled")["choice"], json!({ "remedy": "cancel", "keep_room": true }));
    assert_eq!(of("run_cancelled")["text"], "Cancelled, its room stays open");
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_room_whose_name_is_being_looked_up_is_not_made_after_a_cancel() {
    let stage = Stage::with_workflow(&drill_with_a_room()).await;
    let service = stage.service().await;
    let look_up = format!("/api/v4/teams/{}/channels/name/drill-1", stage.team_id);
    let mut held = stage.proxy.hold_next("GET", &look_up, 1);
    stage.say("jon", "town-square", "#drill").await;
    held.reached(1).await;
    let (is_well, said) = runs(&stage, &["cancel", "drill:1"]).await;
    assert!(is_well, "{said}");
    drop(held);
    stage.at_rest(&service).await;
    assert_eq!(stage.rooms().await, Vec::<String>::new());
    let made = stage
        .proxy
        .requests()
        .into_iter()
        .filter(|asked| *asked == ("POST".into(), "/api/v4/channels".into()));
    assert_eq!(made.count(), 0);
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_lets_another_number_be_tried_is_told_where_to_look_whatever_the_number_becomes() {
    let stage = Stage::new().await;
    stage.make_channel("jon", "security-issue-1", "Taken", "O").await;
    let service = stage.service().await;
    stage.say("jon", "town-square", "#sec x").await;
    let town = stage.channel_id("town-square").await;
    stage.post(&town, ":warning: Incident **security_issue 1** is blocked", 1).await;
    let (is_well, said) = runs(&stage, &["retry", "--renumber", "security_issue:1"]).await;
    assert!(is_well, "{said}");
    stage.channel("security-issue-2").await;
    let named = said.split("runs show ").nth(1).and_then(|rest| rest.split('`').next()).unwrap();
    let (is_well, shown) = runs(&stage, &["show", named]).await;
    assert!(is_well && shown.starts_with("security_issue 2 "), "{said} {shown}");
    service.stop().await;
}
