//! Joins engine, sandbox, chat and journal: the part that turns decisions into effects, exactly as often as can be promised.
//!
//! The runner owns three traits, [`Chat`], [`Journal`] and [`Clock`], and knows neither Mattermost nor SQL: it is
//! tested without a network. One task drives each open run (see `drive`): it asks [`warroom_engine::next`], journals
//! what is about to happen, does it, journals what came of it. People's clicks come in from the side
//! ([`Runner::press`]), append their facts under the same lock, and wake that task.
//!
//! ```no_run
//! use std::sync::Arc;
//! use warroom_runner::*;
//!
//! async fn run(
//!     (chat, journal): (Arc<dyn Chat>, Arc<dyn Journal>),
//!     (components, workflows): (Arc<Components>, Arc<Workflows>),
//!     (key, posts): (Key, Vec<IncomingPost>),
//! ) -> Result<(), RunnerError> {
//!     let clock = Arc::new(SystemClock);
//!     let runner = Runner::new(chat, journal, clock, components, workflows, key, Options::default());
//!     runner.resume().await?;
//!     for post in posts {
//!         for started in runner.on_post(&post).await? {
//!             println!("{} {} began", started.workflow, started.number);
//!         }
//!     }
//!     Ok(())
//! }
//! ```
//!
//! # What holds
//!
//! - Nothing acts on memory alone: an event is applied only after the journal has it, and an effect is made only after
//!   its intent is journalled. Dropping the runner at any point and calling [`Runner::resume`] goes on where it was.
//! - A guest sees only answers that are journalled. Temporary errors never reach it: the execution is dropped, the time
//!   to try again is journalled, and it is run again, its answered calls replayed from the journal.
//! - A call that was intended and never answered is reconciled, not repeated blindly (see `host_calls`).

mod announcements;
mod archive;
mod authorisation;
mod beginning;
mod bounds;
mod canvas;
mod chat;
mod clock;
mod code;
mod components;
mod controls;
mod core;
mod decisions;
mod declared;
mod drive;
mod execution;
mod groups;
mod held;
mod host_calls;
mod incoming;
mod journal;
mod last_looks;
mod ledger;
mod members;
mod mentions;
mod observer;
mod options;
mod patience;
mod reach;
mod rendering;
mod repeats;
mod resting;
mod rooms;
mod runner;
mod starts;
mod stuck;
mod workflows;

pub use archive::Archive;
pub use chat::{
    Chat, ChatError, ChatErrorKind, ControlKind, FoundChannel, NewChannel, RenderedControl, RenderedPost,
    Search, Section,
};
pub use clock::{Clock, SystemClock};
pub use components::{Components, LoadError, Origin, Permit, Scope, Source};
pub use controls::{Answer, Key, Press, Reply, Unverified};
pub use decisions::{Command, CommandError};
pub use groups::Groups;
pub use incoming::IncomingPost;
pub use journal::{Claim, Journal, JournalError, Limit, NewRun, POST_CLAIM, Record, StartOutcome};
pub use ledger::LedgerError;
pub use observer::{ActionEnd, Observed, Observer};
pub use options::Options;
pub use runner::{Runner, RunnerError};
pub use starts::Started;
pub use workflows::{LoadedFile, Workflows};
