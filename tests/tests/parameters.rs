//! Every parameter of every built-in action, as it comes out on the server.

use crate::stage::{Stage, controls, drill};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::iter;

/// Says `#drill` and waits until the run is over, which its last action tells in the channel where it was reported.
async fn play(stage: &Stage) {
    let service = stage.service().await;
    stage.say("sam", "town-square", "#drill").await;
    let town = stage.channel_id("town-square").await;
    stage.post(&town, "Played", 1).await;
    stage.at_rest(&service).await;
    service.stop().await;
}

/// The actions, and one that tells that they are done.
fn to_play(mut actions: Vec<Value>, message: &str) -> String {
    let message = format!("Played {message}");
    actions.push(json!({"name": "Told", "type": "post", "channel_name": "town-square", "message": message}));
    drill(&Value::Array(actions))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_channel_has_the_team_the_texts_and_the_privacy_that_are_written() {
    let stage = Stage::new().await;
    let (other, other_id) = stage.another_team().await;
    let room = |name: &str, more: Value| {
        let mut action = json!({"name": name, "type": "create_channel"});
        action["channel_name"] = json!(format!("{}-{{{{.Instance.Number}}}}", name.to_lowercase()));
        action.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        action
    };
    let actions = vec![
        room("Plain", json!({"private": false})),
        room(
            "Full",
            json!({"channel_displayname": "Room of {{.Trigger.Said.UserName}}", "private": true,
                   "header": "Reported in ~{{.Trigger.Said.ChannelName}}", "purpose": "Drill {{.Instance.Number}}"}),
        ),
        room("Word", json!({"private": "Yes"})),
        room("Yes", json!({"private": "{{if .Trigger.Said.UserName}}yes{{end}}"})),
        room("No", json!({"private": "{{if eq .Trigger.Said.UserName \"sam\"}}No{{else}}Yes{{end}}"})),
        room("Tilde", json!({"channel_name": "~tilde-{{.Instance.Number}}"})),
        room("Elsewhere", json!({"team_name": other, "channel_displayname": "Elsewhere"})),
    ];
    let told = "{{.Action.Elsewhere.ChannelName}} {{.Action.Elsewhere.ChannelID}}";
    stage.write_workflow("workflow.json", &to_play(actions, told));
    play(&stage).await;

    let of_room = async |handle: &str| stage.channel(handle).await;
    let plain = of_room("plain-1").await;
    let shown = |channel: &Value| {
        ["type", "display_name", "header", "purpose"].map(|key| channel[key].as_str().unwrap().to_owned())
    };
    assert_eq!(shown(&plain), ["O", "plain-1", "", ""], "what is not written has its default");
    let full = of_room("full-1").await;
    assert_eq!(shown(&full), ["P", "Room of sam", "Reported in ~town-square", "Drill 1"]);
    for (handle, kind) in [("word-1", "P"), ("yes-1", "P"), ("no-1", "O"), ("tilde-1", "O")] {
        assert_eq!(of_room(handle).await["type"], kind, "{handle}");
    }
    let elsewhere = stage.channel_of(&other, "elsewhere-1").await;
    assert_eq!((&elsewhere["team_id"], &elsewhere["display_name"]), (&json!(other_id), &json!("Elsewhere")));
    let town = stage.channel_id("town-square").await;
    let told = format!("Played elsewhere-1 {}", elsewhere["id"].as_str().unwrap());
    assert!(stage.messages(&town).await.contains(&told));
}

#[tokio::test(flavor = "multi_thread")]
async fn texts_that_are_too_long_for_the_server_are_shortened() {
    // Of two bytes each: what counts is characters.
    let long = |characters: usize| "é".repeat(characters);
    let shortened = |characters: usize| format!("{}…", long(characters - 1));
    let actions = vec![
        json!({"name": "Room", "type": "create_channel", "channel_name": "long-{{.Instance.Number}}",
               "channel_displayname": long(65), "header": long(1_025), "purpose": long(251)}),
        json!({"name": "Fits", "type": "create_channel", "channel_name": "fits-{{.Instance.Number}}",
               "channel_displayname": long(64), "header": long(1_024), "purpose": long(250)}),
        json!({"name": "Long", "type": "post", "channel_name": "long-{{.Instance.Number}}", "message": long(16_384)}),
        json!({"name": "FitsPost", "type": "post", "channel_name": "fits-{{.Instance.Number}}", "message": long(16_383)}),
    ];
    let stage = Stage::with_workflow(&to_play(actions, "")).await;
    play(&stage).await;
    for (handle, text) in [("long-1", &shortened as &dyn Fn(usize) -> String), ("fits-1", &long)] {
        let channel = stage.channel(handle).await;
        for (key, characters) in [("display_name", 64), ("header", 1_024), ("purpose", 250)] {
            assert_eq!(channel[key], text(characters), "{key} of {handle}");
        }
        let messages = stage.messages(channel["id"].as_str().unwrap()).await;
        assert_eq!(messages, [text(16_383)], "{handle}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn people_are_brought_in_and_called_as_is_written() {
    let stage = Stage::new().await;
    let (other, _) = stage.another_team().await;
    let ids = async |names: &[&str]| {
        let mut ids = BTreeSet::from([stage.bot_id.clone()]);
        for name in names {
            ids.insert(stage.person_id(name).await);
        }
        ids
    };
    let alex = stage.person_id("alex").await;
    let cases = [
        ("a", json!(["jon", "@chris", alex]), json!(true), &["jon", "chris", "alex"][..]),
        ("b", json!(format!("@jon, sam {alex}")), json!("Yes"), &["jon", "sam", "alex"]),
        (
            "c",
            json!("{{.Trigger.Said.UserName}}"),
            json!("{{if .Instance.Number}}yes{{else}}no{{end}}"),
            &["sam"],
        ),
        (
            "d",
            json!(["{{.Trigger.Said.UserName}}", "jon"]),
            json!("{{if .Instance.Number}}No{{end}}"),
            &["sam", "jon"],
        ),
        ("e", json!(["chris"]), json!(false), &["chris"]),
        ("f", json!(["chris"]), Value::Null, &["chris"]),
    ];
    let mut actions = Vec::new();
    for (letter, users, notify, _) in &cases {
        let room = format!("{letter}-{{{{.Instance.Number}}}}x");
        actions
            .push(json!({"name": format!("Room_{letter}"), "type": "create_channel", "channel_name": room}));
        let mut add = json!({"name": format!("People_{letter}"), "type": "add_users_channel",
                             "channel_name": room, "users": users});
        if !notify.is_null() {
            add["notify"] = notify.clone();
        }
        actions.push(add);
    }
    actions.push(json!({"name": "Far", "type": "create_channel", "team_name": other, "channel_name": "far-{{.Instance.Number}}"}));
    actions.push(json!({"name": "People", "type": "add_users_channel", "team_name": other,
                        "channel_name": "far-{{.Instance.Number}}", "users": ["jon"], "notify": true}));
    let told = "{{.Action.People_a.Added}} and {{.Action.People_a.NotAdded}}.";
    stage.write_workflow("workflow.json", &to_play(actions, told));
    play(&stage).await;

    for (letter, _, notify, names) in &cases {
        let room = stage.channel_id(&format!("{letter}-1x")).await;
        assert_eq!(stage.members(&room).await, ids(names).await, "{letter}");
        let calls = *notify == json!(true) || ["b", "c"].contains(letter);
        let mentions: Vec<String> = names.iter().map(|name| format!("@{name}")).collect();
        let called = calls.then(|| format!("{}: you are needed here.", mentions.join(" ")));
        assert_eq!(stage.messages(&room).await, Vec::from_iter(called), "{letter}");
    }
    let far = stage.channel_of(&other, "far-1").await["id"].as_str().unwrap().to_owned();
    assert_eq!(stage.members(&far).await, ids(&["jon"]).await);
    assert_eq!(stage.messages(&far).await, ["@jon: you are needed here."]);
    let town = stage.channel_id("town-square").await;
    assert!(stage.messages(&town).await.contains(&"Played jon,chris,alex and .".to_owned()));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_post_finds_its_channel_however_that_is_written() {
    let stage = Stage::new().await;
    let (other, _) = stage.another_team().await;
    let town = stage.channel_id("town-square").await;
    let desk = stage.make_channel("jon", "desk", "Ops and Safety", "O").await;
    let quiet = stage.make_channel("jon", "quiet", "Quiet Room", "P").await;
    let member = json!({ "user_id": stage.bot_id });
    stage.admin("POST", &format!("/channels/{quiet}/members"), Some(member)).await;
    let channels =
        ["town-square", "~town-square", &town, "Town Square", "Ops and Safety", "~desk", &desk, "Quiet Room"];
    let mut actions: Vec<Value> = iter::zip(1.., channels)
        .map(|(n, channel)| json!({"name": format!("Post{n}"), "type": "post", "channel_name": channel, "message": format!("To {n}")}))
        .collect();
    actions.push(json!({"name": "Far", "type": "post", "team_name": other, "channel_name": "Town Square", "message": "To another team"}));
    stage.write_workflow("workflow.json", &to_play(actions, "{{.Action.Post5.ChannelID}}"));
    play(&stage).await;

    let told = format!("Played {desk}");
    assert_eq!(stage.messages(&town).await, ["#drill", "To 1", "To 2", "To 3", "To 4", &told]);
    assert_eq!(stage.messages(&desk).await, ["To 5", "To 6", "To 7"]);
    assert_eq!(stage.messages(&quiet).await, ["To 8"]);
    let far = stage.channel_of(&other, "town-square").await;
    assert_eq!(stage.messages(far["id"].as_str().unwrap()).await, ["To another team"]);
}

/// What people see of a post's controls: type, label, and what a menu offers.
fn offered(post: &Value) -> Vec<String> {
    let option = |option: &Value| {
        assert_eq!(option["text"], option["value"], "{post:#}");
        option["text"].as_str().unwrap().to_owned()
    };
    let offer = |control: &Value| {
        let options: Vec<String> = control["options"].as_array().into_iter().flatten().map(option).collect();
        let [kind, name] = ["type", "name"].map(|key| control[key].as_str().unwrap());
        format!("{kind} {name} {}", options.join("|")).trim_end().to_owned()
    };
    controls(post).iter().map(offer).collect()
}

fn attachment_texts(post: &Value) -> Vec<[String; 2]> {
    let texts =
        |attachment: &Value| ["title", "text"].map(|key| attachment[key].as_str().unwrap().to_owned());
    post["props"]["attachments"].as_array().unwrap().iter().map(texts).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn fields_and_transitions_are_shown_as_they_are_written() {
    let on = json!([{"label": "On", "to": "End"}]);
    let ask = |name: &str, more: Value| {
        let mut action =
            json!({"name": name, "type": "post", "channel_name": "town-square", "message": name});
        action.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        action
    };
    let actions = json!([
        ask("Bare", json!({"transitions": on, "fields": [{"name": "Alert", "type": "button"}]})),
        ask("Titled", json!({
            "fields_title": "Details of {{.Instance.Number}}", "transitions_title": "Next", "transition_title": "Never seen",
            "fields": [
                {"name": "Alert", "type": "button", "description": "Calls @{{.Trigger.Said.UserName}}"},
                {"name": "How_Bad", "type": "options", "description": "How bad it is", "options": ["S1", "like {{.Instance.Number}}"]},
            ],
            "transitions": [{"label": "On to {{.Instance.Number}}", "description": "It is over", "to": "End"}],
        })),
        ask("Alias", json!({"transition_title": "Alias", "transitions": on})),
        ask("Blank", json!({"fields_title": " ", "transitions_title": "", "transitions": on,
                            "fields": [{"name": "Alert", "type": "button"}]})),
        {"name": "Wordless", "type": "post", "channel_name": "~off-topic", "transitions": on},
        ask("Last", json!({})),
    ]);
    let stage = Stage::with_workflow(&drill(&actions)).await;
    let service = stage.service().await;
    stage.say("sam", "town-square", "#drill").await;
    let town = stage.channel_id("town-square").await;
    stage.post(&town, "Last", 1).await;
    let bare = stage.post(&town, "Bare", 1).await;
    assert_eq!(attachment_texts(&bare), [["Fields", "**Alert**"], ["Transitions", "**On**"]]);
    assert_eq!(offered(&bare), ["button Alert", "button On"]);
    let titled = stage.post(&town, "Titled", 1).await;
    assert_eq!(
        attachment_texts(&titled),
        [
            ["Details of 1", "**Alert**: Calls @sam\n**How_Bad**: How bad it is"],
            ["Next", "**On to 1**: It is over"]
        ]
    );
    assert_eq!(offered(&titled), ["button Alert", "select How_Bad S1|like 1", "button On to 1"]);
    assert_eq!(attachment_texts(&stage.post(&town, "Alias", 1).await), [["Alias", "**On**"]]);
    let blank = attachment_texts(&stage.post(&town, "Blank", 1).await);
    assert_eq!(blank, [["Fields", "**Alert**"], ["Transitions", "**On**"]]);
    let off_topic = stage.channel_id("off-topic").await;
    let wordless = stage.posts(&off_topic).await.pop().unwrap();
    assert_eq!((&wordless["message"], offered(&wordless)), (&json!(""), vec!["button On".to_owned()]));

    assert_eq!(stage.press("jon", &titled, "How_Bad", Some("like 1")).await, 200);
    assert_eq!(stage.press("jon", &wordless, "On", None).await, 200);
    stage.at_rest(&service).await;
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn only_those_may_press_whom_allowed_names_in_whatever_way() {
    let stage = Stage::new().await;
    let alex = stage.person_id("alex").await;
    let transitions = json!([
        {"label": "List", "to": "Do", "allowed": ["@jon", "chris"]},
        {"label": "Text", "to": "Do", "allowed": "jon, @{{.Trigger.Said.UserName}}"},
        {"label": "Id", "to": "End", "allowed": [alex]},
    ]);
    let ask = json!([{"name": "Ask", "type": "post", "channel_name": "town-square", "message": "Well?", "transitions": transitions}]);
    stage.write_workflow("workflow.json", &drill(&ask));
    let service = stage.service().await;
    stage.say("sam", "town-square", "#drill").await;
    let town = stage.channel_id("town-square").await;
    let presses = [
        ("List", &["sam", "alex"][..], "chris"),
        ("Text", &["chris", "alex"], "sam"),
        ("Id", &["jon", "chris", "sam"], "alex"),
    ];
    for (visit, (label, others, entitled)) in iter::zip(1.., presses) {
        let ask = stage.post(&town, "Well?", visit).await;
        let text = &attachment_texts(&ask)[0][1];
        let shown =
            format!("**List** (only `jon`, `chris`)\n**Text** (only `jon`, `sam`)\n**Id** (only `{alex}`)");
        assert_eq!(text, &shown);
        for other in others {
            assert_eq!(stage.press(other, &ask, label, None).await, 200, "refused in words");
            assert_eq!(controls(&stage.fresh(&ask).await).len(), 3, "{other} may not press {label}");
        }
        assert_eq!(stage.press(entitled, &ask, label, None).await, 200);
    }
    stage.at_rest(&service).await;
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_channel_of_another_team_can_be_archived() {
    let stage = Stage::new().await;
    let (other, _) = stage.another_team().await;
    let room = |name: &str| json!({"name": name, "type": "create_channel", "channel_name": "same-{{.Instance.Number}}", "private": true});
    let mut far = room("Far");
    far["team_name"] = json!(other);
    let actions = vec![
        room("Near"),
        far,
        json!({"name": "Close", "type": "archive_channel", "channel_name": "~same-{{.Instance.Number}}", "team_name": other}),
    ];
    stage.write_workflow("workflow.json", &to_play(actions, ""));
    play(&stage).await;
    assert_ne!(stage.channel_of(&other, "same-1").await["delete_at"], 0);
    assert_eq!(stage.channel("same-1").await["delete_at"], 0, "the one of the same name stays");
}

#[tokio::test(flavor = "multi_thread")]
async fn every_action_type_is_tried_and_given_up_as_is_written() {
    let actions = vec![
        json!({"name": "Room", "type": "create_channel", "channel_name": "lost-{{.Instance.Number}}"}),
        json!({"name": "People", "type": "add_users_channel", "channel_name": "side", "users": "jon", "notify": "Yes"}),
        json!({"name": "Lost", "type": "post", "channel_name": "side", "message": "Lost words"}),
        json!({"name": "Close", "type": "archive_channel", "channel_name": "side"}),
    ];
    let once = |mut action: Value| {
        (action["on_error"], action["retry"]) = (json!("continue"), json!({"tries": 1, "minutes": 5}));
        action
    };
    let mut actions: Vec<Value> = actions.into_iter().map(once).collect();
    actions.push(
        json!({"name": "Twice", "type": "post", "channel_name": "side", "message": "Said at the second time",
                        "on_error": "block", "retry": {"tries": 100, "minutes": 1}}),
    );
    actions.push(
        json!({"name": "Once", "type": "post", "channel_name": "side", "message": "Said after a press",
                        "retry": {"tries": 1, "minutes": 5}}),
    );
    let stage = Stage::with_workflow(&to_play(actions, "")).await;
    let side = stage.make_channel("jon", "side", "Side", "O").await;
    let member = json!({ "user_id": stage.bot_id });
    stage.admin("POST", &format!("/channels/{side}/members"), Some(member)).await;
    let service = stage.service().await;
    let busy = |method: &str, path: &str, words: &str| {
        stage.proxy.refuse_with(method, path, words, 500, "app.busy.app_error");
    };
    busy("POST", "/api/v4/channels", "lost-1");
    busy("POST", "/api/v4/channels/", &stage.person_id("jon").await);
    busy("POST", "/api/v4/posts", "Lost words");
    busy("DELETE", "/api/v4/channels/", "");
    busy("POST", "/api/v4/posts", "Said at the second time");
    busy("POST", "/api/v4/posts", "Said after a press");
    stage.say("sam", "town-square", "#drill").await;
    let town = stage.channel_id("town-square").await;
    let notice = stage
        .post(&town, ":warning: Incident **drill 1** is blocked: in step `Do`, action `Once` failed", 1)
        .await;
    assert!(notice["message"].as_str().unwrap().contains("(given up after 1 tries in 0 s)"), "{notice:#}");
    assert_eq!(stage.messages(&side).await, ["Said at the second time"]);
    // There is no room: it is for who reported it.
    assert_eq!(stage.press("sam", &notice, "Retry", None).await, 200);
    stage.post(&town, "Played", 1).await;
    stage.at_rest(&service).await;
    service.stop().await;

    assert_eq!(stage.messages(&side).await, ["Said at the second time", "Said after a press"]);
    let warned: Vec<String> = stage.messages(&town).await;
    for name in ["Room", "People", "Lost", "Close"] {
        let head =
            format!(":warning: Incident **drill 1**: action `{name}` failed, and the incident went on");
        let told = warned.iter().find(|text| text.starts_with(&head));
        assert!(told.is_some_and(|text| text.contains("app.busy.app_error")), "{name}: {warned:#?}");
    }
}
