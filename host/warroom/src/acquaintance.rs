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

/// Whom the service goes on as.
#[derive(Debug)]
pub(crate) struct Met {
    pub(crate) acquaintance: Acquaintance,
    /// Whether the server did not say so at this start.
    pub(crate) is_believed: bool,
}

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
) -> anyhow::Result<Met> {
    let known = known(store, url).await?;
    let (began, mut seldom) = (Instant::now(), Seldom::default());
    loop {
        let error = match ask(client, url).await {
            Ok(now) => {
                if let Some(known) = known.filter(|known| known.bot.id != now.bot.id) {
                    tracing::warn!(
                        "the bot is @{} from now on, and was @{}: what that one wrote and made counts as somebody else's",
                        now.bot.username,
                        known.bot.username
                    );
                }
                keep(store, url, &now).await?;
                return Ok(Met { acquaintance: now, is_believed: false });
            }
            Err(error) => error,
        };
        readiness.send_replace(Readiness::Not(error.to_string()));
        match &known {
            Some(known) => {
                let bot = &known.bot.username;
                tracing::warn!("{error}; going on as @{bot}, as at the last start");
                client.hold(true);
                return Ok(Met { acquaintance: known.clone(), is_believed: true });
            }
            None if is_hopeless(&error, began.elapsed()) => bail!("{error}"),
            None => {
                if seldom.is_due(&error.to_string()) {
                    tracing::warn!("{error}; it is tried again until it answers");
                }
                tokio::time::sleep(wait(&error)).await;
            }
        }
    }
}

/// Whether there is no point in asking a server again that was never reached, after so long.
fn is_hopeless(error: &ApiError, tried_for: Duration) -> bool {
    // For a while it may be a proxy whose server is only starting.
    !error.is_temporary() || error.is_from_elsewhere() && tried_for >= ELSEWHERE_MAX
}

/// How long to wait before the server is asked again. It may be back earlier than it says.
fn wait(error: &ApiError) -> Duration {
    error.retry_after().unwrap_or(AGAIN).clamp(AGAIN, WAIT_MAX)
}

/// Asks until the server answers, and lets the client call then.
///
/// # Errors
/// What to do when the bot is another one than was believed: whose posts are whose would be confused.
pub(crate) async fn renew(
    client: &Client,
    store: &Store,
    url: &str,
    believed: &Acquaintance,
    readiness: &watch::Sender<Readiness>,
) -> anyhow::Result<()> {
    let mut seldom = Seldom::default();
    let now = loop {
        match ask(client, url).await {
            Ok(now) => break now,
            Err(error) => {
                readiness.send_replace(Readiness::Not(error.to_string()));
                if seldom.is_due(&error.to_string()) {
                    tracing::warn!("whose the token is cannot be asked yet: {error}");
                }
                // While the token is refused nothing is sent, but for a try now and then; another token may come.
                tokio::time::sleep(wait(&error)).await;
            }
        }
    };
    if now.bot.id != believed.bot.id {
        let (now, believed) = (&now.bot.username, &believed.bot.username);
        bail!(
            "the token is that of @{now}, and the service went on as @{believed}, since Mattermost did not answer when it started: start it \
             again to go on as @{now}, or with a token of @{believed}"
        );
    }
    client.hold(false);
    if let Err(error) = keep(store, url, &now).await {
        tracing::warn!("what the server is cannot be written down: {error}");
    }
    Ok(())
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

#[cfg(test)]
mod tests {
    use super::*;
    use warroom_mattermost::{ApiErrorKind, ClientOptions, Token};
    use warroom_simulator::{Options, Simulator};
    use warroom_store as store;

    fn error(kind: ApiErrorKind) -> ApiError {
        ApiError { doing: "x".to_owned(), kind }
    }

    #[test]
    fn the_server_is_asked_again_within_a_minute_whatever_it_asks_for() {
        for (asked_s, waited_s) in [(None, 2), (Some(0), 2), (Some(7), 7), (Some(3_600), 60)] {
            let retry_after = asked_s.map(Duration::from_secs);
            let maintained =
                ApiErrorKind::Server { status: 503, id: String::new(), message: String::new(), retry_after };
            for kind in [ApiErrorKind::RateLimited { retry_after }, maintained] {
                assert_eq!(wait(&error(kind)), Duration::from_secs(waited_s));
            }
        }
    }

    #[test]
    fn a_server_that_was_never_reached_may_be_a_proxys_for_two_minutes() {
        let answered = |status: u16, id: &str| {
            let (id, message) = (id.to_owned(), "Words.".to_owned());
            error(ApiErrorKind::Server { status, id, message, retry_after: None })
        };
        let [soon, late] = [119, 120].map(Duration::from_secs);
        let (proxy, starting) = (answered(404, ""), answered(502, ""));
        assert!(!is_hopeless(&proxy, soon) && is_hopeless(&proxy, late));
        assert!(!is_hopeless(&starting, late), "somebody is there who says that the server is not");
        assert!(!is_hopeless(&error(ApiErrorKind::Unreachable("refused".to_owned())), late));
        for mine in [
            answered(401, "api.context.session_expired.app_error"),
            error(ApiErrorKind::Unexpected("<html>".to_owned())),
        ] {
            assert!(is_hopeless(&mine, Duration::ZERO), "{mine}");
        }
    }

    #[tokio::test]
    async fn a_server_that_was_never_reached_is_waited_for_and_says_why() {
        let nobody = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let listen = nobody.local_addr().unwrap();
        drop(nobody);
        let url = format!("http://{listen}");
        let client = Client::new(ClientOptions::new(&url, Token::new("wrong"))).unwrap();
        let store = Store::open("sqlite::memory:", store::Options::default()).await.unwrap();
        let (readiness, mut seen) = watch::channel(Readiness::Not("starting".to_owned()));
        let mut making = std::pin::pin!(make(&client, &store, &url, &readiness));
        let is_told =
            |now: &Readiness| matches!(now, Readiness::Not(why) if why.contains("cannot be reached"));
        tokio::select! {
            made = &mut making => panic!("{made:?}"),
            told = seen.wait_for(is_told) => drop(told.unwrap()),
        }
        // Nobody is waited for who answers and will not mend by himself.
        let _server = Simulator::start(Options { listen, ..Options::default() }).await.unwrap();
        let refused = making.await.unwrap_err().to_string();
        assert!(refused.contains("The token is refused"), "{refused}");
    }
}
