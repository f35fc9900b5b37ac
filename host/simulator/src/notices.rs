//! What the server itself says in a channel, and what it says to one person only.

use serde_json::{Map, Value, json};

use crate::channels::Channel;
use crate::posts::Post;
use crate::websocket::{Audience, Event};
use crate::world::{EphemeralPost, World};

impl World {
    /// "jon joined the channel."
    pub(crate) fn say_joined(&mut self, user_id: &str, channel_id: &str) {
        self.say(user_id, channel_id, "system_join_channel", "joined the channel.", json!({}));
    }

    /// "jon added to the channel by chris."
    pub(crate) fn say_added(&mut self, caller: &str, user_id: &str, channel_id: &str) {
        let (adder, added) = (self.username(caller).to_owned(), self.username(user_id).to_owned());
        let props = json!({
            "addedUserId": user_id,
            "addedUsername": added,
            "userId": caller,
            "username": adder,
        });
        let message = format!("{added} added to the channel by {adder}.");
        self.notice(caller, channel_id, "system_add_to_channel", message, props);
    }

    /// "jon joined the team."
    pub(crate) fn say_joined_team(&mut self, user_id: &str, channel_id: &str) {
        self.say(user_id, channel_id, "system_join_team", "joined the team.", json!({}));
    }

    /// "jon added to the team by chris."
    pub(crate) fn say_added_to_team(&mut self, caller: &str, user_id: &str, channel_id: &str) {
        let (adder, added) = (self.username(caller).to_owned(), self.username(user_id).to_owned());
        let props = json!({
            "addedUserId": user_id,
            "addedUsername": added,
            "userId": caller,
            "username": adder,
        });
        let message = format!("{added} added to the team by {adder}.");
        self.notice(caller, channel_id, "system_add_to_team", message, props);
    }

    /// "jon left the team." or "jon was removed from the team."
    pub(crate) fn say_left_team(&mut self, caller: &str, user_id: &str, channel_id: &str) {
        let (kind, what) = if caller == user_id {
            ("system_leave_team", "left the team.")
        } else {
            ("system_remove_from_team", "was removed from the team.")
        };
        self.say(user_id, channel_id, kind, what, json!({}));
    }

    /// "jon left the channel." or "jon removed from the channel."
    pub(crate) fn say_removed(&mut self, caller: &str, user_id: &str, channel_id: &str) {
        if caller == user_id {
            self.say(user_id, channel_id, "system_leave_channel", "has left the channel.", json!({}));
            return;
        }
        let removed = self.username(user_id).to_owned();
        let message = format!("{removed} was removed from the channel.");
        let props = json!({"removedUserId": user_id, "removedUsername": removed});
        self.notice(caller, channel_id, "system_remove_from_channel", message, props);
    }

    /// "jon archived the channel."
    pub(crate) fn say_archived(&mut self, user_id: &str, channel_id: &str) {
        self.say(user_id, channel_id, "system_channel_deleted", "archived the channel.", json!({}));
    }

    /// "jon unarchived the channel."
    pub(crate) fn say_restored(&mut self, user_id: &str, channel_id: &str) {
        self.say(user_id, channel_id, "system_channel_restored", "unarchived the channel.", json!({}));
    }

    /// One notice for each of header, display name and purpose that changed.
    pub(crate) fn say_changed(&mut self, user_id: &str, before: &Channel, after: &Channel) {
        let changes = [
            ("header", "system_header_change", &before.header, &after.header, "header"),
            (
                "displayname",
                "system_displayname_change",
                &before.display_name,
                &after.display_name,
                "display name",
            ),
            ("purpose", "system_purpose_change", &before.purpose, &after.purpose, "purpose"),
        ];
        for (key, kind, old, new, called) in changes {
            if old != new {
                let what = format!("updated the channel {called} from: {old} to: {new}");
                let props = json!({format!("old_{key}"): old, format!("new_{key}"): new});
                self.say(user_id, &after.id, kind, &what, props);
            }
        }
    }

    /// Shows a post to one person only. It is kept for the page, bounded, and has no part in the channel's history.
    pub(crate) fn whisper(&mut self, user_id: &str, mut post: Post) -> Value {
        post.id = self.ids.next();
        post.create_at = self.now_ms();
        post.update_at = post.create_at;
        post.kind = "system_ephemeral".to_owned();
        let shown = post.json("");
        let event = Event {
            name: "ephemeral_message",
            data: json!({"post": shown.to_string()}),
            audience: Audience::User(user_id.to_owned()),
        };
        while self.ephemeral_posts.len() >= self.limits.ephemeral_posts_max.max(1) {
            self.ephemeral_posts.pop_front();
        }
        self.ephemeral_posts.push_back(EphemeralPost { user_id: user_id.to_owned(), post });
        self.emit(&event);
        shown
    }

    /// A notice that begins with the name of who did it.
    fn say(&mut self, user_id: &str, channel_id: &str, kind: &str, what: &str, mut props: Value) {
        let name = self.username(user_id).to_owned();
        if let Some(props) = props.as_object_mut() {
            props.insert("username".to_owned(), json!(name));
        }
        self.notice(user_id, channel_id, kind, format!("{name} {what}"), props);
    }

    fn notice(&mut self, user_id: &str, channel_id: &str, kind: &str, message: String, props: Value) {
        let props = match props {
            Value::Object(props) => props,
            _ => Map::new(),
        };
        let post = Post {
            user_id: user_id.to_owned(),
            channel_id: channel_id.to_owned(),
            kind: kind.to_owned(),
            message,
            props,
            ..Post::default()
        };
        self.store_post(post, "");
    }
}
