//! Starts a simulator, prints where it is and the tokens of everybody as one line of JSON, and serves until Ctrl-C: what
//! `warroom simulator` does, without building the rest.
//!
//! `cargo run -p warroom-simulator --example serve -- 127.0.0.1:8065`
#![allow(clippy::print_stdout, reason = "the line is what this example is for")]

use std::net::SocketAddr;

use serde_json::{Map, Value, json};
use warroom_simulator::{Options, Simulator};

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut options = Options::default();
    if let Some(listen) = std::env::args().nth(1) {
        options.listen = listen.parse::<SocketAddr>()?;
    }
    let (team, people) = (options.team.clone(), options.people.clone());
    let simulator = Simulator::start(options).await?;
    let token = |name: &String| Some((name.clone(), Value::from(simulator.token_of(name)?)));
    let line = json!({
        "url": simulator.url(),
        "bot_token": simulator.bot_token(),
        "admin_token": simulator.admin_token(),
        "team": team,
        "people": people.iter().filter_map(token).collect::<Map<_, _>>(),
    });
    println!("{line}");
    tokio::signal::ctrl_c().await?;
    simulator.stop().await;
    Ok(())
}
