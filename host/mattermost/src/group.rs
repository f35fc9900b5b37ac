//! Groups of people, which servers have only with a licence.

use serde::Deserialize;

use crate::lenient::null_is_default;
use crate::user::User;

/// A group of people.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct Group {
    /// The server's id.
    pub id: String,
    /// The handle, without `@`; empty when the group cannot be mentioned.
    #[serde(deserialize_with = "null_is_default")]
    pub name: String,
    /// What people see.
    pub display_name: String,
    /// When the group was deleted, in ms since 1970; 0: it was not.
    pub delete_at: i64,
}

/// Groups as servers list them: older ones and newer ones differ.
#[derive(Deserialize)]
#[serde(untagged)]
pub(crate) enum GroupList {
    Groups(Vec<Group>),
    Counted {
        #[serde(default)]
        groups: Vec<Group>,
    },
}

impl GroupList {
    pub(crate) fn into_groups(self) -> Vec<Group> {
        match self {
            Self::Groups(groups) | Self::Counted { groups } => groups,
        }
    }
}

/// A page of a group's members, as the server writes it.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(crate) struct GroupMembers {
    #[serde(deserialize_with = "null_is_default")]
    pub(crate) members: Vec<User>,
}
