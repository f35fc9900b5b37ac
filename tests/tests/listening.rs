//! The bot hears what it is to hear, whatever the server allows and whatever happens to channels and teams.

use crate::catch_up::{invite, looks, new_channel, rooms_only, unheard, with_operators};
use crate::stage::Stage;
use serde_json::json;

/// A post that the server wrote at this time.
async fn write_at(stage: &Stage, channel: &str, message: &str, at_ms: i64) {
    let channel_id = stage.channel_id(channel).await;
    let body = json!({ "channel_id": channel_id, "message": message, "create_at": at_ms });
    let written = stage.admin("POST", "/posts", Some(body)).await;
    assert_eq!(written["create_at"], at_ms, "{written}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_missed_is_read_however_few_calls_the_server_allows() {
    let stage = Stage::with_workflow(&rooms_only(&json!({}))).await;
    let mut channels = Vec::new();
    for n in 0..30 {
        let name = format!("side-{n}");
        new_channel(&stage, &name, true).await;
        channels.push(name);
    }
    let service = stage.service().await;
    unheard(&stage, async {
        for name in &channels {
            stage.say("sam", name, "nothing much").await;
        }
        stage.say("sam", "side-7", "#disk first").await;
        stage.say("sam", "side-29", "#disk second").await;
        stage.proxy.limit_rate(10.0, 5.0);
    })
    .await;
    let mut looks = looks(&stage, 2).await;
    looks.sort();
    assert_eq!(looks, ["#disk first", "#disk second"]);
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_written_out_of_order_around_a_restart_is_taken_in_and_nothing_else() {
    let stage = Stage::with_workflow(&rooms_only(&json!({}))).await;
    let service = stage.service().await;
    let early = stage.say("jon", "town-square", "dealt with before the stop").await;
    let heard = stage.say("jon", "town-square", "the last one before the stop").await;
    stage.say("jon", "town-square", "#disk first").await;
    looks(&stage, 1).await;
    service.stop().await;
    let at_ms = heard["create_at"].as_i64().unwrap();
    write_at(&stage, "town-square", "#disk a little late", at_ms).await;
    // What was dealt with is not looked at again, whatever it becomes.
    let path = format!("/posts/{}/patch", early["id"].as_str().unwrap());
    let edit = json!({ "message": "#disk by an edit" });
    assert_eq!(stage.call("PUT", &path, stage.token("jon"), Some(edit)).await.0, 200);
    let service = stage.service().await;
    assert_eq!(looks(&stage, 2).await, ["#disk first", "#disk a little late"]);
    stage.say("jon", "town-square", "#disk third").await;
    assert_eq!(looks(&stage, 3).await[2], "#disk third");
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn posts_of_one_millisecond_are_taken_in_wherever_a_page_ends() {
    let stage =
        Stage::with_workflow(&rooms_only(&json!({"start_limit": {"starts": 100, "minutes": 1}}))).await;
    let service = stage.service().await;
    let heard = stage.say("jon", "town-square", "heard before the connection broke").await;
    let at_ms = heard["create_at"].as_i64().unwrap();
    unheard(&stage, async {
        // The newest page of 200 posts ends within these.
        write_at(&stage, "town-square", "#disk first", at_ms + 1).await;
        write_at(&stage, "town-square", "#disk first", at_ms + 1).await;
        write_at(&stage, "town-square", "whatever", at_ms + 1).await;
        for _ in 0..199 {
            write_at(&stage, "town-square", "nothing much", at_ms + 2).await;
        }
    })
    .await;
    assert_eq!(looks(&stage, 2).await, ["#disk first"; 2]);
    unheard(&stage, async {
        // More than a page, with one before and after.
        write_at(&stage, "town-square", "#disk third", at_ms + 3).await;
        write_at(&stage, "town-square", "#disk fourth", at_ms + 4).await;
        for _ in 0..205 {
            write_at(&stage, "town-square", "nothing much", at_ms + 4).await;
        }
        write_at(&stage, "town-square", "nothing much", at_ms + 5).await;
    })
    .await;
    assert_eq!(looks(&stage, 4).await[2..], ["#disk third", "#disk fourth"]);
    service.stop().await;
}

/// The message in the room of a team's incident.
async fn look(stage: &Stage, team: &str, room: &str) -> String {
    let room = stage.channel_of(team, room).await;
    let look = stage.post(room["id"].as_str().unwrap(), "Look: ", 1).await;
    look["message"].as_str().unwrap().trim_start_matches("Look: ").to_owned()
}

/// Posts to a team's Town Square as jon.
async fn say_in(stage: &Stage, team: &str, message: &str) {
    let town = stage.channel_of(team, "town-square").await;
    let body = json!({ "channel_id": town["id"], "message": message });
    let (status, post) = stage.call("POST", "/posts", stage.token("jon"), Some(body)).await;
    assert_eq!(status, 201, "{post}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_team_whose_public_channels_are_hidden_keeps_the_bot_from_no_other() {
    let stage = Stage::with_workflow(&rooms_only(&json!({}))).await;
    let off_topic = with_operators(&stage).await;
    let (other, other_id) = stage.another_team().await;
    let side = new_channel(&stage, "side", false).await;
    stage.proxy.forbid_next("GET", &format!("/api/v4/teams/{other_id}/channels"), 10_000);
    let service = stage
        .service_with(&[("WARROOM_MATTERMOST_WATCH", "all"), ("WARROOM_LIMITS_ROOMS_CHECK_MS", "1000")])
        .await;
    assert!(stage.members(&side).await.contains(&stage.bot_id));
    let told = stage.post(&off_topic, &format!(":warning: The public channels of the team {other}"), 1).await;
    assert!(told["message"].as_str().unwrap().contains("invite @"), "{told}");
    stage.say("sam", "side", "#disk one").await;
    assert_eq!(look(&stage, &stage.team, "disk-1").await, "#disk one");
    // Where the bot is already, it hears what is said.
    say_in(&stage, &other, "#disk two").await;
    // The room cannot be made, since whether its name is free is hidden, too.
    stage.eventually("the incident", async || (service.runner().open_runs().len() == 2).then_some(())).await;
    let said = stage.messages(&off_topic).await;
    assert_eq!(said.iter().filter(|text| text.contains("The public channels")).count(), 1, "{said:?}");
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_team_whose_channels_cannot_be_listed_is_caught_up_once_they_can() {
    let stage = Stage::with_workflow(&rooms_only(&json!({}))).await;
    let off_topic = with_operators(&stage).await;
    let (other, other_id) = stage.another_team().await;
    let service = stage.service_with(&[("WARROOM_LIMITS_ROOMS_CHECK_MS", "1000")]).await;
    say_in(&stage, &other, "nothing much").await;
    unheard(&stage, async {
        say_in(&stage, &other, "#disk where nobody listened").await;
        stage.say("jon", "town-square", "#disk one").await;
        for whom in ["me", &stage.bot_id] {
            let path = format!("/api/v4/users/{whom}/teams/{other_id}/channels");
            stage.proxy.fail_next("GET", &path, 500, 10_000);
        }
    })
    .await;
    assert_eq!(look(&stage, &stage.team, "disk-1").await, "#disk one");
    stage.post(&off_topic, &format!(":warning: The bot's channels in the team {other}"), 1).await;
    // It is listened to all the same, and what was missed is not forgotten over that.
    say_in(&stage, &other, "#disk said live").await;
    assert_eq!(look(&stage, &other, "disk-2").await, "#disk said live");
    stage.proxy.mend();
    assert_eq!(look(&stage, &other, "disk-3").await, "#disk where nobody listened");
    service.stop().await;
}

/// A workflow that listens to one channel.
fn listens_to(channel: &str) -> String {
    let trigger = json!({ "name": "Alert", "type": "text", "match": "#disk", "channel_name": channel });
    rooms_only(&json!({ "triggers": [trigger] }))
}

/// What operators are told of; they could have been told of the rest by then.
fn also_listen_to_nowhere(stage: &Stage) {
    let other = listens_to("nowhere").replace("\"disk\"", "\"other\"").replace("disk-", "other-");
    stage.write_workflow("nowhere.json", &other);
}

/// Jon makes a channel and brings the bot in: only members bring others into a private one.
async fn with_the_bot(stage: &Stage, handle: &str, display_name: &str, kind: &str) {
    let channel = stage.make_channel("jon", handle, display_name, kind).await;
    let member = json!({ "user_id": stage.bot_id });
    let path = format!("/channels/{channel}/members");
    assert_eq!(stage.call("POST", &path, stage.token("jon"), Some(member)).await.0, 201);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_channel_that_is_missing_is_told_once_whatever_it_is_called() {
    for name in ["mine", "public"] {
        let stage = Stage::with_workflow(&listens_to(name)).await;
        let off_topic = with_operators(&stage).await;
        let service = stage.service_with(&[("WARROOM_LIMITS_ROOMS_CHECK_MS", "1000")]).await;
        stage.post(&off_topic, ":warning: A trigger listens to", 1).await;
        let path = format!("/api/v4/teams/{}/channels/name/{name}", stage.team_id);
        let looked = async || (stage.proxy.arrivals("GET", &path).len() > 3).then_some(());
        stage.eventually("further looks", looked).await;
        assert_eq!(stage.messages(&off_topic).await.len(), 1);
        service.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_channel_that_is_called_like_one_that_a_trigger_names_does_not_stand_in_for_it() {
    let stage = Stage::with_workflow(&listens_to("alerts")).await;
    let alerts = new_channel(&stage, "alerts", false).await;
    for (handle, kind) in [("noise", "O"), ("whisper", "P")] {
        with_the_bot(&stage, handle, "alerts", kind).await;
    }
    let service = stage.service().await;
    assert!(stage.members(&alerts).await.contains(&stage.bot_id));
    stage.say("sam", "alerts", "#disk one").await;
    assert_eq!(look(&stage, &stage.team, "disk-1").await, "#disk one");
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_private_channel_that_a_trigger_names_as_people_do_is_not_missed() {
    let stage = Stage::with_workflow(&listens_to("Secret alerts")).await;
    let off_topic = with_operators(&stage).await;
    with_the_bot(&stage, "renamed-since", "Secret alerts", "P").await;
    also_listen_to_nowhere(&stage);
    let service = stage.service().await;
    stage.post(&off_topic, ":warning: A trigger listens to \u{201c}nowhere\u{201d}", 1).await;
    stage.say("jon", "renamed-since", "#disk one").await;
    assert_eq!(look(&stage, &stage.team, "disk-1").await, "#disk one");
    let said = stage.messages(&off_topic).await;
    assert!(!said.iter().any(|text| text.contains("Secret alerts")), "{said:?}");
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_channel_that_is_named_by_its_id_is_missed_on_no_other_team() {
    let stage = Stage::new().await;
    stage.another_team().await;
    let off_topic = with_operators(&stage).await;
    let side = new_channel(&stage, "side", false).await;
    stage.write_workflow("workflow.json", &listens_to(&side));
    also_listen_to_nowhere(&stage);
    let service = stage.service().await;
    assert!(stage.members(&side).await.contains(&stage.bot_id));
    // On both teams.
    stage.post(&off_topic, ":warning: A trigger listens to \u{201c}nowhere\u{201d}", 2).await;
    stage.say("sam", "side", "#disk one").await;
    assert_eq!(look(&stage, &stage.team, "disk-1").await, "#disk one");
    let said = stage.messages(&off_topic).await;
    assert!(!said.iter().any(|text| text.contains(&side)), "{said:?}");
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_channel_that_cannot_be_joined_for_long_is_told() {
    let stage = Stage::with_workflow(&listens_to("side")).await;
    let off_topic = with_operators(&stage).await;
    let side = new_channel(&stage, "side", false).await;
    stage.proxy.fail_next("POST", &format!("/api/v4/channels/{side}/members"), 500, 10_000);
    let service = stage.service_with(&[("WARROOM_LIMITS_ROOMS_CHECK_MS", "1000")]).await;
    stage.post(&off_topic, ":warning: The bot cannot join ~side, so it hears nothing there", 1).await;
    stage.proxy.mend();
    let joined = async || stage.members(&side).await.contains(&stage.bot_id).then_some(());
    stage.eventually("the bot in the channel", joined).await;
    service.stop().await;
}

async fn turn_out(stage: &Stage, channel_id: &str) {
    let gone = stage.admin("DELETE", &format!("/channels/{channel_id}/members/{}", stage.bot_id), None).await;
    assert_eq!(gone["status"], "OK", "{gone}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_posted_while_the_bot_was_out_of_a_channel_is_read_when_it_is_back() {
    let stage = Stage::with_workflow(&rooms_only(&json!({}))).await;
    let side = new_channel(&stage, "side", true).await;
    let service = stage.service().await;
    stage.say("sam", "side", "#disk first").await;
    looks(&stage, 1).await;
    turn_out(&stage, &side).await;
    stage.say("sam", "side", "#disk second").await;
    invite(&stage, &side).await;
    stage.say("sam", "side", "#disk third").await;
    assert_eq!(looks(&stage, 3).await, ["#disk first", "#disk second", "#disk third"]);
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_posted_until_the_bot_joined_a_channel_again_is_read() {
    let trigger = json!([{"name": "Alert", "type": "text", "match": "#disk", "channel_name": "side"}]);
    let stage = Stage::with_workflow(&rooms_only(&json!({ "triggers": trigger }))).await;
    let side = new_channel(&stage, "side", false).await;
    let service = stage.service_with(&[("WARROOM_LIMITS_ROOMS_CHECK_MS", "1000")]).await;
    stage.say("sam", "side", "#disk first").await;
    looks(&stage, 1).await;
    turn_out(&stage, &side).await;
    stage.say("sam", "side", "#disk second").await;
    assert_eq!(looks(&stage, 2).await[1], "#disk second");
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn rooms_of_incidents_are_no_channels_that_the_bot_listens_to() {
    let stage = Stage::with_workflow(&rooms_only(&json!({}))).await;
    let service = stage
        .service_with(&[
            ("WARROOM_MATTERMOST_WATCH", "all"),
            ("WARROOM_LIMITS_ROOMS_CHECK_MS", "1000"),
            // Town Square, Off-Topic, and one more.
            ("WARROOM_LIMITS_WATCHED_CHANNELS_MAX", "3"),
        ])
        .await;
    for text in ["#disk one", "#disk two"] {
        stage.say("sam", "town-square", text).await;
    }
    looks(&stage, 2).await;
    let side = new_channel(&stage, "side", false).await;
    stage
        .eventually("the bot in the new channel", async || {
            stage.members(&side).await.contains(&stage.bot_id).then_some(())
        })
        .await;
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_post_that_comes_unreadable_is_read_over_rest() {
    let stage = Stage::with_workflow(&rooms_only(&json!({}))).await;
    let service = stage.service().await;
    stage.proxy.garble_events(r#""post":"{\""#, r#""post":"[\""#, 1);
    stage.say("jon", "town-square", "#disk first").await;
    stage.say("jon", "town-square", "#disk second").await;
    assert_eq!(looks(&stage, 2).await, ["#disk first", "#disk second"]);
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_server_itself_says_triggers_nothing() {
    let stage = Stage::with_workflow(&rooms_only(&json!({}))).await;
    let town = stage.channel_id("town-square").await;
    let service = stage.service().await;
    let has_header = async |header: &str| {
        let patch = json!({ "header": header });
        stage.admin("PUT", &format!("/channels/{town}/patch"), Some(patch)).await;
        stage
            .eventually("the message about the header", async || {
                let page = stage.get(&format!("/channels/{town}/posts")).await;
                let posts = page["posts"].as_object().unwrap().values();
                let mut about = posts.filter(|post| post["type"] == "system_header_change");
                about.any(|post| post["message"].as_str().unwrap().contains(header)).then_some(())
            })
            .await;
    };
    has_header("#disk live").await;
    stage.say("jon", "town-square", "#disk first").await;
    looks(&stage, 1).await;
    unheard(&stage, async {
        has_header("#disk unheard").await;
        stage.say("jon", "town-square", "#disk second").await;
    })
    .await;
    assert_eq!(looks(&stage, 2).await, ["#disk first", "#disk second"]);
    assert_eq!(stage.rooms().await.len(), 2);
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_room_that_was_archived_unheard_is_noticed_by_looking_now_and_then() {
    let stage = Stage::new().await;
    let service = stage.service_with(&[("WARROOM_LIMITS_ROOMS_CHECK_MS", "1000")]).await;
    let (room, _) = stage.triage().await;
    stage.proxy.garble_events("channel_deleted", "channel_garbled", u32::MAX);
    stage.archive(&room).await;
    let town = stage.channel_id("town-square").await;
    let notice = stage.post(&town, ":warning: The channel ~security-issue-1", 1).await;
    assert!(notice["message"].as_str().unwrap().contains("was archived by somebody"), "{notice}");
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn operators_are_told_of_a_room_when_the_bot_is_taken_off_its_team() {
    let stage = Stage::new().await;
    let (other, _) = stage.another_team().await;
    stage.write_config(&format!("[operators]\nnotify = \"{other}/town-square\"\n"));
    let service = stage.service().await;
    stage.triage().await;
    let gone =
        stage.admin("DELETE", &format!("/teams/{}/members/{}", stage.team_id, stage.bot_id), None).await;
    assert_eq!(gone["status"], "OK", "{gone}");
    let town = stage.channel_of(&other, "town-square").await;
    let notice = stage.post(town["id"].as_str().unwrap(), ":warning: The channel ~security-issue-1", 1).await;
    assert!(notice["message"].as_str().unwrap().contains("was removed from there"), "{notice}");
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bot_on_no_team_is_not_ready_until_it_is_on_one() {
    let stage = Stage::new().await;
    let member = format!("/teams/{}/members/{}", stage.team_id, stage.bot_id);
    stage.admin("DELETE", &member, None).await;
    let service = stage.start(&[]).await.unwrap();
    let url = format!("http://{}/readyz", service.address());
    stage
        .eventually("the reason", async || {
            let answer = reqwest::get(&url).await.unwrap();
            let is_red = answer.status() == 503;
            (is_red && answer.text().await.unwrap().contains("is on no team")).then_some(())
        })
        .await;
    stage.put_on_team(&stage.team_id, &stage.bot_id).await;
    service.ready().await.unwrap();
    // And when it is taken off while it listens, with no look at channels due that would find it out anyway.
    let is = async |status: u16| {
        let answers = async || (reqwest::get(&url).await.unwrap().status() == status).then_some(());
        stage.eventually("the readiness", answers).await;
    };
    stage.admin("DELETE", &member, None).await;
    is(503).await;
    stage.put_on_team(&stage.team_id, &stage.bot_id).await;
    is(200).await;
    stage.triage().await;
    service.stop().await;
}
