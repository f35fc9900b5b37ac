//! Reads the bot's token again from its file when the server refuses the one that was read before.

use std::path::PathBuf;
use std::time::{Duration, Instant};
use warroom_engine::Person;
use warroom_mattermost::{Client, Token};

/// How often the file is looked at while the token is refused.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// The longest file that is read; a token has 26 characters.
const FILE_BYTES_MAX: u64 = 4 * 1024;

/// How often the server is asked whose token the file holds, while it holds the same one.
const ASK_EVERY: Duration = Duration::from_secs(30);

/// Watches for ever.
pub(crate) async fn watch(client: Client, file: PathBuf, bot: Person) {
    let mut refused = client.token_refused();
    let (mut asked, mut said) = (None, None);
    loop {
        if refused.wait_for(|refused| *refused).await.is_err() {
            return;
        }
        let replaced = match read(&file) {
            Ok(token) => replace(&client, token, &bot, &mut asked).await,
            Err(error) => Err(error),
        };
        let shown = file.display();
        match replaced {
            Ok(()) if !*refused.borrow() => {
                tracing::info!("the bot's token was read again from {shown}, which holds another one");
                said = None;
            }
            Ok(()) => {}
            Err(error) if said.as_ref() != Some(&error) => {
                tracing::warn!("the bot's token cannot be read again from {shown}: {error}");
                said = Some(error);
            }
            Err(_) => {}
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

/// A token that the server was asked about, when, and what came of it.
type Asked = Option<(Token, Instant, Result<(), String>)>;

/// Uses the token, unless it is known to be that of somebody else: what the bot wrote would not be known as its own any more.
async fn replace(client: &Client, token: Token, bot: &Person, asked: &mut Asked) -> Result<(), String> {
    if client.has_token(&token) {
        return Ok(());
    }
    let known = asked.take_if(|(known, at, _)| *known != token || at.elapsed() >= ASK_EVERY);
    drop(known);
    let verdict = match asked {
        Some((_, _, verdict)) => verdict.clone(),
        None => {
            let verdict = judge(client, token.clone(), bot).await;
            *asked = Some((token.clone(), Instant::now(), verdict.clone()));
            verdict
        }
    };
    verdict?;
    client.replace_token(token).map_err(|error| error.to_string())
}

/// Whether the token is one of the bot, or of nobody.
async fn judge(client: &Client, token: Token, bot: &Person) -> Result<(), String> {
    let tried = client.with_token(token).map_err(|error| error.to_string())?;
    match tried.me().await {
        Ok(me) if me.id != bot.id => Err(format!(
            "it is that of @{}, and the service goes on as @{}: write one of that bot, or restart the service to go on as the other",
            me.username, bot.username
        )),
        Err(error) if error.is_temporary() => Err(format!("it cannot be tried yet: {error}")),
        // Refused, it does no harm: the file is read again.
        Ok(_) | Err(_) => Ok(()),
    }
}

fn read(file: &PathBuf) -> Result<Token, String> {
    let size = std::fs::metadata(file).map_err(|error| error.to_string())?.len();
    if size > FILE_BYTES_MAX {
        return Err(format!("it has {size} bytes, which no token has"));
    }
    let text = std::fs::read_to_string(file).map_err(|error| error.to_string())?;
    let token = text.trim();
    if token.is_empty() || !token.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err("it is empty or holds blanks".to_owned());
    }
    Ok(Token::new(token))
}
