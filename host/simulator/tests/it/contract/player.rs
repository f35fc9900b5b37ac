//! Plays recordings on the simulator.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::forms::{form, is_id};
use super::recordings::Replayed;
use crate::support::{Integration, PATIENCE, Setup, id_of};
use warroom_simulator::Options;

/// Just before the first post.
const RECORDED_SINCE: &str = "1795518157880";
const TEAM: &str = "skyadrqdrfbi8cfdxnpu1heb6a";
pub(crate) const BOT: &str = "wbb8h5beiif5br1e1dbn4n8y7r";
pub(crate) const ADMIN: &str = "xwa6i5qo63rxxdb6nb7aj5ucfa";
pub(crate) const ALERTS: &str = "ytjcgoyn4bfaprqt11e4tuo39w";
const OUTSIDER: &str = "bxngozr9cjdd8ehd39mkpra66y";
const NOT_JOINED: &str = "ri675noatb8rugxeggyoz58w5y";
const PRIVATE: &str = "wquaifgxdprybgjfmwsd7c7bno";

/// Plays a recording on the simulator: ids of the recording stand for ids of the simulator, learnt from its answers.
pub(crate) struct Player {
    pub(crate) setup: Setup,
    /// What the integration at the recorded address is here.
    integration: Integration,
    pub(crate) ids: BTreeMap<String, String>,
    pub(crate) tokens: BTreeMap<String, String>,
    /// Just before the first post, here.
    since: i64,
    /// File and name of the exchanges that were replayed.
    pub(crate) replayed: Replayed,
}

impl Player {
    pub(crate) async fn start() -> Player {
        let mut options = Options::default();
        // A slow machine may take its time between a command and the dialog.
        options.limits.trigger_valid = PATIENCE;
        let (setup, integration) = (Setup::with(options).await, Integration::start().await);
        let mut ids = BTreeMap::new();
        ids.insert(TEAM.to_owned(), setup.simulator.team_id().to_owned());
        for (recorded, name) in [
            (ADMIN, "sysadmin"),
            ("myjtof8k8jyujqcfjqotgiatne", "jon"),
            ("rtmtycwontgifdunt85a7hqw5e", "chris"),
        ] {
            ids.insert(recorded.to_owned(), setup.user_id(name).await);
        }
        for (recorded, name) in
            [("ufq688uofjr5fnk1kynjqqzztr", "town-square"), ("fpbkyq4dk7fj8ypf9z3q3h443c", "off-topic")]
        {
            ids.insert(recorded.to_owned(), setup.channel_id(name).await);
        }
        let mut tokens = BTreeMap::new();
        tokens.insert("admin".to_owned(), setup.simulator.admin_token().to_owned());
        tokens.insert("jon".to_owned(), setup.simulator.token_of("jon").unwrap().to_owned());
        tokens.insert("none".to_owned(), String::new());
        tokens.insert("other".to_owned(), "wrong".to_owned());
        let mut player = Player { setup, integration, ids, tokens, since: 0, replayed: Replayed::new() };
        player.furnish().await;
        player
    }

    /// What the recording found there already: three channels, and somebody who is not on the team.
    async fn furnish(&mut self) {
        for (recorded, name, kind) in
            [(ALERTS, "alerts", "O"), (NOT_JOINED, "elsewhere", "O"), (PRIVATE, "secret", "P")]
        {
            let new = json!({"team_id": self.setup.simulator.team_id(), "name": name, "display_name": name, "type": kind});
            let made = self.setup.must("POST", "/channels", &self.tokens["admin"], new).await;
            self.ids.insert(recorded.to_owned(), id_of(&made));
        }
        let outsider =
            self.setup.must("POST", "/bots", &self.tokens["admin"], json!({"username": "outsider"})).await;
        self.ids.insert(OUTSIDER.to_owned(), outsider["user_id"].as_str().unwrap().to_owned());
    }

    fn translate(&self, text: &str) -> String {
        let text = text.replace(RECORDED_SINCE, &self.since.to_string());
        let text = text.replace("http://127.0.0.1:8099", &self.integration.url);
        self.ids.iter().fold(text, |text, (recorded, ours)| text.replace(recorded, ours))
    }

    fn translate_body(&self, body: &Value) -> Value {
        let mut body: Value = serde_json::from_str(&self.translate(&body.to_string())).unwrap();
        if let Some((letter, count)) = body["message"].as_str().and_then(|text| text.split_once("…×")) {
            body["message"] = json!(letter.repeat(count.parse().unwrap()));
        }
        body
    }

    fn learn(&mut self, recorded: &Value, ours: &Value) {
        for key in ["id", "user_id"] {
            if let (Some(recorded), Some(ours)) = (recorded[key].as_str(), ours[key].as_str())
                && is_id(recorded)
                && is_id(ours)
            {
                self.ids.entry(recorded.to_owned()).or_insert_with(|| ours.to_owned());
            }
        }
    }

    pub(crate) async fn replay(&mut self, file: &str, exchange: &Value) {
        let (name, request, wanted) = (&exchange["name"], &exchange["request"], &exchange["response"]);
        let path = request["path"].as_str().unwrap();
        let path = if path == "/hooks/ID" {
            format!("/hooks/{}", self.ids["d7d7w6iuuf8mjknqyfecuuk7ue"])
        } else if path.starts_with("/hooks/commands/") {
            self.translate(path)
        } else {
            format!("/api/v4{}", self.translate(path))
        };
        let token = &self.tokens[request["auth"].as_str().unwrap()];
        let body = self.translate_body(&request["body"]);
        let got = self.setup.call(request["method"].as_str().unwrap(), &path, token, &body).await;
        assert_eq!(json!(got.status), wanted["status"], "{name}: {got:?}");
        assert_eq!(form(&got.body), form(&wanted["body"]), "{name}");
        assert_eq!(json!(got.kind), wanted["headers"]["content-type"], "{name}");
        if got.status >= 400 {
            assert_eq!(got.body["id"], wanted["body"]["id"], "{name}");
        }
        self.learn(&wanted["body"], &got.body);
        if name == "create" {
            self.since = got.body["create_at"].as_i64().unwrap() - 1;
        }
        if name == "create its access token" {
            self.tokens.insert("bot".to_owned(), got.body["token"].as_str().unwrap().to_owned());
        }
        self.replayed.insert((file.to_owned(), name.as_str().unwrap().to_owned()));
    }

    pub(crate) async fn replay_all(&mut self, file: &str, exchanges: &[Value]) {
        for exchange in exchanges {
            match exchange.get("callbacks") {
                Some(_) => self.replay_called(file, exchange).await,
                None => self.replay(file, exchange).await,
            }
        }
    }

    /// An exchange during which an integration is called.
    async fn replay_called(&mut self, file: &str, exchange: &Value) {
        let reply = &exchange["integration_reply"];
        let body = match &reply["body"] {
            Value::String(text) => text.clone(),
            body => body.to_string(),
        };
        self.integration.reply_with(u16::try_from(reply["status"].as_u64().unwrap()).unwrap(), &body);
        self.replay(file, exchange).await;
        self.check_calls(exchange);
    }

    /// Compares what the integration was called with, and learns what it may use later.
    pub(crate) fn check_calls(&mut self, exchange: &Value) {
        let name = &exchange["name"];
        let calls = self.integration.take_calls();
        let wanted = exchange["callbacks"].as_array().unwrap();
        assert_eq!(calls.len(), wanted.len(), "{name}");
        for (call, wanted) in calls.iter().zip(wanted) {
            let (got, wanted_body) = (&call.body, &wanted["body"]);
            assert_eq!(form(got), form(wanted_body), "{name}");
            for key in SAME_IN_CALLS {
                assert_eq!(got[key], wanted_body[key], "{name}: {key}");
            }
            for key in ["context", "submission"].into_iter().filter(|key| wanted_body.get(key).is_some()) {
                let wanted: Value =
                    serde_json::from_str(&self.translate(&wanted_body[key].to_string())).unwrap();
                assert_eq!(got[key], wanted, "{name}: {key}");
            }
            for header in ["user-agent", "accept", "content-type"] {
                assert_eq!(json!(call.headers[header].to_str().unwrap()), wanted["headers"][header]);
            }
            let authorization = call.headers.get("authorization").map(|value| value.to_str().unwrap());
            let token = wanted["headers"].get("authorization").map(|_| got["token"].as_str().unwrap());
            assert_eq!(authorization.map(str::to_owned), token.map(|token| format!("Token {token}")));
            let last = |url: &Value| url.as_str().map(|url| url.rsplit('/').next().unwrap().to_owned());
            for (recorded, ours) in [
                (last(&wanted_body["response_url"]), last(&got["response_url"])),
                (last(&wanted_body["trigger_id"]), last(&got["trigger_id"])),
            ] {
                if let (Some(recorded), Some(ours)) = (recorded, ours) {
                    self.ids.insert(recorded, ours);
                }
            }
        }
    }

    /// A click: the post is made first, with controls that call the integration.
    pub(crate) async fn click(&mut self, exchange: &Value, post: &Value) {
        let post = self.translate_body(post);
        let post = self.setup.must("POST", "/posts", &self.tokens["bot"], post).await;
        self.ids.insert(exchange["post_after"]["id"].as_str().unwrap().to_owned(), id_of(&post));
        self.replay_called("actions", exchange).await;
        let path = format!("/posts/{}", id_of(&post));
        let after = self.setup.must("GET", &path, &self.tokens["jon"], Value::Null).await;
        assert_eq!(form(&after), form(&exchange["post_after"]), "{}", exchange["name"]);
        assert_eq!(after["message"], exchange["post_after"]["message"]);
    }

    /// Jon is a member of Alerts from here on.
    pub(crate) async fn add_jon_to_alerts(&self) {
        let members = format!("/channels/{}/members", self.ids[ALERTS]);
        let jon = json!({"user_id": self.setup.user_id("jon").await});
        self.setup.must("POST", &members, &self.tokens["admin"], jon).await;
    }

    /// A file, which is recorded without its request; then the post that it hangs on.
    pub(crate) async fn upload(&mut self, exchange: &Value) {
        let (alerts, jon) = (self.ids[ALERTS].clone(), self.tokens["jon"].clone());
        let path = format!("/api/v4/files?channel_id={alerts}&filename=workflow.json");
        let got = self.setup.call("POST", &path, &jon, &json!("[]")).await;
        assert_eq!(json!(got.status), exchange["response"]["status"]);
        assert_eq!(form(&got.body), form(&exchange["response"]["body"]));
        let (recorded, ours) = (&exchange["response"]["body"]["file_infos"][0], &got.body["file_infos"][0]);
        for key in ["name", "extension", "size", "mime_type"] {
            assert_eq!(ours[key], recorded[key], "{key}");
        }
        self.ids.insert(id_of(recorded), id_of(ours));
        let post = json!({"channel_id": alerts, "message": "new workflows", "file_ids": [ours["id"]]});
        self.setup.must("POST", "/posts", &jon, post).await;
        self.replayed.insert(("files".to_owned(), exchange["name"].as_str().unwrap().to_owned()));
    }

    /// What the integration of an outgoing webhook hears of what somebody says.
    pub(crate) async fn say_outgoing(&mut self, exchange: &Value) {
        let text = exchange["callbacks"][0]["body"]["text"].as_str().unwrap();
        self.integration.reply_with(200, "{}");
        self.setup.post(&self.tokens["jon"], &self.ids[ALERTS], text).await;
        self.integration.called().await;
        self.check_calls(exchange);
        self.replayed.insert(("webhooks".to_owned(), exchange["name"].as_str().unwrap().to_owned()));
    }
}

/// What is the same in each call of an integration, whatever the ids; where it is missing, it is missing in both.
const SAME_IN_CALLS: [&str; 14] = [
    "callback_id",
    "cancelled",
    "command",
    "data_source",
    "file_ids",
    "state",
    "team_domain",
    "text",
    "trigger_word",
    "type",
    "user_name",
    "channel_name",
    "username",
    "response_type",
];
