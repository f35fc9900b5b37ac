//! What the runner needs of a chat server.

use async_trait::async_trait;
use serde_json::Value;
use warroom_engine::{Channel, Loss, Person};

use crate::incoming::IncomingPost;

/// How a chat server failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ChatErrorKind {
    /// No connection could be made at all: nothing was done, and trying again costs nothing.
    Unreachable,
    /// Nobody who could do it answered: a proxy in the server's place, a server that refuses the token, or nobody in time. What
    /// was asked may have been done. When the server does not answer anything else either ([`Chat::answers`]), trying again costs
    /// nothing.
    Away,
    /// The server failed: what was asked may have been done.
    Unavailable,
    /// The server asks to come back later: nothing was done.
    RateLimited,
    /// What was named does not exist.
    NotFound,
    /// It exists already, or is in a state that does not allow this.
    Conflict,
    /// The bot may not do this.
    Denied,
    /// The server does not accept what was asked.
    Invalid,
    /// Anything else.
    Failed,
}

/// A call to the chat server that failed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct ChatError {
    /// How.
    pub kind: ChatErrorKind,
    /// For people: what was being done, why it failed, what to do.
    pub message: String,
    /// How long the server asks to wait, in milliseconds.
    pub retry_after_ms: Option<u64>,
}

impl ChatError {
    /// Whether the same call may succeed later.
    #[must_use]
    pub fn is_temporary(&self) -> bool {
        use ChatErrorKind::{Away, RateLimited, Unavailable, Unreachable};
        matches!(self.kind, Unreachable | Away | Unavailable | RateLimited)
    }

    /// What may pass by itself, and is no answer of the chat server.
    pub(crate) fn passing(error: impl std::fmt::Display) -> ChatError {
        ChatError { kind: ChatErrorKind::Unavailable, message: error.to_string(), retry_after_ms: None }
    }

    /// Whether nobody answered who could, so that the server may be out.
    #[must_use]
    pub fn may_be_an_outage(&self) -> bool {
        matches!(self.kind, ChatErrorKind::Unreachable | ChatErrorKind::Away)
    }
}

/// A channel with what is needed to tell whose it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FoundChannel {
    /// The channel.
    pub channel: Channel,
    /// Who made it.
    pub creator_id: String,
    /// Whether it is archived.
    pub archived: bool,
}

/// A channel to make.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewChannel {
    /// The team's id.
    pub team_id: String,
    /// The handle.
    pub name: String,
    /// What people see.
    pub display_name: String,
    /// The header.
    pub header: String,
    /// The purpose.
    pub purpose: String,
    /// Whether only members find it.
    pub private: bool,
}

/// A post as it is to look now.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct RenderedPost {
    /// Markdown.
    pub message: String,
    /// What follows the message.
    pub sections: Vec<Section>,
}

impl RenderedPost {
    /// Whether anything can be pressed there.
    #[must_use]
    pub fn has_controls(&self) -> bool {
        self.sections.iter().any(|section| !section.controls.is_empty())
    }
}

/// A titled block below a post's message.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Section {
    /// The title.
    pub title: String,
    /// Markdown.
    pub text: String,
    /// Buttons and menus, in order.
    pub controls: Vec<RenderedControl>,
}

/// A button or a menu.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct RenderedControl {
    /// Unique in the post; letters and digits only.
    pub id: String,
    /// What it says.
    pub label: String,
    /// Which of the two.
    pub kind: ControlKind,
    /// What the server sends back when somebody uses it.
    pub context: Value,
}

/// What a control is.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum ControlKind {
    /// A button.
    Button,
    /// A menu.
    Menu {
        /// What it offers.
        options: Vec<String>,
        /// What was chosen last.
        chosen: Option<String>,
    },
}

/// What a search for a post found out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Search {
    /// The post with this id.
    Found(String),
    /// There is none.
    Absent,
    /// More was posted since than is looked through, so it may be there or not.
    Unknown,
}

impl Search {
    /// The id of the post, if there is one; an error when nobody can tell.
    pub(crate) fn sure(self) -> Result<Option<String>, ChatError> {
        match self {
            Search::Found(post_id) => Ok(Some(post_id)),
            Search::Absent => Ok(None),
            Search::Unknown => Err(ChatError {
                kind: ChatErrorKind::Failed,
                message: "cannot tell whether a post was written before an interruption: more came since than can be looked \
                          through. Look whether it is there, then skip or retry"
                    .to_owned(),
                retry_after_ms: None,
            }),
        }
    }
}

/// A chat server, seen as the bot.
#[async_trait]
pub trait Chat: Send + Sync {
    /// The bot itself: only its own posts and channels count as made by us.
    fn bot(&self) -> &Person;

    /// Whether the server answers the bot at all now, with an error if need be; but one that can only say that it failed does not.
    async fn answers(&self) -> bool;

    /// The id of the channel where operators want to be told what nobody else reads; none when they want none. One that does not exist, or
    /// that the bot does not see, is an error.
    async fn operators_channel(&self) -> Result<Option<String>, ChatError>;

    /// A team's id by its handle.
    async fn find_team(&self, name: &str) -> Result<Option<String>, ChatError>;

    /// A channel of the team by handle, else by what people call it, else by id. Archived ones are not found.
    async fn find_channel(&self, team_id: &str, name: &str) -> Result<Option<Channel>, ChatError>;

    /// A channel of the team by handle, archived or not.
    async fn channel_by_handle(&self, team_id: &str, handle: &str)
    -> Result<Option<FoundChannel>, ChatError>;

    /// A channel by its id, archived or not.
    async fn channel_by_id(&self, channel_id: &str) -> Result<Option<Channel>, ChatError>;

    /// Makes a channel.
    async fn create_channel(&self, new: &NewChannel) -> Result<Channel, ChatError>;

    /// Archives a channel; one that is archived stays so, without an error.
    async fn archive_channel(&self, channel_id: &str) -> Result<(), ChatError>;

    /// People by username, id or group, in the order asked for, each once; with them, what was nobody.
    async fn find_users(&self, names: &[String]) -> Result<(Vec<Person>, Vec<String>), ChatError>;

    /// Tells whom [`Chat::find_users`] will soon be asked for, most likely: they can be looked up meanwhile.
    fn expect_users(&self, _names: &[String]) {}

    /// Adds a person to a channel; a member stays one.
    async fn add_member(&self, channel_id: &str, user_id: &str) -> Result<(), ChatError>;

    /// Writes a post that carries the stamp, joining a public channel first where needed. Gives its id.
    async fn create_post(
        &self,
        channel_id: &str,
        stamp: &str,
        post: &RenderedPost,
    ) -> Result<String, ChatError>;

    /// Looks for the bot's own post of the channel that carries the stamp, not older than `since_ms`.
    async fn find_post(&self, channel_id: &str, stamp: &str, since_ms: u64) -> Result<Search, ChatError>;

    /// Whether a post is the bot's own, stands in the channel and carries the stamp.
    async fn has_stamp(&self, post_id: &str, channel_id: &str, stamp: &str) -> Result<bool, ChatError>;

    /// Rewrites a post of the bot.
    async fn update_post(&self, post_id: &str, stamp: &str, post: &RenderedPost) -> Result<(), ChatError>;

    /// Whether the post looks like this now.
    async fn shows_post(&self, post_id: &str, stamp: &str, post: &RenderedPost) -> Result<bool, ChatError>;

    /// Pins a post to its channel, or takes the pin away; what is so already stays so.
    async fn pin_post(&self, post_id: &str, is_pinned: bool) -> Result<(), ChatError>;

    /// A post as it is now, as triggers see it; none when it is deleted.
    async fn read_post(&self, post_id: &str) -> Result<Option<IncomingPost>, ChatError>;

    /// What keeps the bot from using the channels, in their order; none: nothing. An error is about its channel alone, unless the server
    /// is away.
    async fn losses(&self, channels: &[Channel]) -> Vec<Result<Option<Loss>, ChatError>>;

    /// Whether the person is a member of the channel. Of one that the bot may not look into, the server lets only members press.
    async fn is_member(&self, channel_id: &str, user_id: &str) -> Result<bool, ChatError>;

    /// Whether a group of this name, of the configuration or of the server, has the person.
    async fn is_in_group(&self, group: &str, person: &Person) -> Result<bool, ChatError>;

    /// Whether the person is a system administrator.
    async fn is_administrator(&self, user_id: &str) -> Result<bool, ChatError>;
}

/// The post that carries the stamp, written now unless it was before. Gives its id. An error when nobody can tell whether it was: a
/// double would be wrong.
pub(crate) async fn find_or_create_post(
    chat: &dyn Chat,
    channel_id: &str,
    stamp: &str,
    since_ms: u64,
    post: &RenderedPost,
) -> Result<String, ChatError> {
    match find(chat, channel_id, stamp, since_ms).await?.sure()? {
        Some(post_id) => Ok(post_id),
        None => chat.create_post(channel_id, stamp, post).await,
    }
}

/// The same for what the host has to say: where nobody can tell, people are told twice rather than never. A notice that was written
/// a moment ago is among the newest, and found.
pub(crate) async fn find_or_tell(
    chat: &dyn Chat,
    channel_id: &str,
    stamp: &str,
    since_ms: u64,
    post: &RenderedPost,
) -> Result<String, ChatError> {
    match find(chat, channel_id, stamp, since_ms).await? {
        Search::Found(post_id) => Ok(post_id),
        Search::Absent | Search::Unknown => chat.create_post(channel_id, stamp, post).await,
    }
}

/// Servers show the posts of a channel to its members only: where the bot may not look it has written nothing yet.
async fn find(chat: &dyn Chat, channel_id: &str, stamp: &str, since_ms: u64) -> Result<Search, ChatError> {
    match chat.find_post(channel_id, stamp, since_ms).await {
        Err(error) if error.kind == ChatErrorKind::Denied => Ok(Search::Absent),
        found => found,
    }
}
