//! The bot hears what it is to hear, whatever the server allows and whatever happens to channels and teams.

use crate::catch_up::{looks, new_channel, rooms_only, unheard};
use crate::stage::Stage;
use serde_json::json;

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
