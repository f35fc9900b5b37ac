//! A running simulator, as its owner holds it.

use std::collections::BTreeMap;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::callbacks::Callbacks;
use crate::door::{Door, DoorKey};
use crate::ids::Ids;
use crate::link::Scissors;
use crate::options::Options;
use crate::outgoing;
use crate::seed::{self, Seed};
use crate::server::{Shared, routes};
use crate::world::World;

/// How long a stop waits for requests under way.
const STOP_GRACE: Duration = Duration::from_secs(3);

/// Why a simulator did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// Whoever reaches the simulator can act as anyone, so it listens on loopback only.
    #[error(
        "cannot start the simulator on {0}: it listens on loopback only; use 127.0.0.1:PORT or [::1]:PORT"
    )]
    NotLoopback(SocketAddr),
    /// The address could not be bound.
    #[error("cannot start the simulator on {address}: {source}; choose another port, or 0 for a free one")]
    Listen {
        /// Where it was to listen.
        address: SocketAddr,
        /// Why it cannot.
        source: io::Error,
    },
    /// The names in the options, or the limits, do not allow to make the team.
    #[error("cannot make the simulator's team {team}: {reason} Correct the names or limits in its options")]
    Seed {
        /// The team.
        team: String,
        /// What was refused.
        reason: String,
    },
    /// The operating system gave no random numbers.
    #[error("cannot make ids for the simulator: the system gives no random numbers: {0}")]
    Random(String),
    /// The HTTP client for integrations could not be made.
    #[error("cannot make the simulator's HTTP client for integrations: {0}")]
    Client(#[from] reqwest::Error),
}

/// A running simulator. Dropping it stops it, too, but does not wait.
#[derive(Debug)]
pub struct Simulator {
    url: String,
    pub(crate) address: SocketAddr,
    bot: String,
    tokens: BTreeMap<String, String>,
    pub(crate) shared: Arc<Shared>,
    pub(crate) door: DoorKey,
    stop: watch::Sender<bool>,
    server: JoinHandle<io::Result<()>>,
}

impl Simulator {
    /// Starts a simulator on the current tokio runtime. When this returns, it answers.
    ///
    /// # Errors
    /// If the address is not loopback or taken, or a name in the options is not one that Mattermost allows.
    pub async fn start(options: Options) -> Result<Simulator, StartError> {
        if !options.listen.ip().is_loopback() {
            return Err(StartError::NotLoopback(options.listen));
        }
        let ids = Ids::from_system().map_err(|error| StartError::Random(error.to_string()))?;
        let mut world = World::new(options.limits.clone(), ids);
        let Seed { team_id, tokens } = seed::plant(&mut world, &options)
            .map_err(|error| StartError::Seed { team: options.team.clone(), reason: error.message })?;
        let callbacks = Callbacks::new(&options)?;
        let failed = |source| StartError::Listen { address: options.listen, source };
        let listener = TcpListener::bind(options.listen).await.map_err(failed)?;
        let address = listener.local_addr().map_err(failed)?;
        let url = format!("http://{address}");
        world.set_site_url(&url);
        let (stop, stopped) = watch::channel(false);
        let shared = Arc::new(Shared::new(world, callbacks, team_id, stopped));
        let service = routes(Arc::clone(&shared)).into_make_service_with_connect_info::<Scissors>();
        let door = Door::new(listener, address, options.limits.connections_max);
        let key = door.key();
        let until = Arc::clone(&shared);
        let server = axum::serve(door, service).with_graceful_shutdown(async move { until.stopping().await });
        let server = tokio::spawn(server.into_future());
        tokio::spawn(outgoing::make_calls(Arc::clone(&shared)));
        Ok(Simulator { url, address, bot: options.bot, tokens, shared, door: key, stop, server })
    }

    /// Where it answers, such as `http://127.0.0.1:8065`, without a slash at the end.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The address it listens on.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The bot's access token.
    pub fn bot_token(&self) -> &str {
        self.token_of(&self.bot).unwrap_or_default()
    }

    /// The access token of the system administrator, `sysadmin`.
    pub fn admin_token(&self) -> &str {
        self.token_of(seed::ADMIN).unwrap_or_default()
    }

    /// An access token of somebody the simulator was started with; `None` for anyone else.
    pub fn token_of(&self, username: &str) -> Option<&str> {
        self.tokens.get(username).map(String::as_str)
    }

    /// Id of the team.
    pub fn team_id(&self) -> &str {
        &self.shared.team_id
    }

    /// Event streams that are connected now.
    pub fn websocket_count(&self) -> usize {
        self.shared.world().hub.open_count()
    }

    /// The requests to the API and to webhooks so far, oldest first: method and path. Bounded by
    /// `Limits::requests_logged_max`.
    pub fn requests(&self) -> Vec<(String, String)> {
        self.shared.faults().requests()
    }

    /// Forgets the requests so far.
    pub fn forget_requests(&self) {
        self.shared.faults().forget_requests();
    }

    /// Stops: no new connections, event streams are closed, requests under way have 3 s to end.
    pub async fn stop(self) {
        let Simulator { stop, mut server, .. } = self;
        stop.send_replace(true);
        match tokio::time::timeout(STOP_GRACE, &mut server).await {
            Ok(Ok(Ok(()))) => {}
            Ok(Ok(Err(error))) => tracing::warn!(%error, "the simulator's server ended with an error"),
            Ok(Err(error)) => tracing::warn!(%error, "the simulator's server did not end well"),
            Err(_) => {
                tracing::warn!("the simulator's requests did not end in time; dropping them");
                server.abort();
            }
        }
    }
}
