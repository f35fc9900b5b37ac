//! The actions and the workflows of the configuration.

use super::report::Report;
use crate::built_in;
use crate::commands::check_server;
use crate::config::Config;
use crate::watch;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use warroom_mattermost::Client;
use warroom_workflow::{Catalog, Diagnostic, Severity, Workflow, check_all};

/// What of a token file's mode lets others than its owner and group read it, or others than its owner write it.
const OPEN_BITS: u32 = 0o027;

/// Whether others can read the file of the bot's token, or put another one there.
pub(super) fn check_token_file(config: &Config, report: &mut Report) {
    let Some(path) = &config.token_file else { return };
    let Ok(mode) = std::fs::metadata(path).map(|metadata| metadata.permissions().mode()) else { return };
    if mode & OPEN_BITS != 0 {
        let finding =
            format!("{} can be read or written by others (mode {:03o})", path.display(), mode & 0o777);
        report.warning("token-file", finding, format!("`chmod 600 {}`", path.display()));
    }
}

/// The action types that workflows can use; none when the built-in ones cannot be loaded.
pub(super) async fn check_actions(config: &Config, report: &mut Report) -> Option<Catalog> {
    let (catalog, refused) = match built_in::catalog_and_refused(Some(config)).await {
        Ok(found) => found,
        Err(error) => {
            let remedy = "see that [actions] dir is a directory that can be read, or leave the key away";
            report.problem("actions", format!("{error:#}"), remedy);
            return built_in::catalog_and_refused(None).await.ok().map(|(catalog, _)| catalog);
        }
    };
    if refused.is_empty() {
        let names: Vec<&str> = catalog.type_names().collect();
        report.ok("actions", format!("{} types: {}", names.len(), names.join(", ")));
    }
    for reason in refused {
        let remedy = "correct the component, grant what it asks for in [[actions.grants]], or take it out of [actions] dir";
        report.problem("actions", reason, remedy);
    }
    Some(catalog)
}

/// The files that would be in force.
#[derive(Default)]
pub(super) struct Files {
    /// Name and text of each.
    texts: Vec<(String, String)>,
    /// Their workflows.
    pub(super) workflows: Vec<Workflow>,
}

/// Whether the workflow files can be read and have no errors.
pub(super) fn check_workflows(
    config: &Config,
    config_path: &Path,
    catalog: &Catalog,
    report: &mut Report,
) -> Files {
    let directory = config.workflows_dir.display();
    let paths = match watch::files(&config.workflows_dir, config.limits.workflow_files_max) {
        Ok(paths) => paths,
        Err(error) => {
            report.problem("workflows", error.problem, error.remedy);
            return Files::default();
        }
    };
    if paths.is_empty() {
        let remedy = "put a workflow file (*.json) there; samples/workflows has some";
        report.warning("workflows", format!("there is none in {directory}"), remedy);
        return Files::default();
    }
    let (mut files, mut read) = (Files::default(), Vec::new());
    for path in &paths {
        match watch::text(path) {
            Ok(text) => read.push((path.display().to_string(), text)),
            Err(error) => {
                let remedy = "let the service's user read it";
                report.problem("workflows", format!("{}: {error}", path.display()), remedy);
            }
        }
    }
    let pairs: Vec<_> = read.iter().map(|(name, text)| (name.as_str(), text.as_str())).collect();
    let checked = check_all(&pairs, catalog);
    let mut in_force = Vec::new();
    for ((name, text), checked) in read.into_iter().zip(checked) {
        if judge(&name, &checked.diagnostics, config_path, report) {
            in_force.push(format!("{name} ({})", checked.workflows.len()));
            files.workflows.extend(checked.workflows);
            files.texts.push((name, text));
        }
    }
    if !in_force.is_empty() {
        report.ok("workflows", format!("without errors: {}", in_force.join(", ")));
    }
    files
}

/// Reports what is wrong with a file; whether it can be in force.
fn judge(name: &str, diagnostics: &[Diagnostic], config_path: &Path, report: &mut Report) -> bool {
    let of = |severity: Severity| diagnostics.iter().filter(move |found| found.severity == severity);
    let remedy = format!("`warroom check --config {} {name}` shows all of it", config_path.display());
    let told = |first: &Diagnostic, count: usize| {
        let more = if count > 1 { format!(" (and {} more)", count - 1) } else { String::new() };
        format!("{name}:{}: {}{more}", first.line, first.message)
    };
    if let Some(first) = of(Severity::Error).next() {
        report.problem("workflows", told(first, of(Severity::Error).count()), remedy);
        return false;
    }
    if let Some(first) = of(Severity::Warning).next() {
        report.warning("workflows", told(first, of(Severity::Warning).count()), remedy);
    }
    true
}

/// Whether what the files name is on the server.
pub(super) async fn check_names(
    client: &Client,
    config: &Config,
    files: &Files,
    catalog: &Catalog,
    report: &mut Report,
) {
    if files.texts.is_empty() {
        return;
    }
    let pairs: Vec<_> = files.texts.iter().map(|(name, text)| (name.as_str(), text.as_str())).collect();
    let warnings = match check_server::warnings(client, &config.groups, &pairs, catalog).await {
        Ok(warnings) => warnings,
        Err(error) => return report.problem("names", format!("{error:#}"), "see the server's log"),
    };
    if warnings.iter().all(Vec::is_empty) {
        report.ok("names", "the teams, channels and people that workflows name are there");
    }
    for ((name, _), warnings) in pairs.iter().zip(warnings) {
        for warning in warnings {
            let finding = format!("{name}:{}: {}", warning.line, warning.message);
            report.warning("names", finding, warning.help.unwrap_or_default());
        }
    }
}

/// Whether the people, the groups' members and the channel that the configuration names are on the server.
pub(super) async fn check_configured(client: &Client, config: &Config, report: &mut Report) {
    if config.operators_notify.is_none() {
        let finding = "what concerns no single incident (a workflow file with errors, a channel that cannot be read) is only in the log";
        let remedy = "write `notify = \"TEAM/CHANNEL\"` under [operators], and have the bot in that channel";
        report.warning("operators", finding.to_owned(), remedy);
    }
    if config.managers.is_empty() {
        let finding = "an incident that is blocked before it has a room waits for who started it, or for an administrator of the server";
        let remedy = "name those on call in [permissions] managers";
        report.warning("managers", finding.to_owned(), remedy);
    }
    match check_server::configured(client, config).await {
        Ok((false, _)) => {}
        Ok((true, findings)) if findings.is_empty() => {
            report.ok("people", "those that [permissions], [groups] and [operators] name are there");
        }
        Ok((true, findings)) => {
            for (key, finding) in findings {
                report.warning("people", format!("{key}: {}", finding.message), finding.help);
            }
        }
        Err(error) => report.problem("people", format!("{error:#}"), "see the server's log"),
    }
}
