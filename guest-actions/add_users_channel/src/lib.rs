//! The built-in action `add_users_channel`: brings people into a channel.
//!
//! In an incident nine people of ten in the room are better than none: who cannot be added is named in a post there and in
//! the output `NotAdded`, and the action fails only when nobody could be added.
#![allow(
    missing_docs,
    unreachable_pub,
    reason = "a component has exports, not an API: what it offers is in schema.json"
)]

mod input;
mod tally;

use warroom_action::{
    Action, Context, Descriptor, Error, Outcome, channels, export_action, members, posts, text, users,
};

use crate::input::Input;
use crate::tally::Tally;

/// As many as the host looks up or adds in one call.
const PEOPLE_PER_CALL_MAX: usize = 200;

struct AddUsersChannel;

impl Action for AddUsersChannel {
    type Input = Input;

    fn describe() -> Descriptor {
        Descriptor {
            type_name: "add_users_channel".to_owned(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            summary: "Adds people to a channel.".to_owned(),
            parameters: include_str!("schema.json").to_owned(),
            outputs: vec!["Added".to_owned(), "NotAdded".to_owned()],
        }
    }

    fn run(_context: Context, input: Input) -> Result<Outcome, Error> {
        let name = text::channel_name(&input.channel_name);
        let during = |error: Error| error.during(format!("adding people to the channel `{name}`"));
        let people = input.users.list();
        if people.is_empty() {
            return Err(during(Error::invalid_input("`users` names nobody: write usernames")));
        }
        let team = text::team_name(input.team_name);
        let channel = channels::find(team.as_deref(), name).map_err(during)?;
        let mut tally = Tally::default();
        for batch in people.chunks(PEOPLE_PER_CALL_MAX) {
            let found = users::find(batch).map_err(during)?;
            let mut refusals = Vec::new();
            // Groups among the names bring more people than there are names.
            for people in found.users.chunks(PEOPLE_PER_CALL_MAX) {
                refusals.extend(members::add(&channel.id, people).map_err(during)?);
            }
            tally.count(found, refusals);
        }
        if let Some(message) = tally.message(input.notify.0) {
            let draft = posts::Draft { message, controls: None };
            posts::create(&channel.id, &draft).map_err(during)?;
        }
        tally.outcome().map_err(during)
    }
}

export_action!(AddUsersChannel);
