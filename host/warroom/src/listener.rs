//! Listens to the chat and offers what is posted to the runner.

use crate::catch_up::{CatchUp, Missed, ReadChannel};
use crate::chat::chat_error;
use crate::meter::Meter;
use crate::metrics::{EventKind, Metrics};
use crate::readiness::{Readiness, TOKEN_REFUSED};
use crate::seen::Seen;
use crate::translator::Translator;
use crate::watching::{Heard, Watching};
use crate::watermarks::Watermarks;
use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::watch;
use warroom_engine::{Loss, Person};
use warroom_mattermost::{ApiError, Channel, Client, EventStream, PostedEvent, StreamEvent};
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
    /// How often the rooms of open incidents are looked at, and channels read again that could not be read.
    pub(crate) rooms_check: Duration,
    /// Channels that could not be read when they were read last, by id.
    pub(crate) failing: HashMap<String, Failing>,
    /// The channels that are listened to without a gap, and the team of each, by id.
    pub(crate) hears: HashMap<String, String>,
    /// Teams whose channels cannot be listed now.
    pub(crate) unlisted: HashSet<String>,
    /// Since when something may have been missed that is not read yet, by the server's clock; none: nothing.
    pub(crate) missing_since_ms: Option<u64>,
}

/// A channel that could not be read.
pub(crate) struct Failing {
    channel: Channel,
    /// How often it was tried.
    tries: u32,
}

/// How long the listener waits before it tries again what failed for a reason that may pass.
const AGAIN: Duration = Duration::from_secs(2);
/// How often what fails by itself, while the server does its work, is tried before the rest goes on without it.
const TRIES: u32 = 3;
/// How many channels that failed are tried again together.
const AGAIN_AT_ONCE: usize = 8;
/// How often it is said how long nobody listens.
const LAG_EVERY: Duration = Duration::from_secs(1);
/// How long channels that were made or renamed wait to be looked at together. Each war room is one of them, and posts wait meanwhile.
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
        self.missing_since_ms = Some(self.watermarks.newest_ms().unwrap_or_else(|| SystemClock.now_ms()));
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
            StreamEvent::ChannelClosed { channel_id } => {
                self.changed(&channel_id, Some(Loss::Archived)).await
            }
            StreamEvent::BotRemoved { channel_id } => {
                self.hears.remove(&channel_id);
                self.changed(&channel_id, Some(Loss::Removed)).await;
            }
            StreamEvent::ChannelReopened { channel_id } => self.changed(&channel_id, None).await,
            StreamEvent::BotAdded { channel_id, team_id } => {
                self.added(&channel_id, team_id).await;
                self.changed(&channel_id, None).await;
            }
            StreamEvent::TeamLeft { team_id } => {
                self.hears.retain(|_, of_team| *of_team != team_id);
                self.check_rooms().await;
            }
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
        let mut left = loop {
            match self.join().await {
                Ok(heard) => break heard,
                Err(error) => self.wait_to_read(&error).await,
            }
        };
        self.failing.retain(|id, failing| {
            left.iter().any(|channel| channel.id == *id) || self.unlisted.contains(&failing.channel.team_id)
        });
        self.hears = left.iter().map(|channel| (channel.id.clone(), channel.team_id.clone())).collect();
        // What is posted to a channel after it was read comes over the stream: it is not read again, however often the rest is.
        while let Err(error) = self.take_in(&mut left).await {
            self.wait_to_read(&error).await;
        }
        self.nothing_missing();
        self.check_rooms().await;
    }

    async fn wait_to_read(&self, error: &ChatError) {
        tracing::warn!("what was posted meanwhile cannot be read yet: {error}");
        self.tell_lag();
        self.readiness.send_replace(Readiness::Not(format!("reading what was missed: {error}")));
        tokio::time::sleep(error.retry_after_ms.map_or(AGAIN, Duration::from_millis)).await;
    }

    /// Tries some of the channels again that could not be read, those first that were tried least. The stream waits meanwhile.
    async fn read_failing(&mut self) {
        if self.failing.is_empty() {
            return;
        }
        let mut failing: Vec<&Failing> = self.failing.values().collect();
        failing.sort_by_key(|failing| failing.tries);
        let mut channels =
            failing.into_iter().take(AGAIN_AT_ONCE).map(|failing| failing.channel.clone()).collect();
        if let Err(error) = self.take_in(&mut channels).await {
            tracing::warn!("channels cannot be read yet: {error}");
        }
        self.nothing_missing_while_ready();
    }

    /// Takes in what was posted to the channels since their marks. The error is that of a server that is away or wants fewer calls, or
    /// of a channel that is worth another try; those that are left are to be read again, the others are dealt with.
    async fn take_in(&mut self, left: &mut Vec<Channel>) -> Result<(), ChatError> {
        let reader = CatchUp {
            client: &self.client,
            translator: &self.translator,
            watermarks: &self.watermarks,
            runner: &self.runner,
            bot: &self.bot,
            posts_max: self.catch_up_posts_max,
        };
        let Missed { posts, read, failed, cut_short } = reader.read(left.clone()).await;
        if !posts.is_empty() {
            tracing::info!("{} posts that came while nobody listened are of interest", posts.len());
        }
        for post in posts {
            self.metrics.event(EventKind::CaughtUp);
            self.metrics.catch_up_lag(age(post.created_ms));
            self.offer(&post, true).await;
        }
        let mut done: HashSet<String> = HashSet::new();
        for of_channel in read {
            done.insert(of_channel.channel.id.clone());
            self.took_in(of_channel).await;
        }
        let again = self.set_aside(failed, &mut done).await;
        left.retain(|channel| !done.contains(&channel.id));
        cut_short.map(chat_error).or(again).map_or(Ok(()), Err)
    }

    /// Channels that fail again and again wait for a better time, with their marks, and operators are told: they are done for now.
    /// Gives the error of one that is worth another try.
    async fn set_aside(
        &mut self,
        failed: Vec<(Channel, ApiError)>,
        done: &mut HashSet<String>,
    ) -> Option<ChatError> {
        let (mut again, mut hopeless) = (None, Vec::new());
        for (channel, error) in failed {
            let id = channel.id.clone();
            self.watermarks.hold(&id, true);
            let failing = self.failing.entry(id.clone()).or_insert_with(|| Failing { channel, tries: 0 });
            failing.tries = failing.tries.saturating_add(1);
            if failing.tries < TRIES {
                again = Some(chat_error(error));
                continue;
            }
            done.insert(id);
            if failing.tries == TRIES {
                hopeless.push((failing.channel.clone(), error));
            }
        }
        for (channel, error) in hopeless {
            let text = format!(
                "What was posted to ~{} while nobody listened cannot be read: {error}. The other channels are listened to, and this \
                 one is tried again now and then; look there whether something was reported, it started no incident yet.",
                channel.name
            );
            tracing::error!("{text}");
            self.runner.tell_operators(&format!("unread/{}", channel.id), &text);
        }
        again
    }

    /// A channel was read, and what was found is offered.
    async fn took_in(&mut self, read: ReadChannel) {
        let ReadChannel { channel, newest_ms, near, is_overflown, unreadable } = read;
        self.failing.remove(&channel.id);
        self.watermarks.hold(&channel.id, false);
        self.watermarks.raise(&channel.id, newest_ms);
        for (post_id, at_ms) in near.into_iter().rev() {
            self.watermarks.dealt_with(&channel.id, &post_id, at_ms);
        }
        if is_overflown {
            let text = format!(
                "More was posted to ~{} while nobody listened than is read ({} posts, `[limits] catch_up_posts_max`): look \
                 there whether something older was reported, it started no incident.",
                channel.name, self.catch_up_posts_max
            );
            tracing::error!("{text}");
            self.runner.tell_operators(&format!("overflow/{}/{}", channel.id, channel.last_post_at), &text);
        }
        if unreadable > 0 {
            let text = format!(
                "{unreadable} of the posts to ~{} while nobody listened cannot be read, since they are too long or make no \
                 sense: look there whether one of them reports something, it started no incident.",
                channel.name
            );
            tracing::error!("{text}");
            self.runner.tell_operators(&format!("unreadable/{}/{newest_ms}", channel.id), &text);
        }
    }

    /// All that was missed is taken in, but for channels that cannot be read.
    fn nothing_missing(&mut self) {
        if self.failing.is_empty() && self.unlisted.is_empty() {
            self.missing_since_ms = None;
        }
        self.tell_lag();
    }

    /// The same, unless the connection is gone, or what came meanwhile is not read yet.
    fn nothing_missing_while_ready(&mut self) {
        if *self.readiness.borrow() == Readiness::Ready {
            self.nothing_missing();
        }
    }

    fn tell_lag(&self) {
        self.metrics.catch_up_lag(self.missing_since_ms.map_or(Duration::ZERO, age));
    }

    /// The bot is in a channel now. In one that it is new in, posts count from its joining on, also when the connection breaks now; in one
    /// that it listened to before, what was posted without it is taken in first.
    async fn added(&mut self, channel_id: &str, team_id: String) {
        if self.hears.contains_key(channel_id) {
            return;
        }
        if self.watermarks.of(channel_id).is_none() {
            match self.client.channel_member(channel_id, &self.bot.id).await {
                Ok(member) => {
                    self.watching.begin(channel_id, &member);
                    // Unless the server does not say when it joined: then the next look at all channels sees to it, too.
                    if self.watermarks.of(channel_id).is_some() {
                        self.hear(channel_id, team_id);
                    }
                }
                // The next look at all channels sees to it.
                Err(error) => tracing::warn!(channel = %channel_id, "the bot is new in a channel: {error}"),
            }
            return;
        }
        match self.client.channel_by_id(channel_id).await {
            Ok(channel) if channel.team_id.is_empty() => {}
            Ok(channel) => self.take_in_new(vec![channel]).await,
            Err(error) => {
                tracing::warn!(channel = %channel_id, "the bot is in a channel again that cannot be read yet: {error}");
                self.watermarks.hold(channel_id, true);
                self.watch_more_at.get_or_insert_with(|| tokio::time::Instant::now() + AGAIN);
            }
        }
    }

    /// Takes in what was posted to channels that were not listened to until now. Those that cannot be read wait for a better time, with
    /// their marks.
    async fn take_in_new(&mut self, channels: Vec<Channel>) {
        for channel in &channels {
            self.hear(&channel.id, channel.team_id.clone());
        }
        let mut left = channels;
        let Err(error) = self.take_in(&mut left).await else { return };
        tracing::warn!("{} channels cannot be read yet: {error}", left.len());
        self.missing_since_ms.get_or_insert_with(|| SystemClock.now_ms());
        for channel in left {
            self.watermarks.hold(&channel.id, true);
            self.failing.entry(channel.id.clone()).or_insert_with(|| Failing { channel, tries: 0 });
        }
    }

    /// From now on the channel is listened to without a gap. A direct one is listened to by nobody.
    fn hear(&mut self, channel_id: &str, team_id: String) {
        if !team_id.is_empty() {
            self.hears.insert(channel_id.to_owned(), team_id);
        }
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
        let Heard { channels, unlisted, try_soon } = self.watching.join(&teams, &self.runner).await?;
        self.unlisted = unlisted;
        if try_soon {
            self.watch_more_at.get_or_insert_with(|| tokio::time::Instant::now() + AGAIN);
        }
        Ok(channels)
    }

    /// Joins channels that are to be listened to since something changed. They count from now on, or from where they were listened to
    /// last.
    async fn watch_more(&mut self) {
        self.watch_more_at = None;
        match self.join().await {
            Ok(mut heard) => {
                heard.retain(|channel| !self.hears.contains_key(&channel.id));
                if !heard.is_empty() {
                    self.take_in_new(heard).await;
                }
                self.nothing_missing_while_ready();
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
        let channel_id = event.channel_id.clone();
        let (post_id, at_ms) = (event.post.id.clone(), u64::try_from(event.post.create_at).unwrap_or(0));
        // It was read over REST just before.
        if self.watermarks.knows(&channel_id, &post_id) {
            return;
        }
        let is_said = event.post.user_id != self.bot.id && !event.post.is_system();
        if self.watermarks.of(&channel_id).is_none() {
            self.hear(&channel_id, event.team_id.clone());
        } else if self.unlisted.contains(&event.team_id) && !self.hears.contains_key(&channel_id) {
            // What was missed there is not read yet.
            self.watermarks.hold(&channel_id, true);
        }
        // A direct channel belongs to no team: no workflow could make a room for it.
        if is_said && !event.team_id.is_empty() {
            let team_name = self.team_name(&event.team_id).await;
            let started = self.offer(&self.translator.posted(event, &team_name), false).await;
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
                Err(error) => chat_error(error),
            };
            // A server that is out will be back.
            tries += u32::from(!error.may_be_an_outage());
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
            tokio::time::sleep(error.retry_after_ms.map_or(AGAIN, Duration::from_millis)).await;
        }
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
        self.runner.tell_operators(&format!("refused/{}", post.post_id), &text);
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
