//! Runs that are in the journal and that nobody drives, or can drive.

use crate::{WORKFLOW, World, components, report, soon};
use serde_json::{Value, json};
use warroom_engine::Person;
use warroom_runner::IncomingPost;

/// The workflow with one key for all that triggers it.
fn keyed() -> String {
    let mut file: Value = serde_json::from_str(WORKFLOW).unwrap();
    for trigger in file[0]["triggers"].as_array_mut().unwrap() {
        trigger["key"] = json!("door");
    }
    file.to_string()
}

fn again(n: u32) -> IncomingPost {
    IncomingPost { post_id: format!("post-{n}"), ..report() }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_run_that_makes_no_sense_holds_up_nothing_and_can_be_ended() {
    let world = World::with(components().await, keyed());
    let runner = world.start().await;
    runner.on_post(&report()).await.unwrap();
    let run = world.waits(&runner).await;
    runner.stop();
    world.journal.spoil(&run.id);

    let (runner, stuck) = world.start_with_stuck().await;
    assert!(stuck[0].1.contains("cannot be read"), "{stuck:?}");
    // What repeats begins another incident, which takes the key: the next one is folded into that.
    let started = runner.on_post(&again(1)).await.unwrap();
    assert_eq!(started.len(), 1);
    assert_eq!(runner.on_post(&again(2)).await.unwrap(), []);
    let second = runner.run(&started[0].run_id).await.unwrap();
    assert_eq!((second.number, second.repeats.count), (2, 1));

    assert!(world.journal.is_open(&run.id) && runner.stuck().contains_key(&run.id));
    runner.cancel_stuck(&run.id, None, false, Person::at_the_shell("root")).await.unwrap();
    assert!(!world.journal.is_open(&run.id) && !runner.stuck().contains_key(&run.id));
    runner.stop();
    world.start().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_run_whose_start_seemed_to_fail_is_driven_when_its_post_comes_again() {
    let world = World::new(components().await);
    let runner = world.start().await;
    *world.journal.lose_answer_of.lock().unwrap() = Some("run_started".to_owned());
    let error = runner.on_post(&report()).await.unwrap_err();
    assert!(error.may_pass(), "{error}");
    assert_eq!((world.journal.run_ids().len(), runner.open_runs().len()), (1, 0));
    for _ in 0..2 {
        assert_eq!(runner.on_post(&report()).await.unwrap(), [], "it is no new one");
    }
    let run = world.waits(&runner).await;
    assert_eq!(runner.open_runs(), [run.id.as_str()]);
    world.chat.only_room("taken up once");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_ended_run_that_still_has_something_to_tell_gives_its_key_up() {
    let world = World::with(components().await, keyed());
    let runner = world.start().await;
    runner.on_post(&report()).await.unwrap();
    let run = world.waits(&runner).await;
    // Nothing can be told of the end for now.
    world.chat.not_now.store(u32::MAX, std::sync::atomic::Ordering::Relaxed);
    let cancel = warroom_runner::Command::Cancel { reason: None, keep_room: true };
    runner.command(&run.id, cancel, Person::at_the_shell("root")).await.unwrap();
    let started = runner.on_post(&again(1)).await.unwrap();
    assert_eq!(started.len(), 1, "a new incident begins");
    assert_eq!(runner.on_post(&again(2)).await.unwrap(), [], "and takes in what repeats");
    assert!(world.journal.is_open(&run.id));
    assert_eq!(runner.run(&started[0].run_id).await.unwrap().repeats.count, 1);
    world.chat.not_now.store(0, std::sync::atomic::Ordering::Relaxed);
    soon("the end", || !world.journal.is_open(&run.id)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_workflow_that_cannot_take_a_post_in_keeps_no_other_from_it() {
    let mut file: Value = serde_json::from_str(WORKFLOW).unwrap();
    // With rooms of other names.
    let other = file[0].to_string().replace("security-issue-", "other-").replace("security_issue", "other");
    let other: Value = serde_json::from_str(&other).unwrap();
    file.as_array_mut().unwrap().push(other);
    let world = World::with(components().await, file.to_string());
    let runner = world.start().await;
    for (refused, started) in [("other", "security_issue"), ("security_issue", "other")] {
        *world.journal.refuse_workflow.lock().unwrap() = Some(refused.to_owned());
        let post = IncomingPost { post_id: format!("refused by {refused}"), ..report() };
        let error = runner.on_post(&post).await.unwrap_err();
        assert!(!error.may_pass() && error.to_string().contains(&format!("`{refused}`")), "{error}");
        let runs = world.journal.run_ids();
        let last = runner.run(runs.last().unwrap()).await.unwrap();
        assert_eq!((last.workflow.as_str(), last.trigger.post_id.clone()), (started, post.post_id));
    }
    assert_eq!(world.journal.run_ids().len(), 2);
}
