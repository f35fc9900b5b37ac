//! Teams and who is on them.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::{Value, json};

use crate::call::{Answer, Call, Outcome};
use crate::channels::{DEFAULT_CHANNELS, Member};
use crate::errors::ApiError;
use crate::world::World;

/// A team.
#[derive(Debug, Clone)]
pub(crate) struct Team {
    pub(crate) id: String,
    pub(crate) create_at: i64,
    pub(crate) name: String,
    pub(crate) display_name: String,
    pub(crate) invite_id: String,
    /// By user id; whether the member administers the team.
    pub(crate) members: BTreeMap<String, bool>,
}

impl Team {
    fn json(&self) -> Value {
        json!({
            "id": self.id,
            "create_at": self.create_at,
            "update_at": self.create_at,
            "delete_at": 0,
            "display_name": self.display_name,
            "name": self.name,
            "description": "",
            "email": "",
            "type": "O",
            "company_name": "",
            "allowed_domains": "",
            "invite_id": self.invite_id,
            "allow_open_invite": false,
            "scheme_id": null,
            "group_constrained": null,
            "policy_id": null,
        })
    }
}

impl World {
    /// The team with this name, or 404.
    pub(crate) fn team_named(&self, name: &str) -> Result<&Team, ApiError> {
        self.teams.values().find(|team| team.name == name).ok_or_else(|| {
            ApiError::new(404, "app.team.get_by_name.missing.app_error", "Unable to find the existing team.")
        })
    }

    /// Puts a user on a team and into its default channels. Twice is once.
    pub(crate) fn join_team(&mut self, user_id: &str, team_id: &str) {
        let now = self.now_ms();
        let admin = self.is_admin(user_id);
        if let Some(team) = self.teams.get_mut(team_id) {
            team.members.entry(user_id.to_owned()).or_insert(admin);
        }
        let default = |name: &str| DEFAULT_CHANNELS.iter().any(|(handle, _)| *handle == name);
        for channel in self.channels.values_mut().filter(|c| c.team_id == team_id && default(&c.name)) {
            channel.members.entry(user_id.to_owned()).or_insert(Member { admin: false, update_at: now });
        }
    }

    /// 403 unless the caller is on the team or an administrator.
    pub(crate) fn check_team(&self, user_id: &str, team_id: &str) -> Result<(), ApiError> {
        let admin = self.is_admin(user_id) && self.teams.contains_key(team_id);
        if admin || self.is_on_team(user_id, team_id) { Ok(()) } else { Err(ApiError::forbidden()) }
    }
}

/// `GET /teams/name/{name}`
pub(crate) fn get_by_name(world: &mut World, call: &Call) -> Outcome {
    let team = world.team_named(call.param(0))?;
    world.check_team(&call.caller, &team.id)?;
    Ok(Answer::ok(team.json()))
}

/// `GET /teams/{id}`
pub(crate) fn get(world: &mut World, call: &Call) -> Outcome {
    let id = call.id(0, "team_id")?;
    let team = world.teams.get(&id).ok_or_else(|| {
        ApiError::new(404, "app.team.get.find.app_error", "Unable to find the existing team.")
    })?;
    world.check_team(&call.caller, &id)?;
    Ok(Answer::ok(team.json()))
}

/// `GET /users/{id}/teams`
pub(crate) fn list_of_user(world: &mut World, call: &Call) -> Outcome {
    let user_id = call.id(0, "user_id")?;
    if user_id != call.caller && !world.is_admin(&call.caller) {
        return Err(ApiError::forbidden());
    }
    let mine = world.teams.values().filter(|team| team.members.contains_key(&user_id));
    Ok(Answer::ok(mine.map(Team::json).collect()))
}

#[derive(Deserialize)]
struct NewMember {
    team_id: String,
    user_id: String,
}

/// `POST /teams/{id}/members`: an administrator adds somebody.
pub(crate) fn add_member(world: &mut World, call: &Call) -> Outcome {
    let team_id = call.id(0, "team_id")?;
    let request: NewMember = call.json("team_member")?;
    if request.team_id != team_id {
        return Err(ApiError::body("team_id"));
    }
    if !world.is_admin(&call.caller) {
        return Err(ApiError::forbidden());
    }
    world.user(&request.user_id)?;
    world.check_team(&call.caller, &team_id)?;
    world.join_team(&request.user_id, &team_id);
    let admin = world.is_admin(&request.user_id);
    Ok(Answer::created(json!({
        "team_id": team_id,
        "user_id": request.user_id,
        "roles": if admin { "team_user team_admin" } else { "team_user" },
        "delete_at": 0,
        "scheme_guest": false,
        "scheme_user": true,
        "scheme_admin": admin,
        "explicit_roles": "",
    })))
}
