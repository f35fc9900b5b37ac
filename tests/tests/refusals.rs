//! What a server refuses, and the words in which people read it.

use crate::stage::{Stage, controls, drill, unique};
use serde_json::{Value, json};
use std::time::Duration;

/// A workflow with this one action; its own name, with `#` before it, starts it.
fn case(name: &str, action: &Value) -> Value {
    let mut action = action.clone();
    action["name"] = json!("Try");
    json!({
        "name": name,
        "triggers": [{"name": "Said", "type": "text", "match": format!("#{name}")}],
        "steps": [{"name": "Do", "start_actions": [action]}],
    })
}

/// Starts each case, and expects each to be blocked with these words.
async fn are_refused(stage: &Stage, cases: &[(&str, Value, Vec<String>)]) {
    let workflows: Vec<Value> = cases.iter().map(|(name, action, _)| case(name, action)).collect();
    stage.write_workflow("workflow.json", &Value::Array(workflows).to_string());
    let service = stage.service().await;
    let town = stage.channel_id("town-square").await;
    for (name, _, words) in cases {
        stage.say("jon", "town-square", &format!("#{name}")).await;
        let head = format!(":warning: Incident **{name} 1** is blocked: in step `Do`, action `Try` failed.");
        let notice = stage.post(&town, &head, 1).await;
        let text = notice["message"].as_str().unwrap();
        for part in words {
            assert!(text.contains(part), "{name}: {part} is missing in {text}");
        }
        let buttons: Vec<_> = controls(&notice).iter().map(|control| control["name"].clone()).collect();
        assert!(buttons.contains(&json!("Retry")) && buttons.contains(&json!("Skip")), "{name}: {buttons:?}");
    }
    service.stop().await;
}

fn words<const N: usize>(words: [&str; N]) -> Vec<String> {
    words.map(str::to_owned).to_vec()
}

fn create(channel: &str) -> Value {
    json!({"type": "create_channel", "channel_name": channel})
}

fn post(channel: &str) -> Value {
    json!({"type": "post", "channel_name": channel, "message": "Hello"})
}

fn add(channel: &str, users: Value) -> Value {
    json!({"type": "add_users_channel", "channel_name": channel, "users": users})
}

fn archive(channel: &str) -> Value {
    json!({"type": "archive_channel", "channel_name": channel})
}

#[tokio::test(flavor = "multi_thread")]
async fn a_channel_that_cannot_be_made() {
    let stage = Stage::new().await;
    stage.make_channel("jon", "live-1", "Live", "O").await;
    let archived = stage.make_channel("jon", "archived-1", "Archived", "O").await;
    stage.archive(&archived).await;
    stage.make_channel("jon", "unseen-1", "Unseen", "P").await;
    let of_other_team = |mut action: Value, team: &str| {
        action["team_name"] = json!(team);
        action
    };
    let foreign = unique("foreign");
    let team = json!({ "name": foreign, "display_name": "Foreign", "type": "O" });
    assert!(stage.admin("POST", "/teams", Some(team)).await["id"].is_string());
    let cases = [
        (
            "live",
            create("live-{{.Instance.Number}}"),
            words([
                "creating the channel `live-1`",
                "the name is taken; rename that channel, or change `channel_name`",
            ]),
        ),
        (
            "archived",
            create("archived-{{.Instance.Number}}"),
            words(["the name is taken by an archived channel; rename"]),
        ),
        (
            "unseen",
            create("unseen-{{.Instance.Number}}"),
            words([
                "store.sql_channel.save_channel.exists.app_error",
                "The name is taken, perhaps by an archived channel",
            ]),
        ),
        (
            "nowhere",
            of_other_team(create("nowhere-{{.Instance.Number}}"), "no-such-team"),
            words([
                "the bot is on no team `no-such-team`; check the name, or add the bot to the team",
                "creating",
            ]),
        ),
        (
            "foreign",
            of_other_team(create("foreign-{{.Instance.Number}}"), &foreign),
            vec![format!("the bot is on no team `{foreign}`; check the name, or add the bot to the team")],
        ),
    ];
    are_refused(&stage, &cases).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_handle_that_no_server_takes() {
    let stage = Stage::new().await;
    let suggestion =
        |handle: &str| format!("write `{handle}` as `channel_name`, and what people shall read as");
    let rule = "a channel's handle is 2 to 64 of `a-z 0-9 - _` and begins and ends with a letter or digit";
    let cases = [
        ("words", "{{.Trigger.Said.Message}} {{.Instance.Number}}", suggestion("words-1")),
        ("long", "{{printf \"%064d\" .Instance.Number}}x", suggestion(&format!("{:064}", 1))),
        ("short", "{{.Instance.Number}}", "write such a handle as `channel_name`".to_owned()),
    ];
    // In files of their own: their names are too free to stand beside each other.
    for (name, channel, words) in cases {
        are_refused(&stage, &[(name, create(channel), vec![rule.to_owned(), words])]).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_channel_that_is_not_there_or_not_for_the_bot() {
    let stage = Stage::new().await;
    let old = stage.make_channel("jon", "old", "Old", "O").await;
    stage.archive(&old).await;
    let hidden = stage.make_channel("jon", "hidden", "Hidden", "P").await;
    stage.make_channel("jon", "twin-a", "Twin", "O").await;
    stage.make_channel("jon", "twin-b", "Twin", "O").await;
    // The bot joins it for people, but archives nothing that it is not in.
    stage.make_channel("jon", "strange", "Strange", "O").await;
    let missing =
        |name: &str| vec![format!("there is no channel `{name}` that the bot can reach; check the name")];
    let denied = || words(["The bot lacks the permission: add it to the team, and invite it to the channel"]);
    let cases = [
        ("unknown", post("no-such-channel"), missing("no-such-channel")),
        ("archived", post("old"), missing("old")),
        ("archived_id", post(&old), missing(&old)),
        ("hidden", post("hidden"), words(["if it is private invite the bot to it"])),
        ("hidden_id", post(&hidden), denied()),
        (
            "twins",
            post("Twin"),
            words([
                "posting in the channel `Twin`",
                "several channels are called \u{201c}Twin\u{201d}; write the handle",
            ]),
        ),
        ("people", add("no-such-channel", json!(["jon"])), missing("no-such-channel")),
        ("closing", archive("no-such-channel"), missing("no-such-channel")),
        ("strange_closing", archive("strange"), denied()),
        (
            "town",
            archive("town-square"),
            words(["archiving the channel `town-square`", "A team's default channel cannot be archived"]),
        ),
    ];
    are_refused(&stage, &cases).await;
}

/// What no server says to the built-in actions of itself, since they ask for nothing that it could refuse so: said by the proxy.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_refused_although_it_was_checked_before() {
    let stage = Stage::new().await;
    let cases = [
        ("denied", "api.context.permissions.app_error", 403, "The bot lacks the permission"),
        ("malformed", "model.channel.is_valid.2_or_more.app_error", 400, "A channel's name has 2 to 64 of"),
        (
            "display",
            "model.channel.is_valid.display_name.app_error",
            400,
            "display name has at most 64 characters",
        ),
        ("header", "model.channel.is_valid.header.app_error", 400, "header has at most 1,024 characters"),
        ("purpose", "model.channel.is_valid.purpose.app_error", 400, "purpose has at most 250 characters"),
    ]
    .map(|(name, id, status, remedy)| {
        let channel = format!("{name}-{{{{.Instance.Number}}}}");
        stage.proxy.refuse_with("POST", "/api/v4/channels", &format!("{name}-1"), status, id);
        (name, create(&channel), words(["creating the channel", id, remedy]))
    });
    let mut cases = cases.to_vec();
    let too_long = "model.post.is_valid.msg.app_error";
    stage.proxy.refuse_with("POST", "/api/v4/posts", "\"Hello\"", 400, too_long);
    cases.push((
        "message",
        post("off-topic"),
        words(["posting in the channel `off-topic`", too_long, "A message has at most 16,383 characters"]),
    ));
    let missing = "app.user.missing_account.const";
    stage.proxy.refuse_with("POST", "/api/v4/channels/", &stage.person_id("sam").await, 404, missing);
    cases.push((
        "account",
        add("town-square", json!("sam")),
        words(["nobody could be added: `sam`: ", missing, "There is no such user"]),
    ));
    are_refused(&stage, &cases).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn people_who_cannot_be_added() {
    let stage = Stage::new().await;
    let (stranger, gone) = (unique("stranger"), unique("gone"));
    assert_eq!(stage.new_person(&stranger).await["username"], stranger);
    let bot = json!({ "username": gone, "display_name": "Gone" });
    let bot = stage.admin("POST", "/bots", Some(bot)).await["user_id"].as_str().unwrap().to_owned();
    stage.put_on_team(&stage.team_id, &bot).await;
    stage.admin("POST", &format!("/bots/{bot}/disable"), None).await;
    let off_the_team = "The user is not on the channel's team: add them to it first";
    let nobody = "nobody could be added: ";
    let cases = [
        (
            "ghosts",
            add("town-square", json!("ghost-a, @ghost-b")),
            words([
                nobody,
                "`ghost-a` is no active user of this server",
                "`ghost-b` is no active user of this server",
            ]),
        ),
        (
            "stranger",
            add("town-square", json!([stranger])),
            vec![nobody.to_owned(), format!("`{stranger}`: "), off_the_team.to_owned()],
        ),
        (
            "gone",
            add("town-square", json!([gone])),
            vec![format!("{nobody}`{gone}` is no active user of this server")],
        ),
        (
            "template",
            add("town-square", json!("{{if eq .Trigger.Said.UserName \"nobody\"}}jon{{end}}")),
            words(["`users` names nobody: write usernames"]),
        ),
    ];
    are_refused(&stage, &cases).await;

    // Nine of ten in the room are better than none.
    let room = "room-{{.Instance.Number}}";
    let mut people = add(room, json!(["ghost", stranger, "jon", gone, "chris"]));
    people["name"] = json!("People");
    let told = json!({"name": "Told", "type": "post", "channel_name": room, "message": "{{.Action.People.Added}}|{{.Action.People.NotAdded}}"});
    let actions = json!([{"name": "Room", "type": "create_channel", "channel_name": room}, people, told]);
    stage.write_workflow("workflow.json", &drill(&actions));
    let service = stage.service().await;
    stage.say("jon", "town-square", "#drill").await;
    let room = stage.channel_id("room-1").await;
    stage.post(&room, &format!("jon,chris|ghost,{gone},{stranger}"), 1).await;
    let told = stage.post(&room, ":warning: Not everybody could be added: ", 1).await;
    let told = told["message"].as_str().unwrap();
    for part in
        ["`ghost` is no active user", &format!("`{stranger}`: "), off_the_team, &format!("`{gone}` is no")]
    {
        assert!(told.contains(part), "{part} is missing in {told}");
    }
    assert_eq!(stage.members(&room).await.len(), 3, "the bot, jon and chris");
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_name_that_is_taken_between_look_up_and_creation() {
    let stage = Stage::new().await;
    let service = stage.service().await;
    let mut creation = stage.proxy.hold_next("POST", "/api/v4/channels", 1);
    stage.say("jon", "town-square", "#sec x").await;
    creation.reached(1).await;
    let taken = stage.make_channel("jon", "security-issue-1", "Mine", "O").await;
    drop(creation);
    let town = stage.channel_id("town-square").await;
    let notice = stage.post(&town, ":warning: Incident **security_issue 1** is blocked", 1).await;
    let text = notice["message"].as_str().unwrap();
    assert!(text.contains("The name is taken, perhaps by an archived channel: choose another one"), "{text}");
    assert_eq!(stage.press("jon", &notice, "Use the next free number", None).await, 200);
    let room = stage.channel_id("security-issue-2").await;
    stage.post(&room, "New issue to triage", 1).await;
    assert_eq!(stage.messages(&taken).await, Vec::<String>::new(), "the other one's channel is left alone");
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_room_that_was_archived_by_hand_takes_no_post_until_it_is_back() {
    let room = "room-{{.Instance.Number}}";
    let workflow = json!([{
        "name": "drill",
        "triggers": [{"name": "Said", "type": "text", "match": "#drill"}],
        "steps": [
            {"name": "Do", "start_actions": [
                {"name": "Room", "type": "create_channel", "channel_name": room},
                {"name": "Ask", "type": "post", "channel_name": "town-square", "message": "Well?",
                 "transitions": [{"label": "On", "to": "Close"}]},
            ]},
            {"name": "Close", "start_actions": [
                {"name": "Bye", "type": "post", "channel_name": room, "message": "Bye"},
                {"name": "Archive", "type": "archive_channel", "channel_name": room},
                {"name": "Again", "type": "archive_channel", "channel_name": room},
                {"name": "Over", "type": "post", "channel_name": "town-square", "message": "It is over"},
            ]},
        ],
    }]);
    let stage = Stage::with_workflow(&workflow.to_string()).await;
    let service = stage.service().await;
    stage.say("jon", "town-square", "#drill").await;
    let room = stage.channel_id("room-1").await;
    let town = stage.channel_id("town-square").await;
    let ask = stage.post(&town, "Well?", 1).await;
    stage.archive(&room).await;
    stage
        .post(&town, ":warning: The channel ~room-1 of incident **drill 1** was archived by somebody", 1)
        .await;
    assert_eq!(stage.press("jon", &ask, "On", None).await, 200);
    let head = ":warning: Incident **drill 1** is blocked: in step `Close`, action `Bye` failed.";
    let notice = stage.post(&town, head, 1).await;
    let text = notice["message"].as_str().unwrap();
    assert!(text.contains("The channel is archived: unarchive it first"), "{text}");
    stage.admin("POST", &format!("/channels/{room}/restore"), None).await;
    assert_eq!(stage.press("jon", &notice, "Retry", None).await, 200);
    stage.post(&town, "It is over", 1).await;
    assert_eq!(stage.messages(&room).await, ["Bye"]);
    // The second archiving is refused by the server, and nobody needs to know.
    let refused = stage.messages(&town).await;
    assert!(!refused.iter().any(|text| text.contains("`Again` failed")), "{refused:?}");
    assert_ne!(stage.get(&format!("/channels/{room}")).await["delete_at"], 0);
    stage.at_rest(&service).await;
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bot_that_is_taken_from_the_team_is_told_to_the_operators() {
    let stage = Stage::new().await;
    let (other, _) = stage.another_team().await;
    stage.write_config(&format!("[operators]\nnotify = \"{other}/town-square\"\n"));
    let service = stage.service().await;
    let path = format!("/api/v4/teams/{}/channels/name/security-issue-1", stage.team_id);
    let mut look_up = stage.proxy.hold_next("GET", &path, 1);
    stage.say("jon", "town-square", "#sec x").await;
    look_up.reached(1).await;
    let membership = format!("/teams/{}/members/{}", stage.team_id, stage.bot_id);
    let gone = stage.admin("DELETE", &membership, None).await;
    assert_eq!(gone["status"], "OK", "{gone}");
    drop(look_up);
    let operators = stage.channel_of(&other, "town-square").await["id"].as_str().unwrap().to_owned();
    let notice = stage.post(&operators, ":warning: Incident **security_issue 1** is blocked", 1).await;
    let text = notice["message"].as_str().unwrap();
    assert!(text.contains("The bot lacks the permission: add it to the team"), "{text}");
    stage.put_on_team(&stage.team_id, &stage.bot_id).await;
    assert_eq!(stage.press("jon", &notice, "Retry", None).await, 200);
    let room = stage.channel_id("security-issue-1").await;
    stage.post(&room, "New issue to triage", 1).await;
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_that_is_refused_in_an_action_makes_it_wait() {
    let actions =
        json!([{"name": "Tell", "type": "post", "channel_name": "town-square", "message": "Told once"}]);
    let stage = Stage::with_workflow(&drill(&actions)).await;
    let service = stage.service().await;
    let mut telling = stage.proxy.hold_next("POST", "/api/v4/posts", 1);
    stage.say("jon", "town-square", "#drill").await;
    telling.reached(1).await;
    stage.revoke_bot_token().await;
    drop(telling);
    let url = format!("http://{}/readyz", service.address());
    stage
        .eventually("the refusal", async || {
            let answer = reqwest::get(&url).await.unwrap();
            (answer.status().as_u16() == 503).then_some(())
        })
        .await;
    assert_eq!(service.runner().open_runs().len(), 1, "it waits");
    stage.renew_bot_token().await;
    let town = stage.channel_id("town-square").await;
    stage.post(&town, "Told once", 1).await;
    stage.at_rest(&service).await;
    assert_eq!(stage.messages(&town).await, ["#drill", "Told once"], "and nothing is said of it");
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_wants_fewer_calls_is_left_alone_for_as_long_as_it_says() {
    let stage = Stage::new().await;
    let service = stage.service().await;
    stage.proxy.limit_next("POST", "/api/v4/channels", 3, 1);
    stage.say("jon", "town-square", "#sec x").await;
    let room = stage.channel_id("security-issue-1").await;
    stage.post(&room, "New issue to triage", 1).await;
    let [first, second] = stage.proxy.arrivals("POST", "/api/v4/channels")[..] else {
        panic!("not two tries")
    };
    let gap = second - first;
    assert!(gap >= Duration::from_secs(3), "tried again after {gap:?}");
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_post_that_the_server_is_still_writing_is_not_written_twice() {
    let actions =
        json!([{"name": "Tell", "type": "post", "channel_name": "town-square", "message": "Told once"}]);
    let stage = Stage::with_workflow(&drill(&actions)).await;
    let service = stage.service().await;
    let pending = "api.post.deduplicate_create_post.pending";
    stage.proxy.refuse_with("POST", "/api/v4/posts", "Told once", 500, pending);
    stage.say("jon", "town-square", "#drill").await;
    let town = stage.channel_id("town-square").await;
    stage.post(&town, "Told once", 1).await;
    stage.at_rest(&service).await;
    assert_eq!(stage.messages(&town).await, ["#drill", "Told once"]);
    assert_eq!(stage.proxy.arrivals("POST", "/api/v4/posts").len(), 2);
    service.stop().await;
}
