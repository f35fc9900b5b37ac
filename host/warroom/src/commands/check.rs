//! `warroom check`.

use super::{check_server, connection, counted, input};
use crate::built_in;
use crate::config::Config;
use anyhow::Context as _;
use std::io::{IsTerminal as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use warroom_workflow::{
    Catalog, Checked, FILE_BYTES_MAX, Severity, check_all, diagnostics_json, diagnostics_sarif,
    render_diagnostics,
};

/// Checks workflow files and prints every mistake, with its line and what to write instead.
///
/// Ends with 0 when there is no error (warnings may be), 1 when there is one, 2 when a file cannot be read.
#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  warroom check samples/workflows/security_issue.json
  warroom check workflows/*.json
  warroom check --format sarif workflows/*.json > warroom.sarif
  warroom check --server --config warroom.toml workflows/*.json
  warroom check - < workflow.json")]
pub(crate) struct Args {
    /// Workflow files; `-` is standard input.
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// How mistakes are printed.
    #[arg(long, value_enum, default_value_t = Format::Human)]
    format: Format,
    /// The configuration whose action components may be used too.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Also ask the configured server whether the teams, channels, people and groups are there that the files name.
    #[arg(long, requires = "config")]
    server: bool,
}

#[derive(Clone, Copy, clap::ValueEnum)]
enum Format {
    /// With the line of the file, for people.
    Human,
    /// A list of objects.
    Json,
    /// A SARIF 2.1.0 log.
    Sarif,
}

pub(crate) async fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let catalog = built_in::catalog_with(args.config.as_deref()).await?;
    let (mut names, mut texts, mut unreadable) = (Vec::new(), Vec::new(), false);
    for path in &args.files {
        match read(path) {
            Ok(text) => {
                names.push(if path == Path::new("-") {
                    "stdin".to_owned()
                } else {
                    path.display().to_string()
                });
                texts.push(text);
            }
            Err(error) => {
                unreadable = true;
                let _ = writeln!(std::io::stderr(), "warroom: {error:#}");
            }
        }
    }
    let files: Vec<_> = names.iter().map(String::as_str).zip(texts.iter().map(String::as_str)).collect();
    let mut checked = check_all(&files, &catalog);
    if let Some(config) = args.config.as_deref().filter(|_| args.server) {
        ask_server(config, &files, &catalog, &mut checked).await?;
    }
    let checked = checked;
    let found =
        || names.iter().map(String::as_str).zip(checked.iter().map(|file| file.diagnostics.as_slice()));
    let mut out = std::io::stdout().lock();
    match args.format {
        Format::Human => {
            for ((name, text), checked) in files.iter().zip(&checked) {
                print(&mut out, name, text, checked);
            }
        }
        Format::Json => writeln!(out, "{:#}", diagnostics_json(found()))?,
        Format::Sarif => writeln!(out, "{:#}", diagnostics_sarif(found()))?,
    }
    Ok(match (unreadable, checked.iter().any(|file| count(file, Severity::Error) > 0)) {
        (true, _) => ExitCode::from(2),
        (false, true) => ExitCode::FAILURE,
        (false, false) => ExitCode::SUCCESS,
    })
}

/// Adds what the server says of the names in the files.
async fn ask_server(
    config: &Path,
    files: &[(&str, &str)],
    catalog: &Catalog,
    checked: &mut [Checked],
) -> anyhow::Result<()> {
    let config = Config::read(config, &|name| std::env::var(name).ok())?;
    let client = connection::client(&config)?;
    let warnings = check_server::warnings(&client, &config.groups, files, catalog).await;
    let warnings = warnings.context("cannot look up on the server what the files name")?;
    for (checked, warnings) in checked.iter_mut().zip(warnings) {
        checked.diagnostics.extend(warnings);
        checked.diagnostics.sort_by_key(|found| found.span.start);
    }
    Ok(())
}

/// The text of a file. Of one that is too large no more is read than shows that it is.
fn read(path: &Path) -> anyhow::Result<String> {
    let reading = || format!("cannot read {}", path.display());
    let Some(bytes) = input::read(path, FILE_BYTES_MAX).with_context(reading)? else {
        anyhow::bail!("{}: it has more than {FILE_BYTES_MAX} bytes; split it into several files", reading());
    };
    String::from_utf8(bytes).map_err(|error| {
        let byte = error.utf8_error().valid_up_to();
        anyhow::anyhow!("{}: it is not UTF-8 at byte {byte}; save it as UTF-8", reading())
    })
}

fn count(checked: &Checked, severity: Severity) -> usize {
    checked.diagnostics.iter().filter(|diagnostic| diagnostic.severity == severity).count()
}

fn print(out: &mut impl std::io::Write, name: &str, text: &str, checked: &Checked) {
    if !checked.diagnostics.is_empty() {
        let color = std::io::stdout().is_terminal();
        let rendered = render_diagnostics(name, text, &checked.diagnostics, color);
        let _ = writeln!(out, "{}", rendered.trim_end());
    }
    let verdict = match (count(checked, Severity::Error), count(checked, Severity::Warning)) {
        (0, 0) => {
            let names: Vec<_> = checked.workflows.iter().map(|workflow| workflow.name.as_str()).collect();
            format!("ok ({})", names.join(", "))
        }
        (errors, warnings) => format!("{}, {}", counted(errors, "error"), counted(warnings, "warning")),
    };
    let _ = writeln!(out, "{name}: {verdict}");
}
