//! Making a world of one's own with an administrator's token, as on a real server.

use serde_json::{Value, json};
use warroom_simulator::{Limits, Options};

use crate::support::{Listener, Setup, id_of, says};

const PASSWORD: &str = "Correct-horse-1";

async fn person(setup: &Setup, name: &str) -> String {
    let new = json!({"username": name, "email": format!("{name}@example.org"), "password": PASSWORD});
    id_of(&setup.must("POST", "/users", setup.simulator.admin_token(), new).await)
}

async fn log_in(setup: &Setup, name: &str) -> String {
    let login = json!({"login_id": name, "password": PASSWORD});
    let reply = setup.call("POST", "/api/v4/users/login", "", &login).await;
    assert_eq!(reply.status, 200, "{reply:?}");
    reply.headers["token"].to_str().unwrap().to_owned()
}

#[tokio::test]
async fn an_administrator_makes_a_team_people_and_a_bot() {
    let setup = Setup::start().await;
    let admin = setup.simulator.admin_token();
    let team = json!({"name": "blue-team", "display_name": "Blue Team", "type": "O"});
    let team = setup.must("POST", "/teams", admin, team).await;
    assert_eq!((&team["name"], &team["type"]), (&json!("blue-team"), &json!("O")));
    let members = format!("/teams/{}/members", id_of(&team));
    let ana = person(&setup, "ana").await;
    let added = setup.must("POST", &members, admin, json!({"team_id": team["id"], "user_id": ana})).await;
    assert_eq!((&added["user_id"], &added["roles"]), (&json!(ana), &json!("team_user")));
    assert_eq!(setup.must("GET", &format!("{members}/{ana}"), admin, Value::Null).await, added);

    let ana_token = log_in(&setup, "ana@example.org").await;
    let mine = setup.must("GET", "/users/me/teams", &ana_token, Value::Null).await;
    assert_eq!(mine.as_array().unwrap().len(), 1);
    let square = format!("/teams/{}/channels/name/town-square", id_of(&team));
    let square = id_of(&setup.must("GET", &square, &ana_token, Value::Null).await);
    setup.post(&ana_token, &square, "hello").await;

    let bot = json!({"username": "blue-bot", "display_name": "Blue", "description": "d"});
    let bot = setup.must("POST", "/bots", admin, bot).await;
    let bot_id = bot["user_id"].as_str().unwrap();
    let token =
        setup.must("POST", &format!("/users/{bot_id}/tokens"), admin, json!({"description": "host"})).await;
    let token = token["token"].as_str().unwrap();
    assert_eq!(setup.must("GET", "/users/me", token, Value::Null).await["id"], json!(bot_id));
    let bots = setup.must("GET", "/bots", admin, Value::Null).await;
    assert!(bots.as_array().unwrap().contains(&bot));
    assert_eq!(setup.must("GET", &format!("/bots/{bot_id}"), admin, Value::Null).await, bot);
}

#[tokio::test]
async fn what_only_an_administrator_may_do_is_refused_to_others() {
    let setup = Setup::start().await;
    let (bot, team) = (setup.simulator.bot_token(), setup.simulator.team_id());
    let jon = setup.user_id("jon").await;
    let user = json!({"username": "ana", "email": "ana@example.org", "password": PASSWORD});
    for (method, path, body) in [
        ("POST", "/users".to_owned(), user),
        ("POST", "/teams".to_owned(), json!({"name": "mine", "display_name": "Mine", "type": "O"})),
        ("POST", format!("/teams/{team}/members"), json!({"team_id": team, "user_id": jon})),
        ("DELETE", format!("/teams/{team}/members/{jon}"), Value::Null),
        ("POST", "/bots".to_owned(), json!({"username": "b"})),
        ("GET", "/bots".to_owned(), Value::Null),
        ("POST", format!("/bots/{jon}/enable"), Value::Null),
        ("POST", format!("/users/{jon}/tokens"), json!({"description": "d"})),
        ("PUT", format!("/users/{jon}/roles"), json!({"roles": "system_user system_admin"})),
        ("GET", "/config".to_owned(), Value::Null),
        ("PUT", "/config/patch".to_owned(), json!({})),
    ] {
        let refused = setup.call(method, &format!("/api/v4{path}"), bot, &body).await;
        assert_eq!(refused.status, 403, "{method} {path}: {refused:?}");
        assert_eq!(refused.body["id"], "api.context.permissions.app_error", "{method} {path}");
    }
}

#[tokio::test]
async fn wrong_accounts_and_teams_are_refused_with_the_known_ids() {
    let limits = Limits { teams_max: 2, ..Limits::default() };
    let setup = Setup::with(Options { limits, ..Options::default() }).await;
    let admin = setup.simulator.admin_token();
    let user = |name: &str, email: &str, password: &str| json!({"username": name, "email": email, "password": password});
    let team =
        |name: &str, shown: &str, kind: &str| json!({"name": name, "display_name": shown, "type": kind});
    for (path, body, id) in [
        ("/users", user("Not A Name", "a@b", PASSWORD), "model.user.is_valid.username.app_error"),
        ("/users", user("channel", "a@b", PASSWORD), "model.user.is_valid.username.app_error"),
        ("/users", user("ana", "nowhere", PASSWORD), "model.user.is_valid.email.app_error"),
        ("/users", user("ana", "a@b", "short"), "model.user.is_valid.pwd.app_error"),
        ("/users", user("jon", "a@b", PASSWORD), "app.user.save.username_exists.app_error"),
        ("/users", user("ana", "jon@example.com", PASSWORD), "app.user.save.email_exists.app_error"),
        ("/bots", json!({"username": "jon"}), "app.user.save.username_exists.app_error"),
        ("/teams", team("infosec", "x", "O"), "app.team.save.app_error"),
        ("/teams", team("Bad Name", "x", "O"), "model.team.is_valid.url.app_error"),
        ("/teams", team("blue", "", "O"), "model.team.is_valid.name.app_error"),
        ("/teams", team("blue", "x", "X"), "model.team.is_valid.type.app_error"),
    ] {
        let refused = setup.call("POST", &format!("/api/v4{path}"), admin, &body).await;
        assert_eq!((refused.status, &refused.body["id"]), (400, &json!(id)), "{path} {body}");
    }
    setup.must("POST", "/teams", admin, team("blue", "x", "O")).await;
    let full = setup.call("POST", "/api/v4/teams", admin, &team("red", "x", "O")).await;
    assert_eq!(full.body["id"], "simulator.limit.app_error");
}

#[tokio::test]
async fn who_leaves_a_team_is_out_of_its_channels_and_everybody_hears_of_it() {
    let setup = Setup::start().await;
    let (admin, bot) = (setup.simulator.admin_token(), setup.simulator.bot_token());
    let team = setup.simulator.team_id();
    let square = setup.channel_id("town-square").await;
    let me = setup.user_id("warroom").await;
    let member = format!("/teams/{team}/members/{me}");
    let mut other = Listener::connect(&setup, setup.simulator.token_of("jon").unwrap(), "").await;
    let mut gone = Listener::connect(&setup, bot, "").await;
    setup.must("DELETE", &member, admin, Value::Null).await;
    for listener in [&mut gone, &mut other] {
        let frames = listener.until(|frame| frame["event"] == "leave_team").await;
        let left = frames.last().unwrap();
        assert_eq!(left["data"], json!({"team_id": team, "user_id": me}));
        assert_eq!(left["broadcast"]["team_id"], team);
    }
    let left = setup.must("GET", &member, admin, Value::Null).await;
    assert!(left["delete_at"].as_i64().unwrap() > 0, "who left is still known: {left}");
    setup.must("DELETE", &member, admin, Value::Null).await;
    let outsider = setup.must("POST", "/bots", admin, json!({"username": "outsider"})).await;
    let outsider = format!("/api/v4/teams/{team}/members/{}", outsider["user_id"].as_str().unwrap());
    let missing = setup.call("GET", &outsider, admin, &Value::Null).await;
    assert_eq!((missing.status, &missing.body["id"]), (404, &json!("app.team.get_member.missing.app_error")));
    let missing = setup.call("DELETE", &outsider, admin, &Value::Null).await;
    let id = "api.team.remove_user_from_team.missing.app_error";
    assert_eq!((missing.status, &missing.body["id"]), (400, &json!(id)));
    let post = json!({"channel_id": square, "message": "m"});
    assert_eq!(setup.call("POST", "/api/v4/posts", bot, &post).await.status, 403);

    let back = json!({"team_id": team, "user_id": me});
    let again = setup.must("POST", &format!("/teams/{team}/members"), admin, back.clone()).await;
    assert_eq!(again["delete_at"], 0);
    let frames = gone.until(|frame| frame["event"] == "added_to_team").await;
    let added = frames.last().unwrap();
    assert_eq!((&added["data"], &added["broadcast"]["user_id"]), (&back, &json!(me)));
    assert!(frames.iter().any(|frame| frame["event"] == "user_added"));
    assert!(frames.iter().all(|frame| frame["event"] != "leave_team"), "who left cannot leave again");
    assert_eq!(setup.call("POST", "/api/v4/posts", bot, &post).await.status, 201);
}

#[tokio::test]
async fn a_revoked_token_and_a_disabled_bot_are_strangers() {
    let setup = Setup::start().await;
    let admin = setup.simulator.admin_token();
    let bot = setup.must("POST", "/bots", admin, json!({"username": "blue-bot"})).await;
    let bot_id = bot["user_id"].as_str().unwrap();
    let path = format!("/users/{bot_id}/tokens");
    let first = setup.must("POST", &path, admin, json!({"description": "1"})).await;
    let second = setup.must("POST", &path, admin, json!({"description": "2"})).await;
    let (one, two) = (first["token"].as_str().unwrap(), second["token"].as_str().unwrap());
    let mut listener = Listener::connect(&setup, one, "").await;
    listener.until(|frame| frame["event"] == "status_change").await;
    setup.must("POST", "/users/tokens/revoke", admin, json!({"token_id": first["id"]})).await;
    assert_eq!(setup.call("GET", "/api/v4/users/me", one, &Value::Null).await.status, 401);
    let again =
        setup.call("POST", "/api/v4/users/tokens/revoke", admin, &json!({"token_id": first["id"]})).await;
    assert_eq!(again.status, 404);
    assert_eq!(setup.simulator.websocket_count(), 1, "its stream stays open, and is mute");

    let mut listener = Listener::connect(&setup, two, "").await;
    listener.until(|frame| frame["event"] == "status_change").await;
    let disabled = setup.must("POST", &format!("/bots/{bot_id}/disable"), admin, Value::Null).await;
    assert_ne!(disabled["delete_at"], 0);
    listener.ends().await;
    assert_eq!(setup.call("GET", "/api/v4/users/me", two, &Value::Null).await.status, 401);
    let hidden = setup.call("GET", &format!("/api/v4/bots/{bot_id}"), admin, &Value::Null).await;
    assert_eq!((hidden.status, &hidden.body["id"]), (404, &json!("store.sql_bot.get.missing.app_error")));
    let all = setup.must("GET", "/bots?include_deleted=true", admin, Value::Null).await;
    assert!(all.as_array().unwrap().contains(&disabled));
    setup.must("POST", &format!("/bots/{bot_id}/enable"), admin, Value::Null).await;
    assert_eq!(setup.must("GET", "/users/me", two, Value::Null).await["delete_at"], 0);
}

#[tokio::test]
async fn roles_make_and_unmake_an_administrator() {
    let setup = Setup::start().await;
    let (admin, jon) = (setup.simulator.admin_token(), setup.simulator.token_of("jon").unwrap());
    let path = format!("/users/{}/roles", setup.user_id("jon").await);
    setup.must("PUT", &path, admin, json!({"roles": "system_user system_admin"})).await;
    setup.must("GET", "/config", jon, Value::Null).await;
    setup.must("PUT", &path, admin, json!({"roles": "system_user system_post_all"})).await;
    assert_eq!(setup.call("GET", "/api/v4/config", jon, &Value::Null).await.status, 403);
    assert_eq!(
        setup.must("GET", "/users/me", jon, Value::Null).await["roles"],
        "system_user system_post_all"
    );
    let unknown = setup.call("PUT", &format!("/api/v4{path}"), admin, &json!({"roles": "king"})).await;
    assert_eq!(unknown.body["id"], "app.role.check_roles_exist.role_not_found");
}

#[tokio::test]
async fn the_configuration_keeps_what_is_patched_and_its_switches_work() {
    let limits = Limits { config_bytes_max: 2_000, ..Limits::default() };
    let setup = Setup::with(Options { limits, ..Options::default() }).await;
    let admin = setup.simulator.admin_token();
    let before = setup.must("GET", "/config", admin, Value::Null).await;
    assert_eq!(before["ServiceSettings"]["SiteURL"], setup.simulator.url());
    let patch = json!({"ServiceSettings": {"EnableBotAccountCreation": false, "EnableUserAccessTokens": false},
                       "PluginSettings": {"Enable": true}});
    let after = setup.must("PUT", "/config/patch", admin, patch).await;
    assert_eq!(after["ServiceSettings"]["SiteURL"], before["ServiceSettings"]["SiteURL"]);
    assert_eq!(after["TeamSettings"], before["TeamSettings"]);
    assert_eq!(after["PluginSettings"], json!({"Enable": true}));
    assert_eq!(setup.must("GET", "/config", admin, Value::Null).await, after);

    let bot = setup.call("POST", "/api/v4/bots", admin, &json!({"username": "b"})).await;
    assert_eq!((bot.status, &bot.body["id"]), (403, &json!("api.bot.create_disabled")));
    let jon = format!("/api/v4/users/{}/tokens", setup.user_id("jon").await);
    let token = setup.call("POST", &jon, admin, &json!({"description": "d"})).await;
    assert_eq!((token.status, &token.body["id"]), (501, &json!("app.user_access_token.disabled")));
    let bot = format!("/users/{}/tokens", setup.user_id("warroom").await);
    setup.must("POST", &bot, admin, json!({"description": "bots may"})).await;

    let client = setup.must("GET", "/config/client?format=old", admin, Value::Null).await;
    assert_eq!(client["SiteURL"], setup.simulator.url());
    assert_eq!(client["EnableBotAccountCreation"], "false");
    let large = json!({"PluginSettings": {"x": "y".repeat(2_000)}});
    let large = setup.call("PUT", "/api/v4/config/patch", admin, &large).await;
    assert_eq!(large.body["id"], "simulator.limit.app_error");
}

#[tokio::test]
async fn ones_own_channels_leave_out_the_archived_ones_and_a_ping_has_the_time() {
    let setup = Setup::start().await;
    let (bot, team) = (setup.simulator.bot_token(), setup.simulator.team_id());
    let new = json!({"team_id": team, "name": "room-1", "display_name": "Room", "type": "O"});
    let room = id_of(&setup.must("POST", "/channels", bot, new).await);
    setup.must("DELETE", &format!("/channels/{room}"), bot, Value::Null).await;
    let names = async |query: &str| {
        let path = format!("/users/me/teams/{team}/channels{query}");
        let list = setup.must("GET", &path, bot, Value::Null).await;
        list.as_array().unwrap().iter().map(|c| c["name"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(names("").await, ["off-topic", "town-square"]);
    assert_eq!(names("?include_deleted=true").await, ["off-topic", "room-1", "town-square"]);
    let ping = setup.call("GET", "/api/v4/system/ping", "", &Value::Null).await;
    assert!(ping.headers["date"].to_str().unwrap().ends_with("GMT"), "{ping:?}");
}

#[tokio::test]
async fn a_new_account_is_announced_to_everybody() {
    let setup = Setup::start().await;
    let jon = setup.simulator.token_of("jon").unwrap();
    let mut listener = Listener::connect(&setup, jon, "").await;
    let ana = person(&setup, "ana").await;
    let frames = listener.until(|frame| frame["event"] == "new_user").await;
    assert_eq!(frames.last().unwrap()["data"], json!({"user_id": ana}));
    let square = setup.channel_id("town-square").await;
    setup.post(jon, &square, "the end").await;
    listener.until(|frame| says(frame, "the end")).await;
}

#[tokio::test]
async fn a_key_whose_value_is_null_counts_as_left_out() {
    let setup = Setup::start().await;
    let bot = setup.simulator.bot_token();
    let square = setup.channel_id("town-square").await;
    let post = json!({"channel_id": square, "message": "m", "root_id": null, "props": null, "pending_post_id": null});
    assert_eq!(setup.must("POST", "/posts", bot, post).await["root_id"], "");
    let nobody = json!({"channel_id": null, "message": "m"});
    assert_eq!(setup.call("POST", "/api/v4/posts", bot, &nobody).await.status, 403);
}
