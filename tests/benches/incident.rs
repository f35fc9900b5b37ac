//! From the post that triggers an incident to the first message in its room: Warroom, and beside it a bare client that makes the
//! same REST calls one after the other, on the same simulated server, in turn, so that the ratio holds on a noisy machine.
//!
//! What Warroom adds (the journal on disk, the components) is the same for every incident, and what it saves grows with the people who
//! are added at the same time, and with the time that the server takes for a call. So there are several sizes: a simulated server answers in
//! a fifth of a millisecond, which no real one does. With `WARROOM_TEST_MATTERMOST_URL` and `WARROOM_TEST_ADMIN_TOKEN` set, a real one is
//! measured: version 5.37 with its database on the same machine takes some 10 ms for most of these calls.

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
use std::time::{Duration, Instant};
use tokio::sync::mpsc;
use tokio_tungstenite::connect_async;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;

/// What is measured: how many people are brought into each room, and how long the server takes for each call on top of its work. The
/// slow one comes last, since the simulator stays slow.
const CASES: [(usize, Duration); 3] =
    [(8, Duration::ZERO), (25, Duration::ZERO), (8, Duration::from_millis(5))];
const PEOPLE_MAX: usize = 25;
/// Incidents of each side that count, after as many as warm everything up. The simulator holds a thousand channels.
const COUNTED: usize = 120;
const WARMING: usize = 20;
/// What is said first in a room.
const FIRST: &str = "first message";
/// What the bare client acts on.
const BY_HAND: &str = "by hand";
const PATIENCE: Duration = Duration::from_secs(20);

#[tokio::main]
async fn main() {
    // `cargo test --benches` only wants to know that it starts.
    if !std::env::args().any(|argument| argument == "--bench") {
        return;
    }
    let people: Vec<String> = (0..PEOPLE_MAX).map(|n| format!("responder{n}")).collect();
    let stage = Stage::with_workflow(&workflows(&people)).await;
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
    let mut posts = Posts::listen(&stage).await;
    let town = stage.channel_id("town-square").await;
    println!("from the trigger to the first message in the room, {COUNTED} incidents each");
    for (case, (count, delay)) in CASES.into_iter().enumerate() {
        let people = &people[..count];
        if !delay.is_zero() {
            // A real server takes its own time.
            let Some(simulator) = stage.simulator() else { continue };
            simulator.delay_next("*", "/api/v4/", delay, u32::MAX);
        }
        measure(&Bare { case, stage: &stage, town: &town, people }, &mut posts, delay).await;
    }
    service.stop().await;
}

async fn measure(bare: &Bare<'_>, posts: &mut Posts, delay: Duration) {
    check_that_both_make_the_same_calls(bare, posts).await;
    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    for n in 0..WARMING + COUNTED {
        let (with_us, without) = (with_warroom(bare, posts).await, bare.incident(n, posts).await);
        if n >= WARMING {
            ours.push(with_us);
            theirs.push(without);
        }
    }
    let (ours, theirs) = (Quantiles::of(ours), Quantiles::of(theirs));
    println!("  {} people added, each call {delay:?} longer", bare.people.len());
    println!("    warroom                          p50 {:.2?}  p95 {:.2?}", ours.p50, ours.p95);
    println!("    the same calls, one by one       p50 {:.2?}  p95 {:.2?}", theirs.p50, theirs.p95);
    let ratio = |ours: Duration, theirs: Duration| ours.as_secs_f64() / theirs.as_secs_f64();
    println!(
        "    ratio                            p50 {:.2}  p95 {:.2}",
        ratio(ours.p50, theirs.p50),
        ratio(ours.p95, theirs.p95)
    );
}

/// A workflow for each number of people.
fn workflows(people: &[String]) -> String {
    let mut counts = CASES.map(|(count, _)| count).to_vec();
    counts.sort_unstable();
    counts.dedup();
    Value::from_iter(counts.into_iter().map(|count| workflow(&people[..count]))).to_string()
}

fn workflow(people: &[String]) -> Value {
    let room = "{{.Action.Room.ChannelName}}";
    let count = people.len();
    json!({
        "name": format!("outage_{count}"),
        "start_limit": { "starts": 1_000, "minutes": 1 },
        "triggers": [{ "name": "Reported", "type": "text", "match": format!("#outage-{count}") }],
        "steps": [{ "name": "Respond", "start_actions": [
            { "name": "Room", "type": "create_channel", "channel_name": format!("outage-{count}-{{{{.Instance.Number}}}}") },
            { "name": "People", "type": "add_users_channel", "channel_name": room, "users": people },
            { "name": "Say", "type": "post", "channel_name": room, "message": FIRST }
        ] }]
    })
}

/// Posts the keyword, and waits for the first message in the room.
async fn with_warroom(bare: &Bare<'_>, posts: &mut Posts) -> Duration {
    let begin = Instant::now();
    bare.stage.say("jon", "town-square", &format!("#outage-{}", bare.people.len())).await;
    posts.next_first_message().await.1.duration_since(begin)
}

/// Does by hand what the workflow says.
struct Bare<'a> {
    case: usize,
    stage: &'a Stage,
    town: &'a str,
    people: &'a [String],
}

impl Bare<'_> {
    async fn incident(&self, n: usize, posts: &mut Posts) -> Duration {
        let begin = Instant::now();
        self.stage.say("jon", "town-square", BY_HAND).await;
        posts.next_trigger(self.town).await;
        self.respond(&format!("by-hand-{}-{n}", self.case)).await;
        posts.next_first_message().await.1.duration_since(begin)
    }

    async fn call(&self, method: &str, path: &str, body: Option<Value>) -> Value {
        self.stage.call(method, path, self.stage.bot_token(), body).await.1
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
}

/// How the service looks into a channel that is new to it, at some time after the incident.
const LOOKS: [&str; 2] = ["GET /api/v4/channels/…/members/…", "GET /api/v4/channels/…/posts"];

/// The comparison is worth something only if neither side does more than the other.
async fn check_that_both_make_the_same_calls(bare: &Bare<'_>, posts: &mut Posts) {
    // A real server does not tell; it was asked the same on the simulator.
    let Some(simulator) = bare.stage.simulator() else { return };
    let calls = || {
        let mut calls = simulator.requests();
        // Now and then the service looks for channels to listen to, which is no part of an incident.
        calls.retain(|(_, path)| !path.starts_with("/api/v4/users/me/"));
        let mut calls: Vec<String> = calls.iter().map(|(method, path)| shape(method, path)).collect();
        calls.retain(|call| !LOOKS.contains(&call.as_str()));
        calls.sort();
        calls
    };
    simulator.forget_requests();
    with_warroom(bare, posts).await;
    let ours = calls();
    simulator.forget_requests();
    bare.incident(usize::MAX, posts).await;
    assert_eq!(ours, calls(), "Warroom (left) and the bare client (right) make different calls");
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

    async fn next_first_message(&mut self) -> (Value, Instant) {
        self.next(|post| post["message"] == FIRST).await
    }

    async fn next_trigger(&mut self, town: &str) {
        self.next(|post| post["message"] == BY_HAND && post["channel_id"] == town).await;
    }
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
