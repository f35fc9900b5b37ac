//! Runs that are driven while their start is being written.

use crate::{World, components, report, soon};
use std::sync::atomic::Ordering;
use std::time::Duration;
use tokio::sync::oneshot;
use warroom_runner::Runner;

/// A runner that has begun a run whose start is not written yet, and what decides whether it will be.
async fn begun(world: &World) -> (Runner, oneshot::Sender<bool>) {
    let runner = world.start().await;
    let (decide, decided) = oneshot::channel();
    *world.journal.start_decided.lock().unwrap() = Some(decided);
    let begun = runner.clone();
    tokio::spawn(async move { begun.on_post(&report()).await });
    soon("it looks up whether the room's name is free", || world.chat.looked_up.load(Ordering::Relaxed) > 0)
        .await;
    (runner, decide)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn it_looks_things_up_and_makes_nothing_until_the_start_is_written() {
    let world = World::new(components().await);
    let (runner, decide) = begun(&world).await;
    tokio::time::sleep(Duration::from_millis(20)).await;
    assert!(world.chat.has_no_room() && world.journal.run_ids().is_empty());
    decide.send(true).unwrap();
    soon("the run is journalled", || !world.journal.run_ids().is_empty()).await;
    let run = world.waits(&runner).await;
    assert_eq!(runner.open_runs(), [run.id]);
    world.chat.only_room("its start was written");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn it_is_driven_no_more_when_the_start_cannot_be_written() {
    let world = World::new(components().await);
    let (runner, decide) = begun(&world).await;
    decide.send(false).unwrap();
    soon("it is not driven", || runner.open_runs().is_empty()).await;
    tokio::time::sleep(Duration::from_millis(20)).await;
    assert!(world.chat.has_no_room() && world.journal.run_ids().is_empty());
    assert!(!runner.is_journal_failing(), "that is for whoever offers the post to say");
    // Offered again it begins as if nothing had been.
    assert_eq!(runner.on_post(&report()).await.unwrap().len(), 1);
    world.waits(&runner).await;
    world.chat.only_room("the second start");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_gives_up_while_it_is_written_leaves_nobody_to_drive_it() {
    let world = World::new(components().await);
    let runner = world.start().await;
    let (_decide, decided) = oneshot::channel();
    *world.journal.start_decided.lock().unwrap() = Some(decided);
    let (post, looked_up) = (report(), || world.chat.looked_up.load(Ordering::Relaxed) > 0);
    tokio::select! {
        _ = runner.on_post(&post) => panic!("nothing was decided"),
        () = soon("it looks the name up", looked_up) => {}
    }
    assert_eq!(runner.open_runs(), [""; 0]);
    tokio::time::sleep(Duration::from_millis(20)).await;
    assert!(world.chat.has_no_room());
}
