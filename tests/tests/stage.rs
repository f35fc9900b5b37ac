//! A stage for a test: a chat server, simulated or real, a service beside it, and people who act.

use crate::proxy::Proxy;
use anyhow::{Context as _, bail};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::time::{Duration, Instant};
use tempfile::TempDir;
use tokio::process::{Child, Command};
use warroom::{Config, Service};
use warroom_simulator::{Options, Simulator};

/// The user's own workflow.
pub(crate) const SECURITY_ISSUE: &str =
    include_str!("../../host/workflow/tests/fixtures/security_issue.json");

const PATIENCE: Duration = Duration::from_secs(30);

/// Where the tests find a real server, and its administrator's token; without both, each test starts a simulator.
const REAL: [&str; 2] = ["WARROOM_TEST_MATTERMOST_URL", "WARROOM_TEST_ADMIN_TOKEN"];

/// The people of every test. On a real server they stay from run to run.
const PEOPLE: [&str; 4] = ["jon", "chris", "alex", "sam"];

/// A chat server with a team of the test's own, people on it, a bot, and the host beside it.
pub(crate) struct Stage {
    /// Stands between the host and the server.
    pub(crate) proxy: Proxy,
    pub(crate) directory: TempDir,
    pub(crate) team: String,
    pub(crate) team_id: String,
    pub(crate) bot: String,
    pub(crate) bot_id: String,
    bot_token: String,
    tokens: BTreeMap<String, String>,
    server: String,
    admin_token: String,
    port: u16,
    http: reqwest::Client,
    /// None on a real server.
    simulator: Option<Simulator>,
}

/// A port for a service that is started later, and again after a stop. Not one that the system gives out: it would give the same one to
/// a connection of another test meanwhile. Tests that run in other processes begin to look elsewhere.
pub(crate) fn free_port() -> u16 {
    static TAKEN: AtomicU32 = AtomicU32::new(0);
    let begin = std::process::id().wrapping_mul(37);
    std::iter::repeat_with(|| 10_000 + (begin.wrapping_add(TAKEN.fetch_add(1, Ordering::Relaxed)) % 20_000))
        .take(20_000)
        .map(|port| u16::try_from(port).unwrap())
        .find(|port| std::net::TcpListener::bind(("127.0.0.1", *port)).is_ok())
        .expect("no port is free")
}

/// The URL of a real server that the tests shall use, and its administrator's token.
pub(crate) fn real_server() -> Option<(String, String)> {
    let [url, token] = REAL.map(|name| std::env::var(name).ok());
    Some((url?.trim_end_matches('/').to_owned(), token?))
}

impl Stage {
    pub(crate) async fn new() -> Stage {
        Stage::with_workflow(SECURITY_ISSUE).await
    }

    pub(crate) async fn with_workflow(workflow: &str) -> Stage {
        let mut simulator = None;
        let door = match real_server() {
            Some(door) => door,
            None => {
                let started = simulator.insert(Simulator::start(Options::default()).await.unwrap());
                (started.url().to_owned(), started.admin_token().to_owned())
            }
        };
        Stage { simulator, ..Stage::beside(door, workflow).await }
    }

    /// A stage on a server of which the URL and the administrator's token are known.
    pub(crate) async fn beside((server, admin_token): (String, String), workflow: &str) -> Stage {
        // The client of the tests needs it as much as the service; the first one to ask for it wins.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let directory = tempfile::tempdir().unwrap();
        std::fs::create_dir(directory.path().join("workflows")).unwrap();
        std::fs::create_dir(directory.path().join("actions")).unwrap();
        // A port of our own: hosts come and go in a test, and the buttons that are out there point to it.
        let port = free_port();
        let mut stage = Stage {
            proxy: Proxy::start(&server).await,
            directory,
            team: unique("team"),
            team_id: String::new(),
            bot: unique("warroom"),
            bot_id: String::new(),
            bot_token: String::new(),
            tokens: BTreeMap::new(),
            server,
            admin_token,
            port,
            http: reqwest::Client::new(),
            simulator: None,
        };
        stage.furnish().await;
        stage.write_workflow("workflow.json", workflow);
        stage.write_config("");
        stage
    }

    /// A stage on the simulator's own team, which its page shows; none on a real server, whose page is not ours to try.
    pub(crate) async fn on_page() -> Option<Stage> {
        let mut stage = Stage::new().await;
        let simulator = stage.simulator.as_ref()?;
        stage.team = Options::default().team;
        stage.team_id = simulator.team_id().to_owned();
        stage.bot_token = simulator.bot_token().to_owned();
        stage.write_config("");
        Some(stage)
    }

    /// Makes what the test needs on the server, as its administrator.
    async fn furnish(&mut self) {
        self.allow_bots_and_callbacks().await;
        let team = json!({ "name": self.team, "display_name": self.team, "type": "O" });
        self.team_id = id(&self.admin("POST", "/teams", Some(team)).await);
        for name in PEOPLE {
            let user_id = self.bring(name).await;
            let token = self.new_token(&user_id).await;
            self.tokens.insert(name.to_owned(), token);
        }
        let bot = json!({ "username": self.bot, "display_name": "Warroom" });
        let bot = self.admin("POST", "/bots", Some(bot)).await;
        self.bot_id = bot["user_id"].as_str().unwrap_or_else(|| panic!("{bot}")).to_owned();
        let bot_id = self.bot_id.clone();
        self.add_to_team(&bot_id).await;
        self.bot_token = self.new_token(&bot_id).await;
        let town = self.channel_id("town-square").await;
        let member = json!({ "user_id": bot_id });
        self.admin("POST", &format!("/channels/{town}/members"), Some(member)).await;
    }

    /// A server that nobody prepared lets nobody make bots or tokens, and calls nobody on this machine.
    async fn allow_bots_and_callbacks(&self) {
        let config = self.get("/config").await;
        let settings = &config["ServiceSettings"];
        let mut wanted = serde_json::Map::new();
        for switch in ["EnableBotAccountCreation", "EnableUserAccessTokens"] {
            if settings[switch] != true {
                wanted.insert(switch.to_owned(), json!(true));
            }
        }
        let key = "AllowedUntrustedInternalConnections";
        let allowed =
            settings[key].as_str().unwrap_or_else(|| panic!("the server's configuration: {config}"));
        let mut entries = allowed.split(|c: char| c.is_whitespace() || c == ',');
        if !entries.any(|entry| ["127.0.0.1", "127.0.0.0/8"].contains(&entry)) {
            wanted.insert(key.to_owned(), json!(format!("{allowed} 127.0.0.1").trim()));
        }
        // What is right already is left alone: other tests work with the server at the same time.
        if wanted.is_empty() {
            return;
        }
        let patch = json!({ "ServiceSettings": wanted });
        let patched = self.admin("PUT", "/config/patch", Some(patch)).await;
        for (key, value) in &wanted {
            let now = &patched["ServiceSettings"][key];
            assert_eq!(now, value, "{key} cannot be set over the API; does the server's environment set it?");
        }
    }

    /// One more team with jon and the bot on it: its handle and its id.
    pub(crate) async fn another_team(&self) -> (String, String) {
        let name = unique("other");
        let team = json!({ "name": name, "display_name": name, "type": "O" });
        let team_id = id(&self.admin("POST", "/teams", Some(team)).await);
        for user_id in [&self.bot_id, &self.person_id("jon").await] {
            self.put_on_team(&team_id, user_id).await;
        }
        (name, team_id)
    }

    /// Somebody's id.
    pub(crate) async fn person_id(&self, name: &str) -> String {
        id(&self.get(&format!("/users/username/{name}")).await)
    }

    /// Somebody on the server and on the team; gives the id.
    pub(crate) async fn bring(&self, name: &str) -> String {
        let found = self.admin("GET", &format!("/users/username/{name}"), None).await;
        // Errors have an id too.
        let user = if found["username"].is_string() { found } else { self.new_person(name).await };
        self.add_to_team(&id(&user)).await;
        id(&user)
    }

    pub(crate) async fn new_person(&self, name: &str) -> Value {
        let user = json!({ "username": name, "email": format!("{name}@example.com"), "password": "a long enough one 1A!" });
        let made = self.admin("POST", "/users", Some(user)).await;
        // Another test may have made the same person meanwhile.
        if made["id"].is_string() {
            made
        } else {
            self.admin("GET", &format!("/users/username/{name}"), None).await
        }
    }

    async fn add_to_team(&self, user_id: &str) {
        self.put_on_team(&self.team_id, user_id).await;
    }

    pub(crate) async fn put_on_team(&self, team_id: &str, user_id: &str) {
        let member = json!({ "team_id": team_id, "user_id": user_id });
        let added = self.admin("POST", &format!("/teams/{team_id}/members"), Some(member)).await;
        assert_eq!(added["user_id"], user_id, "{added}");
    }

    async fn new_token(&self, user_id: &str) -> String {
        let body = json!({ "description": "a test" });
        let made = self.admin("POST", &format!("/users/{user_id}/tokens"), Some(body)).await;
        made["token"].as_str().unwrap_or_else(|| panic!("{made}")).to_owned()
    }

    /// A call with the administrator's token; gives the answer.
    pub(crate) async fn admin(&self, method: &str, path: &str, body: Option<Value>) -> Value {
        self.call(method, path, &self.admin_token, body).await.1
    }

    /// The simulator, for what no real server lets a test do; none on a real one.
    pub(crate) fn simulator(&self) -> Option<&Simulator> {
        self.simulator.as_ref()
    }

    pub(crate) fn write_workflow(&self, name: &str, text: &str) {
        // Renamed into place: a reader never sees half a file.
        let partial = self.directory.path().join(name);
        std::fs::write(&partial, text).unwrap();
        std::fs::rename(partial, self.directory.path().join("workflows").join(name)).unwrap();
    }

    pub(crate) fn write_config(&self, more: &str) {
        self.write_config_for(self.proxy.url(), more);
    }

    /// A configuration with nothing between the host and its server.
    #[allow(dead_code, reason = "only for benchmarks")]
    pub(crate) fn write_direct_config(&self) {
        self.write_config_for(&self.server, "");
    }

    fn write_config_for(&self, url: &str, more: &str) {
        let port = self.port;
        let text = format!(
            "[mattermost]\nurl = \"{url}\"\ntoken_file = \"bot-token\"\n[http]\nlisten = \"127.0.0.1:{port}\"\n[actions]\ndir = \"actions\"\n\
             {more}\n[workflows]\ndir = \"workflows\"\npoll_ms = 100\n",
        );
        std::fs::write(self.config_path(), text).unwrap();
        self.write_token(&self.bot_token);
    }

    /// Writes the bot's token file.
    pub(crate) fn write_token(&self, token: &str) {
        std::fs::write(self.directory.path().join("bot-token"), token).unwrap();
    }

    pub(crate) fn server(&self) -> &str {
        &self.server
    }

    /// Where the host answers.
    #[allow(dead_code, reason = "only for benchmarks")]
    pub(crate) fn host_url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// Takes the bot's token from it.
    pub(crate) async fn revoke_bot_token(&self) {
        let tokens = self.get(&format!("/users/{}/tokens", self.bot_id)).await;
        match tokens.as_array().and_then(|tokens| tokens.first()) {
            Some(token) => {
                let body = json!({ "token_id": token["id"] });
                let gone = self.admin("POST", "/users/tokens/revoke", Some(body)).await;
                assert_eq!(gone["status"], "OK", "{gone}");
            }
            None => assert!(self.simulator().unwrap().revoke_token(&self.bot_token)),
        }
    }

    /// Gives the bot another token, in the file where the service looks.
    pub(crate) async fn renew_bot_token(&self) {
        self.write_token(&self.new_token(&self.bot_id).await);
    }

    pub(crate) fn admin_token(&self) -> &str {
        &self.admin_token
    }

    pub(crate) fn bot_token(&self) -> &str {
        &self.bot_token
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
        let service = self.start(environment).await.unwrap();
        service.ready().await.unwrap();
        service
    }

    /// The same, listening or not.
    pub(crate) async fn start(&self, environment: &[(&str, &str)]) -> anyhow::Result<Service> {
        let lookup = |name: &str| {
            let mut known = environment.iter();
            known.find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned())
        };
        let config = Config::read(&self.config_path(), &lookup).unwrap();
        Service::start(config).await
    }

    /// Starts the program as a process of its own, which ends with the value.
    pub(crate) fn process(&self) -> Child {
        let mut command = Command::new(env!("CARGO_BIN_EXE_warroom-under-test"));
        command.args(["serve", "--config"]).arg(self.config_path()).env("RUST_LOG", "warn");
        command.stdout(Stdio::null()).kill_on_drop(true).spawn().unwrap()
    }

    pub(crate) async fn call(
        &self,
        method: &str,
        path: &str,
        token: &str,
        body: Option<Value>,
    ) -> (u16, Value) {
        let url = format!("{}/api/v4{path}", self.server);
        let mut request = self.http.request(method.parse().unwrap(), url).bearer_auth(token);
        if let Some(body) = body {
            request = request.json(&body);
        }
        let answer = request.send().await.unwrap();
        (answer.status().as_u16(), answer.json().await.unwrap_or(Value::Null))
    }

    pub(crate) async fn get(&self, path: &str) -> Value {
        self.admin("GET", path, None).await
    }

    pub(crate) fn token(&self, name: &str) -> &str {
        &self.tokens[name]
    }

    /// A channel of the team, archived or not, once it is there.
    pub(crate) async fn channel(&self, handle: &str) -> Value {
        self.channel_of(&self.team, handle).await
    }

    /// The same, of a team by its handle.
    pub(crate) async fn channel_of(&self, team: &str, handle: &str) -> Value {
        let path = format!("/teams/name/{team}/channels/name/{handle}?include_deleted=true");
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
        let listed = self.get(&format!("/teams/{}/channels?per_page=200", self.team_id)).await;
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

    /// Reports a security issue; gives its room, and the post there that asks people.
    pub(crate) async fn triage(&self) -> (String, Value) {
        self.say("jon", "town-square", "#sec x").await;
        let room = self.channel_id("security-issue-1").await;
        let triage = self.post(&room, "New issue to triage", 1).await;
        (room, triage)
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

    /// Once no run is open.
    pub(crate) async fn at_rest(&self, service: &Service) {
        self.eventually("the end of the run", async || service.runner().open_runs().is_empty().then_some(()))
            .await;
    }

    /// Who is in the channel, by id.
    pub(crate) async fn members(&self, channel_id: &str) -> BTreeSet<String> {
        let members = self.get(&format!("/channels/{channel_id}/members?per_page=200")).await;
        let ids = members.as_array().unwrap().iter().map(|member| member["user_id"].as_str().unwrap());
        ids.map(str::to_owned).collect()
    }

    /// Makes a channel of the team as somebody; gives its id.
    pub(crate) async fn make_channel(
        &self,
        name: &str,
        handle: &str,
        display_name: &str,
        kind: &str,
    ) -> String {
        let body =
            json!({ "team_id": self.team_id, "name": handle, "display_name": display_name, "type": kind });
        let (status, made) = self.call("POST", "/channels", self.token(name), Some(body)).await;
        assert_eq!(status, 201, "{made}");
        id(&made)
    }

    pub(crate) async fn archive(&self, channel_id: &str) {
        let gone = self.admin("DELETE", &format!("/channels/{channel_id}"), None).await;
        assert_eq!(gone["status"], "OK", "{gone}");
    }

    pub(crate) async fn archived(&self, channel_id: &str) {
        self.eventually("the archived room", async || {
            let channel = self.get(&format!("/channels/{channel_id}")).await;
            channel["delete_at"].as_i64().filter(|at| *at > 0)
        })
        .await;
    }
}

/// A workflow `drill` whose step `Do` begins with these actions; `#drill` starts it.
pub(crate) fn drill(actions: &Value) -> String {
    json!([{
        "name": "drill",
        "start_limit": {"starts": 1000, "minutes": 1},
        "triggers": [{"name": "Said", "type": "text", "match": "#drill"}],
        "steps": [
            {"name": "Do", "start_actions": actions},
            {"name": "End", "start_actions": [{"name": "Bye", "type": "finished_workflow"}]},
        ],
    }])
    .to_string()
}

fn id(value: &Value) -> String {
    value["id"].as_str().unwrap_or_else(|| panic!("{value}")).to_owned()
}

/// A name that no other test has, nor had before on the same server.
pub(crate) fn unique(head: &str) -> String {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    format!("{head}{:x}{:x}{count:x}", since.as_micros(), std::process::id())
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
