//! Outgoing webhooks: what people say in a public channel is told to an integration.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tokio::sync::mpsc;

use crate::call::{Answer, Call, Outcome};
use crate::callbacks::Message;
use crate::channels::{Channel, Kind};
use crate::errors::ApiError;
use crate::posts::Post;
use crate::server::Shared;
use crate::world::World;

/// How many calls wait; what comes on top is not told, and the log says so.
const WAITING_MAX: usize = 100;

/// An outgoing webhook.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct OutgoingWebhook {
    id: String,
    token: String,
    create_at: i64,
    update_at: i64,
    delete_at: i64,
    creator_id: String,
    channel_id: String,
    team_id: String,
    trigger_words: Vec<String>,
    /// 0: the first word is a trigger word; 1: it begins with one.
    trigger_when: u8,
    callback_urls: Vec<String>,
    display_name: String,
    description: String,
    content_type: String,
    username: String,
    icon_url: String,
}

impl OutgoingWebhook {
    /// The trigger word of a message, if the webhook wants to know of it.
    fn trigger_word(&self, message: &str) -> Option<String> {
        if self.trigger_words.is_empty() {
            return Some(String::new());
        }
        let first = message.split_whitespace().next()?;
        let fits = |word: &&String| match self.trigger_when {
            0 => word.as_str() == first,
            _ => first.starts_with(word.as_str()),
        };
        self.trigger_words.iter().find(fits).cloned()
    }
}

/// A call that is to be made.
#[derive(Debug)]
pub(crate) struct OutgoingCall {
    webhook: OutgoingWebhook,
    url: String,
    channel_id: String,
    message: Message,
}

/// The calls that are to be made.
#[derive(Debug)]
pub(crate) struct OutgoingCalls {
    sender: mpsc::Sender<OutgoingCall>,
    receiver: Option<mpsc::Receiver<OutgoingCall>>,
}

impl OutgoingCalls {
    /// None yet.
    pub(crate) fn new() -> OutgoingCalls {
        let (sender, receiver) = mpsc::channel(WAITING_MAX);
        OutgoingCalls { sender, receiver: Some(receiver) }
    }
}

/// `POST /hooks/outgoing`
pub(crate) fn create(world: &mut World, call: &Call) -> Outcome {
    let new: OutgoingWebhook = call.json("outgoing_webhook")?;
    if !world.is_admin(&call.caller) || !world.teams.contains_key(&new.team_id) {
        return Err(ApiError::forbidden());
    }
    if !new.channel_id.is_empty() && world.channel(&new.channel_id)?.kind != Kind::Public {
        return Err(ApiError::forbidden());
    }
    if new.callback_urls.is_empty() || (new.channel_id.is_empty() && new.trigger_words.is_empty()) {
        return Err(ApiError::body("outgoing_webhook"));
    }
    if world.outgoing_webhooks.len() >= world.limits.webhooks_max {
        return Err(ApiError::full("outgoing webhooks", world.limits.webhooks_max));
    }
    let (id, token, now) = (world.ids.next(), world.ids.next(), world.now_ms());
    let webhook = OutgoingWebhook {
        id: id.clone(),
        token,
        create_at: now,
        update_at: now,
        delete_at: 0,
        creator_id: call.caller.clone(),
        ..new
    };
    let answer = json!(webhook);
    world.outgoing_webhooks.insert(id, webhook);
    Ok(Answer::created(answer))
}

impl World {
    /// Lets the outgoing webhooks know what a person said.
    pub(crate) fn tell_outgoing(&self, post: &Post) {
        let is_person = self.users.get(&post.user_id).is_some_and(|user| user.bot.is_none());
        let Some(channel) = self.channels.get(&post.channel_id) else { return };
        if !is_person || post.is_system() || post.props.contains_key("from_webhook") {
            return;
        }
        for webhook in self.outgoing_webhooks.values().filter(|webhook| {
            channel.kind == Kind::Public
                && webhook.team_id == channel.team_id
                && (webhook.channel_id.is_empty() || webhook.channel_id == channel.id)
        }) {
            let Some(word) = webhook.trigger_word(&post.message) else { continue };
            for url in &webhook.callback_urls {
                let call = OutgoingCall {
                    webhook: webhook.clone(),
                    url: url.clone(),
                    channel_id: channel.id.clone(),
                    message: self.told(webhook, post, channel, &word),
                };
                if self.outgoing_calls.sender.try_send(call).is_err() {
                    tracing::warn!("an outgoing webhook was not told: {WAITING_MAX} calls wait already");
                }
            }
        }
    }

    fn told(&self, webhook: &OutgoingWebhook, post: &Post, channel: &Channel, word: &str) -> Message {
        let team = self.teams.get(&channel.team_id).map_or("", |team| team.name.as_str());
        let file_ids = post.file_ids.join(",");
        if webhook.content_type == "application/json" {
            return Message::json(&json!({
                "token": webhook.token,
                "team_id": channel.team_id,
                "team_domain": team,
                "channel_id": channel.id,
                "channel_name": channel.name,
                "timestamp": post.create_at,
                "user_id": post.user_id,
                "user_name": self.username(&post.user_id),
                "post_id": post.id,
                "text": post.message,
                "trigger_word": word,
                "file_ids": file_ids,
            }));
        }
        Message::form(&[
            ("token", webhook.token.as_str()),
            ("team_id", &channel.team_id),
            ("team_domain", team),
            ("channel_id", &channel.id),
            ("channel_name", &channel.name),
            ("timestamp", &post.create_at.to_string()),
            ("user_id", &post.user_id),
            ("user_name", self.username(&post.user_id)),
            ("post_id", &post.id),
            ("text", &post.message),
            ("trigger_word", word),
            ("file_ids", &file_ids),
        ])
    }
}

/// Makes the calls one after the other, until the simulator stops.
pub(crate) async fn make_calls(shared: Arc<Shared>) {
    let Some(mut calls) = shared.world().outgoing_calls.receiver.take() else { return };
    loop {
        let call = tokio::select! {
            call = calls.recv() => call,
            () = shared.stopping() => return,
        };
        let Some(OutgoingCall { webhook, url, channel_id, message }) = call else { return };
        match shared.exchange(&url, message).await {
            Ok(got) => reply(&mut shared.world(), webhook, channel_id, &got.body),
            Err(reason) => tracing::warn!(reason, "an outgoing webhook's integration failed"),
        }
    }
}

/// What the integration says to it becomes a post.
fn reply(world: &mut World, webhook: OutgoingWebhook, channel_id: String, body: &[u8]) {
    let Some(text) = serde_json::from_slice::<Value>(body)
        .ok()
        .and_then(|reply| reply.get("text")?.as_str().map(str::to_owned))
        .filter(|text| !text.is_empty())
    else {
        return;
    };
    let mut post = Post { user_id: webhook.creator_id, channel_id, message: text, ..Post::default() };
    post.props.insert("from_webhook".to_owned(), json!("true"));
    if !webhook.username.is_empty() {
        post.props.insert("override_username".to_owned(), json!(webhook.username));
    }
    if let Err(error) = world.create_post(post, "") {
        tracing::warn!(reason = error.message, "the reply to an outgoing webhook was not posted");
    }
}
