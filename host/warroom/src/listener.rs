//! Listens to the chat and offers what is posted to the runner.

use crate::meter::Meter;
use crate::readiness::Readiness;
use crate::seen::Seen;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::watch;
use warroom_engine::{Channel, Person};
use warroom_mattermost::{Client, EventStream, PostedEvent, StreamEvent};
use warroom_runner::{IncomingPost, Runner};
use warroom_workflow::Author;

pub(crate) struct Listener {
    pub(crate) client: Client,
    pub(crate) bot: Person,
    pub(crate) mattermost_url: String,
    pub(crate) runner: Runner,
    pub(crate) readiness: watch::Sender<Readiness>,
    pub(crate) meter: Arc<Meter>,
    /// Told of every post that was dealt with.
    pub(crate) seen: Option<Arc<Seen>>,
    /// Whether the stream stood before.
    pub(crate) was_connected: bool,
    /// Handles of teams by id.
    pub(crate) teams: HashMap<String, String>,
}

/// How long the listener waits before it offers a post again whose run could not be journalled.
const AGAIN: Duration = Duration::from_secs(2);

impl Listener {
    /// Listens for as long as the stream lasts.
    pub(crate) async fn listen(mut self, mut stream: EventStream) {
        while let Some(event) = stream.next().await {
            match event {
                StreamEvent::Connected { resumed } => {
                    tracing::info!("listening to {}", self.mattermost_url);
                    if !resumed && self.was_connected {
                        tracing::warn!(
                            "the connection was lost for too long to be resumed: look whether something was reported \
                             meanwhile, it started no incident"
                        );
                    }
                    self.was_connected = true;
                    self.readiness.send_replace(Readiness::Ready);
                }
                StreamEvent::Lost { reason } => {
                    tracing::warn!("the connection to {} is lost: {reason}", self.mattermost_url);
                    self.readiness
                        .send_replace(Readiness::Not(format!("not connected to Mattermost: {reason}")));
                }
                StreamEvent::Refused { reason } => {
                    tracing::error!("{} refuses the bot's token: {reason}", self.mattermost_url);
                    self.readiness
                        .send_replace(Readiness::Not("Mattermost refuses the bot's token".to_owned()));
                }
                StreamEvent::Posted(event) => self.posted(*event).await,
                // No run depends on what happens to channels.
                _ => {}
            }
        }
    }

    async fn posted(&mut self, event: PostedEvent) {
        let received = Instant::now();
        if event.post.user_id == self.bot.id || event.post.is_system() {
            return;
        }
        let Some(post) = self.incoming(event).await else { return };
        loop {
            match self.runner.on_post(&post).await {
                Ok(started) => {
                    if !started.is_empty() {
                        self.meter.post_received(received);
                    }
                    if let Some(seen) = &self.seen {
                        seen.offered(&post.post_id, started.into_iter().map(|run| run.run_id));
                    }
                    return;
                }
                // Waiting here holds the stream back, so nothing is lost; the unique key makes the repetition harmless.
                Err(error) if error.may_pass() => {
                    tracing::error!(post = %post.post_id, "a post could not be journalled yet: {error}");
                    tokio::time::sleep(AGAIN).await;
                }
                Err(error) => {
                    tracing::error!(post = %post.permalink, "an incident was not started: {error}");
                    return;
                }
            }
        }
    }

    async fn incoming(&mut self, event: PostedEvent) -> Option<IncomingPost> {
        // Direct messages belong to no team, so no workflow could make a room for them.
        if event.team_id.is_empty() {
            return None;
        }
        let team_name = self.team_name(&event.team_id).await;
        let permalink = format!("{}/{team_name}/pl/{}", self.mattermost_url, event.post.id);
        let is_automated = event.post.from_webhook() || event.post.from_bot();
        Some(IncomingPost {
            attachments: event.post.attachments_text(),
            author: if is_automated { Author::Automation } else { Author::Person },
            text: event.post.message,
            user: Person {
                username: event.sender_name.trim_start_matches('@').to_owned(),
                id: event.post.user_id,
            },
            channel: Channel {
                id: event.channel_id,
                name: event.channel_name,
                display_name: event.channel_display_name,
                team_id: event.team_id,
            },
            post_id: event.post.id,
            team_name,
            permalink,
        })
    }

    async fn team_name(&mut self, team_id: &str) -> String {
        if let Some(name) = self.teams.get(team_id) {
            return name.clone();
        }
        match self.client.team_by_id(team_id).await {
            Ok(team) => {
                self.teams.insert(team.id, team.name.clone());
                team.name
            }
            Err(error) => {
                tracing::warn!("the name of team {team_id} is not known: {error}");
                String::new()
            }
        }
    }
}
