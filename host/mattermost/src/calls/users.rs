//! People.

use reqwest::Method;
use serde_json::json;

use crate::call::Call;
use crate::client::Client;
use crate::error::ApiError;
use crate::user::User;

impl Client {
    /// The bot that the token belongs to.
    ///
    /// # Errors
    /// [`ApiError`]; with status 401 when the token is refused.
    pub async fn me(&self) -> Result<User, ApiError> {
        let call = Call::new("me", Method::GET, &["users", "me"], "look up whose the token is");
        self.call(call.asking_who()).await
    }

    /// A person by id.
    ///
    /// # Errors
    /// [`ApiError`]; with status 404 when there is nobody.
    pub async fn user_by_id(&self, user_id: &str) -> Result<User, ApiError> {
        let doing = format!("look up the user {user_id}");
        self.call(Call::new("user_by_id", Method::GET, &["users", user_id], doing)).await
    }

    /// A person by handle, without `@`.
    ///
    /// # Errors
    /// [`ApiError`]; with status 404 when there is nobody.
    pub async fn user_by_username(&self, username: &str) -> Result<User, ApiError> {
        let path = ["users", "username", username];
        let doing = format!("look up the user {username}");
        self.call(Call::new("user_by_username", Method::GET, &path, doing)).await
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
}
