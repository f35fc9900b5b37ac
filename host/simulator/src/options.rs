//! What a simulator is started with.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

/// What a simulator is started with. `Options::default()` is a team ready for an incident.
#[derive(Debug, Clone)]
pub struct Options {
    /// Where to listen; a loopback address. Port 0 takes a free one. Default `127.0.0.1:0`.
    pub listen: SocketAddr,
    /// Handle of the one team. Default `infosec`.
    pub team: String,
    /// What the team is called on screen. Default `InfoSec`.
    pub team_display_name: String,
    /// User names of the people on the team. The password of each is the user name.
    pub people: Vec<String>,
    /// User name of the bot account. Default `warroom`.
    pub bot: String,
    /// Hosts beside loopback that buttons and menus may call, as in the real server's
    /// `AllowedUntrustedInternalConnections`. Default: none.
    pub callback_hosts: Vec<String>,
    /// How much the simulator holds and how long it waits.
    pub limits: Limits,
}

impl Default for Options {
    fn default() -> Self {
        Options {
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
            team: "infosec".to_owned(),
            team_display_name: "InfoSec".to_owned(),
            people: ["jon", "chris", "alex", "sam"].map(str::to_owned).to_vec(),
            bot: "warroom".to_owned(),
            callback_hosts: Vec::new(),
            limits: Limits::default(),
        }
    }
}

/// Bounds on everything the simulator keeps or waits for.
#[derive(Debug, Clone)]
pub struct Limits {
    /// Users, bots included. Default 1,000.
    pub users_max: usize,
    /// Access tokens. Default 2,000.
    pub tokens_max: usize,
    /// Teams. Default 100.
    pub teams_max: usize,
    /// Channels, archived and direct ones included. Default 1,000.
    pub channels_max: usize,
    /// Posts kept per channel, deleted ones and old revisions included; the oldest makes room. Default 5,000.
    pub posts_per_channel_max: usize,
    /// Posts that a repeated `pending_post_id` finds again, for 30 s; the oldest makes room. Default 100,000.
    pub pending_posts_max: usize,
    /// Webhooks of each kind. Default 100.
    pub webhooks_max: usize,
    /// Slash commands. Default 100.
    pub commands_max: usize,
    /// Uses of commands that may still be replied to. Default 1,000.
    pub response_hooks_max: usize,
    /// Later replies to one use of a command. Default 5.
    pub response_hook_uses_max: u32,
    /// How long a use of a command may be replied to. Default 30 minutes.
    pub response_hook_valid: Duration,
    /// Trigger ids that are remembered; the oldest makes room. Default 1,000.
    pub triggers_max: usize,
    /// How long after a click or a command a dialog may be opened. Default 3 s.
    pub trigger_valid: Duration,
    /// Files. Default 100.
    pub files_max: usize,
    /// Bytes of all files together. Default 64 MiB.
    pub files_bytes_max: usize,
    /// Reactions to one post. Default 50.
    pub reactions_per_post_max: usize,
    /// Messages "only visible to you" kept for the page; the oldest makes room. Default 200.
    pub ephemeral_posts_max: usize,
    /// Bytes of one request's body. Default 4 MiB.
    pub body_bytes_max: usize,
    /// Bytes of the server's configuration as JSON. Default 1 MiB.
    pub config_bytes_max: usize,
    /// Connections at once; further ones wait to be accepted. Default 1,024.
    pub connections_max: usize,
    /// Event streams, those waiting to be resumed included. Default 256.
    pub websockets_max: usize,
    /// Events queued for one stream before it is cut off as too slow. Default 1,024.
    pub websocket_queue_max: usize,
    /// How long a broken stream can be resumed. Default 5 minutes.
    pub websocket_resume: Duration,
    /// How long an integration may take to answer a click. Default 30 s.
    pub callback_timeout: Duration,
    /// Bytes of an integration's answer. Default 1 MiB.
    pub callback_reply_bytes_max: usize,
    /// Requests remembered for `Simulator::requests`; the oldest makes room. Default 10,000.
    pub requests_logged_max: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Limits {
            users_max: 1_000,
            tokens_max: 2_000,
            teams_max: 100,
            channels_max: 1_000,
            posts_per_channel_max: 5_000,
            pending_posts_max: 100_000,
            webhooks_max: 100,
            commands_max: 100,
            response_hooks_max: 1_000,
            response_hook_uses_max: 5,
            response_hook_valid: Duration::from_secs(30 * 60),
            triggers_max: 1_000,
            trigger_valid: Duration::from_secs(3),
            files_max: 100,
            files_bytes_max: 64 << 20,
            reactions_per_post_max: 50,
            ephemeral_posts_max: 200,
            body_bytes_max: 4 << 20,
            config_bytes_max: 1 << 20,
            connections_max: 1_024,
            websockets_max: 256,
            websocket_queue_max: 1_024,
            websocket_resume: Duration::from_secs(5 * 60),
            callback_timeout: Duration::from_secs(30),
            callback_reply_bytes_max: 1 << 20,
            requests_logged_max: 10_000,
        }
    }
}
