//! The values that make sense, and what is said of the others.

use super::environment::{Override, variable};
use super::{ConfigError, GrantConfig, LimitsConfig};
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;
use warroom_mattermost::Token;
use warroom_sandbox::{Capability, Digest};

/// Where values come from, for what is said of them: the file, but for those that the environment gives.
pub(super) struct Given<'a> {
    pub(super) path: &'a Path,
    pub(super) overrides: &'a [Override],
}

impl Given<'_> {
    /// A value that makes no sense: `message` goes on after the key's name.
    pub(super) fn wrong(&self, section: &str, key: &str, message: &str) -> ConfigError {
        let mut overrides = self.overrides.iter();
        let path = self.path.display();
        ConfigError::Value(match overrides.any(|given| (given.section, given.key) == (section, key)) {
            true => format!("the variable {} {message}", variable(section, key)),
            false if key.is_empty() => format!("{path}: [{section}] {message}"),
            false => format!("{path}: [{section}] {key} {message}"),
        })
    }
}

pub(super) fn poll(given: &Given<'_>, poll_ms: Option<u64>) -> Result<Duration, ConfigError> {
    match poll_ms.unwrap_or(1_000) {
        poll_ms @ 100..=86_400_000 => Ok(Duration::from_millis(poll_ms)),
        poll_ms => {
            let message = format!("must be between 100 and 86400000, not {poll_ms}");
            Err(given.wrong("workflows", "poll_ms", &message))
        }
    }
}

const DAY_MS: u64 = 86_400_000;
const MIB: u64 = 1 << 20;

pub(super) fn check_limits(given: &Given<'_>, limits: LimitsConfig) -> Result<LimitsConfig, ConfigError> {
    for (key, value, min, max) in ranges(&limits) {
        if value < min || value > max {
            return Err(given.wrong("limits", key, &format!("must be between {min} and {max}, not {value}")));
        }
    }
    let (timeout_ms, deadline_ms) = (limits.mattermost_timeout_ms, limits.deadline_ms);
    if timeout_ms >= deadline_ms {
        let message = format!("must be below deadline_ms ({deadline_ms}), not {timeout_ms}");
        return Err(given.wrong("limits", "mattermost_timeout_ms", &message));
    }
    Ok(limits)
}

/// Every limit with the least and the most that makes sense: with less the service would be useless, and more is a mistake in the unit.
fn ranges(limits: &LimitsConfig) -> [(&'static str, u64, u64, u64); 25] {
    let size = |value: usize| u64::try_from(value).unwrap_or(u64::MAX);
    [
        ("component_bytes_max", size(limits.component_bytes_max), 1, 1_024 * MIB),
        ("memory_bytes_max", size(limits.memory_bytes_max), 1, 4_096 * MIB),
        ("table_elements_max", size(limits.table_elements_max), 1, 10_000_000),
        ("stack_bytes_max", size(limits.stack_bytes_max), 1, 64 * MIB),
        ("deadline_ms", limits.deadline_ms, 1, DAY_MS),
        ("host_calls_max", limits.host_calls_max.into(), 1, 100_000),
        ("hostcall_bytes_max", size(limits.hostcall_bytes_max), 1, 1_024 * MIB),
        ("instances_max", limits.instances_max.into(), 1, 1_000),
        ("output_bytes_max", size(limits.output_bytes_max), 1, 64 * MIB),
        ("log_bytes_max", size(limits.log_bytes_max), 0, 64 * MIB),
        ("input_bytes_max", size(limits.input_bytes_max), 1, 64 * MIB),
        ("retry_tries_max", limits.retry_tries_max.into(), 1, 1_000),
        ("retry_period_ms", limits.retry_period_ms, 1, DAY_MS),
        ("open_runs_max", size(limits.open_runs_max), 1, 1_000_000),
        ("request_bytes_max", size(limits.request_bytes_max), 4_096, 64 * MIB),
        ("request_timeout_ms", limits.request_timeout_ms, 1_000, DAY_MS),
        ("http_connections_max", size(limits.http_connections_max), 8, 100_000),
        ("mattermost_timeout_ms", limits.mattermost_timeout_ms, 1, DAY_MS),
        ("mattermost_calls_per_second", limits.mattermost_calls_per_second.into(), 1, 1_000_000),
        ("mattermost_calls_burst", limits.mattermost_calls_burst.into(), 1, 1_000_000),
        ("catch_up_max_age_ms", limits.catch_up_max_age_ms, 0, 365 * DAY_MS),
        ("catch_up_posts_max", limits.catch_up_posts_max.into(), 1, 1_000_000),
        ("watched_channels_max", size(limits.watched_channels_max), 1, 100_000),
        // More often would be a load for the server.
        ("rooms_check_ms", limits.rooms_check_ms, 1_000, DAY_MS),
        ("workflow_files_max", size(limits.workflow_files_max), 1, 100_000),
    ]
}

pub(super) fn token(
    given: &Given<'_>,
    directory: &Path,
    token: Option<String>,
    token_file: Option<PathBuf>,
) -> Result<Token, ConfigError> {
    let (token, whose) = match (token, token_file) {
        (Some(token), None) => (token, given.wrong("mattermost", "token", EMPTY_TOKEN)),
        (None, Some(file)) => {
            let file = directory.join(file);
            let text = std::fs::read_to_string(&file).map_err(|error| {
                let message = format!(
                    "{} cannot be read: {error}; the bot's token belongs there, and `warroom setup` writes it",
                    file.display()
                );
                given.wrong("mattermost", "token_file", &message)
            })?;
            let message = format!("{} {EMPTY_TOKEN}", file.display());
            (text.trim().to_owned(), given.wrong("mattermost", "token_file", &message))
        }
        (Some(_), Some(_)) => {
            return Err(ConfigError::Value(format!(
                "{}: [mattermost] has both `token` and `token_file`; keep one of them",
                given.path.display()
            )));
        }
        (None, None) => {
            return Err(ConfigError::Value(format!(
                "{}: the bot's token is missing; write `token_file = \"PATH\"` in [mattermost], or set \
                 WARROOM_MATTERMOST_TOKEN",
                given.path.display()
            )));
        }
    };
    if token.is_empty() || !token.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(whose);
    }
    Ok(Token::new(&token))
}

const EMPTY_TOKEN: &str = "is no token: it is empty or holds blanks; copy the bot's token again";

/// An address; `example` is one that would do.
pub(super) fn web_address(
    given: &Given<'_>,
    (section, key): (&str, &str),
    url: &str,
    example: &str,
) -> Result<String, ConfigError> {
    let parsed = reqwest::Url::parse(url).ok();
    if parsed.as_ref().is_some_and(|parsed| !parsed.username().is_empty() || parsed.password().is_some()) {
        let message = "must hold no user name or password; the token alone says who the bot is";
        return Err(given.wrong(section, key, message));
    }
    match parsed.filter(|parsed| matches!(parsed.scheme(), "http" | "https") && parsed.has_host()) {
        Some(_) => Ok(url.trim_end_matches('/').to_owned()),
        None => {
            Err(given.wrong(section, key, &format!("must be an address such as `{example}`, not `{url}`")))
        }
    }
}

/// The address that Mattermost calls. Who listens everywhere must say it: `0.0.0.0` leads nowhere, and every button would be dead.
pub(super) fn callback_url(
    given: &Given<'_>,
    listen: SocketAddr,
    url: Option<String>,
) -> Result<Option<String>, ConfigError> {
    let port = if listen.port() == 0 { "PORT".to_owned() } else { listen.port().to_string() };
    match url {
        Some(url) => {
            let key = ("http", "callback_url");
            web_address(given, key, &url, &format!("http://warroom.example.com:{port}")).map(Some)
        }
        None if listen.ip().is_unspecified() => {
            let message = format!(
                "is {listen}, which means every address of this machine, and Mattermost needs one to call; write \
                 `callback_url = \"http://HOST:{port}\"` in [http], HOST as the Mattermost server reaches this machine, or set \
                 WARROOM_HTTP_CALLBACK_URL"
            );
            Err(given.wrong("http", "listen", &message))
        }
        None => Ok(None),
    }
}

pub(super) fn store_url(given: &Given<'_>, directory: &Path, url: &str) -> Result<String, ConfigError> {
    match url.strip_prefix("sqlite:") {
        Some(":memory:") => Ok(url.to_owned()),
        Some(file) if !file.is_empty() => Ok(format!("sqlite:{}", directory.join(file).display())),
        // What stands after the first colon may hold a password.
        _ => {
            let shown = url.split_once(':').map_or(url.to_owned(), |(scheme, _)| format!("{scheme}:…"));
            let message = format!("must be `sqlite:PATH`, such as `sqlite:warroom.db`, not `{shown}`");
            Err(given.wrong("store", "url", &message))
        }
    }
}

pub(super) fn check_grant(given: &Given<'_>, grant: &GrantConfig) -> Result<(), ConfigError> {
    let wrong = |message: &str| Err(given.wrong("actions", "grants", message));
    if grant.digest.parse::<Digest>().is_err() {
        let digest = &grant.digest;
        return wrong(&format!("digest must be `sha256:` and 64 hexadecimal digits, not `{digest}`"));
    }
    let grantable = [
        Capability::Channels,
        Capability::Archiving,
        Capability::Users,
        Capability::Members,
        Capability::Posts,
    ];
    let unknown =
        grant.interfaces.iter().find(|name| !grantable.iter().any(|known| known.name() == name.as_str()));
    match unknown {
        None => Ok(()),
        Some(name) => {
            let known: Vec<_> = grantable.iter().map(|known| known.name()).collect();
            wrong(&format!("interfaces: `{name}` cannot be granted; known are {}", known.join(", ")))
        }
    }
}

/// The socket of the operators' shell: beside the journal unless said otherwise.
pub(super) fn admin_socket(directory: &Path, socket: Option<PathBuf>, store_url: &str) -> Option<PathBuf> {
    let beside = || store_url.strip_prefix("sqlite:").filter(|file| *file != ":memory:");
    socket.map(|socket| directory.join(socket)).or_else(|| Some(PathBuf::from(format!("{}.sock", beside()?))))
}

/// The most groups, and the most members of one.
const GROUPS_MAX: usize = 200;
const MEMBERS_MAX: usize = 200;

pub(super) fn groups(
    given: &Given<'_>,
    groups: BTreeMap<String, Vec<String>>,
) -> Result<BTreeMap<String, Vec<String>>, ConfigError> {
    let wrong = |message: String| Err(given.wrong("groups", "", &message));
    if groups.len() > GROUPS_MAX {
        return wrong(format!("has {} groups, and {GROUPS_MAX} are allowed", groups.len()));
    }
    for (name, members) in &groups {
        let is_part = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"-_.".contains(&byte);
        if name.is_empty() || !name.bytes().all(is_part) {
            return wrong(format!(
                "`{name}` must be lower-case letters, digits, `-`, `_` and `.`, without `@`"
            ));
        }
        if members.is_empty() || members.len() > MEMBERS_MAX {
            return wrong(format!("{name} must have 1 to {MEMBERS_MAX} members, not {}", members.len()));
        }
    }
    Ok(groups)
}

/// `TEAM/CHANNEL`.
pub(super) fn team_and_channel(given: &Given<'_>, text: &str) -> Result<(String, String), ConfigError> {
    match text.split_once('/') {
        Some((team, channel)) if !team.is_empty() && !channel.is_empty() => {
            Ok((team.to_owned(), channel.trim_start_matches('~').to_owned()))
        }
        _ => {
            let message = format!("must be `TEAM/CHANNEL`, such as `ops/incidents`, not `{text}`");
            Err(given.wrong("operators", "notify", &message))
        }
    }
}
