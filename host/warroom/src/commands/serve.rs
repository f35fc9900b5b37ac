//! `warroom serve`.

use crate::cli::ended;
use crate::config::{Config, unknown_variables};
use crate::service::Service;
use std::path::PathBuf;
use std::process::ExitCode;

/// Runs beside a Mattermost server until it is stopped (Ctrl-C, or SIGTERM).
#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  warroom serve --config /etc/warroom/warroom.toml
  WARROOM_MATTERMOST_TOKEN=… warroom serve --config warroom.toml
  RUST_LOG=debug warroom serve --config warroom.toml

Every key of the configuration can come from the environment too: [mattermost] url is WARROOM_MATTERMOST_URL; [groups] and
the grants are WARROOM_GROUPS and WARROOM_ACTIONS_GRANTS, as TOML on one line. samples/warroom.toml is a documented
configuration.")]
pub(crate) struct Args {
    /// The configuration file.
    #[arg(long, value_name = "FILE", env = "WARROOM_CONFIG", default_value = "warroom.toml")]
    config: PathBuf,
}

pub(crate) async fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let config = Config::read(&args.config, &|name| std::env::var(name).ok())?;
    for text in unknown_variables() {
        tracing::warn!("{text}");
    }
    let ended = ended()?;
    tokio::pin!(ended);
    let started = tokio::select! {
        started = Service::start(config) => started?,
        () = &mut ended => return Ok(ExitCode::SUCCESS),
    };
    started.run_until(ended).await?;
    Ok(ExitCode::SUCCESS)
}
