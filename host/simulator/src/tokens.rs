//! Access tokens and sessions: what a caller shows to be somebody.

use serde::Deserialize;
use serde_json::json;

use crate::call::{Answer, Call, Outcome};
use crate::config::Switch;
use crate::errors::ApiError;
use crate::world::World;

/// Characters of a token's description.
const DESCRIPTION_CHARS_MAX: usize = 255;

/// What the server knows of a token.
#[derive(Debug, Clone)]
pub(crate) struct Token {
    /// What it is called when it is revoked: the token itself is shown once only.
    id: String,
    user_id: String,
    /// False while a test has it refused.
    accepted: bool,
}

impl World {
    /// A new access token of this user: its id, and the token.
    pub(crate) fn create_token(&mut self, user_id: &str) -> Result<(String, String), ApiError> {
        if self.tokens.len() >= self.limits.tokens_max {
            return Err(ApiError::full("tokens", self.limits.tokens_max));
        }
        let (id, token) = (self.ids.next(), self.ids.next());
        let known = Token { id: id.clone(), user_id: user_id.to_owned(), accepted: true };
        self.tokens.insert(token.clone(), known);
        Ok((id, token))
    }

    /// The user whose token this is, unless the token or the account is refused now.
    pub(crate) fn user_of_token(&self, token: &str) -> Option<&str> {
        let user_id = &self.tokens.get(token).filter(|token| token.accepted)?.user_id;
        self.users.get(user_id).filter(|user| user.delete_at == 0).map(|user| user.id.as_str())
    }

    /// Refuses a token, or takes it again. The event streams of a refused one stay open and hear nothing. Whether there is such a token.
    pub(crate) fn accept_token(&mut self, token: &str, accepted: bool) -> bool {
        let Some(known) = self.tokens.get_mut(token) else { return false };
        known.accepted = accepted;
        self.hub.mute(token, !accepted);
        true
    }
}

#[derive(Deserialize)]
struct Login {
    #[serde(default)]
    login_id: String,
    #[serde(default)]
    password: String,
}

/// `POST /users/login`: the password of the people that the simulator starts with is the username. Bots cannot log in.
pub(crate) fn login(world: &mut World, call: &Call) -> Outcome {
    let login: Login = call.json("login")?;
    let user = world.log_in(&login.login_id, &login.password).cloned().ok_or_else(|| {
        ApiError::new(
            401,
            "api.user.login.invalid_credentials_email_username",
            "Enter a valid username and password. The password of the simulator's own people is the username.",
        )
    })?;
    let (_, token) = world.create_token(&user.id)?;
    Ok(Answer { token: Some(token), ..Answer::ok(user.json(&user.id)) })
}

#[derive(Deserialize)]
struct NewToken {
    #[serde(default)]
    description: String,
}

/// `POST /users/{id}/tokens`
pub(crate) fn create(world: &mut World, call: &Call) -> Outcome {
    let id = call.id(0, "user_id")?;
    if call.caller != id && !world.is_admin(&call.caller) {
        return Err(ApiError::forbidden());
    }
    let request: NewToken = call.json("token")?;
    if request.description.chars().count() > DESCRIPTION_CHARS_MAX {
        let error = "model.user_access_token.is_valid.description.app_error";
        return Err(ApiError::invalid(
            error,
            format!("Description: at most {DESCRIPTION_CHARS_MAX} characters."),
        ));
    }
    // Bots have tokens whatever the switch says: they have nothing else.
    if world.user(&id)?.bot.is_none() && !world.switched_on(Switch::PersonalTokens) {
        let error = "app.user_access_token.disabled";
        return Err(ApiError::new(
            501,
            error,
            "Personal access tokens are disabled; an administrator enables them.",
        ));
    }
    let (token_id, token) = world.create_token(&id)?;
    Ok(Answer::ok(json!({
        "id": token_id,
        "token": token,
        "user_id": id,
        "description": request.description,
        "is_active": true,
    })))
}

#[derive(Deserialize)]
struct Revoked {
    token_id: String,
}

/// `POST /users/tokens/revoke`: the token is gone, and its event streams hear nothing more.
pub(crate) fn revoke(world: &mut World, call: &Call) -> Outcome {
    let Revoked { token_id } = call.json("token_id")?;
    let found = world.tokens.iter().find(|(_, token)| token.id == token_id);
    let (token, owner) =
        found.map(|(text, token)| (text.clone(), token.user_id.clone())).ok_or_else(|| {
            ApiError::new(
                404,
                "app.user_access_token.get_by_user.app_error",
                "There is no such access token.",
            )
        })?;
    if call.caller != owner && !world.is_admin(&call.caller) {
        return Err(ApiError::forbidden());
    }
    world.accept_token(&token, false);
    world.tokens.remove(&token);
    Ok(Answer::done())
}
