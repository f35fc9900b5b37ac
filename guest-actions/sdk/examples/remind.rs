//! The action of docs/actions.md, word for word.
#![allow(missing_docs, unreachable_pub, reason = "a component has exports, not an API")]

use serde::Deserialize;
use warroom_action::{Action, Context, Descriptor, Error, Outcome, channels, export_action, posts};

struct Remind;

#[derive(Deserialize)]
struct Input {
    channel_name: String,
    what: String,
}

impl Action for Remind {
    type Input = Input;

    fn describe() -> Descriptor {
        Descriptor {
            type_name: "remind".to_owned(),
            version: "1.0.0".to_owned(),
            summary: "Reminds a channel of something.".to_owned(),
            parameters:
                r#"{"type": "object", "required": ["channel_name", "what"], "additionalProperties": false,
                "properties": {"channel_name": {"type": "string"}, "what": {"type": "string"}}}"#
                    .to_owned(),
            outputs: vec!["PostID".to_owned()],
        }
    }

    fn run(_context: Context, input: Input) -> Result<Outcome, Error> {
        let channel = channels::find(None, &input.channel_name)?;
        let draft = posts::Draft { message: format!("Remember: {}", input.what), controls: None };
        Ok(Outcome::with("PostID", posts::create(&channel.id, &draft)?.id))
    }
}

export_action!(Remind);
