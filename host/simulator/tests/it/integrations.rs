//! Commands, dialogs, files and reactions beyond what is recorded: who may, and how many.

use std::time::Duration;

use serde_json::{Value, json};
use warroom_simulator::Options;

use crate::support::{Integration, Setup, id_of};

/// A simulator with a command, its integration, and a channel of Jon's.
struct Scene {
    setup: Setup,
    integration: Integration,
    channel: String,
}

impl Scene {
    async fn with(change: impl FnOnce(&mut Options)) -> Scene {
        let mut options = Options::default();
        change(&mut options);
        let (setup, integration) = (Setup::with(options).await, Integration::start().await);
        let channel = setup.channel_id("town-square").await;
        let command = json!({"team_id": setup.simulator.team_id(), "trigger": "Ask", "url": integration.url});
        setup.must("POST", "/commands", setup.simulator.admin_token(), command).await;
        integration.reply_with(200, r#"{"text": "asked"}"#);
        Scene { setup, integration, channel }
    }

    fn jon(&self) -> String {
        self.setup.simulator.token_of("jon").unwrap().to_owned()
    }

    async fn say(&self, line: &str) -> (u16, Value) {
        let body = json!({"channel_id": self.channel, "command": line});
        let got = self.setup.call("POST", "/api/v4/commands/execute", &self.jon(), &body).await;
        (got.status, got.body)
    }
}

#[tokio::test]
async fn a_command_is_found_by_its_word_in_any_case_and_its_text_kept() {
    let scene = Scene::with(|_| {}).await;
    let (status, body) = scene.say("/ask  two  spaces").await;
    assert_eq!((status, &body["text"]), (200, &json!("asked")), "{body}");
    assert_eq!(scene.integration.take_calls()[0].body["text"], " two  spaces");
    let (status, body) = scene.say("/nobody").await;
    assert_eq!((status, &body["id"]), (404, &json!("api.command.execute_command.not_found.app_error")));
    for line in ["ask", "/", ""] {
        assert_eq!(scene.say(line).await.0, 400, "{line:?}");
    }
    assert!(scene.integration.take_calls().is_empty());
}

#[tokio::test]
async fn a_command_is_replied_to_a_bounded_number_of_times_and_for_a_time() {
    let late = Scene::with(|options| options.limits.response_hook_valid = Duration::ZERO).await;
    let scene = Scene::with(|options| options.limits.response_hook_uses_max = 2).await;
    for (scene, statuses) in [(&scene, [200, 200, 400]), (&late, [404, 404, 404])] {
        scene.say("/ask").await;
        let url = scene.integration.take_calls()[0].body["response_url"].as_str().unwrap().to_owned();
        let path = url.strip_prefix(scene.setup.simulator.url()).unwrap().to_owned();
        let reply = json!({"response_type": "in_channel", "text": "later"});
        for status in statuses {
            assert_eq!(scene.setup.call("POST", &path, "", &reply).await.status, status);
        }
    }
}

#[tokio::test]
async fn a_dialog_opens_only_for_a_trigger_that_was_given_and_in_time() {
    let late = Scene::with(|options| options.limits.trigger_valid = Duration::ZERO).await;
    let forgetful = Scene::with(|options| options.limits.triggers_max = 1).await;
    let expired = "interactive_message.decode_trigger_id.expired";
    let unknown = "interactive_message.decode_trigger_id.verify_signature_failed";
    for (scene, id) in [(&late, expired), (&forgetful, unknown)] {
        scene.say("/ask").await;
        let trigger = scene.integration.take_calls()[0].body["trigger_id"].clone();
        scene.say("/ask").await;
        tokio::time::sleep(Duration::from_millis(2)).await;
        let dialog = json!({"trigger_id": trigger, "url": scene.integration.url, "dialog": {"title": "t"}});
        let got = scene.setup.call("POST", "/api/v4/actions/dialogs/open", "", &dialog).await;
        assert_eq!((got.status, &got.body["id"]), (400, &json!(id)));
    }
}

#[tokio::test]
async fn files_are_read_by_their_owner_and_once_posted_by_the_channel_and_have_a_bound() {
    let scene = Scene::with(|options| options.limits.files_bytes_max = 10).await;
    let (jon, chris) = (scene.jon(), scene.setup.simulator.token_of("chris").unwrap().to_owned());
    let path = format!("/api/v4/files?channel_id={}&filename=a.txt", scene.channel);
    let file = scene.setup.call("POST", &path, &jon, &json!("12345678")).await.body;
    let file = id_of(&file["file_infos"][0]);
    let read = |token: String| {
        let (setup, path) = (&scene.setup, format!("/api/v4/files/{file}"));
        async move { setup.call("GET", &path, &token, &Value::Null).await.status }
    };
    assert_eq!((read(jon.clone()).await, read(chris.clone()).await), (200, 403));
    // Only its owner attaches it.
    let post = json!({"channel_id": scene.channel, "message": "m", "file_ids": [file]});
    assert!(scene.setup.must("POST", "/posts", &chris, post.clone()).await.get("file_ids").is_none());
    assert_eq!(scene.setup.must("POST", "/posts", &jon, post).await["file_ids"], json!([file]));
    assert_eq!(read(chris).await, 200);
    let full = scene.setup.call("POST", &path, &jon, &json!("345")).await;
    assert_eq!((full.status, &full.body["id"]), (400, &json!("simulator.limit.app_error")));
}

#[tokio::test]
async fn a_reaction_counts_once_is_ones_own_and_has_a_bound() {
    let scene = Scene::with(|options| options.limits.reactions_per_post_max = 1).await;
    let (jon, me) = (scene.jon(), scene.setup.user_id("jon").await);
    let post = id_of(&scene.setup.post(&jon, &scene.channel, "look").await);
    let react = |user: &str, emoji: &str| {
        let body = json!({"user_id": user, "post_id": post, "emoji_name": emoji});
        let (setup, jon) = (&scene.setup, jon.clone());
        async move { setup.call("POST", "/api/v4/reactions", &jon, &body).await.status }
    };
    assert_eq!(
        (react(&me, "eyes").await, react(&me, "eyes").await, react(&me, "fire").await),
        (200, 200, 400)
    );
    assert_eq!(react(&scene.setup.user_id("chris").await, "eyes").await, 403);
    let seen = scene.setup.must("GET", &format!("/posts/{post}"), &jon, Value::Null).await;
    assert_eq!(seen["metadata"]["reactions"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn an_outgoing_webhook_hears_people_in_public_channels_and_its_reply_is_posted_once() {
    let scene = Scene::with(|_| {}).await;
    let webhook = json!({
        "team_id": scene.setup.simulator.team_id(), "trigger_words": ["#out"], "callback_urls": [scene.integration.url],
    });
    scene.setup.must("POST", "/hooks/outgoing", scene.setup.simulator.admin_token(), webhook).await;
    scene.integration.reply_with(200, r##"{"text": "#out heard"}"##);
    let jon = scene.jon();
    for text in ["no #out", "#outer", "#out now"] {
        scene.setup.post(&jon, &scene.channel, text).await;
    }
    scene.integration.called().await;
    let heard = scene.integration.take_calls();
    assert_eq!(heard.len(), 1);
    let fields = &heard[0].body;
    assert_eq!((&fields["text"], &fields["trigger_word"]), (&json!("#out now"), &json!("#out")));
    let replied = async {
        loop {
            let path = format!("/channels/{}/posts", scene.channel);
            let posts = scene.setup.must("GET", &path, &jon, Value::Null).await;
            let posts = posts["posts"].as_object().unwrap().clone();
            if posts.values().any(|post| post["message"] == "#out heard") {
                return;
            }
        }
    };
    tokio::time::timeout(crate::support::PATIENCE, replied).await.expect("the reply was not posted");
    assert!(scene.integration.take_calls().is_empty(), "its own reply triggered it");
}
