//! What crosses the crates: a real service against a chat server, over real sockets, with real components and a real journal.
//! The server is the simulator, or a real one: see `stage`. One binary, since linking is what takes the time.

#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test that cannot go on must fail at once"
)]

mod arrows;
mod blocked;
mod browser;
mod budget;
mod callbacks;
mod catch_up;
mod cli;
mod custom_action;
mod deleted;
mod faults;
mod gaps;
mod installation;
mod kill;
mod limits;
mod listening;
mod logs;
mod members;
mod notices;
mod operators;
mod parameters;
mod presses;
mod proxy;
mod refusals;
mod rooms;
mod scenarios;
mod security_issue;
mod shell;
mod stage;
mod starting;
mod triggers;
mod workflow_files;
