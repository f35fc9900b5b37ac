//! Finding channels: by id, by name, on a team, by term.

use serde::Deserialize;

use crate::call::{Answer, Call, Outcome};
use crate::channels::{Channel, Kind};
use crate::errors::ApiError;
use crate::world::World;

/// `GET /channels/{id}`
pub(crate) fn get(world: &mut World, call: &Call) -> Outcome {
    let id = call.id(0, "channel_id")?;
    let channel = world.channel(&id)?;
    if !world.may_see(&call.caller, &id) {
        return Err(ApiError::forbidden());
    }
    Ok(Answer::ok(channel.json()))
}

/// A channel the caller may not see is missing, not forbidden: its name is nobody's business.
fn by_name(world: &World, call: &Call, team_id: &str, name: &str) -> Outcome {
    world.check_team(&call.caller, team_id)?;
    world
        .channels
        .values()
        .find(|channel| channel.team_id == team_id && channel.name == name)
        .filter(|channel| channel.delete_at == 0 || call.flag("include_deleted"))
        .filter(|channel| world.may_see(&call.caller, &channel.id))
        .map(|channel| Answer::ok(channel.json()))
        .ok_or_else(|| {
            ApiError::new(404, "app.channel.get_by_name.missing.app_error", "Channel does not exist.")
        })
}

/// `GET /teams/{id}/channels/name/{name}`
pub(crate) fn get_by_name(world: &mut World, call: &Call) -> Outcome {
    by_name(world, call, &call.id(0, "team_id")?, call.param(1))
}

/// `GET /teams/name/{team}/channels/name/{name}`
pub(crate) fn get_by_team_name(world: &mut World, call: &Call) -> Outcome {
    let team_id = world.team_named(call.param(0))?.id.clone();
    by_name(world, call, &team_id, call.param(1))
}

fn sorted<'a>(channels: impl Iterator<Item = &'a Channel>) -> Vec<&'a Channel> {
    let mut channels: Vec<&Channel> = channels.collect();
    channels.sort_by_cached_key(|channel| (channel.display_name.to_lowercase(), channel.name.clone()));
    channels
}

fn public_of<'a>(world: &'a World, team_id: &'a str) -> impl Iterator<Item = &'a Channel> {
    world
        .channels
        .values()
        .filter(move |c| c.team_id == team_id && c.kind == Kind::Public && c.delete_at == 0)
}

/// `GET /teams/{id}/channels`: the public ones, in pages.
pub(crate) fn list_public(world: &mut World, call: &Call) -> Outcome {
    let team_id = call.id(0, "team_id")?;
    world.check_team(&call.caller, &team_id)?;
    let (skip, take) = call.page();
    let page = sorted(public_of(world, &team_id)).into_iter().skip(skip).take(take);
    Ok(Answer::ok(page.map(Channel::json).collect()))
}

/// `GET /users/{id}/teams/{id}/channels`: those the user is a member of, direct ones included.
pub(crate) fn list_of_user(world: &mut World, call: &Call) -> Outcome {
    let user_id = call.id(0, "user_id")?;
    let team_id = call.id(1, "team_id")?;
    if user_id != call.caller && !world.is_admin(&call.caller) {
        return Err(ApiError::forbidden());
    }
    world.check_team(&call.caller, &team_id)?;
    let archived_too = call.flag("include_deleted");
    let mine = world.channels.values().filter(|channel| {
        channel.members.contains_key(&user_id)
            && (channel.team_id == team_id || channel.kind == Kind::Direct)
            && (channel.delete_at == 0 || archived_too)
    });
    Ok(Answer::ok(sorted(mine).into_iter().map(Channel::json).collect()))
}

#[derive(Deserialize)]
struct Search {
    term: String,
}

/// `POST /teams/{id}/channels/search`: public channels whose name, display name or purpose holds the term.
pub(crate) fn search(world: &mut World, call: &Call) -> Outcome {
    let team_id = call.id(0, "team_id")?;
    let term = call.json::<Search>("channel_search")?.term.to_lowercase();
    world.check_team(&call.caller, &team_id)?;
    let found = public_of(world, &team_id).filter(|channel| {
        [&channel.name, &channel.display_name, &channel.purpose]
            .iter()
            .any(|text| text.to_lowercase().contains(&term))
    });
    Ok(Answer::ok(sorted(found).into_iter().map(Channel::json).collect()))
}
