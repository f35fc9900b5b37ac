//! Bot accounts.

use serde::Deserialize;
use serde_json::{Value, json};

use crate::call::{Answer, Call, Outcome};
use crate::config::Switch;
use crate::errors::ApiError;
use crate::users::{Bot, Profile, User};
use crate::world::World;

/// Characters of a bot's description.
const DESCRIPTION_CHARS_MAX: usize = 1_024;

fn missing() -> ApiError {
    ApiError::new(404, "store.sql_bot.get.missing.app_error", "There is no such bot.")
}

fn json_of(user: &User) -> Option<Value> {
    let bot = user.bot.as_ref()?;
    Some(json!({
        "user_id": user.id,
        "username": user.username,
        "display_name": user.first_name,
        "description": bot.description,
        "owner_id": bot.owner_id,
        "create_at": user.create_at,
        "update_at": user.update_at,
        "delete_at": user.delete_at,
    }))
}

fn check_admin(world: &World, call: &Call) -> Result<(), ApiError> {
    if world.is_admin(&call.caller) { Ok(()) } else { Err(ApiError::forbidden()) }
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
pub(crate) fn create(world: &mut World, call: &Call) -> Outcome {
    check_admin(world, call)?;
    let NewBot { username, display_name, description } = call.json("bot")?;
    if !world.switched_on(Switch::Bots) {
        let id = "api.bot.create_disabled";
        return Err(ApiError::new(403, id, "Bot creation is disabled; an administrator enables it."));
    }
    if description.chars().count() > DESCRIPTION_CHARS_MAX {
        let id = "model.bot.is_valid.description.app_error";
        return Err(ApiError::invalid(
            id,
            format!("Description: at most {DESCRIPTION_CHARS_MAX} characters."),
        ));
    }
    let bot = Bot { description, owner_id: call.caller.clone() };
    let profile = Profile { username, first_name: display_name, bot: Some(bot), ..Profile::default() };
    let id = world.create_user(profile)?;
    json_of(world.user(&id)?).map(Answer::created).ok_or_else(missing)
}

/// `GET /bots`, in pages; disabled ones only with `include_deleted`.
pub(crate) fn list(world: &mut World, call: &Call) -> Outcome {
    check_admin(world, call)?;
    let disabled_too = call.flag("include_deleted");
    let mut bots: Vec<&User> =
        world.users.values().filter(|user| user.delete_at == 0 || disabled_too).collect();
    bots.sort_by_key(|user| user.create_at);
    let (skip, take) = call.page();
    Ok(Answer::ok(bots.into_iter().filter_map(json_of).skip(skip).take(take).collect()))
}

/// `GET /bots/{id}`; a disabled one only with `include_deleted`.
pub(crate) fn get(world: &mut World, call: &Call) -> Outcome {
    check_admin(world, call)?;
    let disabled_too = call.flag("include_deleted");
    let user = world.user(&call.id(0, "bot_user_id")?).map_err(|_| missing())?;
    let shown = (user.delete_at == 0 || disabled_too).then(|| json_of(user)).flatten();
    shown.map(Answer::ok).ok_or_else(missing)
}

fn set_enabled(world: &mut World, call: &Call, enabled: bool) -> Outcome {
    check_admin(world, call)?;
    let id = call.id(0, "bot_user_id")?;
    let now = world.now_ms();
    let user = world.users.get_mut(&id).filter(|user| user.bot.is_some()).ok_or_else(missing)?;
    user.update_at = now;
    user.delete_at = if enabled { 0 } else { now };
    let answer = json_of(user).ok_or_else(missing)?;
    if !enabled {
        world.hub.close_those(|stream| stream.user_id == id);
    }
    Ok(Answer::ok(answer))
}

/// `POST /bots/{id}/enable`
pub(crate) fn enable(world: &mut World, call: &Call) -> Outcome {
    set_enabled(world, call, true)
}

/// `POST /bots/{id}/disable`: its tokens are refused and its event streams end.
pub(crate) fn disable(world: &mut World, call: &Call) -> Outcome {
    set_enabled(world, call, false)
}
