//! The built-in action `post`: tells people what is known, and asks them for values and decisions.
//!
//! The controls go to the host as data. It renders and signs them, keeps what people choose as outputs of this action, and
//! takes the controls away when the step is left.
#![allow(
    missing_docs,
    unreachable_pub,
    reason = "a component has exports, not an API: what it offers is in schema.json"
)]

mod controls;
mod input;

use warroom_action::{Action, Context, Descriptor, Error, Outcome, channels, export_action, posts, text};

use crate::input::Input;

const MESSAGE_CHARACTERS_MAX: usize = 16_383;

struct Post;

impl Action for Post {
    type Input = Input;

    fn describe() -> Descriptor {
        Descriptor {
            type_name: "post".to_owned(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            summary: "Writes a post, with fields that people set and transitions that they press.".to_owned(),
            parameters: include_str!("schema.json").to_owned(),
            outputs: vec!["PostID".to_owned(), "ChannelID".to_owned()],
        }
    }

    fn run(_context: Context, input: Input) -> Result<Outcome, Error> {
        let name = text::channel_name(&input.channel_name);
        let during = |error: Error| error.during(format!("posting in the channel `{name}`"));
        let controls = controls::of(&input).map_err(during)?;
        if input.message.trim().is_empty() && controls.is_none() {
            return Err(during(Error::invalid_input(
                "there is nothing to post: write a `message`, `fields` or `transitions`",
            )));
        }
        let team = text::team_name(input.team_name);
        let channel = channels::find(team.as_deref(), name).map_err(during)?;
        let message = text::shorten(&input.message, MESSAGE_CHARACTERS_MAX);
        let post = posts::create(&channel.id, &posts::Draft { message, controls }).map_err(during)?;
        Ok(Outcome::with("PostID", post.id).and("ChannelID", post.channel_id))
    }
}

export_action!(Post);
