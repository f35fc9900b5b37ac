//! Nobody drives a run from outside: what was not made by a control of ours, or not by that one, changes nothing.

use crate::stage::Stage;
use axum::Router;
use axum::extract::Json;
use axum::routing::post;
use serde_json::{Value, json};
use tokio::sync::mpsc;

/// Stands where the server believes the host is, and keeps what it is sent to itself.
pub(crate) async fn interceptor() -> (String, mpsc::Receiver<Value>) {
    let (sender, receiver) = mpsc::channel(8);
    let keep = move |Json(request): Json<Value>| {
        let sender = sender.clone();
        async move {
            sender.send(request).await.unwrap();
            Json(json!({}))
        }
    };
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let app = Router::new().route("/callbacks/action", post(keep));
    tokio::spawn(async move { axum::serve(listener, app).await });
    (url, receiver)
}

pub(crate) async fn send(url: &str, body: &Value) -> (u16, Value) {
    let answer = reqwest::Client::new().post(url).json(body).send().await.unwrap();
    (answer.status().as_u16(), answer.json().await.unwrap_or(Value::Null))
}

/// A host whose presses pass through the test's hands: what the server sends is kept back until it is handed over.
pub(crate) struct Desk {
    pub(crate) stage: Stage,
    pub(crate) service: warroom::Service,
    url: String,
    intercepted: tokio::sync::Mutex<mpsc::Receiver<Value>>,
}

impl Desk {
    pub(crate) async fn new() -> Desk {
        Desk::on(Stage::new().await).await
    }

    pub(crate) async fn on(stage: Stage) -> Desk {
        let (callback_url, intercepted) = interceptor().await;
        let service = stage.service_with(&[("WARROOM_HTTP_CALLBACK_URL", &callback_url)]).await;
        let url = format!("http://{}/callbacks/action", service.address());
        Desk { stage, service, url, intercepted: intercepted.into() }
    }

    /// A true press, word for word, that has not reached the host yet.
    pub(crate) async fn take(&self, name: &str, post: &Value, label: &str, option: Option<&str>) -> Value {
        assert_eq!(self.stage.press(name, post, label, option).await, 200);
        self.intercepted.lock().await.recv().await.unwrap()
    }

    /// Gives a press to the host, and its answer.
    pub(crate) async fn hand_over(&self, press: &Value) -> (u16, Value) {
        send(&self.url, press).await
    }

    /// What the host says to a press that changes nothing.
    pub(crate) async fn told(&self, press: &Value) -> String {
        let (status, answer) = self.hand_over(press).await;
        assert_eq!((status, &answer["update"]), (200, &Value::Null), "{answer}");
        answer["ephemeral_text"].as_str().unwrap().to_owned()
    }

    /// The post as the host answers that it is to look.
    pub(crate) async fn shown(&self, press: &Value) -> Value {
        let (status, answer) = self.hand_over(press).await;
        assert!(status == 200 && answer["update"].is_object(), "{status} {answer}");
        answer["update"].clone()
    }

    /// Returns once no run is driven any more.
    pub(crate) async fn ended(&self) {
        let is_over = async || self.service.runner().open_runs().is_empty().then_some(());
        self.stage.eventually("the end of the run", is_over).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn forged_altered_and_foreign_presses_are_refused_and_change_nothing() {
    let stage = Stage::new().await;
    let (callback_url, mut intercepted) = interceptor().await;
    let service = stage.service_with(&[("WARROOM_HTTP_CALLBACK_URL", &callback_url)]).await;
    let url = format!("http://{}/callbacks/action", service.address());
    stage.say("jon", "town-square", "#sec x").await;
    let room = stage.channel_id("security-issue-1").await;
    let triage = stage.post(&room, "New issue", 1).await;
    // A true press, word for word, that has not reached the host yet.
    assert_eq!(stage.press("jon", &triage, "Triaged", None).await, 200);
    let true_one = intercepted.recv().await.unwrap();
    let context = true_one["context"].clone();
    let request = |context: &Value, post_id: &str, channel_id: &str| {
        let mut request = true_one.clone();
        request["context"] = context.clone();
        request["post_id"] = json!(post_id);
        request["channel_id"] = json!(channel_id);
        request
    };
    let post_id = triage["id"].as_str().unwrap();

    let forged = json!({ "run": context["run"], "post": context["post"], "control": "transition0", "mac": "0".repeat(64) });
    let mut altered = context.clone();
    altered["control"] = json!("transition1");
    let other_post = "abcdefghijklmnopqrstuvwxyz";
    for (what, body) in [
        ("forged", request(&forged, post_id, &room)),
        ("altered", request(&altered, post_id, &room)),
        ("another post", request(&context, other_post, &room)),
        ("another channel", request(&context, post_id, other_post)),
        ("no context", json!({ "user_id": "u", "post_id": post_id })),
        ("not an object", json!([])),
    ] {
        let (status, answer) = send(&url, &body).await;
        assert!((400..500).contains(&status), "{what}: {status}");
        assert!(!answer.to_string().contains("mac"), "{what}: {answer}");
    }
    assert_eq!(stage.messages(&room).await.len(), 1, "nothing moved");
    // The true one moves it; repeated, it says so and changes nothing more.
    let (status, answer) = send(&url, &true_one).await;
    assert_eq!((status, answer["update"]["message"].clone()), (200, triage["message"].clone()));
    stage.post(&room, "Developing a fix", 1).await;
    let (status, answer) = send(&url, &true_one).await;
    assert_eq!(
        (status, answer["update"]["message"].clone()),
        (200, triage["message"].clone()),
        "answered as before"
    );
    assert_eq!(stage.messages(&room).await.len(), 3);
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_option_that_was_not_offered_is_refused() {
    let desk = Desk::new().await;
    let (_, triage) = desk.stage.triage().await;
    // The server does not check what is chosen.
    let mut press = desk.take("jon", &triage, "Severity", Some("S99")).await;
    let (status, answer) = desk.hand_over(&press).await;
    assert_eq!((status, answer), (403, json!({ "error": "not a control of this installation" })));
    press["context"].as_object_mut().unwrap().remove("selected_option");
    assert_eq!(desk.hand_over(&press).await.0, 403, "a menu without a choice");
    press["context"]["selected_option"] = json!("S1");
    let (status, answer) = desk.hand_over(&press).await;
    assert_eq!(status, 200);
    assert!(answer["update"].to_string().contains("Severity: **S1**, set by @jon"), "{answer}");
    assert!(!answer.to_string().contains("S99"), "{answer}");
    desk.service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_sent_from_elsewhere_is_refused_after_the_end_too() {
    let desk = Desk::new().await;
    let (room, triage) = desk.stage.triage().await;
    let true_one = desk.take("jon", &triage, "Resolved", None).await;
    assert_eq!(desk.hand_over(&true_one).await.0, 200);
    desk.stage.archived(&room).await;
    desk.ended().await;
    let elsewhere = "abcdefghijklmnopqrstuvwxyz";
    for part in ["post_id", "channel_id"] {
        let mut foreign = true_one.clone();
        foreign[part] = json!(elsewhere);
        let (status, answer) = desk.hand_over(&foreign).await;
        assert_eq!(
            (status, answer),
            (403, json!({ "error": "not a control of this installation" })),
            "{part}"
        );
    }
    // The true one was written down, as it says; its post cannot be changed any more.
    let (status, answer) = desk.hand_over(&true_one).await;
    assert_eq!(status, 200);
    assert!(answer["ephemeral_text"].as_str().unwrap().starts_with("That is written down."), "{answer}");
    assert_eq!(answer["update"], Value::Null);
    desk.service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_endpoints_tell_their_health_and_bound_what_they_take() {
    let stage = Stage::new().await;
    let service = stage.service().await;
    let base = format!("http://{}", service.address());
    let http = reqwest::Client::new();
    for path in ["/healthz", "/readyz"] {
        assert_eq!(http.get(format!("{base}{path}")).send().await.unwrap().status(), 200, "{path}");
    }
    let post = |bytes: usize| http.post(format!("{base}/callbacks/action")).body("x".repeat(bytes)).send();
    assert_eq!(
        post(64 * 1024).await.unwrap().status(),
        400,
        "just below the limit: read, and found to be no request"
    );
    assert_eq!(post(64 * 1024 + 1).await.unwrap().status(), 413);
    service.stop().await;
}
