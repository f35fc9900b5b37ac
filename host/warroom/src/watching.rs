//! Which channels the bot listens to: it joins those that triggers name, or all public ones.

use crate::chat::{chat_error, is_everywhere, slug};
use crate::config::Watch;
use crate::watermarks::Watermarks;
use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::Arc;
use warroom_engine::{Person, is_id};
use warroom_mattermost::{ApiError, Channel, ChannelKind, ChannelMember, Client, Team};
use warroom_runner::{ChatError, Runner, Workflows};

/// Channels of one page.
const PAGE: u32 = 200;
/// How many pages of a team's public channels are read.
const PAGES_MAX: u32 = 1_000;
/// How often in a row a team's channels cannot be listed, for a reason that may pass, before operators are told.
const TRIES: u32 = 3;

/// How many look-ups of channels may fail, for a reason that may pass, before a look goes on without the rest.
const FAILURES_MAX: u32 = 2;
/// Of how many matters it is known that operators were told.
const TOLD_MAX: usize = 10_000;

/// What is about the channels of a team begins so, and the team's id follows. Of a channel it is the other way around, since people
/// choose its name.
const MINE: &str = "mine/";
const PUBLIC: &str = "public/";

pub(crate) struct Watching {
    pub(crate) client: Client,
    pub(crate) bot: Person,
    pub(crate) workflows: Arc<Workflows>,
    pub(crate) watch: Watch,
    pub(crate) channels_max: usize,
    /// What operators were told before, so that they are told once.
    pub(crate) told: BTreeSet<String>,
    pub(crate) watermarks: Watermarks,
    /// How often in a row a channel could not be looked up or joined, or those of a team not listed, for a reason that may pass; by what it
    /// is about.
    pub(crate) failures: HashMap<String, u32>,
    /// How often what operators were told was over: the same is then told anew.
    pub(crate) recoveries: HashMap<String, u32>,
}

/// Where a channel is that a trigger names.
#[derive(Debug)]
enum Lookup {
    /// On the team.
    Here(Channel),
    /// On another team of the bot's: it is named by its id.
    Elsewhere,
    /// Nowhere, as far as the bot sees.
    Nowhere,
}

/// What the bot listens to.
pub(crate) struct Heard {
    /// The channels, as far as they can be listed.
    pub(crate) channels: Vec<Channel>,
    /// Teams whose channels cannot be listed now: what is posted there comes over the stream, and what was missed waits.
    pub(crate) unlisted: HashSet<String>,
    /// Whether one of them is worth another try soon.
    pub(crate) try_soon: bool,
}

impl Watching {
    /// Joins what is to be listened to and was not. Gives every channel that the bot listens to now. A team that fails keeps the bot
    /// from no other; the error is one that has nothing to do with any team.
    pub(crate) async fn join(&mut self, teams: &[Team], runner: &Runner) -> Result<Heard, ChatError> {
        let mut heard = Heard { channels: Vec::new(), unlisted: HashSet::new(), try_soon: false };
        let is_left = |id: &str| teams.iter().all(|team| team.id != id);
        self.failures.retain(|about, _| !about.strip_prefix(MINE).is_some_and(is_left));
        for team in teams {
            match self.client.channels_of_me(&team.id).await {
                Ok(mut known) => {
                    known.retain(|channel| !channel.is_archived() && channel.team_id == team.id);
                    heard.channels.append(&mut known);
                    self.is_over(&format!("{MINE}{}", team.id));
                }
                Err(error) if is_everywhere(&self.client, &error).await => return Err(chat_error(error)),
                // Taken off the team just now.
                Err(error) if error.status() == Some(403) => {}
                Err(error) => self.cannot_list(team, &error, &mut heard, runner).await,
            }
        }
        for team in teams {
            let wanted = match self.watch {
                Watch::All => self.public_unless_failing(team, runner).await?,
                Watch::Named => self.named((team, teams), &heard.channels, runner).await?,
            };
            for channel in wanted {
                self.join_one(channel, &mut heard.channels, runner).await?;
            }
        }
        Ok(heard)
    }

    /// The bot's channels of a team cannot be listed, and operators are told unless that may pass.
    async fn cannot_list(&mut self, team: &Team, error: &ApiError, heard: &mut Heard, runner: &Runner) {
        tracing::warn!(team = %team.name, "the bot's channels cannot be listed: {error}");
        heard.unlisted.insert(team.id.clone());
        let about = format!("{MINE}{}", team.id);
        let is_for_long = self.fails_for_long(&about);
        if error.is_temporary() && !is_for_long {
            heard.try_soon = true;
            return;
        }
        let text = format!(
            "The bot's channels in the team {} cannot be listed: {error}. It hears what is posted there from now on; what was posted \
             while nobody listened is read once they can be listed. It is tried again now and then.",
            team.name
        );
        self.tell(runner, about, &text).await;
    }

    /// The public channels of a team; none when they cannot be listed, of which operators are told unless that may pass.
    async fn public_unless_failing(
        &mut self,
        team: &Team,
        runner: &Runner,
    ) -> Result<Vec<Channel>, ChatError> {
        match self.public(team).await {
            Ok(channels) => {
                self.is_over(&format!("{PUBLIC}{}", team.id));
                Ok(channels)
            }
            Err(error) if is_everywhere(&self.client, &error).await => Err(chat_error(error)),
            // They are listed again with the next look at all channels.
            Err(error) if error.is_temporary() && !self.fails_for_long(&format!("{PUBLIC}{}", team.id)) => {
                tracing::warn!(team = %team.name, "public channels cannot be listed yet: {error}");
                Ok(Vec::new())
            }
            Err(error) => {
                let text = format!(
                    "The public channels of the team {} cannot be listed, so the bot joins none there and hears only those that it \
                     is in: {error}. Let it list them, or invite @{} to those that count.",
                    team.name, self.bot.username
                );
                self.tell(runner, format!("{PUBLIC}{}", team.id), &text).await;
                Ok(Vec::new())
            }
        }
    }

    async fn join_one(
        &mut self,
        channel: Channel,
        heard: &mut Vec<Channel>,
        runner: &Runner,
    ) -> Result<(), ChatError> {
        if heard.iter().any(|known| known.id == channel.id) {
            self.is_over(&channel.id);
            return Ok(());
        }
        // Rooms of incidents are no channels that it listens to.
        let listened_to = heard.iter().filter(|channel| channel.creator_id != self.bot.id).count();
        if listened_to >= self.channels_max {
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
                self.is_over(&channel.id);
                self.begin(&channel.id, &member);
                tracing::info!(channel = %channel.name, "the bot has joined a channel to listen there");
                heard.push(self.watermarks.as_unread(channel));
                Ok(())
            }
            Err(error) if is_everywhere(&self.client, &error).await => Err(chat_error(error)),
            Err(error) if error.is_temporary() && !self.fails_for_long(&channel.id) => {
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

    /// All public channels of the team, but for the rooms that the bot made.
    async fn public(&self, team: &Team) -> Result<Vec<Channel>, ApiError> {
        let mut channels = Vec::new();
        for page in 0..PAGES_MAX {
            let listed = self.client.public_channels(&team.id, page, PAGE).await?;
            let is_last = listed.len() < PAGE as usize;
            channels.extend(listed.into_iter().filter(|channel| channel.creator_id != self.bot.id));
            if is_last || channels.len() > self.channels_max {
                break;
            }
        }
        Ok(channels)
    }

    /// The public channels that triggers name and the bot does not hear yet.
    async fn named(
        &mut self,
        (team, teams): (&Team, &[Team]),
        heard: &[Channel],
        runner: &Runner,
    ) -> Result<Vec<Channel>, ChatError> {
        let (mut channels, mut failures) = (Vec::new(), 0);
        let about = |name: &str| format!("{}/{name}", team.id);
        let mut names: Vec<String> = self.workflows.channels_named_in(&team.name).into_iter().collect();
        // What could not be looked up before keeps nothing else from it.
        names.sort_by_key(|name| self.failures.get(&about(name)).copied().unwrap_or(0));
        for name in names {
            let handle = slug(&name);
            // Only by what no other channel can have: many may be called by one display name.
            let is_it = |channel: &Channel| {
                let is_called = if is_id(&name) { channel.id == name } else { channel.name == handle };
                channel.team_id == team.id && is_called
            };
            if heard.iter().any(is_it) {
                self.is_over(&about(&name));
                continue;
            }
            let channel = match self.lookup((team, teams), &name, &handle).await {
                Ok(channel) => channel,
                Err(error) if is_everywhere(&self.client, &error).await => return Err(chat_error(error)),
                // Looked up again with the next look at all channels.
                Err(error) if error.is_temporary() => {
                    tracing::warn!(channel = %name, team = %team.name, "a channel cannot be looked up yet: {error}");
                    if self.fails_for_long(&about(&name)) {
                        self.tell_unresolved(team, &name, &error, runner).await;
                    }
                    failures += 1;
                    // Nothing is heard meanwhile, and each of the others may take as long.
                    if failures == FAILURES_MAX {
                        break;
                    }
                    continue;
                }
                Err(error) => {
                    self.tell_unresolved(team, &name, &error, runner).await;
                    continue;
                }
            };
            self.failures.remove(&about(&name));
            match channel {
                Lookup::Elsewhere => {}
                Lookup::Here(channel) if heard.iter().any(|known| known.id == channel.id) => {
                    self.is_over(&about(&name));
                }
                Lookup::Here(channel) if channel.kind == ChannelKind::Public => {
                    self.is_over(&about(&name));
                    channels.push(channel);
                }
                // A private one cannot be looked up by the name that people see.
                Lookup::Nowhere if heard.iter().any(|known| is_private_called(known, team, &name)) => {
                    self.is_over(&about(&name));
                }
                Lookup::Here(_) | Lookup::Nowhere => {
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

    async fn tell_unresolved(&mut self, team: &Team, name: &str, error: &ApiError, runner: &Runner) {
        let text = format!(
            "A trigger listens to \u{201c}{name}\u{201d} in the team {}, which the bot cannot look up, so it may hear nothing there: \
             {error}",
            team.name
        );
        self.tell(runner, format!("{}/{name}", team.id), &text).await;
    }

    /// A channel by its handle, by the name that people see, when only one has it, or by its id.
    async fn lookup(
        &self,
        (team, teams): (&Team, &[Team]),
        name: &str,
        handle: &str,
    ) -> Result<Lookup, ApiError> {
        // First: anybody may choose the id of a channel as the handle of another one.
        let mut is_elsewhere = false;
        if is_id(name)
            && let Some(channel) = unless_missing(self.client.channel_by_id(name).await)?
            && !channel.is_archived()
        {
            if channel.team_id == team.id {
                return Ok(Lookup::Here(channel));
            }
            is_elsewhere = teams.iter().any(|team| team.id == channel.team_id);
        }
        if !handle.is_empty()
            && let Some(channel) = unless_missing(self.client.channel_by_name(&team.id, handle, false).await)?
        {
            return Ok(Lookup::Here(channel));
        }
        let mut listed = self.client.search_channels(&team.id, name).await?;
        listed.retain(|channel| !channel.is_archived() && channel.display_name == name);
        Ok(match listed.pop() {
            Some(only) if listed.is_empty() => Lookup::Here(only),
            _ if is_elsewhere => Lookup::Elsewhere,
            _ => Lookup::Nowhere,
        })
    }

    /// Something failed for a reason that may pass; gives whether it did so for so long that operators are to be told.
    fn fails_for_long(&mut self, about: &str) -> bool {
        if self.failures.len() >= TOLD_MAX {
            self.failures.clear();
        }
        let failures = self.failures.entry(about.to_owned()).or_default();
        *failures = failures.saturating_add(1);
        *failures >= TRIES
    }

    /// What operators may have been told is over.
    fn is_over(&mut self, about: &str) {
        self.failures.remove(about);
        if self.told.remove(about) && self.recoveries.len() < TOLD_MAX {
            let recoveries = self.recoveries.entry(about.to_owned()).or_default();
            *recoveries = recoveries.saturating_add(1);
        }
    }

    async fn tell(&mut self, runner: &Runner, about: String, text: &str) {
        if self.told.len() < TOLD_MAX && self.told.insert(about.clone()) {
            tracing::warn!("{text}");
            // A restart tells nothing anew that was told within a day.
            let (key, about) = match self.recoveries.get(&about) {
                Some(times) => (about.clone(), format!("watching/{about}/{times}")),
                None => (about.clone(), format!("watching/{about}")),
            };
            if !runner.tell_operators(&about, text) {
                self.told.remove(&key);
            }
        }
    }
}

fn is_private_called(channel: &Channel, team: &Team, display_name: &str) -> bool {
    channel.kind == ChannelKind::Private && channel.team_id == team.id && channel.display_name == display_name
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
    use warroom_mattermost::{ClientOptions, NewChannel, Token};
    use warroom_simulator::Simulator;
    use warroom_store::{Options, Store};

    async fn watching(url: &str, token: &str) -> Watching {
        let store = Store::open("sqlite::memory:", Options::default()).await.unwrap();
        Watching {
            client: Client::new(ClientOptions::new(url, Token::new(token))).unwrap(),
            bot: Person { id: "bot".into(), username: "warroom".into() },
            workflows: Arc::default(),
            watch: Watch::Named,
            channels_max: 1,
            told: BTreeSet::new(),
            watermarks: Watermarks::read(store).await.unwrap(),
            failures: HashMap::new(),
            recoveries: HashMap::new(),
        }
    }

    #[tokio::test]
    async fn a_channel_that_is_named_by_its_id_is_meant_though_another_one_is_called_so() {
        let server = Simulator::start(warroom_simulator::Options::default()).await.unwrap();
        let watching = watching(server.url(), server.bot_token()).await;
        let client = &watching.client;
        let team = client.teams_of_me().await.unwrap().remove(0);
        let town = client.channel_by_name(&team.id, "town-square", false).await.unwrap();
        let decoy = NewChannel {
            team_id: team.id.clone(),
            name: town.id.clone(),
            display_name: town.id.clone(),
            header: String::new(),
            purpose: String::new(),
            kind: ChannelKind::Public,
        };
        let decoy = client.create_channel(&decoy).await.unwrap();
        let found = async |name: &str| match watching.lookup((&team, &[]), name, &slug(name)).await.unwrap() {
            Lookup::Here(channel) => channel.id,
            other => panic!("{name}: {other:?}"),
        };
        assert_eq!(found(&town.id).await, town.id);
        assert_eq!(found(&decoy.id).await, decoy.id);
        client.archive_channel(&decoy.id).await.unwrap();
        let gone = watching.lookup((&team, &[]), &decoy.id, &decoy.id).await.unwrap();
        assert!(matches!(gone, Lookup::Nowhere), "{gone:?}");
    }

    #[tokio::test]
    async fn a_channel_counts_from_the_bots_joining_on() {
        let watching = watching("http://127.0.0.1", "t").await;
        let watermarks = watching.watermarks.clone();
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
