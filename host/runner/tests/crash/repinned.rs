//! A blocked run goes on as the workflow is now, whoever waited for that to be written down.

use super::*;
use warroom_runner::Command;

/// A workflow whose only action says something in this channel.
fn saying_in(channel: &str) -> String {
    WORKFLOW_OF_ONE_POST.replace("CHANNEL", channel)
}

const WORKFLOW_OF_ONE_POST: &str = r##"[{
    "name": "drill",
    "triggers": [{ "name": "Said", "type": "text", "match": "#sec" }],
    "steps": [{ "name": "Do", "start_actions": [
        { "name": "Say", "type": "post", "channel_name": "CHANNEL", "message": "As the workflow is now" }
    ] }]
}]"##;

/// The only run, once it is blocked and its notice posted.
async fn blocked(world: &World, runner: &Runner) -> Run {
    loop {
        let run = runner.run(&world.journal.run_ids()[0]).await.unwrap();
        let told = run.announcements.iter().all(|known| known.post_id().is_some());
        if matches!(run.status, Status::Blocked { .. }) && told {
            return run;
        }
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_retry_with_the_current_version_counts_whoever_waited_for_it() {
    let world = World::with(components().await, saying_in("nowhere"));
    let workflows = Arc::default();
    let runner = world.start_with(&workflows).await;
    runner.on_post(&report()).await.unwrap();
    let run = blocked(&world, &runner).await;
    world.put(&workflows, &saying_in("town-square"));
    // The journal has it, and whoever asked for it is gone.
    world.fuse.arm(1, Death::AfterTheCall);
    let mut asking = Box::pin(runner.command(&run.id, Command::RetryCurrent, Person::at_the_shell("root")));
    tokio::select! {
        () = world.fuse.blown() => {}
        answer = &mut asking => panic!("{answer:?}"),
    }
    assert_eq!(world.fuse.last_call(), "journal append [\"repinned\"]");
    world.fuse.disarm();
    drop(asking);
    let ended = async {
        while runner.run(&run.id).await.unwrap().status != Status::Finished {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(30), ended).await.expect("the run goes on");
    assert!(world.chat.says("As the workflow is now"));
}
