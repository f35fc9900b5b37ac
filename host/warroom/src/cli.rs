//! The command line: parses the arguments and hands them to the command.

use crate::commands::{
    check, doctor, graph, runs, schema, serve, setup, simulate, simulator, try_pattern, try_template,
};
use crate::demo;
use crate::logging::{self, LogFormat};
use anyhow::Context as _;
use clap::{Args, Parser, Subcommand};
use std::io::Write as _;
use std::net::SocketAddr;
use std::process::ExitCode;

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
  warroom try template -- '{{len \"abc\"}}' try a template
  warroom simulate FILE SCENARIO          play a scenario against a workflow file
  warroom setup --url URL …               prepare your Mattermost server and a configuration
  warroom doctor --config warroom.toml    find out what stands in the way
  warroom serve --config warroom.toml     run beside your Mattermost server
  warroom runs list                       what is open, blocked or waiting

Every command says more with --help."
)]
struct Cli {
    /// How the log is written, on the standard error. RUST_LOG says how much of it.
    #[arg(long, global = true, value_enum, value_name = "FORMAT", env = "WARROOM_LOG_FORMAT", default_value_t = LogFormat::Text)]
    log_format: LogFormat,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    Demo(DemoArgs),
    Setup(setup::Args),
    Doctor(doctor::Args),
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
  warroom demo                                   play it and print it
  warroom demo --serve                           then keep the chat up, on a free port
  warroom demo --serve --listen 127.0.0.1:8065   then keep it up on this port")]
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
    let level = match cli.command {
        Command::Serve(_) => "info",
        // What they play is theirs, and they say themselves how it went.
        Command::Demo(_) | Command::Simulate(_) => "error",
        // They report what they find, and whose token is refused they know better.
        Command::Doctor(_) => "error,warroom_mattermost::credentials=off",
        _ => "warn,warroom_mattermost::credentials=off",
    };
    logging::start(cli.log_format, level);
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return fail(&anyhow::anyhow!("cannot start the runtime: {error}")),
    };
    let result = runtime.block_on(async {
        match cli.command {
            Command::Demo(args) => demo::run(&args).await,
            Command::Setup(args) => setup::run(&args).await,
            Command::Doctor(args) => doctor::run(&args).await,
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

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory as _;

    fn look(command: &clap::Command) {
        let help = command.get_after_help().map(ToString::to_string).unwrap_or_default();
        assert!(help.contains("Examples:\n  warroom "), "{} shows no examples: {help}", command.get_name());
        command.get_subcommands().for_each(look);
    }

    #[test]
    fn every_command_shows_examples() {
        look(&Cli::command());
    }
}
