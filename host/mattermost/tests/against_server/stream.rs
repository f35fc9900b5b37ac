//! Event streams: resumed, begun anew, cut, silent, refused.

use std::time::Duration;

use axum::http::StatusCode;
use serde_json::{Value, json};
use warroom_mattermost::{ClientOptions, EventOptions, EventStream, StreamEvent, Token};

use crate::recordings::load;
use crate::stream_server::{Script, Step, StreamServer, fast, hello, other, posted};

/// What happened, in short.
async fn next(stream: &mut EventStream) -> String {
    let event = tokio::time::timeout(Duration::from_secs(30), stream.next()).await.unwrap();
    match event {
        Some(StreamEvent::Connected { resumed: true }) => "resumed".into(),
        Some(StreamEvent::Connected { resumed: false }) => "fresh".into(),
        Some(StreamEvent::Posted(posted)) => posted.post.id,
        Some(StreamEvent::Lost { .. }) => "lost".into(),
        Some(StreamEvent::Refused { reason }) => format!("refused: {reason}"),
        Some(other) => format!("{other:?}"),
        None => "end".into(),
    }
}

async fn expect(stream: &mut EventStream, expected: &[&str]) {
    for (index, expected) in expected.iter().enumerate() {
        assert_eq!(next(stream).await, *expected, "event {index}");
    }
}

/// The reason of the loss that comes next.
async fn next_loss(stream: &mut EventStream) -> String {
    match tokio::time::timeout(Duration::from_secs(30), stream.next()).await.unwrap() {
        Some(StreamEvent::Lost { reason }) => reason,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn recorded_events_come_as_posts() {
    let events = load("websocket_events")[0]["events"].as_array().unwrap().clone();
    let posts: Vec<Value> = events
        .iter()
        .filter(|event| event["event"] == "posted")
        .map(|event| serde_json::from_str(event["data"]["post"].as_str().unwrap()).unwrap())
        .collect();
    assert_eq!(posts.len(), 36);
    let mut steps: Vec<Step> = events.into_iter().map(Step::Say).collect();
    steps.push(Step::Stay);
    let server = StreamServer::start(vec![Script::Play(steps)]).await;
    let mut stream = EventStream::connect(&server.client, fast());
    expect(&mut stream, &["fresh"]).await;
    for expected in &posts {
        let event = loop {
            match stream.next().await {
                Some(StreamEvent::Posted(event)) => break event,
                Some(StreamEvent::Lost { .. } | StreamEvent::Refused { .. }) | None => panic!("no post"),
                Some(_) => {}
            }
        };
        assert_eq!(event.post.id, expected["id"]);
        assert_eq!(event.post.message, expected["message"]);
        assert_eq!(event.channel_id, expected["channel_id"]);
        assert_eq!(event.post.is_system(), expected["type"].as_str().unwrap().starts_with("system_"));
        assert_eq!(event.post.from_webhook(), expected["props"].get("from_webhook").is_some());
        assert!(!event.sender_name.is_empty() && !event.channel_type.is_empty());
        if event.post.kind == "slack_attachment" {
            assert_eq!(event.post.text(), "Nagios\nCRITICAL SERVICE http");
        }
    }
}

/// Recorded frames of reconnections hold only kind, place and text.
fn recorded(index: usize) -> Vec<Step> {
    let exchange = &load("reconnect")[index];
    let frames = exchange.get("frames").or_else(|| exchange.get("frames_first_3")).unwrap();
    let step = |frame: &Value| {
        let seq = frame["seq"].as_u64().unwrap();
        match frame["event"].as_str().unwrap() {
            "hello" => hello(frame["connection_id"].as_str().unwrap()),
            "posted" => posted(seq, frame["message"].as_str().unwrap()),
            _ => other(seq),
        }
    };
    frames.as_array().unwrap().iter().map(step).collect()
}

#[tokio::test]
async fn a_stream_goes_on_where_it_was() {
    let scripts = vec![
        Script::Play(recorded(0)),
        Script::Play(recorded(1)),
        // Asked for what comes next, the server repeats an event from long ago, as it may.
        Script::Play(recorded(2)),
        // It has forgotten the stream.
        Script::Play(recorded(3)),
        Script::Play(vec![other(3), Step::Stay]),
    ];
    let mut server = StreamServer::start(scripts).await;
    let mut stream = EventStream::connect(&server.client, fast());
    expect(&mut stream, &["fresh", "one", "two", "lost"]).await;
    expect(&mut stream, &["resumed", "missed 0", "missed 1", "missed 2", "missed 3", "missed 4", "lost"])
        .await;
    expect(&mut stream, &["resumed", "missed again", "lost", "fresh", "lost", "resumed"]).await;

    let first = "connection_id=fpbhx9pyebdwiemwwd3top9o5a&sequence_number=";
    let last = "connection_id=yqshjoracif788sa35f6s194ma&sequence_number=3";
    for expected in ["", &format!("{first}4"), &format!("{first}11"), &format!("{first}14"), last] {
        let (query, authorization) = server.handshakes.recv().await.unwrap();
        assert_eq!((query.as_str(), authorization.as_str()), (expected, "Bearer BOT_TOKEN"));
    }
}

#[tokio::test]
async fn a_stream_that_does_not_go_on_begins_anew() {
    let greeted = |id: &str| Script::Play(vec![hello(id)]);
    let mut scripts = vec![greeted("a"), Script::Reject(StatusCode::BAD_REQUEST), greeted("b")];
    // Without a word, and from a proxy whose server is away.
    let failures = [(); 5].map(|()| Script::Play(vec![])).into_iter();
    scripts.extend(failures.chain([Script::Play(vec![hello("c"), Step::Stay])]));
    let mut server = StreamServer::start(scripts).await;
    let mut stream = EventStream::connect(&server.client, fast());
    expect(&mut stream, &["fresh", "lost", "lost", "fresh", "lost"]).await;
    expect(&mut stream, &["lost", "lost", "lost", "lost", "lost", "fresh"]).await;
    let (a, b) = ("connection_id=a&sequence_number=1", "connection_id=b&sequence_number=1");
    for expected in ["", a, "", b, b, b, b, b, ""] {
        assert_eq!(server.handshakes.recv().await.unwrap().0, expected);
    }
}

#[tokio::test]
async fn recorded_replies_have_no_place_in_the_stream() {
    let recorded = load("websocket_connect");
    // A token that is refused in the challenge gets no frame at all.
    assert!(recorded[0]["frames"][0].get("closed").is_some());
    let frames = recorded[1]["frames"].as_array().unwrap().clone();
    assert_eq!(frames.len(), 4);
    let mut steps: Vec<Step> = frames.into_iter().map(Step::Say).collect();
    steps.extend([posted(1, "p"), Step::Stay]);
    let server = StreamServer::start(vec![Script::Play(vec![]), Script::Play(steps)]).await;
    let mut stream = EventStream::connect(&server.client, fast());
    expect(&mut stream, &["lost", "fresh", "p"]).await;
}

#[tokio::test]
async fn too_many_missed_events_begin_the_stream_anew() {
    let scripts = vec![Script::Play(recorded(0)), Script::Play(recorded(4)), Script::Play(vec![Step::Stay])];
    let server = StreamServer::start(scripts).await;
    let mut stream = EventStream::connect(&server.client, fast());
    expect(&mut stream, &["fresh", "one", "two", "lost", "fresh", "lost"]).await;
}

#[tokio::test]
async fn a_resumed_stream_in_which_nothing_happened_is_connected() {
    let scripts =
        vec![Script::Play(vec![hello("a")]), Script::Play(vec![Step::AwaitPing, posted(1, "p"), Step::Stay])];
    let server = StreamServer::start(scripts).await;
    let options = EventOptions {
        greeting_max: Duration::from_millis(100),
        ping_every: Duration::from_millis(200),
        ..fast()
    };
    let mut stream = EventStream::connect(&server.client, options);
    expect(&mut stream, &["fresh", "lost", "resumed", "p"]).await;
}

#[tokio::test]
async fn a_gap_begins_the_stream_anew() {
    let scripts = vec![
        Script::Play(vec![hello("a"), posted(1, "p1"), posted(3, "p3"), Step::Stay]),
        Script::Play(vec![hello("b"), posted(1, "p4"), Step::Stay]),
    ];
    let mut server = StreamServer::start(scripts).await;
    let mut stream = EventStream::connect(&server.client, fast());
    expect(&mut stream, &["fresh", "p1"]).await;
    assert_eq!(next_loss(&mut stream).await, "event 2 was expected and 3 came");
    expect(&mut stream, &["fresh", "p4"]).await;
    server.handshakes.recv().await.unwrap();
    assert_eq!(server.handshakes.recv().await.unwrap().0, "");
}

#[tokio::test]
async fn what_cannot_be_read_begins_the_stream_anew() {
    let broken = Step::Say(json!({"event": "posted", "seq": 2, "data": {"post": "{broken"}}));
    let scripts = vec![
        Script::Play(vec![hello("a"), posted(1, "p1"), Step::SayText("{not json".into()), posted(3, "p3")]),
        Script::Play(vec![hello("b"), posted(1, "p4"), broken, posted(3, "p5"), Step::Stay]),
        // Bytes and replies are nothing that could be missed.
        Script::Play(vec![
            hello("c"),
            Step::SayBytes(vec![0, 255]),
            Step::Say(json!({"status": "OK", "seq_reply": 1})),
            posted(1, "p6"),
            Step::Stay,
        ]),
    ];
    let mut server = StreamServer::start(scripts).await;
    let mut stream = EventStream::connect(&server.client, fast());
    expect(&mut stream, &["fresh", "p1"]).await;
    assert!(
        next_loss(&mut stream).await.starts_with("the server sent what cannot be read: a frame of 9 bytes")
    );
    expect(&mut stream, &["fresh", "p4"]).await;
    assert!(
        next_loss(&mut stream).await.starts_with("the server sent what cannot be read: a post: `data.post`")
    );
    expect(&mut stream, &["fresh", "p6"]).await;
    for _ in 0..3 {
        assert_eq!(server.handshakes.recv().await.unwrap().0, "", "nothing is resumed");
    }
}

#[tokio::test]
async fn a_server_that_only_sends_what_cannot_be_read_is_called_ever_more_rarely() {
    let script = || Script::Play(vec![hello("a"), Step::SayText("{not json".into()), Step::Stay]);
    let server = StreamServer::start(std::iter::repeat_with(script).take(20).collect()).await;
    let options = EventOptions { backoff_max: Duration::from_secs(3600), ..fast() };
    let mut stream = EventStream::connect(&server.client, options);
    let mut slowest = Duration::ZERO;
    for _ in 0..11 {
        let began = std::time::Instant::now();
        expect(&mut stream, &["fresh", "lost"]).await;
        slowest = slowest.max(began.elapsed());
    }
    // The pauses would be 2 ms each.
    assert!(slowest > Duration::from_millis(100), "{slowest:?}");
}

#[tokio::test]
async fn a_post_comes_once() {
    let steps = vec![hello("a"), posted(1, "p"), posted(2, "p"), posted(3, "q"), posted(4, "p"), Step::Stay];
    let server = StreamServer::start(vec![Script::Play(steps)]).await;
    // With a window of one post, the last repetition is forgotten.
    let mut stream = EventStream::connect(&server.client, EventOptions { recent_posts_max: 1, ..fast() });
    expect(&mut stream, &["fresh", "p", "q", "p"]).await;
}

#[tokio::test]
async fn a_frame_has_a_bound() {
    let long = "x".repeat(1000);
    let frame = json!({"event": "other", "seq": 1, "data": {"text": long}}).to_string();
    for (frame_bytes_max, fits) in [(frame.len(), true), (frame.len() - 1, false)] {
        let scripts = vec![
            Script::Play(vec![hello("a"), Step::SayText(frame.clone()), posted(2, "p"), Step::Stay]),
            Script::Play(vec![hello("b"), Step::Stay]),
        ];
        let mut server = StreamServer::start(scripts).await;
        let mut stream = EventStream::connect(&server.client, EventOptions { frame_bytes_max, ..fast() });
        if fits {
            expect(&mut stream, &["fresh", "p"]).await;
        } else {
            expect(&mut stream, &["fresh", "lost", "fresh"]).await;
            server.handshakes.recv().await.unwrap();
            // Not resumed, or the same frame would come again.
            assert_eq!(server.handshakes.recv().await.unwrap().0, "");
        }
    }
}

#[tokio::test]
async fn a_silent_server_is_lost() {
    // The second one has nothing to say for a longer time still, but answers pings.
    let mut answering = vec![posted(1, "p")];
    answering.extend((0..30).map(|_| Step::AwaitPing));
    answering.extend([posted(2, "q"), Step::Stay]);
    let scripts = vec![Script::Play(vec![hello("a"), Step::PlayDead]), Script::Play(answering)];
    let server = StreamServer::start(scripts).await;
    let options = EventOptions {
        silence_max: Duration::from_millis(200),
        ping_every: Duration::from_millis(20),
        ..fast()
    };
    let mut stream = EventStream::connect(&server.client, options);
    expect(&mut stream, &["fresh"]).await;
    assert!(next_loss(&mut stream).await.contains("has said nothing for 200ms"));
    expect(&mut stream, &["resumed", "p", "q"]).await;
}

#[tokio::test]
async fn a_server_that_does_not_greet_is_lost() {
    let scripts = vec![Script::Play(vec![Step::PlayDead]), Script::Play(vec![hello("a"), Step::Stay])];
    let server = StreamServer::start(scripts).await;
    let options = EventOptions { greeting_max: Duration::from_millis(100), ..fast() };
    let mut stream = EventStream::connect(&server.client, options);
    expect(&mut stream, &["lost", "fresh"]).await;
}

#[tokio::test]
async fn a_failing_server_is_tried_again() {
    let scripts = vec![
        Script::Reject(StatusCode::BAD_GATEWAY),
        Script::Reject(StatusCode::NOT_FOUND),
        Script::Play(vec![hello("a"), Step::Stay]),
    ];
    let server = StreamServer::start(scripts).await;
    let mut stream = EventStream::connect(&server.client, fast());
    assert!(next_loss(&mut stream).await.contains("502"));
    expect(&mut stream, &["lost", "fresh"]).await;
}

#[tokio::test]
async fn a_refused_token_is_told_once_and_another_one_tried() {
    let scripts = vec![
        Script::Reject(StatusCode::UNAUTHORIZED),
        Script::Reject(StatusCode::UNAUTHORIZED),
        Script::Play(vec![hello("a"), Step::Stay]),
    ];
    let options = |url: &str| ClientOptions::new(url, Token::new("BOT_TOKEN"));
    let mut server = StreamServer::start_with(scripts, StatusCode::UNAUTHORIZED, options).await;
    let refused = server.client.token_refused();
    let mut stream = EventStream::connect(&server.client, fast());
    assert!(next(&mut stream).await.contains("The token is refused: make a new one for the bot"));
    assert!(*refused.borrow());
    assert_eq!(server.client.me().await.unwrap_err().status(), Some(401));
    server.client.replace_token(Token::new("SECOND")).unwrap();
    assert!(next(&mut stream).await.starts_with("refused: cannot look up whose the token is"));
    server.client.replace_token(Token::new("THIRD")).unwrap();
    expect(&mut stream, &["fresh"]).await;
    assert!(!*refused.borrow());
    for expected in ["Bearer BOT_TOKEN", "Bearer SECOND", "Bearer THIRD"] {
        assert_eq!(server.handshakes.recv().await.unwrap().1, expected);
    }
}

#[tokio::test]
async fn a_refused_token_is_tried_again_now_and_then() {
    let refusals = 5;
    let mut scripts: Vec<_> = (0..refusals).map(|_| Script::Reject(StatusCode::UNAUTHORIZED)).collect();
    scripts.push(Script::Play(vec![hello("a"), Step::Stay]));
    let options = |url: &str| ClientOptions {
        refused_probe_every: Duration::from_millis(1),
        ..ClientOptions::new(url, Token::new("BOT_TOKEN"))
    };
    let server = StreamServer::start_with(scripts, StatusCode::UNAUTHORIZED, options).await;
    let mut stream = EventStream::connect(&server.client, fast());
    // The refusal is told once, however often it was tried.
    assert!(next(&mut stream).await.starts_with("refused: "));
    expect(&mut stream, &["fresh"]).await;
    assert!(!*server.client.token_refused().borrow());
}

#[tokio::test]
async fn a_token_that_is_refused_without_a_word_is_found_out() {
    let scripts = vec![Script::Play(vec![]), Script::Play(vec![hello("a"), Step::Stay])];
    let options = |url: &str| ClientOptions::new(url, Token::new("BOT_TOKEN"));
    let server = StreamServer::start_with(scripts, StatusCode::UNAUTHORIZED, options).await;
    let mut stream = EventStream::connect(&server.client, fast());
    assert!(next(&mut stream).await.starts_with("refused: cannot look up whose the token is"));
    server.client.replace_token(Token::new("SECOND")).unwrap();
    expect(&mut stream, &["fresh"]).await;
}

#[tokio::test]
async fn a_stream_that_alone_is_refused_is_lost() {
    let scripts = vec![Script::Reject(StatusCode::UNAUTHORIZED), Script::Play(vec![hello("a"), Step::Stay])];
    let server = StreamServer::start(scripts).await;
    let mut stream = EventStream::connect(&server.client, fast());
    assert!(next_loss(&mut stream).await.contains("(401), but not for the token"));
    assert!(!*server.client.token_refused().borrow());
    expect(&mut stream, &["fresh"]).await;
}

#[tokio::test]
async fn a_call_that_finds_the_token_refused_ends_a_mute_connection() {
    let scripts =
        vec![Script::Play(vec![hello("a"), Step::Stay]), Script::Play(vec![hello("b"), Step::Stay])];
    let options = |url: &str| ClientOptions::new(url, Token::new("BOT_TOKEN"));
    let mut server = StreamServer::start_with(scripts, StatusCode::UNAUTHORIZED, options).await;
    let mut stream = EventStream::connect(&server.client, fast());
    expect(&mut stream, &["fresh"]).await;
    server.client.me().await.unwrap_err();
    assert!(next(&mut stream).await.starts_with("refused: "));
    server.client.replace_token(Token::new("SECOND")).unwrap();
    expect(&mut stream, &["fresh"]).await;
    // Nothing is resumed, and the refused token is not sent again.
    for expected in ["Bearer BOT_TOKEN", "Bearer SECOND"] {
        assert_eq!(server.handshakes.recv().await.unwrap(), (String::new(), expected.to_owned()));
    }
}

#[tokio::test]
async fn a_quiet_stream_asks_whether_the_token_is_taken() {
    let scripts = vec![Script::Play(vec![hello("a"), Step::Stay])];
    let options = |url: &str| ClientOptions::new(url, Token::new("BOT_TOKEN"));
    let server = StreamServer::start_with(scripts, StatusCode::UNAUTHORIZED, options).await;
    let options = EventOptions { ping_every: Duration::from_millis(10), ..fast() };
    let mut stream = EventStream::connect(&server.client, options);
    expect(&mut stream, &["fresh"]).await;
    assert!(next(&mut stream).await.starts_with("refused: "));
}

#[tokio::test]
async fn a_replaced_token_begins_the_stream_anew() {
    let scripts = vec![
        Script::Play(vec![hello("a"), posted(1, "p"), Step::Stay]),
        Script::Play(vec![hello("b"), Step::Stay]),
    ];
    let mut server = StreamServer::start(scripts).await;
    let mut stream = EventStream::connect(&server.client, fast());
    expect(&mut stream, &["fresh", "p"]).await;
    server.client.replace_token(Token::new("SECOND")).unwrap();
    assert!(next_loss(&mut stream).await.contains("has been replaced"));
    expect(&mut stream, &["fresh"]).await;
    for expected in ["Bearer BOT_TOKEN", "Bearer SECOND"] {
        assert_eq!(server.handshakes.recv().await.unwrap(), (String::new(), expected.to_owned()));
    }
}

#[tokio::test]
async fn whoever_is_greeted_resumes_nothing() {
    for id in ["", "a"] {
        let scripts = vec![
            Script::Play(vec![hello(id), posted(1, "p")]),
            Script::Play(vec![hello(id), posted(1, "q"), Step::Stay]),
        ];
        let mut server = StreamServer::start(scripts).await;
        let mut stream = EventStream::connect(&server.client, fast());
        expect(&mut stream, &["fresh", "p", "lost", "fresh", "q"]).await;
        server.handshakes.recv().await.unwrap();
        let expected = if id.is_empty() { "" } else { "connection_id=a&sequence_number=2" };
        assert_eq!(server.handshakes.recv().await.unwrap().0, expected);
    }
}

#[tokio::test]
async fn a_slow_reader_loses_nothing() {
    let mut steps = vec![hello("a")];
    steps.extend((1..=500).map(|seq| posted(seq, &format!("p{seq}"))));
    steps.push(Step::Stay);
    let server = StreamServer::start(vec![Script::Play(steps)]).await;
    let options = EventOptions { queue_max: 1, ..fast() };
    let mut stream = EventStream::connect(&server.client, options);
    expect(&mut stream, &["fresh"]).await;
    for seq in 1..=500 {
        assert_eq!(next(&mut stream).await, format!("p{seq}"));
    }
}

#[tokio::test]
async fn events_do_not_wait_for_the_answer_to_a_question() {
    let pings = || (0..3).map(|_| Step::AwaitPing);
    let steps = [hello("a")].into_iter().chain(pings()).chain([posted(1, "p"), Step::Stay]).collect();
    // It is not given up within the test.
    let options = |url: &str| ClientOptions {
        timeout: Duration::from_secs(3600),
        ..ClientOptions::new(url, Token::new("t"))
    };
    let server = StreamServer::start_with(vec![Script::Play(steps)], None, options).await;
    let options = EventOptions { ping_every: Duration::from_millis(10), ..fast() };
    let mut stream = EventStream::connect(&server.client, options);
    expect(&mut stream, &["fresh", "p"]).await;
}
