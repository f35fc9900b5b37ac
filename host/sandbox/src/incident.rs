//! What an execution is told: which one it is, and the incident that it belongs to. Data, so that it can be journalled and
//! shown again when the execution is run again.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// A person or a bot of the chat.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct User {
    /// The server's id.
    pub id: String,
    /// The handle, without `@`.
    pub username: String,
}

/// A channel of the chat.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Channel {
    /// The server's id.
    pub id: String,
    /// The handle.
    pub name: String,
    /// The name that people see.
    pub display_name: String,
    /// The id of the channel's team.
    pub team_id: String,
}

/// Which execution this is. The same when an interrupted execution is run again.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Context {
    /// The execution's own key: run, visit, action and attempt.
    pub key: String,
    /// The workflow's name.
    pub workflow: String,
    /// The incident's number within the workflow; the first is 1.
    pub number: u64,
    /// The step that the action stands in.
    pub step: String,
}

/// The post that started the incident.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct TriggerPost {
    /// The trigger's name in the workflow.
    pub name: String,
    /// The post's id.
    pub post_id: String,
    /// The text, then the texts of its attachments, a line each.
    pub text: String,
    /// Who wrote it.
    pub user: User,
    /// Where it was written.
    pub channel: Channel,
    /// The handle of the team, as in a permalink.
    pub team_name: String,
    /// An address that a browser can open.
    pub permalink: String,
    /// When it was written, by the chat server's clock, in milliseconds since 1970; 0 in journals that do not know it.
    #[serde(default)]
    pub created_ms: u64,
    /// What the named groups of the trigger's pattern matched.
    #[serde(default)]
    pub groups: BTreeMap<String, String>,
}

/// What an earlier action put out, people's choices included.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct ActionOutputs {
    /// The action's name.
    pub action: String,
    /// Names and values, in the order of their first writing.
    pub outputs: Vec<(String, String)>,
}

/// The incident, as it was when the execution began.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Incident {
    /// The time of this execution, in milliseconds since 1970-01-01T00:00:00Z. Guests have no other clock.
    pub now_ms: u64,
    /// The run's id.
    pub run_id: String,
    /// The war room: the first channel that the run made.
    pub room: Option<Channel>,
    /// What started the run.
    pub trigger: TriggerPost,
    /// Outputs and fields so far, by action, in the order of their first writing.
    pub outputs: Vec<ActionOutputs>,
    /// Who pressed or chose last.
    pub last_actor: Option<User>,
}
