//! Presses on the controls of posts, and what they are answered.

use serde_json::{Map, Value};
use sha2::{Digest as _, Sha256};
use tokio::sync::OwnedRwLockReadGuard;
pub(crate) use warroom_engine::{Address, Control};
use warroom_engine::{Click, Person};
pub use warroom_engine::{Key, Unverified};

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
        let digest = |id: &str| Sha256::digest(id).first_chunk::<CLICK_BYTES>().copied().unwrap_or_default();
        let hex = |id: &str| format!("{:032x}", u128::from_be_bytes(digest(id)));
        let id = Some(self.id.as_str()).filter(|id| !id.is_empty()).map(hex).unwrap_or_default();
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
