//! A client of Mattermost: the calls that incidents need, an event stream that says when it may have missed something, and the
//! types of interactive messages.
//!
//! ```no_run
//! use warroom_mattermost::{Client, ClientOptions, EventOptions, EventStream, NewPost, StreamEvent, Token};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let client = Client::new(ClientOptions::new("https://chat.example.com", Token::new("the bot's token")))?;
//! let me = client.me().await?;
//! let mut events = EventStream::connect(&client, EventOptions::default());
//! while let Some(event) = events.next().await {
//!     if let StreamEvent::Posted(posted) = event
//!         && posted.post.user_id != me.id
//!         && posted.post.text().contains("#sec")
//!     {
//!         let answer = NewPost { message: "On it.".into(), ..NewPost::to(&posted.channel_id) };
//!         client.create_post(&answer).await?;
//!     }
//! }
//! # Ok(())
//! # }
//! ```
//!
//! # Why it is made so
//!
//! What a caller must know after a failed call is whether it may have been executed all the same: only then can an effect happen at
//! most once. So [`ApiErrorKind`] tells a connection that was never made from an answer that was lost, and the client itself
//! never sends anything twice. When to try again is the caller's decision, [`ApiError::is_temporary`] and
//! [`ApiError::retry_after`] are what it needs for it.
//!
//! A server is not asked in vain: calls wait for their turn, so that a limiting server need not refuse them, and one that does is left
//! alone for as long as it wants. Once it refuses the token, calls fail without being sent until [`Client::replace_token`], but for a
//! probe now and then.
//!
//! The stream resumes where it was after a lost connection. The server keeps few events, so it cannot always: then
//! [`StreamEvent::Connected`] says so, and the caller reads over REST what it missed.
//!
//! Types hold only the fields that somebody reads, and take what is missing or null as empty: servers differ.
//! No proxy is used: the service stands beside its server, and WebSockets would not pass the proxy anyway.

mod answers;
mod attachments;
mod backoff;
mod bot;
mod call;
mod callbacks;
mod calls;
mod channel;
mod channel_events;
mod client;
mod credentials;
mod error;
mod events;
mod group;
mod lenient;
mod observer;
mod options;
mod post;
mod recent;
mod server;
mod stream;
mod throttle;
mod tls;
mod token;
mod user;

pub use attachments::{ActionKind, ActionOption, Attachment, AttachmentAction, Integration, is_clickable_id};
pub use bot::{Bot, NewToken};
pub use callbacks::{ActionRequest, ActionResponse, Update};
pub use channel::{Channel, ChannelKind, ChannelMember, ChannelPatch, NewChannel, Team, TeamMember};
pub use client::Client;
pub use error::{ApiError, ApiErrorKind, InvalidOptions};
pub use events::{PostedEvent, StreamEvent, read_frame};
pub use group::Group;
pub use observer::{CallOutcome, Observer};
pub use options::{ClientOptions, EventOptions};
pub use post::{NewPost, Post, PostRange};
pub use server::{ClientConfig, ServerPing};
pub use stream::EventStream;
pub use tls::install_provider;
pub use token::Token;
pub use user::User;
