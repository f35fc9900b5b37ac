//! The command line: `warroom demo`, `serve`, `check`, `simulator`.

use crate::config::Config;
use crate::service::Service;
use crate::{built_in, demo};
use anyhow::Context as _;
use clap::{Args, Parser, Subcommand};
use serde_json::json;
use std::collections::BTreeSet;
use std::io::{IsTerminal as _, Write as _};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use tracing_subscriber::EnvFilter;
use warroom_runner::Origin;
use warroom_sandbox::{Grant, Limits, Sandbox};
use warroom_simulator::{Options, Simulator};
use warroom_workflow::{ActionType, Catalog, Severity, check, render_diagnostics};

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
  warroom serve --config warroom.toml     run beside your Mattermost server

Every command says more with --help."
)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    Demo(DemoArgs),
    Serve(ServeArgs),
    Check(CheckArgs),
    Simulator(SimulatorArgs),
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

/// Runs beside a Mattermost server until it is stopped (Ctrl-C, or SIGTERM).
#[derive(Args)]
#[command(after_help = "\
Examples:
  warroom serve --config /etc/warroom/warroom.toml
  WARROOM_MATTERMOST_TOKEN=… warroom serve --config warroom.toml
  RUST_LOG=debug warroom serve --config warroom.toml

Every key of the configuration can come from the environment too: [mattermost] url is WARROOM_MATTERMOST_URL.
samples/warroom.toml is a documented configuration.")]
struct ServeArgs {
    /// The configuration file.
    #[arg(long, value_name = "FILE", env = "WARROOM_CONFIG")]
    config: PathBuf,
}

/// Checks workflow files and prints every mistake, with its line and what to write instead.
///
/// Ends with 0 when there is no error (warnings may be), 1 when there is one, 2 when a file cannot be read.
#[derive(Args)]
#[command(after_help = "\
Examples:
  warroom check samples/workflows/security_issue.json
  warroom check workflows/*.json")]
struct CheckArgs {
    /// Workflow files.
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
}

/// Runs the simulated Mattermost server alone, and prints its URL and tokens as one line of JSON.
#[derive(Args)]
#[command(after_help = "\
Examples:
  warroom simulator                            on a free port
  warroom simulator --listen 127.0.0.1:8065

Prints {\"url\": …, \"bot_token\": …, \"admin_token\": …, \"team\": …, \"people\": {NAME: TOKEN, …}}, then runs until it is stopped.
The page at the URL is a chat.")]
struct SimulatorArgs {
    /// Where it listens; a loopback address. Port 0 takes a free one.
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:0")]
    listen: SocketAddr,
}

/// The program: parses its arguments, runs the command, gives its exit code.
#[must_use]
pub fn main() -> ExitCode {
    let cli = Cli::parse();
    let quiet = matches!(cli.command, Command::Demo(_) | Command::Check(_) | Command::Simulator(_));
    log(if quiet { "warn" } else { "info" });
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return fail(&anyhow::anyhow!("cannot start the runtime: {error}")),
    };
    let result = runtime.block_on(async {
        match cli.command {
            Command::Demo(args) => demo::run(&args).await,
            Command::Serve(args) => serve(&args).await,
            Command::Check(args) => check_files(&args).await,
            Command::Simulator(args) => simulator(&args).await,
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

async fn serve(args: &ServeArgs) -> anyhow::Result<ExitCode> {
    let config = Config::read(&args.config, &|name| std::env::var(name).ok())?;
    let ended = ended()?;
    tokio::pin!(ended);
    let started = tokio::select! {
        started = Service::start(config) => started?,
        () = &mut ended => return Ok(ExitCode::SUCCESS),
    };
    started.run_until(ended).await?;
    Ok(ExitCode::SUCCESS)
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

/// The catalog of the built-in action types, as `check` needs it.
pub(crate) async fn built_in_catalog() -> anyhow::Result<Catalog> {
    let sandbox = Sandbox::new(Limits::default())?;
    let mut types = Vec::new();
    for source in built_in::sources() {
        let capabilities = match source.origin {
            Origin::BuiltIn(capabilities) => capabilities,
            Origin::Custom => BTreeSet::new(),
        };
        let grant = Grant { capabilities };
        let action = sandbox.admit(&source.bytes, &grant).await.with_context(|| source.name.clone())?;
        let descriptor = action.descriptor();
        types.push(ActionType {
            type_name: descriptor.type_name.clone(),
            parameters: descriptor.parameters.clone(),
            outputs: descriptor.outputs.clone(),
        });
    }
    Ok(Catalog::new(types)?)
}

async fn check_files(args: &CheckArgs) -> anyhow::Result<ExitCode> {
    let catalog = built_in_catalog().await?;
    let (mut unreadable, mut errors) = (false, false);
    for path in &args.files {
        match std::fs::read_to_string(path) {
            Ok(text) => errors |= check_file(path, &text, &catalog),
            Err(error) => {
                unreadable = true;
                let _ = writeln!(std::io::stderr(), "warroom: cannot read {}: {error}", path.display());
            }
        }
    }
    Ok(match (unreadable, errors) {
        (true, _) => ExitCode::from(2),
        (false, true) => ExitCode::FAILURE,
        (false, false) => ExitCode::SUCCESS,
    })
}

fn check_file(path: &Path, text: &str, catalog: &Catalog) -> bool {
    let checked = check(text, catalog);
    let mut out = std::io::stdout().lock();
    if !checked.diagnostics.is_empty() {
        let color = std::io::stdout().is_terminal();
        let rendered = render_diagnostics(&path.display().to_string(), text, &checked.diagnostics, color);
        let _ = writeln!(out, "{}", rendered.trim_end());
    }
    let count =
        |severity| checked.diagnostics.iter().filter(|diagnostic| diagnostic.severity == severity).count();
    let (errors, warnings) = (count(Severity::Error), count(Severity::Warning));
    let verdict = match (errors, warnings) {
        (0, 0) => {
            let names: Vec<_> = checked.workflows.iter().map(|workflow| workflow.name.as_str()).collect();
            format!("ok ({})", names.join(", "))
        }
        _ => format!("{errors} errors, {warnings} warnings"),
    };
    let _ = writeln!(out, "{}: {verdict}", path.display());
    errors > 0
}

async fn simulator(args: &SimulatorArgs) -> anyhow::Result<ExitCode> {
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
