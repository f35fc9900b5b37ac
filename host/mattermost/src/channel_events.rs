//! What happens to channels, and to the bot in them.

use serde::Deserialize as _;
use serde_json::Value;

use crate::channel::Channel;
use crate::events::{Broadcast, Data, StreamEvent};

/// Reads an event about a channel; `None` for others, for those about other people, and for those that do not say which channel.
pub(crate) fn channel_event(
    kind: &str,
    data: &Data<'_>,
    broadcast: &Broadcast<'_>,
    bot_id: Option<&str>,
) -> Option<StreamEvent> {
    // Servers say these in the data, or by whom they tell it.
    let channel_id = || said(&data.channel_id, &broadcast.channel_id);
    let team_id = || said(&data.team_id, &broadcast.team_id);
    let is_bot = || bot_id.is_some() && said(&data.user_id, &broadcast.user_id).as_deref() == bot_id;
    match kind {
        "channel_deleted" => Some(StreamEvent::ChannelClosed { channel_id: channel_id()? }),
        "channel_restored" => Some(StreamEvent::ChannelReopened { channel_id: channel_id()? }),
        "channel_created" => Some(StreamEvent::ChannelCreated {
            channel_id: channel_id()?,
            team_id: team_id().unwrap_or_default(),
        }),
        "channel_updated" => Some(StreamEvent::ChannelRenamed {
            channel_id: channel_id().or_else(|| changed_channel(data.channel.as_ref()?))?,
        }),
        "user_added" if is_bot() => {
            Some(StreamEvent::BotAdded { channel_id: channel_id()?, team_id: team_id().unwrap_or_default() })
        }
        "user_removed" if is_bot() => Some(StreamEvent::BotRemoved { channel_id: channel_id()? }),
        "leave_team" if is_bot() => Some(StreamEvent::TeamLeft { team_id: team_id()? }),
        _ => None,
    }
}

/// The text, else the other one; `None` when both are empty.
fn said(text: &str, otherwise: &str) -> Option<String> {
    let text = if text.is_empty() { otherwise } else { text };
    (!text.is_empty()).then(|| text.to_owned())
}

/// The channel is JSON within JSON, or JSON.
fn changed_channel(channel: &Value) -> Option<String> {
    let channel = match channel {
        Value::String(text) => serde_json::from_str::<Channel>(text),
        value => Channel::deserialize(value),
    };
    channel.ok().map(|channel| channel.id).filter(|id| !id.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::events::{Event, Frame};
    use serde_json::json;

    fn read(event: &str, data: Value, broadcast: Value) -> Option<StreamEvent> {
        let text = json!({"event": event, "seq": 1, "data": data, "broadcast": broadcast}).to_string();
        match Frame::parse(&text, Some("bot")).unwrap() {
            Frame::Event { event: Event::Channel(event), .. } => Some(event),
            Frame::Event { event: Event::Other, .. } => None,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn the_channel_may_be_named_in_either_place() {
        let closed = Some(StreamEvent::ChannelClosed { channel_id: "c".into() });
        assert_eq!(read("channel_deleted", json!({"channel_id": "c"}), json!({"team_id": "t"})), closed);
        assert_eq!(read("channel_deleted", Value::Null, json!({"channel_id": "c", "team_id": null})), closed);
        for event in ["channel_deleted", "channel_restored", "channel_created", "channel_updated"] {
            assert_eq!(read(event, json!({"channel_id": 5}), Value::Null), None, "{event}");
        }
    }

    #[test]
    fn a_changed_channel_may_be_text_or_not() {
        let renamed = Some(StreamEvent::ChannelRenamed { channel_id: "c".into() });
        assert_eq!(read("channel_updated", json!({"channel": "{\"id\": \"c\"}"}), json!({})), renamed);
        assert_eq!(read("channel_updated", json!({"channel": {"id": "c"}}), json!({})), renamed);
        for odd in [json!("{"), json!({}), json!(7), json!("null")] {
            assert_eq!(read("channel_updated", json!({"channel": odd}), json!({})), None, "{odd}");
        }
    }

    #[test]
    fn a_removal_is_told_to_the_channel_and_to_the_bot() {
        let removed = Some(StreamEvent::BotRemoved { channel_id: "c".into() });
        let to_channel = read("user_removed", json!({"user_id": "bot"}), json!({"channel_id": "c"}));
        assert_eq!(to_channel, removed);
        let to_bot =
            read("user_removed", json!({"channel_id": "c", "remover_id": "u"}), json!({"user_id": "bot"}));
        assert_eq!(to_bot, removed);
    }

    #[test]
    fn what_happens_to_other_people_is_left_out() {
        let to_channel = json!({"channel_id": "c"});
        for event in ["user_removed", "user_added", "leave_team"] {
            assert_eq!(
                read(event, json!({"user_id": "u", "team_id": "t"}), to_channel.clone()),
                None,
                "{event}"
            );
            assert_eq!(read(event, json!({"team_id": "t"}), to_channel.clone()), None, "{event}");
        }
        let added = Some(StreamEvent::BotAdded { channel_id: "c".into(), team_id: "t".into() });
        assert_eq!(read("user_added", json!({"user_id": "bot", "team_id": "t"}), to_channel), added);
        let left = Some(StreamEvent::TeamLeft { team_id: "t".into() });
        assert_eq!(read("leave_team", json!({"user_id": "bot", "team_id": "t"}), json!({})), left);
        assert_eq!(read("leave_team", json!({"user_id": "bot"}), json!({"team_id": "t"})), left);
    }

    #[test]
    fn who_the_bot_is_must_be_known() {
        let text =
            r#"{"event": "leave_team", "seq": 1, "data": {"user_id": "", "team_id": "t"}, "broadcast": {}}"#;
        let other = Frame::Event { seq: 1, event: Event::Other };
        assert_eq!(Frame::parse(text, None), Ok(other));
    }
}
