//! `warroom graph`: draws the state machine of each workflow of a file.
//!
//! A workflow becomes a [`machine::Machine`]: states and arrows, nothing else. `mermaid` prints one as text that other
//! tools lay out; `placement` has a library lay it out, `route` turns the places into lines, and `svg` draws them. All of
//! it is pure: the same file gives the same bytes.

mod machine;
mod mermaid;
mod offers;
mod placement;
mod route;
mod span;
mod state_box;
mod svg;
mod text;

use super::counted;
use crate::built_in;
use anyhow::{Context as _, bail};
use machine::Machine;
use std::fmt::Write as _;
use std::io::{IsTerminal as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use warroom_workflow::{Catalog, Severity, Workflow, check, render_diagnostics};

/// How many names an error lists.
const NAMES_MAX: usize = 20;

/// Draws the steps of a workflow, their actions, and the transitions between them.
///
/// A solid arrow is a transition that somebody presses, or that an action asks for; a dashed one is taken by itself. A step
/// that no transition leads to has a dashed frame. Several workflows are drawn one below the other.
///
/// Ends with 0 when it is drawn, 1 when the file has errors, which are printed to the standard error as `check` prints them,
/// 2 when the file cannot be read.
#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  warroom graph samples/workflows/security_issue.json > security_issue.svg
  warroom graph incidents.json --workflow outage --output outage.svg
  warroom graph incidents.json --format mermaid         for Markdown, inside a ```mermaid block")]
pub(crate) struct Args {
    /// A workflow file.
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// svg: a picture for browsers; mermaid: text that GitHub, GitLab, Mattermost's plugins and wikis draw.
    #[arg(long, value_enum, default_value_t = Format::Svg)]
    format: Format,
    /// Draw only the workflow with this name.
    #[arg(long, value_name = "NAME")]
    workflow: Option<String>,
    /// Write to this file instead of the standard output.
    #[arg(long, value_name = "PATH")]
    output: Option<PathBuf>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Format {
    Svg,
    Mermaid,
}

pub(crate) async fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let text = match std::fs::read_to_string(&args.file) {
        Ok(text) => text,
        Err(error) => {
            let _ = writeln!(std::io::stderr(), "warroom: cannot read {}: {error}", args.file.display());
            return Ok(ExitCode::from(2));
        }
    };
    let catalog = built_in::catalog_with(None).await?;
    let checked = check(&text, &catalog);
    let errors = checked.diagnostics.iter().filter(|found| found.severity == Severity::Error).count();
    if errors > 0 {
        // Not to the standard output: that is a picture, and often a file by now.
        let name = args.file.display().to_string();
        let color = std::io::stderr().is_terminal();
        let rendered = render_diagnostics(&name, &text, &checked.diagnostics, color);
        let warnings = checked.diagnostics.len() - errors;
        let mut err = std::io::stderr().lock();
        let (errors, warnings) = (counted(errors, "error"), counted(warnings, "warning"));
        let _ = writeln!(err, "{}\n{name}: {errors}, {warnings}", rendered.trim_end());
        return Ok(ExitCode::FAILURE);
    }
    let chosen = chosen(&checked.workflows, args.workflow.as_deref())
        .with_context(|| format!("cannot draw {}", args.file.display()))?;
    let drawn = draw(&chosen, &catalog, args.format)
        .with_context(|| format!("cannot draw {}", args.file.display()))?;
    write(&drawn, args.output.as_deref())?;
    Ok(ExitCode::SUCCESS)
}

/// The workflow with this name; none: all of them.
fn chosen<'file>(workflows: &'file [Workflow], name: Option<&str>) -> anyhow::Result<Vec<&'file Workflow>> {
    let Some(name) = name else { return Ok(workflows.iter().collect()) };
    if let Some(workflow) = workflows.iter().find(|workflow| workflow.name == name) {
        return Ok(vec![workflow]);
    }
    let mut known = String::new();
    for (place, workflow) in workflows.iter().take(NAMES_MAX).enumerate() {
        let _ = write!(known, "{}{}", if place > 0 { ", " } else { "" }, workflow.name);
    }
    if workflows.len() > NAMES_MAX {
        let _ = write!(known, " and {} more", workflows.len() - NAMES_MAX);
    }
    let name: String = name.chars().take(warroom_workflow::NAME_CHARS_MAX).collect();
    bail!("it has no workflow `{name}`; choose one of: {known}")
}

fn draw(workflows: &[&Workflow], catalog: &Catalog, format: Format) -> anyhow::Result<String> {
    let machines: Vec<_> = workflows.iter().map(|workflow| Machine::new(workflow, catalog)).collect();
    match format {
        Format::Svg => Ok(svg::draw(&machines)?),
        Format::Mermaid => Ok(mermaid::draw(&machines)),
    }
}

fn write(drawn: &str, output: Option<&Path>) -> anyhow::Result<()> {
    match output {
        Some(path) => std::fs::write(path, drawn)
            .with_context(|| format!("cannot write the drawing to {}", path.display())),
        None => std::io::stdout().lock().write_all(drawn.as_bytes()).context("cannot print the drawing"),
    }
}

#[cfg(test)]
mod fixtures;
