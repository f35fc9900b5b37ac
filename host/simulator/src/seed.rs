//! The world a simulator begins with.

use std::collections::BTreeMap;

use crate::channels::{DEFAULT_CHANNELS, NewChannel};
use crate::errors::ApiError;
use crate::options::Options;
use crate::teams::Team;
use crate::users::Bot;
use crate::world::World;

/// The system administrator's user name.
pub(crate) const ADMIN: &str = "sysadmin";

/// What a caller needs to know of it.
#[derive(Debug)]
pub(crate) struct Seed {
    /// Id of the team.
    pub(crate) team_id: String,
    /// A token of everybody, by user name.
    pub(crate) tokens: BTreeMap<String, String>,
}

/// Makes the administrator, the people, the bot, and the team with its default channels and everybody on it.
pub(crate) fn plant(world: &mut World, options: &Options) -> Result<Seed, ApiError> {
    let admin = world.create_user(ADMIN, "", None)?;
    if let Some(user) = world.users.get_mut(&admin) {
        user.admin = true;
    }
    let team_id = create_team(world, options);
    for (name, display_name) in DEFAULT_CHANNELS {
        let new = NewChannel {
            team_id: team_id.clone(),
            name: name.to_owned(),
            display_name: display_name.to_owned(),
            kind: "O".to_owned(),
            header: String::new(),
            purpose: String::new(),
        };
        world.create_channel("", new)?;
    }
    let mut everybody = vec![admin.clone()];
    for person in &options.people {
        everybody.push(world.create_user(person, "", None)?);
    }
    let bot = Bot { description: "runs workflows".to_owned(), owner_id: admin };
    everybody.push(world.create_user(&options.bot, "Warroom", Some(bot))?);
    let mut tokens = BTreeMap::new();
    for user_id in everybody {
        tokens.insert(world.username(&user_id).to_owned(), world.create_token(&user_id)?);
        world.join_team(&user_id, &team_id);
    }
    Ok(Seed { team_id, tokens })
}

fn create_team(world: &mut World, options: &Options) -> String {
    let team = Team {
        id: world.ids.next(),
        create_at: world.now_ms(),
        name: options.team.clone(),
        display_name: options.team_display_name.clone(),
        invite_id: world.ids.next(),
        members: BTreeMap::new(),
    };
    let id = team.id.clone();
    world.teams.insert(id.clone(), team);
    id
}
