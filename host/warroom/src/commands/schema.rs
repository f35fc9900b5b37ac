//! `warroom schema`.

use crate::built_in;
use std::io::Write as _;
use std::process::ExitCode;
use warroom_workflow::file_schema;

/// Prints a JSON Schema of workflow files, which editors use to complete and check them.
///
/// It has the parameters of every built-in action type in it.
#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  warroom schema > workflows.schema.json

In VS Code, settings.json then says which files it is for:
  \"json.schemas\": [{ \"fileMatch\": [\"workflows/*.json\"], \"url\": \"./workflows.schema.json\" }]")]
pub(crate) struct Args {}

pub(crate) async fn run(_args: &Args) -> anyhow::Result<ExitCode> {
    let schema = file_schema(&built_in::catalog().await?);
    writeln!(std::io::stdout().lock(), "{schema:#}")?;
    Ok(ExitCode::SUCCESS)
}
