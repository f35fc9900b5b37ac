//! How many posts a second the simulator carries: some clients post over the API as fast as they can, and one listens to
//! the event stream. Ends by itself, with a failure if it was too slow or an event did not come.
//!
//! `cargo run -p warroom-simulator --example load -- [POSTS_PER_SECOND [SECONDS]]`, by default 2,000 for 10 s.
#![allow(clippy::print_stdout, reason = "the numbers are what this example is for")]
#![allow(clippy::indexing_slicing, reason = "a key that a JSON value lacks gives null")]

use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use futures_util::StreamExt;
use reqwest::Client;
use serde_json::{Value, json};
use tokio::task::{JoinHandle, JoinSet};
use tokio_tungstenite::connect_async;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use warroom_simulator::{Limits, Options, Simulator};

type Failure = Box<dyn std::error::Error + Send + Sync>;

const CLIENTS: usize = 8;
const SECONDS_MAX: u64 = 120;
/// How long the listener waits for the next event.
const SILENCE_MAX: Duration = Duration::from_secs(10);

#[tokio::main]
async fn main() -> Result<ExitCode, Failure> {
    let wanted = argument(1)?.unwrap_or(2_000);
    let seconds = argument(2)?.unwrap_or(10).clamp(1, SECONDS_MAX);
    // A listener that shares two cores with the clients may fall behind for a moment.
    let limits = Limits { websocket_queue_max: 100_000, ..Limits::default() };
    let simulator = Simulator::start(Options { limits, ..Options::default() }).await?;
    let client = Client::builder().no_proxy().tls_certs_only(Vec::new()).build()?;
    let target = Arc::new(target(&simulator, client).await?);
    let begin = Instant::now();
    let heard = listen(&simulator, begin).await?;
    let mut clients = JoinSet::new();
    for _ in 0..CLIENTS {
        clients.spawn(post(Arc::clone(&target), begin, begin + Duration::from_secs(seconds)));
    }
    let mut answers = Vec::new();
    while let Some(done) = clients.join_next().await {
        answers.extend(done??);
    }
    let rate = answers.len() as f64 / begin.elapsed().as_secs_f64();
    target.say("the end".to_owned()).await?;
    let events = heard.await??;
    println!("{} posts by {CLIENTS} clients, {rate:.0} a second", answers.len());
    report("from a post to its answer", &mut answers);
    let complete = events.len() == answers.len();
    println!("{} events came", events.len());
    report("from a post to its event", &mut events.clone());
    simulator.stop().await;
    Ok(if complete && rate >= wanted as f64 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn argument(index: usize) -> Result<Option<u64>, Failure> {
    Ok(std::env::args().nth(index).map(|text| text.parse()).transpose()?)
}

/// Where the posts go.
struct Target {
    client: Client,
    url: String,
    token: String,
    channel_id: String,
    posts: AtomicU64,
}

impl Target {
    async fn say(&self, message: String) -> Result<(), Failure> {
        // As clients do that may have to repeat a post.
        let number = self.posts.fetch_add(1, Ordering::Relaxed);
        let pending = format!("{}:{number}", self.channel_id);
        let post = json!({"channel_id": self.channel_id, "message": message, "pending_post_id": pending});
        let request = self.client.post(&self.url).bearer_auth(&self.token).json(&post);
        request.send().await?.error_for_status()?.bytes().await?;
        Ok(())
    }
}

async fn target(simulator: &Simulator, client: Client) -> Result<Target, Failure> {
    let token = simulator.token_of("jon").unwrap_or_default().to_owned();
    let (api, team) = (format!("{}/api/v4", simulator.url()), simulator.team_id());
    let channel = client.get(format!("{api}/teams/{team}/channels/name/town-square")).bearer_auth(&token);
    let channel: Value = channel.send().await?.error_for_status()?.json().await?;
    let channel_id = channel["id"].as_str().unwrap_or_default().to_owned();
    Ok(Target { client, url: format!("{api}/posts"), token, channel_id, posts: AtomicU64::new(0) })
}

/// Posts one after the other; each says when it was sent. Gives how long each answer took.
async fn post(target: Arc<Target>, begin: Instant, end: Instant) -> Result<Vec<Duration>, Failure> {
    let mut answers = Vec::new();
    while Instant::now() < end {
        let sent = Instant::now();
        target.say(format!("chatter {}", sent.duration_since(begin).as_micros())).await?;
        answers.push(sent.elapsed());
    }
    Ok(answers)
}

type Heard = JoinHandle<Result<Vec<Duration>, Failure>>;

/// Listens as the bot, until "the end". Gives how long after its sending each post came.
async fn listen(simulator: &Simulator, begin: Instant) -> Result<Heard, Failure> {
    let mut request =
        format!("{}/api/v4/websocket", simulator.url().replacen("http", "ws", 1)).into_client_request()?;
    let token = format!("Bearer {}", simulator.bot_token());
    request.headers_mut().insert("authorization", token.parse()?);
    let (mut socket, _) = connect_async(request).await?;
    Ok(tokio::spawn(async move {
        let mut heard = Vec::new();
        while let Some(message) = tokio::time::timeout(SILENCE_MAX, socket.next()).await? {
            let Message::Text(text) = message? else { continue };
            let event: Value = serde_json::from_str(&text)?;
            let Some(post) = event["data"]["post"].as_str() else { continue };
            let post: Value = serde_json::from_str(post)?;
            match post["message"].as_str().and_then(|text| text.strip_prefix("chatter ")) {
                Some(sent) => {
                    let sent = Duration::from_micros(sent.parse()?);
                    heard.push(begin.elapsed().saturating_sub(sent));
                }
                None => return Ok(heard),
            }
        }
        Err("the stream ended before the last post came".into())
    }))
}

fn report(what: &str, times: &mut [Duration]) {
    times.sort_unstable();
    let at = |percent: usize| {
        times.get(times.len().saturating_sub(1) * percent / 100).copied().unwrap_or_default()
    };
    println!("{what}: p50 {:.2?}, p99 {:.2?}, longest {:.2?}", at(50), at(99), at(100));
}
