//! The sandbox from outside: real components, as `cargo xtask actions` builds them, against a host that records.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "clippy's exception for tests does not reach the helpers of an integration test"
)]

mod admission;
mod built_in;
mod components;
mod determinism;
mod fairness;
mod fake_host;
mod hostile;
