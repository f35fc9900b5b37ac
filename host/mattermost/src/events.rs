//! What the server says on the WebSocket.

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::Value;

use crate::channel_events::channel_event;
use crate::lenient::{null_is_default, text_or_empty};
use crate::post::Post;

/// What a stream yields.
#[derive(Debug, Clone, PartialEq)]
pub enum StreamEvent {
    /// The stream stands. When it was not resumed, what happened before this must be read over REST; so it is at the very beginning.
    Connected {
        /// Whether nothing was missed since [`StreamEvent::Lost`].
        resumed: bool,
    },
    /// Somebody wrote a post. Each comes once, as far back as the stream remembers.
    Posted(Box<PostedEvent>),
    /// Somebody deleted a post.
    PostDeleted {
        /// Which.
        post_id: String,
    },
    /// A channel was archived.
    ChannelClosed {
        /// Which.
        channel_id: String,
    },
    /// A channel is archived no more.
    ChannelReopened {
        /// Which.
        channel_id: String,
    },
    /// A channel was made. As far as recorded, servers tell it only to who made it: those of other people are found by
    /// [`crate::Client::public_channels`].
    ChannelCreated {
        /// Which.
        channel_id: String,
        /// On which team; empty when the server does not say.
        team_id: String,
    },
    /// A channel's name, display name, header, purpose or kind was changed; the server does not say which of them.
    ChannelRenamed {
        /// Which.
        channel_id: String,
    },
    /// The bot became a member of a channel.
    BotAdded {
        /// Which.
        channel_id: String,
        /// On which team; empty when the server does not say.
        team_id: String,
    },
    /// The bot is no member of a channel any more. Servers may say it twice: to the channel, and to the bot.
    BotRemoved {
        /// Which.
        channel_id: String,
    },
    /// The bot is not on a team any more.
    TeamLeft {
        /// Which.
        team_id: String,
    },
    /// The connection was lost, or could not be made. The stream tries again by itself.
    Lost {
        /// Why, for people.
        reason: String,
    },
    /// The server refuses the token; this comes once for each token. The stream tries again by itself: as soon as the token was
    /// replaced, and now and then in case the same one is taken again.
    Refused {
        /// Why, for people, and what to do.
        reason: String,
    },
}

/// Somebody wrote a post in a channel that the bot is a member of.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct PostedEvent {
    /// The post.
    pub post: Post,
    /// Where it stands.
    pub channel_id: String,
    /// The channel's handle.
    pub channel_name: String,
    /// What people see as the channel's name.
    pub channel_display_name: String,
    /// `O` public, `P` private, `D` direct, `G` group.
    pub channel_type: String,
    /// The channel's team; empty for direct and group channels.
    pub team_id: String,
    /// The writer's handle with an `@`, or a webhook's or the system's name.
    pub sender_name: String,
}

/// A frame, as far as it matters.
#[derive(Debug, PartialEq)]
pub(crate) enum Frame {
    /// An event with its place in the stream.
    Event { seq: u64, event: Event },
    /// The answer to something that was asked; it has no place in the stream.
    Reply,
}

/// An event, as far as it matters.
#[derive(Debug, PartialEq)]
pub(crate) enum Event {
    /// The stream begins here, under this id.
    Hello {
        connection_id: String,
    },
    Posted(Box<PostedEvent>),
    /// Something happened to a channel, to the bot in it, or to a post there.
    Channel(StreamEvent),
    /// A post that cannot be read, and why.
    Unreadable(String),
    Other,
}

/// Reads a frame of an event stream by itself, as for a recording. `None`: it is nothing that a stream yields. The bot's id is needed to
/// know what happened to the bot.
///
/// # Errors
/// Why the text is no frame, or its post cannot be read. A stream begins anew then.
pub fn read_frame(text: &str, bot_id: Option<&str>) -> Result<Option<StreamEvent>, String> {
    match Frame::parse(text, bot_id)? {
        Frame::Event { event: Event::Posted(posted), .. } => Ok(Some(StreamEvent::Posted(posted))),
        Frame::Event { event: Event::Channel(event), .. } => Ok(Some(event)),
        Frame::Event { event: Event::Unreadable(reason), .. } => Err(reason),
        Frame::Event { event: Event::Hello { .. } | Event::Other, .. } | Frame::Reply => Ok(None),
    }
}

/// Most frames are about nothing that matters here, so they are read without copying them.
#[derive(Deserialize)]
struct RawFrame<'a> {
    #[serde(default, borrow)]
    event: Cow<'a, str>,
    seq: Option<u64>,
    seq_reply: Option<u64>,
    #[serde(default, borrow, deserialize_with = "null_is_default")]
    data: Data<'a>,
    #[serde(default, borrow, deserialize_with = "null_is_default")]
    broadcast: Broadcast<'a>,
}

/// What an event says, as far as some event matters. Empty: it does not say so, or not as a text.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(crate) struct Data<'a> {
    #[serde(borrow, deserialize_with = "text_or_empty")]
    connection_id: Cow<'a, str>,
    /// JSON.
    #[serde(borrow, deserialize_with = "text_or_empty")]
    post: Cow<'a, str>,
    #[serde(borrow, deserialize_with = "text_or_empty")]
    channel_name: Cow<'a, str>,
    #[serde(borrow, deserialize_with = "text_or_empty")]
    channel_display_name: Cow<'a, str>,
    #[serde(borrow, deserialize_with = "text_or_empty")]
    channel_type: Cow<'a, str>,
    #[serde(borrow, deserialize_with = "text_or_empty")]
    sender_name: Cow<'a, str>,
    #[serde(borrow, deserialize_with = "text_or_empty")]
    pub(crate) team_id: Cow<'a, str>,
    #[serde(borrow, deserialize_with = "text_or_empty")]
    pub(crate) channel_id: Cow<'a, str>,
    #[serde(borrow, deserialize_with = "text_or_empty")]
    pub(crate) user_id: Cow<'a, str>,
    /// A channel, or one as JSON.
    pub(crate) channel: Option<Value>,
}

/// Who the server tells, and so what the event is about.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(crate) struct Broadcast<'a> {
    #[serde(borrow, deserialize_with = "text_or_empty")]
    pub(crate) channel_id: Cow<'a, str>,
    #[serde(borrow, deserialize_with = "text_or_empty")]
    pub(crate) team_id: Cow<'a, str>,
    #[serde(borrow, deserialize_with = "text_or_empty")]
    pub(crate) user_id: Cow<'a, str>,
}

impl Frame {
    /// Reads a frame to the bot with this id; the error says why it cannot be one.
    pub(crate) fn parse(text: &str, bot_id: Option<&str>) -> Result<Self, String> {
        let raw: RawFrame<'_> = serde_json::from_str(text).map_err(|error| error.to_string())?;
        if raw.seq_reply.is_some() {
            return Ok(Self::Reply);
        }
        let seq = raw.seq.ok_or_else(|| "neither `seq` nor `seq_reply` is there".to_owned())?;
        let event = match &*raw.event {
            "hello" => Event::Hello { connection_id: raw.data.connection_id.into_owned() },
            "posted" => posted(raw.data, &raw.broadcast.channel_id),
            "post_deleted" => deleted(&raw.data),
            kind => {
                channel_event(kind, &raw.data, &raw.broadcast, bot_id).map_or(Event::Other, Event::Channel)
            }
        };
        Ok(Self::Event { seq, event })
    }
}

/// The post is JSON within JSON.
fn posted(data: Data<'_>, channel_id: &str) -> Event {
    if data.post.is_empty() {
        return Event::Unreadable("`data.post` is no text".into());
    }
    let post: Post = match serde_json::from_str(&data.post) {
        Ok(post) => post,
        Err(error) => return Event::Unreadable(format!("`data.post`: {error}")),
    };
    if post.id.is_empty() {
        return Event::Unreadable("`data.post` has no id".into());
    }
    Event::Posted(Box::new(PostedEvent {
        channel_id: if channel_id.is_empty() { post.channel_id.clone() } else { channel_id.to_owned() },
        post,
        channel_name: data.channel_name.into_owned(),
        channel_display_name: data.channel_display_name.into_owned(),
        channel_type: data.channel_type.into_owned(),
        team_id: data.team_id.into_owned(),
        sender_name: data.sender_name.into_owned(),
    }))
}

/// Of one that cannot be read, nobody could tell which post it is about.
fn deleted(data: &Data<'_>) -> Event {
    match serde_json::from_str::<Post>(&data.post) {
        Ok(post) if !post.id.is_empty() => Event::Channel(StreamEvent::PostDeleted { post_id: post.id }),
        _ => Event::Other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_frame_is_told() {
        for text in
            ["", "{", "7", "[]", "{}", r#"{"event": "posted", "seq": -1}"#, r#"{"event": 5, "seq": 1}"#]
        {
            assert!(Frame::parse(text, None).is_err(), "{text}");
        }
    }

    #[test]
    fn a_broken_post_keeps_its_place() {
        for data in ["{}", r#"{"post": 5}"#, r#"{"post": "{"}"#, r#"{"post": "{}"}"#, "null"] {
            let text = format!(r#"{{"event": "posted", "seq": 4, "data": {data}, "broadcast": null}}"#);
            let frame = Frame::parse(&text, None).unwrap();
            assert!(
                matches!(frame, Frame::Event { seq: 4, event: Event::Unreadable(_) }),
                "{data}: {frame:?}"
            );
        }
    }

    #[test]
    fn a_frame_can_be_read_by_itself() {
        let read = |event: &str, data: &str| {
            let text = format!(r#"{{"event": "{event}", "seq": 1, "data": {data}, "broadcast": {{}}}}"#);
            read_frame(&text, Some("bot"))
        };
        let left = StreamEvent::TeamLeft { team_id: "t".into() };
        assert_eq!(read("leave_team", r#"{"user_id": "bot", "team_id": "t"}"#), Ok(Some(left)));
        assert!(matches!(read("posted", r#"{"post": "{\"id\": \"p\"}"}"#), Ok(Some(StreamEvent::Posted(_)))));
        let gone = StreamEvent::PostDeleted { post_id: "p".into() };
        assert_eq!(read("post_deleted", r#"{"post": "{\"id\": \"p\"}"}"#), Ok(Some(gone)));
        assert_eq!(read("post_deleted", r#"{"post": "{}"}"#), Ok(None));
        assert_eq!(read("hello", r#"{"connection_id": "a"}"#), Ok(None));
        assert_eq!(read_frame(r#"{"seq_reply": 1}"#, None), Ok(None));
        assert!(read("posted", "{}").is_err() && read_frame("{}", None).is_err());
    }

    #[test]
    fn replies_have_no_place() {
        assert_eq!(Frame::parse(r#"{"status": "OK", "seq_reply": 1}"#, None), Ok(Frame::Reply));
    }
}
