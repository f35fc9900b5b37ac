//! The whole service as a value.

use crate::acquaintance::{self, Acquaintance, Met};
use crate::action_directory;
use crate::admin;
use crate::built_in;
use crate::chat::MattermostChat;
use crate::config::Config;
use crate::expected::Expected;
use crate::http::{Endpoints, router};
use crate::journal::StoreJournal;
use crate::listener::{Listener, Unread};
use crate::logging::Seldom;
use crate::meter::Meter;
use crate::metrics::{Metrics, Scrape};
use crate::readiness::{Readiness, Witnesses};
use crate::seen::Seen;
use crate::serving::{Bounds, serve};
use crate::token_file;
use crate::translator::Translator;
use crate::usernames::Usernames;
use crate::watch::{Untold, WorkflowDirectory};
use crate::watching::Watching;
use crate::watermarks::Watermarks;
use anyhow::{Context as _, bail};
use axum::Router;
use axum::routing::get;
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::future::Future;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use warroom_mattermost as mm;
use warroom_runner::{Chat as _, Clock, Components, Groups, Journal, Key, Runner, SystemClock, Workflows};
use warroom_sandbox::{Digest, Sandbox};

/// A running service.
pub struct Service {
    address: SocketAddr,
    runner: Runner,
    readiness: watch::Receiver<Readiness>,
    meter: Arc<Meter>,
    store: warroom_store::Store,
    watermarks: Watermarks,
    admin_socket: Option<PathBuf>,
    tasks: Vec<JoinHandle<()>>,
    /// What keeps it from going on.
    failure: watch::Receiver<Option<String>>,
}

impl Service {
    /// Starts everything: opens the store, admits the components, reads the workflows, takes up open runs, listens.
    ///
    /// A Mattermost server that was never reached is waited for, and later ones are not: open runs are taken up all the same. Everything
    /// else that is wrong is an error here.
    ///
    /// # Errors
    /// What is wrong, and what to do.
    pub async fn start(config: Config) -> anyhow::Result<Service> {
        Service::start_with(config, Arc::new(SystemClock), None).await
    }

    /// The same with another clock, and with somebody who is told of every post that was dealt with.
    pub(crate) async fn start_with(
        config: Config,
        clock: Arc<dyn Clock>,
        seen: Option<Arc<Seen>>,
    ) -> anyhow::Result<Service> {
        // First of all, so that `/healthz` answers while the rest is not there yet.
        let listener = TcpListener::bind(config.listen).await.with_context(|| {
            format!(
                "cannot listen on {} ([http] listen), which must be an address of this machine that no other program uses",
                config.listen
            )
        })?;
        let address = listener.local_addr()?;
        let callback_url = config.callback_url.clone().unwrap_or_else(|| format!("http://{address}"));
        let public_url = config.public_url.as_ref().unwrap_or(&callback_url);
        tracing::info!(
            "listening on {address}; Mattermost calls {callback_url}, browsers reach {public_url}"
        );
        let (readiness, readiness_seen) = watch::channel(Readiness::Not("starting".to_owned()));
        let (runner_made, runner_seen) = watch::channel(None);
        let (client_made, client_seen) = watch::channel(None);
        let metrics = Metrics::new();
        let (store_made, store_seen) = watch::channel(None);
        let witnesses =
            Witnesses { listener: readiness_seen.clone(), runner: runner_seen.clone(), client: client_seen };
        let scrape = Scrape { metrics: metrics.clone(), store: store_seen, witnesses: witnesses.clone() };
        let endpoints = Endpoints {
            metrics: metrics.clone(),
            runner: runner_seen,
            witnesses,
            callback_url: callback_url.clone(),
        };
        let mut app = router(endpoints, config.limits.request_bytes_max);
        let bounds = Bounds {
            connections_max: config.limits.http_connections_max,
            request_time_max: Duration::from_millis(config.limits.request_timeout_ms),
        };
        let measured = Router::new().route("/metrics", get(Metrics::serve)).with_state(scrape);
        let mut tasks = Vec::new();
        match config.metrics_listen {
            None => app = app.merge(measured),
            Some(at) => tasks.push(serve_metrics(at, measured, bounds).await?),
        }
        tasks.push(tokio::spawn(serve(listener, app, bounds)));

        let store = warroom_store::Store::open(&config.store_url, warroom_store::Options::default()).await?;
        store_made.send_replace(Some(store.clone()));
        let journal: Arc<dyn Journal> = Arc::new(StoreJournal(store.clone()));
        let key = Key::new(store.secret("controls", fresh_key()?).await?);
        let (components, refused_components) = admit(&config, Arc::clone(&journal)).await?;
        let components = Arc::new(components);
        let workflows = Arc::new(Workflows::default());
        let (workflows_changed, workflows_changed_seen) = watch::channel(0);
        let mut directory = WorkflowDirectory {
            directory: config.workflows_dir.clone(),
            files_max: config.limits.workflow_files_max,
            workflows: Arc::clone(&workflows),
            components: Arc::clone(&components),
            seen: BTreeMap::new(),
            changed: workflows_changed,
            untold: Untold::default(),
            clashes: BTreeMap::new(),
        };
        directory.read()?;
        if workflows.names().is_empty() {
            tracing::warn!("no workflow is in force: put a file into {}", config.workflows_dir.display());
        }

        let meter = Arc::new(Meter::default());
        let client = client(&config, &metrics)?;
        client_made.send_replace(Some(client.clone()));
        let url = &config.mattermost_url;
        let Met { acquaintance, is_believed } = acquaintance::make(&client, &store, url, &readiness).await?;
        let Acquaintance { bot, site_url } = acquaintance.clone();
        let translator = Translator::new(client.clone(), site_url);
        let groups = Arc::new(Groups::new(config.groups.clone()));
        if let Some(mut usernames) = Usernames::of(&config, &client, &groups) {
            // Before anything is posted, where the server answers.
            let wait = usernames.look_up().await;
            tasks.push(tokio::spawn(usernames.keep(wait)));
        }
        let chat = Arc::new(MattermostChat {
            client: client.clone(),
            bot: bot.clone(),
            callback_url,
            meter: Arc::clone(&meter),
            groups: Arc::clone(&groups),
            translator: translator.clone(),
            groupless_at: Mutex::default(),
            operators: config.operators_notify.clone(),
            operators_id: Mutex::default(),
            joining: tokio::sync::Mutex::default(),
            expected: Expected::default(),
        });
        // Asked for when somebody is to be told, too; now so that the log says early what is wrong with it.
        if let Err(error) = chat.operators_channel().await {
            tracing::error!("[operators] notify: {error}");
        }
        let options = runner_options(&config, groups, &metrics);
        let watched = Arc::clone(&workflows);
        let runner = Runner::new(chat, journal, clock, components, workflows, key, options);
        resume(&runner).await?;
        for text in refused_components {
            runner.tell_operators(&format!("component/{}", Digest::of(text.as_bytes())), &text);
        }
        // Clicks are taken from here on; those that came before were asked to come again.
        runner_made.send_replace(Some(runner.clone()));
        tasks.extend(admin_door(&config, &runner, &store)?);
        let watermarks = Watermarks::read(store.clone()).await?;
        let watching = Watching {
            client: client.clone(),
            bot: bot.clone(),
            workflows: watched,
            watch: config.watch,
            channels_max: config.limits.watched_channels_max,
            told: BTreeSet::new(),
            watermarks: watermarks.clone(),
            failures: HashMap::new(),
            recoveries: HashMap::new(),
        };
        let stream_options = mm::EventOptions { bot_id: Some(bot.id.clone()), ..mm::EventOptions::default() };
        let known_bot = bot.clone();
        let listener = Listener {
            client: client.clone(),
            bot,
            mattermost_url: config.mattermost_url.clone(),
            runner: runner.clone(),
            readiness: readiness.clone(),
            meter: Arc::clone(&meter),
            metrics,
            seen,
            translator,
            watermarks: watermarks.clone(),
            watching,
            watch_more_at: None,
            workflows_changed: workflows_changed_seen,
            catch_up_posts_max: config.limits.catch_up_posts_max,
            rooms_check: Duration::from_millis(config.limits.rooms_check_ms),
            unread: Unread::default(),
            seldom: Seldom::default(),
            hears: HashMap::new(),
            unlisted: HashSet::new(),
            heard_ms: None,
            missing_since_ms: None,
        };
        let stream = mm::EventStream::connect(&client, stream_options);
        tasks.push(tokio::spawn(listener.listen(stream)));
        tasks.push(tokio::spawn(watermarks.clone().keep()));
        tasks.push(tokio::spawn(directory.watch(config.workflows_poll, runner.clone())));
        let (failed, failure) = watch::channel(None);
        if is_believed {
            let (client, store, url) = (client.clone(), store.clone(), config.mattermost_url.clone());
            tasks.push(tokio::spawn(async move {
                let renewal = acquaintance::renew(&client, &store, &url, &acquaintance, &readiness);
                if let Err(error) = renewal.await {
                    readiness.send_replace(Readiness::Not(error.to_string()));
                    failed.send_replace(Some(error.to_string()));
                }
            }));
        }
        tasks.extend(config.token_file.map(|file| tokio::spawn(token_file::watch(client, file, known_bot))));
        let admin_socket = config.admin_socket;
        Ok(Service {
            address,
            runner,
            readiness: readiness_seen,
            meter,
            store,
            watermarks,
            admin_socket,
            tasks,
            failure,
        })
    }

    /// Where the HTTP endpoints listen.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The runner, to look at runs.
    #[must_use]
    pub fn runner(&self) -> &Runner {
        &self.runner
    }

    pub(crate) fn meter(&self) -> &Meter {
        &self.meter
    }

    /// Returns once the service listens to the chat.
    ///
    /// # Errors
    /// When it ended before.
    pub async fn ready(&self) -> anyhow::Result<()> {
        let mut readiness = self.readiness.clone();
        tokio::select! {
            ready = readiness.wait_for(|readiness| *readiness == Readiness::Ready) => {
                ready.context("the service ended")?;
            }
            failed = self.failed() => anyhow::bail!(failed),
        }
        Ok(())
    }

    /// Runs until `end` completes, then stops. What is under way stops where it is: the journal knows how to go on.
    ///
    /// # Errors
    /// What keeps the service from going on: it stopped before `end`.
    pub async fn run_until(self, end: impl Future<Output = ()>) -> anyhow::Result<()> {
        let failed = tokio::select! {
            () = end => None,
            failed = self.failed() => Some(failed),
        };
        tracing::info!("stopping; open runs go on at the next start");
        self.stop().await;
        failed.map_or(Ok(()), |failed| Err(anyhow::anyhow!(failed)))
    }

    /// Returns when something keeps the service from going on, and says what.
    async fn failed(&self) -> String {
        let mut failure = self.failure.clone();
        let failed = failure.wait_for(Option::is_some).await.ok().and_then(|failure| failure.clone());
        match failed {
            Some(failed) => failed,
            // Nothing is left that could fail.
            None => std::future::pending().await,
        }
    }

    /// Stops the service.
    pub async fn stop(self) {
        for task in &self.tasks {
            task.abort();
        }
        self.runner.stop();
        self.watermarks.write().await;
        if let Some(socket) = &self.admin_socket {
            // One that is left behind is replaced at the next start.
            drop(std::fs::remove_file(socket));
        }
        self.store.close().await;
    }
}

fn client(config: &Config, metrics: &Metrics) -> anyhow::Result<mm::Client> {
    let options = mm::ClientOptions {
        timeout: Duration::from_millis(config.limits.mattermost_timeout_ms),
        calls_per_second: config.limits.mattermost_calls_per_second,
        calls_burst: config.limits.mattermost_calls_burst,
        observer: Some(Arc::new(metrics.clone())),
        ..mm::ClientOptions::new(&config.mattermost_url, config.token.clone())
    };
    Ok(mm::Client::new(options)?)
}

/// Serves the metrics on an address of their own.
async fn serve_metrics(at: SocketAddr, app: Router, bounds: Bounds) -> anyhow::Result<JoinHandle<()>> {
    let listener =
        TcpListener::bind(at).await.with_context(|| format!(
            "cannot listen on {at} ([metrics] listen), which must be an address of this machine that no other program uses"
        ))?;
    Ok(tokio::spawn(serve(listener, app, bounds)))
}

/// The door for `warroom runs` and `warroom doctor`.
fn admin_door(
    config: &Config,
    runner: &Runner,
    store: &warroom_store::Store,
) -> anyhow::Result<Option<JoinHandle<()>>> {
    let Some(path) = &config.admin_socket else { return Ok(None) };
    let listener = admin::listen(path).with_context(|| {
        format!("cannot listen on {} ([http] admin_socket), where `warroom runs` knocks", path.display())
    })?;
    let app = admin::router(runner.clone(), store.clone());
    Ok(Some(tokio::spawn(async move {
        if let Err(error) = axum::serve(listener, app).await {
            tracing::error!("the socket for `warroom runs` ended: {error}");
        }
    })))
}

async fn resume(runner: &Runner) -> anyhow::Result<()> {
    let (resumed, stuck) = runner.resume().await?;
    if !resumed.is_empty() {
        tracing::info!("{} open runs go on where they were", resumed.len());
    }
    for (run, reason) in stuck {
        tracing::error!(%run, "an open run cannot go on: {reason}");
    }
    Ok(())
}

fn runner_options(config: &Config, groups: Arc<Groups>, metrics: &Metrics) -> warroom_runner::Options {
    warroom_runner::Options {
        retry_tries_max: config.limits.retry_tries_max,
        retry_period_ms: config.limits.retry_period_ms,
        open_runs_max: config.limits.open_runs_max,
        managers: config.managers.clone(),
        groups,
        catch_up_age_max_ms: config.limits.catch_up_max_age_ms,
        observer: Some(Arc::new(metrics.clone())),
        ..warroom_runner::Options::default()
    }
}

fn fresh_key() -> anyhow::Result<[u8; 32]> {
    let mut key = [0; 32];
    getrandom::fill(&mut key)
        .map_err(|error| anyhow::anyhow!("the system gives no random numbers: {error}"))?;
    Ok(key)
}

/// Admits the components. Gives also what there is to say of those that are not loaded.
async fn admit(config: &Config, journal: Arc<dyn Journal>) -> anyhow::Result<(Components, Vec<String>)> {
    let sandbox = Arc::new(Sandbox::new(config.limits.sandbox())?);
    let mut sources = built_in::sources();
    let built_in: Vec<String> = sources.iter().map(|source| Digest::of(&source.bytes).to_string()).collect();
    let mut not_loaded = Vec::new();
    if let Some(directory) = &config.actions_dir {
        let (found, too_large) = action_directory::sources(directory, config.limits.component_bytes_max)?;
        sources.extend(found);
        not_loaded = too_large;
    }
    let total = sources.len() + not_loaded.len();
    let grants = config.grants.iter().map(|grant| (grant.digest.clone(), grant.permit())).collect();
    let (components, refused) = Components::load(sandbox, journal, sources, grants).await?;
    not_loaded.extend(refused.iter().map(|error| format!("an action component is not loaded: {error}")));
    for text in &not_loaded {
        tracing::error!("{text}");
    }
    let loaded = components.list();
    if let Some(missing) = built_in.iter().find(|digest| !loaded.iter().any(|(_, known, _)| known == *digest))
    {
        bail!("the built-in action {missing} could not be loaded (see the log); this build is damaged");
    }
    tracing::info!("{} of {total} action components are loaded", loaded.len());
    Ok((components, not_loaded))
}
