//! Which channels the bot listens to: it joins those that triggers name, or all public ones.

use crate::chat::{chat_error, is_everywhere, is_id, slug};
use crate::config::Watch;
use crate::watermarks::Watermarks;
use std::collections::BTreeSet;
use std::sync::Arc;
use warroom_engine::Person;
use warroom_mattermost::{ApiError, Channel, ChannelKind, ChannelMember, Client, Team};
use warroom_runner::{ChatError, ChatErrorKind, Runner, Workflows};

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
            let listed = self.client.channels_of_me(&team.id).await.map_err(chat_error);
            // Taken off the team just now.
            let mut known = match listed {
                Err(error) if error.kind == ChatErrorKind::Denied => continue,
                listed => listed?,
            };
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
            Err(error) if is_everywhere(&error) => Err(chat_error(error)),
            Err(error) if error.is_temporary() => {
                tracing::warn!(channel = %channel.name, "the bot cannot join a channel yet: {error}");
                Ok(())
            }
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
            let is_it = |channel: &Channel| {
                channel.team_id == team.id
                    && (channel.name == handle || channel.display_name == name || channel.id == name)
            };
            if heard.iter().any(is_it) {
                continue;
            }
            let channel = match self.lookup(team, &name, &handle).await {
                Ok(channel) => channel,
                Err(error) if is_everywhere(&error) => return Err(chat_error(error)),
                // Looked up again with the next look at all channels.
                Err(error) if error.is_temporary() => {
                    tracing::warn!(channel = %name, team = %team.name, "a channel cannot be looked up yet: {error}");
                    continue;
                }
                Err(error) => {
                    let text = format!(
                        "A trigger listens to \u{201c}{name}\u{201d} in the team {}, which the bot cannot look up, so it may hear \
                         nothing there: {error}",
                        team.name
                    );
                    self.tell(runner, format!("{}/{name}", team.id), &text).await;
                    continue;
                }
            };
            match channel {
                Some(channel) if channel.kind == ChannelKind::Public => channels.push(channel),
                _ => {
                    let text = format!(
                        "A trigger listens to \u{201c}{name}\u{201d} in the team {}, and the bot hears no such channel: check \
                         the name (if several channels are called so, write the handle), and if the channel is private, \
                         invite @{} to it.",
                        team.name, self.bot.username
                    );
                    self.tell(runner, format!("{}/{name}", team.id), &text).await;
                }
            }
        }
        Ok(channels)
    }

    /// A channel by its handle, by the name that people see, when only one has it, or by its id.
    async fn lookup(&self, team: &Team, name: &str, handle: &str) -> Result<Option<Channel>, ApiError> {
        if !handle.is_empty()
            && let Some(channel) = unless_missing(self.client.channel_by_name(&team.id, handle, false).await)?
        {
            return Ok(Some(channel));
        }
        let mut listed = self.client.search_channels(&team.id, name).await?;
        listed
            .retain(|channel| !channel.is_archived() && (channel.display_name == name || channel.id == name));
        if listed.len() == 1 {
            return Ok(listed.pop());
        }
        if !is_id(name) {
            return Ok(None);
        }
        let by_id = unless_missing(self.client.channel_by_id(name).await)?;
        Ok(by_id.filter(|channel| !channel.is_archived() && channel.team_id == team.id))
    }

    async fn tell(&mut self, runner: &Runner, about: String, text: &str) {
        if self.told.len() < self.channels_max && self.told.insert(about.clone()) {
            tracing::warn!("{text}");
            runner.tell_operators(&format!("watching/{about}"), text);
        }
    }
}

/// What is not there is an answer, not an error.
fn unless_missing(found: Result<Channel, ApiError>) -> Result<Option<Channel>, ApiError> {
    match found {
        Err(error) if error.status() == Some(404) => Ok(None),
        found => found.map(Some),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use warroom_mattermost::{ClientOptions, Token};
    use warroom_store::{Options, Store};

    #[tokio::test]
    async fn a_channel_counts_from_the_bots_joining_on() {
        let store = Store::open("sqlite::memory:", Options::default()).await.unwrap();
        let watermarks = Watermarks::read(store).await.unwrap();
        let watching = Watching {
            client: Client::new(ClientOptions::new("http://127.0.0.1", Token::new("t"))).unwrap(),
            bot: Person { id: "bot".into(), username: "warroom".into() },
            workflows: Arc::default(),
            watch: Watch::Named,
            channels_max: 1,
            told: BTreeSet::new(),
            watermarks: watermarks.clone(),
        };
        let joined = |last_update_at| ChannelMember { last_update_at, ..ChannelMember::default() };
        let mark = || watermarks.of("town").map(|mark| mark.at_ms);
        watching.begin("town", &joined(0));
        assert_eq!(mark(), None, "the server does not say when");
        watching.begin("town", &joined(7));
        assert_eq!(mark(), Some(7));
        watching.begin("town", &joined(9));
        assert_eq!(mark(), Some(7), "it was listened to already");
    }
}
