//! A post of the chat, as the runner sees it.

use std::sync::Arc;
use warroom_engine::{Channel, Person, Trigger};
use warroom_workflow::{Author, Match, Message};

/// A post of the chat, as the runner sees it. The caller leaves out the bot's own, edits, and the system's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IncomingPost {
    /// Its id.
    pub post_id: String,
    /// When it was written, by the chat server's clock, in milliseconds since 1970.
    pub created_ms: u64,
    /// Its text.
    pub text: String,
    /// The texts of its attachments, a line each.
    pub attachments: String,
    /// Who posted.
    pub user: Person,
    /// Whether that is a person.
    pub author: Author,
    /// Where.
    pub channel: Channel,
    /// The team's handle.
    pub team_name: String,
    /// An address that a browser can open.
    pub permalink: String,
}

impl IncomingPost {
    /// The post as triggers see it.
    pub(crate) fn message(&self) -> Message<'_> {
        Message {
            text: &self.text,
            attachments: &self.attachments,
            author: self.author,
            team_name: &self.team_name,
            channel_id: &self.channel.id,
            channel_name: &self.channel.name,
            channel_display_name: &self.channel.display_name,
        }
    }

    /// The post as what started a run.
    pub(crate) fn trigger(&self, found: &Match) -> Arc<Trigger> {
        Arc::new(Trigger {
            name: found.trigger.to_string(),
            post_id: self.post_id.clone(),
            text: self.message().whole().into_owned(),
            user: self.user.clone(),
            channel: self.channel.clone(),
            team_name: self.team_name.clone(),
            permalink: self.permalink.clone(),
            created_ms: self.created_ms,
            groups: found.groups.clone(),
        })
    }
}
