//! Reads over REST what was posted while nobody listened.

use crate::translator::Translator;
use crate::watermarks::Watermarks;
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use warroom_engine::Person;
use warroom_mattermost::{ApiError, Channel, Client, Post, PostRange};
use warroom_runner::{IncomingPost, Runner};

/// Posts of one page.
const PAGE: u32 = 200;
/// How many channels are read at the same time.
const CHANNELS_AT_ONCE: usize = 4;

/// What reads what was missed.
pub(crate) struct CatchUp<'a> {
    pub(crate) client: &'a Client,
    pub(crate) translator: &'a Translator,
    pub(crate) watermarks: &'a Watermarks,
    pub(crate) runner: &'a Runner,
    pub(crate) bot: &'a Person,
    /// How many posts of one channel are read.
    pub(crate) posts_max: u32,
}

/// What was found.
pub(crate) struct Missed {
    /// Posts that would start or tell something, oldest first, whatever their channel.
    pub(crate) posts: Vec<IncomingPost>,
    /// How far each channel is dealt with once these posts are.
    pub(crate) marks: Vec<(String, u64)>,
    /// Channels of which more was missed than is read.
    pub(crate) overflown: Vec<Channel>,
}

/// What one channel has.
struct Found {
    posts: Vec<(Post, Channel)>,
    mark: (String, u64),
    overflown: Option<Channel>,
}

impl CatchUp<'_> {
    /// Reads what came since each channel's mark. A channel that was never listened to begins now.
    pub(crate) async fn read(&self, channels: Vec<Channel>) -> Result<Missed, ApiError> {
        let reads = channels.into_iter().map(|channel| self.channel(channel));
        let found: Vec<Found> = stream::iter(reads).buffer_unordered(CHANNELS_AT_ONCE).try_collect().await?;
        let (mut posts, mut marks, mut overflown) = (Vec::new(), Vec::new(), Vec::new());
        for of_channel in found {
            posts.extend(of_channel.posts);
            marks.push(of_channel.mark);
            overflown.extend(of_channel.overflown);
        }
        posts.sort_by(|(one, _), (other, _)| (one.create_at, &one.id).cmp(&(other.create_at, &other.id)));
        Ok(Missed { posts: self.translator.named(posts).await?, marks, overflown })
    }

    async fn channel(&self, channel: Channel) -> Result<Found, ApiError> {
        let last_ms = u64::try_from(channel.last_post_at).unwrap_or(0);
        let mark = self.watermarks.of(&channel.id);
        let nothing = |mark| Found { posts: Vec::new(), mark: (channel.id.clone(), mark), overflown: None };
        let Some(since_ms) = mark.filter(|mark| *mark <= last_ms) else {
            // One that is known, or seen for the first time: then it counts from now on.
            return Ok(nothing(mark.unwrap_or(last_ms + 1)));
        };
        match self.since(&channel, since_ms).await {
            // Closed to the bot since it was listed.
            Err(error) if error.status().is_some_and(|status| matches!(status, 403 | 404)) => {
                Ok(nothing(since_ms))
            }
            found => found,
        }
    }

    /// Newest first, page by page before the oldest that is known: what is posted meanwhile moves nothing.
    async fn since(&self, channel: &Channel, since_ms: u64) -> Result<Found, ApiError> {
        let (mut posts, mut newest_ms, mut read) = (Vec::new(), since_ms, 0_u32);
        let mut range = PostRange::Newest;
        let mut overflown = None;
        loop {
            let page = self.client.posts_of_channel(&channel.id, &range, 0, PAGE).await?;
            let is_last = page.len() < PAGE as usize;
            let Some(oldest) = page.last().map(|post| post.id.clone()) else { break };
            let mut reached_mark = false;
            for post in page {
                let at_ms = u64::try_from(post.create_at).unwrap_or(0);
                reached_mark |= at_ms < since_ms;
                newest_ms = newest_ms.max(at_ms);
                if at_ms >= since_ms && self.is_of_interest(&post, channel).await {
                    posts.push((post, channel.clone()));
                }
            }
            read += PAGE;
            if is_last || reached_mark {
                break;
            }
            if read >= self.posts_max {
                overflown = Some(channel.clone());
                break;
            }
            range = PostRange::Before(oldest);
        }
        Ok(Found { posts, mark: (channel.id.clone(), newest_ms), overflown })
    }

    async fn is_of_interest(&self, post: &Post, channel: &Channel) -> bool {
        let is_said = post.user_id != self.bot.id && !post.is_system() && post.delete_at == 0;
        is_said && self.runner.is_of_interest(&self.translator.unnamed(post.clone(), channel).await)
    }
}
