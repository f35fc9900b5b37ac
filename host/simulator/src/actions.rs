//! Buttons and menus: what happens when somebody uses one.

use serde_json::{Map, Value, json};

use crate::attachments;
use crate::call::{Answer, Outcome};
use crate::callbacks::{Message, Reply, Update};
use crate::errors::ApiError;
use crate::posts::Post;
use crate::revisions::Change;
use crate::server::Shared;
use crate::world::World;

/// Props that survive an update by an integration: they say in whose name the post speaks.
const KEPT_PROPS: [&str; 3] = ["from_webhook", "override_username", "override_icon_url"];

/// A use of a control, ready to be sent to its integration.
#[derive(Debug)]
struct Press {
    url: String,
    body: Value,
    trigger_id: String,
}

/// `user_id` uses the control `action_id` of a post; `selected` is what was chosen from a menu. Calls the integration
/// and applies its reply. The world is not locked while the integration thinks.
pub(crate) async fn press(
    shared: &Shared,
    user_id: &str,
    post_id: &str,
    action_id: &str,
    selected: &str,
) -> Outcome {
    let press = prepare(&mut shared.world(), user_id, post_id, action_id, selected)?;
    let received = shared.exchange(&press.url, Message::json(&press.body)).await;
    let reply = received.and_then(|received| Reply::read(&received)).map_err(|reason| {
        tracing::warn!(action_id, reason, "an integration failed");
        ApiError::invalid(
            "api.post.do_action.action_integration.app_error",
            format!("Action integration error: {reason}."),
        )
    })?;
    let mut world = shared.world();
    apply(&mut world, user_id, post_id, reply)?;
    Ok(Answer::ok(json!({"status": "OK", "trigger_id": press.trigger_id})))
}

fn prepare(
    world: &mut World,
    user_id: &str,
    post_id: &str,
    action_id: &str,
    selected: &str,
) -> Result<Press, ApiError> {
    let post = world.post(post_id)?;
    if !world.may_act_in(user_id, &post.channel_id) {
        return Err(ApiError::forbidden());
    }
    let action = attachments::of(&post.props)
        .into_iter()
        .flat_map(|attachment| attachment.actions)
        .find(|action| action.id == action_id);
    // A control without an integration does nothing, and says so in the same way.
    let (action, integration) = action
        .and_then(|mut action| action.integration.take().map(|integration| (action, integration)))
        .ok_or_else(|| {
            ApiError::new(
                404,
                "api.post.do_action.action_id.app_error",
                "Invalid action id: the post has no such control.",
            )
        })?;
    let mut context = integration.context;
    if action.kind == "select" {
        // Whether the option was offered is the integration's business.
        context.insert("selected_option".to_owned(), json!(selected));
    }
    let channel = world.channel(&post.channel_id)?;
    let team = world.teams.get(&channel.team_id);
    let mut body = json!({
        "user_id": user_id,
        "user_name": world.username(user_id),
        "channel_id": channel.id,
        "channel_name": channel.name,
        "team_id": channel.team_id,
        "team_domain": team.map_or("", |team| team.name.as_str()),
        "post_id": post_id,
        "type": action.kind,
        "data_source": action.data_source,
        "context": context,
    });
    let trigger = world.trigger(user_id);
    if let Some(body) = body.as_object_mut() {
        body.insert("trigger_id".to_owned(), json!(trigger.signed));
    }
    Ok(Press { url: integration.url, body, trigger_id: trigger.client })
}

fn apply(world: &mut World, user_id: &str, post_id: &str, reply: Reply) -> Result<(), ApiError> {
    let post = world.post(post_id)?.clone();
    if let Some(update) = reply.update {
        let props = update.props.as_ref().map(|props| merged(&post.props, props));
        let Update { message, .. } = update;
        world.change_post(post_id, Change { message: Some(message), props, is_pinned: None })?;
    }
    if !reply.ephemeral_text.is_empty() {
        let mut whisper = Post {
            user_id: user_id.to_owned(),
            root_id: if post.root_id.is_empty() { post.id } else { post.root_id },
            channel_id: post.channel_id,
            message: reply.ephemeral_text,
            ..Post::default()
        };
        whisper.props.insert("from_webhook".to_owned(), json!("true"));
        world.whisper(user_id, whisper);
    }
    Ok(())
}

fn merged(old: &Map<String, Value>, new: &Map<String, Value>) -> Map<String, Value> {
    let mut props = new.clone();
    for key in KEPT_PROPS {
        match old.get(key) {
            Some(value) => props.insert(key.to_owned(), value.clone()),
            None => props.remove(key),
        };
    }
    props
}
