//! Who is in a channel.

use serde::Deserialize;
use serde_json::{Value, json};

use crate::call::{Answer, Call, Outcome};
use crate::channels::{Kind, Member};
use crate::errors::ApiError;
use crate::websocket::{Audience, Event};
use crate::world::World;

fn json_of(channel_id: &str, user_id: &str, member: &Member) -> Value {
    json!({
        "channel_id": channel_id,
        "user_id": user_id,
        "roles": if member.admin { "channel_user channel_admin" } else { "channel_user" },
        "last_viewed_at": 0,
        "msg_count": 0,
        "mention_count": 0,
        "mention_count_root": 0,
        "msg_count_root": 0,
        "last_update_at": member.update_at,
        "scheme_guest": false,
        "scheme_user": true,
        "scheme_admin": member.admin,
        "explicit_roles": "",
    })
}

fn missing() -> ApiError {
    ApiError::new(404, "app.channel.get_member.missing.app_error", "No channel member found for that user.")
}

impl World {
    /// `caller` adds `user_id` to a channel, or joins it. Twice is once; it works on an archived channel too.
    pub(crate) fn add_member(
        &mut self,
        caller: &str,
        channel_id: &str,
        user_id: &str,
    ) -> Result<Value, ApiError> {
        self.user(user_id)?;
        let channel = self.channel(channel_id)?;
        let joins =
            caller == user_id && channel.kind == Kind::Public && self.is_on_team(user_id, &channel.team_id);
        if !joins && !self.may_act_in(caller, channel_id) {
            return Err(ApiError::forbidden());
        }
        if channel.kind == Kind::Direct {
            let id = "api.channel.add_user_to_channel.type.app_error";
            return Err(ApiError::invalid(id, "Can not add user to this channel type."));
        }
        if !self.is_on_team(user_id, &channel.team_id) {
            let id = "app.team.get_member.missing.app_error";
            return Err(ApiError::new(
                404,
                id,
                "No team member found for that user. Add the user to the team first.",
            ));
        }
        if let Some(member) = channel.members.get(user_id) {
            return Ok(json_of(channel_id, user_id, member));
        }
        let (team_id, archived) = (channel.team_id.clone(), channel.delete_at != 0);
        let member = Member { admin: false, update_at: self.now_ms() };
        let answer = json_of(channel_id, user_id, &member);
        self.channel_mut(channel_id)?.members.insert(user_id.to_owned(), member);
        self.emit(&Event {
            name: "user_added",
            data: json!({"team_id": team_id, "user_id": user_id}),
            audience: Audience::Channel(channel_id.to_owned()),
        });
        // Nothing can be posted to an archived channel, not even by the server.
        if !archived {
            if caller == user_id {
                self.say_joined(user_id, channel_id);
            } else {
                self.say_added(caller, user_id, channel_id);
            }
        }
        Ok(answer)
    }

    fn remove_member(&mut self, caller: &str, channel_id: &str, user_id: &str) -> Result<(), ApiError> {
        let channel = self.channel(channel_id)?;
        if caller != user_id && !self.may_act_in(caller, channel_id) {
            return Err(ApiError::forbidden());
        }
        if channel.is_town_square() {
            let id = "api.channel.remove.default.app_error";
            return Err(ApiError::invalid(id, "Unable to remove user from the default channel."));
        }
        let archived = channel.delete_at != 0;
        let removed = self.channel_mut(channel_id)?.members.remove(user_id);
        removed.ok_or_else(missing)?;
        self.emit(&Event {
            name: "user_removed",
            data: json!({"remover_id": caller, "user_id": user_id}),
            audience: Audience::Channel(channel_id.to_owned()),
        });
        self.emit(&Event {
            name: "user_removed",
            data: json!({"channel_id": channel_id, "remover_id": caller}),
            audience: Audience::User(user_id.to_owned()),
        });
        if !archived {
            self.say_removed(caller, user_id, channel_id);
        }
        Ok(())
    }
}

#[derive(Deserialize)]
struct NewMember {
    user_id: String,
}

/// `POST /channels/{id}/members`
pub(crate) fn add(world: &mut World, call: &Call) -> Outcome {
    let channel_id = call.id(0, "channel_id")?;
    let request: NewMember = call.json("user_id")?;
    world.add_member(&call.caller, &channel_id, &request.user_id).map(Answer::created)
}

/// `DELETE /channels/{id}/members/{user_id}`
pub(crate) fn remove(world: &mut World, call: &Call) -> Outcome {
    let channel_id = call.id(0, "channel_id")?;
    let user_id = call.id(1, "user_id")?;
    world.remove_member(&call.caller, &channel_id, &user_id)?;
    Ok(Answer::done())
}

fn check_readable(world: &World, call: &Call) -> Result<String, ApiError> {
    let channel_id = call.id(0, "channel_id")?;
    if world.may_act_in(&call.caller, &channel_id) { Ok(channel_id) } else { Err(ApiError::forbidden()) }
}

/// `GET /channels/{id}/members`, in pages.
pub(crate) fn list(world: &mut World, call: &Call) -> Outcome {
    let channel_id = check_readable(world, call)?;
    let (skip, take) = call.page();
    let members = world.channel(&channel_id)?.members.iter().skip(skip).take(take);
    Ok(Answer::ok(members.map(|(user_id, member)| json_of(&channel_id, user_id, member)).collect()))
}

/// `GET /channels/{id}/members/{user_id}`
pub(crate) fn get(world: &mut World, call: &Call) -> Outcome {
    let channel_id = check_readable(world, call)?;
    let user_id = call.id(1, "user_id")?;
    let member = world.channel(&channel_id)?.members.get(&user_id).ok_or_else(missing)?;
    Ok(Answer::ok(json_of(&channel_id, &user_id, member)))
}
