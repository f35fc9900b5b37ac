//! A Mattermost-compatible server in memory, over real sockets on loopback.
//!
//! It is for `warroom demo` and `warroom simulator`, for trying workflows without a server, and for tests. A client
//! speaks to it as to the real thing: REST under `/api/v4`, the event stream at `/api/v4/websocket`, incoming
//! webhooks under `/hooks`; it calls integrations back (buttons, menus, slash commands, dialogs, outgoing webhooks). `GET /` is a page on which a person can chat, press buttons and choose from menus.
//!
//! ```
//! # async fn example() -> Result<(), warroom_simulator::StartError> {
//! use warroom_simulator::{Options, Simulator};
//!
//! let simulator = Simulator::start(Options::default()).await?;
//! println!("chat at {}, team {}", simulator.url(), simulator.team_id());
//! // The next post is created, but its answer is lost on the way back.
//! simulator.lose_answer_of_next("POST", "/api/v4/posts", 1);
//! // An outage, after which no event stream can go on where it was.
//! simulator.go_away();
//! simulator.forget_websockets();
//! simulator.come_back().await?;
//! simulator.stop().await;
//! # Ok(())
//! # }
//! ```
//!
//! # Why it is made so
//!
//! - It was written against recordings of a real server (`tests/recordings`), which a test replays: the same situation
//!   must give the same status, the same error id and the same keys with the same JSON types, without exception. It shares no type and no
//!   crate with the project's own client, since otherwise both could be wrong alike and the tests would still pass.
//! - All state is one value, `World`, behind one lock. A request changes it and queues the events it causes under the
//!   same lock, so events reach every socket in the order of the changes. Nothing waits while holding the lock: the
//!   call to an integration happens between two short visits.
//! - The page acts through the same functions as the REST API, so what a person sees there is what a client would.
//! - Everything is bounded by [`Limits`]. Old posts make room for new ones; everything else is refused when full.
//! - It listens on loopback only, because the page lets whoever reaches it act as anyone.

mod actions;
mod attachments;
mod bots;
mod call;
mod callbacks;
mod channels;
mod commands;
mod config;
mod dialogs;
mod directory;
mod door;
mod errors;
mod faults;
mod files;
mod ids;
mod link;
mod members;
mod notices;
mod options;
mod orders;
mod outgoing;
mod page;
mod pending;
mod posts;
mod rates;
mod reactions;
mod revisions;
mod router;
mod seed;
mod server;
mod simulator;
mod system;
mod team_members;
mod teams;
mod timeline;
mod tokens;
mod triggers;
mod users;
mod webhooks;
mod websocket;
mod world;

pub use options::{Limits, Options};
pub use simulator::{Simulator, StartError};
