//! Dialogs: forms that an integration opens for a person, and what comes back.

use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::call::{Answer, Call, Outcome};
use crate::callbacks::Message;
use crate::errors::ApiError;
use crate::server::Shared;
use crate::websocket::{Audience, Event};
use crate::world::World;

#[derive(Deserialize)]
struct Opening {
    trigger_id: String,
    url: String,
    dialog: Map<String, Value>,
}

/// `POST /actions/dialogs/open`, without a session: the trigger id says for whom.
pub(crate) fn open(world: &mut World, call: &Call) -> Outcome {
    let Opening { trigger_id, url, dialog } = call.json("dialog")?;
    let (user_id, client_trigger_id) = world.triggered(&trigger_id)?;
    let opened = json!({"trigger_id": client_trigger_id, "url": url, "dialog": dialog});
    world.emit(&Event {
        name: "open_dialog",
        data: json!({"dialog": opened.to_string()}),
        audience: Audience::User(user_id),
    });
    Ok(Answer::done())
}

#[derive(Deserialize)]
struct Submission {
    url: String,
    #[serde(default)]
    callback_id: String,
    #[serde(default)]
    state: String,
    channel_id: String,
    #[serde(default)]
    team_id: String,
    #[serde(default)]
    submission: Map<String, Value>,
    #[serde(default)]
    cancelled: bool,
}

/// What an integration finds wrong; everything may be missing.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Complaint {
    error: String,
    errors: Map<String, Value>,
}

/// `POST /actions/dialogs/submit`: hands it to the integration, whose complaints are the answer. Of what is handed on, only the
/// user is sure.
pub(crate) async fn submit(shared: &Shared, call: &Call) -> Outcome {
    let sent: Submission = call.json("dialog submission")?;
    if !shared.world().may_act_in(&call.caller, &sent.channel_id) {
        return Err(ApiError::forbidden());
    }
    let body = json!({
        "type": "dialog_submission",
        "callback_id": sent.callback_id,
        "state": sent.state,
        "user_id": call.caller,
        "channel_id": sent.channel_id,
        "team_id": sent.team_id,
        "submission": sent.submission,
        "cancelled": sent.cancelled,
    });
    let failed = |reason: String| {
        tracing::warn!(reason, "an integration failed");
        ApiError::invalid(
            "api.post.do_action.action_integration.app_error",
            format!("Action integration error: {reason}."),
        )
    };
    let reply = shared.exchange(&sent.url, Message::json(&body)).await.map_err(failed)?;
    let body = reply.body_of_200().map_err(failed)?;
    let complaint: Complaint = if body.is_empty() {
        Complaint::default()
    } else {
        serde_json::from_slice(body)
            .map_err(|error| failed(format!("the integration's answer is not as expected: {error}")))?
    };
    let mut answer = Map::new();
    if !complaint.error.is_empty() {
        answer.insert("error".to_owned(), json!(complaint.error));
    }
    if !complaint.errors.is_empty() {
        answer.insert("errors".to_owned(), Value::Object(complaint.errors));
    }
    Ok(Answer::ok(Value::Object(answer)))
}
