//! The built-in action `archive_channel`: archives a channel, most often the war room at the end of an incident.
//!
//! It is a component like any other, so that archiving needs the grant `archiving` and nothing else that could change
//! a channel.
#![allow(
    missing_docs,
    unreachable_pub,
    reason = "a component has exports, not an API: what it offers is in schema.json"
)]

use serde::Deserialize;
use warroom_action::{Action, Context, Descriptor, Error, Outcome, archiving, channels, export_action, text};

struct ArchiveChannel;

#[derive(Deserialize)]
struct Input {
    channel_name: String,
    #[serde(default)]
    team_name: Option<String>,
}

impl Action for ArchiveChannel {
    type Input = Input;

    fn describe() -> Descriptor {
        Descriptor {
            type_name: "archive_channel".to_owned(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            summary: "Archives a channel.".to_owned(),
            parameters: include_str!("schema.json").to_owned(),
            outputs: Vec::new(),
        }
    }

    fn run(_context: Context, input: Input) -> Result<Outcome, Error> {
        let name = text::channel_name(&input.channel_name);
        let during = |error: Error| error.during(format!("archiving the channel `{name}`"));
        let team = text::team_name(input.team_name);
        let channel = channels::find(team.as_deref(), name).map_err(during)?;
        archiving::archive(&channel.id).map_err(during)?;
        Ok(Outcome::nothing())
    }
}

export_action!(ArchiveChannel);
