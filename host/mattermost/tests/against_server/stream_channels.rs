//! What happens to channels comes through the event stream.

use serde_json::{Value, json};
use warroom_mattermost::{EventOptions, EventStream, StreamEvent};

use crate::recordings::load;
use crate::stream_server::{Script, Step, StreamServer, fast, hello, posted};

fn for_bot(bot_id: &str) -> EventOptions {
    EventOptions { bot_id: Some(bot_id.into()), ..fast() }
}

/// The next event in short, unless it is a post.
async fn next(stream: &mut EventStream) -> String {
    loop {
        match stream.next().await.unwrap() {
            StreamEvent::Posted(_) => {}
            StreamEvent::ChannelClosed { channel_id } => return format!("closed {channel_id}"),
            StreamEvent::ChannelReopened { channel_id } => return format!("reopened {channel_id}"),
            StreamEvent::ChannelRenamed { channel_id } => return format!("renamed {channel_id}"),
            StreamEvent::ChannelCreated { channel_id, team_id } => {
                return format!("created {channel_id} {team_id}");
            }
            StreamEvent::BotAdded { channel_id, team_id } => return format!("added {channel_id} {team_id}"),
            StreamEvent::BotRemoved { channel_id } => return format!("removed {channel_id}"),
            StreamEvent::TeamLeft { team_id } => return format!("left {team_id}"),
            StreamEvent::PostDeleted { post_id } => return format!("deleted {post_id}"),
            StreamEvent::Connected { .. } => return "connected".into(),
            StreamEvent::Lost { .. } => return "lost".into(),
            StreamEvent::Refused { reason } => return reason,
        }
    }
}

#[tokio::test]
async fn recorded_events_about_channels_come() {
    let events = load("websocket_events")[0]["events"].as_array().unwrap().clone();
    // As the administrator of the recording, who was added to one channel.
    let admin = "xwa6i5qo63rxxdb6nb7aj5ucfa";
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let expected: Vec<String> = events
        .iter()
        .filter_map(|event| {
            let (data, to) = (&event["data"], &event["broadcast"]);
            let (channel, team) = (text(&data["channel_id"]), text(&data["team_id"]));
            match event["event"].as_str()? {
                "channel_created" => Some(format!("created {channel} {team}")),
                "channel_deleted" => Some(format!("closed {channel}")),
                "channel_restored" => Some(format!("reopened {channel}")),
                "channel_updated" => Some(format!("renamed {}", text(&to["channel_id"]))),
                "post_deleted" => {
                    let post: Value = serde_json::from_str(data["post"].as_str()?).unwrap();
                    Some(format!("deleted {}", text(&post["id"])))
                }
                "user_added" if data["user_id"] == admin => {
                    Some(format!("added {} {team}", text(&to["channel_id"])))
                }
                _ => None,
            }
        })
        .collect();
    assert_eq!(expected.len(), 12);
    let mut steps: Vec<Step> = events.into_iter().map(Step::Say).collect();
    steps.push(Step::Stay);
    let server = StreamServer::start(vec![Script::Play(steps)]).await;
    let mut stream = EventStream::connect(&server.client, for_bot(admin));
    assert_eq!(next(&mut stream).await, "connected");
    for expected in expected {
        assert_eq!(next(&mut stream).await, expected);
    }
}

fn said(seq: u64, event: &str, data: Value, broadcast: Value) -> Step {
    Step::Say(json!({"event": event, "seq": seq, "data": data, "broadcast": broadcast}))
}

#[tokio::test]
async fn removals_of_the_bot_come_and_of_others_not() {
    let steps = vec![
        hello("a"),
        said(1, "user_removed", json!({"user_id": "jon"}), json!({"channel_id": "c1"})),
        said(2, "user_removed", json!({"channel_id": "c1", "remover_id": "jon"}), json!({"user_id": "bot"})),
        said(3, "leave_team", json!({"user_id": "jon", "team_id": "t1"}), json!({"team_id": "t1"})),
        said(4, "leave_team", json!({"user_id": "bot", "team_id": "t1"}), json!({"user_id": "bot"})),
        Step::Stay,
    ];
    let server = StreamServer::start(vec![Script::Play(steps)]).await;
    let mut stream = EventStream::connect(&server.client, for_bot("bot"));
    for expected in ["connected", "removed c1", "left t1"] {
        assert_eq!(next(&mut stream).await, expected);
    }
}

#[tokio::test]
async fn a_resumed_stream_does_not_repeat_them() {
    let closed = |seq, channel: &str| said(seq, "channel_deleted", json!({"channel_id": channel}), json!({}));
    let scripts = vec![
        Script::Play(vec![hello("a"), closed(1, "c1"), posted(2, "p")]),
        Script::Play(vec![closed(1, "c1"), posted(2, "p"), closed(3, "c3"), Step::Stay]),
    ];
    let server = StreamServer::start(scripts).await;
    let mut stream = EventStream::connect(&server.client, fast());
    for expected in ["connected", "closed c1", "lost", "connected", "closed c3"] {
        assert_eq!(next(&mut stream).await, expected);
    }
}
