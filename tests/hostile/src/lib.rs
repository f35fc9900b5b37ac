//! A guest that misbehaves as its input tells it, so that tests meet every limit of the sandbox from both sides.
//!
//! The input is `{"do": "spin"}` and the like; [`Deed`] lists the deeds. What would be a bug elsewhere (an endless loop, a
//! panic) is the purpose here.
#![allow(missing_docs, unreachable_pub, reason = "a component has exports, not an API")]
#![allow(clippy::panic, reason = "panicking is one of the deeds")]

use std::hint::black_box;

use serde::Deserialize;
use warroom_action::{Action, Context, Descriptor, Error, Outcome, channels, export_action, incident, log};

struct Hostile;

#[derive(Deserialize)]
#[serde(tag = "do", rename_all = "kebab-case")]
enum Deed {
    /// Loops for ever.
    Spin,
    /// Allocates, and writes to, this many bytes at once.
    Grow { bytes: usize },
    /// Calls itself for ever.
    Recurse,
    /// Looks this many channels up, by a name of `name_bytes` bytes.
    Find { times: u32, name_bytes: usize },
    /// Reads what the host tells of the incident, and puts some of it out.
    Incident,
    /// Writes lines of 1,024 bytes to the log until this many bytes are written.
    Log { bytes: usize },
    /// Puts out a value of this many bytes.
    Output { bytes: usize },
    /// Fails with a message of this many bytes.
    Fail { bytes: usize },
    /// Panics.
    Panic,
    /// Puts out a value under this name.
    Name { output: String },
    /// Asks for this step.
    Go { to: String },
}

const PARAMETERS: &str = r#"{
    "type": "object",
    "properties": {
        "step": {"type": "string", "x-warroom-step": true},
        "output_name": {"type": "string", "x-warroom-outputs": true}
    }
}"#;

impl Action for Hostile {
    type Input = Deed;

    fn describe() -> Descriptor {
        Descriptor {
            type_name: "hostile".to_owned(),
            version: "0.1.0".to_owned(),
            summary: "Misbehaves as it is told.".to_owned(),
            parameters: PARAMETERS.to_owned(),
            outputs: vec!["Value".to_owned()],
        }
    }

    fn run(_context: Context, deed: Deed) -> Result<Outcome, Error> {
        match deed {
            Deed::Spin => loop {
                black_box(());
            },
            Deed::Grow { bytes } => {
                let memory = black_box(vec![1_u8; bytes]);
                Ok(Outcome::with("Value", memory.len().to_string()))
            }
            Deed::Recurse => Ok(Outcome::with("Value", descend(1).to_string())),
            Deed::Find { times, name_bytes } => {
                let name = "c".repeat(name_bytes);
                for _ in 0..times {
                    channels::find(None, &name)?;
                }
                Ok(Outcome::with("Value", times.to_string()))
            }
            Deed::Incident => {
                let actor = incident::last_actor().map(|user| user.username).unwrap_or_default();
                let room = incident::room().map(|channel| channel.name).unwrap_or_default();
                let outputs = incident::outputs().len();
                let trigger = incident::trigger();
                let groups: String =
                    trigger.groups.iter().map(|group| format!(" {}={}", group.name, group.value)).collect();
                Ok(Outcome::with(
                    "Value",
                    format!(
                        "{} {} {room} {} {outputs} {actor} {}{groups}",
                        incident::now_ms(),
                        incident::run_id(),
                        trigger.text,
                        trigger.created_ms
                    ),
                ))
            }
            Deed::Log { bytes } => {
                let line = "l".repeat(1_024);
                for _ in 0..bytes / line.len() {
                    log::write(log::Level::Info, &line);
                }
                Ok(Outcome::nothing())
            }
            Deed::Output { bytes } => Ok(Outcome::with("Value", "v".repeat(bytes))),
            Deed::Fail { bytes } => Err(Error::failed("m".repeat(bytes))),
            Deed::Panic => panic!("as told"),
            Deed::Name { output } => Ok(Outcome::with(output, "value")),
            Deed::Go { to } => Ok(Outcome::nothing().going_to(to)),
        }
    }
}

/// Never returns; each level keeps a frame that cannot be optimised away.
#[allow(unconditional_recursion, reason = "the deed")]
#[inline(never)]
fn descend(depth: u64) -> u64 {
    let frame = black_box([depth; 16]);
    let below = descend(black_box(depth + 1));
    below + black_box(frame).len() as u64
}

export_action!(Hostile);
