//! Users, bots and their tokens.

use serde::Deserialize;
use serde_json::{Value, json};

use crate::call::{Answer, Call, Outcome};
use crate::errors::ApiError;
use crate::world::World;

/// Names or ids in one look-up.
const LOOKUP_MAX: usize = 1_000;

/// What makes a user a bot.
#[derive(Debug, Clone)]
pub(crate) struct Bot {
    pub(crate) description: String,
    pub(crate) owner_id: String,
}

/// A person or a bot.
#[derive(Debug, Clone)]
pub(crate) struct User {
    pub(crate) id: String,
    pub(crate) create_at: i64,
    pub(crate) username: String,
    /// A bot's display name is its first name.
    pub(crate) first_name: String,
    pub(crate) admin: bool,
    pub(crate) bot: Option<Bot>,
}

impl User {
    /// The user as `reader` sees it: only oneself sees when the password was changed.
    pub(crate) fn json(&self, reader: &str) -> Value {
        let host = if self.bot.is_some() { "localhost" } else { "example.com" };
        let mut user = json!({
            "id": self.id,
            "create_at": self.create_at,
            "update_at": self.create_at,
            "delete_at": 0,
            "username": self.username,
            "auth_data": "",
            "auth_service": "",
            "email": format!("{}@{host}", self.username),
            "nickname": "",
            "first_name": self.first_name,
            "last_name": "",
            "position": "",
            "roles": if self.admin { "system_user system_admin" } else { "system_user" },
            "locale": "en",
            "disable_welcome_email": false,
        });
        if let Some(fields) = user.as_object_mut() {
            if reader == self.id {
                fields.insert("last_password_update".to_owned(), json!(self.create_at));
            }
            if let Some(bot) = &self.bot {
                fields.insert("is_bot".to_owned(), json!(true));
                fields.insert("bot_description".to_owned(), json!(bot.description));
            }
        }
        user
    }
}

impl World {
    /// Makes a user; `bot` makes it a bot.
    pub(crate) fn create_user(
        &mut self,
        username: &str,
        first_name: &str,
        bot: Option<Bot>,
    ) -> Result<String, ApiError> {
        if self.users.len() >= self.limits.users_max {
            return Err(ApiError::full("users", self.limits.users_max));
        }
        let legal = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "._-".contains(c);
        if username.is_empty() || username.len() > 64 || !username.chars().all(legal) {
            return Err(ApiError::invalid(
                "model.user.is_valid.username.app_error",
                "A username is 1 to 64 of a-z, 0-9, '.', '-' and '_'.",
            ));
        }
        if self.user_named(username).is_some() {
            return Err(ApiError::invalid(
                "app.user.save.username_exists.app_error",
                "An account with that username already exists.",
            ));
        }
        let user = User {
            id: self.ids.next(),
            create_at: self.now_ms(),
            username: username.to_owned(),
            first_name: first_name.to_owned(),
            admin: false,
            bot,
        };
        let id = user.id.clone();
        self.users.insert(id.clone(), user);
        Ok(id)
    }

    /// A new access token of this user.
    pub(crate) fn create_token(&mut self, user_id: &str) -> Result<String, ApiError> {
        if self.tokens.len() >= self.limits.tokens_max {
            return Err(ApiError::full("tokens", self.limits.tokens_max));
        }
        let token = self.ids.next();
        self.tokens.insert(token.clone(), user_id.to_owned());
        Ok(token)
    }
}

/// `GET /users/me`
pub(crate) fn me(world: &mut World, call: &Call) -> Outcome {
    Ok(Answer::ok(world.user(&call.caller)?.json(&call.caller)))
}

/// `GET /users/{id}`
pub(crate) fn get(world: &mut World, call: &Call) -> Outcome {
    let id = call.id(0, "user_id")?;
    Ok(Answer::ok(world.user(&id)?.json(&call.caller)))
}

/// `GET /users/username/{username}`
pub(crate) fn get_by_username(world: &mut World, call: &Call) -> Outcome {
    let user = world.user_named(call.param(0)).ok_or_else(|| {
        ApiError::new(
            404,
            "app.user.get_by_username.app_error",
            "Unable to find an account with this username.",
        )
    })?;
    Ok(Answer::ok(user.json(&call.caller)))
}

fn list(world: &World, call: &Call, wanted: impl Fn(&User) -> bool) -> Answer {
    let mut users: Vec<&User> = world.users.values().filter(|user| wanted(user)).collect();
    users.sort_by(|a, b| a.username.cmp(&b.username));
    Answer::ok(users.iter().map(|user| user.json(&call.caller)).collect())
}

fn lookup(call: &Call, name: &str) -> Result<Vec<String>, ApiError> {
    let keys: Vec<String> = call.json(name)?;
    if keys.is_empty() || keys.len() > LOOKUP_MAX { Err(ApiError::body(name)) } else { Ok(keys) }
}

/// `POST /users/usernames`
pub(crate) fn list_by_usernames(world: &mut World, call: &Call) -> Outcome {
    let names = lookup(call, "usernames")?;
    Ok(list(world, call, |user| names.contains(&user.username)))
}

/// `POST /users/ids`
pub(crate) fn list_by_ids(world: &mut World, call: &Call) -> Outcome {
    let ids = lookup(call, "user_ids")?;
    Ok(list(world, call, |user| ids.contains(&user.id)))
}

#[derive(Deserialize)]
struct Login {
    #[serde(default)]
    login_id: String,
    #[serde(default)]
    password: String,
}

/// `POST /users/login`: the password of a person is the username. Bots cannot log in.
pub(crate) fn login(world: &mut World, call: &Call) -> Outcome {
    let login: Login = call.json("login")?;
    let user = world
        .user_named(&login.login_id)
        .filter(|user| user.bot.is_none() && login.password == user.username)
        .cloned()
        .ok_or_else(|| {
            ApiError::new(
                401,
                "api.user.login.invalid_credentials_email_username",
                "Enter a valid username and password. The simulator's password is the username.",
            )
        })?;
    let token = world.create_token(&user.id)?;
    Ok(Answer { status: 200, body: user.json(&user.id), token: Some(token) })
}

#[derive(Deserialize)]
struct NewToken {
    #[serde(default)]
    description: String,
}

/// `POST /users/{id}/tokens`
pub(crate) fn create_token(world: &mut World, call: &Call) -> Outcome {
    let id = call.id(0, "user_id")?;
    if call.caller != id && !world.is_admin(&call.caller) {
        return Err(ApiError::forbidden());
    }
    let request: NewToken = call.json("token")?;
    world.user(&id)?;
    let token = world.create_token(&id)?;
    Ok(Answer::ok(json!({
        "id": world.ids.next(),
        "token": token,
        "user_id": id,
        "description": request.description,
        "is_active": true,
    })))
}

#[derive(Deserialize)]
struct NewBot {
    username: String,
    #[serde(default)]
    display_name: String,
    #[serde(default)]
    description: String,
}

/// `POST /bots`
pub(crate) fn create_bot(world: &mut World, call: &Call) -> Outcome {
    if !world.is_admin(&call.caller) {
        return Err(ApiError::forbidden());
    }
    let request: NewBot = call.json("bot")?;
    let bot = Bot { description: request.description.clone(), owner_id: call.caller.clone() };
    let id = world.create_user(&request.username, &request.display_name, Some(bot))?;
    let user = world.user(&id)?;
    Ok(Answer::created(json!({
        "user_id": id,
        "username": request.username,
        "display_name": request.display_name,
        "description": request.description,
        "owner_id": user.bot.as_ref().map(|bot| bot.owner_id.as_str()),
        "create_at": user.create_at,
        "update_at": user.create_at,
        "delete_at": 0,
    })))
}
