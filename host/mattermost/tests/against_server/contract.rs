//! Every recorded answer to the bot is understood, and what the client sends is what was recorded.

use std::time::Duration;

use serde_json::{Map, Value, json};
use warroom_mattermost::{
    ActionRequest, ApiError, Attachment, Channel, ChannelKind, ChannelPatch, Client, ClientOptions,
    NewChannel, NewPost, Post, PostRange,
};

use crate::recordings::{Replay, load};

/// The ids in an answer, so that answers of all types compare.
type Ids = Vec<String>;

fn text(value: &Value, name: &str) -> String {
    value[name].as_str().unwrap_or_default().to_owned()
}

fn new_post(body: &Value) -> NewPost {
    NewPost {
        channel_id: text(body, "channel_id"),
        message: text(body, "message"),
        root_id: text(body, "root_id"),
        pending_post_id: text(body, "pending_post_id"),
        props: body["props"].as_object().cloned().unwrap_or_default(),
    }
}

fn new_channel(body: &Value) -> NewChannel {
    NewChannel {
        team_id: text(body, "team_id"),
        name: text(body, "name"),
        display_name: text(body, "display_name"),
        kind: if body["type"] == "P" { ChannelKind::Private } else { ChannelKind::Public },
        header: text(body, "header"),
        purpose: text(body, "purpose"),
    }
}

fn strings(body: &Value) -> Vec<String> {
    serde_json::from_value(body.clone()).unwrap()
}

fn ids<T>(found: Vec<T>, id: impl Fn(T) -> String) -> Ids {
    found.into_iter().map(id).collect()
}

/// Makes the call that was recorded; `None` when the client has none for it.
async fn perform(client: &Client, request: &Value) -> Option<Result<Ids, ApiError>> {
    let path = request["path"].as_str().unwrap().replace("%20", " ");
    let (path, query) = path.split_once('?').unwrap_or((&path, ""));
    let segments: Vec<&str> = path.split('/').skip(1).collect();
    let body = &request["body"];
    match (request["method"].as_str().unwrap(), segments.as_slice()) {
        ("GET", ["users", "me", "teams"]) => {
            Some(client.teams_of_me().await.map(|teams| ids(teams, |team| team.id)))
        }
        ("GET", ["users", "me"]) => Some(client.me().await.map(|user| vec![user.id])),
        ("GET", ["users", id]) => Some(client.user_by_id(id).await.map(|user| vec![user.id])),
        ("POST", ["users", "usernames"]) => {
            Some(client.users_by_usernames(&strings(body)).await.map(|users| ids(users, |user| user.id)))
        }
        ("POST", ["users", "ids"]) => {
            Some(client.users_by_ids(&strings(body)).await.map(|users| ids(users, |user| user.id)))
        }
        ("GET", ["teams", "name", name]) => Some(client.team_by_name(name).await.map(|team| vec![team.id])),
        ("GET", ["teams", id]) => Some(client.team_by_id(id).await.map(|team| vec![team.id])),
        ("GET", ["config", "client"]) => Some(client.client_config().await.map(|config| {
            assert_eq!(config.version, "5.37.0");
            Ids::new()
        })),
        ("GET", ["teams", team, "channels", "name", name]) => {
            let deleted = query.contains("include_deleted=true");
            Some(client.channel_by_name(team, name, deleted).await.map(|channel| vec![channel.id]))
        }
        (method, segments) => channels(client, method, segments, body).await,
    }
}

async fn channels(
    client: &Client,
    method: &str,
    segments: &[&str],
    body: &Value,
) -> Option<Result<Ids, ApiError>> {
    let one = |channel: Channel| vec![channel.id];
    match (method, segments) {
        ("POST", ["teams", team, "channels", "search"]) => Some(
            client
                .search_channels(team, &text(body, "term"))
                .await
                .map(|channels| ids(channels, |channel| channel.id)),
        ),
        // A channel without a type cannot be asked for.
        ("POST", ["channels"]) if body.get("type").is_some() => {
            Some(client.create_channel(&new_channel(body)).await.map(one))
        }
        ("GET", ["channels", id]) => Some(client.channel_by_id(id).await.map(one)),
        ("PUT", ["channels", id, "patch"]) => {
            let patch = ChannelPatch { header: Some(text(body, "header")), ..ChannelPatch::default() };
            Some(client.patch_channel(id, &patch).await.map(one))
        }
        ("DELETE", ["channels", id]) => Some(client.archive_channel(id).await.map(|()| Ids::new())),
        ("POST", ["channels", id, "members"]) => {
            Some(client.add_member(id, &text(body, "user_id")).await.map(|member| {
                assert_eq!(member.user_id, text(body, "user_id"));
                Ids::new()
            }))
        }
        (method, segments) => posts(client, method, segments, body).await,
    }
}

async fn posts(
    client: &Client,
    method: &str,
    segments: &[&str],
    body: &Value,
) -> Option<Result<Ids, ApiError>> {
    let one = |post: Post| vec![post.id];
    match (method, segments) {
        ("POST", ["posts"]) if body.is_object() => Some(client.create_post(&new_post(body)).await.map(one)),
        ("PUT", ["posts", id, "patch"]) => {
            Some(client.patch_post(id, body["message"].as_str(), None).await.map(one))
        }
        ("GET", ["posts", id]) => Some(client.post_by_id(id).await.map(one)),
        ("POST", ["posts", id, "pin"]) => Some(client.pin_post(id).await.map(|()| Ids::new())),
        ("GET", ["channels", id, "posts"]) => Some(
            client
                .posts_of_channel(id, &PostRange::Newest, 0, 60)
                .await
                .map(|posts| ids(posts, |post| post.id)),
        ),
        _ => None,
    }
}

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
            assert!(status < 300, "{name}: an error was taken as a success");
            assert_eq!(ids, recorded_ids(&response["body"]), "{name}");
        }
        Err(error) => {
            assert_eq!(error.status().map(u64::from), Some(status), "{name}: {error}");
            assert_eq!(error.id(), response["body"]["id"], "{name}");
            assert!(!error.is_temporary(), "{name} would be tried again");
        }
    }
    let asked = replay.asked();
    assert_eq!(asked.authorization, "Bearer BOT_TOKEN", "{name}");
    assert_eq!(asked.method, request["method"], "{name}");
    let path = request["path"].as_str().unwrap();
    if path.contains("posts?") {
        // Which page is asked for is the caller's choice.
        assert_eq!(asked.path.split('?').next(), path.split('?').next(), "{name}");
    } else {
        assert_eq!(asked.path, path, "{name}");
    }
    assert_eq!(asked.body, request["body"], "{name}");
    true
}

#[tokio::test]
async fn every_recorded_call_of_the_bot_is_made_and_understood() {
    let replay = Replay::start().await;
    let files = ["posts", "channels", "teams", "users", "members", "archive", "bots", "system", "actions"];
    let mut checked = Vec::new();
    for exchange in files.into_iter().flat_map(load) {
        // Once a token was refused, a client sends nothing more.
        if check(&replay, &replay.client(), &exchange).await {
            checked.push(exchange["name"].clone());
        }
    }
    // What is left are calls of people and administrators, and those that the client has no use for.
    assert!(checked.len() >= 60, "{}: {checked:?}", checked.len());
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
