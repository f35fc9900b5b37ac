//! What a person does on the page: write, use a control, join a channel.
//!
//! A success redirects back to the page; a failure is a sentence in plain text, which the script shows as an alert.

use std::sync::Arc;

use axum::Form;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};
use serde::Deserialize;
use serde_json::{Value, json};

use super::view::address;
use crate::call::{Call, Outcome};
use crate::errors::ApiError;
use crate::server::Shared;
use crate::{actions, members, posts};

/// Who acts where.
#[derive(Debug, Deserialize)]
pub(super) struct Place {
    #[serde(rename = "as")]
    who: String,
    channel: String,
}

impl Place {
    /// Id of the person who acts. Nobody acts as a bot here.
    fn user_id(&self, shared: &Shared) -> Result<String, ApiError> {
        let world = shared.world();
        let person = world.user_named(&self.who).filter(|user| user.bot.is_none());
        person.map(|user| user.id.clone()).ok_or_else(|| {
            let message = format!("There is no person called {} here. Choose one above.", self.who);
            ApiError::new(404, "simulator.page.person.app_error", message)
        })
    }
}

fn call(caller: String, params: Vec<String>, body: &Value) -> Call {
    Call { caller, params, query: Vec::new(), body: body.to_string().into_bytes() }
}

fn back(place: &Place, what: &str, outcome: Outcome) -> Response {
    match outcome {
        Ok(_) => Redirect::to(&address(&place.who, &place.channel)).into_response(),
        Err(error) => {
            let status = StatusCode::from_u16(error.status).unwrap_or(StatusCode::BAD_REQUEST);
            (status, format!("{what}: {}", error.message)).into_response()
        }
    }
}

/// A message to write.
#[derive(Debug, Deserialize)]
pub(super) struct Message {
    #[serde(flatten)]
    place: Place,
    message: String,
}

/// `POST /page/messages`
pub(super) async fn message(State(shared): State<Arc<Shared>>, Form(form): Form<Message>) -> Response {
    // Browsers send the line ends of a text area as CR LF.
    let text = form.message.replace("\r\n", "\n");
    let outcome = if text.trim().is_empty() {
        Err(ApiError::invalid("simulator.page.message.app_error", "The message is empty."))
    } else {
        form.place.user_id(&shared).and_then(|user_id| {
            let body = json!({"channel_id": form.place.channel, "message": text});
            posts::create(&mut shared.world(), &call(user_id, Vec::new(), &body))
        })
    };
    back(&form.place, "The message was not sent", outcome)
}

/// A control to use.
#[derive(Debug, Deserialize)]
pub(super) struct Control {
    #[serde(flatten)]
    place: Place,
    post: String,
    control: String,
    #[serde(default)]
    selected: String,
}

/// `POST /page/controls`
pub(super) async fn control(State(shared): State<Arc<Shared>>, Form(form): Form<Control>) -> Response {
    let outcome = match form.place.user_id(&shared) {
        Ok(user_id) => actions::press(&shared, &user_id, &form.post, &form.control, &form.selected).await,
        Err(error) => Err(error),
    };
    back(&form.place, "That did not work", outcome)
}

/// `POST /page/memberships`: joins a public channel.
pub(super) async fn membership(State(shared): State<Arc<Shared>>, Form(place): Form<Place>) -> Response {
    let outcome = place.user_id(&shared).and_then(|user_id| {
        let body = json!({"user_id": user_id});
        members::add(&mut shared.world(), &call(user_id, vec![place.channel.clone()], &body))
    });
    back(&place, "You could not join the channel", outcome)
}
