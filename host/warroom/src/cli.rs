//! The command line: parses the arguments and hands them to the command.

use crate::commands::{check, graph, runs, schema, serve, simulate, simulator, try_pattern, try_template};
use crate::demo;
use anyhow::Context as _;
use clap::{Args, Parser, Subcommand};
use std::io::{IsTerminal as _, Write as _};
use std::net::SocketAddr;
use std::process::ExitCode;
use tracing_subscriber::EnvFilter;

/// Runs incident workflows beside a self-hosted Mattermost server.
#[derive(Parser)]
#[command(
    name = "warroom",
    version,
    propagate_version = true,
    after_help = "\
Examples:
  warroom demo                            play an incident on a simulated server, and print it
  warroom demo --serve                    the same, then chat along in the browser
  warroom check workflows/*.json          find every mistake in workflow files
  warroom graph workflow.json             draw the steps and transitions of a workflow
  warroom try template -- '{{len \"abc\"}}'  try a template
  warroom simulate FILE SCENARIO          play a scenario against a workflow file
  warroom serve --config warroom.toml     run beside your Mattermost server
  warroom runs list                       what is open, blocked or waiting

Every command says more with --help."
)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    Demo(DemoArgs),
    Serve(serve::Args),
    Runs(runs::Args),
    Check(check::Args),
    Schema(schema::Args),
    Graph(graph::Args),
    Simulate(simulate::Args),
    Simulator(simulator::Args),
    #[command(subcommand)]
    Try(Try),
}

/// Tries a template or a pattern, without a workflow.
#[derive(Subcommand)]
#[command(after_help = "\
Examples:
  warroom try template --data data.json -- 'security-issue-{{.Instance.Number}}'
  warroom try pattern -- 'down: \\w+' 'down: mail'")]
enum Try {
    Template(try_template::Args),
    Pattern(try_pattern::Args),
}

/// Plays an incident from keyword to archive on a simulated server, and prints the conversation.
///
/// Ends with 0 only if the room exists, has its members, its posts say what the templates said, and it is archived.
#[derive(Args)]
#[command(after_help = "\
Examples:
  warroom demo                                 play it and print it
  warroom demo --serve                         then keep the chat up, on a free port
  warroom demo --serve --listen 127.0.0.1:8065 … on this port")]
pub(crate) struct DemoArgs {
    /// Keep the simulated chat up afterwards, with a page where you can chat, press and choose.
    #[arg(long)]
    pub(crate) serve: bool,
    /// Where the simulated server listens; a loopback address. Port 0 takes a free one.
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:0")]
    pub(crate) listen: SocketAddr,
}

/// The program: parses its arguments, runs the command, gives its exit code.
#[must_use]
pub fn main() -> ExitCode {
    let cli = Cli::parse();
    log(match cli.command {
        Command::Serve(_) => "info",
        // What they play is theirs, and they say themselves how it went.
        Command::Demo(_) | Command::Simulate(_) => "error",
        _ => "warn",
    });
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return fail(&anyhow::anyhow!("cannot start the runtime: {error}")),
    };
    let result = runtime.block_on(async {
        match cli.command {
            Command::Demo(args) => demo::run(&args).await,
            Command::Serve(args) => serve::run(&args).await,
            Command::Runs(args) => runs::run(&args).await,
            Command::Check(args) => check::run(&args).await,
            Command::Schema(args) => schema::run(&args).await,
            Command::Graph(args) => graph::run(&args).await,
            Command::Simulate(args) => simulate::run(&args).await,
            Command::Simulator(args) => simulator::run(&args).await,
            Command::Try(Try::Template(args)) => Ok(try_template::run(&args)),
            Command::Try(Try::Pattern(args)) => Ok(try_pattern::run(&args)),
        }
    });
    // What is under way stops where it is: the journal knows how to go on.
    runtime.shutdown_background();
    result.unwrap_or_else(|error| fail(&error))
}

fn fail(error: &anyhow::Error) -> ExitCode {
    let _ = writeln!(std::io::stderr(), "warroom: {error:#}");
    ExitCode::FAILURE
}

fn log(level: &str) {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(level));
    let ansi = std::io::stderr().is_terminal();
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(ansi)
        .with_target(false)
        .init();
}

/// Completes when somebody asks the program to end.
pub(crate) fn ended() -> anyhow::Result<impl Future<Output = ()>> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut terminate = signal(SignalKind::terminate()).context("cannot listen for SIGTERM")?;
    let mut interrupt = signal(SignalKind::interrupt()).context("cannot listen for Ctrl-C")?;
    Ok(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    })
}
