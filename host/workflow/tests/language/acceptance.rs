//! What is accepted, and what it means.

use std::sync::Arc;

use serde_json::json;
use warroom_workflow::{ActionKind, Author, Condition, Message, OnError, TriggerIndex, Workflow, check};

use super::{SEED, catalog, codes, file};

fn only_workflow(text: &str) -> Workflow {
    let checked = check(text, &catalog());
    // The seed brings people in and mentions nobody, which its author is told.
    let found = checked.diagnostics.iter().filter(|found| found.code != "W017");
    assert_eq!(found.count(), 0, "{:#?}", checked.diagnostics);
    assert_eq!(checked.workflows.len(), 1);
    checked.workflows.into_iter().next().unwrap()
}

#[test]
fn the_seed_is_accepted_as_it_is() {
    let workflow = only_workflow(SEED);
    assert_eq!(workflow.name, "security_issue");
    assert_eq!(workflow.description, None);
    assert_eq!(workflow.instance_number_start, 1);
    assert_eq!(workflow.triggers[0].name, "IssueReported");
    assert_eq!(
        workflow.triggers[0].condition,
        Condition::Text { text: "#sec".to_owned(), ignore_case: false }
    );
    let steps: Vec<&str> = workflow.steps.iter().map(|step| step.name.as_str()).collect();
    assert_eq!(steps, ["Setup", "Triage", "DevelopFix", "Resolved"]);
    assert_eq!(workflow.first_step().name, "Setup");
    assert!(workflow.step("Nowhere").is_none());
    let fields: Vec<(&str, &str)> = workflow.fields().collect();
    let expected = ["Alert", "Likelihood", "Impact", "Severity"].map(|field| ("TriagePost", field));
    assert_eq!(fields, expected);
}

#[test]
fn an_action_is_taken_apart() {
    let workflow = only_workflow(SEED);
    let setup = &workflow.step("Setup").unwrap().start_actions;
    assert_eq!(setup.len(), 4);
    assert!(matches!(&setup[3].kind, ActionKind::TransitionTo { step } if *step == "Triage"));
    let ActionKind::Component { type_name, parameters, steps, fields, outputs, people } = &setup[0].kind
    else {
        panic!()
    };
    assert_eq!(type_name, "create_channel");
    let expected = json!({
        "channel_name": "security-issue-{{.Instance.Number}}",
        "channel_displayname": "Security Issue {{.Instance.Number}}"
    });
    assert_eq!(&expected, &serde_json::Value::Object(parameters.clone()));
    assert_eq!((steps.len(), fields.len()), (0, 0));
    assert_eq!(outputs, &["ChannelName", "ChannelID"]);
    assert!(people.is_empty());
    assert_eq!(workflow.action_after("CreateWarroom").unwrap().people(), ["jon", "chris"]);
    assert!(workflow.action_after("TransitionToTriage").is_none());
    assert!(workflow.action_after("TriagePost").is_none());
    let triage = &workflow.step("Triage").unwrap().start_actions[0];
    let ActionKind::Component { steps, fields, .. } = &triage.kind else { panic!() };
    assert_eq!(steps, &["DevelopFix", "Resolved"]);
    assert_eq!(fields, &["Alert", "Likelihood", "Impact", "Severity"]);
}

#[test]
fn options_of_the_language_are_read() {
    let text = r##"[{
        "name": "incident", "description": "What for", "instance_number_start": 100,
        "triggers": [{"name": "T", "type": "text", "team_name": "a", "channel_name": ["b", "c"], "match": "",
                      "match_regex": "^\\[down\\]"}],
        "steps": [{"name": "Only", "finished_actions": [
            {"name": "Say", "type": "post", "channel_name": "a", "on_error": "continue"}]}]
    }]"##;
    let workflow = only_workflow(text);
    assert_eq!(workflow.description.as_deref(), Some("What for"));
    assert_eq!(workflow.instance_number_start, 100);
    assert_eq!(workflow.triggers[0].team_names, ["a"]);
    assert_eq!(workflow.triggers[0].channel_names, ["b", "c"]);
    assert!(
        matches!(&workflow.triggers[0].condition, Condition::Pattern(pattern) if pattern.is_match("[down]"))
    );
    assert_eq!(workflow.steps[0].finish_actions[0].on_error, OnError::Continue);
}

#[test]
fn the_wording_of_a_templated_string_is_not_judged() {
    let step = |private: &str| {
        file(&format!(
            r#"{{"name": "Only", "start_actions": [
                {{"name": "Room", "type": "create_channel", "channel_name": "x-{{{{.Instance.Number}}}}", "private": "{private}"}}]}}"#
        ))
    };
    assert_eq!(codes(&step("{{.Trigger.Said.UserName}}")), [""; 0]);
    assert_eq!(codes(&step("Perhaps")), ["E033"]);
}

#[test]
fn a_templated_target_may_be_any_step() {
    let text = file(
        r#"{"name": "First", "start_actions": [{"name": "Say", "type": "post", "channel_name": "a",
            "transitions": [{"label": "On", "to": "{{.Trigger.Said.UserName}}"}]}]},
           {"name": "Other", "start_actions": [{"name": "End", "type": "finished_workflow"}]}"#,
    );
    assert_eq!(codes(&text), [""; 0]);
}

#[test]
fn a_step_may_go_back_to_itself_by_a_person() {
    let text = file(
        r#"{"name": "First", "start_actions": [{"name": "Say", "type": "post", "channel_name": "a",
            "transitions": [{"label": "Again", "to": "First"}, {"label": "Really", "to": "First"},
                            {"label": "Close", "to": "Last"}]}]},
           {"name": "Last", "start_actions": [{"name": "End", "type": "finished_workflow"}]}"#,
    );
    let workflow = only_workflow(&text);
    let ActionKind::Component { steps, .. } = &workflow.steps[0].start_actions[0].kind else { panic!() };
    assert_eq!(steps, &["First", "Last"]);
}

#[test]
fn warnings_do_not_refuse_a_file() {
    let text = include_str!("../fixtures/wrong/unreachable_step.json");
    let checked = check(text, &catalog());
    assert_eq!(checked.diagnostics.len(), 1);
    assert_eq!(checked.workflows.len(), 1);
}

fn triggers(list: &str) -> String {
    format!(
        r#"[{{"name": "w", "triggers": [{list}], "steps": [{{"name": "S",
            "start_actions": [{{"name": "End", "type": "finished_workflow"}}]}}]}}]"#
    )
}

fn matched(index: &TriggerIndex, text: &str, channel_name: &str) -> Vec<String> {
    let message = Message {
        text,
        attachments: "",
        author: Author::Person,
        team_name: "it",
        channel_id: "c1",
        channel_name,
        channel_display_name: "Town Square",
    };
    index
        .matches(&message)
        .into_iter()
        .map(|found| format!("{}/{}", found.workflow.name, found.trigger))
        .collect()
}

#[test]
fn the_first_matching_trigger_of_each_workflow_wins() {
    let one = triggers(
        r#"{"name": "Elsewhere", "type": "text", "team_name": "hr", "match": "fire"},
           {"name": "Here", "type": "text", "team_name": ["hr", "it"], "match": "fire"},
           {"name": "Any", "type": "text", "match_regex": "f.re"}"#,
    );
    let other =
        triggers(r#"{"name": "Square", "type": "text", "channel_name": "Town Square", "match": "fire"}"#)
            .replace("\"w\"", "\"v\"");
    let third = triggers(r#"{"name": "Ops", "type": "text", "channel_name": "ops", "match": "fire"}"#)
        .replace("\"w\"", "\"u\"");
    let workflows = [one, other, third].map(|text| Arc::new(only_workflow(&text)));
    let index = TriggerIndex::new(workflows);
    assert_eq!(matched(&index, "fire!", "town-square"), ["w/Here", "v/Square"]);
    assert_eq!(matched(&index, "fire!", "ops"), ["w/Here", "v/Square", "u/Ops"]);
    assert_eq!(matched(&index, "a fare", "ops"), ["w/Any"]);
    assert_eq!(matched(&index, "quiet", "ops"), [""; 0]);
}

#[test]
fn the_readers_of_an_action_are_known() {
    let workflow = check(SEED, &catalog()).workflows.remove(0);
    assert_eq!(workflow.readers_of("TriagePost"), ["InfoPost"]);
    assert!(workflow.readers_of("CreateWarroom").len() > 3, "{:?}", workflow.readers_of("CreateWarroom"));
    assert_eq!(workflow.readers_of("InfoPost"), [] as [&str; 0]);
}
