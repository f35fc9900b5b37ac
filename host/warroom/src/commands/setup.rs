//! `warroom setup`.

mod account;
mod config_file;
mod console;
mod settings;
#[cfg(test)]
mod tests;
mod token_file;

use super::counted;
use crate::config::LimitsConfig;
use anyhow::{Context as _, bail};
use config_file::{Existing, Wanted};
use console::{Console, Progress, Terminal};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use token_file::Holder;
use warroom_mattermost::{Bot, Client, ClientOptions, Team, Token};

/// The address that Mattermost calls when nothing else is said.
const CALLBACK_URL: &str = "http://127.0.0.1:8480";
/// How many pages of a team's public channels are counted.
const CHANNEL_PAGES_MAX: u32 = 50;
/// How many channels a page has.
const CHANNELS_PER_PAGE: u32 = 200;

/// Prepares a Mattermost server and a configuration: the bot, its teams, its token, where it may be called.
///
/// What is right already is left alone, so it can be run again at any time. It ends with 0 when nothing is left to do,
/// and with 1 otherwise. It never prints a token.
#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  warroom setup --url https://chat.example.com --admin-token-file admin-token --team infosec
  warroom setup --url http://mattermost:8065 --admin-token-file admin-token --team infosec it \\
      --config /etc/warroom/warroom.toml --store sqlite:/var/lib/warroom/warroom.db \\
      --callback-url http://warroom:8480 --yes

The administrator's token (Profile > Security > Personal Access Tokens) is needed only here; the service uses the bot's.
Delete it afterwards.")]
pub(crate) struct Args {
    /// Where Mattermost is, as the service will reach it.
    #[arg(long, value_name = "URL")]
    url: String,
    /// The file that holds a system administrator's access token; `-` is standard input, and needs --yes.
    #[arg(long, value_name = "FILE")]
    admin_token_file: PathBuf,
    /// The handles of the teams that the bot is to be on.
    #[arg(long = "team", value_name = "NAME", required = true, num_args = 1..)]
    teams: Vec<String>,
    /// The bot's handle.
    #[arg(long, value_name = "NAME", default_value = "warroom")]
    bot_name: String,
    /// The configuration file; written when it is not there. The token goes into a file beside it.
    #[arg(long, value_name = "FILE", default_value = "warroom.toml", env = "WARROOM_CONFIG")]
    config: PathBuf,
    /// The service's address as the Mattermost server will reach it.
    #[arg(long, value_name = "URL")]
    callback_url: Option<String>,
    /// Where the journal will be, `sqlite:PATH`; a relative path counts from the configuration, beside which it is by default.
    #[arg(long, value_name = "URL")]
    store: Option<String>,
    /// Answer every question with yes: change the server's settings where that is needed.
    #[arg(long)]
    yes: bool,
    /// Watch every public channel of the teams, not only those that triggers name.
    #[arg(long)]
    watch_all: bool,
}

pub(crate) async fn run(args: &Args) -> anyhow::Result<ExitCode> {
    if args.admin_token_file == Path::new("-") && !args.yes {
        bail!("the token comes from standard input, so nothing can be asked there: add --yes");
    }
    let left = set_up(args, &mut Terminal { yes: args.yes }).await?;
    Ok(if left == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Sets everything up; gives how much is left for the person to do.
async fn set_up(args: &Args, console: &mut dyn Console) -> anyhow::Result<usize> {
    let progress = &mut Progress::new(console);
    let existing = Existing::read(&args.config)?;
    let client = administrator(args).await?;
    let teams = account::find_teams(&client, &args.teams).await?;
    let bot = account::ensure_bot(&client, &args.bot_name, progress).await?;
    account::join_teams(&client, &bot, &teams, progress).await?;

    let directory = config_file::directory(&args.config);
    if directory != Path::new("") {
        std::fs::create_dir_all(&directory)
            .with_context(|| format!("cannot make the directory {}", directory.display()))?;
    }
    ensure_token(args, &client, &bot, existing.as_ref(), progress).await?;
    let callback_url = args.callback_url.clone().or_else(|| existing.as_ref()?.callback_url());
    settings::allow_callbacks(&client, callback_url.as_deref().unwrap_or(CALLBACK_URL), progress).await?;
    let watch_all = args.watch_all && agreed_to_watch(&client, &teams, existing.as_ref(), progress).await?;

    let wanted = Wanted {
        url: args.url.trim_end_matches('/').to_owned(),
        callback_url: args.callback_url.clone(),
        store_url: args.store.clone(),
        watch_all,
    };
    config_file::ensure(&args.config, existing.as_ref(), &wanted, progress)?;
    let workflows = existing.as_ref().and_then(Existing::workflows_dir).unwrap_or("workflows");
    config_file::ensure_directory(&directory.join(workflows), progress)?;
    Ok(conclude(args, progress))
}

fn conclude(args: &Args, progress: &mut Progress<'_>) -> usize {
    let (changes, left) = (progress.changes, progress.left);
    progress.say("");
    match (changes, left) {
        (0, 0) => progress.say("Everything was set up already; nothing was changed."),
        (0, _) => {
            progress.say(&format!("Nothing was changed; left to do: {}, see above.", counted(left, "thing")))
        }
        (_, 0) => progress.say("Everything is set up."),
        _ => progress.say(&format!("Set up, but left to do: {}, see above.", counted(left, "thing"))),
    }
    progress.say(&format!("Next: warroom doctor --config {}", args.config.display()));
    left
}

/// A client with the administrator's token.
async fn administrator(args: &Args) -> anyhow::Result<Client> {
    let path = &args.admin_token_file;
    let Some(token) = token_file::read(path)? else {
        bail!("there is no file {}: write a system administrator's access token into it", path.display());
    };
    let client = Client::new(ClientOptions::new(&args.url, token))?;
    let me = match client.me().await {
        Ok(me) => me,
        Err(error) if error.status() == Some(401) => bail!(
            "the server refuses the token in {}: make a new one as a system administrator, in Profile > Security > Personal \
             Access Tokens",
            path.display()
        ),
        Err(error) => return Err(error.into()),
    };
    if !me.is_system_admin() {
        bail!(
            "the token in {} is @{}'s, who is no system administrator: take the token of one",
            path.display(),
            me.username
        );
    }
    Ok(client)
}

/// The token in the configuration itself, when it works; else the one in the file beside it.
async fn ensure_token(
    args: &Args,
    client: &Client,
    bot: &Bot,
    existing: Option<&Existing>,
    progress: &mut Progress<'_>,
) -> anyhow::Result<()> {
    let shown = args.config.display();
    let file = existing.and_then(Existing::token_file).unwrap_or("bot-token");
    if let Some(token) = existing.and_then(Existing::token) {
        if matches!(token_file::holder(&args.url, Token::new(token), bot).await?, Holder::Bot) {
            progress.is_right(&format!("the token in {shown} works"));
            return Ok(());
        }
        progress.is_left(&format!(
            "the token in {shown} is not one of @{} that works: write `token_file = \"{file}\"` in its place",
            bot.username
        ));
    }
    let path = config_file::directory(&args.config).join(file);
    token_file::ensure(client, &args.url, bot, &path, progress).await
}

/// Whether all public channels are to be watched, now that their number is known. A configuration that says so already was agreed to.
async fn agreed_to_watch(
    client: &Client,
    teams: &[Team],
    existing: Option<&Existing>,
    progress: &mut Progress<'_>,
) -> anyhow::Result<bool> {
    if existing.is_some_and(Existing::watches_all) {
        return Ok(true);
    }
    let mut count = 0;
    for team in teams {
        for page in 0..CHANNEL_PAGES_MAX {
            let listed = client.public_channels(&team.id, page, CHANNELS_PER_PAGE).await?.len();
            count += listed;
            if listed < CHANNELS_PER_PAGE as usize {
                break;
            }
        }
    }
    let names: Vec<&str> = teams.iter().map(|team| team.name.as_str()).collect();
    let channels_max = existing.and_then(Existing::watched_channels_max);
    let channels_max = channels_max.unwrap_or(LimitsConfig::default().watched_channels_max);
    Ok(progress.confirm(&watching_all(count, &names.join(", "), channels_max)))
}

/// What is asked before all public channels are watched.
fn watching_all(count: usize, teams: &str, channels_max: usize) -> String {
    if count > channels_max {
        return format!(
            "The bot will join {channels_max} of the {count} public channels of {teams}, as many as `[limits] watched_channels_max` \
             allows; everybody there sees it join. Watch those?"
        );
    }
    format!(
        "The bot will join the {count} public channels of {teams}, and each that is made later; everybody there sees it join. Watch \
         them all?"
    )
}
