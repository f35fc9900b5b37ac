//! Which channels the bot listens to: it joins those that triggers name, or all public ones.

use crate::chat::{chat_error, found, slug};
use crate::config::Watch;
use crate::watermarks::Watermarks;
use std::collections::BTreeSet;
use std::sync::Arc;
use warroom_engine::Person;
use warroom_mattermost::{Channel, ChannelKind, ChannelMember, Client, Team};
use warroom_runner::{ChatError, Runner, Workflows};

/// Channels of one page.
const PAGE: u32 = 200;

pub(crate) struct Watching {
    pub(crate) client: Client,
    pub(crate) bot: Person,
    pub(crate) workflows: Arc<Workflows>,
    pub(crate) watch: Watch,
    pub(crate) channels_max: usize,
    /// What operators were told before, so that they are told once.
    pub(crate) told: BTreeSet<String>,
    pub(crate) watermarks: Watermarks,
}

impl Watching {
    /// Joins what is to be listened to and was not. Gives every channel that the bot listens to now.
    pub(crate) async fn join(&mut self, teams: &[Team], runner: &Runner) -> Result<Vec<Channel>, ChatError> {
        let mut heard = Vec::new();
        for team in teams {
            let mut known = self.client.channels_of_me(&team.id).await.map_err(chat_error)?;
            known.retain(|channel| !channel.is_archived() && channel.team_id == team.id);
            heard.append(&mut known);
        }
        for team in teams {
            let wanted = match self.watch {
                Watch::All => self.public(team).await?,
                Watch::Named => self.named(team, &heard, runner).await?,
            };
            for channel in wanted {
                self.join_one(channel, &mut heard, runner).await?;
            }
        }
        Ok(heard)
    }

    async fn join_one(
        &mut self,
        channel: Channel,
        heard: &mut Vec<Channel>,
        runner: &Runner,
    ) -> Result<(), ChatError> {
        if heard.iter().any(|known| known.id == channel.id) {
            return Ok(());
        }
        if heard.len() >= self.channels_max {
            let max = self.channels_max;
            let text = format!(
                "The bot listens to {max} channels, as many as `[limits] watched_channels_max` allows. It does not join \
                 ~{} and any further ones: raise the limit, or take it out of channels.",
                channel.name
            );
            self.tell(runner, "channels".to_owned(), &text).await;
            return Ok(());
        }
        match self.client.add_member(&channel.id, &self.bot.id).await {
            Ok(member) => {
                self.begin(&channel.id, &member);
                tracing::info!(channel = %channel.name, "the bot has joined a channel to listen there");
                heard.push(channel);
                Ok(())
            }
            Err(error) if error.is_temporary() => Err(chat_error(error)),
            Err(error) => {
                let text =
                    format!("The bot cannot join ~{}, so it hears nothing there: {error}", channel.name);
                self.tell(runner, channel.id, &text).await;
                Ok(())
            }
        }
    }

    /// What is posted to the channel counts from the bot's joining on.
    pub(crate) fn begin(&self, channel_id: &str, member: &ChannelMember) {
        let joined_ms = u64::try_from(member.last_update_at).unwrap_or(0);
        if joined_ms > 0 && self.watermarks.of(channel_id).is_none() {
            self.watermarks.raise(channel_id, joined_ms);
        }
    }

    /// All public channels of the team.
    async fn public(&self, team: &Team) -> Result<Vec<Channel>, ChatError> {
        let mut channels = Vec::new();
        for page in 0.. {
            let mut listed = self.client.public_channels(&team.id, page, PAGE).await.map_err(chat_error)?;
            let is_last = listed.len() < PAGE as usize;
            channels.append(&mut listed);
            if is_last || channels.len() > self.channels_max {
                break;
            }
        }
        Ok(channels)
    }

    /// The public channels that triggers name and the bot does not hear yet.
    async fn named(
        &mut self,
        team: &Team,
        heard: &[Channel],
        runner: &Runner,
    ) -> Result<Vec<Channel>, ChatError> {
        let mut channels = Vec::new();
        for name in self.workflows.channels_named_in(&team.name) {
            let handle = slug(&name);
            let is_it = |channel: &&Channel| {
                channel.team_id == team.id
                    && (channel.name == handle || channel.display_name == name || channel.id == name)
            };
            if heard.iter().any(|channel| is_it(&channel)) {
                continue;
            }
            let mut channel = None;
            if !handle.is_empty() {
                channel = found(self.client.channel_by_name(&team.id, &handle, false).await)?;
            }
            if channel.is_none() {
                let listed = self.client.search_channels(&team.id, &name).await.map_err(chat_error)?;
                channel = listed.into_iter().find(|listed| is_it(&listed));
            }
            match channel {
                Some(channel) if channel.kind == ChannelKind::Public => channels.push(channel),
                _ => {
                    let text = format!(
                        "A trigger listens to \u{201c}{name}\u{201d} in the team {}, and the bot hears no such channel: check \
                         the name, and if the channel is private, invite @{} to it.",
                        team.name, self.bot.username
                    );
                    self.tell(runner, format!("{}/{name}", team.id), &text).await;
                }
            }
        }
        Ok(channels)
    }

    async fn tell(&mut self, runner: &Runner, about: String, text: &str) {
        if self.told.len() < self.channels_max && self.told.insert(about.clone()) {
            tracing::warn!("{text}");
            runner.tell_operators(&format!("watching/{about}"), text).await;
        }
    }
}
