//! `warroom doctor`.

mod callback;
mod files;
mod numbering;
mod permissions;
mod report;
mod server;
#[cfg(test)]
mod tests;

use super::connection;
use crate::config::{Config, unknown_variables};
use report::Report;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{SystemTime, UNIX_EPOCH};
use warroom_mattermost::Client;

/// Finds out what stands between the configuration and incidents that run, and says for each what to do.
///
/// It changes nothing that stays: it writes posts to the bot itself and takes them away again. It can be run beside the service; then
/// it asks the service about the journal, over its socket ([http] admin_socket). It ends with 0 when there is no problem (warnings may be), and with 1 otherwise.
#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  warroom doctor --config /etc/warroom/warroom.toml
  warroom doctor --config warroom.toml --format json | jq '.[] | select(.verdict != \"ok\")'")]
pub(crate) struct Args {
    /// The configuration file.
    #[arg(long, value_name = "FILE", env = "WARROOM_CONFIG", default_value = "warroom.toml")]
    config: PathBuf,
    /// How findings are printed.
    #[arg(long, value_enum, default_value_t = Format::Human)]
    format: Format,
}

#[derive(Clone, Copy, clap::ValueEnum)]
enum Format {
    /// A line for each check.
    Human,
    /// A list of objects.
    Json,
}

pub(crate) async fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let now_ms = u64::try_from(now.as_millis()).unwrap_or(u64::MAX);
    let mut report = examine(&args.config, &|name| std::env::var(name).ok(), now_ms).await;
    for finding in unknown_variables() {
        report.warning("environment", finding, "correct its name; samples/warroom.toml explains every key");
    }
    let mut out = std::io::stdout().lock();
    match args.format {
        Format::Human => out.write_all(report.human().as_bytes())?,
        Format::Json => writeln!(out, "{:#}", report.json())?,
    }
    Ok(if report.has_problem() { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

/// Looks at everything; `now_ms` is the time by this machine's clock, in ms since 1970.
async fn examine(path: &Path, environment: &dyn Fn(&str) -> Option<String>, now_ms: u64) -> Report {
    let mut report = Report::default();
    let config = match Config::read(path, environment) {
        Ok(config) => config,
        Err(error) => {
            let remedy =
                "correct it; samples/warroom.toml explains every key, and `warroom setup` writes one";
            report.problem("configuration", error.to_string(), remedy);
            return report;
        }
    };
    report.ok("configuration", format!("{} can be read", path.display()));
    files::check_token_file(&config, &mut report);
    let client = match connection::client(&config) {
        Ok(client) => client,
        Err(error) => {
            report.problem("configuration", error.to_string(), "correct [mattermost]");
            return report;
        }
    };
    let listening = callback::listen(&config).await;
    let service_runs = listening.as_ref().is_ok_and(callback::Listening::is_service);
    let site = Site { path, config: &config, client: &client };
    let is_there = server::check_server(&client, &config, now_ms, &mut report).await;
    let me = if is_there { server::check_token(&client, &mut report).await } else { None };
    let mut teams = Vec::new();
    if let Some(me) = &me {
        teams = server::check_teams(&client, me, &mut report).await;
        permissions::check_teams(&client, &teams, &mut report).await;
        if let Some(direct) = permissions::check_posting(&client, me, &mut report).await {
            callback::check(&client, &config, &direct, listening, &mut report).await;
        }
    }
    if me.is_none() {
        let why = if is_there { "nobody knows whose the token is" } else { "the server does not answer" };
        let of_the_server = ["site-url", "clock", "token"];
        of_the_server.iter().filter(|_| !is_there).for_each(|check| report.skipped(check, why));
        for check in ["teams", "permissions", "posting", "callback", "names", "numbering"] {
            report.skipped(check, why);
        }
    }
    site.check_files(me.is_some().then_some(&teams), service_runs, &mut report).await;
    report
}

struct Site<'a> {
    path: &'a Path,
    config: &'a Config,
    client: &'a Client,
}

impl Site<'_> {
    /// The journal, the actions and the workflows; with the bot's teams, also what of them the server knows.
    async fn check_files(
        &self,
        teams: Option<&Vec<warroom_mattermost::Team>>,
        service_runs: bool,
        report: &mut Report,
    ) {
        if teams.is_some() {
            files::check_configured(self.client, self.config, report).await;
        }
        let journal = numbering::open(self.config, service_runs, report).await;
        if let Some(catalog) = files::check_actions(self.config, report).await {
            let files = files::check_workflows(self.config, self.path, &catalog, report);
            if let Some(teams) = teams {
                files::check_names(self.client, self.config, &files, &catalog, report).await;
                let workflows = &files.workflows;
                numbering::check(self.client, teams, &journal, workflows, &catalog, report).await;
            }
        }
        if let numbering::Journal::Open(store) = journal {
            store.close().await;
        }
    }
}
