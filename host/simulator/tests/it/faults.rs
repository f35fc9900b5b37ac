//! Faults on order, limits, and what the rules of posts say beyond the recordings.

use serde_json::{Value, json};
use warroom_simulator::{Limits, Options, Simulator, StartError};

use crate::support::{Integration, Setup, id_of};

#[tokio::test]
async fn a_lost_answer_leaves_the_post_behind() {
    let setup = Setup::start().await;
    let bot = setup.simulator.bot_token();
    let square = setup.channel_id("town-square").await;
    setup.simulator.lose_answer_of_next("POST", "/api/v4/posts", 1);
    let new = json!({"channel_id": square, "message": "once", "pending_post_id": "p1"});
    let lost = setup.try_call("POST", "/api/v4/posts", bot, &new).await;
    assert!(lost.is_err(), "no answer may come: {lost:?}");
    let again = setup.must("POST", "/posts", bot, new).await;
    let posts = setup.must("GET", &format!("/channels/{square}/posts"), bot, Value::Null).await;
    assert_eq!(posts["order"], json!([id_of(&again)]), "the second call found the first post");
}

#[tokio::test]
async fn an_ordered_failure_does_nothing() {
    let setup = Setup::start().await;
    let bot = setup.simulator.bot_token();
    let square = setup.channel_id("town-square").await;
    setup.simulator.forget_requests();
    setup.simulator.fail_next("POST", "/api/v4/posts", 503, 1);
    setup.simulator.fail_next("*", "/api/v4/posts", 429, 1);
    let new = json!({"channel_id": square, "message": "m"});
    let failed = setup.call("POST", "/api/v4/posts", bot, &new).await;
    assert_eq!((failed.status, &failed.body["status_code"]), (503, &json!(503)));
    let limited = setup.call("POST", "/api/v4/posts", bot, &new).await;
    assert_eq!((limited.status, limited.headers["retry-after"].to_str().unwrap()), (429, "1"));
    assert_eq!(limited.body["_text"], "limit exceeded\n");
    let posts = setup.must("GET", &format!("/channels/{square}/posts"), bot, Value::Null).await;
    assert_eq!(posts["order"], json!([]));
    let requests = setup.simulator.requests();
    assert_eq!(requests.iter().filter(|(_, path)| path == "/api/v4/posts").count(), 2);
}

#[tokio::test]
async fn old_posts_make_room_and_channels_are_refused_when_full() {
    let limits =
        Limits { posts_per_channel_max: 3, channels_max: 2, body_bytes_max: 2_000, ..Limits::default() };
    let setup = Setup::with(Options { limits, ..Options::default() }).await;
    let bot = setup.simulator.bot_token();
    let square = setup.channel_id("town-square").await;
    for number in 0..5 {
        setup.post(bot, &square, &number.to_string()).await;
    }
    let posts = setup.must("GET", &format!("/channels/{square}/posts"), bot, Value::Null).await;
    assert_eq!(posts["order"].as_array().unwrap().len(), 3);
    let new = json!({"team_id": setup.simulator.team_id(), "name": "more", "display_name": "x", "type": "O"});
    let full = setup.call("POST", "/api/v4/channels", bot, &new).await;
    assert_eq!((full.status, &full.body["id"]), (400, &json!("simulator.limit.app_error")));
    let long = json!({"channel_id": square, "message": "m".repeat(3_000)});
    assert_eq!(setup.call("POST", "/api/v4/posts", bot, &long).await.status, 413);
}

#[tokio::test]
async fn pages_of_posts_join_up() {
    let setup = Setup::start().await;
    let bot = setup.simulator.bot_token();
    let square = setup.channel_id("town-square").await;
    let mut ids = Vec::new();
    for number in 0..5 {
        ids.push(id_of(&setup.post(bot, &square, &number.to_string()).await));
    }
    let list = async |query: &str| {
        setup.must("GET", &format!("/channels/{square}/posts?{query}"), bot, Value::Null).await
    };
    let newest = list("page=0&per_page=2").await;
    assert_eq!(newest["order"], json!([ids[4], ids[3]]));
    assert_eq!((&newest["prev_post_id"], &newest["next_post_id"]), (&json!(ids[2]), &json!("")));
    assert_eq!(list("page=2&per_page=2").await["order"], json!([ids[0]]));
    assert_eq!(list("page=9&per_page=2").await["order"], json!([]));
    let after = list(&format!("after={}&per_page=2", ids[0])).await;
    assert_eq!(after["order"], json!([ids[2], ids[1]]));
    assert_eq!((&after["prev_post_id"], &after["next_post_id"]), (&json!(ids[0]), &json!(ids[3])));
    let rest = list(&format!("after={}&per_page=2&page=1", ids[0])).await;
    assert_eq!(rest["order"], json!([ids[4], ids[3]]));
    assert_eq!(list(&format!("before={}&per_page=2", ids[2])).await["order"], json!([ids[1], ids[0]]));
    assert_eq!(list(&format!("after={}", ids[4])).await["order"], json!([]));
}

#[tokio::test]
async fn pages_before_and_after_a_post_compare_times() {
    let setup = Setup::start().await;
    let admin = setup.simulator.admin_token();
    let square = setup.channel_id("town-square").await;
    let at_ms = setup.post(admin, &square, "0").await["create_at"].as_i64().unwrap();
    let mut ids = Vec::new();
    for (number, after_ms) in [(1, 1), (2, 2), (3, 2), (4, 2), (5, 3)] {
        let post =
            json!({"channel_id": square, "message": number.to_string(), "create_at": at_ms + after_ms});
        ids.push(id_of(&setup.must("POST", "/posts", admin, post).await));
    }
    let list = async |query: &str| {
        setup.must("GET", &format!("/channels/{square}/posts?{query}"), admin, Value::Null).await["order"]
            .clone()
    };
    for id in &ids[1..4] {
        assert_eq!(list(&format!("before={id}&per_page=1")).await, json!([ids[0]]));
        assert_eq!(list(&format!("after={id}")).await, json!([ids[4]]));
    }
    // A post that was deleted still has its time.
    setup.must("DELETE", &format!("/posts/{}", ids[3]), admin, Value::Null).await;
    assert_eq!(list(&format!("before={}&per_page=1", ids[3])).await, json!([ids[0]]));
    assert_eq!(list(&format!("before={}", "x".repeat(26))).await, json!([]));
}

#[tokio::test]
async fn posts_in_an_archived_channel_cannot_change_and_others_posts_neither() {
    let setup = Setup::start().await;
    let (bot, jon) = (setup.simulator.bot_token(), setup.simulator.token_of("jon").unwrap());
    let new =
        json!({"team_id": setup.simulator.team_id(), "name": "room-1", "display_name": "Room", "type": "O"});
    let room = id_of(&setup.must("POST", "/channels", bot, new).await);
    let post = id_of(&setup.post(bot, &room, "m").await);
    let patch = format!("/api/v4/posts/{post}/patch");
    let props = setup.call("PUT", &patch, bot, &json!({"props": {"a": 1}})).await;
    assert_eq!(props.body["props"], json!({"a": 1}), "props replace the whole map");
    assert_eq!(props.body["message"], "m");
    assert_eq!(setup.call("PUT", &patch, jon, &json!({"message": "x"})).await.status, 403);
    setup.must("DELETE", &format!("/channels/{room}"), bot, Value::Null).await;
    let late = setup.call("PUT", &patch, bot, &json!({"message": "late"})).await;
    assert_eq!(late.body["id"], "api.post.update_post.can_not_update_post_in_deleted.error");
}

#[tokio::test]
async fn deleted_posts_are_gone_but_show_among_what_changed() {
    let setup = Setup::start().await;
    let bot = setup.simulator.bot_token();
    let square = setup.channel_id("town-square").await;
    let post = setup.post(bot, &square, "m").await;
    setup.must("DELETE", &format!("/posts/{}", id_of(&post)), bot, Value::Null).await;
    assert_eq!(
        setup.call("GET", &format!("/api/v4/posts/{}", id_of(&post)), bot, &Value::Null).await.status,
        404
    );
    let since = format!("/channels/{square}/posts?since={}", post["create_at"]);
    let changed = setup.must("GET", &since, bot, Value::Null).await;
    assert_ne!(changed["posts"][id_of(&post)]["delete_at"], 0);
    let page = setup.must("GET", &format!("/channels/{square}/posts"), bot, Value::Null).await;
    assert_eq!(page["order"], json!([]));
}

#[tokio::test]
async fn a_reply_of_an_integration_is_bounded_and_keeps_props_it_does_not_name() {
    let limits = Limits { callback_reply_bytes_max: 100, ..Limits::default() };
    let setup = Setup::with(Options { limits, ..Options::default() }).await;
    let integration = Integration::start().await;
    let bot = setup.simulator.bot_token();
    let square = setup.channel_id("town-square").await;
    let control = json!({"id": "A", "name": "A", "type": "button", "integration": {"url": integration.url}});
    let post = json!({"channel_id": square, "message": "m", "props": {"k": 1, "attachments": [{"actions": [control]}]}});
    let post = id_of(&setup.must("POST", "/posts", bot, post).await);
    let click = format!("/api/v4/posts/{post}/actions/A");
    integration.reply_with(200, &json!({"ephemeral_text": "x".repeat(200)}).to_string());
    assert_eq!(setup.call("POST", &click, bot, &json!({})).await.status, 400);
    integration.reply_with(200, r#"{"update": {"message": "new"}}"#);
    assert_eq!(setup.call("POST", &click, bot, &json!({})).await.status, 200);
    let after = setup.must("GET", &format!("/posts/{post}"), bot, Value::Null).await;
    assert_eq!((&after["message"], &after["props"]["k"]), (&json!("new"), &json!(1)));
    integration.reply_with(200, "");
    assert_eq!(setup.call("POST", &click, bot, &json!({})).await.status, 200, "the control still calls");
    assert_eq!(integration.take_calls().len(), 3);
}

#[tokio::test]
async fn people_log_in_with_their_name() {
    let setup = Setup::start().await;
    let good =
        setup.call("POST", "/api/v4/users/login", "", &json!({"login_id": "jon", "password": "jon"})).await;
    let token = good.headers["token"].to_str().unwrap().to_owned();
    assert_eq!(setup.must("GET", "/users/me", &token, Value::Null).await["username"], "jon");
    for (name, password) in [("jon", "x"), ("warroom", "warroom"), ("nobody", "nobody")] {
        let body = json!({"login_id": name, "password": password});
        assert_eq!(setup.call("POST", "/api/v4/users/login", "", &body).await.status, 401);
    }
}

#[tokio::test]
async fn it_starts_on_loopback_only_and_stops() {
    let everywhere = Options { listen: "0.0.0.0:0".parse().unwrap(), ..Options::default() };
    assert!(matches!(Simulator::start(everywhere).await, Err(StartError::NotLoopback(_))));
    let wrong = Options { people: vec!["Not A Name".to_owned()], ..Options::default() };
    assert!(matches!(Simulator::start(wrong).await, Err(StartError::Seed { .. })));
    let setup = Setup::start().await;
    let taken = Options { listen: setup.simulator.address(), ..Options::default() };
    assert!(matches!(Simulator::start(taken).await, Err(StartError::Listen { .. })));
    let mut listener = crate::support::Listener::connect(&setup, setup.simulator.bot_token(), "").await;
    listener.until(|frame| frame["event"] == "status_change").await;
    let Setup { simulator, client } = setup;
    let url = simulator.url().to_owned();
    simulator.stop().await;
    assert_eq!(listener.frame().await, None);
    assert!(client.get(url).send().await.is_err());
}
