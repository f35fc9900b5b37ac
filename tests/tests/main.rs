//! What crosses the crates: a real service against the simulated server, over real sockets, with real components and a
//! real journal. One binary, since linking is what takes the time.

mod arrows;
mod blocked;
mod browser;
mod callbacks;
mod custom_action;
mod faults;
mod kill;
mod security_issue;
mod stage;
mod workflow_files;
