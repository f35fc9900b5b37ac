//! `warroom simulate`: unit tests for workflows.

mod expectation;
mod scenario;
mod stage;

use super::input;
use crate::built_in;
use scenario::Scenario;
use stage::Stage;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, Instant};
use warroom_workflow::{FILE_BYTES_MAX, Severity, Workflow, check, render_diagnostics};

/// Real time that one scenario may take.
const PATIENCE: Duration = Duration::from_secs(60);

/// Plays scenarios against a workflow file on a simulated server, and says what is not as expected.
///
/// Ends with 0 when everything is as expected, 1 when something is not, 2 when a file cannot be read or is wrong.
#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  warroom simulate samples/workflows/nagios.json samples/scenarios/nagios.json")]
pub(crate) struct Args {
    /// The workflow file.
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// Scenario files, played one after the other, each on a server of its own.
    #[arg(required = true, value_name = "SCENARIO")]
    scenarios: Vec<PathBuf>,
}

/// How a scenario ended, from best to worst.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Verdict {
    Right,
    Different,
    Wrong,
}

pub(crate) async fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let mut worst = Verdict::Right;
    match workflows(&args.file).await? {
        Ok((text, workflows)) => {
            for path in &args.scenarios {
                worst = worst.max(play(path, &text, &workflows).await?);
            }
        }
        Err(reason) => {
            worst = Verdict::Wrong;
            writeln!(std::io::stderr(), "warroom: {reason}")?;
        }
    }
    Ok(match worst {
        Verdict::Right => ExitCode::SUCCESS,
        Verdict::Different => ExitCode::FAILURE,
        Verdict::Wrong => ExitCode::from(2),
    })
}

async fn workflows(path: &Path) -> anyhow::Result<Result<(String, Vec<Workflow>), String>> {
    let text = match read(path, FILE_BYTES_MAX) {
        Ok(text) => text,
        Err(reason) => return Ok(Err(reason)),
    };
    let checked = check(&text, &built_in::catalog_with(None).await?);
    if checked.diagnostics.iter().any(|diagnostic| diagnostic.severity == Severity::Error) {
        let rendered = render_diagnostics(&path.display().to_string(), &text, &checked.diagnostics, false);
        return Ok(Err(format!("{} has mistakes\n{}", path.display(), rendered.trim_end())));
    }
    Ok(Ok((text, checked.workflows)))
}

/// Reads a file, but not more of it than is allowed.
fn read(path: &Path, bytes_max: usize) -> Result<String, String> {
    let reading = || format!("cannot read {}", path.display());
    let bytes = input::read(path, bytes_max).map_err(|error| format!("{}: {error}", reading()))?;
    let bytes = bytes.ok_or_else(|| format!("{} has more than {bytes_max} bytes", path.display()))?;
    String::from_utf8(bytes).map_err(|error| format!("{}: {error}", reading()))
}

async fn play(path: &Path, text: &str, workflows: &[Workflow]) -> anyhow::Result<Verdict> {
    let scenario = read(path, scenario::BYTES_MAX)
        .and_then(|text| Scenario::parse(&text).map_err(|error| format!("{}: {error}", path.display())));
    let scenario = match scenario {
        Ok(scenario) => scenario,
        Err(reason) => {
            writeln!(std::io::stderr(), "warroom: {reason}")?;
            return Ok(Verdict::Wrong);
        }
    };
    let began = Instant::now();
    let stage = Stage::set(&scenario, text, workflows).await?;
    let played = tokio::time::timeout(PATIENCE, stage.play(&scenario)).await.unwrap_or_else(|_| {
        Err(format!("it takes longer than {} s; does a run wait for a `wait`?", PATIENCE.as_secs()))
    });
    stage.leave().await;
    let mut out = std::io::stdout().lock();
    match played {
        Ok(()) => {
            let (entries, took) = (scenario.script.len(), began.elapsed().as_secs_f64());
            writeln!(out, "ok    {}: {entries} entries in {took:.1} s", path.display())?;
            Ok(Verdict::Right)
        }
        Err(difference) => {
            writeln!(out, "WRONG {}: {difference}", path.display())?;
            Ok(Verdict::Different)
        }
    }
}
