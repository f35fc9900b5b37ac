//! The main job: a keyword in the chat runs an incident to its archive.

use crate::stage::{Stage, controls};
use serde_json::{Value, json};

const REPORT: &str = "#sec the badge reader is down";

fn attachment(post: &Value, at: usize) -> Value {
    post["props"]["attachments"][at].clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_keyword_runs_an_incident_to_its_archive() {
    let stage = Stage::new().await;
    let service = stage.service().await;
    stage.say("jon", "town-square", REPORT).await;
    let room = stage.channel_id("security-issue-1").await;
    assert_eq!(stage.channel("security-issue-1").await["display_name"], "Security Issue 1");

    let triage = stage.post(&room, "New issue to triage", 1).await;
    assert_eq!(triage["message"], format!("New issue to triage:\n ```{REPORT}```"));
    let fields = attachment(&triage, 0);
    assert_eq!(fields["title"], "Please add details to this issue");
    assert_eq!(
        fields["text"],
        "**Alert**: Alert the Sysadmin to take immediate action\n\
         **Likelihood**: How likely the security issue is to be exploited.\n\
         **Impact**: The impact of the security issue if exploited\n\
         **Severity**: Derived from Impact and Likelihood"
    );
    let transitions = attachment(&triage, 1);
    assert_eq!(transitions["title"], "Transition to step");
    assert_eq!(
        transitions["text"],
        "**Triaged**: Issue has been triaged\n**Resolved**: Issue has been resolved"
    );
    let shown: Vec<_> =
        controls(&triage).iter().map(|control| (control["type"].clone(), control["name"].clone())).collect();
    let expected = [
        ("button", "Alert"),
        ("select", "Likelihood"),
        ("select", "Impact"),
        ("select", "Severity"),
        ("button", "Triaged"),
        ("button", "Resolved"),
    ];
    assert_eq!(shown, expected.map(|(kind, name)| (json!(kind), json!(name))));

    assert_eq!(stage.press("jon", &triage, "Likelihood", Some("L2")).await, 200);
    assert_eq!(stage.press("chris", &triage, "Severity", Some("S3")).await, 200);
    assert_eq!(stage.press("jon", &triage, "Severity", Some("S1")).await, 200);
    assert_eq!(stage.press("chris", &triage, "Alert", None).await, 200);
    let chosen = stage.fresh(&triage).await;
    let text = attachment(&chosen, 0)["text"].as_str().unwrap().to_owned();
    assert!(
        text.ends_with(
            "Alert: pressed by @chris\nLikelihood: **L2**, set by @jon\nSeverity: **S1**, set by @jon (before: S3 by @chris)"
        ),
        "{text}"
    );
    let defaults: Vec<_> =
        controls(&chosen).iter().map(|control| control["default_option"].clone()).collect();
    assert_eq!(defaults, [Value::Null, json!("L2"), Value::Null, json!("S1"), Value::Null, Value::Null]);

    assert_eq!(stage.press("jon", &triage, "Triaged", None).await, 200);
    let fix = stage.post(&room, "Developing a fix", 1).await;
    // Impact was never set: the empty string.
    assert_eq!(
        fix["message"],
        "Developing a fix underway. Issue information:\n\nLikelihood: L2\nImpact: \nSeverity: S1"
    );
    assert_eq!(attachment(&fix, 0)["title"], "Transitions", "the default title");
    let left = stage.fresh(&triage).await;
    assert_eq!(controls(&left), Vec::<Value>::new(), "a step that is left keeps no controls");
    assert!(
        attachment(&left, 0)["text"].as_str().unwrap().contains("Severity: **S1**, set by @jon (before: S3 by @chris)"),
        "{left:#}"
    );
    assert_eq!(attachment(&left, 1)["text"], "**Triaged**, by @jon");

    assert_eq!(stage.press("chris", &fix, "Triage", None).await, 200);
    let again = stage.post(&room, "New issue to triage", 2).await;
    assert_ne!(again["id"], triage["id"]);
    assert_eq!(controls(&again)[1]["default_option"], "L2", "fields keep their values on a second visit");
    assert_eq!(stage.press("jon", &again, "Resolved", None).await, 200);
    stage.archived(&room).await;

    let triage = format!("New issue to triage:\n ```{REPORT}```");
    let fix = "Developing a fix underway. Issue information:\n\nLikelihood: L2\nImpact: \nSeverity: S1";
    let said = stage.messages(&room).await;
    let alert = "**Alert**: @chris";
    assert_eq!(said, [&triage, alert, "Finished Triage", fix, &triage, "Finished Triage", "Resolved."]);
    let town = stage.channel_id("town-square").await;
    assert_eq!(
        stage.messages(&town).await,
        [REPORT, "Security issue reported. War room created: ~security-issue-1", "Resolved Security Issue 1"]
    );
    stage
        .eventually("the end of the run", async || service.runner().open_runs().is_empty().then_some(()))
        .await;
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_button_field_holds_who_pressed_it() {
    let workflow = crate::stage::SECURITY_ISSUE
        .replace("Impact: {{.Action.TriagePost.Impact}}", "Alerted: {{.Action.TriagePost.Alert}}");
    let stage = Stage::with_workflow(&workflow).await;
    let service = stage.service().await;
    stage.say("jon", "town-square", REPORT).await;
    let room = stage.channel_id("security-issue-1").await;
    let triage = stage.post(&room, "New issue", 1).await;
    stage.press("chris", &triage, "Alert", None).await;
    stage.press("jon", &triage, "Triaged", None).await;
    let fix = stage.post(&room, "Developing a fix", 1).await;
    assert!(fix["message"].as_str().unwrap().contains("Alerted: chris\n"), "{fix:#}");
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn each_report_is_an_incident_of_its_own_and_the_bot_triggers_none() {
    let stage = Stage::new().await;
    let service = stage.service().await;
    stage.say("jon", "town-square", "nothing to see").await;
    stage.say("jon", "town-square", REPORT).await;
    stage.say("chris", "off-topic", "another one #sec").await;
    stage.channel("security-issue-1").await;
    let second = stage.channel_id("security-issue-2").await;
    // The second room's triage post repeats the keyword; the bot's own posts must not start a third.
    stage.post(&second, "New issue to triage", 1).await;
    stage.say("jon", "town-square", "#security is another word").await;
    stage.say("jon", "town-square", "#sec third").await;
    stage.channel("security-issue-3").await;
    assert_eq!(stage.rooms().await.len(), 3);
    service.stop().await;
}
