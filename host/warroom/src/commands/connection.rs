//! A connection to the configured server, for commands that run beside the service.

use crate::config::Config;
use std::time::Duration;
use warroom_mattermost::{Client, ClientOptions};

/// A client of the configured server, with the bot's token.
///
/// # Errors
/// When the address or the token makes none.
pub(super) fn client(config: &Config) -> anyhow::Result<Client> {
    let timeout = Duration::from_millis(config.limits.mattermost_timeout_ms);
    let options = ClientOptions::new(&config.mattermost_url, config.token.clone());
    Ok(Client::new(ClientOptions { timeout, ..options })?)
}
