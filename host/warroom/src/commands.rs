//! The commands of the program, a module each: its arguments as `Args`, and `run`.

mod callback_address;
pub(crate) mod check;
mod check_server;
mod connection;
pub(crate) mod doctor;
mod door;
pub(crate) mod graph;
mod input;
pub(crate) mod runs;
pub(crate) mod schema;
pub(crate) mod serve;
pub(crate) mod setup;
pub(crate) mod simulate;
pub(crate) mod simulator;
pub(crate) mod try_pattern;
pub(crate) mod try_template;

/// A number of things, in words: `1 error`, `2 errors`.
fn counted(count: usize, thing: &str) -> String {
    format!("{count} {thing}{}", if count == 1 { "" } else { "s" })
}
