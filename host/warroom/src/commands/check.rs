//! `warroom check`.

use crate::built_in;
use std::io::{IsTerminal as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use warroom_workflow::{Catalog, Severity, check, render_diagnostics};

/// Checks workflow files and prints every mistake, with its line and what to write instead.
///
/// Ends with 0 when there is no error (warnings may be), 1 when there is one, 2 when a file cannot be read.
#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  warroom check samples/workflows/security_issue.json
  warroom check workflows/*.json")]
pub(crate) struct Args {
    /// Workflow files.
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
}

pub(crate) async fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let catalog = built_in::catalog().await?;
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
