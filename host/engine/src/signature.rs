//! Signs what the controls of posts carry, and verifies what comes back.
//!
//! Nothing signs what the server sends when somebody presses a button, and anybody who can post can aim a button at our address. So
//! each control carries a MAC of our own over what it is; the post, the channel and the option are then compared with the journal.

use crate::announcement::Remedy;
use crate::decide::{Click, Pressed};
use hmac::{Hmac, KeyInit as _, Mac as _};
use serde_json::{Map, Value, json};
use sha2::Sha256;
use std::fmt;

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

    /// The context that a control carries through the server and back. `control` is a [`Control::id`].
    #[must_use]
    pub fn context(&self, run: &str, post: &str, control: &str) -> Value {
        let mac = hex(&self.mac("control", &[run, post, control]).finalize().into_bytes());
        json!({ "run": run, "post": post, "control": control, "mac": mac })
    }

    /// Reads a context that came back: which control it belongs to, when this key signed it and nobody altered it since. What else
    /// stands in it proves nothing.
    ///
    /// # Errors
    /// [`Unverified`] for every other context.
    pub fn verify(&self, context: &Map<String, Value>) -> Result<Address, Unverified> {
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
pub struct Address {
    /// The run's id.
    pub run: String,
    /// The key of the host call that wrote the post.
    pub post: String,
    /// The control in it.
    pub control: Control,
}

/// A control within a post.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Control {
    /// The field of this number, from 0.
    Field(usize),
    /// The transition of this number, from 0.
    Transition(usize),
    /// Tries the failed action again.
    Retry,
    /// Tries it again with the next free number.
    Renumber,
    /// Tries it again with the current version of the workflow.
    Repin,
    /// Goes on without it.
    Skip,
    /// Ends the run.
    Cancel,
    /// Starts an incident for a held post, by its number in the list, from 0.
    Start(usize),
}

/// What is done about a block.
const REMEDIES: [Control; 5] =
    [Control::Retry, Control::Renumber, Control::Repin, Control::Skip, Control::Cancel];

impl Control {
    /// The control's id: letters and digits only, since the server answers 404 for anything else.
    #[must_use]
    pub fn id(self) -> String {
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

    /// What [`decide`](crate::decide) calls a press on it; none for what belongs to no run.
    #[must_use]
    pub fn pressed(self, option: Option<String>, click: Click) -> Option<Pressed> {
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

fn hex(bytes: &[u8]) -> String {
    use fmt::Write as _;
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        // Writing to a string cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

fn unhex(text: &str) -> Option<Vec<u8>> {
    // One spelling only, so that nothing can be altered in what verifies; `from_str_radix` takes capitals and signs too.
    let is_digit = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
    if text.len() != 64 || !text.bytes().all(is_digit) {
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
    fn a_proof_has_one_spelling() {
        let mac = context()["mac"].as_str().unwrap().to_owned();
        let capitals = mac.to_uppercase();
        // A number may begin with a sign.
        let zero = mac.as_bytes().chunks(2).position(|pair| pair[0] == b'0').unwrap();
        let signed = format!("{}+{}", &mac[..zero * 2], &mac[zero * 2 + 1..]);
        for respelled in [capitals, signed, format!(" {}", &mac[1..])] {
            assert_ne!(respelled, mac);
            let mut context = context();
            context.insert("mac".to_owned(), respelled.clone().into());
            assert_eq!(key().verify(&context), Err(Unverified), "{respelled}");
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
