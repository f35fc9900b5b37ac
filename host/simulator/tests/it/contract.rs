//! Replays what a real server did: in the same situation the simulator must give the same status, the same error id and
//! the same keys with the same JSON types, over REST, in callbacks and in events.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use crate::support::{Integration, Listener, Setup, id_of, says};

/// Just before the first post.
const RECORDED_SINCE: &str = "1795518157880";
const TEAM: &str = "skyadrqdrfbi8cfdxnpu1heb6a";
const BOT: &str = "wbb8h5beiif5br1e1dbn4n8y7r";
const ADMIN: &str = "xwa6i5qo63rxxdb6nb7aj5ucfa";
const ALERTS: &str = "ytjcgoyn4bfaprqt11e4tuo39w";
const OUTSIDER: &str = "bxngozr9cjdd8ehd39mkpra66y";
const NOT_JOINED: &str = "ri675noatb8rugxeggyoz58w5y";
const PRIVATE: &str = "wquaifgxdprybgjfmwsd7c7bno";

fn recording(name: &str) -> Vec<Value> {
    let path = format!("{}/tests/recordings/{name}.json", env!("CARGO_MANIFEST_DIR"));
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

/// The form of a value: keys and types without the values. Lists and maps by id are the set of forms they hold.
fn form(value: &Value) -> String {
    match value {
        Value::Null => "null".to_owned(),
        Value::Bool(_) => "bool".to_owned(),
        Value::Number(_) => "number".to_owned(),
        Value::String(_) => "string".to_owned(),
        Value::Array(list) => format!("[{}]", set(list.iter())),
        Value::Object(fields) if !fields.is_empty() && fields.keys().all(|key| is_id(key)) => {
            format!("{{ID: {}}}", set(fields.values()))
        }
        Value::Object(fields) => {
            let fields = fields.iter().filter(|(key, _)| *key != "request_id");
            let sorted: BTreeMap<&String, String> = fields.map(|(key, value)| (key, form(value))).collect();
            format!("{sorted:?}").replace('\\', "")
        }
    }
}

fn set<'a>(values: impl Iterator<Item = &'a Value>) -> String {
    values.map(form).collect::<BTreeSet<String>>().into_iter().collect::<Vec<_>>().join(" | ")
}

fn is_id(text: &str) -> bool {
    text.len() == 26 && text.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit())
}

/// An event's form; what it holds as JSON in a string is opened.
fn event_form(frame: &Value) -> String {
    let mut frame = frame.clone();
    for key in ["post", "channel", "reaction", "mentions"] {
        if let Some(inner) = frame["data"].get(key).and_then(Value::as_str) {
            frame["data"][key] = serde_json::from_str(inner).unwrap();
        }
    }
    format!("{} {}", frame["event"].as_str().unwrap_or("reply"), form(&frame))
}

/// Plays a recording on the simulator: ids of the recording stand for ids of the simulator, learnt from its answers.
struct Player {
    setup: Setup,
    ids: BTreeMap<String, String>,
    tokens: BTreeMap<String, String>,
    /// Just before the first post, here.
    since: i64,
    replayed: usize,
}

impl Player {
    async fn start() -> Player {
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
        let mut player = Player { setup, ids, tokens, since: 0, replayed: 0 };
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

    async fn replay(&mut self, exchange: &Value) {
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
        self.replayed += 1;
    }

    async fn replay_all(&mut self, exchanges: &[Value]) {
        for exchange in exchanges {
            self.replay(exchange).await;
        }
    }

    /// A click: the post is made first, with controls that call `integration`.
    async fn click(&mut self, exchange: &Value, post: &Value, integration: &Integration) {
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
        self.replay(exchange).await;
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

#[tokio::test]
async fn answers_as_the_recorded_server_did() {
    let mut player = Player::start().await;
    let (teams, channels) = (recording("teams"), recording("channels"));
    player.replay_all(&recording("system")).await;
    player.replay_all(&recording("bots")).await;
    player.replay(&teams[0]).await;
    player.replay(&channels[0]).await;
    player.replay_all(&teams[1..]).await;
    let mut listener = Listener::connect(&player.setup, &player.tokens["bot"].clone(), "").await;
    // The bot was a member of Alerts, and had a direct channel with the administrator.
    let alerts = format!("/channels/{}/members", player.ids[ALERTS]);
    let bot = player.ids[BOT].clone();
    player.setup.must("POST", &alerts, &player.tokens["admin"], json!({"user_id": bot})).await;
    let pair = json!([bot, player.ids[ADMIN]]);
    player.setup.must("POST", "/channels/direct", &player.tokens["bot"], pair).await;
    player.replay_all(&channels[1..]).await;
    player.replay_all(&recording("users")).await;
    player.replay_all(&recording("members")).await;
    let posts = recording("posts");
    player
        .replay_all(posts.iter().filter(|e| e["name"] != "reaction").cloned().collect::<Vec<_>>().as_slice())
        .await;
    let actions = recording("actions");
    player.replay_all(&actions[..2]).await;
    let integration = Integration::start().await;
    for click in &actions[2..] {
        player.click(click, &actions[0]["request"]["body"], &integration).await;
    }
    player.replay_all(&recording("webhooks")[..3]).await;
    player.replay_all(&recording("archive")).await;
    let files = [
        "system", "bots", "teams", "channels", "users", "members", "posts", "actions", "webhooks", "archive",
    ];
    let recorded: usize = files.iter().map(|file| recording(file).len()).sum();
    // Without one reaction and the two exchanges about outgoing webhooks, which the simulator has not.
    assert_eq!(player.replayed, recorded - 3);
    check_events(&mut listener, &player).await;
}

/// Every event that the bot got has a form that the recorded bot got for this kind of event.
async fn check_events(listener: &mut Listener, player: &Player) {
    let square = player.setup.channel_id("town-square").await;
    player.setup.post(&player.tokens["jon"], &square, "the end").await;
    let frames = listener.until(|frame| says(frame, "the end")).await;
    let recorded = &recording("websocket_events")[0]["events"];
    let known: BTreeSet<String> = recorded.as_array().unwrap().iter().map(event_form).collect();
    let mut names = BTreeSet::new();
    for (index, frame) in frames.iter().enumerate() {
        assert_eq!(frame["seq"], json!(index), "no number is left out");
        assert!(known.contains(&event_form(frame)), "not recorded: {frame:#}");
        names.insert(frame["event"].as_str().unwrap());
    }
    for name in [
        "hello",
        "status_change",
        "posted",
        "channel_created",
        "channel_updated",
        "user_added",
        "post_edited",
        "direct_added",
        "channel_deleted",
        "channel_restored",
    ] {
        assert!(names.contains(name), "{name} did not come");
    }
}

#[tokio::test]
async fn socket_requests_are_answered_as_the_recorded_server_did() {
    let setup = Setup::start().await;
    let wanted = &recording("websocket_connect")[1]["frames"];
    let mut listener = Listener::connect(&setup, setup.simulator.bot_token(), "").await;
    let mut frames = vec![listener.frame().await.unwrap()];
    listener.until(|frame| frame["event"] == "status_change").await;
    for (seq, action) in [(1, "ping"), (2, "user_typing"), (3, "nonsense")] {
        listener.say(json!({"seq": seq, "action": action, "data": {}})).await;
        frames.push(listener.frame().await.unwrap());
    }
    for (frame, wanted) in frames.iter().zip(wanted.as_array().unwrap()) {
        assert_eq!(form(frame), form(wanted));
        assert_eq!(frame["error"]["id"], wanted["error"]["id"]);
        assert_eq!(frame["seq_reply"], wanted["seq_reply"]);
    }
    assert_eq!(frames.len(), 4);

    let mut stranger = Listener::connect(&setup, "", "").await;
    stranger.say(json!({"seq": 1, "action": "authentication_challenge", "data": {"token": "wrong"}})).await;
    assert_eq!(stranger.frame().await, None, "a wrong token ends the stream without a word");
}
