//! `warroom simulator`.

use crate::cli::ended;
use serde_json::json;
use std::io::Write as _;
use std::net::SocketAddr;
use std::process::ExitCode;
use warroom_simulator::{Options, Simulator};

/// Runs the simulated Mattermost server alone, and prints its URL and tokens as one line of JSON.
#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  warroom simulator                            on a free port
  warroom simulator --listen 127.0.0.1:8065

Prints {\"url\": …, \"bot_token\": …, \"admin_token\": …, \"team\": …, \"people\": {NAME: TOKEN, …}}, then runs until it is stopped.
The page at the URL is a chat.")]
pub(crate) struct Args {
    /// Where it listens; a loopback address. Port 0 takes a free one.
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:0")]
    listen: SocketAddr,
}

pub(crate) async fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let ended = ended()?;
    let options = Options { listen: args.listen, ..Options::default() };
    let (team, people) = (options.team.clone(), options.people.clone());
    let simulator = Simulator::start(options).await?;
    let tokens = people.iter().filter_map(|name| Some((name.clone(), json!(simulator.token_of(name)?))));
    let line = json!({
        "url": simulator.url(),
        "bot_token": simulator.bot_token(),
        "admin_token": simulator.admin_token(),
        "team": team,
        "people": tokens.collect::<serde_json::Map<_, _>>(),
    });
    let mut out = std::io::stdout().lock();
    writeln!(out, "{line}")?;
    out.flush()?;
    drop(out);
    ended.await;
    simulator.stop().await;
    Ok(ExitCode::SUCCESS)
}
