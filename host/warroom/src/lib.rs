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

mod built_in;
mod chat;
pub mod cli;
mod commands;
mod config;
mod demo;
mod http;
mod journal;
mod listener;
mod logging;
mod meter;
pub mod metrics;
mod readiness;
mod seen;
mod service;
mod virtual_clock;
mod watch;
mod wire;

pub use config::{Config, ConfigError, GrantConfig, LimitsConfig};
pub use metrics::Metrics;
pub use readiness::Readiness;
pub use service::Service;
