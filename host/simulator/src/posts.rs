//! Posts: writing and reading them. `revisions.rs` changes them, `timeline.rs` lists them.

use std::time::Instant;

use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::attachments;
use crate::call::{Answer, Call, Outcome};
use crate::channels::Kind;
use crate::errors::ApiError;
use crate::websocket::{Audience, Event};
use crate::world::World;

/// Characters of a message.
pub(crate) const MESSAGE_CHARS_MAX: usize = 16_383;
/// Characters of the props as JSON.
const PROPS_CHARS_MAX: usize = 800_000;

/// A post as it is kept: with the integrations of its controls.
#[derive(Debug, Clone, Default)]
pub(crate) struct Post {
    pub(crate) id: String,
    pub(crate) create_at: i64,
    pub(crate) update_at: i64,
    pub(crate) edit_at: i64,
    pub(crate) delete_at: i64,
    pub(crate) is_pinned: bool,
    pub(crate) user_id: String,
    pub(crate) channel_id: String,
    pub(crate) root_id: String,
    /// Set on an old revision: the post it was.
    pub(crate) original_id: String,
    pub(crate) message: String,
    /// Empty, or `system_…`, or `slack_attachment`.
    pub(crate) kind: String,
    pub(crate) props: Map<String, Value>,
    pub(crate) reply_count: u64,
}

impl Post {
    /// The post as readers get it; `pending_post_id` is echoed to its author and in the event, but not kept.
    pub(crate) fn json(&self, pending_post_id: &str) -> Value {
        let props = attachments::public(&self.props);
        let attached =
            props.get("attachments").and_then(Value::as_array).is_some_and(|list| !list.is_empty());
        let metadata = if attached { json!({"embeds": [{"type": "message_attachment"}]}) } else { json!({}) };
        json!({
            "id": self.id,
            "create_at": self.create_at,
            "update_at": self.update_at,
            "edit_at": self.edit_at,
            "delete_at": self.delete_at,
            "is_pinned": self.is_pinned,
            "user_id": self.user_id,
            "channel_id": self.channel_id,
            "root_id": self.root_id,
            "parent_id": self.root_id,
            "original_id": self.original_id,
            "message": self.message,
            "type": self.kind,
            "props": props,
            "hashtags": hashtags(&self.message),
            "pending_post_id": pending_post_id,
            "reply_count": self.reply_count,
            "last_reply_at": 0,
            "participants": null,
            "metadata": metadata,
        })
    }

    /// Whether the server wrote it: somebody joined, the channel was archived.
    pub(crate) fn is_system(&self) -> bool {
        self.kind.starts_with("system_")
    }
}

/// The hashtags of a message: `#` and a letter, at least three characters together.
fn hashtags(message: &str) -> String {
    let tags = message.split_whitespace().filter_map(|word| {
        let tag = word.trim_end_matches(|c: char| !c.is_alphanumeric());
        let name = tag.strip_prefix('#')?;
        (tag.chars().count() >= 3 && name.chars().next().is_some_and(char::is_alphabetic)).then_some(tag)
    });
    tags.collect::<Vec<_>>().join(" ")
}

impl World {
    /// Checks and stores a post by a person, a bot or a webhook, and tells everybody. The answer is its id.
    pub(crate) fn create_post(&mut self, mut post: Post, pending_post_id: &str) -> Result<String, ApiError> {
        let channel = self.channel(&post.channel_id)?;
        if channel.delete_at != 0 {
            let id = "api.post.create_post.can_not_post_to_deleted.error";
            return Err(ApiError::invalid(id, "Can not post to deleted channel."));
        }
        check_size(&post.message, &post.props)?;
        if !post.root_id.is_empty() {
            let root = self.post(&post.root_id).ok().filter(|root| root.channel_id == post.channel_id);
            // A reply to a reply belongs to the thread's first post.
            let root = root.map(|root| if root.root_id.is_empty() { &root.id } else { &root.root_id });
            post.root_id = root.cloned().ok_or_else(|| {
                ApiError::invalid("api.post.create_post.root_id.app_error", "Invalid RootId parameter.")
            })?;
        }
        let mentions = self.channel_mentions(&post.message, &post.channel_id);
        if !mentions.is_empty() {
            post.props.insert("channel_mentions".to_owned(), Value::Object(mentions));
        }
        attachments::normalise(&mut post.props, &mut self.ids);
        let id = self.store_post(post, pending_post_id);
        if !pending_post_id.is_empty() {
            self.pending.remember(pending_post_id, &id, Instant::now());
        }
        Ok(id)
    }

    /// Stores a post without asking anything, and tells the channel. A post with a time was written then, as an import does it.
    pub(crate) fn store_post(&mut self, mut post: Post, pending_post_id: &str) -> String {
        post.id = self.ids.next();
        if post.create_at == 0 {
            post.create_at = self.now_ms();
        }
        post.update_at = post.create_at;
        if self.users.get(&post.user_id).is_some_and(|user| user.bot.is_some()) {
            post.props.insert("from_bot".to_owned(), json!("true"));
        }
        if let Some(root) = self.posts.get_mut(&post.root_id) {
            root.reply_count += 1;
            post.reply_count = root.reply_count;
        }
        if let Some(channel) = self.channels.get_mut(&post.channel_id) {
            channel.last_post_at = channel.last_post_at.max(post.create_at);
            if !post.is_system() {
                channel.total_msg_count += 1;
                channel.total_msg_count_root += u64::from(post.root_id.is_empty());
            }
        }
        let id = post.id.clone();
        let event = self.posted(&post, pending_post_id);
        self.keep(post);
        if let Some(event) = event {
            self.emit(&event);
        }
        id
    }

    /// Puts a post (or an old revision) at the end of its channel's timeline, after those that are not newer; the oldest makes room.
    pub(crate) fn keep(&mut self, post: Post) {
        let Some(channel) = self.channels.get_mut(&post.channel_id) else { return };
        let is_newer = |id: &&String| {
            let known = self.posts.get(*id);
            known.is_some_and(|known| known.delete_at == 0 && known.create_at > post.create_at)
        };
        let newer =
            if post.delete_at == 0 { channel.timeline.iter().rev().take_while(is_newer).count() } else { 0 };
        channel.timeline.insert(channel.timeline.len() - newer, post.id.clone());
        while channel.timeline.len() > self.limits.posts_per_channel_max.max(1) {
            if let Some(oldest) = channel.timeline.pop_front() {
                self.posts.remove(&oldest);
            }
        }
        self.posts.insert(post.id.clone(), post);
    }

    fn posted(&self, post: &Post, pending_post_id: &str) -> Option<Event> {
        let channel = self.channels.get(&post.channel_id)?;
        let author = self.username(&post.user_id);
        let sender = match post.props.get("override_username").and_then(Value::as_str) {
            _ if post.is_system() => "System".to_owned(),
            Some(name) => name.to_owned(),
            None => format!("@{author}"),
        };
        let mut data = json!({
            "channel_display_name": channel.display_name,
            "channel_name": channel.name,
            "channel_type": channel.kind.letter(),
            "post": post.json(pending_post_id).to_string(),
            "sender_name": sender,
            "set_online": true,
            "team_id": channel.team_id,
        });
        let mentions = self.mentioned(post);
        if let (false, Some(data)) = (mentions.is_empty(), data.as_object_mut()) {
            data.insert("mentions".to_owned(), json!(json!(mentions).to_string()));
        }
        Some(Event { name: "posted", data, audience: Audience::Channel(channel.id.clone()) })
    }

    /// Members of the channel whom the post names.
    fn mentioned(&self, post: &Post) -> Vec<String> {
        if let Some(added) = post.props.get("addedUserId").and_then(Value::as_str) {
            return vec![added.to_owned()];
        }
        if post.is_system() {
            return Vec::new();
        }
        let legal = |c: char| c.is_alphanumeric() || ".-_@".contains(c);
        let named = post.message.split(|c: char| !legal(c)).filter_map(|word| word.strip_prefix('@'));
        let mut ids: Vec<String> = named
            .filter_map(|name| {
                self.user_named(name).or_else(|| self.user_named(name.trim_end_matches(['.', '-', '_'])))
            })
            .filter(|user| self.is_member(&user.id, &post.channel_id))
            .map(|user| user.id.clone())
            .collect();
        ids.sort_unstable();
        ids.dedup();
        ids
    }

    /// `~name` of public channels on the same team, as the props list them.
    fn channel_mentions(&self, message: &str, channel_id: &str) -> Map<String, Value> {
        let mut found = Map::new();
        let Some(team_id) = self.channels.get(channel_id).map(|channel| &channel.team_id) else {
            return found;
        };
        let Some(team) = self.teams.get(team_id) else { return found };
        let legal = |c: char| c.is_ascii_alphanumeric() || "-_~".contains(c);
        let named = message.split(|c: char| !legal(c)).filter_map(|word| word.strip_prefix('~'));
        for name in named {
            let channel = self.channels.values().find(|c| {
                c.name == name && c.team_id == team.id && c.kind == Kind::Public && c.delete_at == 0
            });
            if let Some(channel) = channel {
                let mention = json!({"display_name": channel.display_name, "team_name": team.name});
                found.insert(name.to_owned(), mention);
            }
        }
        found
    }

    fn pending_post(&mut self, id: &str) -> Option<&Post> {
        let post_id = self.pending.find(id, Instant::now())?;
        self.posts.get(post_id)
    }
}

/// 400 if the message or the props are too long.
pub(crate) fn check_size(message: &str, props: &Map<String, Value>) -> Result<(), ApiError> {
    if message.chars().count() > MESSAGE_CHARS_MAX {
        let id = "model.post.is_valid.msg.app_error";
        return Err(ApiError::invalid(id, format!("A message has at most {MESSAGE_CHARS_MAX} characters.")));
    }
    let props_chars = serde_json::to_string(props).map_or(0, |text| text.chars().count());
    if props_chars > PROPS_CHARS_MAX {
        let id = "model.post.is_valid.props.app_error";
        return Err(ApiError::invalid(
            id,
            format!("Props have at most {PROPS_CHARS_MAX} characters as JSON."),
        ));
    }
    Ok(())
}

#[derive(Deserialize)]
struct NewPost {
    #[serde(default)]
    channel_id: String,
    #[serde(default)]
    message: String,
    #[serde(default)]
    root_id: String,
    #[serde(default)]
    pending_post_id: String,
    #[serde(default)]
    create_at: i64,
    #[serde(default)]
    props: Option<Map<String, Value>>,
}

/// `POST /posts`
pub(crate) fn create(world: &mut World, call: &Call) -> Outcome {
    let new: NewPost = call.json("post")?;
    if !world.may_act_in(&call.caller, &new.channel_id) {
        return Err(ApiError::forbidden());
    }
    if !new.pending_post_id.is_empty()
        && let Some(post) = world.pending_post(&new.pending_post_id)
    {
        let mut first = post.json("");
        if let Some(fields) = first.as_object_mut() {
            fields.remove("metadata");
        }
        return Ok(Answer::created(first));
    }
    // Only administrators say when.
    let create_at = if world.is_admin(&call.caller) { new.create_at.max(0) } else { 0 };
    let post = Post {
        create_at,
        user_id: call.caller.clone(),
        channel_id: new.channel_id,
        root_id: new.root_id,
        message: new.message,
        props: new.props.unwrap_or_default(),
        ..Post::default()
    };
    let id = world.create_post(post, &new.pending_post_id)?;
    Ok(Answer::created(world.post(&id)?.json(&new.pending_post_id)))
}

/// `POST /posts/ephemeral`: for administrators only.
pub(crate) fn create_ephemeral(world: &mut World, call: &Call) -> Outcome {
    #[derive(Deserialize)]
    struct Request {
        user_id: String,
        post: NewPost,
    }
    let request: Request = call.json("body")?;
    if !world.is_admin(&call.caller) {
        return Err(ApiError::forbidden());
    }
    world.user(&request.user_id)?;
    world.channel(&request.post.channel_id)?;
    check_size(&request.post.message, &Map::new())?;
    let post = Post {
        user_id: call.caller.clone(),
        channel_id: request.post.channel_id,
        message: request.post.message,
        ..Post::default()
    };
    let shown = world.whisper(&request.user_id, post);
    Ok(Answer::created(shown))
}

/// `GET /posts/{id}`
pub(crate) fn get(world: &mut World, call: &Call) -> Outcome {
    let post = world.post(&call.id(0, "post_id")?)?;
    if !world.may_see(&call.caller, &post.channel_id) {
        return Err(ApiError::forbidden());
    }
    Ok(Answer::ok(post.json("")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hashtags_are_words_with_a_letter_after_the_sign() {
        assert_eq!(hashtags("#sec the site is down, #p1!"), "#sec #p1");
        assert_eq!(hashtags("# #1 #a no#tag"), "");
    }
}
