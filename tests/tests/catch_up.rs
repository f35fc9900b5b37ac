//! Nothing that was posted while nobody listened is lost, and nothing happens twice.

use crate::callbacks::Desk;
use crate::stage::{Stage, controls};
use serde_json::{Value, json};
use std::time::Duration;
use warroom::Service;

const TRIAGE: &str = "New issue to triage";

/// A workflow that only makes a numbered room.
pub(crate) fn rooms_only(more: &serde_json::Value) -> String {
    let mut workflow = json!({
        "name": "disk",
        "triggers": [{"name": "Alert", "type": "text", "match": "#disk"}],
        "steps": [
            {"name": "Look", "start_actions": [
                {"name": "Room", "type": "create_channel", "channel_name": "disk-{{.Instance.Number}}"},
                {"name": "Say", "type": "post", "channel_name": "disk-{{.Instance.Number}}",
                 "message": "Look: {{.Trigger.Alert.Message}}", "transitions": [{"label": "Done", "to": "End"}]},
            ]},
            {"name": "End", "start_actions": [{"name": "Bye", "type": "finished_workflow"}]},
        ],
    });
    if let (Some(workflow), Some(more)) = (workflow.as_object_mut(), more.as_object()) {
        workflow.extend(more.clone());
    }
    json!([workflow]).to_string()
}

/// A new stream that cannot be resumed, as after a long time without connection.
pub(crate) fn lose_the_stream(stage: &Stage) {
    stage.proxy.forget_streams();
}

/// So many posts that the server forgets the stream.
async fn chatter(stage: &Stage, count: usize) {
    for n in 0..count {
        stage.say("alex", "town-square", &format!("chatter {n}")).await;
    }
}

/// The connection breaks, that happens, and the connection is there again.
pub(crate) async fn unheard<T>(stage: &Stage, happens: impl Future<Output = T>) -> T {
    stage.proxy.go_away().await;
    lose_the_stream(stage);
    let done = happens.await;
    stage.proxy.come_back();
    done
}

/// Another public channel, with the bot in it; gives its id.
pub(crate) async fn new_channel(stage: &Stage, name: &str, has_bot: bool) -> String {
    let body = json!({ "team_id": stage.team_id, "name": name, "display_name": name, "type": "O" });
    let (status, made) = stage.call("POST", "/channels", stage.token("sam"), Some(body)).await;
    assert_eq!(status, 201, "{made}");
    let id = made["id"].as_str().unwrap().to_owned();
    if has_bot {
        invite(stage, &id).await;
    }
    id
}

pub(crate) async fn invite(stage: &Stage, channel_id: &str) {
    let member = json!({ "user_id": stage.bot_id });
    stage.admin("POST", &format!("/channels/{channel_id}/members"), Some(member)).await;
}

/// The first messages of the incidents' rooms, once there are so many of them, in the order of the incidents.
pub(crate) async fn looks(stage: &Stage, count: usize) -> Vec<String> {
    let mut looks = Vec::new();
    for n in 1..=count {
        let room = stage.channel_id(&format!("disk-{n}")).await;
        let look = stage.post(&room, "Look: ", 1).await;
        looks.push(look["message"].as_str().unwrap().trim_start_matches("Look: ").to_owned());
    }
    looks
}

/// Tells operators in off-topic.
pub(crate) async fn with_operators(stage: &Stage) -> String {
    let team = &stage.team;
    stage.write_config(&format!("[operators]\nnotify = \"{team}/off-topic\"\n"));
    let off_topic = stage.channel_id("off-topic").await;
    invite(stage, &off_topic).await;
    off_topic
}

pub(crate) async fn lag(service: &Service) -> f64 {
    let url = format!("http://{}/metrics", service.address());
    let text = reqwest::get(&url).await.unwrap().text().await.unwrap();
    let line = text.lines().find_map(|line| line.strip_prefix("warroom_catch_up_lag_seconds "));
    line.unwrap_or_else(|| panic!("{text}")).parse().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_posted_while_the_connection_was_gone_is_taken_in_once_and_in_order() {
    let stage = Stage::with_workflow(&rooms_only(&json!({}))).await;
    let service = stage.service().await;
    stage.proxy.go_away().await;
    lose_the_stream(&stage);
    stage.say("jon", "town-square", "#disk first").await;
    chatter(&stage, 1_000).await;
    stage.say("chris", "town-square", "#disk second").await;
    stage.proxy.come_back();
    let second = stage.channel_id("disk-2").await;
    stage.post(&second, "Look: #disk second", 1).await;
    let first = stage.channel_id("disk-1").await;
    assert_eq!(stage.messages(&first).await, ["Look: #disk first"]);
    // Once more, with nothing new: nothing happens twice.
    lose_the_stream(&stage);
    stage.say("jon", "town-square", "#disk third").await;
    stage.channel("disk-3").await;
    assert_eq!(stage.rooms().await.len(), 3);
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_posted_while_the_host_was_down_starts_an_incident() {
    let stage = Stage::new().await;
    let service = stage.service().await;
    stage.say("jon", "town-square", "nothing much").await;
    service.stop().await;
    stage.say("jon", "town-square", "#sec while the host was down").await;
    let service = stage.service().await;
    let room = stage.channel_id("security-issue-1").await;
    stage.post(&room, TRIAGE, 1).await;
    service.stop().await;
    let service = stage.service().await;
    stage.say("jon", "town-square", "#sec again").await;
    stage.channel("security-issue-2").await;
    assert_eq!(stage.rooms().await.len(), 2, "the first post started nothing more");
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_channel_that_is_seen_for_the_first_time_begins_now() {
    let stage = Stage::new().await;
    stage.say("jon", "town-square", "#sec long before warroom came").await;
    let service = stage.service().await;
    stage.say("jon", "town-square", "#sec now").await;
    let room = stage.channel_id("security-issue-1").await;
    let triage = stage.post(&room, TRIAGE, 1).await;
    assert!(triage["message"].as_str().unwrap().contains("#sec now"), "{triage}");
    assert_eq!(stage.rooms().await.len(), 1);
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_found_too_late_is_listed_and_a_person_starts_it() {
    let stage = Stage::with_workflow(&rooms_only(&json!({}))).await;
    let service = stage.service().await;
    stage.say("jon", "town-square", "hello").await;
    service.stop().await;
    let late = stage.say("jon", "town-square", "#disk long ago").await;
    stage.say("jon", "town-square", "#disk long ago too").await;
    tokio::time::sleep(Duration::from_millis(50)).await;
    let service = stage.service_with(&[("WARROOM_LIMITS_CATCH_UP_MAX_AGE_MS", "1")]).await;
    let town = stage.channel_id("town-square").await;
    let notice = stage.post(&town, ":hourglass:", 1).await;
    let notice = stage
        .eventually("both in the list", async || {
            let now = stage.fresh(&notice).await;
            (controls(&now).len() == 2).then_some(now)
        })
        .await;
    let text = notice["message"].as_str().unwrap();
    assert!(text.contains("#disk long ago") && text.contains(late["id"].as_str().unwrap()), "{text}");
    assert_eq!(stage.rooms().await, [""; 0]);

    assert_eq!(stage.press("chris", &notice, "Start 2", None).await, 200);
    let room = stage.channel_id("disk-1").await;
    stage.post(&room, "Look: #disk long ago too", 1).await;
    let now = stage.fresh(&notice).await;
    assert!(now["message"].as_str().unwrap().contains("was started as **disk 1** by @chris."), "{now}");
    assert_eq!(controls(&now).len(), 1);
    // After a restart the other one can still be started.
    service.stop().await;
    let service = stage.service().await;
    assert_eq!(stage.press("sam", &notice, "Start 1", None).await, 200);
    stage.channel("disk-2").await;
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_start_limit_holds_back_can_be_started() {
    let limit = json!({"start_limit": {"starts": 1, "minutes": 60}});
    let stage = Stage::with_workflow(&rooms_only(&limit)).await;
    let service = stage.service().await;
    stage.say("sam", "town-square", "#disk 1").await;
    stage.say("sam", "town-square", "#disk 2").await;
    let town = stage.channel_id("town-square").await;
    let notice = stage.post(&town, ":warning: **disk** has started 1 incidents", 1).await;
    assert_eq!(stage.rooms().await, ["disk-1"]);
    service.stop().await;
    let service = stage.service().await;
    assert_eq!(stage.press("jon", &notice, "Start 1", None).await, 200);
    let room = stage.channel_id("disk-2").await;
    stage.post(&room, "Look: #disk 2", 1).await;
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_that_are_too_long_are_read_in_parts() {
    let stage = Stage::with_workflow(&rooms_only(&json!({}))).await;
    let service = stage.service().await;
    // More than the 4 MiB that are read of one answer.
    let long = "\u{1f525}".repeat(16_000);
    unheard(&stage, async {
        stage.say("jon", "town-square", "#disk first").await;
        for _ in 0..70 {
            stage.say("jon", "town-square", &long).await;
        }
        stage.say("jon", "town-square", "#disk second").await;
    })
    .await;
    assert_eq!(looks(&stage, 2).await, ["#disk first", "#disk second"]);
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_post_that_cannot_be_read_is_passed_over_and_told() {
    let stage = Stage::with_workflow(&rooms_only(&json!({}))).await;
    let off_topic = with_operators(&stage).await;
    let service = stage.service().await;
    let town = stage.channel_id("town-square").await;
    unheard(&stage, async {
        stage.say("jon", "town-square", "#disk first").await;
        stage.say("jon", "town-square", "#disk second").await;
        stage.say("jon", "town-square", "whatever").await;
        // Empty answers to pages of 200, 50, 12, 3 posts and one.
        stage.proxy.fail_next("GET", &format!("/api/v4/channels/{town}/posts"), 200, 5);
        // And the channel of the operators is out of order for a while.
        stage.proxy.fail_next("GET", &format!("/api/v4/channels/{off_topic}/posts"), 500, 2);
    })
    .await;
    assert_eq!(looks(&stage, 2).await, ["#disk first", "#disk second"]);
    stage.post(&off_topic, ":warning: 1 of the posts to ~town-square", 1).await;
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_writer_who_cannot_be_looked_up_holds_up_nothing() {
    let stage = Stage::with_workflow(&rooms_only(&json!({}))).await;
    let service = stage.service().await;
    let jon = stage.person_id("jon").await;
    unheard(&stage, async {
        stage.say("jon", "town-square", "#disk by somebody").await;
        stage.say("chris", "town-square", "#disk by chris").await;
        stage.proxy.fail_next("POST", "/api/v4/users/ids", 500, 10_000);
        stage.proxy.fail_next("GET", &format!("/api/v4/users/{jon}"), 500, 10_000);
    })
    .await;
    assert_eq!(looks(&stage, 2).await, ["#disk by somebody", "#disk by chris"]);
    let mut starters = Vec::new();
    for id in service.runner().open_runs() {
        starters.push(service.runner().run(&id).await.unwrap().trigger.user.username.clone());
    }
    starters.sort();
    assert_eq!(starters, ["", "chris"]);
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn only_members_of_the_channel_start_what_was_held_back_there() {
    let stage =
        Stage::with_workflow(&rooms_only(&json!({"start_limit": {"starts": 1, "minutes": 60}}))).await;
    let side = new_channel(&stage, "side", true).await;
    let desk = Desk::on(stage).await;
    desk.stage.say("sam", "side", "#disk 1").await;
    desk.stage.say("sam", "side", "#disk 2").await;
    let notice = desk.stage.post(&side, ":warning: **disk** has started 1 incidents", 1).await;
    let mut press = desk.take("sam", &notice, "Start 1", None).await;
    (press["user_id"], press["user_name"]) = (json!(desk.stage.person_id("jon").await), json!("jon"));
    let told = desk.told(&press).await;
    assert_eq!(told, "Only members of this channel press here. Join it first, then press again.");
    assert_eq!(desk.service.runner().open_runs().len(), 1);
    (press["user_id"], press["user_name"]) = (json!(desk.stage.person_id("sam").await), json!("sam"));
    let mut elsewhere = press.clone();
    elsewhere["channel_id"] = json!(desk.stage.channel_id("town-square").await);
    assert_eq!(desk.hand_over(&elsewhere).await.0, 403, "it does not stand there");
    desk.shown(&press).await;
    desk.stage.channel("disk-2").await;
    desk.service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_channel_that_cannot_be_read_does_not_hold_up_the_others() {
    let stage = Stage::with_workflow(&rooms_only(&json!({}))).await;
    let off_topic = with_operators(&stage).await;
    let side = new_channel(&stage, "side", true).await;
    let service = stage.service_with(&[("WARROOM_LIMITS_ROOMS_CHECK_MS", "1000")]).await;
    unheard(&stage, async {
        stage.say("sam", "side", "#disk in a channel that fails").await;
        stage.say("jon", "town-square", "#disk in another").await;
        stage.proxy.fail_next("GET", &format!("/api/v4/channels/{side}/posts"), 500, 10_000);
    })
    .await;
    assert_eq!(looks(&stage, 1).await, ["#disk in another"]);
    stage.post(&off_topic, ":warning: What was posted to ~side", 1).await;
    // It is listened to all the same, and what was missed is not forgotten over that.
    stage.say("sam", "side", "#disk said live").await;
    assert_eq!(looks(&stage, 2).await[1], "#disk said live");
    assert!(lag(&service).await > 0.0);
    stage.proxy.mend();
    assert_eq!(looks(&stage, 3).await[2], "#disk in a channel that fails");
    assert_eq!(stage.rooms().await.len(), 4, "the side channel, and a room for each post");
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_dealt_with_is_not_looked_at_again_whatever_it_becomes() {
    let stage = Stage::with_workflow(&rooms_only(&json!({}))).await;
    let service = stage.service().await;
    let heard = stage.say("jon", "town-square", "nothing much").await;
    stage.say("jon", "town-square", "#disk first").await;
    looks(&stage, 1).await;
    let edit = async |post: &Value, text: &str| {
        let path = format!("/posts/{}/patch", post["id"].as_str().unwrap());
        let body = json!({ "message": text });
        assert_eq!(stage.call("PUT", &path, stage.token("jon"), Some(body)).await.0, 200);
    };
    // Edits never trigger, live or not; a post that nobody heard counts as it is.
    edit(&heard, "#disk by an edit").await;
    unheard(&stage, async {
        edit(&heard, "#disk by another edit").await;
        let unheard = stage.say("jon", "town-square", "#dsk").await;
        edit(&unheard, "#disk second").await;
    })
    .await;
    assert_eq!(looks(&stage, 2).await, ["#disk first", "#disk second"]);
    edit(&heard, "#disk by a third edit").await;
    stage.say("jon", "town-square", "#disk third").await;
    assert_eq!(looks(&stage, 3).await[2], "#disk third");
    service.stop().await;
    let service = stage.service().await;
    stage.say("jon", "town-square", "#disk fourth").await;
    assert_eq!(looks(&stage, 4).await[3], "#disk fourth");
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_server_wrote_out_of_order_is_taken_in() {
    let stage = Stage::with_workflow(&rooms_only(&json!({}))).await;
    let service = stage.service().await;
    stage.say("jon", "town-square", "#disk first").await;
    looks(&stage, 1).await;
    let town = stage.channel_id("town-square").await;
    let heard = stage.say("jon", "town-square", "heard before the connection broke").await;
    unheard(&stage, async {
        let at_ms = heard["create_at"].as_i64().unwrap() - 1;
        let body = json!({ "channel_id": town, "message": "#disk late", "create_at": at_ms });
        let late = stage.admin("POST", "/posts", Some(body)).await;
        assert_eq!(late["create_at"], at_ms, "{late}");
    })
    .await;
    assert_eq!(looks(&stage, 2).await[1], "#disk late");
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_channel_that_the_bot_was_just_invited_to_is_caught_up_too() {
    let stage = Stage::with_workflow(&rooms_only(&json!({}))).await;
    let side = new_channel(&stage, "side", false).await;
    stage.say("sam", "side", "#disk long before").await;
    let service = stage.service().await;
    stage.proxy.forget_requests();
    invite(&stage, &side).await;
    stage
        .eventually("the look at the membership", async || {
            let path = format!("/api/v4/channels/{side}/members/");
            stage.proxy.requests().iter().any(|(_, asked)| asked.starts_with(&path)).then_some(())
        })
        .await;
    unheard(&stage, stage.say("sam", "side", "#disk now")).await;
    assert_eq!(looks(&stage, 1).await, ["#disk now"]);
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_may_be_missed_has_an_age_until_it_is_read() {
    let stage = Stage::with_workflow(&rooms_only(&json!({}))).await;
    let service = stage.service().await;
    let is = async |what: &str, is_so: fn(f64) -> bool| {
        stage.eventually(what, async || is_so(lag(&service).await).then_some(())).await;
    };
    is("no lag", |lag| lag == 0.0).await;
    stage.proxy.go_away().await;
    is("a lag", |lag| lag > 0.0).await;
    is("a lag that grows", |lag| lag > 1.0).await;
    stage.proxy.come_back();
    is("no lag any more", |lag| lag == 0.0).await;
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn held_posts_are_listed_in_their_own_channel_and_the_first_who_starts_one_is_named() {
    let limit = json!({"start_limit": {"starts": 1, "minutes": 60}});
    let stage = Stage::with_workflow(&rooms_only(&limit)).await;
    let side = new_channel(&stage, "side", true).await;
    let town = stage.channel_id("town-square").await;
    let service = stage.service().await;
    for (channel, text) in [
        ("town-square", "#disk one"),
        ("town-square", "#disk two"),
        ("side", "#disk three"),
        ("side", "#disk four"),
    ] {
        stage.say("sam", channel, text).await;
    }
    let shows = async |channel_id: &str, parts: &[&str]| {
        stage
            .eventually("the notice", async || {
                let messages = stage.messages(channel_id).await;
                let mut notices = messages.into_iter().filter(|text| text.starts_with(":warning: **disk**"));
                let notice = notices.next()?;
                assert_eq!(notices.next(), None, "one for each channel");
                parts.iter().all(|part| notice.contains(part)).then_some(notice)
            })
            .await
    };
    let of_town = shows(&town, &["#disk two"]).await;
    let of_side = shows(&side, &["#disk three", "#disk four"]).await;
    assert!(!of_town.contains("#disk three") && !of_side.contains("#disk two"), "{of_town} {of_side}");

    // Two people press the same button at once; for the second one it may be gone already.
    let notice = stage.post(&town, ":warning: **disk**", 1).await;
    let control = controls(&notice)[0]["id"].as_str().unwrap().to_owned();
    let press = |name| stage.press_id(name, &notice, &control, None);
    let (one, other) = tokio::join!(press("jon"), press("chris"));
    assert!(one == 200 || other == 200, "{one} {other}");
    let now = shows(&town, &["was started as **disk 2** by @"]).await;
    assert_eq!(now.matches("was started as").count(), 1, "{now}");
    assert_eq!(looks(&stage, 2).await[1], "#disk two");
    assert_eq!(stage.rooms().await.len(), 3, "the side channel and two rooms");

    // A notice that somebody deletes is written anew, with what is still to be started.
    let notice = stage.post(&side, ":warning: **disk**", 1).await;
    stage.admin("DELETE", &format!("/posts/{}", notice["id"].as_str().unwrap()), None).await;
    stage.say("sam", "side", "#disk five").await;
    shows(&side, &["#disk four", "#disk five"]).await;
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn while_too_many_incidents_are_open_repeats_are_folded_and_the_rest_is_held() {
    let keyed = json!({"triggers": [{"name": "Alert", "type": "text", "match_regex": r"#disk (?P<host>\w+)",
        "key": "{{.Trigger.Alert.Groups.host}}"}]});
    let stage = Stage::with_workflow(&rooms_only(&keyed)).await;
    let service = stage.service_with(&[("WARROOM_LIMITS_OPEN_RUNS_MAX", "1")]).await;
    let town = stage.channel_id("town-square").await;
    for _ in 0..2 {
        stage.say("sam", "town-square", "#disk web1").await;
    }
    // The room has nobody in it, so it is told where it began.
    stage.post(&town, ":repeat: Reported", 1).await;
    for text in ["#disk web2", "#disk web3"] {
        stage.say("sam", "town-square", text).await;
    }
    stage
        .eventually("the notice of two posts", async || {
            let messages = stage.messages(&town).await;
            let mut notices = messages.iter().filter(|text| text.contains("1 incidents are open"));
            let notice = notices.next()?;
            assert_eq!(notices.next(), None);
            notice.contains("2 posts of **disk**").then_some(())
        })
        .await;
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_missed_in_several_channels_is_taken_in_in_the_order_of_its_writing() {
    let stage = Stage::with_workflow(&rooms_only(&json!({}))).await;
    let town = stage.channel_id("town-square").await;
    let side = new_channel(&stage, "side", true).await;
    let service = stage.service().await;
    let heard = stage.say("sam", "side", "heard before the connection broke").await;
    let texts = ["#disk one", "#disk two", "#disk three", "#disk four"];
    unheard(&stage, async {
        for (n, text) in (1..).zip(texts) {
            let channel_id = if n % 2 == 0 { &town } else { &side };
            let at_ms = heard["create_at"].as_i64().unwrap() + n;
            let body = json!({ "channel_id": channel_id, "message": text, "create_at": at_ms });
            stage.admin("POST", "/posts", Some(body)).await;
        }
    })
    .await;
    assert_eq!(looks(&stage, 4).await, texts);
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn webhooks_that_say_all_in_attachments_trigger_live_and_by_catch_up() {
    let stage = Stage::with_workflow(&rooms_only(&json!({}))).await;
    let town = stage.channel_id("town-square").await;
    let hook = json!({ "channel_id": town, "display_name": "Nagios" });
    let hook = stage.admin("POST", "/hooks/incoming", Some(hook)).await;
    let url = format!("{}/hooks/{}", stage.server(), hook["id"].as_str().unwrap());
    let says = async |title: &str| {
        let body = json!({ "username": "nagios", "attachments": [{ "title": title, "fields": [{ "title": "Host", "value": "web" }] }] });
        let answer = reqwest::Client::new().post(&url).json(&body).send().await.unwrap();
        assert_eq!(answer.status().as_u16(), 200);
    };
    let service = stage.service().await;
    says("#disk live").await;
    looks(&stage, 1).await;
    unheard(&stage, says("#disk unheard")).await;
    assert_eq!(looks(&stage, 2).await, ["#disk live\nHost\nweb", "#disk unheard\nHost\nweb"]);
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn where_more_was_posted_than_is_read_the_newest_is_taken_in_and_operators_are_told() {
    let stage = Stage::with_workflow(&rooms_only(&json!({}))).await;
    let off_topic = with_operators(&stage).await;
    let service = stage.service_with(&[("WARROOM_LIMITS_CATCH_UP_POSTS_MAX", "200")]).await;
    unheard(&stage, async {
        stage.say("jon", "town-square", "#disk too old").await;
        chatter(&stage, 450).await;
        stage.say("jon", "town-square", "#disk new").await;
    })
    .await;
    stage.post(&off_topic, ":warning: More was posted to ~town-square while nobody listened", 1).await;
    assert_eq!(looks(&stage, 1).await, ["#disk new"]);
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_proxy_that_knows_no_address_while_the_server_restarts_loses_no_post() {
    let stage = Stage::with_workflow(&rooms_only(&json!({}))).await;
    let service = stage.service().await;
    let town = stage.channel_id("town-square").await;
    stage.say("jon", "town-square", "#disk first").await;
    assert_eq!(looks(&stage, 1).await, ["#disk first"]);
    unheard(&stage, async {
        stage.say("jon", "town-square", "#disk second").await;
        stage.proxy.fail_next("GET", &format!("/api/v4/channels/{town}/posts"), 404, 2);
        stage.proxy.fail_next("GET", "/api/v4/users/me", 404, 4);
    })
    .await;
    assert_eq!(looks(&stage, 2).await, ["#disk first", "#disk second"]);
    let told = stage.messages(&town).await;
    assert!(!told.iter().any(|text| text.starts_with(":warning:")), "no room is lost: {told:?}");
    service.stop().await;
}
