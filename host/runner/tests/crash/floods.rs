//! Posts that are held back, in bounds.

use crate::{World, components, report};
use std::time::Duration;
use warroom_engine::Channel;
use warroom_runner::{IncomingPost, Journal as _};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_flood_that_one_list_cannot_hold_gets_another_one() {
    let world = World::new(components().await);
    let runner = world.start().await;
    // Of a time long gone.
    let post = |n: u32| IncomingPost { post_id: format!("post-{n}"), ..report() };
    for n in (1..=502).chain([1, 501]) {
        assert_eq!(runner.on_missed_post(&post(n)).await.unwrap(), []);
    }
    let told = async {
        let says = |count: &str| world.chat.says(&format!("here, {count} posts that would have started"));
        while !says("500") || !says("2") {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(30), told).await.expect("both lists are told");
    // A process that takes them up knows them all.
    runner.stop();
    let runner = world.start().await;
    for n in [1, 501, 503] {
        runner.on_missed_post(&post(n)).await.unwrap();
    }
    let told = async {
        while !world.chat.says("here, 3 posts that") {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(30), told).await.expect("the second list goes on");
    assert!(world.chat.says("here, 500 posts that"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_newest_lists_are_kept_and_no_more() {
    let world = World::new(components().await);
    let runner = world.start().await;
    // Each in a channel of its own, and of a time long gone.
    let post = |n: u32| IncomingPost {
        post_id: format!("post-{n}"),
        channel: Channel { id: format!("town-{n}"), ..report().channel },
        ..report()
    };
    let lists = async || world.journal.document_ids("held", u32::MAX).await.unwrap();
    for n in 0..1_000 {
        runner.on_missed_post(&post(n)).await.unwrap();
    }
    let before = lists().await;
    assert_eq!(before.len(), 1_000);
    for n in 1_000..1_003 {
        runner.on_missed_post(&post(n)).await.unwrap();
    }
    let after = lists().await;
    assert_eq!(after.len(), 1_000);
    // The last ones come first.
    assert_eq!(after[3..], before[..997]);
}
