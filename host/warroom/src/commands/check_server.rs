//! Whether the teams, channels, people and groups that workflows name literally are on the server.

use crate::config::Config;
use std::collections::{BTreeMap, BTreeSet};
use warroom_engine::is_id;
use warroom_mattermost::{ApiError, Client, Team};
use warroom_workflow::{Catalog, Diagnostic, Reference, ReferenceKind, references, slug};

/// The most names of people that are looked up as groups, one call each.
const GROUPS_MAX: usize = 200;

/// What there is to say about a name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Finding {
    pub(super) message: String,
    pub(super) help: String,
}

/// Groups of the configuration: names, in lower case, and members.
type Groups = BTreeMap<String, Vec<String>>;

/// What was looked up already: the same names come again and again.
type Known = BTreeMap<(ReferenceKind, Vec<String>, String), Option<Finding>>;

/// Asks the server for every name in the files, given as pairs of name and text, and gives warnings for each file. `groups` are
/// those that the configuration defines.
///
/// # Errors
/// When the server cannot be asked.
pub(super) async fn warnings(
    client: &Client,
    groups: &Groups,
    files: &[(&str, &str)],
    catalog: &Catalog,
) -> anyhow::Result<Vec<Vec<Diagnostic>>> {
    let all: Vec<Vec<Reference>> = files.iter().map(|(_, text)| references(text, catalog)).collect();
    let server = Server { client, teams: client.teams_of_me().await? };
    let people = all.iter().flatten().filter(|reference| reference.kind == ReferenceKind::Person);
    let people = people.map(|reference| reference.name.clone()).filter(|name| !is_group(groups, name));
    let strangers = server.strangers(people.collect(), true).await?;
    let mut known = Known::new();
    let mut warnings = Vec::with_capacity(files.len());
    for ((_, text), references) in files.iter().zip(&all) {
        let mut of_file = Vec::new();
        for reference in references {
            let finding = match reference.kind {
                ReferenceKind::Person => strangers.get(&reference.name).cloned(),
                _ => server.remembered(reference, &mut known).await?,
            };
            let warning = finding.and_then(|found| reference.warning(text, found.message, found.help));
            of_file.extend(warning);
        }
        warnings.push(of_file);
    }
    Ok(warnings)
}

/// Asks the server for every name in the configuration: managers, members of groups, the operators' channel. Gives what there is to
/// say, with the key; and whether there was a name at all.
///
/// # Errors
/// When the server cannot be asked.
pub(super) async fn configured(
    client: &Client,
    config: &Config,
) -> anyhow::Result<(bool, Vec<(&'static str, Finding)>)> {
    let bare = |name: &String| name.trim_start_matches('@').to_owned();
    let managers: BTreeSet<String> = config.managers.iter().map(bare).collect();
    let members: BTreeSet<String> = config.groups.values().flatten().map(bare).collect();
    let has_names = !managers.is_empty() || !members.is_empty() || config.operators_notify.is_some();
    if !has_names {
        return Ok((false, Vec::new()));
    }
    let server = Server { client, teams: client.teams_of_me().await? };
    let mut findings = Vec::new();
    if let Some((team, channel)) = &config.operators_notify {
        let finding = match server.team(team).await? {
            Some(finding) => Some(finding),
            None => server.channel(channel, std::slice::from_ref(team)).await?,
        };
        findings.extend(finding.map(|finding| ("[operators] notify", finding)));
    }
    let managers = managers.into_iter().filter(|name| !is_group(&config.groups, name)).collect();
    for (key, names, may_be_groups) in
        [("[permissions] managers", managers, true), ("[groups]", members, false)]
    {
        let strangers = server.strangers(names, may_be_groups).await?;
        findings.extend(strangers.into_values().map(|finding| (key, finding)));
    }
    Ok((true, findings))
}

/// Whether the configuration defines the group; as at run time, case does not count.
fn is_group(groups: &Groups, name: &str) -> bool {
    groups.contains_key(&name.to_lowercase())
}

struct Server<'a> {
    client: &'a Client,
    /// Those that the bot is on.
    teams: Vec<Team>,
}

/// Whether a channel can be used.
enum Found {
    Open,
    Archived,
    Nowhere,
}

impl Server<'_> {
    async fn remembered(&self, reference: &Reference, known: &mut Known) -> anyhow::Result<Option<Finding>> {
        let key = (reference.kind, reference.teams.clone(), reference.name.clone());
        if let Some(finding) = known.get(&key) {
            return Ok(finding.clone());
        }
        let finding = match reference.kind {
            ReferenceKind::Team => self.team(&reference.name).await?,
            _ => self.channel(&reference.name, &reference.teams).await?,
        };
        known.insert(key, finding.clone());
        Ok(finding)
    }

    async fn team(&self, name: &str) -> anyhow::Result<Option<Finding>> {
        if self.has_team(name).is_some() {
            return Ok(None);
        }
        // A server answers 403, not 404, for a team that others are on.
        let exists = match self.client.team_by_name(name).await {
            Ok(_) => true,
            Err(error) if error.status() == Some(403) => true,
            Err(error) if is_missing(&error) => false,
            Err(error) => return Err(error.into()),
        };
        Ok(Some(if exists {
            let help = format!("add the bot to it, for example with `warroom setup … --team {name}`");
            Finding {
                message: format!("the bot is not on the team `{name}`, so it sees and does nothing there"),
                help,
            }
        } else {
            let help =
                "write the handle as it stands in the team's links, after the server's address".to_owned();
            Finding { message: format!("there is no team `{name}` on the server"), help }
        }))
    }

    fn has_team(&self, name: &str) -> Option<&Team> {
        self.teams.iter().find(|team| team.name == name || team.id == name)
    }

    async fn channel(&self, name: &str, teams: &[String]) -> anyhow::Result<Option<Finding>> {
        let among: Vec<&Team> = if teams.is_empty() {
            self.teams.iter().collect()
        } else {
            teams.iter().filter_map(|name| self.has_team(name)).collect()
        };
        // Teams that are not there are reported themselves.
        if among.is_empty() {
            return Ok(None);
        }
        let mut archived = false;
        for team in &among {
            match self.find_channel(&team.id, name).await? {
                Found::Open => return Ok(None),
                Found::Archived => archived = true,
                Found::Nowhere => {}
            }
        }
        let names: Vec<&str> = among.iter().map(|team| team.name.as_str()).collect();
        let names = names.join(", ");
        Ok(Some(if archived {
            let help = "unarchive it, or name another one".to_owned();
            Finding { message: format!("the channel `{name}` is archived (team {names})"), help }
        } else {
            let help = "check the name, or make the channel; if it is a private one, invite the bot to it"
                .to_owned();
            Finding { message: format!("the bot sees no channel `{name}` (team {names})"), help }
        }))
    }

    async fn find_channel(&self, team_id: &str, name: &str) -> anyhow::Result<Found> {
        let handle = slug(name);
        if handle.len() >= 2 {
            match self.client.channel_by_name(team_id, &handle, true).await {
                Ok(channel) if channel.is_archived() => return Ok(Found::Archived),
                Ok(_) => return Ok(Found::Open),
                Err(error) if is_missing(&error) || error.status() == Some(403) => {}
                Err(error) => return Err(error.into()),
            }
        }
        let listed = self.client.search_channels(team_id, name).await?;
        if listed.iter().any(|channel| channel.display_name == name && !channel.is_archived()) {
            return Ok(Found::Open);
        }
        if !is_id(name) {
            return Ok(Found::Nowhere);
        }
        match self.client.channel_by_id(name).await {
            Ok(channel) if channel.team_id != team_id => Ok(Found::Nowhere),
            Ok(channel) => Ok(if channel.is_archived() { Found::Archived } else { Found::Open }),
            Err(error) if is_missing(&error) || error.status() == Some(403) => Ok(Found::Nowhere),
            Err(error) => Err(error.into()),
        }
    }

    /// Those names that are nobody's who could be added to a channel, with what to say. They may be the server's groups, where
    /// those are taken.
    async fn strangers(
        &self,
        mut unknown: BTreeSet<String>,
        may_be_groups: bool,
    ) -> anyhow::Result<BTreeMap<String, Finding>> {
        let names: Vec<String> = unknown.iter().map(|name| name.to_lowercase()).collect();
        let ids: Vec<String> = unknown.iter().filter(|name| is_id(name)).cloned().collect();
        let mut users = self.client.users_by_usernames(&names).await?;
        users.extend(self.client.users_by_ids(&ids).await?);
        let mut strangers = BTreeMap::new();
        for user in users {
            let named = |name: &String| *name == user.id || name.to_lowercase() == user.username;
            for name in unknown.iter().filter(|name| named(name)).cloned().collect::<Vec<_>>() {
                unknown.remove(&name);
                if user.delete_at != 0 {
                    let help = "activate the account, or name somebody else".to_owned();
                    let message = format!("the account of `{name}` is deactivated");
                    strangers.insert(name, Finding { message, help });
                }
            }
        }
        let mut has_groups = may_be_groups;
        for (at, name) in unknown.into_iter().enumerate() {
            if has_groups && at < GROUPS_MAX {
                match self.is_group_of_server(&name).await? {
                    Some(true) => continue,
                    Some(false) => {}
                    None => has_groups = false,
                }
            }
            let (what, help) = if may_be_groups {
                (
                    "nobody, and no group, on the server",
                    "check the name as it stands in the profile, or define a group of this name in [groups] of the configuration",
                )
            } else {
                ("nobody on the server", "check the name as it stands in the profile")
            };
            let message = format!("`{name}` is {what}");
            strangers.insert(name, Finding { message, help: help.to_owned() });
        }
        Ok(strangers)
    }

    /// Whether the server has the group; none where it shows the bot no groups.
    async fn is_group_of_server(&self, name: &str) -> anyhow::Result<Option<bool>> {
        let wanted = name.to_lowercase();
        match self.client.groups(&wanted).await {
            Ok(Some(found)) => {
                Ok(Some(found.iter().any(|group| group.name == wanted && group.delete_at == 0)))
            }
            Ok(None) => Ok(None),
            // Not every bot may look; then there is no group that it could name.
            Err(error) if matches!(error.status(), Some(403 | 404)) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }
}

fn is_missing(error: &ApiError) -> bool {
    error.status() == Some(404)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::built_in;
    use serde_json::json;
    use warroom_mattermost::{ClientOptions, Token};
    use warroom_simulator::{Options, Simulator};

    const FILE: &str = r##"[{
  "name": "w",
  "triggers": [
    {"name": "T", "type": "text", "match": "#x", "team_name": ["infosec", "nowhere", "other"], "channel_name": ["Town Square", "Old", "gone"]}
  ],
  "steps": [{"name": "S", "start_actions": [
    {"type": "create_channel", "name": "A", "channel_name": "room-{{.Instance.Number}}"},
    {"type": "add_users_channel", "name": "B", "channel_name": "{{.Action.A.ChannelName}}", "notify": true,
     "users": ["@jon", "Chris", "OnCall", "nobody", "{{.Trigger.T.UserName}}"]},
    {"type": "post", "name": "C", "channel_name": "town-square", "message": "Hello @jon",
     "transitions": [{"label": "L", "to": "S", "allowed": "sam, ghost"}]}
  ]}]
}]"##;

    async fn call(
        simulator: &Simulator,
        method: &str,
        path: &str,
        body: serde_json::Value,
    ) -> serde_json::Value {
        let url = format!("{}/api/v4{path}", simulator.url());
        let request = reqwest::Client::new().request(method.parse().unwrap(), url);
        let answer = request.bearer_auth(simulator.admin_token()).json(&body).send().await.unwrap();
        assert!(answer.status().is_success(), "{method} {path}: {answer:?}");
        answer.json().await.unwrap()
    }

    #[tokio::test]
    async fn what_is_not_on_the_server_is_told_in_its_place() {
        let simulator = Simulator::start(Options::default()).await.unwrap();
        let team = json!({"name": "other", "display_name": "Other", "type": "O"});
        call(&simulator, "POST", "/teams", team).await;
        let old = json!({"team_id": simulator.team_id(), "name": "old", "display_name": "Old", "type": "O"});
        let old = call(&simulator, "POST", "/channels", old).await;
        let path = format!("/channels/{}", old["id"].as_str().unwrap());
        call(&simulator, "DELETE", &path, json!({})).await;

        let client =
            Client::new(ClientOptions::new(simulator.url(), Token::new(simulator.bot_token()))).unwrap();
        let catalog = built_in::catalog_with(None).await.unwrap();
        let groups = Groups::from([("oncall".to_owned(), Vec::new())]);
        let found = warnings(&client, &groups, &[("w.json", FILE)], &catalog).await.unwrap();
        let told: Vec<String> =
            found[0].iter().map(|one| format!("{} {} {}", one.line, one.code, one.message)).collect();
        assert_eq!(
            told,
            [
                "4 W030 there is no team `nowhere` on the server",
                "4 W030 the bot is not on the team `other`, so it sees and does nothing there",
                "4 W031 the channel `Old` is archived (team infosec)",
                "4 W031 the bot sees no channel `gone` (team infosec)",
                "9 W032 `nobody` is nobody, and no group, on the server",
                "11 W032 `ghost` is nobody, and no group, on the server",
            ]
        );
        assert!(found[0].iter().all(|one| one.help.is_some()));
        let without = warnings(&client, &Groups::new(), &[("w.json", FILE)], &catalog).await.unwrap();
        assert_eq!(without[0].len(), found[0].len() + 1);
    }

    #[tokio::test]
    async fn a_server_that_is_away_is_an_error() {
        let simulator = Simulator::start(Options::default()).await.unwrap();
        let client =
            Client::new(ClientOptions::new(simulator.url(), Token::new(simulator.bot_token()))).unwrap();
        simulator.go_away();
        let catalog = Catalog::new([]).unwrap();
        assert!(warnings(&client, &Groups::new(), &[], &catalog).await.is_err());
    }

    /// A server that knows one person, and answers a search for groups so.
    async fn answering(groups: axum::http::StatusCode, body: serde_json::Value) -> String {
        use axum::routing::{get, post};
        let me = json!([{"id": "zzzzzzzzzzzzzzzzzzzzzzzzzz", "username": "jon"}]);
        let people = move || std::future::ready(axum::Json(me.clone()));
        let app = axum::Router::new()
            .route("/api/v4/users/me/teams", get(|| std::future::ready(axum::Json(json!([])))))
            .route("/api/v4/users/usernames", post(people))
            .route("/api/v4/groups", get(move || std::future::ready((groups, axum::Json(body.clone())))));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        tokio::spawn(async move { axum::serve(listener, app).await });
        url
    }

    #[tokio::test]
    async fn groups_of_the_server_are_found_as_at_run_time() {
        use axum::http::StatusCode;
        let refusal = json!({"id": "api.context.permissions.app_error", "message": "no", "status_code": 403});
        let group = json!([{"id": "g", "name": "oncall", "display_name": "On call", "delete_at": 0}]);
        for (status, body, strangers) in [
            (StatusCode::OK, group, vec![]),
            (StatusCode::OK, json!([]), vec!["OnCall"]),
            (StatusCode::FORBIDDEN, refusal, vec!["OnCall"]),
        ] {
            let url = answering(status, body).await;
            let client = Client::new(ClientOptions::new(&url, Token::new("t"))).unwrap();
            let server = Server { client: &client, teams: Vec::new() };
            let names = BTreeSet::from(["Jon".to_owned(), "OnCall".to_owned()]);
            let found = server.strangers(names, true).await.unwrap();
            assert_eq!(found.into_keys().collect::<Vec<_>>(), strangers, "{status}");
        }
    }
}
