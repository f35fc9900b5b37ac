//! The promise that nothing is lost and nothing is done twice, tried at every point where a process can die.
//!
//! A chat and a journal in memory stand in for the real ones; the components are the real ones. A fuse counts every call to
//! either, and at one of them the process "dies": the call never returns, before or after having taken effect. A new
//! runner over the same journal and chat must bring the incident to the same end, with every channel and post there
//! exactly once.

#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test that cannot go on must fail at once"
)]

mod beginning;
mod chat;
mod floods;
mod fuse;
mod journal;
mod notices;
mod repinned;
mod undriven;

use async_trait::async_trait;
use chat::MemoryChat;
use fuse::{Death, Fuse};
use journal::MemoryJournal;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use warroom_engine::{Channel, Next, Person, Run, Status, next};
use warroom_runner::{
    Chat as _, Clock, Components, IncomingPost, Journal, Key, LoadedFile, NewChannel, Options, Origin, Press,
    Reply, Runner, Source, SystemClock, Workflows,
};
use warroom_sandbox::{Capability, Limits, Sandbox};
use warroom_workflow::Author;

const WORKFLOW: &str = include_str!("../../../workflow/tests/fixtures/security_issue.json");

fn component(name: &str, capabilities: &[Capability]) -> Source {
    let directory = std::env::var("WARROOM_ACTIONS")
        .unwrap_or_else(|_| concat!(env!("CARGO_MANIFEST_DIR"), "/../../target/actions").to_owned());
    let file = format!("{directory}/{name}.wasm");
    let bytes = std::fs::read(&file)
        .unwrap_or_else(|error| panic!("{file}: {error}; run `cargo xtask actions` first"));
    Source { name: name.to_owned(), bytes, origin: Origin::BuiltIn(capabilities.iter().copied().collect()) }
}

fn sources() -> Vec<Source> {
    vec![
        component("create_channel", &[Capability::Channels]),
        component(
            "add_users_channel",
            &[Capability::Channels, Capability::Users, Capability::Members, Capability::Posts],
        ),
        component("post", &[Capability::Channels, Capability::Posts]),
        component("archive_channel", &[Capability::Channels, Capability::Archiving]),
    ]
}

/// The admitted components, compiled once for all processes: compiling is what a start spends its time with.
async fn components() -> Arc<Components> {
    let sandbox = Arc::new(Sandbox::new(Limits::default()).unwrap());
    let store = Arc::new(MemoryJournal::new(Arc::new(Fuse::default())));
    let (components, refused) = Components::load(sandbox, store, sources(), BTreeMap::new()).await.unwrap();
    assert!(refused.is_empty(), "{refused:?}");
    Arc::new(components)
}

/// A clock that can be ahead.
#[derive(Default)]
struct WrongClock {
    ahead_ms: AtomicU64,
}

#[async_trait]
impl Clock for WrongClock {
    fn now_ms(&self) -> u64 {
        SystemClock.now_ms() + self.ahead_ms.load(Ordering::Relaxed)
    }

    async fn sleep_until(&self, at_ms: u64) {
        SystemClock.sleep_until(at_ms.saturating_sub(self.ahead_ms.load(Ordering::Relaxed))).await;
    }
}

/// What survives a death: the journal, the chat, the files.
struct World {
    journal: Arc<MemoryJournal>,
    chat: Arc<MemoryChat>,
    fuse: Arc<Fuse>,
    components: Arc<Components>,
    clock: Arc<WrongClock>,
    workflow: String,
    /// How long a process waits for the chat server before it asks again, the first time.
    retry_first_ms: u64,
    /// How long the server may take to write an answer into its post.
    answer_settles_ms: u64,
}

impl World {
    fn new(components: Arc<Components>) -> World {
        World::with(components, WORKFLOW.to_owned())
    }

    fn with(components: Arc<Components>, workflow: String) -> World {
        let fuse = Arc::new(Fuse::default());
        World {
            journal: Arc::new(MemoryJournal::new(Arc::clone(&fuse))),
            chat: Arc::new(MemoryChat::new(Arc::clone(&fuse))),
            fuse,
            components,
            clock: Arc::default(),
            workflow,
            retry_first_ms: 1,
            answer_settles_ms: 0,
        }
    }

    /// Takes the name of the first room away, so that its incident is blocked.
    async fn take_name(&self) {
        let taken = NewChannel {
            team_id: "team".into(),
            name: "security-issue-1".into(),
            display_name: String::new(),
            header: String::new(),
            purpose: String::new(),
            private: false,
        };
        self.chat.create_channel(&taken).await.unwrap();
    }

    /// Puts this text in force.
    fn put(&self, workflows: &Workflows, text: &str) {
        let file = LoadedFile { name: "security_issue.json".into(), text: text.to_owned() };
        let (is_in_force, diagnostics) = workflows.put(&file, self.components.catalog());
        assert!(is_in_force, "{diagnostics:?}");
    }

    /// Returns once the only run waits for people.
    async fn waits(&self, runner: &Runner) -> Run {
        let workflow = warroom_workflow::check(&self.workflow, self.components.catalog()).workflows.remove(0);
        loop {
            let run = runner.run(&self.journal.run_ids()[0]).await.unwrap();
            if next(&workflow, &run) == Next::Wait {
                return run;
            }
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }

    /// A process: a runner over what survived.
    async fn start(&self) -> Runner {
        self.start_with(&Arc::default()).await
    }

    /// The same, over workflows that can be changed afterwards.
    async fn start_with(&self, workflows: &Arc<Workflows>) -> Runner {
        let (runner, stuck) = self.start_over(workflows).await;
        assert!(stuck.is_empty(), "{stuck:?}");
        runner
    }

    /// The same, with the runs that it could not take up.
    async fn start_with_stuck(&self) -> (Runner, Vec<(String, String)>) {
        self.start_over(&Arc::default()).await
    }

    async fn start_over(&self, workflows: &Arc<Workflows>) -> (Runner, Vec<(String, String)>) {
        self.put(workflows, &self.workflow);
        let retry_first_ms = self.retry_first_ms;
        let options = Options {
            retry_first_ms,
            retry_wait_max_ms: 4 * retry_first_ms,
            answer_settles_ms: self.answer_settles_ms,
            ..Options::default()
        };
        let runner = Runner::new(
            Arc::clone(&self.chat) as Arc<dyn warroom_runner::Chat>,
            Arc::clone(&self.journal) as Arc<dyn Journal>,
            Arc::clone(&self.clock) as Arc<dyn Clock>,
            Arc::clone(&self.components),
            Arc::clone(workflows),
            Key::new([1; 32]),
            options,
        );
        let (_, stuck) = runner.resume().await.unwrap();
        (runner, stuck)
    }
}

/// Returns once it is so.
async fn soon(what: &str, mut is_so: impl FnMut() -> bool) {
    let so = async {
        while !is_so() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(30), so).await.expect(what);
}

/// An incident that waits for people, and that a restart cannot take up.
async fn stuck_world() -> (World, Run) {
    let world = World::new(components().await);
    let runner = world.start().await;
    runner.on_post(&report()).await.unwrap();
    let run = world.waits(&runner).await;
    runner.stop();
    world.journal.lose_blob(&run.workflow_digest);
    (world, run)
}

fn person(name: &str) -> Person {
    Person { id: format!("id-{name}"), username: name.to_owned() }
}

fn report() -> IncomingPost {
    IncomingPost {
        post_id: "post-0".into(),
        created_ms: 0,
        text: "#sec the door is open".into(),
        attachments: String::new(),
        author: Author::Person,
        user: person("jon"),
        channel: Channel {
            id: "town".into(),
            name: "town-square".into(),
            display_name: "Town Square".into(),
            team_id: "team".into(),
        },
        team_name: "infosec".into(),
        permalink: "http://chat/infosec/pl/post-0".into(),
    }
}

/// Does what the incident needs next, as people would who try again when nothing happens.
async fn nudge(world: &World, runner: &Runner) -> Option<Run> {
    let Some(id) = world.journal.run_ids().into_iter().next() else {
        runner.on_post(&report()).await.unwrap();
        return None;
    };
    let run = runner.run(&id).await.unwrap();
    if run.has_ended() {
        return Some(run);
    }
    assert!(matches!(run.status, Status::Open), "{:?}", run.status);
    if let Some(post) = run.posts.last().filter(|post| run.is_live(post)) {
        let severity = run.choice("TriagePost", "Severity");
        let (label, option) = match run.step() {
            Some("Triage") if severity.is_none() => ("Severity", Some("S1".to_owned())),
            Some("Triage") => ("Triaged", None),
            _ => ("Resolved", None),
        };
        if let Some(context) = world.chat.control(&post.post_id, label) {
            let press = Press {
                context,
                post_id: post.post_id.clone(),
                channel_id: post.channel_id.clone(),
                by: person("chris"),
                option,
                id: String::new(),
            };
            let reply = runner.press(&press).await.unwrap().unwrap().reply;
            assert!(matches!(reply, Reply::Update { .. }), "{reply:?}");
        }
    }
    tokio::time::sleep(Duration::from_millis(1)).await;
    None
}

/// Plays the incident to its end, or to the death of the process.
async fn play(world: &World, runner: &Runner) -> Option<Run> {
    loop {
        tokio::select! {
            biased;
            () = world.fuse.blown() => return None,
            ended = nudge(world, runner) => if ended.is_some() {
                return ended;
            }
        }
    }
}

fn assert_whole(world: &World, run: &Run, after: &str) {
    assert_eq!(run.status, Status::Finished, "{after}");
    let room = world.chat.only_room(after);
    assert!(room.archived, "{after}");
    assert_eq!(room.members, BTreeSet::from(["bot", "id-chris", "id-jon"].map(str::to_owned)), "{after}");
    assert_eq!(
        world.chat.messages(&room.id),
        [
            "New issue to triage:\n ```#sec the door is open```",
            "Finished Triage",
            "Developing a fix underway. Issue information:\n\nLikelihood: \nImpact: \nSeverity: S1",
            "Resolved.",
        ],
        "{after}"
    );
    assert_eq!(
        world.chat.messages("town"),
        ["Security issue reported. War room created: ~security-issue-1", "Resolved Security Issue 1"],
        "{after}"
    );
    assert_eq!(world.chat.controls_left(), 0, "{after}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_death_at_any_call_loses_nothing_and_doubles_nothing() {
    let components = components().await;
    for death in [Death::BeforeTheCall, Death::AfterTheCall] {
        let mut deaths = 0;
        for at in 1.. {
            let world = World::new(Arc::clone(&components));
            let runner = world.start().await;
            world.fuse.arm(at, death);
            let ended = play(&world, &runner).await;
            // In this order: whoever is dead must not speak to the journal once more.
            runner.stop();
            world.fuse.disarm();
            if let Some(run) = ended {
                // The incident came to its end before that many calls: every point was tried.
                assert_whole(&world, &run, "undisturbed");
                break;
            }
            deaths += 1;
            let after = format!("died {death:?} number {at}: {}", world.fuse.last_call());
            let runner = world.start().await;
            let run = tokio::time::timeout(Duration::from_secs(30), play(&world, &runner)).await;
            let run = run.unwrap_or_else(|_| panic!("stuck after it {after}")).unwrap();
            assert_whole(&world, &run, &after);
            runner.stop();
        }
        assert!(deaths > 35, "only {deaths} points were tried");
    }
}

/// The same incident, opened by a trigger with a key.
fn keyed() -> String {
    WORKFLOW.replacen(
        r##""match": "#sec""##,
        r##""match": "#sec", "key": "{{.Trigger.IssueReported.TeamName}}""##,
        1,
    )
}

/// Reports the same thing again, as a stream that offers a post until it is taken.
async fn repeat(world: &World, runner: &Runner) -> bool {
    for n in 1..=3 {
        let post = IncomingPost { post_id: format!("post-{n}"), ..report() };
        tokio::select! {
            biased;
            () = world.fuse.blown() => return false,
            started = runner.on_post(&post) => assert_eq!(started.unwrap(), [], "folded, not started"),
        }
    }
    let id = world.journal.run_ids().remove(0);
    loop {
        tokio::select! {
            biased;
            () = world.fuse.blown() => return false,
            run = runner.run(&id) => if run.unwrap().repeats.count == 3 && world.chat.says("Reported 3 more") {
                return true;
            }
        }
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn repeats_are_counted_once_each_and_told_in_one_post_whenever_it_dies() {
    let components = components().await;
    for death in [Death::BeforeTheCall, Death::AfterTheCall] {
        let mut deaths = 0;
        for at in 1.. {
            let world = World::with(Arc::clone(&components), keyed());
            let runner = world.start().await;
            runner.on_post(&report()).await.unwrap();
            world.waits(&runner).await;
            world.fuse.arm(at, death);
            let told = repeat(&world, &runner).await;
            // In this order: whoever is dead must not speak to the journal once more.
            runner.stop();
            world.fuse.disarm();
            deaths += usize::from(!told);
            let after = format!("died {death:?} number {at}: {}", world.fuse.last_call());
            if !told {
                let runner = world.start().await;
                let told = tokio::time::timeout(Duration::from_secs(30), repeat(&world, &runner)).await;
                assert!(told.unwrap_or_else(|_| panic!("stuck after it {after}")));
                runner.stop();
            }
            assert_eq!(world.journal.run_ids().len(), 1, "{after}");
            let room = world.chat.only_room(&after);
            let messages = world.chat.messages(&room.id);
            let told_of: Vec<_> = messages.iter().filter(|text| text.starts_with(":repeat:")).collect();
            assert_eq!(told_of.len(), 1, "{after}: {messages:?}");
            assert!(
                told_of[0].starts_with(":repeat: Reported 3 more times. Last: [this post]("),
                "{after}: {told_of:?}"
            );
            if told {
                break;
            }
        }
        assert!(deaths > 6, "only {deaths} points were tried");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_press_whose_connection_breaks_while_it_is_journalled_still_counts() {
    let world = World::new(components().await);
    let runner = world.start().await;
    runner.on_post(&report()).await.unwrap();
    // Only a run that waits makes no call of its own, which the fuse would take for the press.
    let post = world.waits(&runner).await.posts.last().cloned().unwrap();
    let context = world.chat.control(&post.post_id, "Triaged").unwrap();
    let (post_id, channel_id) = (post.post_id, post.channel_id);
    let press = Press { context, post_id, channel_id, by: person("chris"), option: None, id: String::new() };
    // The journal has it, and whoever waited for the journal is gone.
    world.fuse.arm(1, Death::AfterTheCall);
    let mut pressing = Box::pin(runner.press(&press));
    tokio::select! {
        () = world.fuse.blown() => {}
        reply = &mut pressing => panic!("{reply:?}"),
    }
    // Before the press lets go: that wakes the run, and only the press is to die.
    world.fuse.disarm();
    drop(pressing);
    let ended = tokio::time::timeout(Duration::from_secs(30), play(&world, &runner)).await;
    assert_whole_without_severity(&world, &ended.expect("the run goes on").unwrap());
}

fn assert_whole_without_severity(world: &World, run: &Run) {
    assert_eq!(run.status, Status::Finished);
    let room = world.chat.only_room("a broken connection");
    assert_eq!(world.chat.messages(&room.id).len(), 4, "triage, finish action, fix, end: each once");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_press_is_acted_on_when_its_answer_was_given_or_nobody_takes_it() {
    let components = components().await;
    for is_taken in [true, false] {
        let world = World::new(Arc::clone(&components));
        let runner = world.start().await;
        runner.on_post(&report()).await.unwrap();
        let post = world.waits(&runner).await.posts.last().cloned().unwrap();
        let context = world.chat.control(&post.post_id, "Triaged").unwrap();
        let (post_id, channel_id) = (post.post_id, post.channel_id);
        let press =
            Press { context, post_id, channel_id, by: person("chris"), option: None, id: String::new() };
        let answer = runner.press(&press).await.unwrap().unwrap();
        tokio::time::sleep(Duration::from_millis(200)).await;
        let run = runner.run(&world.journal.run_ids()[0]).await.unwrap();
        assert!(run.visits.last().is_some_and(|visit| visit.leaving.is_some()), "it is journalled");
        let room = world.chat.only_room("a press");
        assert_eq!(world.chat.messages(&room.id).len(), 1, "and nothing is done yet");
        let kept = (!is_taken).then_some(answer);
        let ended = tokio::time::timeout(Duration::from_secs(30), play(&world, &runner)).await;
        assert_whole_without_severity(&world, &ended.expect("the run goes on").unwrap());
        drop(kept);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_press_that_a_slow_journal_takes_long_for_is_acted_on_after_its_answer_all_the_same() {
    let world = World::new(components().await);
    let runner = world.start().await;
    runner.on_post(&report()).await.unwrap();
    let post = world.waits(&runner).await.posts.last().cloned().unwrap();
    let context = world.chat.control(&post.post_id, "Triaged").unwrap();
    let (post_id, channel_id) = (post.post_id, post.channel_id);
    let press = Press { context, post_id, channel_id, by: person("chris"), option: None, id: String::new() };
    // Longer than an answer is waited for.
    let slow = ("transition_chosen".to_owned(), Duration::from_millis(1_300));
    *world.journal.slow_about.lock().unwrap() = Some(slow);
    let answer = runner.press(&press).await.unwrap().unwrap();
    tokio::time::sleep(Duration::from_millis(200)).await;
    let room = world.chat.only_room("a press");
    assert_eq!(world.chat.messages(&room.id).len(), 1, "nothing is done before the answer");
    drop(answer);
    let ended = tokio::time::timeout(Duration::from_secs(30), play(&world, &runner)).await;
    assert_whole_without_severity(&world, &ended.expect("the run goes on").unwrap());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_press_that_is_faster_than_the_answer_to_the_post_waits_for_it() {
    let world = World::new(components().await);
    let runner = world.start().await;
    // People see the post as soon as the server has it; the host hears of it this much later.
    world.chat.answer_ms.store(50, Ordering::Relaxed);
    runner.on_post(&report()).await.unwrap();
    let (post_id, channel_id, context) = loop {
        if let Some(shown) = world.chat.newest_with("Severity") {
            break shown;
        }
        tokio::time::sleep(Duration::from_millis(1)).await;
    };
    let foreign = world.chat.post_as_somebody(&channel_id);
    let press = Press {
        context,
        post_id: foreign,
        channel_id,
        by: person("chris"),
        option: Some("S1".into()),
        id: String::new(),
    };
    assert!(runner.press(&press).await.unwrap().is_err(), "it stands in no post of ours");
    let press = Press { post_id, ..press };
    let reply = runner.press(&press).await.unwrap().unwrap().reply;
    assert!(matches!(reply, Reply::Update { .. }), "{reply:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_journal_that_failed_works_again_for_all_to_see_when_there_is_nothing_left_to_write() {
    let world = World::new(components().await);
    let runner = world.start().await;
    *world.journal.lose_answer_of.lock().unwrap() = Some("run_finished".to_owned());
    let played = async {
        play(&world, &runner).await;
        while !runner.is_journal_failing() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        while runner.is_journal_failing() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(30), played).await.expect("the journal works again");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_run_that_cannot_be_taken_up_counts_as_blocked_and_can_be_cancelled() {
    let (world, run) = stuck_world().await;
    let (runner, stuck) = world.start_with_stuck().await;
    assert_eq!(stuck.len(), 1);
    assert!(runner.stuck()[&run.id].contains("is not in the store"), "{:?}", runner.stuck());
    assert_eq!(runner.states(), [0, 0, 1]);
    let by = Person::at_the_shell("root");
    runner.cancel_stuck(&run.id, Some("it is stuck".into()), false, by).await.unwrap();
    let ended = async {
        while !runner.run(&run.id).await.unwrap().has_settled() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(30), ended).await.expect("the run comes to its end");
    assert!(matches!(runner.run(&run.id).await.unwrap().status, Status::Cancelled(_)));
    assert!(world.chat.only_room("cancelled").archived);
    assert!(world.chat.says("was cancelled by `root` (shell): it is stuck"));
    // Also that of the notice which said that it is stuck.
    let removed = async {
        while world.chat.controls_left() > 0 || runner.states() != [0, 0, 0] {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(30), removed).await.expect("no control and no run is left");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn people_learn_that_a_run_cannot_be_taken_up_though_the_server_was_in_trouble() {
    let (world, run) = stuck_world().await;
    let post = run.posts.last().cloned().unwrap();
    let context = world.chat.control(&post.post_id, "Triaged").unwrap();
    world.chat.not_now.store(3, Ordering::Relaxed);
    let (runner, _) = world.start_with_stuck().await;
    let told = async {
        while !world.chat.says("cannot go on until an operator mends this") {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(30), told).await.expect("people are told");
    let (post_id, channel_id) = (post.post_id, post.channel_id);
    let press = Press { context, post_id, channel_id, by: person("chris"), option: None, id: String::new() };
    let reply = runner.press(&press).await.unwrap().unwrap().reply;
    let Reply::Whisper(words) = reply else { panic!("{reply:?}") };
    assert!(words.contains("is not in the store"), "{words}");

    let (post_id, channel_id, context) = world.chat.newest_with("Cancel").unwrap();
    let press = Press { context, post_id, channel_id, by: person("jon"), option: None, id: String::new() };
    let reply = runner.press(&press).await.unwrap().unwrap().reply;
    let Reply::Update { post, .. } = reply else { panic!("{reply:?}") };
    assert!(post.message.starts_with(":white_check_mark: Cancelled by @jon.") && post.sections.is_empty());
    assert!(matches!(runner.run(&run.id).await.unwrap().status, Status::Cancelled(_)));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_run_that_defects_stop_again_and_again_is_told_of_and_can_be_cancelled() {
    let world = World::new(components().await);
    let runner = world.start().await;
    world.chat.panics.store(3, Ordering::Relaxed);
    runner.on_post(&report()).await.unwrap();
    let told = async {
        while !world.chat.says("defects of this program stopped it again and again") {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(30), told).await.expect("people are told");
    let id = world.journal.run_ids().remove(0);
    assert!(runner.stuck().contains_key(&id), "{:?}", runner.stuck());
    assert_eq!((runner.open_runs().len(), runner.states()), (0, [0, 0, 1]));
    runner.cancel_stuck(&id, None, false, Person::at_the_shell("root")).await.unwrap();
    let ended = async {
        while !runner.run(&id).await.unwrap().has_settled() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(30), ended).await.expect("the run comes to its end");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_waits_for_the_server_is_told_as_soon_as_it_is_seen_to_answer() {
    let world = World { retry_first_ms: 3_600_000, ..World::new(components().await) };
    world.take_name().await;
    world.chat.not_now.store(1, Ordering::Relaxed);
    let runner = world.start().await;
    runner.on_post(&report()).await.unwrap();
    let told = async {
        while !world.chat.says("is blocked") {
            // It may still be on its way to the server that is away.
            if world.chat.not_now.load(Ordering::Relaxed) == 0 {
                runner.chat_answers();
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(30), told).await.expect("people are told at once");
}
