//! Reads over REST what was posted while nobody listened.
//!
//! A server may write posts out of order, by some milliseconds: one that is older than the channel's mark may come after it. So each
//! channel is read from a margin before its mark (`watermarks.rs`), and what was dealt with there is known by its id and left out.
//! What is guaranteed: a post is taken in once, also one that was written out of order or while the host was down, and one that was dealt
//! with is not looked at again, whatever it was changed into. Only of the last second before a crash it is not known what was dealt with.
//!
//! One channel does not hold up the others: an answer that is too long is asked for in smaller parts, down to the one post that
//! cannot be read, which is passed over; and a channel that fails by itself is left to the caller.

use crate::chat::is_everywhere;
use crate::translator::Translator;
use crate::watermarks::{MARGIN_MS, Mark, Watermarks};
use futures_util::{StreamExt as _, stream};
use std::collections::HashSet;
use warroom_engine::Person;
use warroom_mattermost::{ApiError, ApiErrorKind, Channel, Client, Post, PostRange};
use warroom_runner::{IncomingPost, Runner};

/// Posts of one page.
const PAGE: u32 = 200;
/// Posts of the first page of a channel to which nothing was posted, as far as the server says.
const QUIET_PAGE: u32 = 20;
/// How many channels are read at the same time.
const CHANNELS_AT_ONCE: usize = 4;
/// How many posts of one channel are passed over since they cannot be read; with more, the channel fails.
const UNREADABLE_MAX: u32 = 10;

/// How long before the last change of its membership the bot may have come into a channel, in milliseconds.
const COMING_MAX_MS: u64 = 24 * 3_600 * 1_000;

/// What reads what was missed.
pub(crate) struct CatchUp<'a> {
    pub(crate) client: &'a Client,
    pub(crate) translator: &'a Translator,
    pub(crate) watermarks: &'a Watermarks,
    pub(crate) runner: &'a Runner,
    pub(crate) bot: &'a Person,
    /// How many posts of one channel are read.
    pub(crate) posts_max: u32,
    /// Up to when it was listened to before, by the server's clock; none: never.
    pub(crate) heard_ms: Option<u64>,
}

/// What was found.
pub(crate) struct Missed {
    /// Posts that would start or tell something, oldest first, whatever their channel.
    pub(crate) posts: Vec<IncomingPost>,
    /// The channels that were read; dealt with once these posts are.
    pub(crate) read: Vec<ReadChannel>,
    /// Channels that cannot be read, though the server answers.
    pub(crate) failed: Vec<(Channel, ApiError)>,
    /// Why the channels that are in neither list were not read: something that has to do with none of them.
    pub(crate) cut_short: Option<ApiError>,
}

/// A channel that was read.
pub(crate) struct ReadChannel {
    pub(crate) channel: Channel,
    /// When its newest post was written, or its mark.
    pub(crate) newest_ms: u64,
    /// The posts within the margin before that, with their times.
    pub(crate) near: Vec<(String, u64)>,
    /// Whether more was missed than is read.
    pub(crate) is_overflown: bool,
    /// How many posts were passed over since they cannot be read.
    pub(crate) unreadable: u32,
    /// Whether the server was asked for its posts, and gave them: nothing was posted to most channels.
    pub(crate) was_asked: bool,
    /// When the bot came into the channel last, as far as its posts tell.
    came_ms: Option<u64>,
}

impl ReadChannel {
    fn new(channel: Channel, newest_ms: u64) -> ReadChannel {
        ReadChannel {
            channel,
            newest_ms,
            near: Vec::new(),
            is_overflown: false,
            unreadable: 0,
            was_asked: false,
            came_ms: None,
        }
    }

    fn note(&mut self, post: &Post, at_ms: u64, bot: &Person) {
        if tells_of_coming(post, bot) {
            self.came_ms = self.came_ms.max(Some(at_ms));
        }
        self.newest_ms = self.newest_ms.max(at_ms);
        // They come newest first.
        if at_ms.saturating_add(MARGIN_MS) >= self.newest_ms {
            self.near.push((post.id.clone(), at_ms));
        }
    }
}

/// Where the reading of a channel stands.
///
/// Servers give what is *older* than a post, and many posts may have been written in the same millisecond. So the next page is asked for
/// before the oldest post that has an older one behind it, and gives the oldest ones again; while all have one time, by its number.
struct Place {
    range: PostRange,
    /// Posts of the next page.
    size: u32,
    /// How many posts of the range come before the next page.
    skipped: u32,
    /// The oldest post of the range so far, and its time.
    oldest: Option<(String, i64)>,
    /// The oldest one that is newer than that.
    anchor: Option<String>,
}

impl Place {
    fn new(range: PostRange, size: u32) -> Place {
        Place { range, size, skipped: 0, oldest: None, anchor: None }
    }

    fn note(&mut self, post: &Post) {
        match &self.oldest {
            Some((_, at)) if post.create_at > *at => return,
            Some((id, at)) if post.create_at < *at => self.anchor = Some(id.clone()),
            _ => {}
        }
        self.oldest = Some((post.id.clone(), post.create_at));
    }

    /// Goes on to the page after the one that was read.
    fn go_on(&mut self) {
        match self.anchor.take() {
            Some(id) => *self = Place::new(PostRange::Before(id), self.size.saturating_mul(2).min(PAGE)),
            None => self.skipped = (self.page() + 1).saturating_mul(self.size),
        }
    }

    /// The number of the next page. It may begin with posts that are known, when the pages were longer before.
    fn page(&self) -> u32 {
        self.skipped / self.size.max(1)
    }

    /// Leaves out a post that cannot be read: the next page begins after it, not before a post that is newer.
    fn pass_over(&mut self) {
        *self =
            Place { skipped: self.skipped.saturating_add(1), ..Place::new(self.range.clone(), self.size) };
    }
}

impl CatchUp<'_> {
    /// Reads what came since each channel's mark. A channel that was never listened to begins now, or when the bot came into it. A server
    /// that is away, or wants fewer calls, cuts the reading short; what was read until then counts.
    pub(crate) async fn read(&self, channels: Vec<Channel>) -> Missed {
        let reads = channels.into_iter().map(|channel| self.channel(channel));
        let mut reads = stream::iter(reads).buffer_unordered(CHANNELS_AT_ONCE);
        let (mut posts, mut read, mut failed) = (Vec::new(), Vec::new(), Vec::new());
        let mut cut_short = None;
        while let Some(found) = reads.next().await {
            match found {
                Ok((channel, mut found)) => {
                    read.push(channel);
                    posts.append(&mut found);
                }
                Err((_, error)) if is_everywhere(self.client, &error).await => {
                    cut_short = Some(error);
                    break;
                }
                Err(of_channel) => failed.push(of_channel),
            }
        }
        posts.sort_by(|(one, _), (other, _)| (one.create_at, &one.id).cmp(&(other.create_at, &other.id)));
        let with_posts: HashSet<String> = posts.iter().map(|(_, channel)| channel.id.clone()).collect();
        let posts = self.translator.named(posts).await.unwrap_or_else(|error| {
            // Channels without such posts need no names.
            read.retain(|read| !with_posts.contains(&read.channel.id));
            cut_short.get_or_insert(error);
            Vec::new()
        });
        Missed { posts, read, failed, cut_short }
    }

    async fn channel(
        &self,
        channel: Channel,
    ) -> Result<(ReadChannel, Vec<(Post, Channel)>), (Channel, ApiError)> {
        let last_ms = u64::try_from(channel.last_post_at).unwrap_or(0);
        let (mark, came_by_ms) = match self.watermarks.of(&channel.id) {
            Some(mark) => (mark, None),
            None => match self.first_mark(&channel).await {
                Ok(Some((mark, latest_ms))) => (mark, Some(latest_ms)),
                // Seen for the first time: it counts from now on.
                Ok(None) => return Ok((ReadChannel::new(channel, last_ms + 1), Vec::new())),
                Err(error) => return Err((channel, error)),
            },
        };
        if mark.since_ms > last_ms {
            return Ok((ReadChannel::new(channel, mark.at_ms), Vec::new()));
        }
        let mut read = ReadChannel { was_asked: true, ..ReadChannel::new(channel.clone(), mark.at_ms) };
        let size = if mark.at_ms < last_ms { PAGE } else { QUIET_PAGE };
        match self.since(&mut read, mark.since_ms, size).await {
            Ok(mut posts) => {
                if let Some(latest_ms) = came_by_ms {
                    let came_ms = read.came_ms.unwrap_or(latest_ms);
                    posts.retain(|(post, _)| u64::try_from(post.create_at).unwrap_or(0) >= came_ms);
                }
                Ok((read, posts))
            }
            // Closed to the bot since it was listed.
            Err(error) if matches!(error.status(), Some(403 | 404)) => {
                Ok((ReadChannel::new(channel, mark.at_ms), Vec::new()))
            }
            Err(error) => Err((channel, error)),
        }
    }

    /// From where on a channel is read that the bot came into while nobody listened, and when it came at the latest; none for one that it
    /// was in when nothing was listened to yet. The server keeps no time of coming: that of a membership changes with each mention, too.
    /// So the channel's own posts tell it, if they do.
    async fn first_mark(&self, channel: &Channel) -> Result<Option<(Mark, u64)>, ApiError> {
        let Some(heard_ms) = self.heard_ms else { return Ok(None) };
        let member = match self.client.channel_member(&channel.id, &self.bot.id).await {
            // Closed to the bot since it was listed.
            Err(error) if matches!(error.status(), Some(403 | 404)) => return Ok(None),
            member => member?,
        };
        let latest_ms = u64::try_from(member.last_update_at).unwrap_or(0);
        if latest_ms == 0 {
            return Ok(None);
        }
        // A channel that it was in before lost its mark in a crash, and that was not much older than all others.
        let since_ms = heard_ms.saturating_sub(MARGIN_MS).max(latest_ms.saturating_sub(COMING_MAX_MS));
        // It has no mark before it is read: one that fails is read in the same way again.
        Ok(Some((Mark { at_ms: since_ms, since_ms }, latest_ms)))
    }

    /// Newest first, page by page before posts that are known: what is posted meanwhile moves nothing.
    async fn since(
        &self,
        read: &mut ReadChannel,
        since_ms: u64,
        size: u32,
    ) -> Result<Vec<(Post, Channel)>, ApiError> {
        let team_name = self.translator.team_name(&read.channel.team_id).await?;
        let mut place = Place::new(PostRange::Newest, size);
        let (mut posts, mut known, mut count) = (Vec::new(), HashSet::new(), 0);
        loop {
            let Some(page) = self.page(read, &mut place).await? else { continue };
            let is_last = page.len() < place.size as usize;
            let known_before = known.len();
            let mut reached_mark = false;
            for post in page {
                place.note(&post);
                if !known.insert(post.id.clone()) {
                    continue;
                }
                let at_ms = u64::try_from(post.create_at).unwrap_or(0);
                reached_mark |= at_ms < since_ms;
                read.note(&post, at_ms, self.bot);
                if at_ms >= since_ms && self.is_of_interest(&post, &read.channel, &team_name) {
                    posts.push((post, read.channel.clone()));
                }
            }
            if is_last || reached_mark {
                break;
            }
            // A page without anything new counts too, so that this has an end.
            count += u32::try_from(known.len() - known_before).unwrap_or(PAGE).max(1);
            if count >= self.posts_max {
                read.is_overflown = true;
                break;
            }
            place.go_on();
        }
        Ok(posts)
    }

    /// The next page; none when it cannot be read, and a smaller one, or the one after, is to be asked for.
    async fn page(&self, read: &mut ReadChannel, place: &mut Place) -> Result<Option<Vec<Post>>, ApiError> {
        let channel = &read.channel;
        let page = self.client.posts_of_channel(&channel.id, &place.range, place.page(), place.size).await;
        match page {
            Err(error) if !is_about_the_answer(&error) => Err(error),
            Err(_) if place.size > 1 => {
                place.size = (place.size / 4).max(1);
                Ok(None)
            }
            Err(error) if read.unreadable >= UNREADABLE_MAX => Err(error),
            Err(error) => {
                tracing::error!(channel = %channel.name, "a post is passed over: {error}");
                read.unreadable += 1;
                place.pass_over();
                Ok(None)
            }
            page => page.map(Some),
        }
    }

    fn is_of_interest(&self, post: &Post, channel: &Channel, team_name: &str) -> bool {
        let is_said = post.user_id != self.bot.id && !post.is_system() && post.delete_at == 0;
        is_said
            && !self.watermarks.knows(&channel.id, &post.id)
            && self.runner.is_of_interest(&self.translator.unnamed(post.clone(), channel, team_name))
    }
}

/// Whether the post says that the bot came into the channel.
fn tells_of_coming(post: &Post, bot: &Person) -> bool {
    let added = post.props.get("addedUserId").and_then(|id| id.as_str());
    post.is_system()
        && (added == Some(&bot.id) || post.kind == "system_join_channel" && post.user_id == bot.id)
}

/// Whether the server answered, and a part of the answer may be readable.
fn is_about_the_answer(error: &ApiError) -> bool {
    matches!(error.kind, ApiErrorKind::TooLong(_) | ApiErrorKind::Unexpected(_))
}
