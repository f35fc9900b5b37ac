//! The runner's chat server is Mattermost.

use crate::expected::Expected;
use crate::meter::Meter;
use crate::rooms;
use crate::translator::Translator;
use crate::wire::{LOOK, STAMP, wire};
use async_trait::async_trait;
use serde_json::Value;
use std::future::Future;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;
use warroom_engine::{Channel, Loss, Person, is_id};
use warroom_mattermost as mm;
use warroom_runner::{
    Chat, ChatError, ChatErrorKind, FoundChannel, Groups, IncomingPost, NewChannel, RenderedPost, Search,
};
pub(crate) use warroom_workflow::slug;

/// How many of a channel's newest posts are searched for a stamp.
const SEARCH_POSTS_MAX: u32 = 1_000;
/// Posts of a page: many long ones must fit into one answer.
const SEARCH_PAGE: u32 = 50;

pub(crate) struct MattermostChat {
    pub(crate) client: mm::Client,
    pub(crate) bot: Person,
    pub(crate) callback_url: String,
    pub(crate) meter: Arc<Meter>,
    pub(crate) groups: Arc<Groups>,
    pub(crate) translator: Translator,
    /// When the server last said that it has no licence for groups.
    pub(crate) groupless_at: Mutex<Option<Instant>>,
    /// Where operators want to be told: team and channel, as the configuration names them.
    pub(crate) operators: Option<(String, String)>,
    /// The id of that channel, once it is found.
    pub(crate) operators_id: Mutex<Option<String>>,
    /// Held while the bot joins a channel.
    pub(crate) joining: tokio::sync::Mutex<()>,
    /// People who are looked up already.
    pub(crate) expected: Expected,
}

fn channel(found: mm::Channel) -> Channel {
    Channel { id: found.id, name: found.name, display_name: found.display_name, team_id: found.team_id }
}

pub(crate) fn chat_error(error: mm::ApiError) -> ChatError {
    use mm::ApiErrorKind as Kind;
    let kind = match &error.kind {
        Kind::Unreachable(_) => ChatErrorKind::Unreachable,
        Kind::RateLimited { .. } | Kind::TurnTooLate { .. } => ChatErrorKind::RateLimited,
        // Whoever answers so is no Mattermost server, or not for us: nothing that a workflow could mend. Nor is silence.
        Kind::Server { status: 401, .. } | Kind::TokenRefused | Kind::Interrupted(_) => ChatErrorKind::Away,
        Kind::Server { status: 502..=504, id, .. } if id.is_empty() => ChatErrorKind::Away,
        Kind::Server { .. } if error.is_from_elsewhere() => ChatErrorKind::Away,
        _ if error.is_temporary() => ChatErrorKind::Unavailable,
        // An answer that makes no sense does not mean that nothing was done; a documented error does.
        Kind::Unexpected(_) | Kind::TooLong(_) => ChatErrorKind::Unavailable,
        Kind::Server { id, .. } if id == "store.sql_channel.save_channel.exists.app_error" => {
            ChatErrorKind::Conflict
        }
        Kind::Server { id, .. } if id == "api.post.create_post.can_not_post_to_deleted.error" => {
            ChatErrorKind::Conflict
        }
        Kind::Server { status, .. } => match status {
            403 => ChatErrorKind::Denied,
            404 => ChatErrorKind::NotFound,
            400 | 413 => ChatErrorKind::Invalid,
            _ => ChatErrorKind::Failed,
        },
        _ => ChatErrorKind::Failed,
    };
    let retry_after_ms = error.retry_after().map(|wait| u64::try_from(wait.as_millis()).unwrap_or(u64::MAX));
    ChatError { kind, message: error.to_string(), retry_after_ms }
}

/// The server's name for a lack of permission.
const NO_PERMISSION: &str = "api.context.permissions.app_error";

/// Whether the error has nothing to do with what was asked for: any other channel, or person, would meet it too. Where the error may mean
/// either, the server is asked something small.
pub(crate) async fn is_everywhere(client: &mm::Client, error: &mm::ApiError) -> bool {
    match chat_error(error.clone()).kind {
        ChatErrorKind::Unreachable | ChatErrorKind::RateLimited => true,
        ChatErrorKind::Away => client.me().await.is_err(),
        _ => false,
    }
}

/// What is not there is an answer, not an error.
pub(crate) fn found<T>(result: Result<T, mm::ApiError>) -> Result<Option<T>, ChatError> {
    match result.map_err(chat_error) {
        Ok(value) => Ok(Some(value)),
        Err(error) if error.kind == ChatErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

impl MattermostChat {
    pub(crate) async fn timed<T>(&self, call: impl Future<Output = T>) -> T {
        let began = Instant::now();
        let result = call.await;
        self.meter.called(began.elapsed());
        result
    }

    /// Has the bot join a public channel; where it is in already, nothing happens. One at a time, since people are added together, and
    /// servers fail where the same member is written twice at once.
    async fn join(&self, channel_id: &str) -> Result<(), mm::ApiError> {
        let _alone = self.joining.lock().await;
        self.timed(self.client.add_member(channel_id, &self.bot.id)).await.map(|_| ())
    }

    /// Whether the post is the bot's own and carries the stamp.
    fn is_ours(&self, post: &mm::Post, stamp: &str) -> bool {
        post.user_id == self.bot.id
            && post.delete_at == 0
            && post.props.get(STAMP).and_then(Value::as_str) == Some(stamp)
    }

    async fn by_handle(&self, team_id: &str, handle: &str) -> Result<Option<Channel>, ChatError> {
        let call = self.client.channel_by_name(team_id, handle, false);
        Ok(found(self.timed(call).await)?.map(channel))
    }

    /// By the name that people see; only when exactly one channel has it.
    async fn by_display_name(&self, team_id: &str, name: &str) -> Result<Option<Channel>, ChatError> {
        let mut listed = self.timed(self.client.search_channels(team_id, name)).await.map_err(chat_error)?;
        // The server searches public channels only.
        let own = self.timed(self.client.channels_of_me(team_id)).await.map_err(chat_error)?;
        listed.extend(own.into_iter().filter(|channel| channel.kind == mm::ChannelKind::Private));
        let mut named =
            listed.into_iter().filter(|listed| listed.display_name == name && listed.delete_at == 0);
        match (named.next(), named.next()) {
            (Some(only), None) => Ok(Some(channel(only))),
            (Some(_), Some(_)) => Err(ChatError {
                kind: ChatErrorKind::Conflict,
                message: format!(
                    "several channels are called \u{201c}{name}\u{201d}; write the handle of the one that is meant"
                ),
                retry_after_ms: None,
            }),
            (None, _) => Ok(None),
        }
    }
}

#[async_trait]
impl Chat for MattermostChat {
    fn bot(&self) -> &Person {
        &self.bot
    }

    async fn answers(&self) -> bool {
        let me = self.timed(self.client.me()).await.map_err(chat_error);
        !me.is_err_and(|error| error.may_be_an_outage() || error.kind == ChatErrorKind::Unavailable)
    }

    async fn operators_channel(&self) -> Result<Option<String>, ChatError> {
        let Some((team, channel)) = &self.operators else { return Ok(None) };
        let known = self.operators_id.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if known.is_some() {
            return Ok(known);
        }
        let found = match self.find_team(team).await? {
            Some(team) => self.find_channel(&team, channel).await?.map(|found| found.id),
            None => None,
        };
        let found = found.ok_or_else(|| ChatError {
            kind: ChatErrorKind::NotFound,
            message: format!(
                "the bot finds no channel {team}/{channel}: add it to the team, and invite it to the channel"
            ),
            retry_after_ms: None,
        })?;
        *self.operators_id.lock().unwrap_or_else(PoisonError::into_inner) = Some(found.clone());
        Ok(Some(found))
    }

    async fn find_team(&self, name: &str) -> Result<Option<String>, ChatError> {
        let teams = self.timed(self.client.teams_of_me()).await.map_err(chat_error)?;
        Ok(teams.into_iter().find(|team| team.name == name || team.id == name).map(|team| team.id))
    }

    async fn find_channel(&self, team_id: &str, name: &str) -> Result<Option<Channel>, ChatError> {
        // First: anybody may choose the id of a channel as the handle of another one.
        if is_id(name) {
            let by_id = found(self.timed(self.client.channel_by_id(name)).await)?;
            let of_team = by_id.filter(|found| found.delete_at == 0 && found.team_id == team_id);
            if let Some(channel) = of_team.map(channel) {
                return Ok(Some(channel));
            }
        }
        let handle = slug(name);
        if !handle.is_empty()
            && let Some(channel) = self.by_handle(team_id, &handle).await?
        {
            return Ok(Some(channel));
        }
        self.by_display_name(team_id, name).await
    }

    async fn channel_by_handle(
        &self,
        team_id: &str,
        handle: &str,
    ) -> Result<Option<FoundChannel>, ChatError> {
        let found = found(self.timed(self.client.channel_by_name(team_id, handle, true)).await)?;
        Ok(found.map(|found| FoundChannel {
            creator_id: found.creator_id.clone(),
            archived: found.delete_at != 0,
            channel: channel(found),
        }))
    }

    async fn channel_by_id(&self, channel_id: &str) -> Result<Option<Channel>, ChatError> {
        Ok(found(self.timed(self.client.channel_by_id(channel_id)).await)?.map(channel))
    }

    async fn create_channel(&self, new: &NewChannel) -> Result<Channel, ChatError> {
        let draft = mm::NewChannel {
            team_id: new.team_id.clone(),
            name: new.name.clone(),
            display_name: new.display_name.clone(),
            header: new.header.clone(),
            purpose: new.purpose.clone(),
            kind: if new.private { mm::ChannelKind::Private } else { mm::ChannelKind::Public },
        };
        let made = self.timed(self.client.create_channel(&draft)).await.map_err(chat_error)?;
        self.meter.room_exists();
        Ok(channel(made))
    }

    async fn archive_channel(&self, channel_id: &str) -> Result<(), ChatError> {
        match self.timed(self.client.archive_channel(channel_id)).await {
            Err(error) if error.id() == "api.channel.delete_channel.deleted.app_error" => Ok(()),
            result => result.map(|_| ()).map_err(chat_error),
        }
    }

    async fn find_users(&self, names: &[String]) -> Result<(Vec<Person>, Vec<String>), ChatError> {
        self.people(names).await
    }

    fn expect_users(&self, names: &[String]) {
        self.expect_people(names);
    }

    async fn add_member(&self, channel_id: &str, user_id: &str) -> Result<(), ChatError> {
        let mut added = self.timed(self.client.add_member(channel_id, user_id)).await;
        // A public channel that the bot has not joined: it may join, and must before it brings others.
        if added.as_ref().is_err_and(|error| error.id() == NO_PERMISSION) {
            match self.join(channel_id).await {
                Ok(()) => added = self.timed(self.client.add_member(channel_id, user_id)).await,
                // Whether it may is not known yet.
                Err(error) if error.is_temporary() => return Err(chat_error(error)),
                Err(_) => {}
            }
        }
        added.map(|_| ()).map_err(chat_error)
    }

    async fn create_post(
        &self,
        channel_id: &str,
        stamp: &str,
        post: &RenderedPost,
    ) -> Result<String, ChatError> {
        let (message, props) = wire(&self.callback_url, stamp, post);
        // The server keeps repeated posts with this id apart from others for half a minute; the stamp works for ever.
        let draft = mm::NewPost {
            channel_id: channel_id.to_owned(),
            message,
            pending_post_id: format!("{}:{stamp}", self.bot.id),
            props,
            ..mm::NewPost::default()
        };
        let mut result = self.timed(self.client.create_post(&draft)).await;
        // A public channel that the bot has not joined: it may join, and must before it posts.
        if result.as_ref().is_err_and(|error| error.status() == Some(403)) {
            self.join(channel_id).await.map_err(chat_error)?;
            result = self.timed(self.client.create_post(&draft)).await;
        }
        let made = result.map_err(chat_error)?;
        // The server scopes `pending_post_id` to nobody: what comes back counts only if it is ours.
        if made.user_id != self.bot.id || made.channel_id != channel_id {
            return Err(ChatError {
                kind: ChatErrorKind::Unavailable,
                message: "the server answered a new post with somebody else's".to_owned(),
                retry_after_ms: None,
            });
        }
        Ok(made.id)
    }

    async fn find_post(&self, channel_id: &str, stamp: &str, since_ms: u64) -> Result<Search, ChatError> {
        for page in 0..SEARCH_POSTS_MAX / SEARCH_PAGE {
            let posts = self
                .timed(self.client.posts_of_channel(channel_id, &mm::PostRange::Newest, page, SEARCH_PAGE))
                .await;
            let posts = posts.map_err(chat_error)?;
            if let Some(post) = posts.iter().find(|post| self.is_ours(post, stamp)) {
                return Ok(Search::Found(post.id.clone()));
            }
            let reached_older =
                posts.iter().any(|post| u64::try_from(post.create_at).unwrap_or(0) < since_ms);
            if reached_older || posts.len() < SEARCH_PAGE as usize {
                return Ok(Search::Absent);
            }
        }
        Ok(Search::Unknown)
    }

    async fn update_post(&self, post_id: &str, stamp: &str, post: &RenderedPost) -> Result<(), ChatError> {
        let (message, props) = wire(&self.callback_url, stamp, post);
        let patched = self.timed(self.client.patch_post(post_id, Some(&message), Some(&props))).await;
        match patched.map(|_| ()).map_err(chat_error) {
            // The server says so of a post that is gone, too.
            Err(error) if error.kind == ChatErrorKind::Denied => {
                let post = found(self.timed(self.client.post_by_id(post_id)).await)?;
                let gone = ChatError { kind: ChatErrorKind::NotFound, ..error.clone() };
                Err(if post.is_some() { error } else { gone })
            }
            result => result,
        }
    }

    async fn has_stamp(&self, post_id: &str, channel_id: &str, stamp: &str) -> Result<bool, ChatError> {
        let post = found(self.timed(self.client.post_by_id(post_id)).await)?;
        Ok(post.is_some_and(|post| post.channel_id == channel_id && self.is_ours(&post, stamp)))
    }

    async fn shows_post(&self, post_id: &str, stamp: &str, post: &RenderedPost) -> Result<bool, ChatError> {
        let (_, props) = wire(&self.callback_url, stamp, post);
        let now = found(self.timed(self.client.post_by_id(post_id)).await)?;
        Ok(now.is_some_and(|now| now.props.get(LOOK) == props.get(LOOK)))
    }

    async fn pin_post(&self, post_id: &str, is_pinned: bool) -> Result<(), ChatError> {
        let pinned = if is_pinned {
            self.timed(self.client.pin_post(post_id)).await
        } else {
            self.timed(self.client.unpin_post(post_id)).await
        };
        pinned.map_err(chat_error)
    }

    async fn read_post(&self, post_id: &str) -> Result<Option<IncomingPost>, ChatError> {
        let Some(post) = found(self.timed(self.client.post_by_id(post_id)).await)? else { return Ok(None) };
        let Some(channel) = found(self.timed(self.client.channel_by_id(&post.channel_id)).await)? else {
            return Ok(None);
        };
        if post.delete_at != 0 {
            return Ok(None);
        }
        let mut posts = self.translator.named(vec![(post, channel)]).await.map_err(chat_error)?;
        Ok(posts.pop())
    }

    async fn losses(&self, channels: &[Channel]) -> Vec<Result<Option<Loss>, ChatError>> {
        rooms::losses(self, channels).await
    }

    async fn is_member(&self, channel_id: &str, user_id: &str) -> Result<bool, ChatError> {
        match self.timed(self.client.channel_member(channel_id, user_id)).await {
            // The bot is not in the channel any more. In a private one the server lets nobody but members press; newer servers let
            // everybody on the team press in a public one.
            Err(error) if error.status() == Some(403) => {
                match self.timed(self.client.channel_by_id(channel_id)).await {
                    Ok(channel) if channel.kind == mm::ChannelKind::Public => Err(chat_error(error)),
                    Err(unknown) if !matches!(unknown.status(), Some(403 | 404)) => Err(chat_error(unknown)),
                    _ => Ok(true),
                }
            }
            result => found(result).map(|member| member.is_some()),
        }
    }

    async fn is_in_group(&self, group: &str, person: &Person) -> Result<bool, ChatError> {
        self.has_member(group, person).await
    }

    async fn is_administrator(&self, user_id: &str) -> Result<bool, ChatError> {
        let user = found(self.timed(self.client.user_by_id(user_id)).await)?;
        Ok(user.is_some_and(|user| user.is_system_admin()))
    }
}
