//! The service and its command line: configuration, the implementations of the runner's traits, HTTP endpoints,
//! commands. Thin: what decides anything lives in the crates below.
//!
//! [`Service`] is the whole service as a value, so that `warroom serve`, `warroom demo` and the tests start the same
//! thing:
//!
//! ```no_run
//! # async fn example() -> anyhow::Result<()> {
//! let config = warroom::Config::read("warroom.toml".as_ref(), &|name| std::env::var(name).ok())?;
//! let service = warroom::Service::start(config).await?;
//! service.run_until(async { tokio::signal::ctrl_c().await.ok(); }).await
//! # }
//! ```

mod acquaintance;
mod action_directory;
mod admin;
mod built_in;
mod catch_up;
mod chat;
pub mod cli;
mod commands;
mod config;
mod demo;
mod expected;
mod http;
mod journal;
mod listener;
mod logging;
mod meter;
pub mod metrics;
mod people;
mod readiness;
#[cfg(test)]
mod readme;
mod rooms;
mod seen;
mod service;
mod serving;
mod timestamp;
mod token_file;
mod translator;
mod usernames;
mod virtual_clock;
mod watch;
mod watching;
mod watermarks;
mod wire;

pub use config::{Config, ConfigError, GrantConfig, LimitsConfig, Watch};
pub use metrics::Metrics;
pub use readiness::Readiness;
pub use service::Service;
