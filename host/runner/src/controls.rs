//! Signs the controls of posts, and verifies what comes back.
//!
//! Nothing signs what the server sends when somebody presses a button, and anybody who can post can aim a button at our address. So
//! each control carries a MAC of our own over what it is; the post, the channel and the option are then checked against
//! the journal.

use hmac::{Hmac, KeyInit as _, Mac as _};
use serde_json::{Map, Value, json};
use sha2::{Digest as _, Sha256};
use std::fmt;
use tokio::sync::OwnedRwLockReadGuard;
use warroom_engine::{Click, Person, Pressed, Remedy};

/// The secret key of this installation, from the store.
#[derive(Clone)]
pub struct Key([u8; 32]);

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Key(…)")
    }
}

impl Key {
    /// A key from its bytes.
    #[must_use]
    pub fn new(bytes: [u8; 32]) -> Key {
        Key(bytes)
    }

    /// The stamp that a post written by the host call `key` carries, as hex.
    #[must_use]
    pub fn stamp(&self, key: &str) -> String {
        hex(&self.mac("post", &[key]).finalize().into_bytes())
    }

    fn mac(&self, purpose: &str, parts: &[&str]) -> Hmac<Sha256> {
        // Every length is a valid key length for HMAC; the empty key stands where the type cannot say so.
        let mut mac = Hmac::<Sha256>::new_from_slice(&self.0)
            .unwrap_or_else(|_| Hmac::<Sha256>::new(&Default::default()));
        // Each part is preceded by its length, so that no two lists of parts give the same bytes.
        for part in std::iter::once(&purpose).chain(parts) {
            mac.update(&(part.len() as u64).to_be_bytes());
            mac.update(part.as_bytes());
        }
        mac
    }

    /// The context that a control carries through the server and back.
    pub(crate) fn context(&self, run: &str, post: &str, control: &str) -> Value {
        let mac = hex(&self.mac("control", &[run, post, control]).finalize().into_bytes());
        json!({ "run": run, "post": post, "control": control, "mac": mac })
    }

    /// Reads a context that came back.
    pub(crate) fn verify(&self, context: &Map<String, Value>) -> Result<Address, Unverified> {
        let text = |key: &str| context.get(key).and_then(Value::as_str).ok_or(Unverified);
        let (run, post, control) = (text("run")?, text("post")?, text("control")?);
        let mac = unhex(text("mac")?).ok_or(Unverified)?;
        // Compares in constant time.
        self.mac("control", &[run, post, control]).verify_slice(&mac).map_err(|_| Unverified)?;
        let control = Control::parse(control).ok_or(Unverified)?;
        Ok(Address { run: run.to_owned(), post: post.to_owned(), control })
    }
}

/// The request was not made by a control of ours, or not by that one. Says no more, on purpose.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a control of this installation")]
pub struct Unverified;

/// Which control of which post of which run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Address {
    pub(crate) run: String,
    pub(crate) post: String,
    pub(crate) control: Control,
}

/// A control within a post.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Control {
    Field(usize),
    Transition(usize),
    Retry,
    Renumber,
    Repin,
    Skip,
    Cancel,
    /// Starts an incident for a held post.
    Start(usize),
}

/// What is done about a block.
const REMEDIES: [Control; 5] =
    [Control::Retry, Control::Renumber, Control::Repin, Control::Skip, Control::Cancel];

impl Control {
    /// The control's id: letters and digits only, since the server answers 404 for anything else.
    pub(crate) fn id(self) -> String {
        match self {
            Control::Field(index) => format!("field{index}"),
            Control::Transition(index) => format!("transition{index}"),
            Control::Retry => "retry".to_owned(),
            Control::Renumber => "renumber".to_owned(),
            Control::Repin => "repin".to_owned(),
            Control::Skip => "skip".to_owned(),
            Control::Cancel => "cancel".to_owned(),
            Control::Start(at) => format!("start{at}"),
        }
    }

    /// What the engine calls a press on it; none for what belongs to no run.
    pub(crate) fn pressed(self, option: Option<String>, click: Click) -> Option<Pressed> {
        Some(match self {
            Control::Field(at) => Pressed::Field(at, option, click),
            Control::Transition(at) => Pressed::Transition(at),
            Control::Retry => Pressed::Remedy(Remedy::Retry),
            Control::Renumber => Pressed::Remedy(Remedy::Renumber),
            Control::Repin => Pressed::Remedy(Remedy::Repin),
            Control::Skip => Pressed::Remedy(Remedy::Skip),
            Control::Cancel => Pressed::Remedy(Remedy::Cancel),
            Control::Start(_) => return None,
        })
    }

    fn parse(id: &str) -> Option<Control> {
        if let Some(index) = id.strip_prefix("field") {
            return index.parse().ok().map(Control::Field);
        }
        if let Some(index) = id.strip_prefix("transition") {
            return index.parse().ok().map(Control::Transition);
        }
        if let Some(at) = id.strip_prefix("start") {
            return at.parse().ok().map(Control::Start);
        }
        REMEDIES.into_iter().find(|control| control.id() == id)
    }
}

/// What the chat server says when somebody uses a control.
#[derive(Debug, Clone, PartialEq)]
pub struct Press {
    /// What the control carried.
    pub context: Map<String, Value>,
    /// The post it stood in.
    pub post_id: String,
    /// The channel of the post.
    pub channel_id: String,
    /// Who used it.
    pub by: Person,
    /// The option chosen, for a menu.
    pub option: Option<String>,
    /// What the server calls this one press, so that it is known when it is delivered again; empty where it does not tell.
    pub id: String,
}

impl Press {
    /// Which press it is, in a form that can be journalled whatever the server sends.
    pub(crate) fn click(&self, at_ms: u64) -> Click {
        let digest = |id: &str| hex(&Sha256::digest(id).into_iter().take(CLICK_BYTES).collect::<Vec<u8>>());
        let id = Some(self.id.as_str()).filter(|id| !id.is_empty()).map(digest).unwrap_or_default();
        Click { id, at_ms }
    }
}

/// How many bytes tell one press from another.
const CLICK_BYTES: usize = 16;

/// The answer to a press. What the press set off waits while this lives, for a second at most: keep it until the answer is on its way.
#[derive(Debug)]
pub struct Answer {
    /// What to say.
    pub reply: Reply,
    /// Holds the run; nothing where the press set nothing off.
    pub(crate) _held: Option<OwnedRwLockReadGuard<()>>,
}

impl From<Reply> for Answer {
    fn from(reply: Reply) -> Answer {
        Answer { reply, _held: None }
    }
}

/// What the chat server is answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reply {
    /// The post as it is to look now, and the stamp that it carries.
    Update {
        /// The post.
        post: crate::RenderedPost,
        /// Its stamp.
        stamp: String,
    },
    /// Words for the person who pressed, and nobody else.
    Whisper(String),
}

fn hex(bytes: &[u8]) -> String {
    use fmt::Write as _;
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        // Writing to a string cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

fn unhex(text: &str) -> Option<Vec<u8>> {
    if text.len() != 64 || !text.is_ascii() {
        return None;
    }
    (0..32).map(|at| u8::from_str_radix(text.get(at * 2..at * 2 + 2)?, 16).ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key() -> Key {
        Key::new([7; 32])
    }

    fn context() -> Map<String, Value> {
        let Value::Object(context) = key().context("run", "run/1/Post/1/1", "field2") else { panic!() };
        context
    }

    #[test]
    fn what_was_signed_comes_back() {
        let address = key().verify(&context()).unwrap();
        assert_eq!(
            address,
            Address { run: "run".into(), post: "run/1/Post/1/1".into(), control: Control::Field(2) }
        );
    }

    #[test]
    fn any_altered_part_is_refused() {
        for part in ["run", "post", "control", "mac"] {
            let mut context = context();
            let text = context[part].as_str().unwrap().to_owned();
            let altered = if text.ends_with('1') {
                text.replace('1', "0")
            } else {
                format!("{}1", &text[..text.len() - 1])
            };
            context.insert(part.to_owned(), altered.into());
            assert_eq!(key().verify(&context), Err(Unverified), "{part}");
            context.remove(part);
            assert_eq!(key().verify(&context), Err(Unverified), "without {part}");
        }
    }

    #[test]
    fn parts_cannot_be_shifted_into_each_other() {
        let one = key().mac("control", &["ab", "c"]).finalize().into_bytes();
        let other = key().mac("control", &["a", "bc"]).finalize().into_bytes();
        assert_ne!(one, other);
    }

    #[test]
    fn another_installation_signs_otherwise() {
        assert_eq!(Key::new([8; 32]).verify(&context()), Err(Unverified));
        assert_ne!(Key::new([8; 32]).stamp("k"), key().stamp("k"));
    }
}
