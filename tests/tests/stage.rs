//! A stage for a test: a simulated server, a service beside it, and people who act.

use anyhow::{Context as _, bail};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};
use tempfile::TempDir;
use warroom::{Config, Service};
use warroom_simulator::{Options, Simulator};

/// The user's own workflow.
pub(crate) const SECURITY_ISSUE: &str =
    include_str!("../../host/workflow/tests/fixtures/security_issue.json");

const PATIENCE: Duration = Duration::from_secs(30);

pub(crate) struct Stage {
    pub(crate) simulator: Simulator,
    pub(crate) directory: TempDir,
    http: reqwest::Client,
}

impl Stage {
    pub(crate) async fn new() -> Stage {
        Stage::with_workflow(SECURITY_ISSUE).await
    }

    pub(crate) async fn with_workflow(workflow: &str) -> Stage {
        let simulator = Simulator::start(Options::default()).await.unwrap();
        let directory = tempfile::tempdir().unwrap();
        std::fs::create_dir(directory.path().join("workflows")).unwrap();
        std::fs::create_dir(directory.path().join("actions")).unwrap();
        let stage = Stage { simulator, directory, http: reqwest::Client::new() };
        stage.write_workflow("workflow.json", workflow);
        stage.write_config("");
        stage
    }

    pub(crate) fn write_workflow(&self, name: &str, text: &str) {
        // Renamed into place: a reader never sees half a file.
        let partial = self.directory.path().join(name);
        std::fs::write(&partial, text).unwrap();
        std::fs::rename(partial, self.directory.path().join("workflows").join(name)).unwrap();
    }

    pub(crate) fn write_config(&self, more: &str) {
        // A port of our own: hosts come and go in a test, and the buttons that are out there point to it.
        let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let text = format!(
            "[mattermost]\nurl = \"{}\"\ntoken = \"{}\"\n[http]\nlisten = \"127.0.0.1:{port}\"\n[actions]\ndir = \"actions\"\n\
             {more}\n[workflows]\ndir = \"workflows\"\npoll_ms = 100\n",
            self.simulator.url(),
            self.simulator.bot_token()
        );
        std::fs::write(self.config_path(), text).unwrap();
    }

    pub(crate) fn config_path(&self) -> PathBuf {
        self.directory.path().join("warroom.toml")
    }

    /// Starts the service in this process, and waits until it listens.
    pub(crate) async fn service(&self) -> Service {
        self.service_with(&[]).await
    }

    /// The same, with some keys of the configuration from the environment.
    pub(crate) async fn service_with(&self, environment: &[(&str, &str)]) -> Service {
        let lookup = |name: &str| {
            let mut known = environment.iter();
            known.find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned())
        };
        let config = Config::read(&self.config_path(), &lookup).unwrap();
        let service = Service::start(config).await.unwrap();
        service.ready().await.unwrap();
        service
    }

    pub(crate) async fn call(
        &self,
        method: &str,
        path: &str,
        token: &str,
        body: Option<Value>,
    ) -> (u16, Value) {
        let url = format!("{}/api/v4{path}", self.simulator.url());
        let mut request = self.http.request(method.parse().unwrap(), url).bearer_auth(token);
        if let Some(body) = body {
            request = request.json(&body);
        }
        let answer = request.send().await.unwrap();
        (answer.status().as_u16(), answer.json().await.unwrap_or(Value::Null))
    }

    pub(crate) async fn get(&self, path: &str) -> Value {
        self.call("GET", path, self.simulator.admin_token(), None).await.1
    }

    fn token(&self, name: &str) -> &str {
        self.simulator.token_of(name).unwrap()
    }

    /// A channel of the team, archived or not, once it is there.
    pub(crate) async fn channel(&self, handle: &str) -> Value {
        let path = format!("/teams/name/infosec/channels/name/{handle}?include_deleted=true");
        self.eventually(&format!("the channel {handle}"), async || {
            let channel = self.get(&path).await;
            channel["team_id"].is_string().then_some(channel)
        })
        .await
    }

    pub(crate) async fn channel_id(&self, handle: &str) -> String {
        self.channel(handle).await["id"].as_str().unwrap().to_owned()
    }

    /// How many channels of the team there are, besides the two that it began with.
    pub(crate) async fn rooms(&self) -> Vec<String> {
        let team = self.simulator.team_id();
        let listed = self.get(&format!("/teams/{team}/channels?per_page=200")).await;
        let names =
            listed.as_array().unwrap().iter().map(|channel| channel["name"].as_str().unwrap().to_owned());
        names.filter(|name| name != "town-square" && name != "off-topic").collect()
    }

    /// Posts as somebody; gives the post.
    pub(crate) async fn say(&self, name: &str, channel: &str, message: &str) -> Value {
        let channel_id = self.channel_id(channel).await;
        let body = json!({ "channel_id": channel_id, "message": message });
        let (status, post) = self.call("POST", "/posts", self.token(name), Some(body)).await;
        assert_eq!(status, 201, "{post}");
        post
    }

    /// The channel's posts by people and bots, oldest first.
    pub(crate) async fn posts(&self, channel_id: &str) -> Vec<Value> {
        let page = self.get(&format!("/channels/{channel_id}/posts?per_page=200")).await;
        let order = page["order"].as_array().unwrap().iter().rev();
        let posts = order.map(|id| page["posts"][id.as_str().unwrap()].clone());
        posts.filter(|post| post["type"] == "").collect()
    }

    pub(crate) async fn messages(&self, channel_id: &str) -> Vec<String> {
        let posts = self.posts(channel_id).await;
        posts.iter().map(|post| post["message"].as_str().unwrap().to_owned()).collect()
    }

    /// The newest post that begins so, once there are `count` of them.
    pub(crate) async fn post(&self, channel_id: &str, beginning: &str, count: usize) -> Value {
        self.eventually(&format!("post {count} beginning {beginning:?}"), async || {
            let mut posts = self.posts(channel_id).await;
            posts.retain(|post| post["message"].as_str().unwrap().starts_with(beginning));
            if posts.len() >= count { posts.pop() } else { None }
        })
        .await
    }

    /// A post as it is now.
    pub(crate) async fn fresh(&self, post: &Value) -> Value {
        self.get(&format!("/posts/{}", post["id"].as_str().unwrap())).await
    }

    /// Presses a button, or chooses from a menu, by its label; gives the server's status.
    pub(crate) async fn press(&self, name: &str, post: &Value, label: &str, option: Option<&str>) -> u16 {
        let controls = controls(post);
        let control = controls.iter().find(|control| control["name"] == label);
        let id = control.unwrap_or_else(|| panic!("no control {label} in {post:#}"))["id"].as_str().unwrap();
        self.press_id(name, post, id, option).await
    }

    pub(crate) async fn press_id(&self, name: &str, post: &Value, id: &str, option: Option<&str>) -> u16 {
        let path = format!("/posts/{}/actions/{id}", post["id"].as_str().unwrap());
        let body = option.map_or_else(|| json!({}), |option| json!({ "selected_option": option }));
        self.call("POST", &path, self.token(name), Some(body)).await.0
    }

    /// Looks until it is so.
    pub(crate) async fn eventually<T>(&self, what: &str, look: impl AsyncFn() -> Option<T>) -> T {
        let until = Instant::now() + PATIENCE;
        loop {
            if let Some(found) = look().await {
                return found;
            }
            assert!(Instant::now() < until, "{what} did not come");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    pub(crate) async fn archived(&self, channel_id: &str) {
        self.eventually("the archived room", async || {
            let channel = self.get(&format!("/channels/{channel_id}")).await;
            channel["delete_at"].as_i64().filter(|at| *at > 0)
        })
        .await;
    }
}

/// All controls of a post, in order.
pub(crate) fn controls(post: &Value) -> Vec<Value> {
    let attachments = post["props"]["attachments"].as_array().cloned().unwrap_or_default();
    attachments
        .iter()
        .flat_map(|attachment| attachment["actions"].as_array().cloned().unwrap_or_default())
        .collect()
}

/// The component that `cargo xtask actions` built.
pub(crate) fn component(name: &str) -> anyhow::Result<Vec<u8>> {
    let directory = std::env::var("WARROOM_ACTIONS")
        .unwrap_or_else(|_| concat!(env!("CARGO_MANIFEST_DIR"), "/../target/actions").to_owned());
    let path = Path::new(&directory).join(format!("{name}.wasm"));
    if !path.is_file() {
        bail!("{} is not there: run `cargo xtask actions` first", path.display());
    }
    std::fs::read(&path).with_context(|| path.display().to_string())
}
