//! The values that make sense, and what is said of the others.

use super::{ConfigError, GrantConfig, LimitsConfig};
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;
use warroom_mattermost::Token;
use warroom_sandbox::{Capability, Digest};

pub(super) fn poll(path: &Path, poll_ms: Option<u64>) -> Result<Duration, ConfigError> {
    match poll_ms.unwrap_or(1_000) {
        poll_ms @ 100..=86_400_000 => Ok(Duration::from_millis(poll_ms)),
        poll_ms => Err(ConfigError::Value(format!(
            "{}: [workflows] poll_ms must be between 100 and 86400000, not {poll_ms}",
            path.display()
        ))),
    }
}

pub(super) fn check_limits(path: &Path, limits: LimitsConfig) -> Result<LimitsConfig, ConfigError> {
    let (timeout_ms, deadline_ms) = (limits.mattermost_timeout_ms, limits.deadline_ms);
    if timeout_ms == 0 || timeout_ms >= deadline_ms {
        return Err(ConfigError::Value(format!(
            "{}: [limits] mattermost_timeout_ms must be above 0 and below deadline_ms ({deadline_ms}), not {timeout_ms}",
            path.display()
        )));
    }
    let at_least_one = [
        ("mattermost_calls_per_second", limits.mattermost_calls_per_second),
        ("mattermost_calls_burst", limits.mattermost_calls_burst),
        ("catch_up_posts_max", limits.catch_up_posts_max),
    ];
    if let Some((name, _)) = at_least_one.iter().find(|(_, value)| *value == 0) {
        return Err(ConfigError::Value(format!("{}: [limits] {name} must be above 0", path.display())));
    }
    if limits.rooms_check_ms < ROOMS_CHECK_MS_MIN {
        return Err(ConfigError::Value(format!(
            "{}: [limits] rooms_check_ms must be at least {ROOMS_CHECK_MS_MIN}, not {}",
            path.display(),
            limits.rooms_check_ms
        )));
    }
    Ok(limits)
}

/// Looking at the rooms more often than this would be a load for the server.
const ROOMS_CHECK_MS_MIN: u64 = 1_000;

pub(super) fn token(
    path: &Path,
    directory: &Path,
    token: Option<String>,
    token_file: Option<PathBuf>,
) -> Result<Token, ConfigError> {
    let token = match (token, token_file) {
        (Some(token), None) => token,
        (None, Some(file)) => {
            let file = directory.join(file);
            let text = std::fs::read_to_string(&file).map_err(|error| {
                ConfigError::Value(format!(
                    "{}: cannot read [mattermost] token_file {}: {error}",
                    path.display(),
                    file.display()
                ))
            })?;
            text.trim().to_owned()
        }
        (Some(_), Some(_)) => {
            return Err(ConfigError::Value(format!(
                "{}: [mattermost] has both `token` and `token_file`; keep one of them",
                path.display()
            )));
        }
        (None, None) => {
            return Err(ConfigError::Value(format!(
                "{}: the bot's token is missing; write `token_file = \"PATH\"` in [mattermost], or set \
                 WARROOM_MATTERMOST_TOKEN",
                path.display()
            )));
        }
    };
    if token.is_empty() || !token.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(ConfigError::Value(format!(
            "{}: the bot's token in [mattermost] is empty or holds blanks; copy it again",
            path.display()
        )));
    }
    Ok(Token::new(&token))
}

pub(super) fn web_address(path: &Path, key: &str, url: &str) -> Result<String, ConfigError> {
    let parsed = reqwest::Url::parse(url).ok();
    if parsed.as_ref().is_some_and(|parsed| !parsed.username().is_empty() || parsed.password().is_some()) {
        return Err(ConfigError::Value(format!(
            "{}: {key} must hold no user name or password; the token alone says who the bot is",
            path.display()
        )));
    }
    match parsed.filter(|parsed| matches!(parsed.scheme(), "http" | "https") && parsed.has_host()) {
        Some(_) => Ok(url.trim_end_matches('/').to_owned()),
        None => Err(ConfigError::Value(format!(
            "{}: {key} must be an address such as `https://chat.example.com`, not `{url}`",
            path.display()
        ))),
    }
}

/// The address that Mattermost calls. Who listens everywhere must say it: `0.0.0.0` leads nowhere, and every button would be dead.
pub(super) fn callback_url(
    path: &Path,
    listen: SocketAddr,
    url: Option<String>,
) -> Result<Option<String>, ConfigError> {
    match url {
        Some(url) => web_address(path, "[http] callback_url", &url).map(Some),
        None if listen.ip().is_unspecified() => Err(ConfigError::Value(format!(
            "{}: [http] listen is {listen}, which means every address of this machine, and Mattermost needs one to call; write \
             `callback_url = \"http://HOST:{}\"` in [http], HOST as the Mattermost server reaches this machine, or set \
             WARROOM_HTTP_CALLBACK_URL",
            path.display(),
            listen.port()
        ))),
        None => Ok(None),
    }
}

pub(super) fn store_url(path: &Path, directory: &Path, url: &str) -> Result<String, ConfigError> {
    match url.strip_prefix("sqlite:") {
        Some(":memory:") => Ok(url.to_owned()),
        Some(file) if !file.is_empty() => Ok(format!("sqlite:{}", directory.join(file).display())),
        _ => Err(ConfigError::Value(format!(
            "{}: [store] url must be `sqlite:PATH`, not `{}:…`",
            path.display(),
            url.split(':').next().unwrap_or_default()
        ))),
    }
}

pub(super) fn check_grant(path: &Path, grant: &GrantConfig) -> Result<(), ConfigError> {
    if grant.digest.parse::<Digest>().is_err() {
        return Err(ConfigError::Value(format!(
            "{}: [[actions.grants]] digest must be `sha256:` and 64 hexadecimal digits, not `{}`",
            path.display(),
            grant.digest
        )));
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
            Err(ConfigError::Value(format!(
                "{}: [[actions.grants]] interfaces: `{name}` cannot be granted; known are {}",
                path.display(),
                known.join(", ")
            )))
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
    path: &Path,
    groups: BTreeMap<String, Vec<String>>,
) -> Result<BTreeMap<String, Vec<String>>, ConfigError> {
    let wrong = |message: String| Err(ConfigError::Value(format!("{}: [groups] {message}", path.display())));
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
pub(super) fn team_and_channel(path: &Path, text: &str) -> Result<(String, String), ConfigError> {
    match text.split_once('/') {
        Some((team, channel)) if !team.is_empty() && !channel.is_empty() => {
            Ok((team.to_owned(), channel.trim_start_matches('~').to_owned()))
        }
        _ => Err(ConfigError::Value(format!(
            "{}: [operators] notify must be `TEAM/CHANNEL`, such as `ops/incidents`, not `{text}`",
            path.display()
        ))),
    }
}
