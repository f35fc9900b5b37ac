//! The event stream: it stays connected, and says when it may have missed something.

use futures_util::{SinkExt as _, StreamExt as _};
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::Instant;
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::tungstenite::{Error as SocketError, Message};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream};

use crate::backoff::Backoff;
use crate::client::Client;
use crate::events::{Event, Frame, PostedEvent};
use crate::options::EventOptions;
use crate::recent::Recent;

type Socket = WebSocketStream<MaybeTlsStream<TcpStream>>;

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
    /// The connection was lost, or could not be made. The stream tries again by itself.
    Lost {
        /// Why, for people.
        reason: String,
    },
    /// The server refuses the token. The stream has ended.
    Refused {
        /// Why, for people, and what to do.
        reason: String,
    },
}

/// The events of a server, in order. It stays connected until it is dropped, or the token is refused.
///
/// When its reader is slow, the stream reads no further: the server keeps what comes as long as it can, and then ends the connection.
#[derive(Debug)]
pub struct EventStream {
    events: mpsc::Receiver<StreamEvent>,
    task: JoinHandle<()>,
}

impl EventStream {
    /// Begins to connect. Must be called within a tokio runtime.
    #[must_use]
    pub fn connect(client: &Client, options: EventOptions) -> Self {
        let (sender, events) = mpsc::channel(options.queue_max.max(1));
        let keeper = Keeper {
            client: client.clone(),
            backoff: Backoff::new(options.backoff_min, options.backoff_max),
            recent: Recent::new(options.recent_posts_max),
            resume: None,
            sender,
            options,
        };
        Self { events, task: tokio::spawn(keeper.keep()) }
    }

    /// The next event; `None` once the stream has ended. May be dropped while it waits; nothing is lost by it.
    pub async fn next(&mut self) -> Option<StreamEvent> {
        self.events.recv().await
    }
}

impl Drop for EventStream {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Where the stream goes on after a lost connection.
struct Resume {
    connection_id: String,
    /// The next one that is expected.
    seq: u64,
}

/// How a connection ended.
enum End {
    /// Try again.
    Lost(String),
    /// Nobody reads the events any more.
    Unread,
    /// The token is refused.
    Refused(String),
}

/// The task that keeps the stream.
struct Keeper {
    client: Client,
    options: EventOptions,
    backoff: Backoff,
    recent: Recent,
    resume: Option<Resume>,
    sender: mpsc::Sender<StreamEvent>,
}

/// One connection.
struct Connection {
    socket: Socket,
    heard: Instant,
    next_ping: Instant,
    /// Until when the server may greet; `None` once the stream stands.
    greeting: Option<Instant>,
}

impl Keeper {
    async fn keep(mut self) {
        loop {
            let reason = match self.run().await {
                End::Lost(reason) => self.client.options().token.redact(&reason),
                End::Unread => return,
                End::Refused(reason) => {
                    tracing::error!(%reason, "the server refuses the token; the event stream has ended");
                    let _unread = self.sender.send(StreamEvent::Refused { reason }).await;
                    return;
                }
            };
            let wait = self.backoff.next_wait();
            tracing::warn!(%reason, wait_ms = wait.as_millis(), "the event stream is not connected");
            if self.sender.send(StreamEvent::Lost { reason }).await.is_err() {
                return;
            }
            tokio::time::sleep(wait).await;
        }
    }

    /// Connects, and yields events until the connection ends.
    async fn run(&mut self) -> End {
        let mut connection = match self.open().await {
            Ok(connection) => connection,
            Err(end) => return end,
        };
        loop {
            match self.step(&mut connection).await {
                Ok(()) => {}
                // Servers close the stream of a wrong token without a word; only a call tells why.
                Err(End::Lost(reason)) if connection.greeting.is_some() => return self.ask_why(reason).await,
                Err(end) => return end,
            }
        }
    }

    async fn open(&mut self) -> Result<Connection, End> {
        let lost = |reason: String| End::Lost(format!("cannot connect to the event stream: {reason}"));
        let query = match &self.resume {
            Some(resume) => vec![
                ("connection_id", resume.connection_id.clone()),
                ("sequence_number", resume.seq.to_string()),
            ],
            None => Vec::new(),
        };
        let mut url = self.client.address(&["websocket"], &query).map_err(|kind| lost(kind.to_string()))?;
        let scheme = if url.scheme() == "https" { "wss" } else { "ws" };
        url.set_scheme(scheme).map_err(|()| lost("the server's address has no host".into()))?;
        let mut request = url.as_str().into_client_request().map_err(|error| lost(error.to_string()))?;
        request.headers_mut().insert("authorization", self.client.authorization().map_err(lost)?);

        let bytes_max = Some(self.options.frame_bytes_max);
        let config = WebSocketConfig::default().max_message_size(bytes_max).max_frame_size(bytes_max);
        let connecting = tokio_tungstenite::connect_async_with_config(request, Some(config), true);
        let connected = tokio::time::timeout(self.options.greeting_max, connecting).await;
        let (socket, _) = connected
            .map_err(|_| lost(format!("no answer within {:?}", self.options.greeting_max)))?
            .map_err(|error| match &error {
                SocketError::Http(response) if response.status().as_u16() == 401 => End::Refused(
                    "the token is refused (401): make a new one for the bot, and configure it".into(),
                ),
                _ => lost(error.to_string()),
            })?;
        let now = Instant::now();
        Ok(Connection {
            socket,
            heard: now,
            next_ping: now + self.options.ping_every,
            greeting: Some(now + self.options.greeting_max),
        })
    }

    /// Waits for whatever comes first: a frame, the time to ask, the end of patience.
    async fn step(&mut self, connection: &mut Connection) -> Result<(), End> {
        let silence_end = connection.heard + self.options.silence_max;
        let patience = connection.greeting.map_or(silence_end, |greeting| greeting.min(silence_end));
        tokio::select! {
            () = self.sender.closed() => Err(End::Unread),
            received = connection.socket.next() => {
                let message = self.message(received)?;
                if let Message::Text(text) = &message {
                    self.frame(connection, text).await?;
                }
                // After the frame, since a slow reader is no silence of the server.
                connection.heard = Instant::now();
                Ok(())
            }
            () = tokio::time::sleep_until(connection.next_ping) => {
                connection.next_ping = Instant::now() + self.options.ping_every;
                let ping = connection.socket.send(Message::Ping(Vec::new().into()));
                match tokio::time::timeout_at(patience.max(connection.next_ping), ping).await {
                    Ok(Ok(())) => Ok(()),
                    Ok(Err(error)) => Err(End::Lost(error.to_string())),
                    Err(_) => Err(End::Lost("the server takes nothing any more".into())),
                }
            }
            () = tokio::time::sleep_until(patience) => self.patience_ended(connection, silence_end).await,
        }
    }

    fn message(&mut self, received: Option<Result<Message, SocketError>>) -> Result<Message, End> {
        match received {
            Some(Ok(Message::Close(Some(close)))) => {
                Err(End::Lost(format!("the server closed it ({}: {})", u16::from(close.code), close.reason)))
            }
            None | Some(Ok(Message::Close(None))) => Err(End::Lost("the server closed it".into())),
            Some(Ok(message)) => Ok(message),
            Some(Err(error)) => {
                if matches!(error, SocketError::Capacity(_)) {
                    // Resumed, the same frame would come again, for ever.
                    self.resume = None;
                }
                Err(End::Lost(error.to_string()))
            }
        }
    }

    /// A server that resumes a stream in which nothing happened says nothing at all.
    async fn patience_ended(&mut self, connection: &mut Connection, silence_end: Instant) -> Result<(), End> {
        let is_greeting = connection.greeting.is_some_and(|greeting| greeting < silence_end);
        if is_greeting && self.resume.is_some() {
            return self.stands(connection, true).await;
        }
        let silence = if is_greeting { self.options.greeting_max } else { self.options.silence_max };
        Err(End::Lost(format!("the server has said nothing for {silence:?}")))
    }

    async fn frame(&mut self, connection: &mut Connection, text: &str) -> Result<(), End> {
        let (seq, event) = match Frame::parse(text) {
            Ok(Frame::Event { seq, event }) => (seq, event),
            Ok(Frame::Reply) => return Ok(()),
            Err(error) => {
                tracing::warn!(%error, bytes = text.len(), "a frame of the event stream is unreadable and skipped");
                // It took the place of the next event.
                return self.expect_after(None);
            }
        };
        if let Event::Hello { connection_id } = event {
            let resumed = self.resume.as_ref().is_some_and(|resume| resume.connection_id == connection_id);
            if !resumed {
                self.resume = Some(Resume { connection_id, seq: seq.saturating_add(1) });
            }
            return self.stands(connection, resumed).await;
        }
        self.expect_after(Some(seq))?;
        if connection.greeting.is_some() {
            self.stands(connection, true).await?;
        }
        match event {
            Event::Posted(posted) if self.recent.insert(&posted.post.id) => {
                self.yield_event(StreamEvent::Posted(posted)).await
            }
            Event::Unreadable(error) => {
                tracing::warn!(seq, %error, "a post of the event stream is unreadable and skipped");
                Ok(())
            }
            Event::Posted(_) | Event::Hello { .. } | Event::Other => Ok(()),
        }
    }

    /// Moves on to the event after this one. When events are missing in between, the server has dropped them: the stream begins anew,
    /// and its reader is told so.
    fn expect_after(&mut self, seq: Option<u64>) -> Result<(), End> {
        let Some(resume) = &mut self.resume else {
            return Err(End::Lost("the server sent events before its greeting".into()));
        };
        match seq {
            Some(seq) if seq > resume.seq => {
                let reason = format!("event {} was expected and {seq} came", resume.seq);
                self.resume = None;
                Err(End::Lost(reason))
            }
            // A resumed stream repeats some.
            Some(seq) if seq < resume.seq => Ok(()),
            _ => {
                resume.seq = resume.seq.saturating_add(1);
                Ok(())
            }
        }
    }

    async fn stands(&mut self, connection: &mut Connection, resumed: bool) -> Result<(), End> {
        connection.greeting = None;
        self.backoff.reset();
        tracing::info!(resumed, "the event stream is connected");
        self.yield_event(StreamEvent::Connected { resumed }).await
    }

    async fn yield_event(&mut self, event: StreamEvent) -> Result<(), End> {
        self.sender.send(event).await.map_err(|_| End::Unread)
    }

    async fn ask_why(&mut self, reason: String) -> End {
        match self.client.me().await {
            Err(error) if error.status() == Some(401) => End::Refused(error.to_string()),
            _ => End::Lost(reason),
        }
    }
}
