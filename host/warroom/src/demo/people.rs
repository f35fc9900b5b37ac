//! People of the simulator, who use its public API as a browser would.

use anyhow::{Context as _, bail};
use serde_json::{Value, json};
use std::time::{Duration, Instant};

/// How long the demo waits for something to happen before it says that it did not.
const PATIENCE: Duration = Duration::from_secs(15);
/// How often it looks.
const GLANCE: Duration = Duration::from_millis(5);

/// The chat, seen by its administrator.
pub(crate) struct Chatroom {
    http: reqwest::Client,
    url: String,
    admin_token: String,
}

/// Somebody who posts, presses and chooses.
pub(crate) struct Person {
    pub(crate) name: String,
    http: reqwest::Client,
    url: String,
    token: String,
}

impl Chatroom {
    pub(crate) fn new(url: &str, admin_token: &str) -> anyhow::Result<Chatroom> {
        let http = reqwest::Client::builder().timeout(PATIENCE).build()?;
        Ok(Chatroom { http, url: format!("{url}/api/v4"), admin_token: admin_token.to_owned() })
    }

    pub(crate) fn person(&self, name: &str, token: &str) -> Person {
        let (http, url) = (self.http.clone(), self.url.clone());
        Person { name: name.to_owned(), http, url, token: token.to_owned() }
    }

    pub(crate) async fn get(&self, path: &str) -> anyhow::Result<Value> {
        call(self.http.get(format!("{}{path}", self.url)), &self.admin_token).await
    }

    /// Speaks through an incoming webhook.
    pub(crate) async fn speak(&self, hook: &str, body: &Value) -> anyhow::Result<()> {
        let base = self.url.trim_end_matches("/api/v4");
        self.http.post(format!("{base}/hooks/{hook}")).json(body).send().await?.error_for_status()?;
        Ok(())
    }

    /// The team's channel with this handle, archived or not, once it exists.
    pub(crate) async fn channel(&self, team: &str, handle: &str) -> anyhow::Result<Value> {
        let path = format!("/teams/name/{team}/channels/name/{handle}?include_deleted=true");
        self.wait_for(&format!("the channel ~{handle}"), async || Ok(self.get(&path).await.ok())).await
    }

    /// The channel's posts, oldest first.
    pub(crate) async fn posts(&self, channel_id: &str) -> anyhow::Result<Vec<Value>> {
        let page = self.get(&format!("/channels/{channel_id}/posts?per_page=200")).await?;
        let order = page["order"].as_array().context("the server lists no posts")?;
        Ok(order.iter().rev().filter_map(Value::as_str).map(|id| page["posts"][id].clone()).collect())
    }

    /// The newest post of the channel whose message begins so, once it is there.
    pub(crate) async fn post(&self, channel_id: &str, beginning: &str) -> anyhow::Result<Value> {
        self.wait_for(&format!("a post that begins with \u{201c}{beginning}\u{201d}"), async || {
            let posts = self.posts(channel_id).await?.into_iter().rev();
            Ok(posts
                .into_iter()
                .find(|post| post["message"].as_str().is_some_and(|text| text.starts_with(beginning))))
        })
        .await
    }

    /// Looks again and again until something is there.
    pub(crate) async fn wait_for<T>(
        &self,
        what: &str,
        look: impl AsyncFn() -> anyhow::Result<Option<T>>,
    ) -> anyhow::Result<T> {
        let until = Instant::now() + PATIENCE;
        loop {
            if let Some(found) = look().await? {
                return Ok(found);
            }
            if Instant::now() > until {
                bail!("{what} did not come within {} s", PATIENCE.as_secs());
            }
            tokio::time::sleep(GLANCE).await;
        }
    }
}

impl Person {
    /// Writes a post; gives it.
    pub(crate) async fn post(&self, channel_id: &str, message: &str) -> anyhow::Result<Value> {
        let body = json!({ "channel_id": channel_id, "message": message });
        call(self.http.post(format!("{}/posts", self.url)).json(&body), &self.token).await
    }

    /// Sends a body to the API, as this person; gives the answer.
    pub(crate) async fn send(&self, path: &str, body: &Value) -> anyhow::Result<Value> {
        call(self.http.post(format!("{}{path}", self.url)).json(body), &self.token).await
    }

    /// Presses the button, or chooses from the menu, with this label.
    pub(crate) async fn use_control(
        &self,
        post: &Value,
        label: &str,
        option: Option<&str>,
    ) -> anyhow::Result<()> {
        let id = control_id(post, label)
            .with_context(|| format!("the post shows no control \u{201c}{label}\u{201d}"))?;
        let post_id = post["id"].as_str().context("a post without an id")?;
        let body = option.map_or_else(|| json!({}), |option| json!({ "selected_option": option }));
        let request = self.http.post(format!("{}/posts/{post_id}/actions/{id}", self.url)).json(&body);
        call(request, &self.token).await.map(|_| ())
    }
}

pub(crate) fn control_id<'a>(post: &'a Value, label: &str) -> Option<&'a str> {
    let attachments = post["props"]["attachments"].as_array()?;
    let mut controls = attachments.iter().filter_map(|attachment| attachment["actions"].as_array()).flatten();
    controls.find(|control| control["name"] == label)?["id"].as_str()
}

async fn call(request: reqwest::RequestBuilder, token: &str) -> anyhow::Result<Value> {
    let answer = request.bearer_auth(token).send().await?;
    let (status, body) = (answer.status(), answer.json::<Value>().await?);
    if !status.is_success() {
        bail!("the simulator answered {status}: {}", body["message"].as_str().unwrap_or("no reason"));
    }
    Ok(body)
}
