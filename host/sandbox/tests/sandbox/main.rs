//! The sandbox from outside: real components, as `cargo xtask actions` builds them, against a host that records.

mod admission;
mod built_in;
mod components;
mod determinism;
mod fairness;
mod fake_host;
mod hostile;
