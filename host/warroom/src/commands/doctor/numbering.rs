//! The journal, and whether the numbers that it will give lead to rooms whose names are free.

use super::report::Report;
use crate::commands::door::Door;
use crate::config::Config;
use std::path::Path;
use warroom_mattermost::{ApiError, Client, Team};
use warroom_store::{Options, Store, StoreError};
use warroom_workflow::{Action, ActionKind, Catalog, Workflow};

/// How far a free number is searched for: in this many steps, each twice as far as the one before.
const STEPS_MAX: u32 = 20;

/// The journal, as far as it can be looked at.
pub(super) enum Journal {
    /// There is none yet: every workflow begins with its first number.
    Fresh,
    /// It is open.
    Open(Store),
    /// The service works with it, and can be asked.
    Served(Door),
    /// It cannot be opened.
    Closed,
}

impl Journal {
    /// The number that the workflow's next run gets, unless the file wants a higher one; none while it had no run.
    async fn next_number(&self, workflow: &str) -> anyhow::Result<Option<u64>> {
        match self {
            Journal::Open(store) => Ok(store.next_number(workflow).await?),
            Journal::Served(door) => door.next_number(workflow).await,
            Journal::Fresh | Journal::Closed => Ok(None),
        }
    }
}

/// Whether the journal opens.
pub(super) async fn open(config: &Config, service_runs: bool, report: &mut Report) -> Journal {
    let path = config.store_url.trim_start_matches("sqlite:").trim_start_matches("//");
    if path == ":memory:" {
        let remedy = "write `url = \"sqlite:warroom.db\"` in [store]";
        report.warning("store", "it is kept in memory: a restart forgets every incident", remedy);
        return Journal::Fresh;
    }
    let path = Path::new(path);
    if !path.exists() {
        let directory = path.parent().unwrap_or(path);
        if directory.is_dir() || directory == Path::new("") {
            report.ok("store", format!("{} is not there yet; the service makes it", path.display()));
        } else {
            let remedy = "make it, and let the service's user write there";
            report.problem("store", format!("there is no directory {}", directory.display()), remedy);
        }
        return Journal::Fresh;
    }
    match Store::open(&config.store_url, Options::default()).await {
        Ok(store) => {
            report.ok("store", format!("{} opens", path.display()));
            Journal::Open(store)
        }
        Err(StoreError::Locked { .. }) if service_runs => {
            report.ok("store", "the running service works with it");
            Journal::Served(Door::of(config))
        }
        Err(error) => {
            let remedy = "the journal is for one program at a time, and for the service's user";
            report.problem("store", error.to_string(), remedy);
            Journal::Closed
        }
    }
}

/// Whether the next incident of each workflow finds the name of its room free.
pub(super) async fn check(
    client: &Client,
    teams: &[Team],
    journal: &Journal,
    workflows: &[Workflow],
    catalog: &Catalog,
    report: &mut Report,
) {
    if matches!(journal, Journal::Closed) {
        if !workflows.is_empty() {
            report.skipped("numbering", "the journal cannot be opened");
        }
        return;
    }
    for workflow in workflows {
        let next = match journal.next_number(workflow.name.as_str()).await {
            Ok(next) => next.unwrap_or(0).max(workflow.instance_number_start),
            // It is the same for the other workflows.
            Err(error) if matches!(journal, Journal::Served(_)) => {
                let remedy = "to have it looked at too, run the doctor as the service's user, or while the service is stopped";
                return report.warning("numbering", format!("not looked at: {error:#}"), remedy);
            }
            Err(error) => {
                report.problem("numbering", error.to_string(), "see the journal's file");
                continue;
            }
        };
        for room in rooms(workflow, catalog, teams) {
            let judged = judge(client, workflow, &room, next, report).await;
            if let Err(error) = judged {
                report.problem("numbering", error.to_string(), "see the server's log");
            }
        }
    }
}

/// A room whose handle varies only with the incident's number.
struct Room<'a> {
    handle: &'a str,
    teams: Vec<&'a Team>,
}

fn rooms<'a>(workflow: &'a Workflow, catalog: &Catalog, teams: &'a [Team]) -> Vec<Room<'a>> {
    let room = |action: &'a Action| {
        let ActionKind::Component { type_name, parameters, .. } = &action.kind else { return None };
        let schema = catalog.get(type_name)?.parameters.get("properties")?;
        let is_new = |key: &String| {
            let role = schema.get(key).and_then(|schema| schema.get("x-warroom-role"));
            role.and_then(|role| role.as_str()) == Some("new-channel")
        };
        let (_, handle) = parameters.iter().find(|(key, _)| is_new(key))?;
        let handle = handle.as_str()?;
        numbered(handle, 1).filter(|numbered| numbered != handle)?;
        let named =
            parameters.get("team_name").and_then(|team| team.as_str()).filter(|team| !team.is_empty());
        let listens = workflow.triggers.iter().flat_map(|trigger| &trigger.team_names);
        let listens: Vec<&String> = listens.collect();
        let watches_all = workflow.triggers.iter().any(|trigger| trigger.team_names.is_empty());
        let is_meant = |team: &&Team| match named {
            Some(named) => team.name == named,
            None => watches_all || listens.iter().any(|name| **name == team.name),
        };
        Some(Room { handle, teams: teams.iter().filter(is_meant).collect() })
    };
    workflow.actions().filter_map(room).collect()
}

/// The handle with a number in it; none when it holds another template.
fn numbered(handle: &str, number: u64) -> Option<String> {
    let (mut text, mut rest) = (String::new(), handle);
    while let Some((before, after)) = rest.split_once("{{") {
        let (template, behind) = after.split_once("}}")?;
        if template.trim_matches(['-', ' ']) != ".Instance.Number" {
            return None;
        }
        text.push_str(before);
        text.push_str(&number.to_string());
        rest = behind;
    }
    text.push_str(rest);
    Some(text.to_lowercase())
}

async fn judge(
    client: &Client,
    workflow: &Workflow,
    room: &Room<'_>,
    next: u64,
    report: &mut Report,
) -> Result<(), ApiError> {
    let handle = numbered(room.handle, next).unwrap_or_default();
    if !is_taken(client, room, next).await? {
        report
            .ok("numbering", format!("{}: the next incident is {next}, and {handle} is free", workflow.name));
        return Ok(());
    }
    let finding =
        format!("{}: the next incident is {next}, but there is a channel {handle} already", workflow.name);
    let remedy = match free_after(client, room, next).await? {
        Some(free) => format!(
            "write `\"instance_number_start\": {free}` in the workflow; or restore the journal that made it"
        ),
        None => "name the channels of the workflow differently".to_owned(),
    };
    report.problem("numbering", finding, remedy);
    Ok(())
}

/// The number after the last one that is taken, as far as rooms were numbered without gaps.
async fn free_after(client: &Client, room: &Room<'_>, taken: u64) -> Result<Option<u64>, ApiError> {
    let (mut low, mut high) = (taken, None);
    for step in 0..STEPS_MAX {
        let candidate = taken.saturating_add(1 << step);
        if !is_taken(client, room, candidate).await? {
            high = Some(candidate);
            break;
        }
        low = candidate;
    }
    let Some(mut high) = high else { return Ok(None) };
    // At most as many steps as doubled it.
    while high - low > 1 {
        let middle = low + (high - low) / 2;
        if is_taken(client, room, middle).await? { low = middle } else { high = middle }
    }
    Ok(Some(high))
}

async fn is_taken(client: &Client, room: &Room<'_>, number: u64) -> Result<bool, ApiError> {
    let Some(handle) = numbered(room.handle, number) else { return Ok(false) };
    for team in &room.teams {
        match client.channel_by_name(&team.id, &handle, true).await {
            Ok(_) => return Ok(true),
            // A private channel that the bot is not in.
            Err(error) if error.status() == Some(403) => return Ok(true),
            Err(error) if error.status() == Some(404) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(false)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_handle_is_numbered_when_nothing_else_varies_it() {
        assert_eq!(numbered("Sec-{{ .Instance.Number -}}-x", 7).as_deref(), Some("sec-7-x"));
        assert_eq!(numbered("room", 7).as_deref(), Some("room"));
        assert_eq!(numbered("a-{{.Trigger.T.Groups.x}}-{{.Instance.Number}}", 7), None);
        assert_eq!(numbered("a-{{", 7), None);
    }
}
