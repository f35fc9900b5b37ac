//! Incoming webhooks: how Nagios or Alertmanager speak.

use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::call::{Answer, Call, Outcome};
use crate::errors::ApiError;
use crate::posts::Post;
use crate::world::World;

/// An incoming webhook.
#[derive(Debug, Clone)]
pub(crate) struct Webhook {
    user_id: String,
    channel_id: String,
    display_name: String,
    username: String,
}

#[derive(Deserialize)]
struct NewWebhook {
    channel_id: String,
    #[serde(default)]
    display_name: String,
    #[serde(default)]
    description: String,
    #[serde(default)]
    username: String,
    #[serde(default)]
    icon_url: String,
    #[serde(default)]
    channel_locked: bool,
}

/// `POST /hooks/incoming`: an administrator makes one.
pub(crate) fn create(world: &mut World, call: &Call) -> Outcome {
    let new: NewWebhook = call.json("incoming_webhook")?;
    if !world.is_admin(&call.caller) {
        return Err(ApiError::forbidden());
    }
    let team_id = world.channel(&new.channel_id)?.team_id.clone();
    if world.webhooks.len() >= world.limits.webhooks_max {
        return Err(ApiError::full("incoming webhooks", world.limits.webhooks_max));
    }
    let id = world.ids.next();
    let now = world.now_ms();
    let answer = json!({
        "id": id,
        "create_at": now,
        "update_at": now,
        "delete_at": 0,
        "user_id": call.caller,
        "channel_id": new.channel_id,
        "team_id": team_id,
        "display_name": new.display_name,
        "description": new.description,
        "username": new.username,
        "icon_url": new.icon_url,
        "channel_locked": new.channel_locked,
    });
    let webhook = Webhook {
        user_id: call.caller.clone(),
        channel_id: new.channel_id,
        display_name: new.display_name,
        username: new.username,
    };
    world.webhooks.insert(id, webhook);
    Ok(Answer::created(answer))
}

#[derive(Deserialize)]
struct Message {
    #[serde(default)]
    text: String,
    #[serde(default)]
    username: String,
    #[serde(default)]
    attachments: Vec<Value>,
}

/// `POST /hooks/{id}`, outside of the API and without a session.
pub(crate) fn speak(world: &mut World, id: &str, body: &[u8]) -> Result<(), ApiError> {
    let webhook = world.webhooks.get(id).cloned().ok_or_else(|| {
        ApiError::new(404, "web.incoming_webhook.invalid.app_error", "Invalid webhook: no such id.")
    })?;
    let message: Message = serde_json::from_slice(body).map_err(|_| {
        ApiError::invalid("web.incoming_webhook.parse.app_error", "Unable to parse incoming data: send JSON.")
    })?;
    if message.text.is_empty() && message.attachments.is_empty() {
        return Err(ApiError::invalid("web.incoming_webhook.text.app_error", "No text specified."));
    }
    let mut props = Map::new();
    let name = if message.username.is_empty() { webhook.username } else { message.username };
    props.insert("from_webhook".to_owned(), json!("true"));
    props.insert("override_username".to_owned(), json!(name));
    props.insert("webhook_display_name".to_owned(), json!(webhook.display_name));
    let attached = !message.attachments.is_empty();
    if attached {
        props.insert("attachments".to_owned(), Value::Array(message.attachments));
    }
    let post = Post {
        user_id: webhook.user_id,
        channel_id: webhook.channel_id,
        message: message.text,
        kind: if attached { "slack_attachment".to_owned() } else { String::new() },
        props,
        ..Post::default()
    };
    world.create_post(post, "").map(|_| ())
}
