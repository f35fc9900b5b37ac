//! The bot hears what it is to hear, whatever the server allows and whatever happens to channels and teams.

use crate::catch_up::{looks, new_channel, rooms_only, unheard};
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
