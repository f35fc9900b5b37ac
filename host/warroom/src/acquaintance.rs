//! What is known of the chat server: who the bot is there, and where browsers find it. It is asked at each start, and kept beside the
//! journal, so that open incidents are taken up, and operators can look at them, also while the server is away or refuses the token.

use crate::logging::Seldom;
use crate::readiness::Readiness;
use anyhow::bail;
use serde::{Deserialize, Serialize};
use std::time::{Duration, Instant};
use tokio::sync::watch;
use warroom_engine::Person;
use warroom_mattermost::{ApiError, Client};
use warroom_store::{Store, StoreError};

/// The kind of document that holds it; the id is the server's address.
const KIND: &str = "server";

/// How long the service waits between two tries to reach the server.
const AGAIN: Duration = Duration::from_secs(2);
/// For how long a server that was never reached may answer as no Mattermost server does.
const ELSEWHERE_MAX: Duration = Duration::from_secs(120);
/// How long it waits at most, whatever the server asks for.
const WAIT_MAX: Duration = Duration::from_secs(60);

/// What is known of a server.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Acquaintance {
    /// The bot's account.
    pub(crate) bot: Person,
    /// What links begin with: the server's own word, since ours may be an inner address.
    pub(crate) site_url: String,
}

/// Asks the server, or gives what it said at an earlier start when it cannot be asked now. One that was never reached is waited for
/// while its failure may pass.
///
/// # Errors
/// What keeps a server from answering that was never reached, when it will not pass by itself; a failing store.
pub(crate) async fn make(
    client: &Client,
    store: &Store,
    url: &str,
    readiness: &watch::Sender<Readiness>,
) -> anyhow::Result<Acquaintance> {
    let known = known(store, url).await?;
    let (began, mut seldom) = (Instant::now(), Seldom::default());
    loop {
        let error = match ask(client, url).await {
            Ok(now) => {
                keep(store, url, &now).await?;
                return Ok(now);
            }
            Err(error) => error,
        };
        readiness.send_replace(Readiness::Not(error.to_string()));
        match &known {
            Some(known) => {
                let bot = &known.bot.username;
                tracing::warn!("{error}; going on as @{bot}, as at the last start");
                return Ok(known.clone());
            }
            // For a while it may be a proxy whose server is only starting.
            None if error.is_from_elsewhere() && began.elapsed() >= ELSEWHERE_MAX => bail!("{error}"),
            None if error.is_temporary() => {
                if seldom.is_due(&error.to_string()) {
                    tracing::warn!("{error}; it is tried again until it answers");
                }
                tokio::time::sleep(wait(&error)).await;
            }
            None => bail!("{error}"),
        }
    }
}

/// How long to wait before the server is asked again. It may be back earlier than it says.
fn wait(error: &ApiError) -> Duration {
    error.retry_after().unwrap_or(AGAIN).min(WAIT_MAX)
}

/// Asks until the server answers, and says so if it is not what was believed.
pub(crate) async fn renew(client: Client, store: Store, url: String, believed: Acquaintance) {
    let now = loop {
        match ask(&client, &url).await {
            Ok(now) => break now,
            Err(error) => tokio::time::sleep(wait(&error)).await,
        }
    };
    if now.bot.id != believed.bot.id {
        tracing::error!(
            "the token is that of @{} now, and the service goes on as @{}: restart it",
            now.bot.username,
            believed.bot.username
        );
    }
    if let Err(error) = keep(&store, &url, &now).await {
        tracing::warn!("what the server is cannot be written down: {error}");
    }
}

async fn ask(client: &Client, url: &str) -> Result<Acquaintance, ApiError> {
    let me = client.me().await?;
    let said = match client.client_config().await {
        Ok(config) => config.site_url,
        Err(error) => {
            tracing::warn!(
                "links to posts begin with {url}, since the server's Site URL is unknown: {error}"
            );
            String::new()
        }
    };
    let is_address = said.starts_with("https://") || said.starts_with("http://");
    let site_url = if is_address { said.as_str() } else { url };
    let bot = Person { id: me.id, username: me.username };
    Ok(Acquaintance { bot, site_url: site_url.trim_end_matches('/').to_owned() })
}

async fn known(store: &Store, url: &str) -> Result<Option<Acquaintance>, StoreError> {
    let document = store.document(KIND, url).await?;
    Ok(document.and_then(|document| serde_json::from_slice(&document.body).ok()))
}

async fn keep(store: &Store, url: &str, now: &Acquaintance) -> anyhow::Result<()> {
    let before = store.document(KIND, url).await?;
    let body = serde_json::to_vec(now)?;
    let revision = before.as_ref().map_or(0, |before| before.revision);
    if before.is_none_or(|before| before.body != body) {
        store.put_document(KIND, url, revision, body).await?;
    }
    Ok(())
}
