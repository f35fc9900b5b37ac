//! The client against servers of its tests' own: recorded answers, broken transports, and event streams.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a failing helper fails its test"
)]

mod calls;
mod contract;
mod contract_calls;
mod observer;
mod recordings;
mod stream;
mod stream_channels;
mod stream_server;
mod throttle;
mod token;
mod transport;
