//! The bot's account and its teams.

use super::console::Progress;
use super::settings::BOTS;
use anyhow::{Context as _, bail};
use warroom_mattermost::{ApiError, Bot, Client, Team};

/// The teams with these handles.
///
/// # Errors
/// When one is missing or archived: all of those are named, and nothing was changed.
pub(super) async fn find_teams(client: &Client, names: &[String]) -> anyhow::Result<Vec<Team>> {
    let (mut teams, mut missing) = (Vec::<Team>::new(), Vec::new());
    for name in names {
        match found(client.team_by_name(name).await)? {
            Some(team) if team.delete_at == 0 => {
                if teams.iter().all(|known| known.id != team.id) {
                    teams.push(team);
                }
            }
            _ => missing.push(name.as_str()),
        }
    }
    if !missing.is_empty() {
        bail!(
            "there is no team {}: write the handle as it stands in the team's links, after the server's address",
            missing.join(", ")
        );
    }
    Ok(teams)
}

/// The bot with this handle, made when it is not there, enabled when it is disabled.
///
/// # Errors
/// When the handle is a person's, or the server refuses.
pub(super) async fn ensure_bot(
    client: &Client,
    name: &str,
    progress: &mut Progress<'_>,
) -> anyhow::Result<Bot> {
    let Some(bot) = client.bot_by_name(name).await? else {
        if found(client.user_by_username(name).await)?.is_some() {
            bail!("@{name} is a person's account, not a bot's: choose another name with --bot-name");
        }
        BOTS.require(client, progress).await?;
        let description = "Runs incident workflows.";
        let bot = client.create_bot(name, "Warroom", description).await?;
        progress.changed(&format!("the bot @{name} is made"));
        return Ok(bot);
    };
    if bot.delete_at == 0 {
        progress.is_right(&format!("the bot @{name} is there"));
        return Ok(bot);
    }
    if !progress.confirm(&format!("The bot @{name} is disabled. Enable it now?")) {
        bail!(
            "the bot @{name} is disabled: enable it in the main menu under Integrations > Bot Accounts, then run this again"
        );
    }
    let bot = client.enable_bot(&bot.user_id).await?;
    progress.changed(&format!("the bot @{name} is enabled"));
    Ok(bot)
}

/// Makes the bot a member of the teams.
///
/// # Errors
/// When the server refuses.
pub(super) async fn join_teams(
    client: &Client,
    bot: &Bot,
    teams: &[Team],
    progress: &mut Progress<'_>,
) -> anyhow::Result<()> {
    for team in teams {
        let member = found(client.team_member(&team.id, &bot.user_id).await)?;
        if member.is_some_and(|member| member.delete_at == 0) {
            progress.is_right(&format!("@{} is on the team {}", bot.username, team.name));
        } else {
            let added = client.add_team_member(&team.id, &bot.user_id).await;
            added.with_context(|| format!("the team {} does not take @{}", team.name, bot.username))?;
            progress.changed(&format!("@{} is on the team {}", bot.username, team.name));
        }
    }
    Ok(())
}

/// What is not there is an answer, not an error.
pub(super) fn found<T>(result: Result<T, ApiError>) -> anyhow::Result<Option<T>> {
    match result {
        Ok(value) => Ok(Some(value)),
        Err(error) if error.status() == Some(404) => Ok(None),
        Err(error) => Err(error.into()),
    }
}
