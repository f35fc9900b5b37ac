//! What the host itself says about a run: one post for each matter. Whether and where it was posted is journalled; what
//! the post says follows the run, so it is rewritten rather than posted again.

use crate::event::{ActionKey, Channel, Failure, Loss, Person};

/// One thing that the host has to say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Announcement {
    /// What it is about.
    pub matter: Matter,
    /// Where it stands or is about to.
    pub place: Option<Place>,
    /// Whether it could be posted nowhere, and is not to be tried again now.
    pub failed: bool,
    /// How often it could be posted nowhere.
    pub failures: u32,
}

/// How often what could be posted nowhere is told again, an open block apart: a run that has ended waits for it no longer.
const FAILURES_MAX: u32 = 100;

/// Where an announcement stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// The channel.
    pub channel_id: String,
    /// The post, once it is written.
    pub post_id: Option<String>,
    /// When it was intended, in milliseconds since 1970.
    pub intended_ms: u64,
}

/// What an announcement is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Matter {
    /// The run is blocked until a person decides.
    Blocked {
        /// Why.
        failure: Failure,
        /// The action that failed; none when the reason lies in no single action.
        action: Option<ActionKey>,
        /// What ended it.
        resolved: Option<Resolution>,
    },
    /// An action failed, and the run went on without it.
    Warning {
        /// Which.
        action: ActionKey,
        /// Why.
        failure: Failure,
    },
    /// Somebody pressed a button field.
    Pressed {
        /// The channel of the button.
        channel_id: String,
        /// The field.
        field: String,
        /// Who.
        by: Person,
    },
    /// The trigger matched again.
    Repeats,
    /// A channel that the run made, or where its buttons stand, was lost.
    Lost {
        /// The channel.
        channel: Channel,
        /// What happened.
        how: Loss,
        /// Whether it can be used again.
        is_back: bool,
    },
    /// Somebody deleted a post in which people decide: this one takes its place.
    StandIn {
        /// The key of the post that it stands in for; never that of another one that stands in.
        post: String,
        /// The channel of that post.
        channel_id: String,
    },
    /// The run was cancelled.
    Cancelled,
}

/// What a person did about a block.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Resolution {
    /// What.
    pub how: Remedy,
    /// Who.
    pub by: Person,
}

/// What can be done about a block.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Remedy {
    /// The action is tried again.
    Retry,
    /// The run goes on without it.
    Skip,
    /// The action is tried again with the next number whose name is free.
    Renumber,
    /// The action is tried again as the workflow is now.
    Repin,
    /// The run is over.
    Cancel,
}

impl Announcement {
    pub(crate) fn new(matter: Matter) -> Announcement {
        Announcement { matter, place: None, failed: false, failures: 0 }
    }

    /// The post, once it is written.
    #[must_use]
    pub fn post_id(&self) -> Option<&str> {
        self.place.as_ref()?.post_id.as_deref()
    }

    /// Whether this is a block that nobody did anything about yet.
    #[must_use]
    pub fn is_open_block(&self) -> bool {
        matches!(self.matter, Matter::Blocked { resolved: None, .. })
    }

    /// Whether it is to be posted now.
    #[must_use]
    pub fn is_due(&self) -> bool {
        !self.failed && !self.is_posted_or_moot()
    }

    /// Whether it could be posted nowhere, and people still want to know.
    #[must_use]
    pub fn can_be_renewed(&self) -> bool {
        let is_bounded = !self.is_open_block() && self.failures >= FAILURES_MAX;
        let is_of_the_moment = matches!(self.matter, Matter::Pressed { .. });
        self.failed && !is_bounded && !is_of_the_moment && !self.is_posted_or_moot()
    }

    /// Whether nothing is left to do, for a run that has ended too: it was posted, could be posted nowhere for long enough, or need not
    /// be said any more.
    #[must_use]
    pub fn has_settled(&self) -> bool {
        let is_only_count = matches!(self.matter, Matter::Repeats);
        self.is_posted_or_moot() || self.failed && (is_only_count || !self.can_be_renewed())
    }

    fn is_posted_or_moot(&self) -> bool {
        let is_over = matches!(self.matter, Matter::Blocked { resolved: Some(_), .. });
        self.post_id().is_some() || is_over && self.place.is_none()
    }
}
