//! Channels: making, finding, changing, archiving and restoring them.

use std::collections::{BTreeMap, VecDeque};

use serde::Deserialize;
use serde_json::{Value, json};

use crate::call::{Answer, Call, Outcome};
use crate::errors::ApiError;
use crate::websocket::{Audience, Event};
use crate::world::World;

/// Handle and display name of the channels every team has. The first cannot be archived or left.
pub(crate) const DEFAULT_CHANNELS: [(&str, &str); 2] =
    [("town-square", "Town Square"), ("off-topic", "Off-Topic")];

const NAME_CHARS_MAX: usize = 64;
const DISPLAY_NAME_CHARS_MAX: usize = 64;
const HEADER_CHARS_MAX: usize = 1_024;
const PURPOSE_CHARS_MAX: usize = 250;

/// What kind of channel it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Everybody on the team can find and join it.
    Public,
    /// By invitation.
    Private,
    /// Between two people, on no team.
    Direct,
}

impl Kind {
    /// The letter on the wire.
    pub(crate) fn letter(self) -> &'static str {
        match self {
            Kind::Public => "O",
            Kind::Private => "P",
            Kind::Direct => "D",
        }
    }
}

/// Somebody's membership of a channel.
#[derive(Debug, Clone)]
pub(crate) struct Member {
    /// Whether the member administers the channel: who made it.
    pub(crate) admin: bool,
    /// When the membership last changed, in ms.
    pub(crate) update_at: i64,
}

/// A channel with its members and the ids of its posts.
#[derive(Debug, Clone)]
pub(crate) struct Channel {
    pub(crate) id: String,
    pub(crate) create_at: i64,
    pub(crate) update_at: i64,
    /// When it was archived, in ms; 0 if it is not.
    pub(crate) delete_at: i64,
    /// Empty for a direct channel.
    pub(crate) team_id: String,
    pub(crate) kind: Kind,
    pub(crate) display_name: String,
    pub(crate) name: String,
    pub(crate) header: String,
    pub(crate) purpose: String,
    pub(crate) last_post_at: i64,
    /// Posts by people and bots; the server's own do not count.
    pub(crate) total_msg_count: u64,
    /// The same without replies.
    pub(crate) total_msg_count_root: u64,
    pub(crate) creator_id: String,
    /// By user id.
    pub(crate) members: BTreeMap<String, Member>,
    /// Ids of the posts, oldest first, deleted ones and old revisions included.
    pub(crate) timeline: VecDeque<String>,
}

impl Channel {
    /// The channel on the wire.
    pub(crate) fn json(&self) -> Value {
        json!({
            "id": self.id,
            "create_at": self.create_at,
            "update_at": self.update_at,
            "delete_at": self.delete_at,
            "team_id": self.team_id,
            "type": self.kind.letter(),
            "display_name": self.display_name,
            "name": self.name,
            "header": self.header,
            "purpose": self.purpose,
            "last_post_at": self.last_post_at,
            "total_msg_count": self.total_msg_count,
            "extra_update_at": 0,
            "creator_id": self.creator_id,
            "scheme_id": null,
            "props": null,
            "group_constrained": null,
            "shared": if self.kind == Kind::Direct { Some(false) } else { None },
            "total_msg_count_root": self.total_msg_count_root,
            "policy_id": null,
        })
    }

    /// Whether this is the channel that everybody is always in.
    pub(crate) fn is_town_square(&self) -> bool {
        self.kind == Kind::Public && DEFAULT_CHANNELS.first().is_some_and(|(name, _)| *name == self.name)
    }

    fn check(&self) -> Result<(), ApiError> {
        let invalid = |id, message| Err(ApiError::invalid(id, message));
        if self.display_name.chars().count() > DISPLAY_NAME_CHARS_MAX {
            return invalid(
                "model.channel.is_valid.display_name.app_error",
                "Display name: at most 64 characters.",
            );
        }
        if !is_channel_name(&self.name) {
            return invalid(
                "model.channel.is_valid.2_or_more.app_error",
                "Name: 2 to 64 of a-z, 0-9, '-' and '_', with a letter or digit at both ends.",
            );
        }
        if self.header.chars().count() > HEADER_CHARS_MAX {
            return invalid("model.channel.is_valid.header.app_error", "Header: at most 1024 characters.");
        }
        if self.purpose.chars().count() > PURPOSE_CHARS_MAX {
            return invalid("model.channel.is_valid.purpose.app_error", "Purpose: at most 250 characters.");
        }
        // The real server finds this out in its database only.
        if self.name.len() > NAME_CHARS_MAX {
            let id = "app.channel.create_channel.internal_error";
            return Err(ApiError::new(
                500,
                id,
                "Unable to save the channel: its name has more than 64 characters.",
            ));
        }
        Ok(())
    }
}

/// Length apart: the server learns of too long a name from its database.
fn is_channel_name(name: &str) -> bool {
    let alnum = |byte: &u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let bytes = name.as_bytes();
    bytes.len() >= 2
        && bytes.first().is_some_and(alnum)
        && bytes.last().is_some_and(alnum)
        && bytes.iter().all(|byte| alnum(byte) || *byte == b'-' || *byte == b'_')
}

/// What a caller says about a channel to make.
#[derive(Debug, Default, Deserialize)]
pub(crate) struct NewChannel {
    #[serde(default)]
    pub(crate) team_id: String,
    #[serde(default)]
    pub(crate) name: String,
    #[serde(default)]
    pub(crate) display_name: String,
    #[serde(default, rename = "type")]
    pub(crate) kind: String,
    #[serde(default)]
    pub(crate) header: String,
    #[serde(default)]
    pub(crate) purpose: String,
}

impl World {
    /// Makes a channel whose first member is `creator`; an empty `creator` makes one without members.
    pub(crate) fn create_channel(&mut self, creator: &str, new: NewChannel) -> Result<String, ApiError> {
        let kind = match new.kind.as_str() {
            "O" => Some(Kind::Public),
            "P" => Some(Kind::Private),
            _ => None,
        };
        let now = self.now_ms();
        let mut channel = Channel {
            id: self.ids.next(),
            create_at: now,
            update_at: now,
            delete_at: 0,
            team_id: new.team_id,
            kind: kind.unwrap_or(Kind::Public),
            display_name: new.display_name,
            name: new.name,
            header: new.header,
            purpose: new.purpose,
            last_post_at: 0,
            total_msg_count: 0,
            total_msg_count_root: 0,
            creator_id: creator.to_owned(),
            members: BTreeMap::new(),
            timeline: VecDeque::new(),
        };
        channel.check()?;
        if kind.is_none() {
            let id = "model.channel.is_valid.type.app_error";
            return Err(ApiError::invalid(id, "Type: 'O' (public) or 'P' (private)."));
        }
        if self.channels.values().any(|c| c.team_id == channel.team_id && c.name == channel.name) {
            let id = "store.sql_channel.save_channel.exists.app_error";
            return Err(ApiError::invalid(id, "A channel with that name already exists on the same team."));
        }
        if !creator.is_empty() {
            channel.members.insert(creator.to_owned(), Member { admin: true, update_at: now });
        }
        self.store_channel(channel)
    }

    /// The direct channel between two users, made if there is none; whether it is new.
    pub(crate) fn direct_channel(&mut self, creator: &str, other: &str) -> Result<(String, bool), ApiError> {
        let mut pair = [creator, other];
        pair.sort_unstable();
        let name = pair.join("__");
        if let Some(found) = self.channels.values().find(|c| c.kind == Kind::Direct && c.name == name) {
            return Ok((found.id.clone(), false));
        }
        let now = self.now_ms();
        let member = || Member { admin: false, update_at: now };
        let channel = Channel {
            id: self.ids.next(),
            create_at: now,
            update_at: now,
            delete_at: 0,
            team_id: String::new(),
            kind: Kind::Direct,
            display_name: String::new(),
            name,
            header: String::new(),
            purpose: String::new(),
            last_post_at: 0,
            total_msg_count: 0,
            total_msg_count_root: 0,
            creator_id: creator.to_owned(),
            members: pair.map(|id| (id.to_owned(), member())).into_iter().collect(),
            timeline: VecDeque::new(),
        };
        Ok((self.store_channel(channel)?, true))
    }

    fn store_channel(&mut self, channel: Channel) -> Result<String, ApiError> {
        if self.channels.len() >= self.limits.channels_max {
            return Err(ApiError::full("channels", self.limits.channels_max));
        }
        let id = channel.id.clone();
        self.channels.insert(id.clone(), channel);
        Ok(id)
    }
}

/// `POST /channels`
pub(crate) fn create(world: &mut World, call: &Call) -> Outcome {
    let new: NewChannel = call.json("channel")?;
    world.check_team(&call.caller, &new.team_id)?;
    let team_id = new.team_id.clone();
    let id = world.create_channel(&call.caller, new)?;
    let answer = world.channel(&id)?.json();
    world.say_joined(&call.caller, &id);
    world.emit(&Event {
        name: "channel_created",
        data: json!({"channel_id": id, "team_id": team_id}),
        audience: Audience::User(call.caller.clone()),
    });
    Ok(Answer::created(answer))
}

/// `POST /channels/direct`
pub(crate) fn create_direct(world: &mut World, call: &Call) -> Outcome {
    let pair: [String; 2] = call.json("user_ids")?;
    let [first, second] = &pair;
    world.user(first)?;
    world.user(second)?;
    if !pair.contains(&call.caller) && !world.is_admin(&call.caller) {
        return Err(ApiError::forbidden());
    }
    let (creator, other) = if second == &call.caller { (second, first) } else { (first, second) };
    let (id, new) = world.direct_channel(creator, other)?;
    if new {
        world.emit(&Event {
            name: "direct_added",
            data: json!({"creator_id": creator, "teammate_id": other}),
            audience: Audience::Channel(id.clone()),
        });
    }
    Ok(Answer::created(world.channel(&id)?.json()))
}

/// `PUT /channels/{id}/patch`
pub(crate) fn patch(world: &mut World, call: &Call) -> Outcome {
    #[derive(Deserialize)]
    struct Patch {
        name: Option<String>,
        display_name: Option<String>,
        header: Option<String>,
        purpose: Option<String>,
    }
    let id = call.id(0, "channel_id")?;
    let patch: Patch = call.json("channel")?;
    let before = world.channel(&id)?.clone();
    if !world.may_act_in(&call.caller, &id) {
        return Err(ApiError::forbidden());
    }
    if before.delete_at != 0 {
        let error = "api.channel.update_channel.deleted.app_error";
        return Err(ApiError::invalid(error, "The channel has been archived or deleted."));
    }
    let mut after = before.clone();
    for (field, value) in [
        (&mut after.name, patch.name),
        (&mut after.display_name, patch.display_name),
        (&mut after.header, patch.header),
        (&mut after.purpose, patch.purpose),
    ] {
        if let Some(value) = value {
            *field = value;
        }
    }
    after.check()?;
    after.update_at = world.now_ms();
    let answer = after.json();
    world.channels.insert(id.clone(), after.clone());
    world.emit(&Event {
        name: "channel_updated",
        data: json!({"channel": answer.to_string()}),
        audience: Audience::Channel(id),
    });
    world.say_changed(&call.caller, &before, &after);
    Ok(Answer::ok(answer))
}

/// `DELETE /channels/{id}`: archives it.
pub(crate) fn archive(world: &mut World, call: &Call) -> Outcome {
    let id = call.id(0, "channel_id")?;
    let channel = world.channel(&id)?;
    if channel.kind == Kind::Direct || channel.is_town_square() {
        let error = "api.channel.delete_channel.cannot.app_error";
        return Err(ApiError::invalid(error, "Unable to archive the default channel, or a direct one."));
    }
    if !world.may_act_in(&call.caller, &id) {
        return Err(ApiError::forbidden());
    }
    if channel.delete_at != 0 {
        let error = "api.channel.delete_channel.deleted.app_error";
        return Err(ApiError::invalid(error, "The channel has been archived or deleted."));
    }
    let team_id = channel.team_id.clone();
    world.say_archived(&call.caller, &id);
    let now = world.now_ms();
    let channel = world.channel_mut(&id)?;
    channel.delete_at = now;
    channel.update_at = now;
    world.emit(&Event {
        name: "channel_deleted",
        data: json!({"channel_id": id, "delete_at": now}),
        audience: Audience::Team(team_id),
    });
    Ok(Answer::done())
}

/// `POST /channels/{id}/restore`: an administrator undoes the archiving.
pub(crate) fn restore(world: &mut World, call: &Call) -> Outcome {
    let id = call.id(0, "channel_id")?;
    if !world.is_admin(&call.caller) {
        return Err(ApiError::forbidden());
    }
    let channel = world.channel_mut(&id)?;
    if channel.delete_at == 0 {
        let error = "api.channel.restore_channel.restored.app_error";
        return Err(ApiError::invalid(error, "The channel is not archived."));
    }
    channel.delete_at = 0;
    let (answer, team_id) = (channel.json(), channel.team_id.clone());
    world.emit(&Event {
        name: "channel_restored",
        data: json!({"channel_id": id}),
        audience: Audience::Team(team_id),
    });
    world.say_restored(&call.caller, &id);
    Ok(Answer::ok(answer))
}
