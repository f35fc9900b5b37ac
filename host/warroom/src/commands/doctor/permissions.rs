//! What the bot may do, found out by calls that change nothing which stays: the server looks at permissions first, so what it
//! refuses for another reason it would have allowed.

use super::report::Report;
use warroom_mattermost::{ApiError, Channel, ChannelKind, Client, NewChannel, NewPost, Team, User};

/// The most teams that are tried.
const TEAMS_MAX: usize = 20;
/// No channel can have this handle: it has a blank and a question mark.
const IMPOSSIBLE_HANDLE: &str = "may i?";
/// The handle of the channel that each team has, and that cannot be archived.
const DEFAULT_CHANNEL: &str = "town-square";
/// Has the form of an id, and is nobody's.
const NOBODY: &str = "zzzzzzzzzzzzzzzzzzzzzzzzzz";

/// Whether the bot may make and archive rooms and add people to them, in each of its teams.
pub(super) async fn check_teams(client: &Client, teams: &[Team], report: &mut Report) {
    for team in teams.iter().take(TEAMS_MAX) {
        let mut lacks = Vec::new();
        for (kind, what) in
            [(ChannelKind::Public, "make public channels"), (ChannelKind::Private, "make private channels")]
        {
            collect(&mut lacks, what, may_create(client, team, kind).await);
        }
        match client.channel_by_name(&team.id, DEFAULT_CHANNEL, false).await {
            Ok(square) => {
                collect(&mut lacks, "archive public channels", may_archive(client, &square).await);
                collect(&mut lacks, "add people to channels", may_add(client, &square).await);
            }
            Err(error) => lacks.push(format!("see {DEFAULT_CHANNEL} ({error})")),
        }
        if lacks.is_empty() {
            let finding = format!(
                "on {}: make public and private channels, archive public ones, add people to public ones (that cannot be tried with \
                 private ones)",
                team.name
            );
            report.ok("permissions", finding);
        } else {
            let finding = format!("on {} the bot may not {}", team.name, lacks.join(", nor "));
            let remedy = "allow it in System Console > User Management > Permissions, or make the bot an administrator of the \
                          team";
            report.problem("permissions", finding, remedy);
        }
    }
    if teams.len() > TEAMS_MAX {
        let finding = format!("{} more teams were not tried", teams.len() - TEAMS_MAX);
        report.warning("permissions", finding, "nothing, if they have the same scheme as the others");
    }
}

fn collect(lacks: &mut Vec<String>, what: &str, allowed: Result<bool, ApiError>) {
    match allowed {
        Ok(true) => {}
        Ok(false) => lacks.push(what.to_owned()),
        Err(error) => lacks.push(format!("{what} ({error})")),
    }
}

/// Refused for its handle: allowed.
async fn may_create(client: &Client, team: &Team, kind: ChannelKind) -> Result<bool, ApiError> {
    let new = NewChannel {
        team_id: team.id.clone(),
        name: IMPOSSIBLE_HANDLE.to_owned(),
        display_name: "May I?".to_owned(),
        kind,
        header: String::new(),
        purpose: String::new(),
    };
    match client.create_channel(&new).await {
        // A server that makes something of such a handle: it is put away again.
        Ok(made) => client.archive_channel(&made.id).await.map(|()| true),
        Err(error) if error.id().starts_with("model.channel.is_valid.") => Ok(true),
        Err(error) => refused(error),
    }
}

/// Refused since it is the default channel, which no server archives: allowed.
async fn may_archive(client: &Client, square: &Channel) -> Result<bool, ApiError> {
    match client.archive_channel(&square.id).await {
        Ok(()) => Ok(true),
        Err(error) if error.id() == "api.channel.delete_channel.cannot.app_error" => Ok(true),
        Err(error) => refused(error),
    }
}

/// Refused since there is no such person: allowed.
async fn may_add(client: &Client, square: &Channel) -> Result<bool, ApiError> {
    match client.add_member(&square.id, NOBODY).await {
        Ok(_) => Ok(true),
        Err(error) if matches!(error.status(), Some(404 | 400)) => Ok(true),
        Err(error) => refused(error),
    }
}

fn refused(error: ApiError) -> Result<bool, ApiError> {
    if error.status() == Some(403) { Ok(false) } else { Err(error) }
}

/// Whether the bot can post, pin and delete where only it sees it. Gives the channel, for further posts.
pub(super) async fn check_posting(client: &Client, me: &User, report: &mut Report) -> Option<Channel> {
    let direct = match client.direct_channel(&me.id, &me.id).await {
        Ok(direct) => direct,
        Err(error) => {
            let remedy = "allow the bot to write direct messages, in System Console > Site Configuration > Users and Teams";
            report.problem("posting", error.to_string(), remedy);
            return None;
        }
    };
    match try_posting(client, &direct).await {
        Ok(()) => report.ok("posting", "the bot posts, pins, unpins and deletes"),
        Err(error) => {
            let remedy = "allow it in System Console > User Management > Permissions";
            report.problem("posting", error.to_string(), remedy);
        }
    }
    Some(direct)
}

async fn try_posting(client: &Client, direct: &Channel) -> Result<(), ApiError> {
    let message = "`warroom doctor` tries whether posts can be written. It takes this one away again.";
    let post =
        client.create_post(&NewPost { message: message.to_owned(), ..NewPost::to(&direct.id) }).await?;
    let pinned = client.pin_post(&post.id).await;
    let unpinned = client.unpin_post(&post.id).await;
    client.delete_post(&post.id).await?;
    pinned.and(unpinned)
}
