//! Plays recordings on the simulator.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::forms::{form, is_id};
use super::recordings::{Replayed, is_left_out};
use crate::support::{Integration, Setup, id_of};

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
    pub(crate) ids: BTreeMap<String, String>,
    pub(crate) tokens: BTreeMap<String, String>,
    /// Just before the first post, here.
    since: i64,
    /// File and name of the exchanges that were replayed.
    pub(crate) replayed: Replayed,
}

impl Player {
    pub(crate) async fn start() -> Player {
        let setup = Setup::start().await;
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
        let mut player = Player { setup, ids, tokens, since: 0, replayed: Replayed::new() };
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

    /// Replays those exchanges of a file that are not left out.
    pub(crate) async fn replay_all(&mut self, file: &str, exchanges: &[Value]) {
        for exchange in exchanges.iter().filter(|exchange| !is_left_out(file, exchange)) {
            self.replay(file, exchange).await;
        }
    }

    /// A click: the post is made first, with controls that call `integration`.
    pub(crate) async fn click(&mut self, exchange: &Value, post: &Value, integration: &Integration) {
        let text = self.translate(&post.to_string()).replace("http://127.0.0.1:8099", &integration.url);
        let post = self
            .setup
            .must("POST", "/posts", &self.tokens["bot"], serde_json::from_str(&text).unwrap())
            .await;
        self.ids.insert(exchange["post_after"]["id"].as_str().unwrap().to_owned(), id_of(&post));
        let reply = &exchange["integration_reply"];
        let body = match &reply["body"] {
            Value::String(text) => text.clone(),
            body => body.to_string(),
        };
        integration.reply_with(u16::try_from(reply["status"].as_u64().unwrap()).unwrap(), &body);
        self.replay("actions", exchange).await;
        let calls = integration.take_calls();
        let wanted = exchange["callbacks"].as_array().unwrap();
        assert_eq!(calls.len(), wanted.len(), "{}", exchange["name"]);
        for (call, wanted) in calls.iter().zip(wanted) {
            assert_eq!(form(&call.body), form(&wanted["body"]), "{}", exchange["name"]);
            for key in ["type", "data_source", "user_name", "channel_name", "team_domain"] {
                assert_eq!(call.body[key], wanted["body"][key], "{}", exchange["name"]);
            }
            let context: Value =
                serde_json::from_str(&self.translate(&wanted["body"]["context"].to_string())).unwrap();
            assert_eq!(call.body["context"], context, "{}", exchange["name"]);
            for header in ["user-agent", "accept", "content-type"] {
                assert_eq!(json!(call.headers[header].to_str().unwrap()), wanted["headers"][header]);
            }
        }
        let after = self
            .setup
            .must("GET", &format!("/posts/{}", id_of(&post)), &self.tokens["jon"], Value::Null)
            .await;
        assert_eq!(form(&after), form(&exchange["post_after"]), "{}", exchange["name"]);
        assert_eq!(after["message"], exchange["post_after"]["message"]);
    }
}
