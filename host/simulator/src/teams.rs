//! Teams: making and finding them.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;

use serde::Deserialize;
use serde_json::{Value, json};

use crate::call::{Answer, Call, Outcome};
use crate::channels::{DEFAULT_CHANNELS, NewChannel};
use crate::errors::ApiError;
use crate::world::World;

/// Characters of a team's display name.
const NAME_CHARS_MAX: usize = 64;
/// Characters of a team's handle.
const NAME_CHARS: RangeInclusive<usize> = 2..=NAME_CHARS_MAX;

/// A team.
#[derive(Debug, Clone)]
pub(crate) struct Team {
    pub(crate) id: String,
    pub(crate) create_at: i64,
    pub(crate) name: String,
    pub(crate) display_name: String,
    /// `O`: open. `I`: by invitation.
    pub(crate) kind: String,
    pub(crate) invite_id: String,
    /// By user id; whether the member administers the team.
    pub(crate) members: BTreeMap<String, bool>,
    /// When those who were members left, in ms, by user id.
    pub(crate) left: BTreeMap<String, i64>,
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
            "type": self.kind,
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
    /// Makes a team with its default channels and nobody on it; `kind` is `O` or `I`.
    pub(crate) fn create_team(
        &mut self,
        name: &str,
        display_name: &str,
        kind: &str,
    ) -> Result<String, ApiError> {
        if self.teams.len() >= self.limits.teams_max {
            return Err(ApiError::full("teams", self.limits.teams_max));
        }
        check(name, display_name)?;
        if self.team_named(name).is_ok() {
            let id = "app.team.save.app_error";
            return Err(ApiError::invalid(id, "A team with that name already exists."));
        }
        let team = Team {
            id: self.ids.next(),
            create_at: self.now_ms(),
            name: name.to_owned(),
            display_name: display_name.to_owned(),
            kind: kind.to_owned(),
            invite_id: self.ids.next(),
            members: BTreeMap::new(),
            left: BTreeMap::new(),
        };
        let id = team.id.clone();
        self.teams.insert(id.clone(), team);
        for (handle, shown) in DEFAULT_CHANNELS {
            let new = NewChannel {
                team_id: id.clone(),
                name: handle.to_owned(),
                display_name: shown.to_owned(),
                kind: "O".to_owned(),
                ..NewChannel::default()
            };
            self.create_channel("", new)?;
        }
        Ok(id)
    }

    /// The team with this name, or 404.
    pub(crate) fn team_named(&self, name: &str) -> Result<&Team, ApiError> {
        self.teams.values().find(|team| team.name == name).ok_or_else(|| {
            ApiError::new(404, "app.team.get_by_name.missing.app_error", "Unable to find the existing team.")
        })
    }

    /// 403 unless the caller is on the team or an administrator.
    pub(crate) fn check_team(&self, user_id: &str, team_id: &str) -> Result<(), ApiError> {
        let admin = self.is_admin(user_id) && self.teams.contains_key(team_id);
        if admin || self.is_on_team(user_id, team_id) { Ok(()) } else { Err(ApiError::forbidden()) }
    }
}

fn check(name: &str, display_name: &str) -> Result<(), ApiError> {
    let legal = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    let ends = |byte: Option<&u8>| byte.is_some_and(u8::is_ascii_alphanumeric);
    let (bytes, chars) = (name.as_bytes(), display_name.chars().count());
    let formed = bytes.iter().copied().all(legal) && ends(bytes.first()) && ends(bytes.last());
    if !NAME_CHARS.contains(&bytes.len()) || !formed {
        let id = "model.team.is_valid.url.app_error";
        return Err(ApiError::invalid(
            id,
            "Name: 2 to 64 of a-z, 0-9 and '-', a letter or digit at both ends.",
        ));
    }
    if !(1..=NAME_CHARS_MAX).contains(&chars) {
        let id = "model.team.is_valid.name.app_error";
        return Err(ApiError::invalid(id, "Display name: 1 to 64 characters."));
    }
    Ok(())
}

fn missing() -> ApiError {
    ApiError::new(404, "app.team.get.find.app_error", "Unable to find the existing team.")
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
    let team = world.teams.get(&id).ok_or_else(missing)?;
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

/// `GET /teams`, in pages: all for an administrator, else one's own.
pub(crate) fn list(world: &mut World, call: &Call) -> Outcome {
    let admin = world.is_admin(&call.caller);
    let seen: Vec<&Team> =
        world.teams.values().filter(|team| admin || team.members.contains_key(&call.caller)).collect();
    let (skip, take) = call.page();
    let page: Vec<Value> = seen.iter().skip(skip).take(take).map(|team| team.json()).collect();
    if call.flag("include_total_count") {
        return Ok(Answer::ok(json!({"teams": page, "total_count": seen.len()})));
    }
    Ok(Answer::ok(Value::Array(page)))
}

#[derive(Deserialize)]
struct NewTeam {
    #[serde(default)]
    name: String,
    #[serde(default)]
    display_name: String,
    #[serde(default, rename = "type")]
    kind: String,
}

/// `POST /teams`: whoever makes a team is on it, and administers it. Bots may not.
pub(crate) fn create(world: &mut World, call: &Call) -> Outcome {
    let new: NewTeam = call.json("team")?;
    if world.user(&call.caller)?.bot.is_some() && !world.is_admin(&call.caller) {
        return Err(ApiError::forbidden());
    }
    if !matches!(new.kind.as_str(), "O" | "I") {
        let id = "model.team.is_valid.type.app_error";
        return Err(ApiError::invalid(id, "Type: 'O' (open) or 'I' (by invitation)."));
    }
    let id = world.create_team(&new.name, &new.display_name, &new.kind)?;
    world.join_team(&call.caller, &id);
    if let Some(admin) = world.teams.get_mut(&id).and_then(|team| team.members.get_mut(&call.caller)) {
        *admin = true;
    }
    world.tell_joined(&call.caller, &call.caller, &id);
    let team = world.teams.get(&id).ok_or_else(missing)?;
    Ok(Answer::created(team.json()))
}
