//! Starts a simulator with something to look at, prints its address, and serves until Ctrl-C.
//!
//! `cargo run -p warroom-simulator --example serve -- 127.0.0.1:8065`
#![allow(clippy::print_stdout, reason = "the address is what this example is for")]
#![allow(clippy::indexing_slicing, reason = "a key that a JSON value lacks gives null")]

use std::net::SocketAddr;

use serde_json::{Value, json};
use warroom_simulator::{Options, Simulator};

type Failure = Box<dyn std::error::Error>;

#[tokio::main]
async fn main() -> Result<(), Failure> {
    let mut options = Options::default();
    if let Some(listen) = std::env::args().nth(1) {
        options.listen = listen.parse::<SocketAddr>()?;
    }
    let simulator = Simulator::start(options).await?;
    furnish(&simulator).await?;
    println!("{}", simulator.url());
    tokio::signal::ctrl_c().await?;
    simulator.stop().await;
    Ok(())
}

async fn furnish(simulator: &Simulator) -> Result<(), Failure> {
    let bot = simulator.bot_token();
    let jon = simulator.token_of("jon").unwrap_or_default();
    let team = simulator.team_id();
    let square =
        call(simulator, "GET", &format!("teams/{team}/channels/name/town-square"), bot, Value::Null).await?;
    let room = json!({
        "team_id": team, "name": "security-issue-1", "display_name": "Security Issue 1", "type": "O",
        "header": "Runbook: [security](http://example.com/runbook)",
    });
    let room = call(simulator, "POST", "channels", bot, room).await?;
    let old =
        json!({"team_id": team, "name": "security-issue-0", "display_name": "Security Issue 0", "type": "O"});
    let old = call(simulator, "POST", "channels", bot, old).await?;
    call(simulator, "DELETE", &format!("channels/{}", text(&old["id"])), bot, Value::Null).await?;
    let me = call(simulator, "GET", "users/me", jon, Value::Null).await?;
    let members = format!("channels/{}/members", text(&room["id"]));
    call(simulator, "POST", &members, bot, json!({"user_id": me["id"]})).await?;
    let report = "#sec the site is **down**, see `nginx` and <b>no tags</b>\n```\n502 Bad Gateway\n```";
    call(simulator, "POST", "posts", jon, json!({"channel_id": square["id"], "message": report})).await?;
    let made = json!({"channel_id": square["id"], "message": "@jon: war room created: ~security-issue-1"});
    call(simulator, "POST", "posts", bot, made).await?;
    for channel in [&square, &room] {
        call(simulator, "POST", "posts", bot, triage(channel)).await?;
    }
    Ok(())
}

/// A post with buttons and menus; nobody answers at their address, so a press shows an alert.
fn triage(channel: &Value) -> Value {
    let integration = json!({"url": "http://127.0.0.1:9/nobody", "context": {"field": "x"}});
    let menu = |name: &str, chosen: &str| {
        json!({"id": name, "name": name, "type": "select", "integration": integration, "default_option": chosen,
               "options": [{"text": "low", "value": "low"}, {"text": "high", "value": "high"}]})
    };
    let button = |name: &str, style: &str| json!({"id": name, "name": name, "type": "button", "style": style, "integration": integration});
    json!({
        "channel_id": channel["id"],
        "message": "Please assess the incident.",
        "props": {"attachments": [
            {
                "title": "Fields",
                "text": "**Likelihood**: how likely is it?\n**Impact**: how bad would it be?\n**Alert**: wakes people",
                "actions": [menu("Likelihood", ""), menu("Impact", "high"), button("Alert", "danger")],
            },
            {
                "title": "Transitions",
                "text": "**Triaged**: the facts are known",
                "actions": [button("Triaged", "primary"), button("Resolved", "good"), button("Postpone", "")],
            },
        ]},
    })
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

async fn call(
    simulator: &Simulator,
    method: &str,
    path: &str,
    token: &str,
    body: Value,
) -> Result<Value, Failure> {
    let client = reqwest::Client::builder().no_proxy().tls_certs_only(Vec::new()).build()?;
    let url = format!("{}/api/v4/{path}", simulator.url());
    let request = client.request(method.parse()?, url).bearer_auth(token).json(&body);
    Ok(request.send().await?.error_for_status()?.json().await?)
}
