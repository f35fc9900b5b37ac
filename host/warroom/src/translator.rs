//! Makes of Mattermost's posts what triggers look at.

use crate::chat::is_everywhere;
use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use warroom_engine::{Channel, Person};
use warroom_mattermost::{self as mm, ApiError, Client, PostedEvent};
use warroom_runner::IncomingPost;
use warroom_workflow::Author;

/// How many handles of teams are remembered.
const TEAMS_MAX: usize = 10_000;

/// Makes of Mattermost's posts what triggers look at. Clones share what is remembered.
#[derive(Clone)]
pub(crate) struct Translator {
    client: Client,
    /// What links begin with.
    site_url: String,
    /// Handles of teams by id.
    teams: Arc<Mutex<HashMap<String, String>>>,
}

impl Translator {
    pub(crate) fn new(client: Client, site_url: String) -> Translator {
        Translator { client, site_url, teams: Arc::default() }
    }

    fn teams(&self) -> MutexGuard<'_, HashMap<String, String>> {
        self.teams.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Remembers the handle of a team.
    pub(crate) fn know_team(&self, id: &str, name: &str) {
        let mut teams = self.teams();
        if teams.len() < TEAMS_MAX {
            teams.insert(id.to_owned(), name.to_owned());
        }
    }

    /// The handle of a team.
    pub(crate) async fn team_name(&self, team_id: &str) -> Result<String, ApiError> {
        if let Some(name) = self.teams().get(team_id) {
            return Ok(name.clone());
        }
        let team = self.client.team_by_id(team_id).await?;
        self.know_team(&team.id, &team.name);
        Ok(team.name)
    }

    /// A post that came just now, in a channel of that team.
    pub(crate) fn posted(&self, event: PostedEvent, team_name: &str) -> IncomingPost {
        let channel = mm::Channel {
            id: event.channel_id,
            name: event.channel_name,
            display_name: event.channel_display_name,
            team_id: event.team_id,
            ..mm::Channel::default()
        };
        let username = event.sender_name.trim_start_matches('@').to_owned();
        self.incoming(event.post, &channel, team_name, username)
    }

    /// A post whose writer's name is not known yet.
    pub(crate) fn unnamed(&self, post: mm::Post, channel: &mm::Channel, team_name: &str) -> IncomingPost {
        self.incoming(post, channel, team_name, String::new())
    }

    /// Posts that were read over REST, with the names of their writers. A writer who cannot be looked up has none: that must not hold
    /// back what was reported.
    pub(crate) async fn named(
        &self,
        posts: Vec<(mm::Post, mm::Channel)>,
    ) -> Result<Vec<IncomingPost>, ApiError> {
        let ids: HashSet<String> = posts.iter().map(|(post, _)| post.user_id.clone()).collect();
        let ids: Vec<String> = ids.into_iter().filter(|id| !id.is_empty()).collect();
        let names = self.usernames(&ids).await?;
        let mut named = Vec::with_capacity(posts.len());
        for (post, channel) in posts {
            let webhook = post.props.get("override_username").and_then(|name| name.as_str());
            let name = webhook.filter(|_| post.from_webhook()).map(str::to_owned);
            let name = name.or_else(|| names.get(&post.user_id).cloned()).unwrap_or_default();
            let team_name = self.team_name(&channel.team_id).await?;
            named.push(self.incoming(post, &channel, &team_name, name));
        }
        Ok(named)
    }

    /// Usernames by id; looked up one by one where the server cannot give them together.
    async fn usernames(&self, ids: &[String]) -> Result<HashMap<String, String>, ApiError> {
        let users = match self.client.users_by_ids(ids).await {
            Err(error) if !is_everywhere(&self.client, &error).await => {
                tracing::warn!("writers of posts are looked up one by one: {error}");
                self.users_one_by_one(ids).await?
            }
            users => users?,
        };
        Ok(users.into_iter().map(|user| (user.id, user.username)).collect())
    }

    async fn users_one_by_one(&self, ids: &[String]) -> Result<Vec<mm::User>, ApiError> {
        let mut users = Vec::new();
        for id in ids {
            match self.client.user_by_id(id).await {
                Ok(user) => users.push(user),
                Err(error) if is_everywhere(&self.client, &error).await => return Err(error),
                Err(error) => {
                    tracing::error!(user = %id, "the writer of a post stays without a name: {error}")
                }
            }
        }
        Ok(users)
    }

    fn incoming(
        &self,
        post: mm::Post,
        channel: &mm::Channel,
        team_name: &str,
        username: String,
    ) -> IncomingPost {
        let is_automated = post.from_webhook() || post.from_bot();
        IncomingPost {
            permalink: format!("{}/{team_name}/pl/{}", self.site_url, post.id),
            created_ms: u64::try_from(post.create_at).unwrap_or(0),
            attachments: post.attachments_text(),
            author: if is_automated { Author::Automation } else { Author::Person },
            text: post.message,
            user: Person { id: post.user_id, username },
            channel: Channel {
                id: channel.id.clone(),
                name: channel.name.clone(),
                display_name: channel.display_name.clone(),
                team_id: channel.team_id.clone(),
            },
            post_id: post.id,
            team_name: team_name.to_owned(),
        }
    }
}
