//! All event streams: who listens, what was sent last, and what a broken stream missed.

use std::collections::{BTreeMap, VecDeque};
use std::time::{Duration, Instant};

use axum::extract::ws::Utf8Bytes;
use serde_json::json;
use tokio::sync::mpsc;

use super::event::{Audience, Event, Unnumbered};
use crate::options::Limits;
use crate::system::VERSION;

/// Events of a stream that can be sent again, as on the real server.
const HISTORY_MAX: usize = 128;

/// One stream. It outlives its socket for a while, so that a client can come back for what it missed.
#[derive(Debug)]
pub(crate) struct Stream {
    pub(crate) user_id: String,
    /// The token it was opened with, or last resumed with.
    pub(crate) token: String,
    next_seq: u64,
    /// The last events, whether sent or missed.
    history: VecDeque<(u64, Utf8Bytes)>,
    socket: Option<mpsc::Sender<Utf8Bytes>>,
    /// Counts the sockets of this stream: the end of an old one must not end the new one.
    socket_number: u64,
    resumable: bool,
    /// Its token is refused: it stays open, and hears nothing.
    mute: bool,
    broken_since: Option<Instant>,
}

impl Stream {
    fn push(&mut self, event: &Unnumbered) {
        let frame = event.frame(self.next_seq);
        if self.history.len() >= HISTORY_MAX {
            self.history.pop_front();
        }
        self.history.push_back((self.next_seq, frame.clone()));
        self.next_seq += 1;
        if self.socket.as_ref().is_some_and(|socket| socket.try_send(frame).is_err()) {
            self.break_off();
        }
    }

    fn break_off(&mut self) {
        self.socket = None;
        self.broken_since = Some(Instant::now());
    }

    /// What came from `seq` on, if all of it is still here.
    fn since(&self, seq: u64) -> Option<Vec<Utf8Bytes>> {
        let oldest = self.history.front().map_or(self.next_seq, |(seq, _)| *seq);
        if seq < oldest || seq > self.next_seq {
            return None;
        }
        Some(self.history.iter().filter(|(at, _)| *at >= seq).map(|(_, frame)| frame.clone()).collect())
    }
}

/// Who opens or resumes a stream.
#[derive(Debug, Clone)]
pub(crate) struct Client {
    pub(crate) user_id: String,
    pub(crate) token: String,
}

/// A socket's end of a stream.
#[derive(Debug)]
pub(crate) struct Attached {
    /// Id of the stream.
    pub(crate) connection_id: String,
    /// Which socket of the stream this is.
    pub(crate) socket_number: u64,
    /// Frames to send first: what was missed.
    pub(crate) first: Vec<Utf8Bytes>,
    /// Frames to send then. Ends when the stream lets go of this socket.
    pub(crate) frames: mpsc::Receiver<Utf8Bytes>,
}

/// All streams.
#[derive(Debug)]
pub(crate) struct Hub {
    streams: BTreeMap<String, Stream>,
    streams_max: usize,
    queue_max: usize,
    resume: Duration,
}

impl Hub {
    /// No streams yet.
    pub(crate) fn new(limits: &Limits) -> Hub {
        Hub {
            streams: BTreeMap::new(),
            streams_max: limits.websockets_max,
            queue_max: limits.websocket_queue_max.max(1),
            resume: limits.websocket_resume,
        }
    }

    /// Queues an event on each stream whose user `hears` accepts.
    pub(crate) fn publish(&mut self, event: &Event, hears: impl Fn(&str) -> bool) {
        self.forget_old();
        let mut hearing =
            self.streams.values_mut().filter(|stream| !stream.mute && hears(&stream.user_id)).peekable();
        if hearing.peek().is_some() {
            let event = event.unnumbered();
            hearing.for_each(|stream| stream.push(&event));
        }
    }

    /// Goes on with a stream: `seq` is the next event that the client expects. `None` if that cannot be done.
    pub(crate) fn resume(&mut self, client: &Client, connection_id: &str, seq: u64) -> Option<Attached> {
        self.forget_old();
        let stream = self.streams.get_mut(connection_id).filter(|stream| stream.user_id == client.user_id)?;
        if !stream.resumable {
            return None;
        }
        let first = stream.since(seq)?;
        let (sender, frames) = mpsc::channel(self.queue_max);
        stream.socket = Some(sender);
        stream.token.clone_from(&client.token);
        stream.socket_number += 1;
        stream.mute = false;
        stream.broken_since = None;
        let socket_number = stream.socket_number;
        Some(Attached { connection_id: connection_id.to_owned(), socket_number, first, frames })
    }

    /// A new stream, which begins with `hello`. `None` if there are too many: then the longest broken one makes room.
    pub(crate) fn open(
        &mut self,
        client: &Client,
        connection_id: String,
        resumable: bool,
    ) -> Option<Attached> {
        self.forget_old();
        if self.streams.len() >= self.streams_max {
            let broken = self.streams.iter().filter(|(_, stream)| stream.broken_since.is_some());
            let longest = broken.min_by_key(|(_, stream)| stream.broken_since).map(|(id, _)| id.clone())?;
            self.streams.remove(&longest);
        }
        let (sender, frames) = mpsc::channel(self.queue_max);
        let mut stream = Stream {
            user_id: client.user_id.clone(),
            token: client.token.clone(),
            next_seq: 0,
            history: VecDeque::new(),
            socket: Some(sender),
            socket_number: 0,
            resumable,
            mute: false,
            broken_since: None,
        };
        let hello = Event {
            name: "hello",
            data: json!({
                "connection_id": connection_id,
                "server_version": format!("{VERSION}..simulator.false"),
            }),
            audience: Audience::User(client.user_id.clone()),
        };
        stream.push(&hello.unnumbered());
        self.streams.insert(connection_id.clone(), stream);
        Some(Attached { connection_id, socket_number: 0, first: Vec::new(), frames })
    }

    /// A socket is gone. The stream waits for another, if it can be resumed.
    pub(crate) fn detach(&mut self, connection_id: &str, socket_number: u64) {
        let Some(stream) = self.streams.get_mut(connection_id) else { return };
        if stream.socket_number != socket_number {
            return;
        }
        if stream.resumable {
            stream.break_off();
        } else {
            self.streams.remove(connection_id);
        }
    }

    /// Breaks every socket off, as a failing network does.
    pub(crate) fn break_all(&mut self) {
        self.streams.values_mut().for_each(Stream::break_off);
    }

    /// Keeps what comes from the streams of a token, or lets them hear again. As on the real server they stay open, pings are
    /// answered, and what comes meanwhile leaves no gap in their numbers.
    pub(crate) fn mute(&mut self, token: &str, mute: bool) {
        for stream in self.streams.values_mut().filter(|stream| stream.token == token) {
            stream.mute = mute;
        }
    }

    /// Ends the streams that `ends` names. They cannot be resumed.
    pub(crate) fn close_those(&mut self, ends: impl Fn(&Stream) -> bool) {
        self.streams.retain(|_, stream| !ends(stream));
    }

    /// Streams with a socket.
    pub(crate) fn open_count(&self) -> usize {
        self.streams.values().filter(|stream| stream.socket.is_some()).count()
    }

    fn forget_old(&mut self) {
        let resume = self.resume;
        self.streams.retain(|_, stream| stream.broken_since.is_none_or(|since| since.elapsed() < resume));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event() -> Event {
        Event { name: "posted", data: json!({}), audience: Audience::Team(String::new()) }
    }

    fn hub(limits: Limits) -> Hub {
        Hub::new(&limits)
    }

    fn client(name: &str) -> Client {
        Client { user_id: name.to_owned(), token: format!("token of {name}") }
    }

    #[test]
    fn up_to_128_missed_events_come_back_and_no_more() {
        let mut hub = hub(Limits::default());
        let attached = hub.open(&client("jon"), "c1".to_owned(), true).unwrap();
        hub.detach(&attached.connection_id, attached.socket_number);
        for _ in 0..128 {
            hub.publish(&event(), |_| true);
        }
        assert_eq!(hub.resume(&client("jon"), "c1", 1).unwrap().first.len(), 128);
        assert!(hub.resume(&client("chris"), "c1", 1).is_none(), "a stream belongs to its user");
        hub.publish(&event(), |_| true);
        assert!(hub.resume(&client("jon"), "c1", 1).is_none(), "129 were missed");
        assert!(hub.resume(&client("jon"), "c1", 200).is_none(), "that is in the future");
        assert_eq!(hub.resume(&client("jon"), "c1", 130).unwrap().first.len(), 0);
    }

    #[test]
    fn a_slow_socket_is_cut_off_and_an_old_one_does_not_end_the_new_one() {
        let mut hub = hub(Limits { websocket_queue_max: 2, ..Limits::default() });
        let slow = hub.open(&client("jon"), "c1".to_owned(), true).unwrap();
        hub.publish(&event(), |_| true);
        assert_eq!(hub.open_count(), 1);
        hub.publish(&event(), |_| true);
        assert_eq!(hub.open_count(), 0, "the third frame did not fit");
        let new = hub.resume(&client("jon"), "c1", 0).unwrap();
        hub.detach("c1", slow.socket_number);
        assert_eq!(hub.open_count(), 1);
        hub.detach("c1", new.socket_number);
        assert_eq!(hub.open_count(), 0);
    }

    #[test]
    fn streams_are_bounded_and_broken_ones_make_room() {
        let mut hub = hub(Limits { websockets_max: 1, ..Limits::default() });
        let one = hub.open(&client("jon"), "c1".to_owned(), true).unwrap();
        assert!(hub.open(&client("jon"), "c2".to_owned(), true).is_none());
        hub.detach("c1", one.socket_number);
        assert!(hub.open(&client("jon"), "c2".to_owned(), true).is_some());
        assert!(hub.resume(&client("jon"), "c1", 1).is_none());
    }

    #[test]
    fn a_stream_whose_token_is_refused_hears_nothing_and_stays() {
        let mut hub = hub(Limits::default());
        hub.open(&client("jon"), "c1".to_owned(), true).unwrap();
        hub.mute("token of jon", true);
        hub.publish(&event(), |_| true);
        assert_eq!(hub.open_count(), 1);
        hub.mute("token of jon", false);
        hub.publish(&event(), |_| true);
        assert_eq!(hub.resume(&client("jon"), "c1", 1).unwrap().first.len(), 1, "the first one is lost");
    }

    #[test]
    fn a_closed_stream_ends_and_cannot_be_resumed() {
        let mut hub = hub(Limits::default());
        let mut jon = hub.open(&client("jon"), "c1".to_owned(), true).unwrap();
        hub.open(&client("chris"), "c2".to_owned(), true).unwrap();
        hub.close_those(|stream| stream.token == "token of jon");
        assert!(jon.frames.try_recv().is_ok(), "the hello was sent already");
        assert_eq!(jon.frames.try_recv(), Err(mpsc::error::TryRecvError::Disconnected));
        assert!(hub.resume(&client("jon"), "c1", 1).is_none());
        assert!(hub.resume(&client("chris"), "c2", 1).is_some());
    }

    #[test]
    fn a_stream_is_forgotten_after_its_time() {
        let mut hub = hub(Limits { websocket_resume: Duration::ZERO, ..Limits::default() });
        let one = hub.open(&client("jon"), "c1".to_owned(), true).unwrap();
        hub.detach("c1", one.socket_number);
        assert!(hub.resume(&client("jon"), "c1", 1).is_none());
    }
}
