//! The server itself.

use serde::Deserialize;

/// What the server says about itself.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct ClientConfig {
    /// The server's version, such as `5.37.0`.
    #[serde(rename = "Version")]
    pub version: String,
    /// Where browsers find the server; empty when its administrator did not say.
    #[serde(rename = "SiteURL")]
    pub site_url: String,
}

/// A server that answered.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ServerPing {
    /// `OK`, or what is wrong in a word.
    pub status: String,
    /// The server's time in ms since 1970, in whole seconds; `None` when it sent none that can be read.
    pub time_ms: Option<u64>,
}
