//! What can be chosen, and every bound.

use std::sync::Arc;
use std::time::Duration;

use crate::observer::Observer;
use crate::token::Token;

/// How to reach the server, and how much to take from it.
#[derive(Debug, Clone)]
pub struct ClientOptions {
    /// The server's address, such as `https://chat.example.com`; a path behind it counts, a query does not belong there.
    pub url: String,
    /// The bot's access token.
    pub token: Token,
    /// How long a call may take from its beginning, the wait for its turn included, to the end of the answer. The default is 10 s.
    pub timeout: Duration,
    /// How long making a connection may take, within `timeout`. The default is 5 s.
    pub connect_timeout: Duration,
    /// How long an answer may be, in bytes. The default is 4 MiB.
    pub answer_bytes_max: usize,
    /// How long an answer may be that the server does not divide into pages, in bytes. The default is 32 MiB: the bot may be in
    /// thousands of channels.
    pub listing_bytes_max: usize,
    /// How many posts, channels or people one page holds at most. The default is 200, which is also what servers give.
    pub page_posts_max: u32,
    /// How many people one call looks up; for more, several calls are made. The default is 200.
    pub users_at_once_max: usize,
    /// How many calls a second are sent in the long run, by all clones together. The default is 50.
    pub calls_per_second: u32,
    /// How many calls are sent at once after a time without any. The default is 100.
    pub calls_burst: u32,
    /// How long calls are held back at most when the server limits them, whatever it asks for. The default is 60 s.
    pub hold_max: Duration,
    /// How often a refused token is tried again, since an administrator may enable the bot. The default is 30 s.
    pub refused_probe_every: Duration,
    /// Who is told of every call, for metrics. The default is nobody.
    pub observer: Option<Arc<dyn Observer>>,
}

impl ClientOptions {
    /// The defaults for a server and a token.
    #[must_use]
    pub fn new(url: &str, token: Token) -> Self {
        Self {
            url: url.to_owned(),
            token,
            timeout: Duration::from_secs(10),
            connect_timeout: Duration::from_secs(5),
            answer_bytes_max: 4 * 1024 * 1024,
            listing_bytes_max: 32 * 1024 * 1024,
            page_posts_max: 200,
            users_at_once_max: 200,
            calls_per_second: 50,
            calls_burst: 100,
            hold_max: Duration::from_secs(60),
            refused_probe_every: Duration::from_secs(30),
            observer: None,
        }
    }
}

/// Whose events a stream yields, and its bounds.
#[derive(Debug, Clone)]
pub struct EventOptions {
    /// The bot's user id. Without it, the stream does not tell when the bot is added somewhere or removed. The default is none.
    pub bot_id: Option<String>,
    /// How many events may wait for the reader; then the stream reads no further, and the server keeps what comes. The default is
    /// 1,024.
    pub queue_max: usize,
    /// How long one frame may be, in bytes. The default is 4 MiB. A longer one ends the connection, and what it held must be read
    /// over REST.
    pub frame_bytes_max: usize,
    /// How often the server is asked whether it is there. The default is 30 s.
    pub ping_every: Duration,
    /// After how long a silence the connection counts as lost. The default is 100 s, as the server does it.
    pub silence_max: Duration,
    /// How long the server may take to make the connection, and again to greet. The default is 10 s.
    pub greeting_max: Duration,
    /// The shortest pause between two attempts to connect. The default is 1 s.
    pub backoff_min: Duration,
    /// The longest pause between two attempts to connect. The default is 60 s.
    pub backoff_max: Duration,
    /// How many posts are remembered so that a repeated one is dropped. The default is 4,096.
    pub recent_posts_max: usize,
}

impl Default for EventOptions {
    fn default() -> Self {
        Self {
            bot_id: None,
            queue_max: 1024,
            frame_bytes_max: 4 * 1024 * 1024,
            ping_every: Duration::from_secs(30),
            silence_max: Duration::from_secs(100),
            greeting_max: Duration::from_secs(10),
            backoff_min: Duration::from_secs(1),
            backoff_max: Duration::from_secs(60),
            recent_posts_max: 4096,
        }
    }
}
