//! Channels and their members.

use reqwest::Method;
use serde::de::IgnoredAny;
use serde_json::json;

use crate::call::Call;
use crate::channel::{Channel, ChannelMember, ChannelPatch, NewChannel};
use crate::client::Client;
use crate::error::ApiError;

impl Client {
    /// A channel by id, also an archived one.
    ///
    /// # Errors
    /// [`ApiError`]; with status 403 for a private channel without the bot, 404 when there is none.
    pub async fn channel_by_id(&self, channel_id: &str) -> Result<Channel, ApiError> {
        let doing = format!("look up the channel {channel_id}");
        self.call(Call::new("channel_by_id", Method::GET, &["channels", channel_id], doing)).await
    }

    /// A channel of a team by handle; an archived one only with `include_deleted`.
    ///
    /// # Errors
    /// [`ApiError`]; with status 404 when there is none.
    pub async fn channel_by_name(
        &self,
        team_id: &str,
        name: &str,
        include_deleted: bool,
    ) -> Result<Channel, ApiError> {
        let path = ["teams", team_id, "channels", "name", name];
        let query = [("include_deleted", "true".to_owned())];
        let call = Call::new("channel_by_name", Method::GET, &path, format!("look up the channel {name}"));
        self.call(if include_deleted { call.query(&query) } else { call }).await
    }

    /// The public channels of a team whose handle or display name has the term in it, as far as the server lists them.
    ///
    /// # Errors
    /// [`ApiError`].
    pub async fn search_channels(&self, team_id: &str, term: &str) -> Result<Vec<Channel>, ApiError> {
        let path = ["teams", team_id, "channels", "search"];
        let call =
            Call::new("search_channels", Method::POST, &path, format!("search for the channel {term}"));
        self.call(call.body(json!({ "term": term }))).await
    }

    /// Makes a channel; the bot is a member of it, and `creator_id` is the bot.
    ///
    /// # Errors
    /// [`ApiError`]; with the id `store.sql_channel.save_channel.exists.app_error` when the name is taken, by an archived channel
    /// too.
    pub async fn create_channel(&self, channel: &NewChannel) -> Result<Channel, ApiError> {
        let doing = format!("create the channel {}", channel.name);
        self.call(Call::new("create_channel", Method::POST, &["channels"], doing).body(json!(channel))).await
    }

    /// Changes a channel's display name, header or purpose.
    ///
    /// # Errors
    /// [`ApiError`].
    pub async fn patch_channel(&self, channel_id: &str, patch: &ChannelPatch) -> Result<Channel, ApiError> {
        let doing = format!("change the channel {channel_id}");
        self.call(
            Call::new("patch_channel", Method::PUT, &["channels", channel_id, "patch"], doing)
                .body(json!(patch)),
        )
        .await
    }

    /// Archives a channel.
    ///
    /// # Errors
    /// [`ApiError`]; with the id `api.channel.delete_channel.deleted.app_error` when it is archived already.
    pub async fn archive_channel(&self, channel_id: &str) -> Result<(), ApiError> {
        let doing = format!("archive the channel {channel_id}");
        let path = ["channels", channel_id];
        let call = Call::new("archive_channel", Method::DELETE, &path, doing);
        self.call::<IgnoredAny>(call).await.map(|_| ())
    }

    /// Adds a person to a channel; for the bot itself, joins a public one. Adding a member again is no error.
    ///
    /// # Errors
    /// [`ApiError`]; with the id `app.team.get_member.missing.app_error` when the person is not on the team.
    pub async fn add_member(&self, channel_id: &str, user_id: &str) -> Result<ChannelMember, ApiError> {
        let doing = format!("add the user {user_id} to the channel {channel_id}");
        let path = ["channels", channel_id, "members"];
        let call = Call::new("add_member", Method::POST, &path, doing);
        self.call(call.body(json!({ "user_id": user_id }))).await
    }

    /// A person's membership in a channel.
    ///
    /// # Errors
    /// [`ApiError`]; with status 404 when the person is no member.
    pub async fn channel_member(&self, channel_id: &str, user_id: &str) -> Result<ChannelMember, ApiError> {
        let doing = format!("look up the user {user_id} in the channel {channel_id}");
        self.call(Call::new(
            "channel_member",
            Method::GET,
            &["channels", channel_id, "members", user_id],
            doing,
        ))
        .await
    }

    /// Removes a person from a channel; the bot itself leaves it.
    ///
    /// # Errors
    /// [`ApiError`]; with status 403 when the bot may not, 404 when the person is no member.
    pub async fn remove_member(&self, channel_id: &str, user_id: &str) -> Result<(), ApiError> {
        let path = ["channels", channel_id, "members", user_id];
        let doing = format!("remove the user {user_id} from the channel {channel_id}");
        let call = Call::new("remove_member", Method::DELETE, &path, doing);
        self.call::<IgnoredAny>(call).await.map(|_| ())
    }

    /// The direct channel of two people, one of them the bot; of the bot with itself when both are. It is made if it is not there.
    ///
    /// # Errors
    /// [`ApiError`].
    pub async fn direct_channel(&self, user_id: &str, other_user_id: &str) -> Result<Channel, ApiError> {
        let doing = format!("open the direct channel of {user_id} and {other_user_id}");
        let call = Call::new("direct_channel", Method::POST, &["channels", "direct"], doing);
        self.call(call.body(json!([user_id, other_user_id]))).await
    }
}
