//! Slash commands: an administrator makes one for a team, and people use it.

use std::time::Instant;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use crate::call::{Answer, Call, Outcome};
use crate::callbacks::Message;
use crate::errors::ApiError;
use crate::posts::Post;
use crate::server::Shared;
use crate::triggers::Trigger;
use crate::world::World;

/// Characters of the word after the slash.
const TRIGGER_CHARS_MAX: usize = 128;

/// A slash command.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Command {
    id: String,
    token: String,
    create_at: i64,
    update_at: i64,
    delete_at: i64,
    creator_id: String,
    team_id: String,
    trigger: String,
    method: String,
    username: String,
    icon_url: String,
    auto_complete: bool,
    auto_complete_desc: String,
    auto_complete_hint: String,
    display_name: String,
    description: String,
    url: String,
    plugin_id: String,
}

/// Where an integration sends later replies to one use of a command.
#[derive(Debug, Clone)]
pub(crate) struct ResponseHook {
    username: String,
    user_id: String,
    channel_id: String,
    made: Instant,
    left: u32,
}

/// `POST /commands`
pub(crate) fn create(world: &mut World, call: &Call) -> Outcome {
    let mut new: Command = call.json("command")?;
    if !world.is_admin(&call.caller) || !world.teams.contains_key(&new.team_id) {
        return Err(ApiError::forbidden());
    }
    new.trigger = new.trigger.to_lowercase();
    let is_word = |text: &str| !text.starts_with('/') && !text.contains(char::is_whitespace);
    if !(1..=TRIGGER_CHARS_MAX).contains(&new.trigger.chars().count()) || !is_word(&new.trigger) {
        return Err(ApiError::invalid(
            "model.command.is_valid.trigger.app_error",
            format!("A trigger is a word without the slash, of at most {TRIGGER_CHARS_MAX} characters."),
        ));
    }
    if world.commands.values().any(|known| known.team_id == new.team_id && known.trigger == new.trigger) {
        let id = "api.command.duplicate_trigger.app_error";
        return Err(ApiError::invalid(id, "This trigger word is in use. Choose another word."));
    }
    if world.commands.len() >= world.limits.commands_max {
        return Err(ApiError::full("slash commands", world.limits.commands_max));
    }
    let (id, token, now) = (world.ids.next(), world.ids.next(), world.now_ms());
    let command = Command {
        id: id.clone(),
        token,
        create_at: now,
        update_at: now,
        delete_at: 0,
        creator_id: call.caller.clone(),
        plugin_id: String::new(),
        ..new
    };
    let answer = json!(command);
    world.commands.insert(id, command);
    Ok(Answer::created(answer))
}

/// `GET /commands?team_id=…`: those that administrators made; the simulator has no others.
pub(crate) fn list(world: &mut World, call: &Call) -> Outcome {
    let team_id = call.query("team_id").ok_or_else(|| ApiError::url("team_id"))?;
    if !world.is_admin(&call.caller) {
        return Err(ApiError::forbidden());
    }
    let of_team = world.commands.values().filter(|command| command.team_id == team_id);
    Ok(Answer::ok(of_team.map(|command| json!(command)).collect()))
}

#[derive(Deserialize)]
struct Use {
    channel_id: String,
    command: String,
}

/// A use of a command, ready to be sent to its integration.
struct Order {
    command: Command,
    channel_id: String,
    message: Message,
    trigger: Trigger,
}

/// What an integration replies; everything may be missing.
#[derive(Debug, Default, Deserialize, Serialize)]
#[serde(default)]
struct Reply {
    response_type: String,
    text: String,
    username: String,
    channel_id: String,
    icon_url: String,
    #[serde(rename = "type")]
    kind: String,
    props: Option<Map<String, Value>>,
    goto_location: String,
    trigger_id: String,
    skip_slack_parsing: bool,
    attachments: Option<Vec<Value>>,
    extra_responses: Option<Vec<Value>>,
}

/// `POST /commands/execute`: calls the integration, and shows its reply in the channel or to the caller alone.
pub(crate) async fn execute(shared: &Shared, call: &Call) -> Outcome {
    let order = prepare(&mut shared.world(), call)?;
    let failed = |id, reason: String| {
        tracing::warn!(reason, "a command's integration failed");
        let trigger = &order.command.trigger;
        ApiError::new(500, id, format!("Command with a trigger of '{trigger}' failed: {reason}."))
    };
    let unreadable = |reason| failed("api.command.execute_command.failed.app_error", reason);
    let got = shared.exchange(&order.command.url, order.message).await.map_err(unreadable)?;
    let body = got
        .body_of_200()
        .map_err(|reason| failed("api.command.execute_command.failed_resp.app_error", reason))?;
    let mut reply: Reply = if got.kind.starts_with("text/plain") {
        Reply { text: String::from_utf8_lossy(body).into_owned(), ..Reply::default() }
    } else {
        serde_json::from_slice(body)
            .map_err(|error| unreadable(format!("its answer is not as expected: {error}")))?
    };
    deliver(&mut shared.world(), &reply, &call.caller, &order.channel_id, &order.command.username)?;
    reply.trigger_id = order.trigger.client;
    Ok(Answer::ok(json!(reply)))
}

fn prepare(world: &mut World, call: &Call) -> Result<Order, ApiError> {
    let Use { channel_id, command: line } = call.json("command")?;
    let (word, text) = line
        .strip_prefix('/')
        .filter(|line| !line.is_empty())
        // What follows keeps its spaces.
        .map(|line| line.split_once(' ').unwrap_or((line, "")))
        .ok_or_else(|| ApiError::body("command"))?;
    if !world.may_act_in(&call.caller, &channel_id) {
        return Err(ApiError::forbidden());
    }
    let channel = world.channel(&channel_id)?.clone();
    let word = word.to_lowercase();
    let mut commands = world.commands.values();
    let found = commands.find(|command| command.team_id == channel.team_id && command.trigger == word);
    let command = found.cloned().ok_or_else(|| {
        let id = "api.command.execute_command.not_found.app_error";
        ApiError::new(404, id, format!("Command with a trigger of '{word}' not found."))
    })?;
    let (trigger, hook) = (world.trigger(&call.caller), world.response_hook(&command, call, &channel_id)?);
    let fields = [
        ("channel_id", channel_id.as_str()),
        ("channel_name", &channel.name),
        ("command", &format!("/{word}")),
        ("response_url", &format!("{}/hooks/commands/{hook}", world.site_url())),
        ("team_domain", world.teams.get(&channel.team_id).map_or("", |team| &team.name)),
        ("team_id", &channel.team_id),
        ("text", text),
        ("token", &command.token),
        ("trigger_id", &trigger.signed),
        ("user_id", &call.caller),
        ("user_name", world.username(&call.caller)),
    ];
    let message = Message::form(&fields).authorized(format!("Token {}", command.token));
    Ok(Order { command, channel_id, message, trigger })
}

impl World {
    fn response_hook(
        &mut self,
        command: &Command,
        call: &Call,
        channel_id: &str,
    ) -> Result<String, ApiError> {
        let valid = self.limits.response_hook_valid;
        self.response_hooks.retain(|_, hook| hook.made.elapsed() < valid);
        if self.response_hooks.len() >= self.limits.response_hooks_max {
            return Err(ApiError::full("uses of commands under way", self.limits.response_hooks_max));
        }
        let id = self.ids.next();
        let hook = ResponseHook {
            username: command.username.clone(),
            user_id: call.caller.clone(),
            channel_id: channel_id.to_owned(),
            made: Instant::now(),
            left: self.limits.response_hook_uses_max,
        };
        self.response_hooks.insert(id.clone(), hook);
        Ok(id)
    }
}

/// `POST /hooks/commands/{id}`, outside of the API and without a session: a reply that comes later.
pub(crate) fn respond(world: &mut World, id: &str, body: &[u8]) -> Result<(), ApiError> {
    let valid = world.limits.response_hook_valid;
    let hook = world.response_hooks.get_mut(id).filter(|hook| hook.made.elapsed() < valid);
    let hook = hook.ok_or_else(|| {
        ApiError::new(404, "web.command_webhook.command.app_error", "There is no such use of a command.")
    })?;
    hook.left = hook.left.checked_sub(1).ok_or_else(|| {
        ApiError::invalid("app.command_webhook.try_use.invalid", "All replies to this command were used.")
    })?;
    let hook = hook.clone();
    let reply: Reply = serde_json::from_slice(body).map_err(|_| {
        ApiError::invalid("web.command_webhook.parse.app_error", "Unable to parse incoming data: send JSON.")
    })?;
    deliver(world, &reply, &hook.user_id, &hook.channel_id, &hook.username)
}

/// Shows a reply, in the name that the command has.
fn deliver(
    world: &mut World,
    reply: &Reply,
    user_id: &str,
    channel_id: &str,
    username: &str,
) -> Result<(), ApiError> {
    let attachments = reply.attachments.clone().unwrap_or_default();
    if reply.text.is_empty() && attachments.is_empty() {
        return Ok(());
    }
    let mut props = reply.props.clone().unwrap_or_default();
    props.insert("from_webhook".to_owned(), json!("true"));
    let username = if reply.username.is_empty() { username } else { &reply.username };
    if !username.is_empty() {
        props.insert("override_username".to_owned(), json!(username));
    }
    let kind = if attachments.is_empty() { String::new() } else { "slack_attachment".to_owned() };
    if !attachments.is_empty() {
        props.insert("attachments".to_owned(), Value::Array(attachments));
    }
    let post = Post {
        user_id: user_id.to_owned(),
        channel_id: channel_id.to_owned(),
        message: reply.text.clone(),
        kind,
        props,
        ..Post::default()
    };
    if reply.response_type == "in_channel" {
        world.create_post(post, "")?;
    } else {
        world.whisper(user_id, post);
    }
    Ok(())
}
