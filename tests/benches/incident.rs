//! From the post that triggers an incident to the first message in its room: Warroom, and beside it a bare client that makes the
//! same REST calls one after the other, on the same simulated server, in turn, so that the ratio holds on a noisy machine.
//!
//! What Warroom adds (the journal on disk, the components) is the same for every incident, and what it saves grows with the people who
//! are added at the same time, and with the time that the server takes for a call. So there are several sizes: a simulated server answers in
//! a fifth of a millisecond, which no real one does. It is a process of its own, as a server is: in one process with its clients, a
//! call needs no other process to be woken, and calls that go out together save nothing by waking it once. With
//! `WARROOM_TEST_MATTERMOST_URL` and `WARROOM_TEST_ADMIN_TOKEN` set, a real one is measured: version 5.37 with its database on the same
//! machine takes some 10 ms for most of these calls.

#![allow(
    missing_docs,
    dead_code,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stdout,
    reason = "a benchmark that cannot go on must fail, and its figures are what it is for"
)]

#[path = "../tests/proxy.rs"]
mod proxy;
#[path = "../tests/stage.rs"]
mod stage;

use futures_util::StreamExt as _;
use serde_json::{Value, json};
use stage::Stage;
use std::process::Stdio;
use std::time::{Duration, Instant};
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::{Child, Command};
use tokio::sync::mpsc;
use tokio_tungstenite::connect_async;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;
use warroom::Service;
use warroom_simulator::{Options, Simulator};

/// What is measured: how many people are brought into each room, and how long the server takes for each call on top of its work.
const CASES: [(usize, Duration); 3] =
    [(8, Duration::ZERO), (25, Duration::ZERO), (8, Duration::from_millis(5))];
/// Incidents of each side that count, after as many as warm everything up.
const COUNTED: usize = 200;
const WARMING: usize = 40;
/// What is said first in a room.
const FIRST: &str = "first message";
/// What the bare client acts on.
const BY_HAND: &str = "by hand";
const PATIENCE: Duration = Duration::from_secs(20);
/// Makes of this program the server of a benchmark, with the delay of its calls in milliseconds.
const SERVE: &str = "--serve";

#[tokio::main]
async fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.as_slice() {
        [serves, delay_ms] if serves == SERVE => serve(delay_ms.parse().unwrap()).await,
        arguments if arguments.iter().any(|argument| argument == "--bench") => bench().await,
        // `cargo test --benches` only wants to know that it starts.
        _ => {}
    }
}

async fn bench() {
    println!("from the trigger to the first message in the room, {COUNTED} incidents each");
    if stage::real_server().is_some() {
        for (people, _) in CASES.into_iter().filter(|(_, delay)| delay.is_zero()) {
            let scene = Scene::on(Stage::with_workflow(&workflow(people)).await, people).await;
            scene.measure("a real server").await;
        }
        return;
    }
    check_that_both_make_the_same_calls().await;
    for (people, delay) in CASES {
        let mut server = Server::start(delay).await;
        let stage = Stage::beside(server.door().await, &workflow(people)).await;
        let scene = Scene::on(stage, people).await;
        scene.measure(&format!("each call {delay:?} longer")).await;
        server.0.kill().await.unwrap();
    }
}

fn workflow(people: usize) -> String {
    let room = "{{.Action.Room.ChannelName}}";
    json!([{
        "name": "outage",
        "start_limit": { "starts": 1_000, "minutes": 1 },
        "triggers": [{ "name": "Reported", "type": "text", "match": "#outage" }],
        "steps": [{ "name": "Respond", "start_actions": [
            { "name": "Room", "type": "create_channel", "channel_name": "outage-{{.Instance.Number}}" },
            { "name": "People", "type": "add_users_channel", "channel_name": room, "users": names(people) },
            { "name": "Say", "type": "post", "channel_name": room, "message": FIRST }
        ] }]
    }])
    .to_string()
}

fn names(people: usize) -> Vec<String> {
    (0..people).map(|n| format!("responder{n}")).collect()
}

/// Warroom, a bare client, and the server that both work with.
struct Scene {
    stage: Stage,
    service: Service,
    posts: Posts,
    town: String,
    people: Vec<String>,
    /// How many rooms the bare client made.
    by_hand: usize,
}

impl Scene {
    async fn on(stage: Stage, people: usize) -> Scene {
        let people = names(people);
        for name in &people {
            stage.bring(name).await;
        }
        stage.write_direct_config();
        // The default is kind to the server, and would be what is measured.
        let limits = [
            ("WARROOM_LIMITS_MATTERMOST_CALLS_PER_SECOND", "100000"),
            ("WARROOM_LIMITS_MATTERMOST_CALLS_BURST", "100000"),
        ];
        let service = stage.service_with(&limits).await;
        let posts = Posts::listen(&stage).await;
        let town = stage.channel_id("town-square").await;
        Scene { stage, service, posts, town, people, by_hand: 0 }
    }

    async fn measure(mut self, server: &str) {
        let (mut ours, mut theirs) = (Vec::new(), Vec::new());
        for n in 0..WARMING + COUNTED {
            let (with_us, without) = (self.with_warroom().await, self.without().await);
            if n >= WARMING {
                ours.push(with_us);
                theirs.push(without);
            }
        }
        self.service.stop().await;
        let (ours, theirs) = (Quantiles::of(ours), Quantiles::of(theirs));
        println!("  {} people added, {server}", self.people.len());
        println!("    warroom                          p50 {:.2?}  p95 {:.2?}", ours.p50, ours.p95);
        println!("    the same calls, one by one       p50 {:.2?}  p95 {:.2?}", theirs.p50, theirs.p95);
        let ratio = |ours: Duration, theirs: Duration| ours.as_secs_f64() / theirs.as_secs_f64();
        println!(
            "    ratio                            p50 {:.2}  p95 {:.2}",
            ratio(ours.p50, theirs.p50),
            ratio(ours.p95, theirs.p95)
        );
    }

    /// Posts the keyword, and waits for the first message in the room.
    async fn with_warroom(&mut self) -> Duration {
        let begin = self.say("#outage").await;
        self.posts.next_first_message().await.duration_since(begin)
    }

    /// Does by hand what the workflow says.
    async fn without(&mut self) -> Duration {
        let begin = self.say(BY_HAND).await;
        self.posts.next_trigger(&self.town).await;
        self.by_hand += 1;
        self.respond(&format!("by-hand-{}", self.by_hand)).await;
        self.posts.next_first_message().await.duration_since(begin)
    }

    /// Posts as somebody; gives when that began.
    async fn say(&self, message: &str) -> Instant {
        let post = json!({ "channel_id": self.town, "message": message });
        let begin = Instant::now();
        let (status, answer) = self.stage.call("POST", "/posts", self.stage.token("jon"), Some(post)).await;
        assert_eq!(status, 201, "{answer}");
        begin
    }

    async fn respond(&self, name: &str) {
        let team_id = &self.stage.team_id;
        self.call("GET", &format!("/teams/{team_id}/channels/name/{name}?include_deleted=true"), None).await;
        let channel = json!({ "team_id": team_id, "name": name, "display_name": name, "type": "O" });
        let channel = self.call("POST", "/channels", Some(channel)).await;
        let id = channel["id"].as_str().unwrap();
        let users = self.call("POST", "/users/usernames", Some(json!(self.people))).await;
        for user in users.as_array().unwrap() {
            let member = json!({ "user_id": user["id"] });
            self.call("POST", &format!("/channels/{id}/members"), Some(member)).await;
        }
        let post = json!({ "channel_id": id, "message": FIRST });
        self.call("POST", "/posts", Some(post)).await;
    }

    async fn call(&self, method: &str, path: &str, body: Option<Value>) -> Value {
        self.stage.call(method, path, self.stage.bot_token(), body).await.1
    }
}

/// The comparison is worth something only if neither side does more than the other. A real server does not tell.
async fn check_that_both_make_the_same_calls() {
    let people = CASES[0].0;
    let mut scene = Scene::on(Stage::with_workflow(&workflow(people)).await, people).await;
    let calls = |stage: &Stage| {
        let mut calls = stage.simulator().unwrap().requests();
        // Now and then the service looks for channels to listen to, which is no part of an incident.
        calls.retain(|(_, path)| !path.starts_with("/api/v4/users/me/"));
        let mut calls: Vec<String> = calls.iter().map(|(method, path)| shape(method, path)).collect();
        calls.sort();
        stage.simulator().unwrap().forget_requests();
        calls
    };
    scene.with_warroom().await;
    calls(&scene.stage);
    scene.with_warroom().await;
    let ours = calls(&scene.stage);
    scene.without().await;
    assert_eq!(ours, calls(&scene.stage), "Warroom (left) and the bare client (right) make different calls");
    scene.service.stop().await;
}

/// A call without what differs from room to room.
fn shape(method: &str, path: &str) -> String {
    let is_name =
        |part: &str| part.len() == 26 || part.starts_with("outage-") || part.starts_with("by-hand-");
    let parts = path.split('/').map(|part| if is_name(part) { "…" } else { part });
    format!("{method} {}", parts.collect::<Vec<_>>().join("/"))
}

/// The posts that the bot hears, with the time of each.
struct Posts(mpsc::UnboundedReceiver<(Value, Instant)>);

impl Posts {
    async fn listen(stage: &Stage) -> Posts {
        let url = format!("{}/api/v4/websocket", stage.server().replacen("http", "ws", 1));
        let mut request = url.into_client_request().unwrap();
        request
            .headers_mut()
            .insert("authorization", format!("Bearer {}", stage.bot_token()).parse().unwrap());
        let (mut socket, _) = connect_async(request).await.unwrap();
        let (sender, posts) = mpsc::unbounded_channel();
        tokio::spawn(async move {
            while let Some(Ok(message)) = socket.next().await {
                let heard = Instant::now();
                let Message::Text(text) = message else { continue };
                // What else is said is none of it, and reading it would be measured on both sides.
                if ![FIRST, BY_HAND].iter().any(|said| text.contains(said)) {
                    continue;
                }
                let event: Value = serde_json::from_str(&text).unwrap();
                let Some(post) = event["data"]["post"].as_str() else { continue };
                if sender.send((serde_json::from_str(post).unwrap(), heard)).is_err() {
                    return;
                }
            }
        });
        Posts(posts)
    }

    async fn next(&mut self, is_it: impl Fn(&Value) -> bool) -> (Value, Instant) {
        let next = async {
            loop {
                let (post, heard) = self.0.recv().await.expect("the event stream ended");
                if is_it(&post) {
                    return (post, heard);
                }
            }
        };
        tokio::time::timeout(PATIENCE, next).await.expect("the post did not come")
    }

    /// Gives when it was heard.
    async fn next_first_message(&mut self) -> Instant {
        self.next(|post| post["message"] == FIRST).await.1
    }

    async fn next_trigger(&mut self, town: &str) {
        self.next(|post| post["message"] == BY_HAND && post["channel_id"] == town).await;
    }
}

/// The simulator, as a process of its own.
struct Server(Child);

impl Server {
    async fn start(delay: Duration) -> Server {
        let program = std::env::current_exe().unwrap();
        let mut command = Command::new(program);
        command.arg(SERVE).arg(delay.as_millis().to_string());
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).kill_on_drop(true);
        Server(command.spawn().unwrap())
    }

    /// Its URL, and its administrator's token.
    async fn door(&mut self) -> (String, String) {
        let mut lines = BufReader::new(self.0.stdout.take().unwrap()).lines();
        let line = lines.next_line().await.unwrap().expect("the server did not start");
        serde_json::from_str(&line).unwrap()
    }
}

/// Is such a server, until its input ends.
async fn serve(delay_ms: u64) {
    let simulator = Simulator::start(Options::default()).await.unwrap();
    if delay_ms > 0 {
        simulator.delay_next("*", "/api/v4/", Duration::from_millis(delay_ms), u32::MAX);
    }
    println!("{}", json!([simulator.url(), simulator.admin_token()]));
    let until_input_ends = || std::io::copy(&mut std::io::stdin(), &mut std::io::sink());
    tokio::task::spawn_blocking(until_input_ends).await.unwrap().unwrap();
}

struct Quantiles {
    p50: Duration,
    p95: Duration,
}

impl Quantiles {
    fn of(mut times: Vec<Duration>) -> Quantiles {
        times.sort_unstable();
        let at = |percent: usize| times[(times.len() - 1) * percent / 100];
        Quantiles { p50: at(50), p95: at(95) }
    }
}
