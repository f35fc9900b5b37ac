//! Calls to the host as data. Whoever hosts can journal, replay and compare all of them in one way.

use serde::{Deserialize, Serialize};

use crate::capability::Capability;
use crate::failure::ActionError;
use crate::incident::{Channel, User};

/// A call to the host that has an effect, or an answer from outside.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Call {
    /// Finds a channel by handle, else by display name, else by id. Answered by [`Answer::Channel`].
    FindChannel {
        /// The team's handle; absent: the team of the triggering post.
        team: Option<String>,
        /// The name as it was written.
        name: String,
    },
    /// Makes a channel. Answered by [`Answer::Channel`].
    CreateChannel(ChannelDraft),
    /// Archives a channel. Answered by [`Answer::Done`].
    ArchiveChannel {
        /// The channel's id.
        channel_id: String,
    },
    /// Finds people. Answered by [`Answer::Users`].
    FindUsers {
        /// Usernames (with or without `@`) or ids.
        names: Vec<String>,
    },
    /// Adds people to a channel. Answered by [`Answer::Refusals`].
    AddMembers {
        /// The channel's id.
        channel_id: String,
        /// Whom to add.
        users: Vec<User>,
    },
    /// Writes a post. Answered by [`Answer::Post`].
    CreatePost {
        /// The channel's id.
        channel_id: String,
        /// What to write.
        draft: PostDraft,
    },
    /// Sends an HTTP request. Answered by [`Answer::Http`].
    SendHttp(HttpRequest),
}

impl Call {
    /// The permission that the call needs.
    pub fn capability(&self) -> Capability {
        match self {
            Self::FindChannel { .. } | Self::CreateChannel(_) => Capability::Channels,
            Self::ArchiveChannel { .. } => Capability::Archiving,
            Self::FindUsers { .. } => Capability::Users,
            Self::AddMembers { .. } => Capability::Members,
            Self::CreatePost { .. } => Capability::Posts,
            Self::SendHttp(_) => Capability::Http,
        }
    }

    /// The function's name in the contract, as `channels.create`.
    pub fn function(&self) -> &'static str {
        match self {
            Self::FindChannel { .. } => "channels.find",
            Self::CreateChannel(_) => "channels.create",
            Self::ArchiveChannel { .. } => "archiving.archive",
            Self::FindUsers { .. } => "users.find",
            Self::AddMembers { .. } => "members.add",
            Self::CreatePost { .. } => "posts.create",
            Self::SendHttp(_) => "http.send",
        }
    }
}

/// The answer to a [`Call`].
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Answer {
    /// A channel, found or made.
    Channel(Channel),
    /// People found, and what names nobody.
    Users {
        /// In the order asked for, each once.
        users: Vec<User>,
        /// What was asked for and is nobody.
        unknown: Vec<String>,
    },
    /// Who could not be added.
    Refusals(Vec<Refusal>),
    /// The post that was written.
    Post(PostRef),
    /// Done, and there is nothing to tell.
    Done,
    /// The response of an HTTP server.
    Http(HttpResponse),
}

/// A channel to be made.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct ChannelDraft {
    /// The team's handle; absent: the team of the triggering post.
    pub team: Option<String>,
    /// The handle.
    pub name: String,
    /// At most 64 characters; empty: the handle.
    pub display_name: String,
    /// At most 1,024 characters.
    pub header: String,
    /// At most 250 characters.
    pub purpose: String,
    /// Whether only members see it.
    pub private: bool,
}

/// Somebody who could not be added to a channel.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Refusal {
    /// Who.
    pub user: User,
    /// Why.
    pub reason: ActionError,
}

/// A post to be written.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct PostDraft {
    /// Markdown, at most 16,383 characters.
    pub message: String,
    /// What people press and choose from.
    pub controls: Option<Controls>,
}

/// The controls of a post, as data: the host renders, signs and stores them.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Controls {
    /// Stands above the fields.
    pub fields_title: String,
    /// Values that people set.
    pub fields: Vec<Field>,
    /// Stands above the transitions.
    pub transitions_title: String,
    /// Ways on to another step.
    pub transitions: Vec<Transition>,
}

/// A value that people set.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Field {
    /// Unique in the post; the output's name.
    pub name: String,
    /// What it means.
    pub description: String,
    /// How it is set.
    pub kind: FieldKind,
}

/// How a field is set.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum FieldKind {
    /// The value is the username of who pressed it last.
    Button,
    /// The value is the option chosen last.
    Menu(Vec<String>),
}

/// A way on to another step.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Transition {
    /// What the button says.
    pub label: String,
    /// What pressing it means.
    pub description: String,
    /// The step.
    pub to: String,
    /// Who may press it, by username or id; none: every member of the channel. Absent in journals of earlier versions.
    #[serde(default)]
    pub allowed: Vec<String>,
}

/// A post that was written.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct PostRef {
    /// The post's id.
    pub id: String,
    /// Its channel's id.
    pub channel_id: String,
}

/// A header of HTTP.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Header {
    /// The name.
    pub name: String,
    /// The value.
    pub value: String,
}

/// A request to be sent.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct HttpRequest {
    /// `GET`, `POST`, `PUT`, `PATCH` or `DELETE`.
    pub method: String,
    /// The address.
    pub url: String,
    /// In the order of writing.
    pub headers: Vec<Header>,
    /// The body's bytes.
    pub body: Vec<u8>,
}

/// A response that came.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct HttpResponse {
    /// The status, of any kind.
    pub status: u16,
    /// In the order of arrival.
    pub headers: Vec<Header>,
    /// The body's bytes.
    pub body: Vec<u8>,
}
