//! What a component may be permitted.

use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// A permission: one interface of the contract.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Capability {
    /// Reads the incident. Always granted: the workflow's templates can read as much.
    Incident,
    /// Finds and makes channels.
    Channels,
    /// Archives channels.
    Archiving,
    /// Finds people.
    Users,
    /// Brings people into channels.
    Members,
    /// Writes posts.
    Posts,
    /// Speaks HTTP.
    Http,
    /// Reads secrets.
    Secrets,
    /// Writes to the log. Always granted.
    Log,
}

impl Capability {
    /// Every capability there is.
    pub const ALL: [Self; 9] = [
        Self::Incident,
        Self::Channels,
        Self::Archiving,
        Self::Users,
        Self::Members,
        Self::Posts,
        Self::Http,
        Self::Secrets,
        Self::Log,
    ];

    /// The interface's name in `warroom:action`, which is also the word in a grant.
    pub fn name(self) -> &'static str {
        match self {
            Self::Incident => "incident",
            Self::Channels => "channels",
            Self::Archiving => "archiving",
            Self::Users => "users",
            Self::Members => "members",
            Self::Posts => "posts",
            Self::Http => "http",
            Self::Secrets => "secrets",
            Self::Log => "log",
        }
    }

    /// What the capability lets a component do, in plain words: "it wants to …".
    pub fn purpose(self) -> &'static str {
        match self {
            Self::Incident => "read what is known of the incident",
            Self::Channels => "find and create channels",
            Self::Archiving => "archive channels",
            Self::Users => "look people up",
            Self::Members => "add people to channels",
            Self::Posts => "write posts",
            Self::Http => "send HTTP requests",
            Self::Secrets => "read secrets",
            Self::Log => "write to the log",
        }
    }

    fn is_free(self) -> bool {
        matches!(self, Self::Incident | Self::Log)
    }
}

impl fmt::Display for Capability {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.name())
    }
}

/// What is no capability.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[error(
    "`{0}` is no capability: write incident, channels, archiving, users, members, posts, http, secrets or log"
)]
pub struct CapabilityError(String);

impl FromStr for Capability {
    type Err = CapabilityError;

    fn from_str(text: &str) -> Result<Self, CapabilityError> {
        let found = Self::ALL.into_iter().find(|capability| capability.name() == text);
        found.ok_or_else(|| CapabilityError(text.chars().take(100).collect()))
    }
}

/// What the operator permits a component. [`Capability::Incident`] and [`Capability::Log`] need not be listed.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
pub struct Grant {
    /// The capabilities permitted.
    pub capabilities: BTreeSet<Capability>,
}

impl Grant {
    /// A grant of these capabilities.
    pub fn of(capabilities: impl IntoIterator<Item = Capability>) -> Self {
        Self { capabilities: capabilities.into_iter().collect() }
    }

    /// Whether the capability is permitted.
    pub fn permits(&self, capability: Capability) -> bool {
        capability.is_free() || self.capabilities.contains(&capability)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_back() {
        for capability in Capability::ALL {
            assert_eq!(capability.name().parse(), Ok(capability));
            let json = serde_json::to_string(&capability).unwrap();
            assert_eq!(json, format!("\"{}\"", capability.name()));
        }
        assert!("wasi".parse::<Capability>().unwrap_err().to_string().contains("`wasi`"));
    }

    #[test]
    fn only_incident_and_log_are_free() {
        let nothing = Grant::default();
        let permitted: Vec<_> = Capability::ALL.into_iter().filter(|c| nothing.permits(*c)).collect();
        assert_eq!(permitted, [Capability::Incident, Capability::Log]);
        assert!(Grant::of([Capability::Posts]).permits(Capability::Posts));
    }
}
