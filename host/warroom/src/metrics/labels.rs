//! The values of labels: what happened, and how it ended.

/// What came over the event stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EventKind {
    /// A post, heard as it was written.
    Post,
    /// A post that was missed, and read afterwards.
    CaughtUp,
    /// A channel was made, archived or changed.
    Channel,
    /// Somebody joined or left.
    Membership,
    /// Anything else.
    Other,
}

impl EventKind {
    /// The value of the label.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            EventKind::Post => "post",
            EventKind::CaughtUp => "caught_up",
            EventKind::Channel => "channel",
            EventKind::Membership => "membership",
            EventKind::Other => "other",
        }
    }
}

/// Where a run stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RunState {
    /// Its actions are executed.
    Running,
    /// It waits for people.
    Waiting,
    /// An action failed, and it waits for somebody who retries, skips or cancels.
    Blocked,
}

impl RunState {
    /// The value of the label.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            RunState::Running => "running",
            RunState::Waiting => "waiting",
            RunState::Blocked => "blocked",
        }
    }
}

/// How a run ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RunEnd {
    /// It came to its end.
    Finished,
    /// Somebody cancelled it.
    Cancelled,
}

impl RunEnd {
    /// The value of the label.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            RunEnd::Finished => "finished",
            RunEnd::Cancelled => "cancelled",
        }
    }
}

/// How an execution of an action ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ActionOutcome {
    /// As it should.
    Succeeded,
    /// With an error that blocks the run, or is passed over.
    Failed,
    /// With one that may pass: it is tried again.
    Retried,
}

impl ActionOutcome {
    /// The value of the label.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            ActionOutcome::Succeeded => "succeeded",
            ActionOutcome::Failed => "failed",
            ActionOutcome::Retried => "retried",
        }
    }
}

/// What became of a press or a choice.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CallbackOutcome {
    /// It changed something.
    Accepted,
    /// It came too late, or from somebody who may not: the person was told.
    Told,
    /// It was not one of our controls.
    Refused,
    /// It could not be journalled, or took too long.
    Failed,
}

impl CallbackOutcome {
    /// The value of the label.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            CallbackOutcome::Accepted => "accepted",
            CallbackOutcome::Told => "told",
            CallbackOutcome::Refused => "refused",
            CallbackOutcome::Failed => "failed",
        }
    }
}
