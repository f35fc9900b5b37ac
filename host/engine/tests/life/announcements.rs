//! What the host itself tells people, pins and closes.

use crate::driven::{Driven, SECURITY_ISSUE, person, workflow};
use std::sync::Arc;
use warroom_engine::*;

fn repeated(n: usize) -> Fact {
    let permalink = format!("http://chat/infosec/pl/p{n}");
    Fact::Repeated { repeat: Repeat { post_id: format!("p{n}"), user: person("nagios"), permalink } }
}

#[test]
fn repeats_are_told_once_when_the_run_rests() {
    let mut driven = Driven::new(workflow(SECURITY_ISSUE));
    driven.record(vec![repeated(1)]);
    assert!(matches!(driven.settle(), Next::Act(_)), "what the incident needs comes first");
    assert_eq!(driven.told, []);
    assert_eq!(driven.run_to_wait(), Next::Wait);
    assert_eq!(driven.told, [Matter::Repeats]);
    driven.record(vec![repeated(2)]);
    assert_eq!(driven.settle(), Next::Wait);
    assert_eq!((driven.told.len(), driven.run.repeats.count), (1, 2), "the same post says the new count");
}

#[test]
fn a_blocked_run_tells_of_repeats_too() {
    let mut driven = Driven::new(workflow(SECURITY_ISSUE));
    driven.fail("the name is taken");
    driven.record(vec![repeated(1)]);
    assert_eq!(driven.settle(), Next::Blocked);
    assert!(matches!(&driven.told[..], [Matter::Blocked { .. }, Matter::Repeats]), "{:?}", driven.told);
}

#[test]
fn what_could_be_posted_nowhere_is_tried_again_only_when_asked() {
    let mut driven = Driven::new(workflow(SECURITY_ISSUE));
    driven.fail("no");
    let failed = Fact::AnnouncementFailed { n: 0, reason: "the channel is gone".into() };
    driven.record(vec![Fact::AnnouncementIntended { n: 0, channel_id: "town".into() }, failed]);
    assert_eq!(driven.settle(), Next::Blocked);
    assert_eq!(driven.told, []);
    driven.record(vec![Fact::AnnouncementsRenewed]);
    assert_eq!(driven.settle(), Next::Blocked);
    assert_eq!(driven.told.len(), 1);
}

#[test]
fn the_post_of_the_current_step_is_pinned_and_the_last_one_unpinned() {
    let mut driven = Driven::new(workflow(SECURITY_ISSUE));
    driven.run_to_wait();
    assert_eq!(driven.done, ["pin TriagePost"]);
    driven.press("Triaged", "jon").unwrap();
    driven.run_to_wait();
    assert_eq!(driven.done, ["pin TriagePost", "unpin TriagePost", "pin InfoPost"]);
    driven.press("Resolved", "jon").unwrap();
    driven.record(vec![Fact::ChannelArchived { channel_id: "room".into() }]);
    assert_eq!(driven.run_to_wait(), Next::Done);
    assert_eq!(driven.done.len(), 3, "nothing of an archived room can be changed");
}

#[test]
fn a_pin_goes_at_the_end_where_the_channel_stays() {
    let mut driven = Driven::new(workflow(SECURITY_ISSUE));
    driven.run_to_wait();
    driven.press("Resolved", "jon").unwrap();
    assert_eq!(driven.run_to_wait(), Next::Done);
    assert_eq!(driven.done, ["pin TriagePost", "unpin TriagePost"]);
}

#[test]
fn a_pressed_button_is_told_once_however_often_it_is_pressed() {
    let mut driven = Driven::new(workflow(SECURITY_ISSUE));
    driven.run_to_wait();
    let post = driven.run.posts[0].clone();
    let field = post.controls.fields.iter().position(|field| field.kind == FieldKind::Button).unwrap();
    let press = || Input::SetField { post: post.key.clone(), field, option: None, click: Click::default() };
    for _ in 0..3 {
        driven.decide(press(), "jon").unwrap();
    }
    driven.decide(press(), "chris").unwrap();
    driven.settle();
    let pressed: Vec<_> = driven
        .told
        .iter()
        .filter_map(|matter| match matter {
            Matter::Pressed { by, .. } => Some(by.username.as_str()),
            _ => None,
        })
        .collect();
    assert_eq!(pressed, ["jon", "chris"]);
}

#[test]
fn a_repeated_press_is_answered_as_before_and_changes_nothing() {
    let mut driven = Driven::new(workflow(SECURITY_ISSUE));
    driven.run_to_wait();
    driven.press("Triaged", "jon").unwrap();
    let before = driven.run.clone();
    driven.press("Triaged", "jon").unwrap();
    assert_eq!(driven.run, before);
}

#[test]
fn a_cancelled_run_loses_its_controls_tells_where_it_began_and_closes_its_room() {
    let mut driven = Driven::new(workflow(SECURITY_ISSUE));
    driven.run_to_wait();
    let reason = Some("a drill".to_owned());
    driven.decide(Input::Cancel { reason, keep_room: false }, "jon").unwrap();
    assert!(matches!(next(&driven.workflow, &driven.run), Next::RemoveControls(_)));
    assert!(!driven.run.has_settled());
    assert_eq!(driven.settle(), Next::Done);
    assert_eq!(driven.told, [Matter::Cancelled]);
    assert_eq!(driven.done, ["pin TriagePost", "close room"]);
    assert!(driven.run.has_settled());
    let again = driven.decide(Input::Cancel { reason: None, keep_room: false }, "chris").unwrap_err();
    assert_eq!(again.to_string(), "Too late: this incident is cancelled by @jon now.");
}

#[test]
fn a_cancelled_run_can_leave_its_room() {
    let mut driven = Driven::new(workflow(SECURITY_ISSUE));
    driven.run_to_wait();
    driven.decide(Input::Cancel { reason: None, keep_room: true }, "jon").unwrap();
    assert_eq!(driven.settle(), Next::Done);
    assert_eq!(
        driven.done,
        ["pin TriagePost", "unpin TriagePost"],
        "the room stays, and no step is pinned there"
    );
}

/// A run that is cancelled while nobody knows whether its room was made.
fn cancelled_while_the_room_is_made(keep_room: bool) -> (Driven, ActionKey) {
    let mut driven = Driven::new(workflow(SECURITY_ISSUE));
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
    driven.decide(Input::Cancel { reason: None, keep_room }, "jon").unwrap();
    assert_eq!(driven.settle(), Next::Settle { is_last_chance: true });
    assert!(!driven.run.has_settled());
    (driven, key)
}

fn answered(action: ActionKey) -> Fact {
    Fact::CallAnswered { action, n: 1, answer: Arc::default() }
}

#[test]
fn a_room_that_was_just_being_made_is_found_out_about_after_a_cancel_and_closed() {
    let (mut driven, key) = cancelled_while_the_room_is_made(false);
    let channel =
        Channel { id: "room".into(), name: "r".into(), display_name: "R".into(), team_id: "t".into() };
    driven.record(vec![Fact::ChannelCreated { channel }, answered(key)]);
    assert_eq!(driven.settle(), Next::Done);
    assert_eq!(driven.done, ["close room"]);
    assert!(driven.run.has_settled());
}

#[test]
fn a_room_that_was_not_made_before_a_cancel_leaves_nothing_to_close() {
    let (mut driven, key) = cancelled_while_the_room_is_made(true);
    driven.record(vec![answered(key)]);
    assert_eq!(driven.settle(), Next::Done);
    assert!(driven.done.is_empty() && driven.run.has_settled(), "{:?}", driven.done);
}

#[test]
fn a_lost_room_is_told_once_and_comes_back() {
    let mut driven = Driven::new(workflow(SECURITY_ISSUE));
    driven.run_to_wait();
    let lost = || Fact::ChannelLost { channel_id: "room".into(), how: Loss::Archived, channel: None };
    driven.record(vec![lost(), lost()]);
    assert_eq!(driven.settle(), Next::Wait);
    assert!(matches!(&driven.told[..], [Matter::Lost { how: Loss::Archived, is_back: false, .. }]));
    assert!(!driven.run.can_post_to("room"));
    driven.record(vec![Fact::ChannelBack { channel_id: "room".into() }]);
    assert!(driven.run.can_post_to("room"));
    assert!(matches!(driven.run.announcements[0].matter, Matter::Lost { is_back: true, .. }));
    // Another channel's end, or one that the run archived itself, is no loss.
    driven.record(vec![Fact::ChannelLost { channel_id: "town".into(), how: Loss::Gone, channel: None }]);
    driven.record(vec![Fact::ChannelArchived { channel_id: "room".into() }, lost()]);
    driven.settle();
    assert_eq!(driven.told.len(), 1);
}

#[test]
fn another_post_takes_the_place_of_one_that_was_deleted_within_bounds() {
    let mut driven = Driven::new(workflow(SECURITY_ISSUE));
    driven.run_to_wait();
    let asked = driven.run.posts.last().unwrap().clone();
    let deleted = |post: &str| Fact::PostDeleted { post: post.to_owned() };
    driven.record(vec![deleted(&asked.key), deleted(&asked.key), deleted("unknown")]);
    driven.settle();
    let stands_in = |run: &Run, n: u32| run.stands_for(&run.announcement_key(n)).to_owned();
    let matter = Matter::StandIn { post: asked.key.clone(), channel_id: asked.channel_id.clone() };
    assert_eq!(driven.told, [matter]);
    assert_eq!(stands_in(&driven.run, 0), asked.key);
    assert_eq!(driven.run.stands_for(&asked.key), asked.key);
    // The one in its place, and the one after it, stand for the same.
    for n in 0..warroom_engine::DELETED_MAX as u32 + 5 {
        let key = driven.run.announcement_key(n);
        driven.record(vec![deleted(&key)]);
        driven.settle();
    }
    assert_eq!(driven.run.announcements.len(), warroom_engine::DELETED_MAX);
    assert_eq!(stands_in(&driven.run, 1), asked.key);
    driven.press("Triaged", "jon").unwrap();
}

#[test]
fn what_earlier_versions_journalled_of_their_notices_is_read_and_changes_nothing() {
    let text = r#"{"at_ms": 5, "kind": "notice_posted", "key": "k", "post_id": "p"}"#;
    let event: Event = serde_json::from_str(text).unwrap();
    assert_eq!(event.fact, Fact::Superseded);
}

#[test]
fn somebody_at_the_shell_is_not_named_like_a_person_of_the_chat() {
    assert_eq!(person("jon").mention(), "@jon");
    assert_eq!(Person::at_the_shell("root").mention(), "`root` (shell)");
}

/// A cancelled run, and the facts that its end could be told nowhere.
fn untold() -> (Driven, impl Fn() -> Vec<Fact>) {
    let mut driven = Driven::new(workflow(SECURITY_ISSUE));
    driven.run_to_wait();
    driven.decide(Input::Cancel { reason: None, keep_room: true }, "jon").unwrap();
    let n = u32::try_from(driven.run.announcements.len()).unwrap() - 1;
    let untold = move || {
        let failed = Fact::AnnouncementFailed { n, reason: "the channel is archived".into() };
        vec![Fact::AnnouncementIntended { n, channel_id: "town".into() }, failed]
    };
    driven.record(untold());
    (driven, untold)
}

#[test]
fn an_ended_run_stays_open_for_what_could_be_told_nowhere() {
    let (mut driven, _) = untold();
    assert_eq!((driven.settle(), driven.run.has_settled()), (Next::Wait, false));
    driven.record(vec![Fact::AnnouncementsRenewed]);
    assert_eq!((driven.settle(), driven.run.has_settled()), (Next::Done, true));
}

#[test]
fn an_ended_run_does_not_stay_open_for_ever() {
    let (mut driven, untold) = untold();
    for _ in 0..200 {
        driven.record(vec![Fact::AnnouncementsRenewed]);
        driven.record(untold());
    }
    assert_eq!((driven.settle(), driven.run.has_settled()), (Next::Done, true));
    assert!(!driven.run.announcements.iter().any(Announcement::can_be_renewed));
}

#[test]
fn a_press_of_long_ago_is_not_told_when_something_else_is() {
    let mut driven = Driven::new(workflow(SECURITY_ISSUE));
    driven.run_to_wait();
    let post = driven.run.posts[0].clone();
    let field = post.controls.fields.iter().position(|field| field.kind == FieldKind::Button).unwrap();
    driven
        .decide(Input::SetField { post: post.key, field, option: None, click: Click::default() }, "jon")
        .unwrap();
    driven.decide(Input::Cancel { reason: None, keep_room: true }, "jon").unwrap();
    let failed = |n| Fact::AnnouncementFailed { n, reason: "the bot was removed".into() };
    driven.record(vec![failed(0), failed(1), Fact::AnnouncementsRenewed]);
    driven.settle();
    assert_eq!(driven.told, [Matter::Cancelled]);
}

#[test]
fn what_waits_for_its_next_try_holds_nothing_up() {
    let mut driven = Driven::new(workflow(SECURITY_ISSUE));
    driven.run_to_wait();
    driven.decide(Input::Cancel { reason: None, keep_room: false }, "jon").unwrap();
    while matches!(next(&driven.workflow, &driven.run), Next::RemoveControls(_)) {
        let post = driven.run.posts[0].key.clone();
        driven.record(vec![Fact::ControlsRemoved { post }]);
    }
    assert_eq!(next(&driven.workflow, &driven.run), Next::Announce(0));
    let resting = std::collections::BTreeSet::from([0]);
    let besides = next_besides(&driven.workflow, &driven.run, &resting);
    assert!(matches!(besides, Next::CloseRoom(_)), "{besides:?}");
}
