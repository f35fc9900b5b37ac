//! Every recorded answer is understood, and what the client sends is what was recorded.

use std::collections::BTreeSet;
use std::time::Duration;

use serde_json::{Map, Value, json};
use warroom_mattermost::{ActionRequest, Attachment, Client, ClientOptions, Post, PostRange};

use crate::contract_calls::{Ids, perform, strings, text};
use crate::recordings::{Replay, load};

/// The ids that the recorded answer holds, in its order.
fn recorded_ids(body: &Value) -> Ids {
    match body {
        Value::Array(items) => items.iter().map(|item| text(item, "id")).collect(),
        Value::Object(fields) if fields.contains_key("order") => strings(&body["order"]),
        Value::Object(fields) if fields.contains_key("id") => vec![text(body, "id")],
        _ => Ids::new(),
    }
}

async fn check(replay: &Replay, client: &Client, exchange: &Value) -> bool {
    let name = exchange["name"].as_str().unwrap();
    let (request, response) = (&exchange["request"], &exchange["response"]);
    replay.set(response);
    let Some(result) = perform(client, request).await else { return false };
    let status = response["status"].as_u64().unwrap();
    match result {
        Ok(ids) => {
            // A server that lacks the licence for groups has none, which is no error.
            assert!(status < 300 || status == 501, "{name}: an error was taken as a success");
            let expected = if status == 501 { Ids::new() } else { recorded_ids(&response["body"]) };
            assert_eq!(ids, expected, "{name}");
        }
        Err(error) => {
            assert_eq!(error.status().map(u64::from), Some(status), "{name}: {error}");
            assert_eq!(error.id(), response["body"]["id"], "{name}");
            assert_eq!(error.is_temporary(), status == 500, "{name}: tried again or not");
        }
    }
    let asked = replay.asked();
    assert_eq!(asked.authorization, "Bearer BOT_TOKEN", "{name}");
    assert_eq!(asked.method, request["method"], "{name}");
    assert!(asks_for(&asked.path, request["path"].as_str().unwrap()), "{name}: {}", asked.path);
    assert_eq!(asked.body, request["body"], "{name}");
    true
}

/// Whether the same is asked for, in any order, and perhaps with the number of the page.
fn asks_for(path: &str, recorded: &str) -> bool {
    let split = |path: &str| {
        let (path, query) = path.split_once('?').unwrap_or((path, ""));
        let query: BTreeSet<String> = query.split('&').map(str::to_owned).collect();
        (path.to_owned(), query)
    };
    let ((path, mut query), (recorded_path, recorded_query)) = (split(path), split(recorded));
    for default in ["page=0", "per_page=200"] {
        if !recorded_query.contains(default) {
            query.remove(default);
        }
    }
    (path, query) == (recorded_path, recorded_query)
}

/// What the client does not call, and why. Each exchange is named, so that none that is recorded later goes unnoticed.
const UNUSED: &[(&str, &[&str], &str)] = &[
    ("channels", &["create: no type"], "`NewChannel` always has one"),
    ("channels", &["get by team name and channel name"], "the team's id is known by then"),
    ("members", &["list members"], "only whether one person is a member matters"),
    ("posts", &["bad json"], "what the client sends is JSON"),
    ("posts", &["ephemeral"], "a bot may not; such texts go into the answer to a press or command"),
    ("posts", &["reaction"], "nothing reacts with an emoji"),
    ("archive", &["unarchive as bot", "unarchive as admin"], "people do it"),
    ("users", &["group by name (no licence)"], "no such address; the search finds groups by name"),
    (
        "webhooks",
        &[
            "create incoming webhook",
            "post through it",
            "post through it, attachment only",
            "create outgoing webhook",
            "outgoing webhook callback",
        ],
        "monitoring systems post through them, and the event stream replaces outgoing ones",
    ),
    (
        "commands",
        &[
            "create slash command",
            "create slash command again",
            "create slash command as bot",
            "list custom commands",
            "run: ephemeral",
            "run: in channel, with words",
            "run: reply 500",
            "run: reply not json",
            "delayed reply to response_url",
        ],
        "administrators make commands, people run them",
    ),
    (
        "dialogs",
        &["open", "open with bad trigger", "submit", "submit, field errors", "cancel"],
        "a workflow does not fit into a dialog",
    ),
    ("files", &["upload", "info", "content"], "posts carry no files"),
];

/// Recordings of something else than calls, and how many each file has; the tests of rates and streams play them.
const PLAYED_ELSEWHERE: &[(&str, usize)] =
    &[("ratelimit", 1), ("reconnect", 5), ("websocket_connect", 2), ("websocket_events", 1)];

/// The names of the files of recordings.
fn recorded_files() -> Vec<String> {
    let directory = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/recordings");
    let names =
        std::fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut names: Vec<String> = names.map(|name| name.strip_suffix(".json").unwrap().to_owned()).collect();
    names.sort();
    names
}

#[tokio::test]
async fn every_recorded_call_is_made_and_understood_or_named_as_unused() {
    let replay = Replay::start().await;
    let (mut checked, mut unused) = (0, BTreeSet::new());
    for file in recorded_files() {
        if let Some((_, played)) = PLAYED_ELSEWHERE.iter().find(|(elsewhere, _)| *elsewhere == file) {
            assert_eq!(load(&file).len(), *played, "{file}");
            continue;
        }
        for exchange in load(&file) {
            // Once a token was refused, a client sends nothing more.
            if exchange.get("request").is_some() && check(&replay, &replay.client(), &exchange).await {
                checked += 1;
            } else {
                unused.insert((file.clone(), text(&exchange, "name")));
            }
        }
    }
    let named: BTreeSet<(String, String)> = UNUSED
        .iter()
        .flat_map(|(file, names, _)| names.iter().map(|name| ((*file).to_owned(), (*name).to_owned())))
        .collect();
    assert_eq!(unused, named, "what is recorded and not used, and what is named as unused");
    assert!(checked >= 83, "{checked}");
}

#[tokio::test]
async fn a_server_that_limits_is_understood() {
    let replay = Replay::start().await;
    let options = ClientOptions { hold_max: Duration::ZERO, ..replay.options() };
    let client = Client::new(options).unwrap();
    let me = load("bots").into_iter().find(|exchange| exchange["name"] == "who am I").unwrap();
    let mut limited = 0;
    for row in load("ratelimit")[0]["rows"].as_array().unwrap() {
        let mut row = row.clone();
        if row["status"] == 200 {
            row["body"] = me["response"]["body"].clone();
        }
        replay.set(&row);
        match client.me().await {
            Ok(user) => assert_eq!(user.username, "incident-bot"),
            Err(error) => {
                limited += 1;
                assert_eq!(error.retry_after(), Some(Duration::from_secs(1)));
                assert!(error.is_temporary() && !error.may_have_been_executed());
            }
        }
    }
    assert_eq!(limited, 6);
}

#[tokio::test]
async fn what_the_server_does_not_say_is_empty() {
    let replay = Replay::start().await;
    let client = replay.client();
    replay.set(
        &json!({"status": 200, "headers": {}, "body": {"id": "p", "props": null, "new_in_server_99": {}}}),
    );
    let expected = Post { id: "p".into(), ..Post::default() };
    assert_eq!(client.post_by_id("p").await.unwrap(), expected);
    replay.set(&json!({"status": 200, "headers": {}, "body": {"order": null, "posts": null}}));
    assert!(client.posts_of_channel("c", &PostRange::Newest, 0, 9).await.unwrap().is_empty());
}

#[tokio::test]
async fn ranges_and_pages_are_asked_for() {
    let replay = Replay::start().await;
    let client = replay.client();
    let cases = [
        (PostRange::Newest, "page=2&per_page=200"),
        (PostRange::After("p1".into()), "page=2&per_page=200&after=p1"),
        (PostRange::Before("p1".into()), "page=2&per_page=200&before=p1"),
        (PostRange::Since(7), "since=7"),
    ];
    for (range, query) in cases {
        replay.set(&json!({"status": 200, "headers": {}, "body": {}}));
        client.posts_of_channel("c", &range, 2, 1000).await.unwrap();
        assert_eq!(replay.asked().path, format!("/channels/c/posts?{query}"));
    }
}

#[tokio::test]
async fn a_patch_sends_only_what_changes() {
    let replay = Replay::start().await;
    let client = replay.client();
    replay.set(&json!({"status": 200, "headers": {}, "body": {}}));
    client.patch_post("p", None, Some(&Map::new())).await.unwrap();
    assert_eq!(replay.asked().body, json!({"props": {}}));
    client.unpin_post("p").await.unwrap();
    assert_eq!(replay.asked().path, "/posts/p/unpin");
    client.channel_member("c", "u").await.unwrap();
    assert_eq!(replay.asked().path, "/channels/c/members/u");
}

#[test]
fn recorded_callbacks_are_understood() {
    let callbacks: Vec<Value> = load("actions")
        .iter()
        .filter_map(|exchange| exchange["callbacks"].as_array())
        .flatten()
        .map(|callback| callback["body"].clone())
        .collect();
    assert!(callbacks.len() >= 8);
    for callback in &callbacks {
        let request: ActionRequest = serde_json::from_value(callback.clone()).unwrap();
        assert_eq!(request.user_name, "jon");
        assert_eq!(request.post_id, callback["post_id"]);
        assert_eq!(request.kind, callback["type"]);
        assert_eq!(Value::Object(request.context.clone()), callback["context"]);
        assert_eq!(request.selected_option().is_some(), request.kind == "select");
    }
}

#[test]
fn recorded_attachments_are_written_as_they_were_sent() {
    let exchanges = load("actions");
    let sent = &exchanges[0]["request"]["body"]["props"];
    let attachments: Vec<Attachment> = serde_json::from_value(sent["attachments"].clone()).unwrap();
    let controls: usize = attachments.iter().map(|attachment| attachment.actions.len()).sum();
    assert!(controls >= 2);
    // Menus of people are not ours, all else comes out as it was.
    let mut expected = sent.clone();
    for attachment in expected["attachments"].as_array_mut().unwrap() {
        for action in attachment["actions"].as_array_mut().unwrap() {
            action.as_object_mut().unwrap().remove("data_source");
        }
    }
    assert_eq!(Value::Object(Attachment::props(&attachments)), expected);
}
