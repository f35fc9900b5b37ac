//! What becomes of failures: blocks, and what people do about them.

use crate::driven::{Driven, SECURITY_ISSUE, steps, workflow};
use std::sync::Arc;
use warroom_engine::*;

#[test]
fn a_failed_action_blocks_until_a_person_decides() {
    let two = r#"{"name": "P", "type": "post"}, {"name": "Q", "type": "post"}"#;
    let mut driven = Driven::new(steps(&[("A", two, "")]));
    driven.fail("no");
    assert_eq!(next(&driven.workflow, &driven.run), Next::Announce(0));
    driven.record(vec![Fact::AnnouncementIntended { n: 0, channel_id: "town".into() }]);
    assert_eq!(next(&driven.workflow, &driven.run), Next::Announce(0), "intended is not posted");
    driven.record(vec![Fact::AnnouncementPosted { n: 0, post_id: "x".into() }]);
    assert_eq!(driven.settle(), Next::Blocked);

    driven.decide(Input::Retry, "jon").unwrap();
    let again = driven.act();
    assert_eq!((again.key.name.as_str(), again.key.attempt), ("P", 2));
    driven.fail("still no");
    assert_eq!(next(&driven.workflow, &driven.run), Next::Announce(1), "a new failure is told anew");
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
    assert!(
        matches!(&driven.told[..], [Matter::Warning { action, .. }] if action.name == "P"),
        "{:?}",
        driven.told
    );
}

/// The first action has begun, and called something that nobody answered.
fn with_an_open_call(driven: &mut Driven) -> ActionKey {
    let Act { key, input, .. } = driven.act();
    let (function, arguments) = ("channels.create".to_owned(), "h".to_owned());
    driven.record(vec![
        Fact::ActionStarted {
            action: key.clone(),
            digest: "d".into(),
            input: input.into(),
            incident: Arc::default(),
        },
        Fact::CallIntended { action: key.clone(), n: 1, function, arguments },
    ]);
    key
}

fn failed(action: &ActionKey, kind: FailureKind, goes_on: bool) -> Fact {
    let failure = Failure { kind, message: "gone".into() };
    Fact::ActionFailed { action: action.clone(), failure, goes_on }
}

#[test]
fn a_retry_goes_on_with_a_call_that_nobody_knows_the_end_of() {
    let mut driven = Driven::new(workflow(SECURITY_ISSUE));
    let action = with_an_open_call(&mut driven);
    driven.record(vec![failed(&action, FailureKind::Unavailable, false)]);
    driven.decide(Input::Retry, "jon").unwrap();
    assert_eq!(driven.settle(), Next::Resume { not_before_ms: None });
    let current = driven.run.current.clone().unwrap();
    assert_eq!((current.key.attempt, current.budget.tries), (1, 0));
    assert_eq!(effects::decide(&current, 1, "channels.create", "h"), effects::Decision::Reconcile);
    // A guest that asked for something else the second time would only do so again: it begins anew.
    driven.record(vec![failed(&action, FailureKind::Nondeterministic, false)]);
    driven.decide(Input::Retry, "jon").unwrap();
    assert_eq!(driven.act().key.attempt, 2);
}

#[test]
fn a_run_that_goes_on_without_an_action_finds_out_at_rest_what_it_made() {
    for is_skipped in [true, false] {
        let mut driven = Driven::new(workflow(SECURITY_ISSUE));
        let action = with_an_open_call(&mut driven);
        driven.record(vec![failed(&action, FailureKind::Unavailable, !is_skipped)]);
        if is_skipped {
            driven.decide(Input::Skip, "jon").unwrap();
        }
        assert_eq!(driven.settle(), Next::Settle { is_last_chance: false });
        // A block of the run itself is not one of that action: a retry does not bring it back.
        let failure = Failure { kind: FailureKind::Failed, message: "a defect".into() };
        driven.record(vec![Fact::RunBlocked { failure }]);
        driven.decide(Input::Retry, "jon").unwrap();
        assert_eq!(driven.settle(), Next::Settle { is_last_chance: false });
        let channel =
            Channel { id: "room".into(), name: "r".into(), display_name: "R".into(), team_id: "t".into() };
        let answered = Fact::CallAnswered { action: action.clone(), n: 1, answer: Arc::default() };
        driven.record(vec![Fact::ChannelCreated { channel }, answered]);
        // The next action's message names that room, which it does not know.
        assert_eq!(driven.settle(), Next::Blocked);
        driven.decide(Input::Cancel { reason: None, keep_room: false }, "jon").unwrap();
        assert_eq!(driven.settle(), Next::Done);
        assert!(driven.done.contains(&"close room".to_owned()), "{:?}", driven.done);
    }
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
fn a_template_that_cannot_be_rendered_blocks_with_its_reason() {
    let start = r#"{"name": "P", "type": "post", "message": "{{lt .Trigger.T.Message 1}}"}"#;
    let mut driven = Driven::new(steps(&[("A", start, "")]));
    assert_eq!(driven.settle(), Next::Blocked);
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
    assert_eq!(driven.settle(), Next::Blocked);
    assert_eq!(driven.visited().len() as u32, AUTOMATIC_TRANSITIONS_MAX + 1);
    assert_eq!(driven.decide(Input::Skip, "jon"), Err(Refusal::NothingToSkip));
    driven.decide(Input::Retry, "jon").unwrap();
    assert!(matches!(driven.settle(), Next::Act(_)));
}

fn taken(driven: &mut Driven) {
    driven.fail_as(FailureKind::NameTaken, "the name is taken");
}

#[test]
fn a_taken_name_is_tried_again_with_the_next_numbers_until_one_is_free() {
    let mut driven = Driven::new(workflow(SECURITY_ISSUE));
    taken(&mut driven);
    assert!(can_renumber(&driven.workflow, &driven.run));
    driven.decide(Input::Renumber, "jon").unwrap();
    for number in [8, 9] {
        assert_eq!(driven.settle(), Next::TakeNumber);
        driven.record(vec![Fact::Renumbered { number }]);
        assert_eq!(driven.act().input["channel_name"], format!("security-issue-{number}"));
        if number == 8 {
            taken(&mut driven);
        }
    }
    driven.succeed();
    assert_eq!(driven.run.number, 9);
    assert_eq!(driven.run.renumbering, None);
    assert_eq!(driven.run.announcements.len(), 1, "the second name was tried without asking");
}

#[test]
fn the_search_for_a_number_ends_after_its_bound() {
    let mut driven = Driven::new(workflow(SECURITY_ISSUE));
    taken(&mut driven);
    driven.decide(Input::Renumber, "jon").unwrap();
    let mut taken_numbers = 0;
    while driven.settle() == Next::TakeNumber {
        driven.record(vec![Fact::Renumbered { number: 8 + taken_numbers }]);
        taken_numbers += 1;
        taken(&mut driven);
    }
    assert_eq!(taken_numbers, 100);
    assert_eq!(driven.settle(), Next::Blocked);
}

#[test]
fn a_number_helps_only_where_the_name_holds_it() {
    let fixed = r#"{"name": "C", "type": "create_channel", "channel_name": "always-the-same"}"#;
    let mut driven = Driven::new(steps(&[("A", fixed, "")]));
    taken(&mut driven);
    assert_eq!(driven.decide(Input::Renumber, "jon"), Err(Refusal::NothingToRenumber));
    let mut driven = Driven::new(workflow(SECURITY_ISSUE));
    driven.fail("the server does not like it");
    assert_eq!(driven.decide(Input::Renumber, "jon"), Err(Refusal::NothingToRenumber));
}

fn repin(driven: &mut Driven, current: warroom_workflow::Workflow) -> Result<(), Refusal> {
    let current = Box::new(current);
    let input = Input::Repin { workflow_digest: "sha256:new".into(), components: Arc::default(), current };
    driven.decide(input, "jon")
}

#[test]
fn a_failed_action_is_tried_again_as_the_workflow_is_now() {
    let two = r#"{"name": "P", "type": "post", "message": "old"}, {"name": "Q", "type": "post"}"#;
    let mut driven = Driven::new(steps(&[("A", two, "")]));
    driven.fail("no");
    let new = r#"{"name": "N", "type": "post"}, {"name": "P", "type": "post", "message": "new"}"#;
    let current = steps(&[("A", new, "")]);
    repin(&mut driven, current.clone()).unwrap();
    driven.workflow = current;
    let again = driven.act();
    assert_eq!((again.key.name.as_str(), again.key.attempt, again.key.index), ("P", 2, 1));
    assert_eq!(again.input["message"], "new");
    assert_eq!(driven.run.workflow_digest, "sha256:new");
}

#[test]
fn a_workflow_without_the_step_or_the_action_takes_no_run_over() {
    let mut driven = Driven::new(steps(&[("A", r#"{"name": "P", "type": "post"}"#, "")]));
    driven.fail("no");
    let without_action = steps(&[("A", r#"{"name": "Q", "type": "post"}"#, "")]);
    let without_step = steps(&[("B", r#"{"name": "P", "type": "post"}"#, "")]);
    for (current, missing) in [(without_action, "action `P`"), (without_step, "step `A`")] {
        let refusal = repin(&mut driven, current).unwrap_err();
        assert!(refusal.to_string().contains(missing), "{refusal}");
    }
}

#[test]
fn calls_that_are_not_found_out_about_are_kept_apart_and_bounded() {
    let mut driven = Driven::new(workflow(SECURITY_ISSUE));
    let action = with_an_open_call(&mut driven);
    driven.record(vec![failed(&action, FailureKind::Unavailable, true)]);
    for attempt in 2..=30 {
        let key = ActionKey { attempt, ..action.clone() };
        let (function, arguments) = ("channels.create".to_owned(), "h".to_owned());
        driven.record(vec![
            Fact::ActionStarted {
                action: key.clone(),
                digest: "d".into(),
                input: Arc::default(),
                incident: Arc::default(),
            },
            Fact::CallIntended { action: key.clone(), n: 1, function, arguments },
            failed(&key, FailureKind::Unavailable, true),
        ]);
    }
    assert_eq!((driven.run.left.len(), driven.run.given_up.len()), (LEFT_MAX, 30 - LEFT_MAX));
    driven.decide(Input::Cancel { reason: None, keep_room: false }, "jon").unwrap();
    while let Some(left) = driven.run.execution_to_settle().cloned() {
        assert_eq!(driven.settle(), Next::Settle { is_last_chance: true });
        let (n, function) = (1, "channels.create".to_owned());
        let (channel_name, reason) = (Some("r".to_owned()), "x".to_owned());
        let given_up = Fact::CallGivenUp { action: left.key, n, function, channel_name, reason };
        driven.record(vec![given_up]);
    }
    assert_eq!(driven.settle(), Next::Done);
    assert!(driven.run.has_settled() && driven.run.given_up.len() == GIVEN_UP_MAX);
}
