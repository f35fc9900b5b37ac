//! The event stream: requests on it, and how it goes on after a break.

use serde_json::{Value, json};

use super::forms::form;
use super::recordings::{Replayed, recording};
use crate::support::{Listener, Setup};

pub(crate) async fn replay_requests() -> Replayed {
    let setup = Setup::start().await;
    let recorded = recording("websocket_connect");
    let mut stranger = Listener::connect(&setup, "", "").await;
    stranger.say(json!({"seq": 1, "action": "authentication_challenge", "data": {"token": "wrong"}})).await;
    assert_eq!(stranger.frame().await, None, "a wrong token ends the stream without a word");

    let mut listener = Listener::connect(&setup, setup.simulator.bot_token(), "").await;
    let mut frames = vec![listener.frame().await.unwrap()];
    listener.until(|frame| frame["event"] == "status_change").await;
    for (seq, action) in [(1, "ping"), (2, "user_typing"), (3, "nonsense")] {
        listener.say(json!({"seq": seq, "action": action, "data": {}})).await;
        frames.push(listener.frame().await.unwrap());
    }
    let wanted = recorded[1]["frames"].as_array().unwrap();
    assert_eq!(frames.len(), wanted.len());
    for (frame, wanted) in frames.iter().zip(wanted) {
        assert_eq!(form(frame), form(wanted));
        assert_eq!(frame["error"]["id"], wanted["error"]["id"]);
        assert_eq!(frame["seq_reply"], wanted["seq_reply"]);
    }
    named("websocket_connect", &recorded)
}

fn named(file: &str, exchanges: &[Value]) -> Replayed {
    let names = exchanges.iter().map(|exchange| exchange["name"].as_str().unwrap());
    names.map(|name| (file.to_owned(), name.to_owned())).collect()
}

/// A bot whose stream breaks again and again, a person who posts, and a second stream of the bot that sees the first one
/// come and go.
struct Scene {
    setup: Setup,
    square: String,
    observer: Listener,
}

impl Scene {
    async fn start() -> Scene {
        let setup = Setup::start().await;
        let square = setup.channel_id("town-square").await;
        let mut observer = Listener::connect(&setup, setup.simulator.bot_token(), "").await;
        observer.until(|frame| frame["data"]["status"] == "online").await;
        Scene { setup, square, observer }
    }

    async fn post(&self, message: &str) {
        let jon = self.setup.simulator.token_of("jon").unwrap();
        self.setup.post(jon, &self.square, message).await;
    }

    async fn connect(&mut self, query: &str) -> Listener {
        let listener = Listener::connect(&self.setup, self.setup.simulator.bot_token(), query).await;
        self.observer.until(|frame| frame["data"]["status"] == "online").await;
        listener
    }

    /// Ends a stream, and waits until the server noticed.
    async fn lose(&mut self, listener: Listener) {
        drop(listener);
        self.observer.until(|frame| frame["data"]["status"] == "offline").await;
    }
}

/// Takes as many frames as were recorded and compares event, number and message.
async fn check(listener: &mut Listener, exchange: &Value) -> Value {
    let mut first = Value::Null;
    for wanted in exchange["frames"].as_array().unwrap() {
        let frame = listener.frame().await.unwrap();
        let message = frame["data"]["post"].as_str().map(|post| {
            let post: Value = serde_json::from_str(post).unwrap();
            post["message"].clone()
        });
        assert_eq!((&frame["event"], &frame["seq"]), (&wanted["event"], &wanted["seq"]), "{exchange:#}");
        assert_eq!(message.as_ref(), wanted.get("message"), "{exchange:#}");
        if first.is_null() {
            first = frame;
        }
    }
    first
}

pub(crate) async fn replay_reconnects() -> Replayed {
    let recorded = recording("reconnect");
    let mut scene = Scene::start().await;
    let mut listener = scene.connect("").await;
    scene.post("one").await;
    scene.post("two").await;
    let hello = check(&mut listener, &recorded[0]).await;
    let id = hello["data"]["connection_id"].as_str().unwrap().to_owned();
    scene.lose(listener).await;
    for number in 0..5 {
        scene.post(&format!("missed {number}")).await;
    }
    let mut listener = scene.connect(&format!("?connection_id={id}&sequence_number=4")).await;
    check(&mut listener, &recorded[1]).await;
    scene.lose(listener).await;
    scene.post("missed again").await;
    let mut listener = scene.connect(&format!("?connection_id={id}&sequence_number=3")).await;
    check(&mut listener, &recorded[2]).await;

    let mut stranger = scene.connect("?connection_id=aaaaaaaaaaaaaaaaaaaaaaaaaa&sequence_number=3").await;
    scene.lose(listener).await;
    let hello = check(&mut stranger, &recorded[3]).await;
    let unknown = hello["data"]["connection_id"].as_str().unwrap().to_owned();
    scene.lose(stranger).await;
    miss_too_many(&mut scene, &unknown, &recorded[4]).await;
    named("reconnect", &recorded)
}

async fn miss_too_many(scene: &mut Scene, id: &str, exchange: &Value) {
    for number in 0..300 {
        scene.post(&format!("lost {number}")).await;
    }
    let mut listener = scene.connect(&format!("?connection_id={id}&sequence_number=3")).await;
    let recorded = exchange["frames_first_3"].as_array().unwrap();
    for (index, wanted) in recorded.iter().enumerate() {
        let frame = listener.frame().await.unwrap();
        assert_eq!((&frame["event"], &frame["seq"]), (&wanted["event"], &wanted["seq"]));
        if index == 0 {
            let new = frame["data"]["connection_id"] != *id;
            assert_eq!(json!(new), exchange["hello_connection_id_is_new"]);
        }
    }
    scene.post("heard").await;
    let next = listener.frame().await.unwrap();
    assert!(crate::support::says(&next, "heard"), "nothing of what was missed: {next}");
    assert_eq!(exchange["posted_received"], 0);
}
