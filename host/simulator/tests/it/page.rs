//! The page, as a browser without a script uses it, and what it refuses.

use reqwest::header::{HOST, LOCATION, ORIGIN};
use serde_json::{Value, json};

use crate::support::{Integration, Setup, id_of};

async fn show(setup: &Setup, query: &str) -> String {
    let response = setup.client.get(format!("{}/{query}", setup.simulator.url())).send().await.unwrap();
    assert_eq!(response.status(), 200);
    assert!(response.headers()["content-security-policy"].to_str().unwrap().contains("default-src 'none'"));
    response.text().await.unwrap()
}

async fn send(setup: &Setup, path: &str, form: &[(&str, &str)]) -> reqwest::Response {
    let encoded =
        form.iter().map(|(key, value)| format!("{key}={}", encode(value))).collect::<Vec<_>>().join("&");
    let request = setup.client.post(format!("{}/page/{path}", setup.simulator.url()));
    request.header("content-type", "application/x-www-form-urlencoded").body(encoded).send().await.unwrap()
}

fn encode(text: &str) -> String {
    text.bytes().map(|byte| format!("%{byte:02X}")).collect()
}

#[tokio::test]
async fn a_person_writes_and_everything_is_escaped() {
    let setup = Setup::start().await;
    let square = setup.channel_id("town-square").await;
    let message = "#sec <script>alert(1)</script> **now**";
    let sent = send(&setup, "messages", &[("as", "jon"), ("channel", &square), ("message", message)]).await;
    assert_eq!(
        (sent.status().as_u16(), sent.headers()[LOCATION].to_str().unwrap()),
        (303, &*format!("/?as=jon&channel={square}"))
    );
    let page = show(&setup, &format!("?as=chris&channel={square}")).await;
    assert!(page.contains("#sec &lt;script&gt;alert(1)&lt;/script&gt; <strong>now</strong>"), "{page}");
    assert!(page.contains(r#"<strong data-testid="author">jon</strong>"#));
    let posts = setup
        .must("GET", &format!("/channels/{square}/posts"), setup.simulator.bot_token(), Value::Null)
        .await;
    let id = posts["order"][0].as_str().unwrap();
    assert_eq!(posts["posts"][id]["message"], message, "a client reads what was written");
}

#[tokio::test]
async fn controls_are_shown_and_used() {
    let setup = Setup::start().await;
    let integration = Integration::start().await;
    integration.reply_with(200, r#"{"ephemeral_text": "noted"}"#);
    let square = setup.channel_id("town-square").await;
    let options = json!([{"text": "Low", "value": "low"}, {"text": "High", "value": "high"}]);
    let menu = json!({"id": "Impact", "name": "Impact", "type": "select", "options": options, "default_option": "high",
                      "integration": {"url": integration.url, "context": {"secret": "never-shown"}}});
    let post = json!({"channel_id": square, "message": "m", "props": {"attachments": [{"title": "Fields", "actions": [menu]}]}});
    let post = id_of(&setup.must("POST", "/posts", setup.simulator.bot_token(), post).await);
    let page = show(&setup, &format!("?as=jon&channel={square}")).await;
    assert!(page.contains(r#"<option value="high" selected>High</option>"#), "{page}");
    // No id that the page shows can hold this by chance: ids have no hyphen.
    assert!(page.contains(r#"data-testid="menu-Impact""#) && !page.contains("never-shown"));
    let form =
        [("as", "jon"), ("channel", &*square), ("post", &*post), ("control", "Impact"), ("selected", "low")];
    assert_eq!(send(&setup, "controls", &form).await.status(), 303);
    let calls = integration.take_calls();
    assert_eq!(
        (&calls[0].body["user_name"], &calls[0].body["context"]["selected_option"]),
        (&json!("jon"), &json!("low"))
    );
    assert!(show(&setup, &format!("?as=jon&channel={square}")).await.contains("noted"));
    assert!(!show(&setup, &format!("?as=chris&channel={square}")).await.contains("noted"));
    let unknown = [("as", "jon"), ("channel", &*square), ("post", &*post), ("control", "nope")];
    let refused = send(&setup, "controls", &unknown).await;
    assert_eq!(refused.status(), 404);
    assert!(refused.text().await.unwrap().contains("no such control"));
}

#[tokio::test]
async fn a_visitor_joins_and_an_archived_channel_is_read_only() {
    let setup = Setup::start().await;
    let bot = setup.simulator.bot_token();
    let new = json!({"team_id": setup.simulator.team_id(), "name": "room-1", "display_name": "Room 1", "type": "O"});
    let room = id_of(&setup.must("POST", "/channels", bot, new).await);
    let address = format!("?as=jon&channel={room}");
    let page = show(&setup, &address).await;
    assert!(page.contains(r#"data-testid="join""#));
    // The link that skips to writing has somewhere to lead in each state.
    assert!(page.contains(r#" id="message""#));
    assert_eq!(send(&setup, "memberships", &[("as", "jon"), ("channel", &room)]).await.status(), 303);
    assert!(show(&setup, &address).await.contains(r#"data-testid="message-box""#));
    setup.must("DELETE", &format!("/channels/{room}"), bot, Value::Null).await;
    let page = show(&setup, &address).await;
    assert!(page.contains(r#"data-testid="read-only""#) && page.contains(r#"data-testid="archived""#));
    assert!(page.contains(r#" id="message""#));
    let late = send(&setup, "messages", &[("as", "jon"), ("channel", &room), ("message", "late")]).await;
    assert_eq!(late.status(), 400);
}

#[tokio::test]
async fn news_come_when_there_are_some() {
    let setup = Setup::start().await;
    let square = setup.channel_id("town-square").await;
    let page = show(&setup, &format!("?as=jon&channel={square}")).await;
    let version = page.split("data-version=\"").nth(1).unwrap().split('"').next().unwrap();
    let news = show_later(&setup, &square, version);
    let (news, _) = tokio::join!(news, setup.post(setup.simulator.bot_token(), &square, "something new"));
    assert!(news.contains("something new"), "{news}");
}

async fn show_later(setup: &Setup, channel: &str, version: &str) -> String {
    show(setup, &format!("page/fragment?as=jon&channel={channel}&version={version}")).await
}

#[tokio::test]
async fn other_sites_are_refused() {
    let setup = Setup::start().await;
    let square = setup.channel_id("town-square").await;
    let url = format!("{}/page/messages", setup.simulator.url());
    let form = format!("as=jon&channel={square}&message=x");
    let request = || {
        let request = setup.client.post(&url).body(form.clone());
        request.header("content-type", "application/x-www-form-urlencoded")
    };
    let own = setup.simulator.url().to_owned();
    for (name, value, status) in [
        (ORIGIN.as_str(), "http://evil.test", 403),
        (ORIGIN.as_str(), "null", 403),
        ("sec-fetch-site", "cross-site", 403),
        (HOST.as_str(), "evil.test", 403),
        (ORIGIN.as_str(), &*own, 303),
    ] {
        let answer = request().header(name, value).send().await.unwrap();
        assert_eq!(answer.status(), status, "{name}: {value}");
    }
    let read = setup.client.get(setup.simulator.url()).header(HOST, "evil.test").send().await.unwrap();
    assert_eq!(read.status(), 403, "a name that resolves to loopback may not read the page");
}
