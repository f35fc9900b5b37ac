//! Reads the bot's token again from its file when the server refuses the one that was read before.

use std::path::PathBuf;
use std::time::Duration;
use warroom_engine::Person;
use warroom_mattermost::{Client, Token};

/// How often the file is looked at while the token is refused.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// The longest file that is read; a token has 26 characters.
const FILE_BYTES_MAX: u64 = 4 * 1024;

/// Watches for ever.
pub(crate) async fn watch(client: Client, file: PathBuf, bot: Person) {
    let mut refused = client.token_refused();
    loop {
        if refused.wait_for(|refused| *refused).await.is_err() {
            return;
        }
        let replaced = match read(&file) {
            Ok(token) => replace(&client, token, &bot).await,
            Err(error) => Err(error),
        };
        match replaced {
            Ok(()) if !*refused.borrow() => {
                tracing::info!(
                    "the bot's token was read again from {}, which holds another one",
                    file.display()
                );
            }
            Ok(()) => {}
            Err(error) => {
                tracing::warn!("the bot's token cannot be read again from {}: {error}", file.display())
            }
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

/// Uses the token, unless it is known to be that of somebody else: what the bot wrote would not be known as its own any more.
async fn replace(client: &Client, token: Token, bot: &Person) -> Result<(), String> {
    let tried = client.with_token(token.clone()).map_err(|error| error.to_string())?;
    if let Ok(me) = tried.me().await
        && me.id != bot.id
    {
        return Err(format!(
            "it is that of @{}, and the service goes on as @{}: write one of that bot, or restart the service to go on as the other",
            me.username, bot.username
        ));
    }
    client.replace_token(token).map_err(|error| error.to_string())
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
