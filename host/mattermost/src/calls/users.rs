//! People, teams, and the server itself.

use reqwest::Method;
use serde_json::json;

use crate::call::Call;
use crate::channel::{ClientConfig, Team};
use crate::client::Client;
use crate::error::ApiError;
use crate::user::User;

impl Client {
    /// The bot that the token belongs to.
    ///
    /// # Errors
    /// [`ApiError`]; with status 401 when the token is refused.
    pub async fn me(&self) -> Result<User, ApiError> {
        self.call(Call::new("me", Method::GET, &["users", "me"], "look up the bot")).await
    }

    /// A person by id.
    ///
    /// # Errors
    /// [`ApiError`]; with status 404 when there is nobody.
    pub async fn user_by_id(&self, user_id: &str) -> Result<User, ApiError> {
        let doing = format!("look up the user {user_id}");
        self.call(Call::new("user_by_id", Method::GET, &["users", user_id], doing)).await
    }

    /// People by handle, without `@`, in any order; who does not exist is left out.
    ///
    /// # Errors
    /// [`ApiError`].
    pub async fn users_by_usernames(&self, usernames: &[String]) -> Result<Vec<User>, ApiError> {
        self.users_by("users_by_usernames", "usernames", usernames).await
    }

    /// People by id, in any order; who does not exist is left out.
    ///
    /// # Errors
    /// [`ApiError`].
    pub async fn users_by_ids(&self, user_ids: &[String]) -> Result<Vec<User>, ApiError> {
        self.users_by("users_by_ids", "ids", user_ids).await
    }

    /// The server refuses an empty list, so nothing is sent for one.
    async fn users_by(
        &self,
        name: &'static str,
        what: &str,
        values: &[String],
    ) -> Result<Vec<User>, ApiError> {
        let mut users = Vec::new();
        for part in values.chunks(self.options().users_at_once_max.max(1)) {
            let doing = format!("look up {} users by {what}", part.len());
            let path = ["users", what];
            let call = Call::new(name, Method::POST, &path, doing).body(json!(part));
            users.extend(self.call::<Vec<User>>(call).await?);
        }
        Ok(users)
    }

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

    /// The server's version and public address. Needs no token.
    ///
    /// # Errors
    /// [`ApiError`].
    pub async fn client_config(&self) -> Result<ClientConfig, ApiError> {
        let path = ["config", "client"];
        let query = [("format", "old".to_owned())];
        let call = Call::new("client_config", Method::GET, &path, "read the server's configuration");
        self.call(call.query(&query).open()).await
    }
}
