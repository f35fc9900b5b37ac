//! Reactions to posts.

use serde::Deserialize;
use serde_json::{Value, json};

use crate::call::{Answer, Call, Outcome};
use crate::errors::ApiError;
use crate::websocket::{Audience, Event};
use crate::world::World;

/// Characters of the name of an emoji.
const EMOJI_CHARS_MAX: usize = 64;

/// What somebody thinks of a post, in one picture.
#[derive(Debug, Clone)]
pub(crate) struct Reaction {
    user_id: String,
    emoji_name: String,
    create_at: i64,
}

impl Reaction {
    /// The reaction as readers get it.
    pub(crate) fn json(&self, post_id: &str) -> Value {
        json!({
            "user_id": self.user_id,
            "post_id": post_id,
            "emoji_name": self.emoji_name,
            "create_at": self.create_at,
            "update_at": self.create_at,
            "delete_at": 0,
            "remote_id": "",
        })
    }
}

#[derive(Deserialize)]
struct NewReaction {
    user_id: String,
    post_id: String,
    emoji_name: String,
}

/// `POST /reactions`: in one's own name. The same again changes nothing.
pub(crate) fn create(world: &mut World, call: &Call) -> Outcome {
    let new: NewReaction = call.json("reaction")?;
    if new.emoji_name.is_empty() || new.emoji_name.chars().count() > EMOJI_CHARS_MAX {
        return Err(ApiError::invalid(
            "api.reaction.save_reaction.invalid.app_error",
            format!("A reaction is the name of an emoji, of at most {EMOJI_CHARS_MAX} characters."),
        ));
    }
    if new.user_id != call.caller {
        let id = "api.reaction.save_reaction.user_id.app_error";
        return Err(ApiError::new(403, id, "You cannot react in somebody else's name."));
    }
    let channel_id = world.post(&new.post_id)?.channel_id.clone();
    if !world.may_act_in(&call.caller, &channel_id) {
        return Err(ApiError::forbidden());
    }
    let (now, reactions_max) = (world.now_ms(), world.limits.reactions_per_post_max);
    let Some(post) = world.posts.get_mut(&new.post_id) else { return Err(ApiError::forbidden()) };
    let is_known = |known: &&Reaction| known.user_id == new.user_id && known.emoji_name == new.emoji_name;
    if let Some(known) = post.reactions.iter().find(is_known) {
        return Ok(Answer::ok(known.json(&new.post_id)));
    }
    if post.reactions.len() >= reactions_max {
        return Err(ApiError::full("reactions to a post", reactions_max));
    }
    let reaction = Reaction { user_id: new.user_id, emoji_name: new.emoji_name, create_at: now };
    let shown = reaction.json(&new.post_id);
    post.reactions.push(reaction);
    post.update_at = now;
    world.emit(&Event {
        name: "reaction_added",
        data: json!({"reaction": shown.to_string()}),
        audience: Audience::Channel(channel_id),
    });
    Ok(Answer::ok(shown))
}
