//! Makes the calls that were recorded.

use serde_json::Value;
use warroom_mattermost::{
    ApiError, Channel, ChannelKind, ChannelPatch, Client, NewChannel, NewPost, Post, PostRange, Token,
};

/// The ids in an answer, so that answers of all types compare.
pub(crate) type Ids = Vec<String>;

pub(crate) fn text(value: &Value, name: &str) -> String {
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

pub(crate) fn strings(body: &Value) -> Vec<String> {
    serde_json::from_value(body.clone()).unwrap()
}

fn ids<T>(found: Vec<T>, id: impl Fn(T) -> String) -> Ids {
    found.into_iter().map(id).collect()
}

/// What became of a call; `None` when the client has none for what was recorded.
type Performed = Option<Result<Ids, ApiError>>;

/// Makes the call that was recorded.
pub(crate) async fn perform(client: &Client, request: &Value) -> Performed {
    let path = request["path"].as_str().unwrap().replace("%20", " ");
    let (path, query) = path.split_once('?').unwrap_or((&path, ""));
    let segments: Vec<&str> = path.split('/').skip(1).collect();
    let body = &request["body"];
    match (request["method"].as_str().unwrap(), segments.as_slice()) {
        ("GET", ["config", "client"]) => Some(client.client_config().await.map(|config| {
            assert_eq!(config.version, "5.37.0");
            Ids::new()
        })),
        ("GET", ["system", "ping"]) => Some(client.server_ping().await.map(|ping| {
            assert_eq!(ping.status, "OK");
            // Of the server that plays the recording.
            assert!(ping.time_ms.is_some_and(|time| time % 1000 == 0));
            Ids::new()
        })),
        ("GET", ["groups"]) => Some(client.groups(value_of(query, "q").unwrap()).await.map(|groups| {
            assert_eq!(groups, None);
            Ids::new()
        })),
        (method, segments) => users(client, method, segments, query, body).await,
    }
}

/// A value of a query.
fn value_of<'a>(query: &'a str, name: &str) -> Option<&'a str> {
    query.split('&').find_map(|pair| pair.strip_prefix(name)?.strip_prefix('='))
}

fn number_of(query: &str, name: &str) -> Option<u32> {
    value_of(query, name).map(|number| number.parse().unwrap())
}

async fn users(client: &Client, method: &str, segments: &[&str], query: &str, body: &Value) -> Performed {
    match (method, segments) {
        ("GET", ["users", "me", "teams", team, "channels"]) => {
            Some(client.channels_of_me(team).await.map(|channels| ids(channels, |channel| channel.id)))
        }
        ("GET", ["users", "me", "teams"]) => {
            Some(client.teams_of_me().await.map(|teams| ids(teams, |team| team.id)))
        }
        ("GET", ["users", "me"]) => Some(client.me().await.map(|user| vec![user.id])),
        ("GET", ["users", "username", name]) => {
            Some(client.user_by_username(name).await.map(|user| vec![user.id]))
        }
        ("GET", ["users", id]) => Some(client.user_by_id(id).await.map(|user| vec![user.id])),
        ("POST", ["users", "usernames"]) => {
            Some(client.users_by_usernames(&strings(body)).await.map(|users| ids(users, |user| user.id)))
        }
        ("POST", ["users", "ids"]) => {
            Some(client.users_by_ids(&strings(body)).await.map(|users| ids(users, |user| user.id)))
        }
        ("POST", ["users", id, "tokens"]) => {
            Some(client.create_token(id, &text(body, "description")).await.map(|made| {
                assert_eq!(made.token, Token::new("BOT_TOKEN"));
                vec![made.id]
            }))
        }
        ("POST", ["bots"]) => {
            let [name, display_name, about] =
                ["username", "display_name", "description"].map(|name| text(body, name));
            Some(client.create_bot(&name, &display_name, &about).await.map(|bot| {
                assert_eq!((bot.username, bot.display_name, bot.description), (name, display_name, about));
                assert!(!bot.user_id.is_empty() && !bot.owner_id.is_empty() && bot.delete_at == 0);
                Ids::new()
            }))
        }
        (method, segments) => teams(client, method, segments, query, body).await,
    }
}

async fn teams(client: &Client, method: &str, segments: &[&str], query: &str, body: &Value) -> Performed {
    match (method, segments) {
        ("GET", ["teams", "name", name]) => Some(client.team_by_name(name).await.map(|team| vec![team.id])),
        ("GET", ["teams", id]) => Some(client.team_by_id(id).await.map(|team| vec![team.id])),
        ("POST", ["teams", team, "members"]) => {
            let user = text(body, "user_id");
            Some(client.add_team_member(team, &user).await.map(|member| {
                assert_eq!((member.team_id.as_str(), member.user_id), (*team, user));
                assert!(member.roles == "team_user" && member.delete_at == 0);
                Ids::new()
            }))
        }
        ("GET", ["teams", team, "channels", "name", name]) => {
            let deleted = query.contains("include_deleted=true");
            Some(client.channel_by_name(team, name, deleted).await.map(|channel| vec![channel.id]))
        }
        ("GET", ["teams", team, "channels"]) => {
            let [page, per_page] = ["page", "per_page"].map(|name| number_of(query, name).unwrap());
            let listed = client.public_channels(team, page, per_page).await;
            Some(listed.map(|channels| ids(channels, |channel| channel.id)))
        }
        (method, segments) => channels(client, method, segments, query, body).await,
    }
}

async fn channels(client: &Client, method: &str, segments: &[&str], query: &str, body: &Value) -> Performed {
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
        ("POST", ["channels", "direct"]) => {
            let pair = strings(body);
            Some(client.direct_channel(&pair[0], &pair[1]).await.map(|channel| {
                assert_eq!(channel.kind, ChannelKind::Direct);
                one(channel)
            }))
        }
        ("DELETE", ["channels", id]) => Some(client.archive_channel(id).await.map(|()| Ids::new())),
        ("POST", ["channels", id, "members"]) => {
            Some(client.add_member(id, &text(body, "user_id")).await.map(|member| {
                assert_eq!(member.user_id, text(body, "user_id"));
                Ids::new()
            }))
        }
        (method, segments) => posts(client, method, segments, query, body).await,
    }
}

async fn posts(client: &Client, method: &str, segments: &[&str], query: &str, body: &Value) -> Performed {
    let one = |post: Post| vec![post.id];
    match (method, segments) {
        ("POST", ["posts"]) if body.is_object() => Some(client.create_post(&new_post(body)).await.map(one)),
        ("PUT", ["posts", id, "patch"]) => {
            Some(client.patch_post(id, body["message"].as_str(), None).await.map(one))
        }
        ("GET", ["posts", id]) => Some(client.post_by_id(id).await.map(one)),
        ("POST", ["posts", id, "pin"]) => Some(client.pin_post(id).await.map(|()| Ids::new())),
        ("POST", ["posts", id, "actions", action]) => {
            Some(client.press(id, action, body["selected_option"].as_str()).await.map(|()| Ids::new()))
        }
        ("GET", ["channels", id, "posts"]) => {
            let range = match (value_of(query, "since"), value_of(query, "after")) {
                (Some(time_ms), _) => PostRange::Since(time_ms.parse().unwrap()),
                (None, Some(post_id)) => PostRange::After(post_id.to_owned()),
                (None, None) => PostRange::Newest,
            };
            let per_page = number_of(query, "per_page").unwrap_or(60);
            let read = client.posts_of_channel(id, &range, 0, per_page).await;
            Some(read.map(|posts| ids(posts, |post| post.id)))
        }
        _ => None,
    }
}
