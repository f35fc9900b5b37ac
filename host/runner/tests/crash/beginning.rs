//! Runs that are driven while their start is being written.

use crate::{World, components, report, soon};
use serde_json::json;
use std::sync::atomic::Ordering;
use std::time::Duration;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use warroom_runner::{Journal as _, Runner, RunnerError, Started};
use warroom_sandbox::Limits;

/// Lets everything happen that can happen: a paused clock goes on only when no task has anything to do.
pub(crate) async fn rest() {
    tokio::time::pause();
    tokio::time::sleep(Duration::from_millis(1)).await;
    tokio::time::resume();
}

type Offered = JoinHandle<Result<Vec<Started>, RunnerError>>;

fn offer(runner: &Runner) -> Offered {
    let runner = runner.clone();
    tokio::spawn(async move { runner.on_post(&report()).await })
}

async fn looks_up(world: &World) {
    soon("the run looks something up", || world.chat.looked_up.load(Ordering::Relaxed) > 0).await;
    rest().await;
}

/// A runner that has begun a run whose start is not written yet, what decides whether it will be, and who waits for that.
async fn begun(world: &World) -> (Runner, oneshot::Sender<bool>, Offered) {
    let runner = world.start().await;
    let (decide, decided) = oneshot::channel();
    *world.journal.start_decided.lock().unwrap() = Some(decided);
    let offered = offer(&runner);
    looks_up(world).await;
    (runner, decide, offered)
}

#[tokio::test]
async fn it_looks_things_up_and_makes_nothing_until_the_start_is_written() {
    let world = World::new(components().await);
    let (runner, decide, _offered) = begun(&world).await;
    assert!(world.chat.has_no_room() && world.journal.run_ids().is_empty());
    decide.send(true).unwrap();
    soon("the run is journalled", || !world.journal.run_ids().is_empty()).await;
    let run = world.waits(&runner).await;
    assert_eq!(runner.open_runs(), [run.id]);
    world.chat.only_room("its start was written");
}

#[tokio::test]
async fn it_adds_nobody_until_the_start_is_written() {
    let people = json!([{
        "name": "security_issue",
        "triggers": [{ "name": "Said", "type": "text", "match": "#sec" }],
        "steps": [{ "name": "Only", "start_actions": [
            { "name": "People", "type": "add_users_channel", "channel_name": "town-square", "users": ["sam"] }
        ] }]
    }]);
    let world = World::with(components().await, people.to_string());
    let (_runner, decide, _offered) = begun(&world).await;
    assert_eq!(world.chat.added.load(Ordering::Relaxed), 0);
    decide.send(true).unwrap();
    soon("sam is added", || world.chat.added.load(Ordering::Relaxed) > 0).await;
}

#[tokio::test]
async fn a_disk_that_takes_longer_than_an_action_may_costs_no_try() {
    let world = World::new(components().await);
    let (runner, decide, _offered) = begun(&world).await;
    tokio::time::pause();
    tokio::time::sleep(Limits::default().deadline + Duration::from_secs(1)).await;
    tokio::time::resume();
    decide.send(true).unwrap();
    soon("the run is journalled", || !world.journal.run_ids().is_empty()).await;
    let run = world.waits(&runner).await;
    let records = world.journal.records(&run.id).await.unwrap();
    assert!(records.iter().all(|record| record.kind != "action_deferred"), "{records:?}");
}

#[tokio::test]
async fn it_is_driven_no_more_when_the_start_cannot_be_written() {
    let world = World::new(components().await);
    let (runner, decide, _offered) = begun(&world).await;
    decide.send(false).unwrap();
    soon("it is not driven", || runner.open_runs().is_empty()).await;
    rest().await;
    assert!(world.chat.has_no_room() && world.journal.run_ids().is_empty());
    assert!(!runner.is_journal_failing(), "that is for whoever offers the post to say");
    // Offered again it begins as if nothing had been.
    assert_eq!(runner.on_post(&report()).await.unwrap().len(), 1);
    world.waits(&runner).await;
    world.chat.only_room("the second start");
}

#[tokio::test]
async fn whoever_gives_up_while_it_is_written_leaves_nobody_to_drive_it() {
    let world = World::new(components().await);
    let (runner, _decide, offered) = begun(&world).await;
    offered.abort();
    soon("it is not driven", || runner.open_runs().is_empty()).await;
    rest().await;
    assert!(world.chat.has_no_room());
}

#[tokio::test]
async fn it_is_taken_up_by_who_offers_the_post_too_when_the_first_gives_up() {
    let world = World::new(components().await);
    let runner = world.start().await;
    let (_answer, answered) = oneshot::channel();
    *world.journal.start_answered.lock().unwrap() = Some(answered);
    let first = offer(&runner);
    looks_up(&world).await;
    let second = offer(&runner);
    rest().await;
    assert!(!second.is_finished(), "it is not sure yet that somebody drives the run");
    first.abort();
    assert_eq!(second.await.unwrap().unwrap(), [], "it is no new one");
    let run = world.waits(&runner).await;
    assert_eq!(runner.open_runs(), [run.id]);
    world.chat.only_room("taken up");
}
