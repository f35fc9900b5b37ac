//! The life of a run, driven by hand: what `next` says, what people do, what the fold makes of it.

#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test that cannot go on must fail at once"
)]

use proptest::prelude::*;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use warroom_engine::*;
use warroom_workflow::{ActionType, Catalog, Workflow, check};

const SECURITY_ISSUE: &str = include_str!("../../workflow/tests/fixtures/security_issue.json");

fn catalog() -> Catalog {
    let named = |type_name: &str, outputs: &[&str]| ActionType {
        type_name: type_name.into(),
        parameters: json!({ "type": "object", "properties": {
            "fields": { "type": "array", "items": { "type": "object", "properties": {
                "name": { "type": "string", "x-warroom-outputs": true } } } },
            "transitions": { "type": "array", "items": { "type": "object", "properties": {
                "to": { "type": "string", "x-warroom-step": true } } } },
        } }),
        outputs: outputs.iter().map(|name| (*name).to_owned()).collect(),
    };
    Catalog::new([
        named("create_channel", &["ChannelName", "ChannelID"]),
        named("add_users_channel", &["Added", "NotAdded"]),
        named("post", &["PostID", "ChannelID"]),
        named("archive_channel", &[]),
    ])
    .unwrap()
}

fn workflow(text: &str) -> Workflow {
    let checked = check(text, &catalog());
    assert!(!checked.workflows.is_empty(), "{:#?}", checked.diagnostics);
    checked.workflows.into_iter().next().unwrap()
}

/// A workflow whose steps have these actions, given as JSON.
fn steps(steps: &[(&str, &str, &str)]) -> Workflow {
    let steps: Vec<String> = steps
        .iter()
        .map(|(name, start, finish)| {
            format!(r#"{{"name": "{name}", "start_actions": [{start}], "finish_actions": [{finish}]}}"#)
        })
        .collect();
    workflow(&format!(
        r#"[{{"name": "w", "triggers": [{{"name": "T", "type": "text", "match": "x"}}], "steps": [{}]}}]"#,
        steps.join(",")
    ))
}

fn person(name: &str) -> Person {
    Person { id: format!("id-{name}"), username: name.to_owned() }
}

/// A run driven by hand, with its journal.
struct Driven {
    workflow: Workflow,
    run: Run,
    journal: Vec<Event>,
}

impl Driven {
    fn new(workflow: Workflow) -> Driven {
        let channel = Channel {
            id: "town".into(),
            name: "town-square".into(),
            display_name: "Town Square".into(),
            team_id: "t".into(),
        };
        let trigger = Trigger {
            name: workflow.triggers[0].name.to_string(),
            post_id: "p".into(),
            text: "#sec hello".into(),
            user: person("jon"),
            channel,
            team_name: "infosec".into(),
            permalink: "http://chat/infosec/pl/p".into(),
            groups: BTreeMap::new(),
        };
        let fact = Fact::RunStarted {
            run: "r".into(),
            workflow: workflow.name.to_string(),
            workflow_digest: "sha256:0".into(),
            components: BTreeMap::new(),
            number: 7,
            trigger,
        };
        let first = Event { at_ms: 1_000, fact };
        Driven { workflow, run: Run::start(&first).unwrap(), journal: vec![first] }
    }

    fn record(&mut self, facts: Vec<Fact>) {
        for fact in facts {
            let event = Event { at_ms: 1_000 + self.journal.len() as u64, fact };
            self.run.apply(&event);
            self.journal.push(event);
        }
        // Through the text and back: what is journalled is all there is.
        let text = serde_json::to_string(&self.journal).unwrap();
        let read: Vec<Event> = serde_json::from_str(&text).unwrap();
        assert_eq!(Run::replay(&read).unwrap(), self.run);
    }

    /// Journals what the engine says by itself, until something is to be done outside.
    fn settle(&mut self) -> Next {
        for _ in 0..1_000 {
            match next(&self.workflow, &self.run) {
                Next::Record(facts) => self.record(facts),
                Next::RemoveControls(post) => self.record(vec![Fact::ControlsRemoved { post: post.key }]),
                other => return other,
            }
        }
        panic!("the engine does not settle");
    }

    fn act(&mut self) -> Act {
        match self.settle() {
            Next::Act(act) => *act,
            other => panic!("{other:?}"),
        }
    }

    /// Executes the next action well, as its component would.
    fn succeed(&mut self) -> Act {
        let act = self.act();
        let mut facts = vec![Fact::ActionStarted {
            action: act.key.clone(),
            digest: "sha256:1".into(),
            input: act.input.clone(),
            incident: Value::Null,
        }];
        let mut outputs = BTreeMap::new();
        if act.type_name == "create_channel" {
            let name = act.input["channel_name"].as_str().unwrap().to_owned();
            outputs.insert("ChannelName".to_owned(), name.clone());
            let channel =
                Channel { id: "room".into(), display_name: name.clone(), name, team_id: "t".into() };
            facts.push(Fact::ChannelCreated { channel });
        }
        if act.type_name == "post" {
            facts.extend(self.controls(&act).map(|post| Fact::ControlsPosted { post }));
        }
        facts.push(Fact::ActionSucceeded { action: act.key.clone(), outputs });
        self.record(facts);
        act
    }

    fn controls(&self, act: &Act) -> Option<ControlPost> {
        let text = |value: &Value, key: &str| value[key].as_str().unwrap_or_default().to_owned();
        let list = |key: &str| act.input.get(key).and_then(Value::as_array).cloned().unwrap_or_default();
        let fields: Vec<Field> = list("fields")
            .iter()
            .map(|field| Field {
                name: text(field, "name"),
                description: text(field, "description"),
                kind: match field["options"].as_array() {
                    Some(options) => FieldKind::Menu(
                        options.iter().map(|option| option.as_str().unwrap().to_owned()).collect(),
                    ),
                    None => FieldKind::Button,
                },
            })
            .collect();
        let transitions: Vec<TransitionControl> = list("transitions")
            .iter()
            .map(|offer| TransitionControl {
                label: text(offer, "label"),
                description: text(offer, "description"),
                to: text(offer, "to"),
                allowed: offer["allowed"]
                    .as_array()
                    .map(|names| names.iter().map(|name| name.as_str().unwrap().to_owned()).collect())
                    .unwrap_or_default(),
            })
            .collect();
        if fields.is_empty() && transitions.is_empty() {
            return None;
        }
        Some(ControlPost {
            key: act.key.call(&self.run.id, 2),
            visit: act.key.visit,
            action: act.key.name.clone(),
            post_id: "post".into(),
            channel_id: "room".into(),
            message: text(&Value::Object(act.input.clone()), "message"),
            controls: Controls {
                fields_title: "Fields".into(),
                fields,
                transitions_title: "Transitions".into(),
                transitions,
            },
        })
    }

    /// Executes actions until people are asked.
    fn run_to_wait(&mut self) -> Next {
        loop {
            match self.settle() {
                Next::Act(_) => {
                    self.succeed();
                }
                other => return other,
            }
        }
    }

    fn decide(&mut self, input: Input, by: &str) -> Result<(), Refusal> {
        let facts = decide(&self.workflow, &self.run, input, &person(by))?;
        self.record(facts);
        Ok(())
    }

    fn press(&mut self, label: &str, by: &str) -> Result<(), Refusal> {
        let post = self.run.posts.last().unwrap().clone();
        let transition = post.controls.transitions.iter().position(|offer| offer.label == label).unwrap();
        self.decide(Input::ChooseTransition { post: post.key, transition }, by)
    }

    fn fail(&mut self, message: &str) -> Act {
        let act = self.act();
        let failure = Failure { kind: FailureKind::Conflict, message: message.into() };
        self.record(vec![Fact::ActionFailed { action: act.key.clone(), failure, goes_on: false }]);
        act
    }

    fn visited(&self) -> Vec<&str> {
        self.run.visits.iter().map(|visit| visit.step.as_str()).collect()
    }
}

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
    driven.decide(Input::SetField { post, field: 1, option: Some("L3".into()) }, "chris").unwrap();
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
    let late = Input::SetField { post, field: 1, option: Some("L1".into()) };
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

fn repeated(n: usize) -> Fact {
    let permalink = format!("http://chat/infosec/pl/p{n}");
    Fact::Repeated { repeat: Repeat { post_id: format!("p{n}"), user: person("nagios"), permalink } }
}

#[test]
fn repeats_are_told_when_the_run_rests_and_again_when_there_are_more() {
    let mut driven = Driven::new(workflow(SECURITY_ISSUE));
    driven.record(vec![repeated(1)]);
    assert!(matches!(driven.settle(), Next::Act(_)), "what the incident needs comes first");
    assert_eq!(driven.run_to_wait(), Next::TellRepeats);
    driven.record(vec![Fact::RepeatsIntended { key: "k".into(), channel_id: "room".into() }, repeated(2)]);
    assert_eq!(driven.settle(), Next::TellRepeats);
    let told = |count| Fact::RepeatsTold { post_id: "post".into(), count };
    driven.record(vec![told(1)]);
    assert_eq!(driven.settle(), Next::TellRepeats, "a second one came meanwhile");
    driven.record(vec![told(2)]);
    assert_eq!(driven.settle(), Next::Wait);
    assert_eq!(driven.run.repeats.post.as_ref().unwrap().post_id.as_deref(), Some("post"));

    driven.record(vec![repeated(3), Fact::RepeatsUntold { count: 3, reason: "the room is gone".into() }]);
    assert_eq!(driven.settle(), Next::Wait, "what cannot be told is not tried for ever");
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
fn a_blocked_run_tells_of_repeats_too() {
    let mut driven = Driven::new(workflow(SECURITY_ISSUE));
    driven.fail("the name is taken");
    driven.record(vec![
        repeated(1),
        Fact::NoticeIntended { key: "n".into(), channel_id: "town".into() },
        Fact::NoticePosted { key: "n".into(), post_id: "notice".into() },
    ]);
    assert_eq!(driven.settle(), Next::TellRepeats);
    driven.record(vec![Fact::RepeatsTold { post_id: "post".into(), count: 1 }]);
    assert_eq!(driven.settle(), Next::Blocked);
}

#[test]
fn the_last_choice_of_a_menu_wins_and_only_offered_ones_count() {
    let mut driven = Driven::new(workflow(SECURITY_ISSUE));
    driven.run_to_wait();
    let post = driven.run.posts[0].key.clone();
    let choose = |option: &str| Input::SetField { post: post.clone(), field: 3, option: Some(option.into()) };
    driven.decide(choose("S1"), "jon").unwrap();
    driven.decide(choose("S2"), "chris").unwrap();
    assert_eq!(driven.decide(choose("S9"), "jon"), Err(Refusal::NotOffered("S9".into())));
    let choice = &driven.run.choices[&("TriagePost".to_owned(), "Severity".to_owned())];
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
fn a_failed_action_blocks_until_a_person_decides() {
    let two = r#"{"name": "P", "type": "post"}, {"name": "Q", "type": "post"}"#;
    let mut driven = Driven::new(steps(&[("A", two, "")]));
    driven.fail("no");
    assert_eq!(driven.settle(), Next::PostNotice);
    let key = "n".to_owned();
    driven.record(vec![Fact::NoticeIntended { key: key.clone(), channel_id: "town".into() }]);
    assert_eq!(driven.settle(), Next::PostNotice, "intended is not posted");
    driven.record(vec![Fact::NoticePosted { key, post_id: "x".into() }]);
    assert_eq!(driven.settle(), Next::Blocked);

    driven.decide(Input::Retry, "jon").unwrap();
    let again = driven.act();
    assert_eq!((again.key.name.as_str(), again.key.attempt), ("P", 2));
    driven.fail("still no");
    assert_eq!(driven.settle(), Next::PostNotice, "a new failure is told anew");
    driven.decide(Input::Skip, "jon").unwrap();
    let after = driven.act();
    assert_eq!((after.key.name.as_str(), after.key.attempt), ("Q", 1));
    assert_eq!(driven.decide(Input::Retry, "jon"), Err(Refusal::NotBlocked("retry")));
}

#[test]
fn on_error_continue_goes_on() {
    let two = r#"{"name": "P", "type": "post", "on_error": "continue"}, {"name": "Q", "type": "post"}"#;
    let mut driven = Driven::new(steps(&[("A", two, "")]));
    let key = driven.act().key;
    assert!(goes_on_after_failure(driven.workflow.action(&key.name).unwrap()));
    let failure = Failure { kind: FailureKind::NotFound, message: "no".into() };
    driven.record(vec![Fact::ActionFailed { action: key, failure, goes_on: true }]);
    assert_eq!(driven.act().key.name, "Q");
}

#[test]
fn a_retry_goes_on_with_a_call_that_nobody_knows_the_end_of() {
    let mut driven = Driven::new(workflow(SECURITY_ISSUE));
    let act = driven.act();
    let action = act.key.clone();
    let begin = |act: Act| Fact::ActionStarted {
        action: act.key,
        digest: "d".into(),
        input: act.input,
        incident: Value::Null,
    };
    let intent = |action: &ActionKey| Fact::CallIntended {
        action: action.clone(),
        n: 1,
        function: "channels.create".into(),
        arguments: "h".into(),
    };
    let failed = |kind| {
        let failure = Failure { kind, message: "gone".into() };
        vec![Fact::ActionFailed { action: action.clone(), failure, goes_on: false }]
    };
    driven.record(vec![begin(act), intent(&action)]);
    driven.record(failed(FailureKind::Unavailable));
    driven.decide(Input::Retry, "jon").unwrap();
    assert_eq!(driven.settle(), Next::Resume { not_before_ms: None });
    let current = driven.run.current.clone().unwrap();
    assert_eq!((current.key.attempt, current.tries_spent), (1, 0));
    assert_eq!(effects::decide(&current, 1, "channels.create", "h"), effects::Decision::Reconcile);
    // A guest that asked for something else the second time would only do so again: it begins anew.
    driven.record(failed(FailureKind::Nondeterministic));
    driven.decide(Input::Retry, "jon").unwrap();
    assert_eq!(driven.act().key.attempt, 2);
}

#[test]
fn the_only_way_on_cannot_be_skipped_nor_passed_over() {
    let offer = r#"{"name": "P", "type": "post", "on_error": "continue", "transitions": [{"label": "Go", "to": "B"}]}"#;
    let mut driven = Driven::new(steps(&[("A", offer, ""), ("B", r#"{"name": "R", "type": "post"}"#, "")]));
    assert!(!goes_on_after_failure(driven.workflow.action("P").unwrap()));
    driven.fail("no");
    assert_eq!(driven.decide(Input::Skip, "jon"), Err(Refusal::OnlyWayOn));
    driven.decide(Input::Retry, "jon").unwrap();
    driven.succeed();
    assert_eq!(driven.settle(), Next::Wait);
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
fn a_template_that_cannot_be_rendered_blocks_with_its_reason() {
    let start = r#"{"name": "P", "type": "post", "message": "{{lt .Trigger.T.Message 1}}"}"#;
    let mut driven = Driven::new(steps(&[("A", start, "")]));
    assert_eq!(driven.settle(), Next::PostNotice);
    let Status::Blocked { failure, .. } = &driven.run.status else { panic!() };
    assert_eq!(failure.kind, FailureKind::Template);
    assert!(failure.message.contains("message"), "{}", failure.message);
}

#[test]
fn a_failing_finish_action_is_retried_where_it_stands() {
    let start = r#"{"name": "E", "type": "finished_workflow"}"#;
    let mut driven = Driven::new(steps(&[(
        "A",
        start,
        r#"{"name": "F", "type": "post"}, {"name": "G", "type": "post"}"#,
    )]));
    driven.fail("no");
    driven.decide(Input::Retry, "jon").unwrap();
    assert_eq!(driven.succeed().key.name, "F");
    driven.fail("no");
    driven.decide(Input::Skip, "jon").unwrap();
    assert_eq!(driven.settle(), Next::Done);
}

#[test]
fn transitions_without_a_person_end_after_the_bound() {
    let go = |name: &str, to: &str| {
        format!(r#"{{"name": "{name}", "type": "post", "transitions": [{{"label": "Go", "to": "{to}"}}]}}"#)
    };
    let mut driven = Driven::new(steps(&[("A", &go("P", "B"), ""), ("B", &go("Q", "A"), "")]));
    for _ in 0..AUTOMATIC_TRANSITIONS_MAX {
        let act = driven.succeed();
        let to = Destination::Step(if act.key.name == "P" { "B" } else { "A" }.into());
        driven.record(vec![Fact::TransitionChosen { to, label: None, by: Chooser::Action(act.key.name) }]);
    }
    // The last allowed one was completed; one more is refused.
    let act = driven.succeed();
    let to = Destination::Step(if act.key.name == "P" { "B" } else { "A" }.into());
    driven.record(vec![Fact::TransitionChosen { to, label: None, by: Chooser::Action(act.key.name) }]);
    assert_eq!(driven.settle(), Next::PostNotice);
    assert_eq!(driven.visited().len() as u32, AUTOMATIC_TRANSITIONS_MAX + 1);
    assert_eq!(driven.decide(Input::Skip, "jon"), Err(Refusal::NothingToSkip));
    driven.decide(Input::Retry, "jon").unwrap();
    assert!(matches!(driven.settle(), Next::Act(_)));
}

#[test]
fn a_cancelled_run_loses_its_controls_and_does_nothing_more() {
    let mut driven = Driven::new(workflow(SECURITY_ISSUE));
    driven.run_to_wait();
    driven.decide(Input::Cancel, "jon").unwrap();
    assert!(matches!(next(&driven.workflow, &driven.run), Next::RemoveControls(_)));
    assert_eq!(driven.settle(), Next::Done);
    let refusal = driven.decide(Input::Cancel, "chris").unwrap_err();
    assert_eq!(refusal.to_string(), "Too late: this incident is cancelled by @jon now.");
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
        input: act.input,
        incident: Value::Null,
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
    driven.record(vec![Fact::CallAnswered { action, n: 1, answer: json!("yes") }]);
    assert_eq!(decide(&current(&driven), 1, "channels.create", "h"), Decision::Answered(json!("yes")));
    for (function, arguments) in [("channels.create", "other"), ("posts.create", "h")] {
        assert!(matches!(decide(&current(&driven), 1, function, arguments), Decision::Diverged { .. }));
    }
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
                    let _ = driven.decide(Input::SetField { post, field, option }, "chris");
                },
                Deed::Decide(0) => { let _ = driven.decide(Input::Retry, "jon"); }
                Deed::Decide(1) => { let _ = driven.decide(Input::Skip, "jon"); }
                Deed::Decide(_) => { let _ = driven.decide(Input::Cancel, "jon"); }
            }
            prop_assert!(!ended || driven.run.has_ended(), "an end is final");
            let open = driven.run.visits.iter().filter(|visit| visit.left_ms.is_none()).count();
            prop_assert!(open <= 1);
        }
    }
}
