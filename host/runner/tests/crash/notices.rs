//! What the host has to say while the chat server takes it only later, or not everywhere.

use crate::beginning::rest;
use crate::{World, components, person, report, soon, stuck_world};
use serde_json::{Value, json};
use std::sync::atomic::Ordering;
use std::time::Duration;
use tokio::sync::oneshot;
use warroom_engine::{Person, Run, Status};
use warroom_runner::{Command, IncomingPost, Press, Reply};

/// A workflow whose first action fails, and what then becomes of the incident.
fn failing(on_error: &str) -> String {
    json!([{
        "name": "security_issue",
        "triggers": [{ "name": "IssueReported", "type": "text", "match": "#sec" }],
        "steps": [{ "name": "Only", "start_actions": [
            { "name": "Lost", "type": "post", "channel_name": "nowhere", "message": "x", "on_error": on_error },
            { "name": "Ask", "type": "post", "channel_name": "Town Square", "message": "What now?",
              "transitions": [{ "label": "Over", "to": "End" }] }
        ] }, { "name": "End", "start_actions": [{ "name": "Done", "type": "finished_workflow" }] }]
    }])
    .to_string()
}

/// The server fails whenever somebody is warned.
fn take_no_warning(world: &World) {
    *world.chat.breaks_at.lock().unwrap() = Some(":warning:".to_owned());
}

fn take_everything(world: &World) {
    *world.chat.breaks_at.lock().unwrap() = None;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_notice_that_the_server_does_not_take_holds_nothing_else_up() {
    let world = World::with(components().await, failing("continue"));
    take_no_warning(&world);
    let runner = world.start().await;
    runner.on_post(&report()).await.unwrap();
    soon("the next action", || world.chat.says("What now?")).await;
    assert!(!world.chat.says(":warning:"));
    take_everything(&world);
    runner.chat_answers();
    soon("the warning", || world.chat.says(":warning:")).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whatever_wakes_a_run_spends_nothing_of_the_time_that_a_notice_is_tried_for() {
    let world = World::with(components().await, failing("block"));
    take_no_warning(&world);
    let runner = world.start().await;
    runner.on_post(&report()).await.unwrap();
    soon("the first try", || world.chat.broken.load(Ordering::Relaxed) > 0).await;
    for _ in 0..50 {
        let tried = world.chat.broken.load(Ordering::Relaxed);
        runner.chat_answers();
        soon("a try", || world.chat.broken.load(Ordering::Relaxed) > tried).await;
    }
    let run = runner.run(&world.journal.run_ids()[0]).await.unwrap();
    let notice = &run.announcements[0];
    assert!(!notice.failed && notice.place.is_some(), "{notice:?}");
    take_everything(&world);
    runner.chat_answers();
    soon("the notice", || world.chat.says("is blocked")).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cancelled_run_closes_its_room_though_nobody_can_be_told_of_it() {
    let world = World::new(components().await);
    let runner = world.start().await;
    runner.on_post(&report()).await.unwrap();
    let run = world.waits(&runner).await;
    *world.chat.breaks_at.lock().unwrap() = Some("was cancelled".to_owned());
    let cancel = Command::Cancel { reason: None, keep_room: false };
    runner.command(&run.id, cancel, Person::at_the_shell("root")).await.unwrap();
    soon("the closed room", || world.chat.only_room("cancelled").archived).await;
    assert!(world.journal.is_open(&run.id), "it is still to be told");
    take_everything(&world);
    runner.chat_answers();
    soon("the end", || !world.journal.is_open(&run.id)).await;
    assert!(world.chat.says("was cancelled"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_restart_that_mends_a_run_takes_back_that_it_cannot_go_on() {
    let (world, Run { workflow_digest: workflow, .. }) = stuck_world().await;
    let (runner, _) = world.start_with_stuck().await;
    soon("the notice", || world.chat.newest_with("Cancel").is_some()).await;
    soon("what a restart must know", || world.journal.document_count("stuck") == 1).await;
    runner.stop();
    for _ in 0..2 {
        world.journal.find_blob(&workflow);
        let runner = world.start().await;
        soon("the good news", || world.chat.says("goes on again")).await;
        assert!(world.chat.newest_with("Cancel").is_none());
        soon("the end of it", || world.journal.document_count("stuck") == 0).await;
        runner.stop();
        // It happens again, and is told again.
        world.journal.lose_blob(&workflow);
        let (runner, _) = world.start_with_stuck().await;
        soon("the notice again", || world.chat.newest_with("Cancel").is_some()).await;
        assert!(!world.chat.says("goes on again"));
        soon("what a restart must know", || world.journal.document_count("stuck") == 1).await;
        runner.stop();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn people_learn_of_a_stuck_run_once_the_bot_may_write_where_they_are() {
    let (world, _) = stuck_world().await;
    *world.chat.closed.lock().unwrap() = Some("town".to_owned());
    let (runner, _) = world.start_with_stuck().await;
    soon("the first try", || world.chat.refused.load(Ordering::Relaxed) > 0).await;
    *world.chat.closed.lock().unwrap() = None;
    soon("the notice", || {
        runner.chat_answers();
        world.chat.says("cannot go on until an operator mends this")
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_list_of_held_posts_has_those_that_came_before_its_writer_was_answered() {
    let world = World::new(components().await);
    let runner = world.start().await;
    // Of a time long gone.
    let post = |n: u32| IncomingPost { post_id: format!("post-{n}"), ..report() };
    world.chat.unanswered.store(1, Ordering::Relaxed);
    runner.on_missed_post(&post(1)).await.unwrap();
    soon("the notice", || world.chat.says("1 post that would have started")).await;
    for n in 2..=4 {
        runner.on_missed_post(&post(n)).await.unwrap();
    }
    soon("all of them", || {
        runner.chat_answers();
        world.chat.says("4 posts that would have started")
    })
    .await;
    assert_eq!(world.chat.messages("town").len(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_wait_that_a_wrong_clock_wrote_down_is_not_waited_for() {
    let world = World::new(components().await);
    world.clock.ahead_ms.store(2 * 3_600_000, Ordering::Relaxed);
    *world.chat.breaks_at.lock().unwrap() = Some("Security issue reported".to_owned());
    let runner = world.start().await;
    runner.on_post(&report()).await.unwrap();
    soon("the first try", || world.chat.broken.load(Ordering::Relaxed) > 0).await;
    let deferred = async || {
        let run = runner.run(&world.journal.run_ids()[0]).await.unwrap();
        run.current.is_some_and(|current| current.not_before_ms.is_some())
    };
    while !deferred().await {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    runner.stop();
    world.clock.ahead_ms.store(0, Ordering::Relaxed);
    take_everything(&world);
    let runner = world.start().await;
    tokio::time::timeout(Duration::from_secs(30), world.waits(&runner)).await.expect("the run goes on");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_notice_that_stands_twice_can_be_pressed_in_both_places() {
    let world = World::new(components().await);
    world.take_name().await;
    let runner = world.start().await;
    runner.on_post(&report()).await.unwrap();
    soon("the notice", || world.chat.newest_with("Cancel").is_some()).await;
    let run = world.journal.run_ids().remove(0);
    while runner.run(&run).await.unwrap().announcements[0].post_id().is_none() {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    let (first, channel_id, context) = world.chat.newest_with("Cancel").unwrap();
    let press = |post_id: String| Press {
        context: context.clone(),
        post_id,
        channel_id: channel_id.clone(),
        by: person("jon"),
        option: None,
        id: String::new(),
    };
    let foreign = world.chat.post_as_somebody(&channel_id);
    assert!(runner.press(&press(foreign)).await.unwrap().is_err(), "it does not carry the notice");
    let second = world.chat.copy(&first);
    let reply = runner.press(&press(second)).await.unwrap().unwrap().reply;
    assert!(matches!(reply, Reply::Update { .. }), "{reply:?}");
    assert!(matches!(runner.run(&run).await.unwrap().status, Status::Cancelled(_)));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_channel_is_told_once_the_server_takes_it() {
    let world = World::new(components().await);
    take_no_warning(&world);
    let runner = world.start().await;
    runner.tell_channel("town", "refused/post-1", "It should have started an incident, and did not.");
    soon("the first try", || world.chat.broken.load(Ordering::Relaxed) > 0).await;
    take_everything(&world);
    soon("the notice", || {
        runner.chat_answers();
        world.chat.says("should have started an incident")
    })
    .await;
    assert_eq!(world.chat.messages("town").len(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_press_tells_of_its_post_though_the_answer_to_that_fails_later() {
    let mut file: Value = serde_json::from_str(&failing("block")).unwrap();
    file[0]["steps"][0]["start_actions"].as_array_mut().unwrap().remove(0);
    let world = World::with(components().await, file.to_string());
    let runner = world.start().await;
    // The press waits for two seconds before it asks the server itself.
    world.chat.answer_ms.store(3_000, Ordering::Relaxed);
    world.chat.unanswered.store(1, Ordering::Relaxed);
    runner.on_post(&report()).await.unwrap();
    soon("the post", || world.chat.newest_with("Over").is_some()).await;
    let (post_id, channel_id, context) = world.chat.newest_with("Over").unwrap();
    let press = Press { context, post_id, channel_id, by: person("jon"), option: None, id: String::new() };
    let reply = runner.press(&press).await.unwrap().unwrap().reply;
    assert!(matches!(reply, Reply::Update { .. }), "{reply:?}");
    assert_eq!(world.chat.searched.load(Ordering::Relaxed), 0, "the press said where it is");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_channel_is_archived_once_the_server_could_show_the_last_press_there() {
    let world = World { answer_settles_ms: 500, ..World::new(components().await) };
    let runner = world.start().await;
    runner.on_post(&report()).await.unwrap();
    let post = world.waits(&runner).await.posts.last().cloned().unwrap();
    let context = world.chat.control(&post.post_id, "Resolved").unwrap();
    let (post_id, channel_id) = (post.post_id, post.channel_id);
    let press = Press { context, post_id, channel_id, by: person("jon"), option: None, id: String::new() };
    let began = std::time::Instant::now();
    drop(runner.press(&press).await.unwrap().unwrap());
    soon("the archived room", || world.chat.only_room("resolved").archived).await;
    assert!(began.elapsed() >= Duration::from_millis(500), "{:?}", began.elapsed());
}

#[tokio::test]
async fn a_stuck_notice_that_cannot_be_taken_back_now_is_taken_back_at_a_later_start() {
    let (world, Run { workflow_digest: workflow, .. }) = stuck_world().await;
    let (runner, _) = world.start_with_stuck().await;
    soon("the notice", || world.chat.newest_with("Cancel").is_some()).await;
    soon("what a restart must know", || world.journal.document_count("stuck") == 1).await;
    runner.stop();
    world.journal.find_blob(&workflow);
    *world.chat.closed.lock().unwrap() = Some("town".to_owned());
    let runner = world.start().await;
    soon("the try", || world.chat.refused.load(Ordering::Relaxed) > 0).await;
    rest().await;
    assert_eq!(world.journal.document_count("stuck"), 1, "it is still to be taken back");
    runner.stop();
    *world.chat.closed.lock().unwrap() = None;
    let _runner = world.start().await;
    soon("the good news", || world.chat.says("goes on again")).await;
    soon("the end of it", || world.journal.document_count("stuck") == 0).await;
}

#[tokio::test]
async fn operators_learn_of_a_run_that_is_stuck_again_where_its_notice_cannot_be_rewritten() {
    let (world, Run { workflow_digest: workflow, .. }) = stuck_world().await;
    let (runner, _) = world.start_with_stuck().await;
    soon("what a restart must know", || world.journal.document_count("stuck") == 1).await;
    runner.stop();
    world.journal.find_blob(&workflow);
    let runner = world.start().await;
    soon("the good news", || world.chat.says("goes on again")).await;
    soon("the end of it", || world.journal.document_count("stuck") == 0).await;
    runner.stop();
    world.journal.lose_blob(&workflow);
    *world.chat.closed.lock().unwrap() = Some("town".to_owned());
    *world.chat.operators.lock().unwrap() = Some("ops".to_owned());
    let (_runner, _) = world.start_with_stuck().await;
    soon("what operators are told", || !world.chat.messages("ops").is_empty()).await;
    let told = world.chat.messages("ops");
    assert!(told[0].contains("cannot go on until an operator mends this"), "{told:?}");
    rest().await;
    assert_eq!(world.chat.messages("ops").len(), 1);
}

/// Asks, and then says something else.
const ASKS_AND_SAYS: &str = r##"[{
    "name": "security_issue",
    "triggers": [{ "name": "IssueReported", "type": "text", "match": "#sec" }],
    "steps": [{ "name": "Only", "start_actions": [
        { "name": "Ask", "type": "post", "channel_name": "Town Square", "message": "What now?",
          "transitions": [{ "label": "Over", "to": "End" }] },
        { "name": "Say", "type": "post", "channel_name": "Town Square", "message": "Something else" }
    ] }, { "name": "End", "start_actions": [{ "name": "Done", "type": "finished_workflow" }] }]
}]"##;

#[tokio::test]
async fn a_press_leaves_nothing_behind_when_the_answer_to_its_post_comes_while_it_asks_the_server() {
    let world = World::with(components().await, ASKS_AND_SAYS.to_owned());
    let runner = world.start().await;
    let (answer, answered) = oneshot::channel();
    *world.chat.post_answered.lock().unwrap() = Some(answered);
    *world.chat.breaks_at.lock().unwrap() = Some("Something else".to_owned());
    runner.on_post(&report()).await.unwrap();
    soon("the post", || world.chat.newest_with("Over").is_some()).await;
    let (post_id, channel_id, context) = world.chat.newest_with("Over").unwrap();
    let press = Press { context, post_id, channel_id, by: person("jon"), option: None, id: String::new() };
    let (tell, told) = oneshot::channel();
    *world.chat.stamp_told.lock().unwrap() = Some(told);
    let pressing = {
        let runner = runner.clone();
        tokio::spawn(async move { runner.press(&press).await })
    };
    // It waits for two seconds, then it asks the server itself.
    soon("the question", || world.chat.stamp_told.lock().unwrap().is_none()).await;
    answer.send(()).unwrap();
    soon("the try", || world.chat.broken.load(Ordering::Relaxed) == 1).await;
    rest().await;
    tell.send(()).unwrap();
    let reply = pressing.await.unwrap().unwrap().unwrap().reply;
    assert!(matches!(reply, Reply::Update { .. }), "{reply:?}");
    rest().await;
    assert_eq!(world.chat.broken.load(Ordering::Relaxed), 1, "the next try is not due yet");
}
