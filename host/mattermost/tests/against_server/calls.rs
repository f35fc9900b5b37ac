//! Calls that were not recorded, as the API's documentation has them.

use serde_json::{Value, json};
use warroom_mattermost::{ApiErrorKind, Client, ClientOptions};

use crate::recordings::{Replay, load};

/// Lets the server answer 200 with this.
fn answer(replay: &Replay, body: Value) {
    replay.set(&json!({"status": 200, "headers": {}, "body": body}));
}

/// What was asked last.
fn asked(replay: &Replay) -> (String, Value) {
    let asked = replay.asked();
    (format!("{} {}", asked.method, asked.path), asked.body)
}

fn refuse(replay: &Replay, status: u16, id: &str) {
    let body = json!({"id": id, "message": "m", "status_code": status});
    replay.set(&json!({"status": status, "headers": {}, "body": body}));
}

#[tokio::test]
async fn posts_and_members_go_away() {
    let replay = Replay::start().await;
    let client = replay.client();
    answer(&replay, json!({"status": "OK"}));
    client.delete_post("p").await.unwrap();
    assert_eq!(asked(&replay), ("DELETE /posts/p".into(), Value::Null));
    client.remove_member("c", "u").await.unwrap();
    assert_eq!(asked(&replay), ("DELETE /channels/c/members/u".into(), Value::Null));
}

#[tokio::test]
async fn a_team_remembers_who_was_a_member() {
    let replay = Replay::start().await;
    answer(&replay, json!({"team_id": "t", "user_id": "u", "roles": "team_user", "delete_at": 5}));
    let member = replay.client().team_member("t", "u").await.unwrap();
    assert_eq!((member.team_id.as_str(), member.user_id.as_str(), member.delete_at), ("t", "u", 5));
    assert_eq!(asked(&replay).0, "GET /teams/t/members/u");
}

#[tokio::test]
async fn groups_of_a_licensed_server_are_listed() {
    let replay = Replay::start().await;
    let client = replay.client();
    let group = json!({"id": "g", "name": "oncall", "display_name": "On call", "member_count": 2});
    let nameless = json!({"id": "h", "name": null});
    for body in [json!([group, nameless]), json!({"groups": [group, nameless], "total_group_count": 2})] {
        answer(&replay, body);
        let groups = client.groups("on call").await.unwrap().unwrap();
        let names: Vec<_> = groups.iter().map(|group| (group.id.as_str(), group.name.as_str())).collect();
        assert_eq!(names, [("g", "oncall"), ("h", "")]);
    }
    assert_eq!(asked(&replay).0, "GET /groups?q=on+call&filter_allow_reference=true&per_page=200");

    answer(&replay, json!({"members": [{"id": "u1"}, {"id": "u2"}], "total_member_count": 2}));
    let members = client.group_members("g", 1, 1000).await.unwrap().unwrap();
    assert_eq!(members.iter().map(|user| user.id.as_str()).collect::<Vec<_>>(), ["u1", "u2"]);
    assert_eq!(asked(&replay).0, "GET /groups/g/members?page=1&per_page=200");
}

#[tokio::test]
async fn a_server_without_the_licence_has_no_groups() {
    let replay = Replay::start().await;
    let client = replay.client();
    let refusals = [
        (501, "api.ldap_groups.license_error"),
        (501, "app.other"),
        (403, "api.custom_groups.license_error"),
    ];
    for (status, id) in refusals {
        refuse(&replay, status, id);
        assert_eq!(client.groups("oncall").await, Ok(None));
        assert_eq!(client.group_members("g", 0, 60).await, Ok(None));
    }
    refuse(&replay, 403, "api.context.permissions.app_error");
    assert_eq!(client.group_members("g", 0, 60).await.unwrap_err().status(), Some(403));
}

#[tokio::test]
async fn the_servers_time_is_read() {
    let replay = Replay::start().await;
    let dates = [("Sun, 06 Nov 1994 08:49:37 GMT", Some(784_111_777_000)), ("yesterday", None)];
    for (date, expected) in dates {
        replay.set(&json!({"status": 200, "headers": {"date": date}, "body": {"status": "OK"}}));
        let ping = replay.client().server_ping().await.unwrap();
        assert_eq!((ping.status.as_str(), ping.time_ms), ("OK", expected), "{date}");
    }
}

#[tokio::test]
async fn pages_are_cut_to_the_options() {
    let replay = Replay::start().await;
    let client = Client::new(ClientOptions { page_posts_max: 7, ..replay.options() }).unwrap();
    answer(&replay, json!([]));
    client.public_channels("t", 3, 7).await.unwrap();
    assert_eq!(asked(&replay).0, "GET /teams/t/channels?page=3&per_page=7");
    client.public_channels("t", 3, 8).await.unwrap();
    assert_eq!(asked(&replay).0, "GET /teams/t/channels?page=3&per_page=7");
}

#[tokio::test]
async fn bots_are_found_and_enabled() {
    let replay = Replay::start().await;
    let client = replay.client();
    // What is the user to one call is the bot to the other.
    let bot = json!({"id": "b", "user_id": "b", "username": "warroom", "delete_at": 9});
    answer(&replay, bot.clone());
    let found = client.bot_by_name("warroom").await.unwrap().unwrap();
    assert_eq!((found.user_id.as_str(), found.delete_at), ("b", 9));
    assert_eq!(asked(&replay).0, "GET /bots/b?include_deleted=true");
    assert_eq!(client.enable_bot("b").await.unwrap(), found);
    assert_eq!(asked(&replay), ("POST /bots/b/enable".into(), Value::Null));

    answer(&replay, json!([bot]));
    assert_eq!(client.bots(0, 60).await.unwrap(), [found]);
    assert_eq!(asked(&replay).0, "GET /bots?page=0&per_page=60&include_deleted=true");

    let unknown =
        load("users").into_iter().find(|exchange| exchange["name"] == "by username, unknown").unwrap();
    replay.set(&unknown["response"]);
    assert_eq!(client.bot_by_name("nobody").await, Ok(None));
    refuse(&replay, 403, "api.context.permissions.app_error");
    assert!(client.bot_by_name("warroom").await.is_err());
}

#[tokio::test]
async fn accounts_and_teams_are_made() {
    let replay = Replay::start().await;
    let client = replay.client();
    answer(&replay, json!({"id": "x"}));
    assert_eq!(client.create_user("ann", "ann@example.com", "Passw0rd!").await.unwrap().id, "x");
    let user = json!({"username": "ann", "email": "ann@example.com", "password": "Passw0rd!"});
    assert_eq!(asked(&replay), ("POST /users".into(), user));
    assert_eq!(client.create_team("infosec", "Information Security").await.unwrap().id, "x");
    let team = json!({"name": "infosec", "display_name": "Information Security", "type": "O"});
    assert_eq!(asked(&replay), ("POST /teams".into(), team));
    client.set_roles("x", &["system_user", "system_post_all"]).await.unwrap();
    let roles = json!({"roles": "system_user system_post_all"});
    assert_eq!(asked(&replay), ("PUT /users/x/roles".into(), roles));
}

#[tokio::test]
async fn the_servers_settings_are_read_and_changed() {
    let replay = Replay::start().await;
    let client = replay.client();
    let config = json!({"ServiceSettings": {"EnableBotAccountCreation": false}});
    answer(&replay, config.clone());
    assert_eq!(client.server_config().await.unwrap(), config);
    assert_eq!(asked(&replay), ("GET /config".into(), Value::Null));
    let patch = json!({"ServiceSettings": {"EnableBotAccountCreation": true}});
    client.patch_server_config(&patch).await.unwrap();
    assert_eq!(asked(&replay), ("PUT /config/patch".into(), patch));
}

#[tokio::test]
async fn a_new_token_is_in_no_error() {
    let replay = Replay::start().await;
    answer(&replay, json!({"token": "n3w-s3cret", "is_active": true}));
    let error = replay.client().create_token("b", "host").await.unwrap_err();
    assert!(matches!(error.kind, ApiErrorKind::Unexpected(_)));
    assert!(!format!("{error} {error:?}").contains("n3w"), "{error}");
    answer(&replay, json!({"id": "i", "token": "n3w-s3cret"}));
    let made = replay.client().create_token("b", "host").await.unwrap();
    assert_eq!(made.token.expose(), "n3w-s3cret");
    assert!(!format!("{made:?}").contains("n3w"), "{made:?}");
}

#[tokio::test]
async fn a_press_that_does_not_arrive_says_what_to_do() {
    let replay = Replay::start().await;
    let failed = load("actions").into_iter().find(|exchange| exchange["name"] == "click: reply 500").unwrap();
    replay.set(&failed["response"]);
    let error = replay.client().press("p", "Alert", None).await.unwrap_err();
    assert!(error.to_string().contains("AllowedUntrustedInternalConnections"), "{error}");
}
