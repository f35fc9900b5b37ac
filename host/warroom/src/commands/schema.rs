//! `warroom schema`.

use crate::built_in;
use std::io::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;
use warroom_workflow::file_schema;

/// Prints a JSON Schema of workflow files, for editors.
#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  warroom schema > workflows.schema.json
  warroom schema --config /etc/warroom/warroom.toml      with the operator's action components")]
pub(crate) struct Args {
    /// The configuration whose action components may be used too.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
}

pub(crate) async fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let catalog = built_in::catalog_with(args.config.as_deref()).await?;
    writeln!(std::io::stdout().lock(), "{:#}", file_schema(&catalog))?;
    Ok(ExitCode::SUCCESS)
}
