//! What presses mean: new, done before, or too late.

use crate::driven::{Driven, SECURITY_ISSUE, person, steps, workflow};
use warroom_engine::*;

const ALERT: usize = 0;
const SEVERITY: usize = 3;

/// A security issue in triage, and the key of the post there.
fn triage() -> (Driven, String) {
    let mut driven = Driven::new(workflow(SECURITY_ISSUE));
    driven.run_to_wait();
    let post = driven.run.posts[0].key.clone();
    (driven, post)
}

/// Leaves the triage, and comes back to it; gives the key of the new post.
fn second_visit(driven: &mut Driven) -> String {
    driven.press("Triaged", "jon").unwrap();
    driven.run_to_wait();
    driven.press("Triage", "jon").unwrap();
    driven.run_to_wait();
    driven.run.posts.last().unwrap().key.clone()
}

fn set(driven: &mut Driven, post: &str, field: usize, option: Option<&str>, by: &str) {
    let option = option.map(str::to_owned);
    driven
        .decide(Input::SetField { post: post.to_owned(), field, option, click: Click::default() }, by)
        .unwrap();
}

fn pressed_by(driven: &Driven) -> Vec<&str> {
    let told = driven.run.announcements.iter().filter_map(|known| match &known.matter {
        Matter::Pressed { by, .. } => Some(by.username.as_str()),
        _ => None,
    });
    told.collect()
}

#[test]
fn a_button_that_is_pressed_on_each_visit_counts_on_each() {
    let (mut driven, first) = triage();
    set(&mut driven, &first, ALERT, None, "chris");
    set(&mut driven, &first, ALERT, None, "chris");
    assert_eq!(pressed_by(&driven), ["chris"], "pressed twice on one post");
    let second = second_visit(&mut driven);
    set(&mut driven, &second, ALERT, None, "chris");
    assert_eq!(pressed_by(&driven), ["chris", "chris"]);
    set(&mut driven, &second, ALERT, None, "chris");
    assert_eq!(pressed_by(&driven), ["chris", "chris"]);
}

#[test]
fn a_post_that_was_left_shows_the_choices_of_its_own_visit() {
    let (mut driven, first) = triage();
    set(&mut driven, &first, SEVERITY, Some("S1"), "jon");
    let second = second_visit(&mut driven);
    for at in 0..=CHOICES_KEPT_MAX {
        set(&mut driven, &second, SEVERITY, Some(["S2", "S3"][at % 2]), "chris");
    }
    let shown = |key: &str| {
        let post = driven.run.post(key).unwrap();
        let choices = driven.run.choices_on(post, "Severity").iter();
        choices.map(|choice| choice.value.clone()).collect::<Vec<_>>()
    };
    assert_eq!(shown(&first), ["S1"], "later choices neither show nor push it out");
    assert_eq!(shown(&second).len(), CHOICES_KEPT_MAX + 1, "the earlier visit's, and the last ones of this");
    assert_eq!(shown(&second).last().unwrap(), "S2");
}

#[test]
fn a_stale_control_says_who_left_the_step_and_where_the_run_is() {
    let (mut driven, post) = triage();
    driven.press("Triaged", "jon").unwrap();
    driven.run_to_wait();
    let late = |driven: &mut Driven, input: Input| driven.decide(input, "chris").unwrap_err().to_string();
    let choose = || Input::ChooseTransition { post: post.clone(), transition: 1 };
    let field =
        || Input::SetField { post: post.clone(), field: ALERT, option: None, click: Click::default() };
    let said = "@jon chose \u{201c}Triaged\u{201d} first. This incident is in step DevelopFix now.";
    assert_eq!(late(&mut driven, choose()), said);
    assert_eq!(late(&mut driven, field()), said);
    driven.press("Resolved", "sam").unwrap();
    driven.run_to_wait();
    let said = "@jon chose \u{201c}Triaged\u{201d} first. This incident is finished now.";
    assert_eq!(late(&mut driven, choose()), said);
}

#[test]
fn names_of_people_and_groups_are_the_same_in_capitals() {
    let actor = Actor { groups: vec!["oncall".into()], ..Actor::from(person("jon")) };
    for name in ["jon", "@Jon", "JON", "id-jon", "@OnCall", "ONCALL"] {
        assert!(actor.is_named(name), "{name}");
    }
    for name in ["joe", "ID-JON", "on", ""] {
        assert!(!actor.is_named(name), "{name}");
    }
}

#[test]
fn who_has_the_name_of_a_group_is_known_by_the_id_alone() {
    let actor = Actor { is_called_like_a_group: true, ..Actor::from(person("oncall")) };
    assert!(actor.is_named("id-oncall"));
    assert!(!actor.is_named("oncall") && !actor.is_named("@OnCall"));
    let member = Actor { groups: vec!["oncall".into()], ..actor };
    assert!(member.is_named("@oncall"));
}

#[test]
fn who_takes_the_id_of_somebody_as_a_name_is_not_that_person() {
    let id = "4xp9fdt77pncbef59f4k1qe83o";
    let manager = Person { id: id.into(), username: "jon".into() };
    let stranger = Person { id: "q5k8h1yw9jbd3n6tz4xm7ro2ce".into(), username: id.into() };
    assert!(manager.is_named(id));
    for name in [id.to_owned(), format!("@{id}")] {
        assert!(!stranger.is_named(&name), "{name}");
    }
}

/// One press, and what it means.
fn meaning(driven: &Driven, post: &str, pressed: &Pressed, by: &str) -> Result<bool, String> {
    is_repeated(&driven.run, post, pressed, &person(by)).map_err(|refusal| refusal.to_string())
}

#[test]
fn a_repeated_press_of_every_kind_is_known_for_good_and_a_new_one_comes_too_late() {
    let (mut driven, post) = triage();
    let alert = Pressed::Field(ALERT, None, Click::default());
    let severity = Pressed::Field(SEVERITY, Some("S1".into()), Click::default());
    let triaged = Pressed::Transition(0);
    for pressed in [&alert, &severity, &triaged] {
        assert_eq!(meaning(&driven, &post, pressed, "jon"), Ok(false), "{pressed:?}");
    }
    set(&mut driven, &post, ALERT, None, "jon");
    set(&mut driven, &post, SEVERITY, Some("S1"), "jon");
    driven.press("Triaged", "jon").unwrap();
    let known = |driven: &Driven| {
        for pressed in [&alert, &severity, &triaged] {
            assert_eq!(meaning(driven, &post, pressed, "jon"), Ok(true), "{pressed:?}");
            assert!(meaning(driven, &post, pressed, "chris").is_err(), "{pressed:?}");
        }
        let altered = Pressed::Field(SEVERITY, Some("S99".into()), Click::default());
        assert!(meaning(driven, &post, &altered, "jon").unwrap_err().contains("not one of the options"));
    };
    known(&driven);
    driven.run_to_wait();
    known(&driven);
    driven.press("Resolved", "jon").unwrap();
    driven.run_to_wait();
    assert_eq!(driven.run.status, Status::Finished);
    known(&driven);
}

#[test]
fn the_buttons_of_a_block_count_once_and_then_say_who_was_first() {
    for (remedy, input, said) in [
        (Remedy::Retry, Input::Retry, "@jon had it tried again already."),
        (Remedy::Skip, Input::Skip, "@jon skipped it already."),
    ] {
        let two = r#"{"name": "P", "type": "post"}, {"name": "Q", "type": "post"}"#;
        let mut driven = Driven::new(steps(&[("A", two, "")]));
        driven.fail("no");
        driven.settle();
        let notice = driven.run.announcement_key(0);
        for known in [Remedy::Retry, Remedy::Skip, Remedy::Cancel] {
            assert_eq!(meaning(&driven, &notice, &Pressed::Remedy(known), "jon"), Ok(false));
        }
        driven.decide(input, "jon").unwrap();
        assert_eq!(meaning(&driven, &notice, &Pressed::Remedy(remedy), "jon"), Ok(true));
        let now = "This incident is in step A now.";
        for (stale, by) in [(remedy, "chris"), (Remedy::Cancel, "chris"), (Remedy::Cancel, "jon")] {
            let told = meaning(&driven, &notice, &Pressed::Remedy(stale), by);
            assert_eq!(told, Err(format!("{said} {now}")), "{stale:?} by {by}");
        }
    }
}

#[test]
fn a_cancel_counts_once_and_only_while_there_is_something_to_cancel() {
    let (mut driven, _) = triage();
    let cancel = Pressed::Remedy(Remedy::Cancel);
    driven.record(vec![Fact::ChannelLost { channel_id: "room".into(), how: Loss::Archived, channel: None }]);
    let lost = driven.run.announcement_key(u32::try_from(driven.run.announcements.len()).unwrap() - 1);
    assert_eq!(meaning(&driven, &lost, &cancel, "jon"), Ok(false));
    driven.record(vec![Fact::ChannelBack { channel_id: "room".into() }]);
    let told = meaning(&driven, &lost, &cancel, "jon").unwrap_err();
    assert!(told.contains("can be used again: this incident is in step Triage now"), "{told}");
    driven.decide(Input::Cancel { reason: None, keep_room: false }, "jon").unwrap();
    assert_eq!(meaning(&driven, &lost, &cancel, "jon"), Ok(true));
    let told = meaning(&driven, &lost, &cancel, "chris");
    assert_eq!(told, Err("Too late: this incident is cancelled by @jon now.".to_owned()));
}

/// Presses as the server tells of it: with an id of the press, and when.
fn click(driven: &mut Driven, post: &str, field: usize, option: Option<&str>, by: &str, click: (&str, u64)) {
    let (option, click) = (option.map(str::to_owned), Click { id: click.0.to_owned(), at_ms: click.1 });
    driven.decide(Input::SetField { post: post.to_owned(), field, option, click }, by).unwrap();
}

#[test]
fn a_choice_that_is_delivered_again_changes_nothing_though_somebody_chose_meanwhile() {
    let (mut driven, post) = triage();
    click(&mut driven, &post, SEVERITY, Some("S1"), "jon", ("first", 1));
    click(&mut driven, &post, SEVERITY, Some("S2"), "chris", ("second", 2));
    click(&mut driven, &post, SEVERITY, Some("S1"), "jon", ("first", 3));
    assert_eq!(driven.run.choice("TriagePost", "Severity").unwrap().value, "S2");
    click(&mut driven, &post, SEVERITY, Some("S1"), "jon", ("third", 4));
    assert_eq!(driven.run.choice("TriagePost", "Severity").unwrap().value, "S1", "a new choice counts");
}

#[test]
fn a_button_that_is_pressed_again_later_rings_again_and_one_that_is_pressed_twice_does_not() {
    let (mut driven, post) = triage();
    let began_ms = driven.run.started_ms;
    let later = |ms: u64| began_ms + ms;
    click(&mut driven, &post, ALERT, None, "jon", ("first", later(0)));
    click(&mut driven, &post, ALERT, None, "jon", ("second", later(500)));
    assert_eq!(pressed_by(&driven), ["jon"], "a double click");
    click(&mut driven, &post, ALERT, None, "jon", ("third", later(86_400_000)));
    assert_eq!(pressed_by(&driven), ["jon", "jon"]);
    click(&mut driven, &post, ALERT, None, "jon", ("third", later(172_800_000)));
    assert_eq!(pressed_by(&driven), ["jon", "jon"], "delivered again");
}
