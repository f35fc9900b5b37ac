//! The built-in action `create_channel`: makes the incident's war room.
//!
//! A handle that no server would take is refused here, with one that it would take; text that is merely too long is
//! shortened, because it comes from templates and the room matters more than the end of its header.
#![allow(
    missing_docs,
    unreachable_pub,
    reason = "a component has exports, not an API: what it offers is in schema.json"
)]

mod handle;
mod input;

use warroom_action::{Action, Context, Descriptor, Error, Outcome, channels, export_action, text};

use crate::input::Input;

const DISPLAY_NAME_CHARACTERS_MAX: usize = 64;
const HEADER_CHARACTERS_MAX: usize = 1_024;
const PURPOSE_CHARACTERS_MAX: usize = 250;

struct CreateChannel;

impl Action for CreateChannel {
    type Input = Input;

    fn describe() -> Descriptor {
        Descriptor {
            type_name: "create_channel".to_owned(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            summary: "Creates a channel: the incident's war room.".to_owned(),
            parameters: include_str!("schema.json").to_owned(),
            outputs: vec!["ChannelName".to_owned(), "ChannelID".to_owned()],
        }
    }

    fn run(_context: Context, input: Input) -> Result<Outcome, Error> {
        let name = text::channel_name(&input.channel_name);
        let during = |error: Error| error.during(format!("creating the channel `{name}`"));
        handle::check(name).map_err(during)?;
        let draft = channels::Draft {
            team: text::team_name(input.team_name),
            name: name.to_owned(),
            display_name: text::shorten(input.channel_displayname.trim(), DISPLAY_NAME_CHARACTERS_MAX),
            header: text::shorten(&input.header, HEADER_CHARACTERS_MAX),
            purpose: text::shorten(&input.purpose, PURPOSE_CHARACTERS_MAX),
            private: input.private.0,
        };
        let channel = channels::create(&draft).map_err(during)?;
        Ok(Outcome::with("ChannelName", channel.name).and("ChannelID", channel.id))
    }
}

export_action!(CreateChannel);
