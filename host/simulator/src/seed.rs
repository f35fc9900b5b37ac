//! The world a simulator begins with.

use std::collections::BTreeMap;

use crate::errors::ApiError;
use crate::options::Options;
use crate::users::{Bot, Profile};
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
    let named = |username: &str| Profile { username: username.to_owned(), ..Profile::default() };
    let admin = world.create_user(named(ADMIN))?;
    world.set_roles(&admin, "system_user system_admin")?;
    let team_id = world.create_team(&options.team, &options.team_display_name, "O")?;
    let mut everybody = vec![admin.clone()];
    for person in &options.people {
        everybody.push(world.create_user(named(person))?);
    }
    let bot = Bot { description: "runs workflows".to_owned(), owner_id: admin };
    let bot = Profile { first_name: "Warroom".to_owned(), bot: Some(bot), ..named(&options.bot) };
    everybody.push(world.create_user(bot)?);
    let mut tokens = BTreeMap::new();
    for user_id in everybody {
        tokens.insert(world.username(&user_id).to_owned(), world.create_token(&user_id)?.1);
        world.join_team(&user_id, &team_id);
    }
    Ok(Seed { team_id, tokens })
}
