//! `warroom try template`.

use super::input;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use warroom_workflow::render;

/// The largest data, in bytes.
const DATA_BYTES_MAX: usize = 4 * 1024 * 1024;

/// Renders a template and prints what comes out.
///
/// Ends with 0 when it could be rendered, 1 when not, 2 when the data cannot be read.
#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  warroom try template -- '{{len \"abc\"}}'
  warroom try template --data data.json -- 'security-issue-{{.Instance.Number}}'
  echo '{\"Instance\": {\"Number\": 7}}' | warroom try template --data - -- '{{.Instance.Number}}'")]
pub(crate) struct Args {
    /// A file with the data, as JSON; `-` is standard input. By default there is none.
    #[arg(long, value_name = "FILE")]
    data: Option<PathBuf>,
    /// The template.
    template: String,
}

pub(crate) fn run(args: &Args) -> ExitCode {
    let data = match args.data.as_deref().map_or_else(|| Ok(serde_json::json!({})), read) {
        Ok(data) => data,
        Err(reason) => {
            let _ = writeln!(std::io::stderr(), "warroom: {reason}");
            return ExitCode::from(2);
        }
    };
    match render(&args.template, &data) {
        Ok(text) => {
            let _ = writeln!(std::io::stdout(), "{text}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            let hint = if args.data.is_none() { ". There is no data: give it with --data FILE" } else { "" };
            let _ = writeln!(std::io::stderr(), "warroom: {error}{hint}");
            ExitCode::FAILURE
        }
    }
}

fn read(path: &Path) -> Result<serde_json::Value, String> {
    let named =
        || if path == Path::new("-") { "standard input".to_owned() } else { path.display().to_string() };
    let bytes = input::read(path, DATA_BYTES_MAX)
        .map_err(|error| format!("cannot read the data in {}: {error}", named()))?
        .ok_or_else(|| {
            format!("cannot read the data in {}: it has more than {DATA_BYTES_MAX} bytes", named())
        })?;
    serde_json::from_slice(&bytes).map_err(|error| format!("the data in {} is not JSON: {error}", named()))
}
