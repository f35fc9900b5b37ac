//! Who is on a team.

use serde::Deserialize;
use serde_json::{Value, json};

use crate::call::{Answer, Call, Outcome};
use crate::channels::{DEFAULT_CHANNELS, Member};
use crate::errors::ApiError;
use crate::websocket::{Audience, Event};
use crate::world::World;

fn json_of(team_id: &str, user_id: &str, admin: bool, delete_at: i64) -> Value {
    json!({
        "team_id": team_id,
        "user_id": user_id,
        "roles": if admin { "team_user team_admin" } else { "team_user" },
        "delete_at": delete_at,
        "scheme_guest": false,
        "scheme_user": true,
        "scheme_admin": admin,
        "explicit_roles": "",
    })
}

fn missing() -> ApiError {
    ApiError::new(404, "app.team.get_member.missing.app_error", "No team member found for that user.")
}

impl World {
    /// Puts a user on a team and into its default channels. Twice is once; whether it was new.
    pub(crate) fn join_team(&mut self, user_id: &str, team_id: &str) -> bool {
        let now = self.now_ms();
        let admin = self.is_admin(user_id);
        let Some(team) = self.teams.get_mut(team_id) else { return false };
        let new = !team.members.contains_key(user_id);
        team.members.entry(user_id.to_owned()).or_insert(admin);
        team.left.remove(user_id);
        for channel_id in self.default_channels(team_id) {
            if let Some(channel) = self.channels.get_mut(&channel_id) {
                channel.members.entry(user_id.to_owned()).or_insert(Member { admin: false, update_at: now });
            }
        }
        new
    }

    /// Lets the team know that `caller` put somebody on it, or that somebody joined.
    pub(crate) fn tell_joined(&mut self, caller: &str, user_id: &str, team_id: &str) {
        let data = json!({"team_id": team_id, "user_id": user_id});
        for (index, channel_id) in self.default_channels(team_id).into_iter().enumerate() {
            self.emit(&Event {
                name: "user_added",
                data: data.clone(),
                audience: Audience::Channel(channel_id.clone()),
            });
            match (index, caller == user_id) {
                (0, true) => self.say_joined_team(user_id, &channel_id),
                (0, false) => self.say_added_to_team(caller, user_id, &channel_id),
                (_, true) => self.say_joined(user_id, &channel_id),
                (_, false) => self.say_added(caller, user_id, &channel_id),
            }
        }
        self.emit(&Event { name: "added_to_team", data, audience: Audience::User(user_id.to_owned()) });
    }

    /// In the order of `DEFAULT_CHANNELS`.
    fn default_channels(&self, team_id: &str) -> Vec<String> {
        let find = |name: &str| self.channels.values().find(|c| c.team_id == team_id && c.name == name);
        DEFAULT_CHANNELS.iter().filter_map(|(name, _)| find(name)).map(|channel| channel.id.clone()).collect()
    }

    /// Takes a user off a team and out of all its channels. The one who leaves hears of it, too.
    fn leave_team(&mut self, caller: &str, user_id: &str, team_id: &str) {
        self.emit(&Event {
            name: "leave_team",
            data: json!({"team_id": team_id, "user_id": user_id}),
            audience: Audience::Team(team_id.to_owned()),
        });
        for channel in self.channels.values_mut().filter(|channel| channel.team_id == team_id) {
            channel.members.remove(user_id);
        }
        let now = self.now_ms();
        if let Some(team) = self.teams.get_mut(team_id) {
            team.members.remove(user_id);
            team.left.insert(user_id.to_owned(), now);
        }
        if let Some(square) = self.default_channels(team_id).first() {
            self.say_left_team(caller, user_id, square);
        }
    }

    /// Whether this user administers the team, or the system.
    fn administers(&self, user_id: &str, team_id: &str) -> bool {
        let team_admin = self.teams.get(team_id).and_then(|team| team.members.get(user_id));
        self.is_admin(user_id) || team_admin.copied().unwrap_or_default()
    }

    /// Who left is still known, with the time.
    fn team_member(&self, team_id: &str, user_id: &str) -> Result<Value, ApiError> {
        let team = self.teams.get(team_id).ok_or_else(missing)?;
        match (team.members.get(user_id), team.left.get(user_id)) {
            (Some(admin), _) => Ok(json_of(team_id, user_id, *admin, 0)),
            (None, Some(left)) => Ok(json_of(team_id, user_id, false, *left)),
            (None, None) => Err(missing()),
        }
    }
}

#[derive(Deserialize)]
struct NewMember {
    team_id: String,
    user_id: String,
}

/// `POST /teams/{id}/members`: an administrator adds somebody.
pub(crate) fn add(world: &mut World, call: &Call) -> Outcome {
    let team_id = call.id(0, "team_id")?;
    let request: NewMember = call.json("team_member")?;
    if request.team_id != team_id {
        return Err(ApiError::body("team_id"));
    }
    if !world.administers(&call.caller, &team_id) {
        return Err(ApiError::forbidden());
    }
    world.user(&request.user_id)?;
    world.check_team(&call.caller, &team_id)?;
    if world.join_team(&request.user_id, &team_id) {
        world.tell_joined(&call.caller, &request.user_id, &team_id);
    }
    world.team_member(&team_id, &request.user_id).map(Answer::created)
}

/// `GET /teams/{id}/members/{user_id}`
pub(crate) fn get(world: &mut World, call: &Call) -> Outcome {
    let team_id = call.id(0, "team_id")?;
    world.check_team(&call.caller, &team_id)?;
    world.team_member(&team_id, &call.id(1, "user_id")?).map(Answer::ok)
}

/// `GET /teams/{id}/members`, in pages.
pub(crate) fn list(world: &mut World, call: &Call) -> Outcome {
    let team_id = call.id(0, "team_id")?;
    world.check_team(&call.caller, &team_id)?;
    let (skip, take) = call.page();
    let members = world.teams.get(&team_id).into_iter().flat_map(|team| team.members.iter());
    let page = members.skip(skip).take(take).map(|(user_id, admin)| json_of(&team_id, user_id, *admin, 0));
    Ok(Answer::ok(page.collect()))
}

/// `DELETE /teams/{id}/members/{user_id}`: an administrator removes somebody, or somebody leaves.
pub(crate) fn remove(world: &mut World, call: &Call) -> Outcome {
    let team_id = call.id(0, "team_id")?;
    let user_id = call.id(1, "user_id")?;
    if call.caller != user_id && !world.administers(&call.caller, &team_id) {
        return Err(ApiError::forbidden());
    }
    world.user(&user_id)?;
    world.team_member(&team_id, &user_id).map_err(|_| {
        let id = "api.team.remove_user_from_team.missing.app_error";
        ApiError::invalid(id, "The user does not appear to be part of this team.")
    })?;
    // Who left already leaves quietly.
    if world.is_on_team(&user_id, &team_id) {
        world.leave_team(&call.caller, &user_id, &team_id);
    }
    Ok(Answer::done())
}
