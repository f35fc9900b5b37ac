//! Posts.

use reqwest::Method;
use serde::de::IgnoredAny;
use serde_json::{Map, Value, json};

use crate::call::Call;
use crate::client::Client;
use crate::error::ApiError;
use crate::post::{NewPost, Post, PostPage, PostRange};

use super::page_query;

impl Client {
    /// Writes a post. With a `pending_post_id` that the server has seen lately, gives back the post that came of it: whose it is and
    /// where it stands must be checked.
    ///
    /// # Errors
    /// [`ApiError`]; with status 403 when the bot is no member of the channel.
    pub async fn create_post(&self, post: &NewPost) -> Result<Post, ApiError> {
        let doing = format!("post to the channel {}", post.channel_id);
        self.call(Call::new("create_post", Method::POST, &["posts"], doing).body(json!(post))).await
    }

    /// Changes a post's message, its whole `props`, or both; `None` stays as it is.
    ///
    /// # Errors
    /// [`ApiError`].
    pub async fn patch_post(
        &self,
        post_id: &str,
        message: Option<&str>,
        props: Option<&Map<String, Value>>,
    ) -> Result<Post, ApiError> {
        let mut patch = Map::new();
        if let Some(message) = message {
            patch.insert("message".to_owned(), json!(message));
        }
        if let Some(props) = props {
            patch.insert("props".to_owned(), json!(props));
        }
        let doing = format!("change the post {post_id}");
        let path = ["posts", post_id, "patch"];
        let call = Call::new("patch_post", Method::PUT, &path, doing);
        self.call(call.body(Value::Object(patch))).await
    }

    /// A post by id.
    ///
    /// # Errors
    /// [`ApiError`]; with status 404 when there is none or it is deleted.
    pub async fn post_by_id(&self, post_id: &str) -> Result<Post, ApiError> {
        let doing = format!("read the post {post_id}");
        self.call(Call::new("post_by_id", Method::GET, &["posts", post_id], doing)).await
    }

    /// A page of a channel's posts, newest first. The first page is 0; `per_page` is cut to `page_posts_max` of the options, and a
    /// page with fewer posts is the last one.
    ///
    /// # Errors
    /// [`ApiError`].
    pub async fn posts_of_channel(
        &self,
        channel_id: &str,
        range: &PostRange,
        page: u32,
        per_page: u32,
    ) -> Result<Vec<Post>, ApiError> {
        let mut query = page_query(self, page, per_page).to_vec();
        match range {
            PostRange::Newest => {}
            PostRange::After(post_id) => query.push(("after", post_id.clone())),
            PostRange::Before(post_id) => query.push(("before", post_id.clone())),
            // Servers refuse pages together with it.
            PostRange::Since(time_ms) => query = vec![("since", time_ms.to_string())],
        }
        let path = ["channels", channel_id, "posts"];
        let doing = format!("read the posts of the channel {channel_id}");
        self.call::<PostPage>(Call::new("posts_of_channel", Method::GET, &path, doing).query(&query))
            .await
            .map(PostPage::into_posts)
    }

    /// Pins a post to its channel. Doing it again is no error.
    ///
    /// # Errors
    /// [`ApiError`].
    pub async fn pin_post(&self, post_id: &str) -> Result<(), ApiError> {
        let doing = format!("pin the post {post_id}");
        self.call::<IgnoredAny>(Call::new("pin_post", Method::POST, &["posts", post_id, "pin"], doing))
            .await
            .map(|_| ())
    }

    /// Takes a post's pin away. Doing it again is no error.
    ///
    /// # Errors
    /// [`ApiError`].
    pub async fn unpin_post(&self, post_id: &str) -> Result<(), ApiError> {
        let doing = format!("unpin the post {post_id}");
        self.call::<IgnoredAny>(Call::new("unpin_post", Method::POST, &["posts", post_id, "unpin"], doing))
            .await
            .map(|_| ())
    }

    /// Deletes a post.
    ///
    /// # Errors
    /// [`ApiError`]; with status 404 when there is none or it is deleted already.
    pub async fn delete_post(&self, post_id: &str) -> Result<(), ApiError> {
        let doing = format!("delete the post {post_id}");
        let path = ["posts", post_id];
        let call = Call::new("delete_post", Method::DELETE, &path, doing);
        self.call::<IgnoredAny>(call).await.map(|_| ())
    }

    /// Presses a post's button, or chooses an option of its menu, as the bot: the server calls the control's address before it answers.
    /// So a service can find out whether the server reaches it.
    ///
    /// # Errors
    /// [`ApiError`]; with the id `api.post.do_action.action_integration.app_error` when the server did not get a good answer from
    /// that address, with status 404 when the post has no such control.
    pub async fn press(
        &self,
        post_id: &str,
        action_id: &str,
        selected_option: Option<&str>,
    ) -> Result<(), ApiError> {
        let path = ["posts", post_id, "actions", action_id];
        let body = selected_option.map_or(json!({}), |option| json!({ "selected_option": option }));
        let call =
            Call::new("press", Method::POST, &path, format!("press {action_id} of the post {post_id}"));
        self.call::<IgnoredAny>(call.body(body)).await.map(|_| ())
    }
}
