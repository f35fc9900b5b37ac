//! Teams and their members.

use reqwest::Method;

use crate::call::Call;
use crate::channel::{Channel, Team, TeamMember};
use crate::client::Client;
use crate::error::ApiError;

use super::page_query;

impl Client {
    /// The teams that the bot is on.
    ///
    /// # Errors
    /// [`ApiError`].
    pub async fn teams_of_me(&self) -> Result<Vec<Team>, ApiError> {
        self.call(Call::new("teams_of_me", Method::GET, &["users", "me", "teams"], "list the bot's teams"))
            .await
    }

    /// A team by handle.
    ///
    /// # Errors
    /// [`ApiError`]; with status 403 when the bot is not on it, 404 when there is none.
    pub async fn team_by_name(&self, name: &str) -> Result<Team, ApiError> {
        let doing = format!("look up the team {name}");
        self.call(Call::new("team_by_name", Method::GET, &["teams", "name", name], doing)).await
    }

    /// A team by id.
    ///
    /// # Errors
    /// [`ApiError`]; with status 403 when the bot is not on it, 404 when there is none.
    pub async fn team_by_id(&self, team_id: &str) -> Result<Team, ApiError> {
        let doing = format!("look up the team {team_id}");
        self.call(Call::new("team_by_id", Method::GET, &["teams", team_id], doing)).await
    }

    /// A person's membership in a team.
    ///
    /// # Errors
    /// [`ApiError`]; with status 403 when the bot is not on the team, 404 when the person is no member.
    pub async fn team_member(&self, team_id: &str, user_id: &str) -> Result<TeamMember, ApiError> {
        let path = ["teams", team_id, "members", user_id];
        let doing = format!("look up the user {user_id} on the team {team_id}");
        self.call(Call::new("team_member", Method::GET, &path, doing)).await
    }

    /// The channels of a team that the bot is a member of.
    ///
    /// # Errors
    /// [`ApiError`].
    pub async fn channels_of_me(&self, team_id: &str) -> Result<Vec<Channel>, ApiError> {
        let path = ["users", "me", "teams", team_id, "channels"];
        let doing = format!("list the bot's channels on the team {team_id}");
        self.call(Call::new("channels_of_me", Method::GET, &path, doing).listing()).await
    }

    /// A page of a team's public channels that are not archived, whether the bot is a member or not. The first page is 0; `per_page`
    /// is cut to `page_posts_max` of the options, and a page with fewer channels is the last one.
    ///
    /// # Errors
    /// [`ApiError`].
    pub async fn public_channels(
        &self,
        team_id: &str,
        page: u32,
        per_page: u32,
    ) -> Result<Vec<Channel>, ApiError> {
        let path = ["teams", team_id, "channels"];
        let query = page_query(self, page, per_page);
        let doing = format!("list the public channels of the team {team_id}");
        self.call(Call::new("public_channels", Method::GET, &path, doing).query(&query)).await
    }
}
