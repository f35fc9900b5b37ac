//! What people who press are answered: first, second, late, again, and by whom they may not.

use crate::callbacks::Desk;
use crate::stage::{Stage, controls, drill};
use serde_json::{Value, json};
use warroom_store::{Options, Store};

/// A workflow whose first step asks in Town Square, and then does this; its second step ends by itself.
async fn asks_and(more: Value, offer: Value) -> Desk {
    let ask = json!({"name": "Ask", "type": "post", "channel_name": "Town Square", "message": "Well?", "transitions": [offer]});
    let actions: Vec<Value> = std::iter::once(ask).chain(more.as_array().unwrap().clone()).collect();
    let bye = json!({"name": "Bye", "type": "post", "channel_name": "Town Square", "message": "Bye"});
    let workflow = json!([{
        "name": "drill",
        "triggers": [{"name": "Said", "type": "text", "match": "#drill"}],
        "steps": [{"name": "Do", "start_actions": actions}, {"name": "End", "start_actions": [bye]}],
    }]);
    Desk::on(Stage::with_workflow(&workflow.to_string()).await).await
}

/// The newest post that begins so, once it is another one than this.
async fn another(desk: &Desk, channel_id: &str, beginning: &str, than: &Value) -> Value {
    let look = async || {
        let post = desk.stage.post(channel_id, beginning, 1).await;
        (post["id"] != than["id"]).then_some(post)
    };
    desk.stage.eventually("another post", look).await
}

/// What was journalled of a run, oldest first.
async fn events(desk: &Desk, run: &str) -> Vec<Value> {
    let events = desk.service.runner().archive().events(run).await.unwrap();
    events.iter().map(|event| serde_json::to_value(event).unwrap()).collect()
}

/// What people decide; `transition_chosen` also without them.
const DECISIONS: [&str; 6] =
    ["retried", "renumbering_asked", "field_set", "transition_chosen", "skipped", "run_cancelled"];

/// Starts a drill; gives the post that asks.
async fn ask(desk: &Desk) -> Value {
    desk.stage.say("jon", "town-square", "#drill").await;
    let town = desk.stage.channel_id("town-square").await;
    desk.stage.post(&town, "Well?", 1).await
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_people_at_once_one_wins_and_the_other_is_told_who() {
    let desk = Desk::new().await;
    let (_, triage) = desk.stage.triage().await;
    let jon = desk.take("jon", &triage, "Triaged", None).await;
    let chris = desk.take("chris", &triage, "Resolved", None).await;
    let ((_, jon_sees), (_, chris_sees)) = tokio::join!(desk.hand_over(&jon), desk.hand_over(&chris));
    let (winner, loser) =
        if jon_sees["update"].is_object() { (&jon_sees, &chris_sees) } else { (&chris_sees, &jon_sees) };
    let (shown, first) = if std::ptr::eq(winner, &jon_sees) {
        ("**Triaged**, by @jon", "@jon chose \u{201c}Triaged\u{201d} first.")
    } else {
        ("**Resolved**, by @chris", "@chris chose \u{201c}Resolved\u{201d} first.")
    };
    assert!(winner["update"].to_string().contains(shown), "{winner}");
    assert!(loser["ephemeral_text"].as_str().unwrap().starts_with(first), "{loser}");
    assert_eq!(loser["update"], Value::Null);
    desk.service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stale_control_says_who_was_first_and_where_the_incident_is() {
    let desk = Desk::new().await;
    let (room, triage) = desk.stage.triage().await;
    let mut stale = Vec::new();
    for (label, option) in [("Alert", None), ("Severity", Some("S1")), ("Resolved", None), ("Triaged", None)]
    {
        stale.push(desk.take("chris", &triage, label, option).await);
    }
    desk.shown(&desk.take("jon", &triage, "Triaged", None).await).await;
    let fix = desk.stage.post(&room, "Developing a fix", 1).await;
    for press in &stale {
        let said = "@jon chose \u{201c}Triaged\u{201d} first. This incident is in step DevelopFix now.";
        assert_eq!(desk.told(press).await, said);
    }
    desk.shown(&desk.take("jon", &fix, "Resolved", None).await).await;
    desk.stage.archived(&room).await;
    desk.ended().await;
    let said = "@jon chose \u{201c}Triaged\u{201d} first. This incident is finished now.";
    assert_eq!(desk.told(&stale[0]).await, said);
    desk.service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_repeated_press_of_every_kind_is_answered_as_before_and_changes_nothing() {
    let desk = Desk::new().await;
    let body = json!({ "team_id": desk.stage.team_id, "name": "security-issue-1", "display_name": "Taken", "type": "O" });
    let (status, _) = desk.stage.call("POST", "/channels", desk.stage.token("jon"), Some(body)).await;
    assert_eq!(status, 201);
    desk.stage.say("jon", "town-square", "#sec x").await;
    let town = desk.stage.channel_id("town-square").await;
    let id = desk.stage.eventually("the run", async || desk.service.runner().open_runs().pop()).await;
    let twice = async |post: &Value, label: &str, option: Option<&str>| {
        let press = desk.take("jon", post, label, option).await;
        // The stamp of a look follows its words, and the incident's number changes with one of the presses.
        let words = |shown: Value| {
            let message = shown["message"].as_str().unwrap().replace("security_issue 2", "security_issue 1");
            (message, shown["props"]["attachments"].clone())
        };
        let first = words(desk.shown(&press).await);
        assert_eq!(words(desk.shown(&press).await), first, "{label}");
        let events = events(&desk, &id).await;
        // What the workflow decides by itself comes at its own time.
        let decided = events.iter().filter(|event| event["by"] != "workflow");
        let decided = decided.filter(|event| DECISIONS.iter().any(|kind| event["kind"] == *kind));
        (press, decided.count())
    };
    let blocked = ":warning: Incident **security_issue 1** is blocked";
    let first = desk.stage.post(&town, blocked, 1).await;
    let (retry, decisions) = twice(&first, "Retry", None).await;
    assert_eq!(decisions, 1);
    let second = another(&desk, &town, blocked, &first).await;
    let (_, decisions) = twice(&second, "Use the next free number", None).await;
    assert_eq!(decisions, 2);
    let room = desk.stage.channel_id("security-issue-2").await;
    let triage = desk.stage.post(&room, "New issue to triage", 1).await;
    let (_, decisions) = twice(&triage, "Alert", None).await;
    let (_, more) = twice(&triage, "Severity", Some("S1")).await;
    assert_eq!((decisions, more), (3, 4));
    let (_, decisions) = twice(&triage, "Triaged", None).await;
    assert_eq!(decisions, 5);
    let fix = desk.stage.post(&room, "Developing a fix", 1).await;
    desk.shown(&desk.take("jon", &fix, "Resolved", None).await).await;
    desk.stage.archived(&room).await;
    desk.ended().await;
    let again = desk.shown(&retry).await;
    assert!(
        again["message"].as_str().unwrap().starts_with(":white_check_mark: Tried again by @jon."),
        "{again}"
    );
    desk.service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stale_cancel_cancels_nothing_and_a_true_one_is_answered_the_same_for_good() {
    let nowhere =
        json!([{"name": "Nowhere", "type": "post", "channel_name": "no-such-channel", "message": "x"}]);
    let desk = asks_and(nowhere, json!({"label": "Done", "to": "End"})).await;
    let post = ask(&desk).await;
    let town = desk.stage.channel_id("town-square").await;
    let blocked = ":warning: Incident **drill 1** is blocked";
    let first = desk.stage.post(&town, blocked, 1).await;
    let done = desk.take("chris", &post, "Done", None).await;
    let why = desk.told(&done).await;
    assert!(
        why.starts_with("The incident is blocked: ") && why.ends_with("Retry, skip or cancel first."),
        "{why}"
    );
    assert!(why.contains("no-such-channel"), "{why}");

    let (retry, stale) =
        (desk.take("jon", &first, "Retry", None).await, desk.take("jon", &first, "Cancel", None).await);
    desk.shown(&retry).await;
    let told = desk.told(&stale).await;
    assert!(told.starts_with("@jon had it tried again already. This incident is "), "{told}");
    let second = another(&desk, &town, blocked, &first).await;
    let cancel = desk.take("jon", &second, "Cancel", None).await;
    let shown = desk.shown(&cancel).await;
    assert!(
        shown["message"].as_str().unwrap().starts_with(":white_check_mark: Cancelled by @jon."),
        "{shown}"
    );
    desk.ended().await;
    assert_eq!(desk.shown(&cancel).await, shown, "after the end too");
    assert_eq!(
        desk.told(&stale).await,
        "@jon had it tried again already. This incident is cancelled by @jon now."
    );
    desk.service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_transition_that_is_pressed_during_start_actions_is_executed_when_they_end() {
    let room =
        json!([{"name": "Room", "type": "create_channel", "channel_name": "drill-{{.Instance.Number}}"}]);
    let desk = asks_and(room, json!({"label": "Done", "to": "End"})).await;
    // The server is away for that action alone, until it was pressed.
    desk.stage.proxy.fail_next("POST", "/api/v4/channels", 503, 3);
    let post = ask(&desk).await;
    let shown = desk.shown(&desk.take("chris", &post, "Done", None).await).await;
    assert!(shown.to_string().contains("**Done**, by @chris"), "{shown}");
    let town = desk.stage.channel_id("town-square").await;
    desk.stage.channel("drill-1").await;
    desk.stage.post(&town, "Bye", 1).await;
    desk.ended().await;
    let id = desk.service.runner().archive().run_by_number("drill", 1).await.unwrap().unwrap();
    let told: Vec<String> = events(&desk, &id)
        .await
        .iter()
        .filter_map(|event| match event["kind"].as_str()? {
            "transition_chosen" => Some(format!("chosen {}", event["label"].as_str()?)),
            "action_succeeded" => event["action"]["name"].as_str().map(str::to_owned),
            _ => None,
        })
        .collect();
    assert_eq!(told, ["Ask", "chosen Done", "Room", "Bye"]);
    desk.service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_no_member_of_the_channel_is_asked_to_join_it_first() {
    let desk = Desk::new().await;
    let (room, triage) = desk.stage.triage().await;
    let sam = desk.stage.bring("sam").await;
    // Newer servers let everybody on the team press in a public channel.
    let mut press = desk.take("jon", &triage, "Alert", None).await;
    (press["user_id"], press["user_name"]) = (json!(sam), json!("sam"));
    let told = desk.told(&press).await;
    assert_eq!(told, "Only members of this channel press here. Join it first, then press again.");
    desk.stage.admin("POST", &format!("/channels/{room}/members"), Some(json!({ "user_id": sam }))).await;
    desk.stage.proxy.forget_requests();
    let shown = desk.shown(&press).await;
    assert!(shown.to_string().contains("Alert: pressed by @sam"), "{shown}");
    let asked = || {
        let path = format!("/api/v4/channels/{room}/members/{sam}");
        desk.stage.proxy.requests().into_iter().filter(|(_, asked)| *asked == path).count()
    };
    assert_eq!(asked(), 1);
    let mut next = desk.take("jon", &triage, "Triaged", None).await;
    (next["user_id"], next["user_name"]) = (json!(sam), json!("sam"));
    desk.shown(&next).await;
    assert_eq!(asked(), 1, "remembered for a moment");
    desk.service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_a_member_is_not_believed_of_a_public_channel_that_the_bot_was_removed_from() {
    let desk = Desk::new().await;
    let (room, triage) = desk.stage.triage().await;
    let sam = desk.stage.bring("sam").await;
    let mut press = desk.take("jon", &triage, "Triaged", None).await;
    (press["user_id"], press["user_name"]) = (json!(sam), json!("sam"));
    desk.stage.admin("DELETE", &format!("/channels/{room}/members/{}", desk.stage.bot_id), None).await;
    let told = desk.told(&press).await;
    assert!(told.starts_with("It cannot be told now whether you may press this"), "{told}");
    desk.service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn groups_are_looked_up_only_for_who_is_not_named_and_a_failing_look_up_says_so() {
    let desk =
        asks_and(json!([]), json!({"label": "Done", "to": "End", "allowed": ["@Jon", "@responders"]})).await;
    let post = ask(&desk).await;
    let chris = desk.take("chris", &post, "Done", None).await;
    desk.stage.proxy.fail_next("GET", "/api/v4/groups", 400, 1);
    let untold = desk.told(&chris).await;
    assert!(untold.starts_with("It cannot be told now whether you may press this"), "{untold}");
    let only = desk.told(&chris).await;
    assert_eq!(only, "\u{201c}Done\u{201d} is for @Jon, @responders.");
    let jon = desk.take("jon", &post, "Done", None).await;
    desk.stage.proxy.forget_requests();
    desk.shown(&jon).await;
    let asked = desk.stage.proxy.requests();
    assert!(!asked.iter().any(|(_, path)| path.starts_with("/api/v4/groups")), "{asked:?}");
    desk.service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_visit_takes_its_own_presses_and_leaves_the_first_post_alone() {
    let stage = Stage::new().await;
    let service = stage.service().await;
    let (room, first) = stage.triage().await;
    assert_eq!(stage.press("chris", &first, "Alert", None).await, 200);
    assert_eq!(stage.press("jon", &first, "Severity", Some("S1")).await, 200);
    assert_eq!(stage.press("jon", &first, "Triaged", None).await, 200);
    let fix = stage.post(&room, "Developing a fix", 1).await;
    assert_eq!(stage.press("jon", &fix, "Triage", None).await, 200);
    let second = stage.post(&room, "New issue to triage", 2).await;
    assert_eq!(stage.press("jon", &second, "Severity", Some("S2")).await, 200);
    assert_eq!(stage.press("chris", &second, "Alert", None).await, 200);
    stage.post(&room, "**Alert**: @chris", 2).await;
    assert_eq!(stage.press("jon", &second, "Resolved", None).await, 200);
    stage.archived(&room).await;
    let (first, second) = (stage.fresh(&first).await.to_string(), stage.fresh(&second).await.to_string());
    assert!(first.contains("Severity: **S1**, set by @jon") && !first.contains("S2"), "{first}");
    assert!(second.contains("Severity: **S2**, set by @jon (before: S1 by @jon)"), "{second}");
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_control_of_an_incident_that_the_journal_lost_says_so() {
    let desk = Desk::new().await;
    let database = desk.stage.directory.path().join("warroom.db");
    let (_, triage) = desk.stage.triage().await;
    let press = desk.take("jon", &triage, "Alert", None).await;
    let Desk { stage, service, .. } = desk;
    service.stop().await;
    // As after a backup from before the incident: only the keys are older than that.
    let store = Store::open(&format!("sqlite:{}", database.display()), Options::default()).await.unwrap();
    let key = store.secret("controls", [0; 32]).await.unwrap();
    store.close().await;
    std::fs::remove_file(&database).unwrap();
    let store = Store::open(&format!("sqlite:{}", database.display()), Options::default()).await.unwrap();
    assert_eq!(store.secret("controls", key).await.unwrap(), key);
    store.close().await;
    let desk = Desk::on(stage).await;
    let told = desk.told(&press).await;
    assert!(
        told.starts_with("Warroom's journal does not know this incident: it was replaced, or restored"),
        "{told}"
    );
    desk.service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_press_that_is_delivered_again_changes_nothing_though_somebody_pressed_meanwhile() {
    let desk = Desk::new().await;
    let (_, triage) = desk.stage.triage().await;
    let id = desk.service.runner().open_runs().pop().unwrap();
    for (label, options, shows) in [
        ("Severity", [Some("S1"), Some("S2")], "Severity: **S2**, set by @chris"),
        ("Alert", [None, None], "Alert: pressed by @chris"),
    ] {
        let jon = desk.take("jon", &triage, label, options[0]).await;
        let chris = desk.take("chris", &triage, label, options[1]).await;
        desk.shown(&jon).await;
        desk.shown(&chris).await;
        let set =
            async || events(&desk, &id).await.iter().filter(|event| event["kind"] == "field_set").count();
        let before = set().await;
        let again = desk.shown(&jon).await.to_string();
        assert!(again.contains(shows), "{again}");
        assert_eq!(set().await, before, "{label}");
    }
    desk.service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_presses_a_post_whose_writer_was_given_up_is_told_why_and_a_retry_takes_that_post() {
    let ask = json!([{
        "name": "Ask", "type": "post", "channel_name": "Town Square", "message": "Well?", "retry": {"tries": 1},
        "transitions": [{"label": "On", "to": "End"}],
    }]);
    let desk = Desk::on(Stage::with_workflow(&drill(&ask)).await).await;
    desk.stage.proxy.lose_answer_of_next("POST", "/api/v4/posts", 1);
    desk.stage.say("jon", "town-square", "#drill").await;
    let town = desk.stage.channel_id("town-square").await;
    let post = desk.stage.post(&town, "Well?", 1).await;
    let notice = desk.stage.post(&town, ":warning: Incident **drill 1** is blocked", 1).await;
    let on = desk.take("jon", &post, "On", None).await;
    let told = desk.told(&on).await;
    assert!(
        told.starts_with("The incident is blocked: ") && told.ends_with("Retry, skip or cancel first."),
        "{told}"
    );

    desk.stage.proxy.forget_requests();
    desk.shown(&desk.take("jon", &notice, "Retry", None).await).await;
    desk.shown(&on).await;
    desk.ended().await;
    let asked = desk.stage.proxy.requests();
    let looked_for = format!("/api/v4/channels/{town}/posts");
    assert!(!asked.contains(&("GET".to_owned(), looked_for)), "the press said where it is: {asked:?}");
    assert_eq!(desk.stage.messages(&town).await.iter().filter(|text| *text == "Well?").count(), 1);
    desk.service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_button_works_after_the_bot_was_given_another_token() {
    let stage = Stage::new().await;
    let service = stage.service().await;
    let (room, triage) = stage.triage().await;
    service.stop().await;
    stage.revoke_bot_token().await;
    stage.renew_bot_token().await;
    let service = stage.service().await;
    assert_eq!(stage.press("jon", &triage, "Triaged", None).await, 200);
    stage.post(&room, "Developing a fix", 1).await;
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn managers_and_administrators_decide_about_a_block_where_there_is_no_room() {
    for who in ["manager", "administrator"] {
        let stage = Stage::new().await;
        stage.write_config("[permissions]\nmanagers = [\"@chris\"]");
        stage.make_channel("jon", "security-issue-1", "Taken", "O").await;
        let service = stage.service().await;
        stage.say("jon", "town-square", "#sec x").await;
        let town = stage.channel_id("town-square").await;
        let notice = stage.post(&town, ":warning: Incident **security_issue 1** is blocked", 1).await;
        assert!(notice["message"].as_str().unwrap().contains("or the managers (@chris)"), "{notice}");
        let admin_id = stage.get("/users/me").await["id"].as_str().unwrap().to_owned();
        stage.put_on_team(&stage.team_id, &admin_id).await;
        stage.admin("POST", &format!("/channels/{town}/members"), Some(json!({ "user_id": admin_id }))).await;
        assert_eq!(stage.press("alex", &notice, "Cancel", None).await, 200);
        assert_eq!(controls(&stage.fresh(&notice).await).len(), 4, "alex is neither");
        let token = if who == "manager" { stage.token("chris") } else { stage.admin_token() };
        let controls = controls(&notice);
        let cancel = controls.iter().find(|control| control["name"] == "Cancel").unwrap();
        let path =
            format!("/posts/{}/actions/{}", notice["id"].as_str().unwrap(), cancel["id"].as_str().unwrap());
        assert_eq!(stage.call("POST", &path, token, Some(json!({}))).await.0, 200);
        stage.at_rest(&service).await;
        service.stop().await;
    }
}
