//! What operators do and see: runs from the shell, groups, tokens that change, and the channel where they are told.

use crate::stage::{Stage, controls, drill};
use serde_json::{Value, json};
use tokio::process::Command;
use warroom::Service;

const TRIAGE: &str = "New issue to triage";

/// A workflow with one step that waits, made of these actions.
fn one_step(actions: Value) -> Value {
    json!([{
        "name": "drill",
        "triggers": [{"name": "Said", "type": "text", "match": "#drill"}],
        "steps": [
            {"name": "Do", "start_actions": actions},
            {"name": "End", "start_actions": [{"name": "Bye", "type": "finished_workflow"}]},
        ],
    }])
}

/// Runs `warroom` and gives its exit code, and what it says.
pub(crate) async fn warroom(stage: &Stage, arguments: &[&str]) -> (i32, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_warroom-under-test"))
        .args(arguments)
        .env("WARROOM_CONFIG", stage.config_path())
        .env("USER", "root")
        .env_remove("SUDO_USER")
        .output()
        .await
        .unwrap();
    let text = [output.stdout, output.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
    (output.status.code().unwrap(), text.concat())
}

#[tokio::test(flavor = "multi_thread")]
async fn runs_are_listed_shown_and_cancelled_from_the_shell() {
    let stage = Stage::new().await;
    let service = stage.service().await;
    let (room, triage) = stage.triage().await;
    assert_eq!(stage.press("chris", &triage, "Severity", Some("S1")).await, 200);

    let (code, listed) = warroom(&stage, &["runs", "list"]).await;
    assert_eq!(code, 0, "{listed}");
    assert!(
        listed.contains("security_issue:1") && listed.contains("waiting") && listed.contains("Triage"),
        "{listed}"
    );
    let (_, shown) = warroom(&stage, &["runs", "show", "security_issue:1"]).await;
    for part in [
        "reported by @jon",
        "Step Setup left after ",
        "Step Triage entered",
        "Severity: S1, by @chris",
        "/pl/",
    ] {
        assert!(shown.contains(part), "{part} is missing in {shown}");
    }
    assert!(shown.contains("  started: 20") && !shown.contains("  took: "), "{shown}");
    let (_, markdown) = warroom(&stage, &["runs", "show", "security_issue:1", "--format", "markdown"]).await;
    assert!(markdown.starts_with("# security_issue 1") && markdown.contains("| @chris |"), "{markdown}");
    let (_, json) = warroom(&stage, &["runs", "show", "security_issue:1", "--format", "json"]).await;
    let story: Value = serde_json::from_str(&json).unwrap();
    assert_eq!(story["state"], "waiting");
    assert!(!story["events"].as_array().unwrap().is_empty());

    let (code, refused) = warroom(&stage, &["runs", "retry", "security_issue:1"]).await;
    assert!(code == 1 && refused.contains("is not blocked"), "{refused}");
    let (code, refused) = warroom(&stage, &["runs", "retry", "--current", "security_issue:1"]).await;
    assert!(code == 1 && refused.contains("is not blocked"), "{refused}");
    let (code, unknown) = warroom(&stage, &["runs", "skip", "nothing:9"]).await;
    assert!(code == 1 && unknown.contains("there is no run `nothing:9`"), "{unknown}");

    let (code, _) =
        warroom(&stage, &["runs", "cancel", "security_issue:1", "--reason", "only a drill"]).await;
    assert_eq!(code, 0);
    stage.archived(&room).await;
    let town = stage.channel_id("town-square").await;
    stage
        .post(&town, ":x: Incident **security_issue 1** was cancelled by `root` (shell): only a drill", 1)
        .await;
    service.stop().await;
    // Without a service, what happened is still there to read.
    let (code, listed) = warroom(&stage, &["runs", "list", "--all"]).await;
    assert!(code == 0 && listed.contains("cancelled"), "{listed}");
    let (code, shown) = warroom(&stage, &["runs", "show", "security_issue:1"]).await;
    assert!(code == 0 && shown.contains("Cancelled: only a drill, by `root` (shell)"), "{shown}");
    assert!(shown.contains("  took: "), "{shown}");
    let (code, refused) = warroom(&stage, &["runs", "cancel", "security_issue:1"]).await;
    assert!(code == 1 && refused.contains("no service answers"), "{refused}");
}

#[tokio::test(flavor = "multi_thread")]
async fn blocked_incidents_are_mended_from_the_shell() {
    let tell = |channel: &str| {
        json!([
            {"name": "Tell", "type": "post", "channel_name": channel, "message": "Told {{.Instance.Number}}"},
            {"name": "Go", "type": "post", "channel_name": "off-topic", "message": "Went on {{.Instance.Number}}"},
        ])
    };
    let stage = Stage::with_workflow(&drill(&tell("late-{{.Instance.Number}}"))).await;
    let service = stage.service().await;
    let town = stage.channel_id("town-square").await;
    let off_topic = stage.channel_id("off-topic").await;
    for number in 1..=3 {
        stage.say("jon", "town-square", "#drill").await;
        stage.post(&town, &format!(":warning: Incident **drill {number}** is blocked"), 1).await;
    }
    let (code, listed) = warroom(&stage, &["runs", "list", "--format", "json"]).await;
    let listed: Value = serde_json::from_str(&listed).unwrap();
    let lines: Vec<_> = listed
        .as_array()
        .unwrap()
        .iter()
        .map(|line| {
            assert!(line["reason"].as_str().unwrap().contains("there is no channel `late-"), "{line}");
            ["workflow", "number", "state", "step", "room"].map(|key| line[key].clone())
        })
        .collect();
    let line = |number: u64| [json!("drill"), json!(number), json!("blocked"), json!("Do"), Value::Null];
    assert_eq!((code, lines), (0, vec![line(3), line(2), line(1)]), "the newest first");

    let late = stage.make_channel("jon", "late-1", "Late", "O").await;
    let (code, said) = warroom(&stage, &["runs", "retry", "drill:1"]).await;
    assert_eq!(
        (code, said.as_str()),
        (0, "drill:1 tries its failed action again; `warroom runs show drill:1` tells how it went\n")
    );
    stage.post(&late, "Told 1", 1).await;
    stage.post(&off_topic, "Went on 1", 1).await;

    let (code, said) = warroom(&stage, &["runs", "skip", "drill:2"]).await;
    assert_eq!((code, said.as_str()), (0, "drill:2 goes on without its failed action\n"));
    stage.post(&off_topic, "Went on 2", 1).await;
    stage.post(&town, ":white_check_mark: Skipped by `root` (shell). Incident **drill 2**", 1).await;

    let (code, said) = warroom(&stage, &["runs", "retry", "--current", "drill:3"]).await;
    assert!(code == 1 && !said.is_empty(), "the workflow is as it was: {said}");
    stage.write_workflow("workflow.json", &drill(&tell("town-square")));
    stage
        .eventually("the new version", async || {
            (warroom(&stage, &["runs", "retry", "--current", "drill:3"]).await.0 == 0).then_some(())
        })
        .await;
    stage.post(&town, "Told 3", 1).await;
    stage.post(&off_topic, "Went on 3", 1).await;
    stage.at_rest(&service).await;
    let (_, shown) = warroom(&stage, &["runs", "show", "drill:3"]).await;
    assert!(shown.contains("current version") && shown.contains("by `root` (shell)"), "{shown}");
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn another_number_is_taken_from_the_shell_and_the_story_stays_after_the_archive() {
    let stage = Stage::new().await;
    stage.make_channel("jon", "security-issue-1", "Taken", "O").await;
    let service = stage.service().await;
    stage.say("jon", "town-square", "#sec x").await;
    let town = stage.channel_id("town-square").await;
    stage.post(&town, ":warning: Incident **security_issue 1** is blocked", 1).await;
    let (code, said) = warroom(&stage, &["runs", "retry", "--renumber", "security_issue:1"]).await;
    assert_eq!(code, 0, "{said}");
    let room = stage.channel_id("security-issue-2").await;
    let triage = stage.post(&room, TRIAGE, 1).await;
    assert_eq!(stage.press("chris", &triage, "Severity", Some("S2")).await, 200);
    assert_eq!(stage.press("jon", &triage, "Resolved", None).await, 200);
    stage.archived(&room).await;
    stage.at_rest(&service).await;
    let told = async |format: &str| {
        let (code, text) = warroom(&stage, &["runs", "show", "security_issue:2", "--format", format]).await;
        assert_eq!(code, 0, "{text}");
        text
    };
    let (markdown, json) = (told("markdown").await, told("json").await);
    assert!(markdown.starts_with("# security_issue 2"), "{markdown}");
    for part in ["the name is taken", "| `root` (shell) |", "Severity: **S2**", "| @chris |", "/pl/"] {
        assert!(markdown.contains(part), "{part} is missing in {markdown}");
    }
    let story: Value = serde_json::from_str(&json).unwrap();
    assert_eq!((&story["state"], &story["room"]), (&json!("finished"), &json!("security-issue-2")));
    let events = story["events"].as_array().unwrap();
    let said = |text: &str| events.iter().find(|event| event["text"].as_str().unwrap().contains(text));
    assert_eq!(said("Severity: **S2**").unwrap()["by"], "@chris", "{story:#}");
    assert!(
        events
            .iter()
            .any(|event| event["error"].as_str().is_some_and(|error| error.contains("the name is taken")))
    );
    service.stop().await;
    // Without a service the journal says the same.
    assert_eq!((told("markdown").await, told("json").await), (markdown, json));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cancelled_room_can_be_kept() {
    let stage = Stage::new().await;
    let service = stage.service().await;
    let (room, triage) = stage.triage().await;
    let is_pinned = async || (stage.fresh(&triage).await["is_pinned"] == true).then_some(());
    stage.eventually("the pin", is_pinned).await;
    let (code, text) = warroom(&stage, &["runs", "cancel", "security_issue:1", "--keep-room"]).await;
    assert_eq!(code, 0, "{text}");
    stage
        .eventually("the end of the run", async || service.runner().open_runs().is_empty().then_some(()))
        .await;
    assert_eq!(stage.get(&format!("/channels/{room}")).await["delete_at"], 0);
    let left = stage.fresh(&triage).await;
    assert_eq!((controls(&left).len(), &left["is_pinned"]), (0, &json!(false)));
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_taken_name_is_passed_over_with_the_next_free_number() {
    let stage = Stage::new().await;
    for number in [1, 2] {
        let body = json!({ "team_id": stage.team_id, "name": format!("security-issue-{number}"), "display_name": "Taken", "type": "O" });
        assert_eq!(stage.call("POST", "/channels", stage.token("jon"), Some(body)).await.0, 201);
    }
    let service = stage.service().await;
    stage.say("jon", "town-square", "#sec x").await;
    let town = stage.channel_id("town-square").await;
    let notice = stage.post(&town, ":warning: Incident **security_issue 1** is blocked", 1).await;
    assert_eq!(stage.press("jon", &notice, "Use the next free number", None).await, 200);
    let room = stage.channel_id("security-issue-3").await;
    stage.post(&room, TRIAGE, 1).await;
    stage.post(&town, "Security issue reported. War room created: ~security-issue-3", 1).await;
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_blocked_incident_is_retried_with_the_current_version() {
    let post = |channel: &str| {
        json!({"name": "Ask", "type": "post", "channel_name": channel, "message": "Well?",
        "transitions": [{"label": "Done", "to": "End"}]})
    };
    let stage = Stage::with_workflow(&one_step(json!([post("no-such-channel")])).to_string()).await;
    let service = stage.service().await;
    stage.say("jon", "town-square", "#drill").await;
    let town = stage.channel_id("town-square").await;
    let notice = stage.post(&town, ":warning: Incident **drill 1** is blocked", 1).await;
    assert!(!controls(&notice).iter().any(|control| control["name"] == "Retry with the current version"));
    stage.write_workflow("workflow.json", &one_step(json!([post("town-square")])).to_string());
    let notice = stage
        .eventually("the offer of the new version", async || {
            let now = stage.fresh(&notice).await;
            let offered =
                controls(&now).iter().any(|control| control["name"] == "Retry with the current version");
            offered.then_some(now)
        })
        .await;
    assert_eq!(stage.press("jon", &notice, "Retry with the current version", None).await, 200);
    let ask = stage.post(&town, "Well?", 1).await;
    // The run keeps to that version, also after a restart.
    service.stop().await;
    let service = stage.service().await;
    assert_eq!(stage.press("jon", &ask, "Done", None).await, 200);
    stage
        .eventually("the end of the run", async || service.runner().open_runs().is_empty().then_some(()))
        .await;
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_goes_on_after_an_error_is_told() {
    let actions = json!([
        {"name": "Lost", "type": "post", "channel_name": "no-such-channel", "message": "x", "on_error": "continue"},
        {"name": "Ask", "type": "post", "channel_name": "town-square", "message": "Well?",
         "transitions": [{"label": "Done", "to": "End"}]},
    ]);
    let stage = Stage::with_workflow(&one_step(actions).to_string()).await;
    let service = stage.service().await;
    stage.say("jon", "town-square", "#drill").await;
    let town = stage.channel_id("town-square").await;
    stage.post(&town, "Well?", 1).await;
    stage
        .post(&town, ":warning: Incident **drill 1**: action `Lost` failed, and the incident went on", 1)
        .await;
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn groups_are_added_mentioned_and_allowed() {
    let actions = json!([
        {"name": "Room", "type": "create_channel", "channel_name": "drill-{{.Instance.Number}}"},
        {"name": "People", "type": "add_users_channel", "channel_name": "drill-{{.Instance.Number}}",
         "users": ["oncall", "alex", "nobody-of-that-name"]},
        {"name": "Ask", "type": "post", "channel_name": "drill-{{.Instance.Number}}", "message": "@oncall: well?",
         "transitions": [{"label": "Done", "to": "End", "allowed": ["@oncall"]}]},
    ]);
    let stage = Stage::with_workflow(&one_step(actions).to_string()).await;
    stage.write_config("[groups]\noncall = [\"jon\", \"chris\"]\n");
    let service = stage.service().await;
    stage.say("sam", "town-square", "#drill").await;
    let room = stage.channel_id("drill-1").await;
    let ask = stage.post(&room, "@oncall (@jon, @chris): well?", 1).await;
    let members = stage.get(&format!("/channels/{room}/members")).await;
    assert_eq!(members.as_array().unwrap().len(), 4, "the bot, jon, chris and alex: {members}");
    let messages = stage.messages(&room).await;
    assert!(messages.iter().any(|text| text.contains("nobody-of-that-name")), "{messages:?}");
    assert_eq!(stage.press("alex", &ask, "Done", None).await, 200, "refused in words");
    assert_eq!(controls(&stage.fresh(&ask).await).len(), 1);
    assert_eq!(stage.press("chris", &ask, "Done", None).await, 200);
    stage
        .eventually("the end of the run", async || service.runner().open_runs().is_empty().then_some(()))
        .await;
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_token_turns_readiness_red_and_is_read_again() {
    let stage = Stage::new().await;
    let service = stage.service_with(&[("WARROOM_LIMITS_ROOMS_CHECK_MS", "1000")]).await;
    let ready = async |status: u16| {
        let url = format!("http://{}/readyz", service.address());
        stage
            .eventually("the readiness", async || {
                let answer = reqwest::get(&url).await.unwrap();
                (answer.status().as_u16() == status).then_some(())
            })
            .await;
    };
    ready(200).await;
    stage.revoke_bot_token().await;
    ready(503).await;
    stage.say("jon", "town-square", "#sec while the token was refused").await;
    stage.renew_bot_token().await;
    ready(200).await;
    let room = stage.channel_id("security-issue-1").await;
    stage.post(&room, TRIAGE, 1).await;
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_of_another_account_is_not_taken_while_the_service_runs() {
    let stage = Stage::new().await;
    let service = stage.service_with(&[("WARROOM_LIMITS_ROOMS_CHECK_MS", "1000")]).await;
    let ready = async || {
        reqwest::get(format!("http://{}/readyz", service.address())).await.unwrap().status().as_u16()
    };
    stage.revoke_bot_token().await;
    stage.eventually("the red light", async || (ready().await == 503).then_some(())).await;
    // Nothing else is asked for meanwhile.
    stage.proxy.forget_requests();
    stage.write_token(stage.token("sam"));
    let asked = async || stage.proxy.arrivals("GET", "/api/v4/users/me").len();
    stage.eventually("the look at the other token", async || (asked().await > 0).then_some(())).await;
    // The file is looked at every second, and the server is not asked about the same token again so soon.
    tokio::time::sleep(std::time::Duration::from_secs(3)).await;
    assert_eq!((ready().await, asked().await), (503, 1));
    stage.renew_bot_token().await;
    stage.eventually("the green light", async || (ready().await == 200).then_some(())).await;
    stage.triage().await;
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_can_be_told_nowhere_else_is_told_to_the_operators() {
    let stage = Stage::with_workflow(
        &one_step(json!([
            {"name": "Lost", "type": "post", "channel_name": "no-such-channel", "message": "x"},
        ]))
        .to_string(),
    )
    .await;
    let team = &stage.team;
    stage.write_config(&format!("[operators]\nnotify = \"{team}/off-topic\"\n"));
    let off_topic = stage.channel_id("off-topic").await;
    let member = json!({ "user_id": stage.bot_id });
    stage.admin("POST", &format!("/channels/{off_topic}/members"), Some(member)).await;
    let side = json!({ "team_id": stage.team_id, "name": "side", "display_name": "Side", "type": "O" });
    let side = stage.call("POST", "/channels", stage.token("jon"), Some(side)).await.1;
    let side = side["id"].as_str().unwrap();
    stage.admin("POST", &format!("/channels/{side}/members"), Some(json!({ "user_id": stage.bot_id }))).await;
    let service = stage.service().await;
    // The channel is gone before anything can be told there: the first post to it fails, and then it is archived.
    stage.proxy.fail_next("POST", "/api/v4/posts", 429, 1);
    stage.say("jon", "side", "#drill").await;
    stage
        .eventually("the try", async || {
            let requests = stage.proxy.requests();
            requests.iter().any(|(method, path)| method == "POST" && path == "/api/v4/posts").then_some(())
        })
        .await;
    stage.admin("DELETE", &format!("/channels/{side}"), None).await;
    stage.post(&off_topic, ":warning: Incident **drill 1** is blocked", 1).await;
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_press_is_under_way_until_it_is_answered() {
    let stage = Stage::new().await;
    let service = stage.service().await;
    let (room, triage) = stage.triage().await;
    let under_way = async || gauge(&service, "warroom_callbacks_under_way").await;
    assert_eq!(under_way().await, "0");
    // Whether who presses is in the channel is asked for first.
    let mut asked = stage.proxy.hold_next("GET", &format!("/api/v4/channels/{room}/members/"), 1);
    let press = async { stage.press("chris", &triage, "Severity", Some("S1")).await };
    let look = async {
        asked.reached(1).await;
        let now = under_way().await;
        drop(asked);
        now
    };
    assert_eq!(tokio::join!(press, look), (200, "1".to_owned()));
    stage.eventually("the end of the press", async || (under_way().await == "0").then_some(())).await;
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn executions_that_find_no_place_wait_and_are_counted() {
    let actions =
        json!([{"name": "Room", "type": "create_channel", "channel_name": "room-{{.Instance.Number}}"}]);
    let stage = Stage::with_workflow(&drill(&actions)).await;
    let service = stage.service_with(&[("WARROOM_LIMITS_INSTANCES_MAX", "1")]).await;
    let mut making = stage.proxy.hold_next("POST", "/api/v4/channels", 1);
    for _ in 0..2 {
        stage.say("jon", "town-square", "#drill").await;
    }
    making.reached(1).await;
    stage
        .eventually("one under way, and one that waits", async || {
            let under_way = gauge(&service, "warroom_executions_under_way").await;
            let waiting = gauge(&service, "warroom_executions_waiting").await;
            (under_way == "1" && waiting == "1").then_some(())
        })
        .await;
    drop(making);
    stage.channel_id("room-1").await;
    stage.channel_id("room-2").await;
    assert_eq!(gauge(&service, "warroom_executions_waiting").await, "0");
    service.stop().await;
}

/// What the metrics say of a gauge without labels.
async fn gauge(service: &Service, name: &str) -> String {
    let text = reqwest::get(format!("http://{}/metrics", service.address())).await.unwrap();
    let text = text.text().await.unwrap();
    let mut values = text.lines().filter_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    values.next().unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_happens_is_measured() {
    let stage = Stage::new().await;
    let service = stage.service().await;
    let (_, triage) = stage.triage().await;
    assert_eq!(stage.press("chris", &triage, "Severity", Some("S1")).await, 200);
    let url = format!("http://{}/metrics", service.address());
    stage
        .eventually("the metrics", async || {
            let text = reqwest::get(&url).await.unwrap().text().await.unwrap();
            let has = |part: &str| text.contains(part);
            let all = has("warroom_triggers_matched_total{workflow=\"security_issue\"} 1")
                && has("warroom_runs{state=\"waiting\"} 1")
                && has("type=\"create_channel\",outcome=\"succeeded\"} 1")
                && has("outcome=\"accepted\"} 1")
                && has("call=\"create_post\"");
            all.then_some(())
        })
        .await;
    service.stop().await;
}
