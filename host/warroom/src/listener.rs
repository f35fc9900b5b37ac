//! Listens to the chat and offers what is posted to the runner.

use crate::catch_up::{CatchUp, Missed};
use crate::chat::chat_error;
use crate::meter::Meter;
use crate::metrics::{EventKind, Metrics};
use crate::readiness::Readiness;
use crate::seen::Seen;
use crate::translator::Translator;
use crate::watching::Watching;
use crate::watermarks::Watermarks;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::watch;
use warroom_engine::{Loss, Person};
use warroom_mattermost::{Channel, Client, EventStream, PostedEvent, StreamEvent};
use warroom_runner::{ChatError, Clock as _, IncomingPost, Runner, RunnerError, Started, SystemClock};

pub(crate) struct Listener {
    pub(crate) client: Client,
    pub(crate) bot: Person,
    pub(crate) mattermost_url: String,
    pub(crate) runner: Runner,
    pub(crate) readiness: watch::Sender<Readiness>,
    pub(crate) meter: Arc<Meter>,
    pub(crate) metrics: Metrics,
    /// Told of every post that was dealt with.
    pub(crate) seen: Option<Arc<Seen>>,
    pub(crate) translator: Translator,
    pub(crate) watermarks: Watermarks,
    pub(crate) watching: Watching,
    /// When to look for channels to join, since some were made or renamed.
    pub(crate) watch_more_at: Option<tokio::time::Instant>,
    /// Says that the workflow files changed.
    pub(crate) workflows_changed: watch::Receiver<u64>,
    /// How many posts of one channel are read after a time without connection.
    pub(crate) catch_up_posts_max: u32,
    /// How often the rooms of open incidents are looked at.
    pub(crate) rooms_check: Duration,
}

/// How long the listener waits before it tries again what failed for a reason that may pass.
const AGAIN: Duration = Duration::from_secs(2);
/// How long channels that were made or renamed wait to be looked at together. Each war room is one of them, and posts wait meanwhile.
const TOGETHER: Duration = Duration::from_secs(1);

impl Listener {
    /// Listens for as long as the stream lasts.
    pub(crate) async fn listen(mut self, mut stream: EventStream) {
        let mut check = tokio::time::interval(self.rooms_check);
        check.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        // The first tick is due at once, and the connection looks at the rooms anyway.
        check.tick().await;
        let mut workflows_changed = self.workflows_changed.clone();
        loop {
            tokio::select! {
                event = stream.next() => match event {
                    Some(event) => self.event(event).await,
                    None => return,
                },
                _ = check.tick() => {
                    self.check_rooms().await;
                    // Servers tell of new channels only those who made them.
                    self.watch_more().await;
                }
                () = tokio::time::sleep_until(self.watch_more_at.unwrap_or_else(tokio::time::Instant::now)),
                    if self.watch_more_at.is_some() => self.watch_more().await,
                Ok(()) = workflows_changed.changed() => {
                    self.runner.workflows_changed();
                    self.watch_more().await;
                }
            }
        }
    }

    async fn event(&mut self, event: StreamEvent) {
        if let Some(kind) = kind(&event) {
            self.metrics.event(kind);
        }
        match event {
            StreamEvent::Connected { resumed: true } => self.ready(),
            StreamEvent::Connected { resumed: false } => {
                self.catch_up().await;
                self.ready();
            }
            StreamEvent::Lost { reason } => {
                tracing::warn!("the connection to {} is lost: {reason}", self.mattermost_url);
                self.readiness.send_replace(Readiness::Not(format!("not connected to Mattermost: {reason}")));
            }
            StreamEvent::Refused { reason } => {
                tracing::error!("{} refuses the bot's token: {reason}", self.mattermost_url);
                self.readiness.send_replace(Readiness::Not("Mattermost refuses the bot's token".to_owned()));
            }
            StreamEvent::Posted(event) => self.posted(*event).await,
            StreamEvent::ChannelClosed { channel_id } => {
                self.changed(&channel_id, Some(Loss::Archived)).await
            }
            StreamEvent::BotRemoved { channel_id } => self.changed(&channel_id, Some(Loss::Removed)).await,
            StreamEvent::ChannelReopened { channel_id } => self.changed(&channel_id, None).await,
            StreamEvent::BotAdded { channel_id, .. } => self.changed(&channel_id, None).await,
            StreamEvent::TeamLeft { .. } => self.check_rooms().await,
            StreamEvent::ChannelCreated { .. } | StreamEvent::ChannelRenamed { .. } => {
                self.watch_more_at.get_or_insert_with(|| tokio::time::Instant::now() + TOGETHER);
            }
        }
    }

    fn ready(&self) {
        tracing::info!("listening to {}", self.mattermost_url);
        self.readiness.send_replace(Readiness::Ready);
    }

    /// Joins what is to be listened to, and takes in what came while nobody listened. Tries for as long as it takes.
    async fn catch_up(&mut self) {
        loop {
            match self.try_to_catch_up().await {
                Ok(()) => break,
                Err(error) => {
                    tracing::warn!("what was posted meanwhile cannot be read yet: {error}");
                    let reason = format!("reading what was missed: {error}");
                    self.readiness.send_replace(Readiness::Not(reason));
                    let wait = error.retry_after_ms.map_or(AGAIN, Duration::from_millis);
                    tokio::time::sleep(wait).await;
                }
            }
        }
        self.check_rooms().await;
    }

    async fn try_to_catch_up(&mut self) -> Result<(), ChatError> {
        let heard = self.join().await?;
        let reader = CatchUp {
            client: &self.client,
            translator: &self.translator,
            watermarks: &self.watermarks,
            runner: &self.runner,
            bot: &self.bot,
            posts_max: self.catch_up_posts_max,
        };
        let Missed { posts, marks, overflown } = reader.read(heard).await.map_err(chat_error)?;
        if !posts.is_empty() {
            tracing::info!("{} posts that came while nobody listened are of interest", posts.len());
        }
        for post in posts {
            self.metrics.event(EventKind::CaughtUp);
            self.metrics.catch_up_lag(age(post.created_ms));
            self.offer(&post, true).await;
        }
        self.metrics.catch_up_lag(Duration::ZERO);
        for (channel_id, at_ms) in marks {
            self.watermarks.raise(&channel_id, at_ms);
        }
        for channel in overflown {
            let text = format!(
                "More was posted to ~{} while nobody listened than is read ({} posts, `[limits] catch_up_posts_max`): look \
                 there whether something older was reported, it started no incident.",
                channel.name, self.catch_up_posts_max
            );
            tracing::error!("{text}");
            self.runner
                .tell_operators(&format!("overflow/{}/{}", channel.id, channel.last_post_at), &text)
                .await;
        }
        Ok(())
    }

    async fn join(&mut self) -> Result<Vec<Channel>, ChatError> {
        let teams = self.client.teams_of_me().await.map_err(chat_error)?;
        if teams.is_empty() {
            tracing::warn!(
                "the bot @{} is on no team, so it sees no posts: add it to a team",
                self.bot.username
            );
        }
        for team in &teams {
            self.translator.know_team(&team.id, &team.name);
        }
        self.watching.join(&teams, &self.runner).await
    }

    /// Joins channels that are to be listened to since something changed; they count from now on.
    async fn watch_more(&mut self) {
        self.watch_more_at = None;
        match self.join().await {
            Ok(heard) => {
                for channel in heard.iter().filter(|channel| self.watermarks.of(&channel.id).is_none()) {
                    let last_ms = u64::try_from(channel.last_post_at).unwrap_or(0);
                    self.watermarks.raise(&channel.id, last_ms + 1);
                }
            }
            Err(error) => tracing::warn!("no new channels can be joined now: {error}"),
        }
    }

    async fn changed(&self, channel_id: &str, loss: Option<Loss>) {
        if let Err(error) = self.runner.channel_changed(channel_id, loss).await {
            tracing::error!(channel = %channel_id, "what happened to a channel cannot be journalled: {error}");
        }
    }

    async fn check_rooms(&self) {
        if let Err(error) = self.runner.check_channels().await {
            tracing::error!("what happened to the rooms of incidents cannot be journalled: {error}");
        }
    }

    async fn posted(&mut self, event: PostedEvent) {
        let received = Instant::now();
        let (channel_id, at_ms) =
            (event.channel_id.clone(), u64::try_from(event.post.create_at).unwrap_or(0));
        let is_said = event.post.user_id != self.bot.id && !event.post.is_system();
        if is_said && let Some(post) = self.translator.posted(event).await {
            let started = self.offer(&post, false).await;
            self.metrics.post_decided(age(at_ms));
            if !started.is_empty() {
                self.meter.post_received(received);
            }
        }
        self.watermarks.raise(&channel_id, at_ms);
    }

    /// Offers a post until it is journalled or cannot be.
    async fn offer(&self, post: &IncomingPost, was_missed: bool) -> Vec<Started> {
        loop {
            let taken = if was_missed {
                self.runner.on_missed_post(post).await
            } else {
                self.runner.on_post(post).await
            };
            match taken {
                Ok(started) => {
                    if let Some(seen) = &self.seen {
                        seen.offered(&post.post_id, started.iter().map(|run| run.run_id.clone()));
                    }
                    return started;
                }
                // Waiting here holds the stream back, so nothing is lost; the unique key makes the repetition harmless.
                Err(error) if error.may_pass() => {
                    tracing::error!(post = %post.post_id, "a post could not be journalled yet: {error}");
                    tokio::time::sleep(AGAIN).await;
                }
                Err(error) => {
                    self.refused(post, &error).await;
                    return Vec::new();
                }
            }
        }
    }

    async fn refused(&self, post: &IncomingPost, error: &RunnerError) {
        tracing::error!(post = %post.permalink, "an incident was not started: {error}");
        let text =
            format!("[This post]({}) should have started an incident, and did not: {error}", post.permalink);
        self.runner.tell_operators(&format!("refused/{}", post.post_id), &text).await;
    }
}

/// What an event counts as; what only concerns the connection is counted elsewhere.
fn kind(event: &StreamEvent) -> Option<EventKind> {
    match event {
        StreamEvent::Posted(_) => Some(EventKind::Post),
        StreamEvent::ChannelClosed { .. }
        | StreamEvent::ChannelReopened { .. }
        | StreamEvent::ChannelCreated { .. }
        | StreamEvent::ChannelRenamed { .. } => Some(EventKind::Channel),
        StreamEvent::BotAdded { .. } | StreamEvent::BotRemoved { .. } | StreamEvent::TeamLeft { .. } => {
            Some(EventKind::Membership)
        }
        StreamEvent::Connected { .. } | StreamEvent::Lost { .. } | StreamEvent::Refused { .. } => None,
    }
}

/// How long ago that was, in milliseconds since 1970.
fn age(at_ms: u64) -> Duration {
    Duration::from_millis(SystemClock.now_ms().saturating_sub(at_ms))
}
