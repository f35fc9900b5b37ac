//! Changing, pinning and deleting posts.

use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::attachments;
use crate::call::{Answer, Call, Outcome};
use crate::errors::ApiError;
use crate::posts::{Post, check_size};
use crate::websocket::{Audience, Event};
use crate::world::World;

/// What is to change on a post; `None` stays as it is.
#[derive(Debug, Default, Deserialize)]
pub(crate) struct Change {
    pub(crate) message: Option<String>,
    /// Replaces the whole map.
    pub(crate) props: Option<Map<String, Value>>,
    pub(crate) is_pinned: Option<bool>,
}

impl World {
    /// Changes a post and tells the channel. The old revision stays in the timeline, as deleted.
    pub(crate) fn change_post(&mut self, id: &str, change: Change) -> Result<Value, ApiError> {
        let old = self.post(id)?.clone();
        if old.is_system() {
            let id = "api.post.update_post.system_message.app_error";
            return Err(ApiError::invalid(id, "Unable to update system message."));
        }
        if self.channel(&old.channel_id)?.delete_at != 0 {
            let id = "api.post.update_post.can_not_update_post_in_deleted.error";
            return Err(ApiError::invalid(id, "Can not update a post in a deleted channel."));
        }
        let mut new = old.clone();
        new.update_at = self.now_ms();
        if let Some(message) = change.message
            && message != old.message
        {
            new.message = message;
            new.edit_at = new.update_at;
        }
        if let Some(props) = change.props {
            new.props = props;
            attachments::normalise(&mut new.props, &mut self.ids);
        }
        new.is_pinned = change.is_pinned.unwrap_or(old.is_pinned);
        check_size(&new.message, &new.props)?;
        let shown = new.json("");
        self.posts.insert(id.to_owned(), new.clone());
        self.keep_revision(old, new.update_at);
        self.emit_post("post_edited", &new, &shown);
        Ok(shown)
    }

    fn keep_revision(&mut self, mut old: Post, replaced_at: i64) {
        old.original_id = std::mem::replace(&mut old.id, self.ids.next());
        old.delete_at = replaced_at;
        old.update_at = replaced_at;
        self.keep(old);
    }

    fn emit_post(&mut self, name: &'static str, post: &Post, shown: &Value) {
        self.emit(&Event {
            name,
            data: json!({"post": shown.to_string()}),
            audience: Audience::Channel(post.channel_id.clone()),
        });
    }

    fn check_author(&self, caller: &str, post: &Post) -> Result<(), ApiError> {
        let own = post.user_id == caller && self.is_member(caller, &post.channel_id);
        if own || self.is_admin(caller) { Ok(()) } else { Err(ApiError::forbidden()) }
    }
}

/// `PUT /posts/{id}/patch`
pub(crate) fn patch(world: &mut World, call: &Call) -> Outcome {
    let id = call.id(0, "post_id")?;
    let change: Change = call.json("post")?;
    // Of a post that is gone the real server says no more than this.
    let post = world.post(&id).map_err(|_| ApiError::forbidden())?;
    world.check_author(&call.caller, post)?;
    world.change_post(&id, change).map(Answer::ok)
}

fn set_pinned(world: &mut World, call: &Call, pinned: bool) -> Outcome {
    let id = call.id(0, "post_id")?;
    let post = world.post(&id)?;
    if !world.may_act_in(&call.caller, &post.channel_id) {
        return Err(ApiError::forbidden());
    }
    world.change_post(&id, Change { is_pinned: Some(pinned), ..Change::default() })?;
    Ok(Answer::done())
}

/// `POST /posts/{id}/pin`
pub(crate) fn pin(world: &mut World, call: &Call) -> Outcome {
    set_pinned(world, call, true)
}

/// `POST /posts/{id}/unpin`
pub(crate) fn unpin(world: &mut World, call: &Call) -> Outcome {
    set_pinned(world, call, false)
}

/// `DELETE /posts/{id}`: it stays in the timeline for those who ask what changed.
pub(crate) fn delete(world: &mut World, call: &Call) -> Outcome {
    let id = call.id(0, "post_id")?;
    let mut post = world.post(&id)?.clone();
    world.check_author(&call.caller, &post)?;
    post.update_at = world.now_ms();
    // The event still says "not deleted", as the real server's does.
    let shown = post.json("");
    post.delete_at = post.update_at;
    world.posts.insert(id, post.clone());
    world.emit_post("post_deleted", &post, &shown);
    Ok(Answer::done())
}
