//! Listens to the chat and offers what is posted to the runner; `missed.rs` is what happens when nobody listened.

use crate::chat::{chat_error, is_everywhere};
use crate::logging::Seldom;
use crate::meter::Meter;
use crate::metrics::{EventKind, Metrics};
use crate::readiness::{JOURNAL_FAILS, Readiness, TOKEN_REFUSED};
use crate::seen::Seen;
use crate::translator::Translator;
use crate::watching::Watching;
use crate::watermarks::Watermarks;
use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::watch;
use warroom_engine::{Loss, Person};
use warroom_mattermost::{Client, EventStream, PostedEvent, StreamEvent};
use warroom_runner::{Clock as _, IncomingPost, Runner, RunnerError, Started, SystemClock};

mod missed;
mod unread;

pub(crate) use unread::Unread;

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
    /// When to look for channels to join, since some were renamed, or one was not known.
    pub(crate) watch_more_at: Option<tokio::time::Instant>,
    /// Says that the workflow files changed.
    pub(crate) workflows_changed: watch::Receiver<u64>,
    /// How many posts of one channel are read after a time without connection.
    pub(crate) catch_up_posts_max: u32,
    /// How often the rooms of open incidents are looked at, and channels read again that could not be read.
    pub(crate) rooms_check: Duration,
    /// Channels that could not be read when they were read last.
    pub(crate) unread: Unread,
    /// The channels that are listened to without a gap, and the team of each, by id.
    pub(crate) hears: HashMap<String, String>,
    /// Keeps what is tried again and again from filling the log.
    pub(crate) seldom: Seldom,
    /// Teams whose channels cannot be listed now.
    pub(crate) unlisted: HashSet<String>,
    /// Up to when it was listened to before, by the server's clock; none: never.
    pub(crate) heard_ms: Option<u64>,
    /// Since when something may have been missed that is not read yet, by the server's clock; none: nothing.
    pub(crate) missing_since_ms: Option<u64>,
}

/// How long the listener waits before it tries again what failed for a reason that may pass.
const AGAIN: Duration = Duration::from_secs(2);
/// How often what fails by itself, while the server does its work, is tried before the rest goes on without it.
const TRIES: u32 = 3;
/// How often it is said how long nobody listens.
const LAG_EVERY: Duration = Duration::from_secs(1);
/// How long channels that were renamed, or are not known, wait to be looked at together: posts wait meanwhile.
const TOGETHER: Duration = Duration::from_secs(1);

impl Listener {
    /// Listens for as long as the stream lasts.
    pub(crate) async fn listen(mut self, mut stream: EventStream) {
        let mut check = tokio::time::interval(self.rooms_check);
        check.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        // The first tick is due at once, and the connection looks at the rooms anyway.
        check.tick().await;
        let mut lag = tokio::time::interval(LAG_EVERY);
        lag.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        self.heard_ms = self.watermarks.newest_ms();
        self.missing_since_ms = Some(self.heard_ms.unwrap_or_else(|| SystemClock.now_ms()));
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
                    self.read_failing().await;
                }
                _ = lag.tick(), if self.missing_since_ms.is_some() => self.tell_lag(),
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
            StreamEvent::Connected { resumed: true } => {
                self.nothing_missing();
                self.runner.chat_answers();
                self.ready();
            }
            StreamEvent::Connected { resumed: false } => {
                self.catch_up().await;
                self.ready();
            }
            StreamEvent::Lost { reason } => {
                self.missing_since_ms.get_or_insert_with(|| SystemClock.now_ms());
                tracing::warn!("the connection to {} is lost: {reason}", self.mattermost_url);
                self.readiness.send_replace(Readiness::Not(format!("not connected to Mattermost: {reason}")));
            }
            StreamEvent::Refused { reason } => {
                self.missing_since_ms.get_or_insert_with(|| SystemClock.now_ms());
                tracing::error!("{} refuses the bot's token: {reason}", self.mattermost_url);
                self.readiness.send_replace(Readiness::Not(TOKEN_REFUSED.to_owned()));
            }
            StreamEvent::Posted(event) => self.posted(*event).await,
            StreamEvent::PostDeleted { post_id } => self.runner.post_deleted(&post_id),
            StreamEvent::ChannelClosed { channel_id } => {
                self.changed(&channel_id, Some(Loss::Archived)).await
            }
            StreamEvent::BotRemoved { channel_id } => {
                self.hears.remove(&channel_id);
                self.changed(&channel_id, Some(Loss::Removed)).await;
            }
            StreamEvent::ChannelReopened { channel_id } => {
                self.reopened(&channel_id).await;
                self.changed(&channel_id, None).await;
            }
            StreamEvent::BotAdded { channel_id, .. } => {
                self.added(&channel_id).await;
                self.changed(&channel_id, None).await;
            }
            StreamEvent::TeamLeft { team_id } => {
                self.hears.retain(|_, of_team| *of_team != team_id);
                self.check_rooms().await;
                self.watch_more().await;
            }
            // Only who makes a channel is told so. The bot is in it from the start, and nobody else posted there before.
            StreamEvent::ChannelCreated { channel_id, team_id } => self.hear(&channel_id, team_id),
            StreamEvent::ChannelRenamed { .. } => self.watch_more_in(TOGETHER),
        }
    }

    /// Looks for channels to join after the wait, unless that is due anyway.
    fn watch_more_in(&mut self, wait: Duration) {
        self.watch_more_at.get_or_insert_with(|| tokio::time::Instant::now() + wait);
    }

    fn ready(&self) {
        tracing::info!("listening to {}", self.mattermost_url);
        self.readiness.send_replace(Readiness::Ready);
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
        let channel_id = event.channel_id.clone();
        let (post_id, at_ms) = (event.post.id.clone(), u64::try_from(event.post.create_at).unwrap_or(0));
        // It was read over REST just before.
        if self.watermarks.knows(&channel_id, &post_id) {
            return;
        }
        let is_said = event.post.user_id != self.bot.id && !event.post.is_system();
        if self.watermarks.of(&channel_id).is_none() {
            self.hear(&channel_id, event.team_id.clone());
        } else if !event.team_id.is_empty() && !self.hears.contains_key(&channel_id) {
            // What was missed there is not read yet.
            self.watermarks.hold(&channel_id, true);
            if !self.unlisted.contains(&event.team_id) {
                self.watch_more_in(TOGETHER);
            }
        }
        // A direct channel belongs to no team: no workflow could make a room for it.
        if is_said && !event.team_id.is_empty() {
            let team_name = self.team_name(&event.team_id).await;
            // One that waited in the stream while it was read over REST, too.
            let was_missed = self.watermarks.of(&channel_id).is_some_and(|mark| at_ms < mark.since_ms);
            let started = self.offer(&self.translator.posted(event, &team_name), was_missed).await;
            self.metrics.post_decided(age(at_ms));
            if !started.is_empty() {
                self.meter.post_received(received);
            }
        }
        self.watermarks.dealt_with(&channel_id, &post_id, at_ms);
        if self.unlisted.is_empty() {
            self.watermarks.settle(at_ms);
        }
    }

    /// The handle of a team. Waiting here holds the stream back, as with [`Listener::offer`].
    async fn team_name(&self, team_id: &str) -> String {
        let mut tries = 0;
        loop {
            let error = match self.translator.team_name(team_id).await {
                Ok(name) => return name,
                Err(error) => error,
            };
            // A server that is out will be back.
            tries += u32::from(!is_everywhere(&self.client, &error).await);
            let error = chat_error(error);
            if tries >= TRIES {
                let text = format!(
                    "The handle of the team {team_id} cannot be looked up, so triggers with a `team_name` do not see what is \
                     posted there: {error}"
                );
                tracing::error!("{text}");
                self.runner.tell_operators(&format!("team/{team_id}"), &text);
                return String::new();
            }
            tracing::warn!("the handle of a team is not known yet: {error}");
            missed::rest(&error).await;
        }
    }

    /// Offers a post until it is journalled or cannot be.
    async fn offer(&self, post: &IncomingPost, was_missed: bool) -> Vec<Started> {
        // As it was before the journal failed.
        let mut before = None;
        let started = loop {
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
                    break started;
                }
                // Waiting here holds the stream back, so nothing is lost; the unique key makes the repetition harmless.
                Err(error) if error.may_pass() => {
                    let was = self.readiness.send_replace(Readiness::Not(JOURNAL_FAILS.to_owned()));
                    before.get_or_insert(was);
                    tracing::error!(post = %post.post_id, "a post could not be journalled yet: {error}");
                    self.metrics.catch_up_lag(age(post.created_ms));
                    tokio::time::sleep(AGAIN).await;
                }
                Err(error) => {
                    self.refused(post, &error);
                    break Vec::new();
                }
            }
        };
        if let Some(before) = before {
            self.readiness.send_replace(before);
            self.tell_lag();
        }
        started
    }

    /// Who wrote the post believes that help is on its way, so it is told where they are.
    fn refused(&self, post: &IncomingPost, error: &RunnerError) {
        tracing::error!(post = %post.permalink, "an incident was not started: {error}");
        let text =
            format!("[This post]({}) should have started an incident, and did not: {error}", post.permalink);
        self.runner.tell_channel(&post.channel.id, &format!("refused/{}", post.post_id), &text);
    }
}

/// What an event counts as; what only concerns the connection is counted elsewhere.
fn kind(event: &StreamEvent) -> Option<EventKind> {
    match event {
        StreamEvent::Posted(_) | StreamEvent::PostDeleted { .. } => Some(EventKind::Post),
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
