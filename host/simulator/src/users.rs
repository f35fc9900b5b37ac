//! Users: who they are, and how they are found.

use std::ops::RangeInclusive;

use serde::Deserialize;
use serde_json::{Value, json};

use crate::call::{Answer, Call, Outcome};
use crate::errors::ApiError;
use crate::websocket::{Audience, Event};
use crate::world::World;

/// Names or ids in one look-up.
const LOOKUP_MAX: usize = 1_000;

/// Names that mean something else in a message, or belong to the server.
const RESERVED_NAMES: [&str; 5] = ["all", "channel", "here", "matterbot", "system"];
/// Characters of a nickname, a first and a last name.
const NAME_CHARS_MAX: usize = 64;
/// Bytes of an email address.
const EMAIL_BYTES_MAX: usize = 128;
/// Characters of a password.
const PASSWORD_CHARS: RangeInclusive<usize> = 8..=72;
/// Roles that a user can have in the whole system.
const SYSTEM_ROLES: [&str; 8] = [
    "system_user",
    "system_admin",
    "system_guest",
    "system_manager",
    "system_post_all",
    "system_post_all_public",
    "system_read_only_admin",
    "system_user_access_token",
];

/// What makes a user a bot.
#[derive(Debug, Clone, Default)]
pub(crate) struct Bot {
    pub(crate) description: String,
    pub(crate) owner_id: String,
}

/// Who a user is to be.
#[derive(Debug, Clone, Default)]
pub(crate) struct Profile {
    pub(crate) username: String,
    /// Empty: made from the user name.
    pub(crate) email: String,
    pub(crate) nickname: String,
    /// A bot's display name is its first name.
    pub(crate) first_name: String,
    pub(crate) last_name: String,
    /// Empty: the user name.
    pub(crate) password: String,
    /// `Some` makes it a bot.
    pub(crate) bot: Option<Bot>,
}

/// A person or a bot.
#[derive(Debug, Clone)]
pub(crate) struct User {
    pub(crate) id: String,
    pub(crate) create_at: i64,
    pub(crate) update_at: i64,
    /// When the account was disabled, in ms; 0 if it is not.
    pub(crate) delete_at: i64,
    pub(crate) username: String,
    email: String,
    nickname: String,
    /// A bot's display name is its first name.
    pub(crate) first_name: String,
    last_name: String,
    password: String,
    /// Such as `system_user system_admin`.
    roles: String,
    /// Whether the roles hold `system_admin`.
    pub(crate) admin: bool,
    pub(crate) bot: Option<Bot>,
}

impl User {
    /// The user as `reader` sees it: only oneself sees when the password was changed.
    pub(crate) fn json(&self, reader: &str) -> Value {
        let mut user = json!({
            "id": self.id,
            "create_at": self.create_at,
            "update_at": self.update_at,
            "delete_at": self.delete_at,
            "username": self.username,
            "auth_data": "",
            "auth_service": "",
            "email": self.email,
            "nickname": self.nickname,
            "first_name": self.first_name,
            "last_name": self.last_name,
            "position": "",
            "roles": self.roles,
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
    /// Makes a user or a bot.
    pub(crate) fn create_user(&mut self, profile: Profile) -> Result<String, ApiError> {
        if self.users.len() >= self.limits.users_max {
            return Err(ApiError::full("users", self.limits.users_max));
        }
        let Profile { username, mut email, nickname, first_name, last_name, mut password, bot } = profile;
        check_username(&username)?;
        if self.user_named(&username).is_some() {
            return Err(name_taken());
        }
        if email.is_empty() {
            let host = if bot.is_some() { "localhost" } else { "example.com" };
            email = format!("{username}@{host}");
        }
        if self.users.values().any(|user| user.email == email) {
            return Err(ApiError::invalid(
                "app.user.save.email_exists.app_error",
                "An account with that email already exists.",
            ));
        }
        if password.is_empty() {
            password.clone_from(&username);
        }
        let now = self.now_ms();
        let user = User {
            id: self.ids.next(),
            create_at: now,
            update_at: now,
            delete_at: 0,
            username,
            email,
            nickname,
            first_name,
            last_name,
            password,
            roles: "system_user".to_owned(),
            admin: false,
            bot,
        };
        let id = user.id.clone();
        self.users.insert(id.clone(), user);
        Ok(id)
    }

    /// Gives a user these roles, separated by spaces, instead of the present ones.
    pub(crate) fn set_roles(&mut self, user_id: &str, roles: &str) -> Result<(), ApiError> {
        let named: Vec<&str> = roles.split_whitespace().collect();
        if named.is_empty() {
            return Err(ApiError::body("roles"));
        }
        if let Some(unknown) = named.iter().find(|role| !SYSTEM_ROLES.contains(role)) {
            let id = "app.role.check_roles_exist.role_not_found";
            return Err(ApiError::invalid(id, format!("There is no role {unknown}.")));
        }
        let now = self.now_ms();
        let user = self.user_mut(user_id)?;
        user.roles = named.join(" ");
        user.admin = named.contains(&"system_admin");
        user.update_at = now;
        Ok(())
    }

    /// The user who logs in so: by name or email. Bots, and those whose account is disabled, cannot.
    pub(crate) fn log_in(&self, login_id: &str, password: &str) -> Option<&User> {
        let login_id = login_id.to_lowercase();
        self.users.values().find(|user| {
            (user.username == login_id || user.email == login_id)
                && user.bot.is_none()
                && user.delete_at == 0
                && user.password == password
        })
    }
}

fn name_taken() -> ApiError {
    let id = "app.user.save.username_exists.app_error";
    ApiError::invalid(id, "An account with that username already exists.")
}

fn check_username(username: &str) -> Result<(), ApiError> {
    let legal = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "._-".contains(c);
    let reserved = RESERVED_NAMES.contains(&username);
    if username.is_empty() || username.len() > 64 || !username.chars().all(legal) || reserved {
        return Err(ApiError::invalid(
            "model.user.is_valid.username.app_error",
            "A username is 1 to 64 of a-z, 0-9, '.', '-' and '_', and none of the reserved names.",
        ));
    }
    Ok(())
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct NewUser {
    username: String,
    email: String,
    password: String,
    nickname: String,
    first_name: String,
    last_name: String,
}

/// `POST /users`: an administrator makes an account for a person.
pub(crate) fn create(world: &mut World, call: &Call) -> Outcome {
    let new: NewUser = call.json("user")?;
    if !world.is_admin(&call.caller) {
        return Err(ApiError::forbidden());
    }
    if !new.email.contains('@') || new.email.len() > EMAIL_BYTES_MAX {
        let id = "model.user.is_valid.email.app_error";
        return Err(ApiError::invalid(id, format!("Email: a@b, at most {EMAIL_BYTES_MAX} bytes.")));
    }
    if !PASSWORD_CHARS.contains(&new.password.chars().count()) {
        let (min, max) = (PASSWORD_CHARS.start(), PASSWORD_CHARS.end());
        let id = "model.user.is_valid.pwd.app_error";
        return Err(ApiError::invalid(id, format!("A password has {min} to {max} characters.")));
    }
    let id = world.create_user(Profile {
        username: new.username.to_lowercase(),
        email: new.email.to_lowercase(),
        password: new.password,
        nickname: new.nickname,
        first_name: new.first_name,
        last_name: new.last_name,
        bot: None,
    })?;
    world.emit(&Event { name: "new_user", data: json!({"user_id": id}), audience: Audience::Everybody });
    Ok(Answer::created(world.user(&id)?.json(&call.caller)))
}

#[derive(Deserialize)]
struct Roles {
    roles: String,
}

#[derive(Deserialize)]
struct Change {
    username: Option<String>,
    nickname: Option<String>,
    first_name: Option<String>,
    last_name: Option<String>,
}

/// `PUT /users/{id}/patch`: what somebody is called, by themselves or by an administrator.
pub(crate) fn patch(world: &mut World, call: &Call) -> Outcome {
    let id = call.id(0, "user_id")?;
    let change: Change = call.json("user")?;
    if id != call.caller && !world.is_admin(&call.caller) {
        return Err(ApiError::forbidden());
    }
    let names = [&change.nickname, &change.first_name, &change.last_name];
    if names.into_iter().flatten().any(|name| name.chars().count() > NAME_CHARS_MAX) {
        return Err(ApiError::body("user"));
    }
    let username = change.username.map(|username| username.to_lowercase());
    if let Some(username) = &username {
        check_username(username)?;
        if world.user_named(username).is_some_and(|known| known.id != id) {
            return Err(name_taken());
        }
    }
    let now = world.now_ms();
    let user = world.user_mut(&id)?;
    user.username = username.unwrap_or_else(|| user.username.clone());
    user.nickname = change.nickname.unwrap_or_else(|| user.nickname.clone());
    user.first_name = change.first_name.unwrap_or_else(|| user.first_name.clone());
    user.last_name = change.last_name.unwrap_or_else(|| user.last_name.clone());
    user.update_at = now;
    let (answer, shown) = (user.json(&call.caller), user.json(""));
    world.emit(&Event { name: "user_updated", data: json!({"user": shown}), audience: Audience::Everybody });
    Ok(Answer::ok(answer))
}

/// `PUT /users/{id}/roles`
pub(crate) fn set_roles(world: &mut World, call: &Call) -> Outcome {
    let id = call.id(0, "user_id")?;
    let Roles { roles } = call.json("roles")?;
    if !world.is_admin(&call.caller) {
        return Err(ApiError::forbidden());
    }
    world.set_roles(&id, &roles)?;
    world.emit(&Event {
        name: "user_role_updated",
        data: json!({"user_id": id, "roles": world.user(&id)?.roles}),
        audience: Audience::User(id.clone()),
    });
    Ok(Answer::done())
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
