//! The life of a run, driven by hand: what `next` says, what people do, what the fold makes of it.

#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test that cannot go on must fail at once"
)]

mod announcements;
mod blocks;
mod driven;
mod presses;

use driven::{Driven, SECURITY_ISSUE, person, steps, workflow};
use proptest::prelude::*;
use serde_json::{Value, json};
use std::sync::Arc;
use warroom_engine::*;

#[test]
fn the_security_issue_lives_from_setup_to_resolved() {
    let mut driven = Driven::new(workflow(SECURITY_ISSUE));
    let room = driven.succeed();
    assert_eq!(room.input["channel_name"], "security-issue-7");
    assert_eq!(driven.succeed().input["channel_name"], "security-issue-7");
    assert_eq!(
        driven.succeed().input["message"],
        "Security issue reported. War room created: ~security-issue-7"
    );
    let triage = driven.succeed();
    assert_eq!((driven.run.step(), triage.key.name.as_str()), (Some("Triage"), "TriagePost"));
    assert_eq!(driven.settle(), Next::Wait);

    let post = driven.run.posts[0].key.clone();
    driven
        .decide(
            Input::SetField { post, field: 1, option: Some("L3".into()), click: Click::default() },
            "chris",
        )
        .unwrap();
    driven.press("Triaged", "jon").unwrap();
    assert_eq!(driven.succeed().key.phase, Phase::Finish, "finish actions run when the step is left");
    let fix = driven.succeed();
    assert_eq!(
        fix.input["message"],
        "Developing a fix underway. Issue information:\n\nLikelihood: L3\nImpact: \nSeverity: "
    );
    assert_eq!(driven.settle(), Next::Wait);
    driven.press("Resolved", "jon").unwrap();
    assert_eq!(driven.run_to_wait(), Next::Done);
    assert_eq!(driven.run.status, Status::Finished);
    assert_eq!(driven.visited(), ["Setup", "Triage", "DevelopFix", "Resolved"]);
    assert!(driven.run.visits.iter().all(|visit| visit.left_ms.is_some()));
}

#[test]
fn controls_go_before_the_finish_actions_and_the_next_step() {
    let mut driven = Driven::new(workflow(SECURITY_ISSUE));
    driven.run_to_wait();
    driven.press("Triaged", "jon").unwrap();
    assert!(
        matches!(next(&driven.workflow, &driven.run), Next::RemoveControls(post) if post.action == "TriagePost")
    );
}

#[test]
fn the_first_transition_wins_and_the_second_person_is_told_who() {
    let mut driven = Driven::new(workflow(SECURITY_ISSUE));
    driven.run_to_wait();
    driven.press("Triaged", "jon").unwrap();
    let refusal = driven.press("Resolved", "chris").unwrap_err();
    assert_eq!(refusal.to_string(), "@jon chose \u{201c}Triaged\u{201d} first.");
    let post = driven.run.posts[0].key.clone();
    let late = Input::SetField { post, field: 1, option: Some("L1".into()), click: Click::default() };
    assert!(driven.decide(late, "chris").is_err(), "fields close with the step");
}

#[test]
fn a_transition_may_be_for_some_people_only() {
    let offer = r#"{"name": "P", "type": "post",
        "transitions": [{"label": "Close", "to": "B", "allowed": ["@jon", "id-sam"]}]}"#;
    let mut driven = Driven::new(steps(&[("A", offer, ""), ("B", r#"{"name": "R", "type": "post"}"#, "")]));
    assert_eq!(driven.run_to_wait(), Next::Wait);
    let refusal = driven.press("Close", "chris").unwrap_err();
    assert_eq!(refusal.to_string(), "\u{201c}Close\u{201d} is for @jon, @id-sam.");
    driven.press("Close", "sam").unwrap();
    assert_eq!(driven.run.leaving().unwrap().by, Chooser::Person(person("sam")));
}

#[test]
fn a_run_ends_by_itself_once_nothing_leads_on() {
    let mut driven = Driven::new(workflow(SECURITY_ISSUE));
    assert!(!ends_by_itself(&driven.workflow, &driven.run), "not yet in a step");
    driven.run_to_wait();
    assert!(!ends_by_itself(&driven.workflow, &driven.run));
    driven.press("Resolved", "jon").unwrap();
    while driven.run.step() == Some("Triage") {
        driven.succeed();
    }
    assert!(ends_by_itself(&driven.workflow, &driven.run));
    driven.fail("no");
    assert!(!ends_by_itself(&driven.workflow, &driven.run), "a failure stops it");
}

#[test]
fn the_last_choice_of_a_menu_wins_and_only_offered_ones_count() {
    let mut driven = Driven::new(workflow(SECURITY_ISSUE));
    driven.run_to_wait();
    let post = driven.run.posts[0].key.clone();
    let choose = |option: &str| Input::SetField {
        post: post.clone(),
        field: 3,
        option: Some(option.into()),
        click: Click::default(),
    };
    driven.decide(choose("S1"), "jon").unwrap();
    driven.decide(choose("S2"), "chris").unwrap();
    assert_eq!(driven.decide(choose("S9"), "jon"), Err(Refusal::NotOffered("S9".into())));
    let choice = driven.run.choice("TriagePost", "Severity").unwrap();
    assert_eq!((choice.value.as_str(), choice.by.username.as_str()), ("S2", "chris"));
}

#[test]
fn a_transition_pressed_during_start_actions_waits_for_them() {
    let offer = r#"{"name": "P", "type": "post", "transitions": [{"label": "Go", "to": "B"}]}"#;
    let more = r#"{"name": "Q", "type": "post"}"#;
    let mut driven = Driven::new(steps(&[
        ("A", &format!("{offer}, {more}"), ""),
        ("B", r#"{"name": "R", "type": "post"}"#, ""),
    ]));
    driven.succeed();
    driven.press("Go", "jon").unwrap();
    assert_eq!(driven.act().key.name, "Q", "the rest of the start actions comes first");
    driven.succeed();
    assert_eq!(driven.act().key.name, "R");
}

#[test]
fn an_automatic_transition_skips_the_rest_of_the_start_actions_but_not_the_finish_actions() {
    // A component asks for a step in its outcome.
    let first = r#"{"name": "P", "type": "post", "transitions": [{"label": "Go", "to": "B"}]}, {"name": "Q", "type": "post"}"#;
    let finish = r#"{"name": "F", "type": "post"}"#;
    let mut driven =
        Driven::new(steps(&[("A", first, finish), ("B", r#"{"name": "R", "type": "post"}"#, "")]));
    driven.succeed();
    let to = Destination::Step("B".into());
    driven.record(vec![Fact::TransitionChosen { to, label: None, by: Chooser::Action("P".into()) }]);
    assert_eq!(driven.succeed().key.name, "F");
    assert_eq!(driven.act().key.name, "R");
}

#[test]
fn finished_workflow_runs_the_finish_actions_and_ends() {
    let start = r#"{"name": "E", "type": "finished_workflow"}"#;
    let mut driven = Driven::new(steps(&[("A", start, r#"{"name": "F", "type": "post"}"#)]));
    assert_eq!(driven.succeed().key.name, "F");
    assert_eq!(driven.settle(), Next::Done);
}

#[test]
fn what_a_person_chose_is_not_replaced() {
    let start = r#"{"name": "P", "type": "post", "transitions": [{"label": "Go", "to": "B"}]},
        {"name": "Q", "type": "post"}, {"name": "X", "type": "transition_to", "to": "C"}"#;
    let end = |name: &str| format!(r#"{{"name": "{name}", "type": "post"}}"#);
    let mut driven =
        Driven::new(steps(&[("A", start, &end("F")), ("B", &end("R"), ""), ("C", &end("S"), "")]));
    driven.succeed();
    driven.press("Go", "jon").unwrap();
    assert_eq!(driven.succeed().key.name, "Q");
    assert_eq!(driven.succeed().key.name, "F");
    let to = Destination::Step("C".into());
    driven.record(vec![Fact::TransitionChosen { to, label: None, by: Chooser::Action("F".into()) }]);
    assert_eq!(driven.act().key.name, "R", "jon was told that it goes to B");
}

#[test]
fn a_host_call_is_fresh_then_to_reconcile_then_answered_or_diverged() {
    use effects::{Decision, decide};
    let mut driven = Driven::new(workflow(SECURITY_ISSUE));
    let act = driven.act();
    let action = act.key.clone();
    driven.record(vec![Fact::ActionStarted {
        action: action.clone(),
        digest: "d".into(),
        input: act.input.into(),
        incident: Arc::default(),
    }]);
    let current = |driven: &Driven| driven.run.current.clone().unwrap();
    assert_eq!(decide(&current(&driven), 1, "channels.create", "h"), Decision::Fresh);
    let intent = Fact::CallIntended {
        action: action.clone(),
        n: 1,
        function: "channels.create".into(),
        arguments: "h".into(),
    };
    driven.record(vec![intent]);
    assert_eq!(decide(&current(&driven), 1, "channels.create", "h"), Decision::Reconcile);
    driven.record(vec![Fact::CallAnswered { action, n: 1, answer: json!("yes").into() }]);
    assert_eq!(decide(&current(&driven), 1, "channels.create", "h"), Decision::Answered(json!("yes").into()));
    for (function, arguments) in [("channels.create", "other"), ("posts.create", "h")] {
        assert!(matches!(decide(&current(&driven), 1, function, arguments), Decision::Diverged { .. }));
    }
}

#[test]
fn the_timeline_says_what_happened_by_whom_and_where() {
    let mut driven = Driven::new(workflow(SECURITY_ISSUE));
    driven.run_to_wait();
    let post = driven.run.posts[0].key.clone();
    driven
        .decide(
            Input::SetField { post, field: 1, option: Some("L3".into()), click: Click::default() },
            "chris",
        )
        .unwrap();
    driven.press("Resolved", "jon").unwrap();
    driven.fail("no such channel");
    driven.decide(Input::Cancel { reason: Some("a drill".into()), keep_room: true }, "sam").unwrap();
    let lines: Vec<String> = timeline(driven.journal())
        .into_iter()
        .filter(|entry| !entry.is_detail)
        .map(|entry| {
            let by = entry.by.map(|by| format!(", by {}", by.username)).unwrap_or_default();
            let error = entry.error.map(|error| format!(": {error}")).unwrap_or_default();
            let post = entry.post_id.map(|post| format!(" [{post}]")).unwrap_or_default();
            format!("{}{by}{error}{post}", entry.text)
        })
        .collect();
    insta::assert_snapshot!(lines.join("\n"));
}

#[test]
fn the_timeline_has_an_entry_for_each_event_that_a_program_can_read() {
    let mut driven = Driven::new(workflow(SECURITY_ISSUE));
    driven.run_to_wait();
    let post = driven.run.posts[0].key.clone();
    driven
        .decide(
            Input::SetField { post, field: 1, option: Some("L3".into()), click: Click::default() },
            "chris",
        )
        .unwrap();
    driven.press("Resolved", "jon").unwrap();
    let entries = timeline(driven.journal());
    assert_eq!(entries.len(), driven.journal().len());
    assert!(entries.iter().all(|entry| !entry.text.is_empty() && !entry.kind.is_empty()), "{entries:#?}");
    let picked: Vec<&Entry> = entries.iter().filter(|entry| entry.picked.is_some()).collect();
    let field = Picked::Field { field: "Likelihood".into(), value: "L3".into() };
    assert_eq!(picked[0].picked, Some(field));
    assert_eq!((picked[0].kind.as_str(), picked[0].action.as_deref()), ("field_set", Some("TriagePost")));
    assert_eq!(picked[1].picked, Some(Picked::Transition("Resolved".into())));
    assert_eq!((picked[1].step.as_deref(), picked[1].post_id.as_deref()), (Some("Triage"), Some("post")));
}

#[test]
fn a_decision_about_a_block_is_shown_by_its_notice() {
    let mut driven = Driven::new(workflow(SECURITY_ISSUE));
    let action = driven.act().key;
    let call = |answer: Value| Fact::CallAnswered { action: action.clone(), n: 1, answer: answer.into() };
    let intended = Fact::CallIntended {
        action: action.clone(),
        n: 1,
        function: "posts.create".into(),
        arguments: "h".into(),
    };
    let written = call(json!({"ok": {"post": {"id": "written", "channel_id": "c"}}}));
    let outputs = [("ChannelName".to_owned(), "x".to_owned())].into();
    driven.record(vec![intended, written, Fact::ActionSucceeded { action: action.clone(), outputs }]);
    driven.fail("no such user");
    driven.settle();
    driven.decide(Input::Skip, "sam").unwrap();
    let people = vec![Person { id: "u".into(), username: "jon".into() }];
    driven.record(vec![Fact::PeopleAdded { channel_id: "c".into(), people }]);
    let entries = timeline(driven.journal());
    let place = |kind: &str| {
        let entry = entries.iter().find(|entry| entry.kind == kind).unwrap();
        entry.post_id.clone().unwrap_or_default()
    };
    assert_eq!(place("action_succeeded"), "written", "a plain post is shown");
    assert_eq!((place("action_failed"), place("skipped")), ("told-0".into(), "told-0".into()));
    assert_eq!(entries.last().unwrap().text, "@jon added");
}

#[test]
fn the_timeline_says_which_channel_was_lost() {
    let mut driven = Driven::new(workflow(SECURITY_ISSUE));
    driven.run_to_wait();
    let room = driven.run.room.clone().unwrap().id;
    let channel = |id: &str, name: &str| Channel {
        id: id.into(),
        name: name.into(),
        display_name: String::new(),
        team_id: "t".into(),
    };
    let lost = |id: &str, how, channel| Fact::ChannelLost { channel_id: id.into(), how, channel };
    let back = |id: &str| Fact::ChannelBack { channel_id: id.into() };
    driven.record(vec![
        Fact::ChannelCreated { channel: channel("side", "side-7") },
        lost(&room, Loss::Archived, None),
        back(&room),
        lost("side", Loss::Removed, None),
        lost("elsewhere", Loss::Gone, Some(channel("elsewhere", "escalations"))),
        back("elsewhere"),
        lost("hidden", Loss::Archived, Some(channel("hidden", ""))),
        back("side"),
        Fact::ChannelArchived { channel_id: "side".into() },
        Fact::ChannelKept { channel_id: room.clone(), reason: "no".into() },
    ]);
    let entries = timeline(driven.journal());
    let said: Vec<&str> = entries.iter().rev().take(9).rev().map(|entry| entry.text.as_str()).collect();
    assert_eq!(
        said,
        [
            "The room was archived by somebody",
            "The room can be used again",
            "Channel ~side-7 is closed to the bot: it was removed from there",
            "Channel ~escalations is gone",
            "Channel ~escalations can be used again",
            "A channel was archived by somebody",
            "Channel ~side-7 can be used again",
            "Channel ~side-7 was archived",
            "The room could not be archived",
        ]
    );
}

#[derive(Debug, Clone)]
enum Deed {
    Succeed,
    Fail,
    Press(usize, bool),
    Set(usize, Option<String>),
    Decide(u8),
}

fn deeds() -> impl Strategy<Value = Vec<Deed>> {
    let deed = prop_oneof![
        6 => Just(Deed::Succeed),
        1 => Just(Deed::Fail),
        2 => (0..3_usize, any::<bool>()).prop_map(|(transition, last)| Deed::Press(transition, last)),
        2 => (0..5_usize, proptest::option::of("[LISX][1-4]")).prop_map(|(field, option)| Deed::Set(field, option)),
        1 => (0..3_u8).prop_map(Deed::Decide),
    ];
    proptest::collection::vec(deed, 0..80)
}

proptest! {
    /// Whatever people and actions do in whatever order: nothing panics, the fold of the journal is the run, a step is
    /// never entered twice at once, and an ended run does nothing more.
    #[test]
    fn any_order_of_deeds_keeps_the_run_whole(deeds in deeds()) {
        let mut driven = Driven::new(workflow(SECURITY_ISSUE));
        for deed in deeds {
            let ended = driven.run.has_ended();
            match deed {
                Deed::Succeed => if matches!(driven.settle(), Next::Act(_)) { driven.succeed(); },
                Deed::Fail => if matches!(driven.settle(), Next::Act(_)) { driven.fail("no"); },
                Deed::Press(transition, last) => {
                    let posts = &driven.run.posts;
                    if let Some(post) = if last { posts.last() } else { posts.first() } {
                        let post = post.key.clone();
                        let _ = driven.decide(Input::ChooseTransition { post, transition }, "jon");
                    }
                }
                Deed::Set(field, option) => if let Some(post) = driven.run.posts.last() {
                    let post = post.key.clone();
                    let _ = driven.decide(Input::SetField { post, field, option, click: Click::default() }, "chris");
                },
                Deed::Decide(0) => { let _ = driven.decide(Input::Retry, "jon"); }
                Deed::Decide(1) => { let _ = driven.decide(Input::Skip, "jon"); }
                Deed::Decide(_) => { let _ = driven.decide(Input::Cancel { reason: None, keep_room: false }, "jon"); }
            }
            prop_assert!(!ended || driven.run.has_ended(), "an end is final");
            let open = driven.run.visits.iter().filter(|visit| visit.left_ms.is_none()).count();
            prop_assert!(open <= 1);
        }
    }
}
