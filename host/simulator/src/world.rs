//! All state of the simulator, behind one lock.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::Value;
use tokio::sync::watch;

use crate::channels::Channel;
use crate::commands::{Command, ResponseHook};
use crate::config;
use crate::errors::ApiError;
use crate::files::File;
use crate::ids::Ids;
use crate::options::Limits;
use crate::outgoing::{OutgoingCalls, OutgoingWebhook};
use crate::pending::PendingPosts;
use crate::posts::Post;
use crate::teams::Team;
use crate::tokens::Token;
use crate::users::User;
use crate::webhooks::Webhook;
use crate::websocket::{Audience, Event, Hub};

/// A message that one person sees and that is stored nowhere else.
#[derive(Debug, Clone)]
pub(crate) struct EphemeralPost {
    /// Who sees it.
    pub(crate) user_id: String,
    /// The message.
    pub(crate) post: Post,
}

/// Everything the simulator knows. The functions that change it live beside what they change: `channels.rs` makes
/// channels, `posts.rs` posts, and so on.
#[derive(Debug)]
pub(crate) struct World {
    pub(crate) limits: Limits,
    pub(crate) ids: Ids,
    pub(crate) users: BTreeMap<String, User>,
    /// By the token's text.
    pub(crate) tokens: BTreeMap<String, Token>,
    /// The server's configuration.
    pub(crate) config: Value,
    pub(crate) teams: BTreeMap<String, Team>,
    pub(crate) channels: BTreeMap<String, Channel>,
    pub(crate) posts: HashMap<String, Post>,
    pub(crate) pending: PendingPosts,
    pub(crate) webhooks: BTreeMap<String, Webhook>,
    pub(crate) outgoing_webhooks: BTreeMap<String, OutgoingWebhook>,
    pub(crate) outgoing_calls: OutgoingCalls,
    pub(crate) commands: BTreeMap<String, Command>,
    pub(crate) response_hooks: BTreeMap<String, ResponseHook>,
    /// Trigger ids that may still open a dialog, oldest first.
    pub(crate) triggers: VecDeque<String>,
    pub(crate) files: BTreeMap<String, File>,
    pub(crate) ephemeral_posts: VecDeque<EphemeralPost>,
    pub(crate) hub: Hub,
    version: watch::Sender<u64>,
    last_ms: i64,
}

fn missing_user() -> ApiError {
    ApiError::new(404, "app.user.missing_account.const", "Unable to find the user.")
}

impl World {
    /// An empty world.
    pub(crate) fn new(limits: Limits, ids: Ids) -> World {
        World {
            hub: Hub::new(&limits),
            pending: PendingPosts::new(limits.pending_posts_max),
            limits,
            ids,
            users: BTreeMap::new(),
            tokens: BTreeMap::new(),
            config: config::initial(),
            teams: BTreeMap::new(),
            channels: BTreeMap::new(),
            posts: HashMap::new(),
            webhooks: BTreeMap::new(),
            outgoing_webhooks: BTreeMap::new(),
            outgoing_calls: OutgoingCalls::new(),
            commands: BTreeMap::new(),
            response_hooks: BTreeMap::new(),
            triggers: VecDeque::new(),
            files: BTreeMap::new(),
            ephemeral_posts: VecDeque::new(),
            version: watch::Sender::new(0),
            last_ms: 0,
        }
    }

    /// The time in milliseconds since 1970. Never the same twice, so that "changed since" has one answer.
    pub(crate) fn now_ms(&mut self) -> i64 {
        let system = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |time| time.as_millis());
        let system = i64::try_from(system).unwrap_or(i64::MAX);
        self.last_ms = system.max(self.last_ms.saturating_add(1));
        self.last_ms
    }

    /// Queues an event for every stream that may see it, and lets the page know that something changed.
    pub(crate) fn emit(&mut self, event: &Event) {
        let World { hub, channels, teams, .. } = self;
        match &event.audience {
            Audience::Everybody => hub.publish(event, |_| true),
            Audience::User(id) => hub.publish(event, |user| user == id),
            Audience::Channel(id) => {
                if let Some(channel) = channels.get(id) {
                    hub.publish(event, |user| channel.members.contains_key(user));
                }
            }
            Audience::Team(id) => {
                if let Some(team) = teams.get(id) {
                    hub.publish(event, |user| team.members.contains_key(user));
                }
            }
        }
        self.version.send_modify(|version| *version += 1);
    }

    /// A number that grows with every change, to wait on.
    pub(crate) fn version(&self) -> watch::Receiver<u64> {
        self.version.subscribe()
    }

    /// Whether this user administers the system.
    pub(crate) fn is_admin(&self, user_id: &str) -> bool {
        self.users.get(user_id).is_some_and(|user| user.admin)
    }

    /// Whether this user is on the team.
    pub(crate) fn is_on_team(&self, user_id: &str, team_id: &str) -> bool {
        self.teams.get(team_id).is_some_and(|team| team.members.contains_key(user_id))
    }

    /// Whether this user is a member of the channel.
    pub(crate) fn is_member(&self, user_id: &str, channel_id: &str) -> bool {
        self.channels.get(channel_id).is_some_and(|channel| channel.members.contains_key(user_id))
    }

    /// Whether this user may read and write in the channel: members and administrators.
    pub(crate) fn may_act_in(&self, user_id: &str, channel_id: &str) -> bool {
        self.is_member(user_id, channel_id)
            || (self.is_admin(user_id) && self.channels.contains_key(channel_id))
    }

    /// Whether this user may look at the channel: those who may act in it, and the team if it is public.
    pub(crate) fn may_see(&self, user_id: &str, channel_id: &str) -> bool {
        self.may_act_in(user_id, channel_id)
            || self.channels.get(channel_id).is_some_and(|channel| {
                channel.kind == crate::channels::Kind::Public && self.is_on_team(user_id, &channel.team_id)
            })
    }

    /// The user with this id, or 404.
    pub(crate) fn user(&self, id: &str) -> Result<&User, ApiError> {
        self.users.get(id).ok_or_else(missing_user)
    }

    /// The same, to change it.
    pub(crate) fn user_mut(&mut self, id: &str) -> Result<&mut User, ApiError> {
        self.users.get_mut(id).ok_or_else(missing_user)
    }

    /// The user with this name, if there is one.
    pub(crate) fn user_named(&self, username: &str) -> Option<&User> {
        self.users.values().find(|user| user.username == username)
    }

    /// What a user is called; empty if unknown.
    pub(crate) fn username(&self, id: &str) -> &str {
        self.users.get(id).map_or("", |user| user.username.as_str())
    }

    /// The channel with this id, or 404.
    pub(crate) fn channel(&self, id: &str) -> Result<&Channel, ApiError> {
        self.channels.get(id).ok_or_else(|| {
            ApiError::new(404, "app.channel.get.existing.app_error", "Unable to find the existing channel.")
        })
    }

    /// The same, to change it.
    pub(crate) fn channel_mut(&mut self, id: &str) -> Result<&mut Channel, ApiError> {
        self.channels.get_mut(id).ok_or_else(|| {
            ApiError::new(404, "app.channel.get.existing.app_error", "Unable to find the existing channel.")
        })
    }

    /// The post with this id if it is not deleted, or 404.
    pub(crate) fn post(&self, id: &str) -> Result<&Post, ApiError> {
        self.posts
            .get(id)
            .filter(|post| post.delete_at == 0)
            .ok_or_else(|| ApiError::new(404, "app.post.get.app_error", "Unable to get the post."))
    }
}
