//! The file that holds the bot's token.

use super::console::Progress;
use super::settings::TOKENS;
use crate::commands::input;
use anyhow::{Context as _, bail};
use std::fs::{File, OpenOptions};
use std::io::{ErrorKind, Write as _};
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use warroom_mattermost::{Bot, Client, ClientOptions, NewToken, Token};

/// Nobody but the owner may read a token.
const MODE: u32 = 0o600;
/// The longest file that can be a token's, in bytes.
const TOKEN_BYTES_MAX: usize = 4096;

/// The token in a file; none when there is no file.
///
/// # Errors
/// When it cannot be read, or holds more than a token.
pub(super) fn read(path: &Path) -> anyhow::Result<Option<Token>> {
    let bytes = match input::read(path, TOKEN_BYTES_MAX) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => {
            return Err(error).with_context(|| format!("cannot read the token in {}", path.display()));
        }
        Ok(bytes) => bytes.and_then(|bytes| String::from_utf8(bytes).ok()),
    };
    let text = bytes.map(|text| text.trim().to_owned());
    match text.filter(|text| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_graphic())) {
        Some(text) => Ok(Some(Token::new(&text))),
        None => bail!("{} holds no token: it must hold one, and nothing else", path.display()),
    }
}

/// Whose a token is.
pub(super) enum Holder {
    /// The bot's.
    Bot,
    /// Somebody else's, with this name.
    Other(String),
    /// Nobody's: the server refuses it.
    Nobody,
}

/// Asks the server whose the token is.
///
/// # Errors
/// When the server cannot be asked.
pub(super) async fn holder(url: &str, token: Token, bot: &Bot) -> anyhow::Result<Holder> {
    match Client::new(ClientOptions::new(url, token))?.me().await {
        Ok(me) if me.id == bot.user_id => Ok(Holder::Bot),
        Ok(me) => Ok(Holder::Other(me.username)),
        Err(error) if error.status() == Some(401) => Ok(Holder::Nobody),
        Err(error) => Err(error.into()),
    }
}

/// Makes sure that the file holds a token of the bot that works. One that works is never replaced.
///
/// # Errors
/// When it holds the token of another account, or no token can be made or written.
pub(super) async fn ensure(
    client: &Client,
    url: &str,
    bot: &Bot,
    path: &Path,
    progress: &mut Progress<'_>,
) -> anyhow::Result<()> {
    let shown = path.display();
    if let Some(token) = read(path)? {
        match holder(url, token, bot).await? {
            Holder::Bot => {
                keep_private(path, progress)?;
                progress.is_right(&format!("the token in {shown} works"));
                return Ok(());
            }
            Holder::Other(name) => bail!(
                "{shown} holds the token of @{name}, not of @{}: move it away, or set up with --bot-name {name}",
                bot.username
            ),
            Holder::Nobody => {
                progress.say(&format!("The server refuses the token in {shown}: a new one is made."))
            }
        }
    }
    // The file comes first: a token that cannot be written would be lost, and stay valid.
    let (mut file, partial) = open_partial(path)?;
    let made = make(client, bot, progress).await;
    let written = made.and_then(|new| {
        writeln!(file, "{}", new.token.expose()).and_then(|()| file.sync_all())?;
        Ok(std::fs::rename(&partial, path)?)
    });
    if let Err(error) = written {
        let _ = std::fs::remove_file(&partial);
        return Err(error.context(format!("no token could be written to {shown}")));
    }
    progress.changed(&format!("{shown} holds a new token of @{}; only its owner can read it", bot.username));
    Ok(())
}

fn open_partial(path: &Path) -> anyhow::Result<(File, PathBuf)> {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(".partial");
    let partial = path.with_file_name(name);
    // Left by a set-up that was killed.
    let _ = std::fs::remove_file(&partial);
    let file = OpenOptions::new().write(true).create_new(true).mode(MODE).open(&partial);
    Ok((file.with_context(|| format!("cannot write {}", partial.display()))?, partial))
}

/// Servers let bots have tokens whatever the switch for people says; where one does not, the switch is asked for.
async fn make(client: &Client, bot: &Bot, progress: &mut Progress<'_>) -> anyhow::Result<NewToken> {
    match client.create_token(&bot.user_id, "Warroom").await {
        Err(error) if error.status() == Some(501) => {
            TOKENS.require(client, progress).await?;
            Ok(client.create_token(&bot.user_id, "Warroom").await?)
        }
        made => Ok(made?),
    }
}

fn keep_private(path: &Path, progress: &mut Progress<'_>) -> anyhow::Result<()> {
    let doing = || format!("cannot make {} readable by its owner alone", path.display());
    let mode = std::fs::metadata(path).with_context(doing)?.permissions().mode();
    if mode & 0o077 != 0 {
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(MODE)).with_context(doing)?;
        progress.changed(&format!("only the owner of {} can read it now", path.display()));
    }
    Ok(())
}
