//! The event stream: it stays connected, and says when it may have missed something.

use std::future::pending;
use std::pin::Pin;
use std::time::Duration;

use futures_util::{SinkExt as _, StreamExt as _};
use tokio::net::TcpStream;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;
use tokio::time::Instant;
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::tungstenite::{Error as SocketError, Message};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream};

use crate::backoff::Backoff;
use crate::client::Client;
use crate::credentials::Pass;
use crate::events::{Event, Frame, StreamEvent};
use crate::options::EventOptions;
use crate::recent::Recent;
use crate::token::Token;

/// Bytes that are read from the socket at once. Each look at it clears as many, and most frames are a kilobyte.
const READ_BYTES: usize = 8 << 10;

/// For how long a frame that could not be read keeps the pauses between two attempts to connect from beginning anew: a server that sends
/// such frames for ever must not be called for ever, again and again.
const UNREADABLE_REMEMBERED: Duration = Duration::from_secs(600);

/// What its reader is told, without the words of a server that gave none.
const TOKEN_REFUSED: &str = "the token is refused (401): make a new one for the bot, and configure it; or enable the bot \
                             again, if it was disabled";

type Socket = WebSocketStream<MaybeTlsStream<TcpStream>>;

/// A call whose answer is found in the credentials.
type Question = Pin<Box<dyn Future<Output = ()> + Send>>;

/// The events of a server, in order. It stays connected until it is dropped. While the token is refused, it waits.
///
/// A server keeps the connection of a token that it no longer takes, answers pings, and sends no events: only calls tell. So once any
/// call finds the token refused, or the client uses another one, the connection is given up and the stream begins anew.
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
            told_refused: None,
            unreadable_at: None,
            sender,
            options,
        };
        Self { events, task: tokio::spawn(keeper.keep()) }
    }

    /// The next event; `None` once the stream has ended, which only the end of its runtime can do. May be dropped while it waits; nothing is lost by it.
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
    /// Whose stream it was. Under another token nothing is resumed: this one may have been deaf for a while.
    token: Token,
    /// The next one that is expected.
    seq: u64,
    /// How often in a row it did not go on though the server was reached.
    failures: u32,
}

/// How often in a row a stream may not go on. Then it begins anew: the server may want nothing of what it went on with.
const RESUMES_FAILED_MAX: u32 = 5;

/// How a connection ended.
enum End {
    /// Try again.
    Lost(String),
    /// Nobody reads the events any more.
    Unread,
    /// The token is refused.
    Refused { token: Token, reason: String },
}

/// The task that keeps the stream.
struct Keeper {
    client: Client,
    options: EventOptions,
    backoff: Backoff,
    recent: Recent,
    resume: Option<Resume>,
    /// The token whose refusal the reader knows of.
    told_refused: Option<Token>,
    /// When a frame could not be read last.
    unreadable_at: Option<Instant>,
    sender: mpsc::Sender<StreamEvent>,
}

/// One connection.
struct Connection {
    socket: Socket,
    /// What it was made with.
    pass: Pass,
    heard: Instant,
    next_ping: Instant,
    /// Until when the server may greet; `None` once the stream stands.
    greeting: Option<Instant>,
    /// Told whenever something becomes of the client's token.
    token_changes: watch::Receiver<bool>,
    /// Whether an event came since the last ping.
    is_lively: bool,
    /// Whether the server still takes the token, while it is asked.
    question: Option<Question>,
}

impl Keeper {
    async fn keep(mut self) {
        loop {
            let again = match self.run().await {
                End::Lost(reason) => self.lost(reason).await,
                End::Refused { token, reason } => self.refused(token, reason).await,
                End::Unread => return,
            };
            if again.is_err() {
                return;
            }
        }
    }

    /// Says that the connection is lost, and waits before the next one.
    async fn lost(&mut self, reason: String) -> Result<(), End> {
        let wait = self.backoff.next_wait();
        tracing::warn!(%reason, wait_ms = wait.as_millis(), "the event stream is not connected");
        if let Some(observer) = self.client.observer() {
            observer.stream_lost();
        }
        self.yield_event(StreamEvent::Lost { reason }).await?;
        self.unless_unread(tokio::time::sleep(wait)).await
    }

    /// Says that the token is refused, once for each token, and waits until it is worth trying again.
    async fn refused(&mut self, token: Token, reason: String) -> Result<(), End> {
        // The server kept nothing for a token that it did not take.
        self.resume = None;
        if self.told_refused.as_ref() != Some(&token) {
            self.told_refused = Some(token);
            tracing::error!(%reason, "the event stream is not connected, since the token is refused");
            self.yield_event(StreamEvent::Refused { reason }).await?;
        }
        let wait = async {
            self.client.credentials().worth_trying().await;
            // However often somebody replaces the token or allows a probe.
            tokio::time::sleep(self.options.backoff_min).await;
        };
        self.unless_unread(wait).await
    }

    async fn unless_unread(&self, wait: impl Future<Output = ()>) -> Result<(), End> {
        tokio::select! {
            () = self.sender.closed() => Err(End::Unread),
            () = wait => Ok(()),
        }
    }

    /// Connects, and yields events until the connection ends.
    async fn run(&mut self) -> End {
        if let Err(end) = self.unless_unread(self.client.let_go()).await {
            return end;
        }
        let pass = match self.client.credentials().pass() {
            Ok(pass) => pass,
            Err(token) => return End::Refused { token, reason: TOKEN_REFUSED.into() },
        };
        let token = pass.token.clone();
        let end = match self.open(pass).await {
            Ok(mut connection) => self.follow(&mut connection).await,
            Err(end) => end,
        };
        match end {
            End::Lost(reason) => End::Lost(token.redact(&reason)),
            end => end,
        }
    }

    async fn follow(&mut self, connection: &mut Connection) -> End {
        loop {
            match self.step(connection).await {
                Ok(()) => {}
                // Servers close the stream of a wrong token without a word; only a call tells why.
                Err(End::Lost(reason)) if connection.greeting.is_some() => {
                    self.resume_failed(false);
                    return self.ask_why(&connection.pass, reason).await;
                }
                Err(end) => return end,
            }
        }
    }

    async fn open(&mut self, pass: Pass) -> Result<Connection, End> {
        self.resume.take_if(|resume| resume.token != pass.token);
        // Before the handshake, so that nothing is overlooked.
        let token_changes = self.client.token_refused();
        let lost = |reason: String| End::Lost(format!("cannot connect to the event stream: {reason}"));
        // A server without reliable streams gives no id: then there is nothing to go on with.
        self.resume.take_if(|resume| resume.connection_id.is_empty());
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
        request.headers_mut().insert("authorization", pass.header.clone());

        let bytes_max = Some(self.options.frame_bytes_max);
        let config = WebSocketConfig::default()
            .read_buffer_size(READ_BYTES)
            .max_message_size(bytes_max)
            .max_frame_size(bytes_max);
        let connecting = tokio_tungstenite::connect_async_with_config(request, Some(config), true);
        let connected = tokio::time::timeout(self.options.greeting_max, connecting).await;
        let connected =
            connected.map_err(|_| lost(format!("no answer within {:?}", self.options.greeting_max)))?;
        let socket = match connected {
            Ok((socket, _)) => socket,
            // It may as well be a proxy that does not let WebSockets through.
            Err(SocketError::Http(response)) if response.status().as_u16() == 401 => {
                let reason =
                    "cannot connect to the event stream: it is refused (401), but not for the token as far as calls tell"
                        .to_owned();
                return Err(self.ask_why(&pass, reason).await);
            }
            Err(error) => {
                if let SocketError::Http(response) = &error {
                    // Whoever answers with such a status will do so again.
                    let is_refused = response.status().is_client_error()
                        && !matches!(response.status().as_u16(), 408 | 429);
                    self.resume_failed(is_refused);
                }
                return Err(lost(error.to_string()));
            }
        };
        let now = Instant::now();
        Ok(Connection {
            socket,
            pass,
            heard: now,
            next_ping: now + self.options.ping_every,
            greeting: Some(now + self.options.greeting_max),
            token_changes,
            is_lively: false,
            question: None,
        })
    }

    /// The server was reached, and the stream did not go on. Beginning anew costs a look at all channels, so the same is asked for again,
    /// a few times, unless it is refused.
    fn resume_failed(&mut self, is_refused: bool) {
        if let Some(resume) = &mut self.resume {
            resume.failures = resume.failures.saturating_add(1);
            if is_refused || resume.failures >= RESUMES_FAILED_MAX {
                self.resume = None;
            }
        }
    }

    /// Waits for whatever comes first: a frame, news of the token, the time to ask, the end of patience.
    async fn step(&mut self, connection: &mut Connection) -> Result<(), End> {
        let silence_end = connection.heard + self.options.silence_max;
        let patience = connection.greeting.map_or(silence_end, |greeting| greeting.min(silence_end));
        tokio::select! {
            () = self.sender.closed() => Err(End::Unread),
            received = connection.socket.next() => {
                let message = self.message(received)?;
                if let Message::Text(text) = &message {
                    connection.is_lively = true;
                    self.frame(connection, text).await?;
                }
                // After the frame, since a slow reader is no silence of the server.
                connection.heard = Instant::now();
                Ok(())
            }
            // Until the server has greeted, its greeting tells.
            Ok(()) = connection.token_changes.changed(), if connection.greeting.is_none() => self.check_token(connection),
            () = answer(&mut connection.question) => {
                connection.question = None;
                Ok(())
            }
            () = tokio::time::sleep_until(connection.next_ping) => self.ping(connection, patience).await,
            () = tokio::time::sleep_until(patience) => self.patience_ended(connection, silence_end).await,
        }
    }

    /// Asks whether the server is there, and when nothing came since it was asked last, whether it still takes the token.
    async fn ping(&mut self, connection: &mut Connection, patience: Instant) -> Result<(), End> {
        connection.next_ping = Instant::now() + self.options.ping_every;
        let ping = connection.socket.send(Message::Ping(Vec::new().into()));
        match tokio::time::timeout_at(patience.max(connection.next_ping), ping).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => return Err(End::Lost(error.to_string())),
            Err(_) => return Err(End::Lost("the server takes nothing any more".into())),
        }
        let is_quiet = !std::mem::take(&mut connection.is_lively);
        // Frames do not wait for the answer, and nothing is asked twice.
        if is_quiet && connection.greeting.is_none() && connection.question.is_none() {
            let client = self.client.clone();
            // A refusal is found in the credentials; other errors are no concern of the stream.
            connection.question = Some(Box::pin(async move { drop(client.me().await) }));
        }
        Ok(())
    }

    /// Gives the connection up, and what it could be resumed with, when it was made with a token that is refused or replaced.
    fn check_token(&mut self, connection: &Connection) -> Result<(), End> {
        if self.client.credentials().is_in_force(&connection.pass) {
            return Ok(());
        }
        self.resume = None;
        let token = &connection.pass.token;
        if self.client.credentials().is_current(token) {
            return Err(End::Refused { token: token.clone(), reason: TOKEN_REFUSED.into() });
        }
        Err(End::Lost("it was made with a token that has been replaced".into()))
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

    /// A server that resumes a stream in which nothing happened says nothing at all; nor does one that waits for a better token. A call
    /// tells them apart.
    async fn patience_ended(&mut self, connection: &mut Connection, silence_end: Instant) -> Result<(), End> {
        let is_greeting = connection.greeting.is_some_and(|greeting| greeting < silence_end);
        if is_greeting && self.resume.is_some() {
            let silent = "the server neither greets nor resumes".to_owned();
            return match self.client.me().await {
                Ok(_) => self.stands(connection, true).await,
                Err(error) if error.status() == Some(401) => {
                    Err(self.ask_why(&connection.pass, silent).await)
                }
                Err(_) => Err(End::Lost(silent)),
            };
        }
        let silence = if is_greeting { self.options.greeting_max } else { self.options.silence_max };
        Err(End::Lost(format!("the server has said nothing for {silence:?}")))
    }

    async fn frame(&mut self, connection: &mut Connection, text: &str) -> Result<(), End> {
        let (seq, event) = match Frame::parse(text, self.options.bot_id.as_deref()) {
            Ok(Frame::Event { seq, event }) => (seq, event),
            Ok(Frame::Reply) => return Ok(()),
            Err(error) => return Err(self.unreadable(&format!("a frame of {} bytes: {error}", text.len()))),
        };
        if let Event::Hello { connection_id } = event {
            // Who resumes is not greeted: what came before the greeting is gone, whatever the id.
            let token = connection.pass.token.clone();
            self.resume = Some(Resume { connection_id, token, seq: seq.saturating_add(1), failures: 0 });
            // Only who is known is greeted.
            self.client.credentials().mark_accepted(&connection.pass);
            return self.stands(connection, false).await;
        }
        let is_new = self.expect_after(seq)?;
        if connection.greeting.is_some() {
            self.client.credentials().mark_accepted(&connection.pass);
            self.stands(connection, true).await?;
        }
        match event {
            Event::Posted(posted) if self.recent.insert(&posted.post.id) => {
                self.yield_event(StreamEvent::Posted(posted)).await
            }
            Event::Unreadable(error) if is_new => Err(self.unreadable(&format!("a post: {error}"))),
            Event::Channel(event) if is_new => self.yield_event(event).await,
            Event::Posted(_)
            | Event::Unreadable(_)
            | Event::Channel(_)
            | Event::Hello { .. }
            | Event::Other => Ok(()),
        }
    }

    /// Something came that cannot be read: the stream begins anew, so that its reader looks over REST for what it was.
    fn unreadable(&mut self, what: &str) -> End {
        // Resumed, the same frame would come again.
        self.resume = None;
        self.unreadable_at = Some(Instant::now());
        End::Lost(format!("the server sent what cannot be read: {what}"))
    }

    /// Moves on to the event after this one. When events are missing in between, the server has dropped them: the stream begins anew,
    /// and its reader is told so. Otherwise says whether the event is new: a resumed stream repeats some.
    fn expect_after(&mut self, seq: u64) -> Result<bool, End> {
        let Some(resume) = &mut self.resume else {
            return Err(End::Lost("the server sent events before its greeting".into()));
        };
        match seq {
            seq if seq > resume.seq => {
                let reason = format!("event {} was expected and {seq} came", resume.seq);
                self.resume = None;
                Err(End::Lost(reason))
            }
            seq if seq < resume.seq => Ok(false),
            _ => {
                resume.seq = resume.seq.saturating_add(1);
                Ok(true)
            }
        }
    }

    async fn stands(&mut self, connection: &mut Connection, resumed: bool) -> Result<(), End> {
        connection.greeting = None;
        if let Some(resume) = &mut self.resume {
            resume.failures = 0;
        }
        if self.unreadable_at.is_none_or(|at| at.elapsed() > UNREADABLE_REMEMBERED) {
            self.backoff.reset();
        }
        self.told_refused = None;
        tracing::info!(resumed, "the event stream is connected");
        if let Some(observer) = self.client.observer() {
            observer.stream_connected(resumed);
        }
        self.yield_event(StreamEvent::Connected { resumed }).await
    }

    async fn yield_event(&mut self, event: StreamEvent) -> Result<(), End> {
        self.sender.send(event).await.map_err(|_| End::Unread)
    }

    /// Only a call tells whether the token is what the server does not like.
    async fn ask_why(&self, pass: &Pass, reason: String) -> End {
        match self.client.me().await {
            Err(error) if error.status() == Some(401) => {
                End::Refused { token: pass.token.clone(), reason: error.to_string() }
            }
            _ => End::Lost(reason),
        }
    }
}

/// Returns once the question is answered; never when there is none.
async fn answer(question: &mut Option<Question>) {
    match question {
        Some(question) => question.as_mut().await,
        None => pending().await,
    }
}
