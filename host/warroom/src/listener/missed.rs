//! What was posted while nobody listened, and to channels that are new: read over REST, and offered like what the stream brings.

use super::unread::Judged;
use super::{AGAIN, Listener, age};
use crate::catch_up::{CatchUp, Missed, ReadChannel};
use crate::chat::chat_error;
use crate::metrics::EventKind;
use crate::readiness::Readiness;
use crate::watching::Heard;
use std::collections::HashSet;
use std::time::Duration;
use warroom_mattermost::{ApiError, Channel};
use warroom_runner::{ChatError, ChatErrorKind, Clock as _, SystemClock};
use warroom_sandbox::Digest;

/// How long it is waited at most before the server is asked again for what was missed.
const WAIT_MAX: Duration = Duration::from_secs(60);
/// How many channels that cannot be read are named.
const NAMED_MAX: usize = 10;

/// Waits before the server is asked again. Nothing is heard meanwhile, however long it asks for.
pub(super) async fn rest(error: &ChatError) {
    tokio::time::sleep(wait(error)).await;
}

fn wait(error: &ChatError) -> Duration {
    error.retry_after_ms.map_or(AGAIN, Duration::from_millis).clamp(AGAIN, WAIT_MAX)
}

impl Listener {
    /// Joins what is to be listened to, and takes in what came while nobody listened. Tries for as long as it takes.
    pub(super) async fn catch_up(&mut self) {
        self.unread.begin_round();
        let mut left = loop {
            match self.join().await {
                Ok(heard) => break heard,
                Err(error) => self.wait_to_read(&error).await,
            }
        };
        let unlisted = &self.unlisted;
        let gone = self.unread.forget_unless(|failing| {
            left.iter().any(|channel| channel.id == failing.id) || unlisted.contains(&failing.team_id)
        });
        for id in gone {
            self.watermarks.hold(&id, false);
        }
        self.hears = left.iter().map(|channel| (channel.id.clone(), channel.team_id.clone())).collect();
        // What is posted to a channel after it was read comes over the stream: it is not read again, however often the rest is.
        while let Err(error) = self.take_in(&mut left).await {
            self.wait_to_read(&error).await;
        }
        // From here on a channel without a mark is one that the bot came into later.
        self.heard_ms.get_or_insert_with(|| self.watermarks.newest_ms().unwrap_or(0));
        // And what is posted from here on is read after a crash, also after one at once.
        self.watermarks.write().await;
        self.nothing_missing();
        self.check_rooms().await;
        self.runner.posts_may_be_gone();
    }

    async fn wait_to_read(&mut self, error: &ChatError) {
        let text = format!("what was posted meanwhile cannot be read yet: {error}");
        if self.seldom.is_due(&text) {
            tracing::warn!("{text}");
        }
        self.tell_lag();
        self.readiness.send_replace(Readiness::Not(format!("what was missed is not read yet: {error}")));
        rest(error).await;
    }

    /// Tries some of the channels again that could not be read, those first that were tried least. The stream waits meanwhile.
    pub(super) async fn read_failing(&mut self) {
        if self.unread.is_empty() {
            return;
        }
        self.unread.begin_late_round();
        // As long as that helps: a server that was in trouble has mended.
        loop {
            let before = self.unread.len();
            let mut channels = self.unread.next();
            if let Err(error) = self.take_in(&mut channels).await {
                tracing::warn!("channels cannot be read yet: {error}");
            }
            if self.unread.is_empty() || self.unread.len() >= before {
                break;
            }
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
            heard_ms: self.heard_ms,
        };
        let Missed { posts, read, failed, cut_short } = reader.read(left.clone()).await;
        if !posts.is_empty() {
            tracing::info!(
                "posts that came while nobody listened, and may start or tell something: {}",
                posts.len()
            );
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
        for (channel, _) in &failed {
            self.watermarks.hold(&channel.id, true);
        }
        let Judged { again, waiting, hopeless } = self.unread.failed(failed);
        self.tell_hopeless(&hopeless);
        // They are done for now.
        done.extend(waiting);
        left.retain(|channel| !done.contains(&channel.id));
        cut_short.or(again).map_or(Ok(()), |error| Err(chat_error(error)))
    }

    fn tell_hopeless(&self, hopeless: &[(Channel, ApiError)]) {
        let Some((_, error)) = hopeless.first() else { return };
        let mut names: Vec<String> =
            hopeless.iter().take(NAMED_MAX).map(|(channel, _)| format!("~{}", channel.name)).collect();
        if hopeless.len() > NAMED_MAX {
            names.push(format!("{} more", hopeless.len() - NAMED_MAX));
        }
        let text = format!(
            "What was posted to {} while nobody listened cannot be read: {error}. It is tried again now and then, and the other channels \
             are listened to; look there whether something was reported, it started no incident yet.",
            names.join(", ")
        );
        tracing::error!("{text}");
        let mut which: Vec<String> =
            hopeless.iter().map(|(channel, _)| format!("{}/{}", channel.id, channel.last_post_at)).collect();
        which.sort_unstable();
        self.runner.tell_operators(&format!("unread/{}", Digest::of(which.join(" ").as_bytes())), &text);
    }

    /// A channel was read, and what was found is offered.
    async fn took_in(&mut self, read: ReadChannel) {
        let ReadChannel { channel, newest_ms, near, is_overflown, unreadable, was_asked, .. } = read;
        self.unread.read(&channel.id, was_asked);
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
    pub(super) fn nothing_missing(&mut self) {
        if self.unread.is_empty() && self.unlisted.is_empty() {
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

    pub(super) fn tell_lag(&self) {
        self.metrics.catch_up_lag(self.missing_since_ms.map_or(Duration::ZERO, age));
    }

    /// The bot is in a channel now. In one that it is new in, posts count from its joining on; in one that it listened to before, what was
    /// posted without it is taken in first.
    pub(super) async fn added(&mut self, channel_id: &str) {
        if self.hears.contains_key(channel_id) {
            return;
        }
        if self.watermarks.of(channel_id).is_none() {
            match self.client.channel_member(channel_id, &self.bot.id).await {
                Ok(member) => self.watching.begin(channel_id, &member),
                Err(error) => tracing::warn!(channel = %channel_id, "the bot is new in a channel: {error}"),
            }
        }
        if self.watermarks.of(channel_id).is_none() {
            // The server does not say when it joined: the next look at all channels sees to it.
            return;
        }
        match self.client.channel_by_id(channel_id).await {
            Ok(channel) if channel.team_id.is_empty() => {}
            Ok(channel) => self.take_in_new(vec![self.watermarks.as_unread(channel)]).await,
            Err(error) => {
                tracing::warn!(channel = %channel_id, "the bot is in a channel again that cannot be read yet: {error}");
                self.watermarks.hold(channel_id, true);
                self.watch_more_in(AGAIN);
            }
        }
    }

    /// A channel can be used again. What was posted there while nobody listened is taken in before what comes now.
    pub(super) async fn reopened(&mut self, channel_id: &str) {
        if self.watermarks.of(channel_id).is_some() {
            self.added(channel_id).await;
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
            self.unread.postponed(channel);
        }
    }

    /// From now on the channel is listened to without a gap. A direct one is listened to by nobody.
    pub(super) fn hear(&mut self, channel_id: &str, team_id: String) {
        if !team_id.is_empty() {
            self.hears.insert(channel_id.to_owned(), team_id);
        }
    }

    fn on_no_team(&self) -> String {
        format!("the bot @{} is on no team, so it sees no posts: add it to a team", self.bot.username)
    }

    async fn join(&mut self) -> Result<Vec<Channel>, ChatError> {
        let teams = self.client.teams_of_me().await.map_err(chat_error)?;
        if teams.is_empty() {
            let message = self.on_no_team();
            return Err(ChatError { kind: ChatErrorKind::NotFound, message, retry_after_ms: None });
        }
        for team in &teams {
            self.translator.know_team(&team.id, &team.name);
        }
        let Heard { channels, unlisted, try_soon } = self.watching.join(&teams, &self.runner).await?;
        self.unlisted = unlisted;
        if try_soon {
            self.watch_more_in(AGAIN);
        }
        Ok(channels)
    }

    /// Joins channels that are to be listened to since something changed. They count from now on, or from where they were listened to
    /// last.
    pub(super) async fn watch_more(&mut self) {
        self.watch_more_at = None;
        let teamless = Readiness::Not(self.on_no_team());
        match self.join().await {
            Ok(mut heard) => {
                if *self.readiness.borrow() == teamless {
                    self.ready();
                }
                heard.retain(|channel| !self.hears.contains_key(&channel.id));
                if !heard.is_empty() {
                    self.take_in_new(heard).await;
                }
                self.nothing_missing_while_ready();
            }
            Err(error) => {
                let is_teamless = error.message == self.on_no_team();
                let text = if is_teamless {
                    error.message
                } else {
                    format!("no new channels can be joined now: {error}")
                };
                if self.seldom.is_due(&text) {
                    tracing::warn!("{text}");
                }
                if is_teamless {
                    if *self.readiness.borrow() == Readiness::Ready {
                        self.readiness.send_replace(teamless);
                    }
                    self.watch_more_in(AGAIN);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_missed_is_asked_for_within_a_minute_and_not_at_once() {
        let waits = [(None, 2), (Some(0), 2), (Some(7_000), 7), (Some(u64::MAX), 60)];
        for (retry_after_ms, seconds) in waits {
            let error =
                ChatError { kind: ChatErrorKind::RateLimited, message: String::new(), retry_after_ms };
            assert_eq!(wait(&error), Duration::from_secs(seconds));
        }
    }
}
