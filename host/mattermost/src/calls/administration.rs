//! What a set-up does with an administrator's token.

use reqwest::Method;
use serde::de::IgnoredAny;
use serde_json::{Value, json};

use crate::bot::{Bot, NewToken};
use crate::call::Call;
use crate::channel::{Team, TeamMember};
use crate::client::Client;
use crate::error::ApiError;
use crate::user::User;

use super::page_query;

impl Client {
    /// Makes a bot account, which belongs to the administrator.
    ///
    /// # Errors
    /// [`ApiError`]; with status 400 when the handle is taken, 403 when the server's configuration allows no bots.
    pub async fn create_bot(
        &self,
        username: &str,
        display_name: &str,
        description: &str,
    ) -> Result<Bot, ApiError> {
        let call = Call::new("create_bot", Method::POST, &["bots"], format!("create the bot {username}"));
        let bot = json!({"username": username, "display_name": display_name, "description": description});
        self.call(call.body(bot)).await
    }

    /// A page of the server's bots, those that are disabled too. The first page is 0; `per_page` is cut to `page_posts_max` of the
    /// options, and a page with fewer bots is the last one.
    ///
    /// # Errors
    /// [`ApiError`].
    pub async fn bots(&self, page: u32, per_page: u32) -> Result<Vec<Bot>, ApiError> {
        let mut query = page_query(self, page, per_page).to_vec();
        query.push(("include_deleted", "true".to_owned()));
        self.call(Call::new("bots", Method::GET, &["bots"], "list the bots").query(&query)).await
    }

    /// A bot by handle, also a disabled one; `None` when there is none, or the handle is a person's.
    ///
    /// # Errors
    /// [`ApiError`].
    pub async fn bot_by_name(&self, username: &str) -> Result<Option<Bot>, ApiError> {
        let Some(user) = found(self.user_by_username(username).await)? else { return Ok(None) };
        let path = ["bots", &user.id];
        let query = [("include_deleted", "true".to_owned())];
        let call = Call::new("bot_by_name", Method::GET, &path, format!("look up the bot {username}"));
        found(self.call(call.query(&query)).await)
    }

    /// Enables a bot that was disabled. Doing it again is no error.
    ///
    /// # Errors
    /// [`ApiError`]; with status 404 when there is none.
    pub async fn enable_bot(&self, user_id: &str) -> Result<Bot, ApiError> {
        let path = ["bots", user_id, "enable"];
        self.call(Call::new("enable_bot", Method::POST, &path, format!("enable the bot {user_id}"))).await
    }

    /// Makes an access token for a bot. The description tells administrators what it is for.
    ///
    /// # Errors
    /// [`ApiError`].
    pub async fn create_token(&self, user_id: &str, description: &str) -> Result<NewToken, ApiError> {
        let path = ["users", user_id, "tokens"];
        let call = Call::new("create_token", Method::POST, &path, format!("make a token for {user_id}"));
        self.call(call.body(json!({ "description": description })).secret()).await
    }

    /// Adds a person or a bot to a team. Adding a member again is no error.
    ///
    /// # Errors
    /// [`ApiError`].
    pub async fn add_team_member(&self, team_id: &str, user_id: &str) -> Result<TeamMember, ApiError> {
        let path = ["teams", team_id, "members"];
        let doing = format!("add the user {user_id} to the team {team_id}");
        let call = Call::new("add_team_member", Method::POST, &path, doing);
        self.call(call.body(json!({"team_id": team_id, "user_id": user_id}))).await
    }

    /// Makes a person's account.
    ///
    /// # Errors
    /// [`ApiError`]; with status 400 when the handle or the address is taken, or the password too weak.
    pub async fn create_user(&self, username: &str, email: &str, password: &str) -> Result<User, ApiError> {
        let call = Call::new("create_user", Method::POST, &["users"], format!("create the user {username}"));
        self.call(call.body(json!({"username": username, "email": email, "password": password}))).await
    }

    /// Makes a team that everybody on the server may join.
    ///
    /// # Errors
    /// [`ApiError`]; with status 400 when the handle is taken.
    pub async fn create_team(&self, name: &str, display_name: &str) -> Result<Team, ApiError> {
        let call = Call::new("create_team", Method::POST, &["teams"], format!("create the team {name}"));
        self.call(call.body(json!({"name": name, "display_name": display_name, "type": "O"}))).await
    }

    /// The server's whole configuration, its secrets masked.
    ///
    /// # Errors
    /// [`ApiError`]; with status 403 without an administrator's token.
    pub async fn server_config(&self) -> Result<Value, ApiError> {
        self.call(Call::new("server_config", Method::GET, &["config"], "read the server's settings")).await
    }

    /// Changes what the patch names of the server's configuration, and gives back the whole of it. A list is replaced.
    ///
    /// # Errors
    /// [`ApiError`]; with status 403 without an administrator's token.
    pub async fn patch_server_config(&self, patch: &Value) -> Result<Value, ApiError> {
        let path = ["config", "patch"];
        let call = Call::new("patch_server_config", Method::PUT, &path, "change the server's settings");
        self.call(call.body(patch.clone())).await
    }

    /// Gives a user these roles of the server, such as `system_user` and `system_post_all`, and takes all others away.
    ///
    /// # Errors
    /// [`ApiError`]; with status 403 without an administrator's token.
    pub async fn set_roles(&self, user_id: &str, roles: &[&str]) -> Result<(), ApiError> {
        let path = ["users", user_id, "roles"];
        let call = Call::new("set_roles", Method::PUT, &path, format!("set the roles of the user {user_id}"));
        self.call::<IgnoredAny>(call.body(json!({ "roles": roles.join(" ") }))).await.map(|_| ())
    }
}

/// What is not there is an answer, not an error.
fn found<T>(result: Result<T, ApiError>) -> Result<Option<T>, ApiError> {
    match result {
        Ok(value) => Ok(Some(value)),
        Err(error) if error.status() == Some(404) => Ok(None),
        Err(error) => Err(error),
    }
}
