//! The configuration: one TOML file, every key also by environment, every mistake with key, file and line.

mod checks;
mod environment;
mod limits;
#[cfg(test)]
mod tests;

use checks::{
    Given, admin_socket, callback_url, check_grant, check_limits, groups, poll, store_url, team_and_channel,
    token, web_address,
};
use environment::{Override, apply, overrides, variable};
pub use limits::LimitsConfig;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;
use warroom_mattermost::Token;
use warroom_runner::{Permit, Scope};
use warroom_sandbox::Capability;

/// The configuration of `warroom serve`, complete and checked.
#[derive(Debug, Clone)]
pub struct Config {
    /// Where Mattermost is, as this program reaches it.
    pub mattermost_url: String,
    /// The bot's token.
    pub token: Token,
    /// The file that the token was read from; absent: it was given itself.
    pub token_file: Option<PathBuf>,
    /// Which channels the bot joins to listen there.
    pub watch: Watch,
    /// Where this program listens.
    pub listen: SocketAddr,
    /// This program's address, as the Mattermost server reaches it; absent: what is listened on.
    pub callback_url: Option<String>,
    /// This program's address, as browsers reach it; absent: the callback address.
    pub public_url: Option<String>,
    /// The socket that `warroom runs` and `warroom doctor` speak to; absent: there is none.
    pub admin_socket: Option<PathBuf>,
    /// Where the metrics are served; absent: at `/metrics` of [`Config::listen`].
    pub metrics_listen: Option<SocketAddr>,
    /// The store, `sqlite:PATH`.
    pub store_url: String,
    /// The directory of the operator's action components.
    pub actions_dir: Option<PathBuf>,
    /// What the operator grants to them.
    pub grants: Vec<GrantConfig>,
    /// The directory of the workflow files.
    pub workflows_dir: PathBuf,
    /// How often the directory is looked at.
    pub workflows_poll: Duration,
    /// User ids, names or groups; system administrators manage always.
    pub managers: Vec<String>,
    /// Groups by name: the usernames or ids of their members.
    pub groups: BTreeMap<String, Vec<String>>,
    /// Where operators want to be told what nobody else reads: team and channel.
    pub operators_notify: Option<(String, String)>,
    /// The limits.
    pub limits: LimitsConfig,
}

/// Which channels the bot joins to listen there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Watch {
    /// The public channels that triggers name.
    #[default]
    Named,
    /// Every public channel of the bot's teams, new ones too.
    All,
}

/// What the operator grants to one component, by its digest.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GrantConfig {
    /// `sha256:` and 64 hexadecimal digits, as the log names it when the component is refused.
    pub digest: String,
    /// Names of interfaces, such as `posts`.
    pub interfaces: Vec<String>,
    /// How far they reach; `run` unless said otherwise.
    #[serde(default = "scope_run")]
    pub scope: Scope,
    /// Whether its posts may notify everybody with `@all`, `@channel` and `@here`; no unless said otherwise.
    #[serde(default)]
    pub mentions: bool,
}

fn scope_run() -> Scope {
    Scope::Run
}

/// A mistake in the configuration.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("cannot read the configuration {}: {error}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        error: std::io::Error,
    },
    /// The file is not what it should be.
    #[error("{}:{line}: {message}\n  {excerpt}", path.display())]
    Wrong {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
        /// What is wrong, and the key.
        message: String,
        /// The line's text.
        excerpt: String,
    },
    /// A value is missing or makes no sense; names key, file and variable.
    #[error("{0}")]
    Value(String),
}

// No `Debug`: it holds the token as text.
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct File {
    mattermost: MattermostSection,
    http: HttpSection,
    store: StoreSection,
    actions: ActionsSection,
    workflows: WorkflowsSection,
    permissions: PermissionsSection,
    groups: BTreeMap<String, Vec<String>>,
    operators: OperatorsSection,
    metrics: MetricsSection,
    limits: LimitsConfig,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct MattermostSection {
    url: Option<String>,
    token: Option<String>,
    token_file: Option<PathBuf>,
    watch: Watch,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct HttpSection {
    listen: Option<SocketAddr>,
    callback_url: Option<String>,
    public_url: Option<String>,
    admin_socket: Option<PathBuf>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct StoreSection {
    url: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct ActionsSection {
    dir: Option<PathBuf>,
    grants: Vec<GrantConfig>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct WorkflowsSection {
    dir: Option<PathBuf>,
    poll_ms: Option<u64>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct PermissionsSection {
    managers: Vec<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct OperatorsSection {
    notify: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct MetricsSection {
    listen: Option<SocketAddr>,
}

impl Config {
    /// Reads and checks a configuration file, with what `environment` gives for `WARROOM_SECTION_KEY` in place of it.
    ///
    /// # Errors
    /// [`ConfigError`], naming the key, the file and the line, or the variable.
    pub fn read(path: &Path, environment: &dyn Fn(&str) -> Option<String>) -> Result<Config, ConfigError> {
        let unreadable = |error| ConfigError::Unreadable { path: path.to_owned(), error };
        let text = std::fs::read_to_string(path).map_err(unreadable)?;
        let directory = path.parent().unwrap_or(Path::new("")).to_owned();
        let mut file: File = toml::from_str(&text).map_err(|error| wrong(path, &text, &error))?;
        let overrides = overrides(environment)?;
        if !overrides.is_empty() {
            let mut table: toml::Table = toml::from_str(&text).map_err(|error| wrong(path, &text, &error))?;
            for given in &overrides {
                check_override(given)?;
                apply(&mut table, given);
            }
            file = table.try_into().map_err(|error: toml::de::Error| {
                ConfigError::Value(format!(
                    "{} and the environment: {}",
                    path.display(),
                    without_value(error.message())
                ))
            })?;
        }
        complete(file, &Given { path, overrides: &overrides }, &directory)
    }
}

/// What is wrong with those variables of the process that look like keys of the configuration and are none.
pub(crate) fn unknown_variables() -> Vec<String> {
    environment::unknown(std::env::vars_os().filter_map(|(name, _)| name.into_string().ok()))
}

/// Whether the value of one variable is of the right type: looked at alone, so that an error names that variable.
fn check_override(given: &Override) -> Result<(), ConfigError> {
    let mut alone = toml::Table::new();
    apply(&mut alone, given);
    alone.try_into::<File>().map(drop).map_err(|error| {
        ConfigError::Value(format!(
            "the variable {}: {}; samples/warroom.toml explains the key",
            variable(given.section, given.key),
            without_value(error.message())
        ))
    })
}

fn wrong(path: &Path, text: &str, error: &toml::de::Error) -> ConfigError {
    let at = error.span().map_or(0, |span| span.start).min(text.len());
    let before = text.get(..at).unwrap_or_default();
    let line = before.matches('\n').count() + 1;
    let excerpt = excerpt(text, line);
    ConfigError::Wrong { path: path.to_owned(), line, message: without_value(error.message()), excerpt }
}

/// The section or the key that the line holds; in a value of several lines, the key that stands above. Never a value: it may be a
/// secret.
fn excerpt<'text>(text: &'text str, line: usize) -> String {
    let is_name = |name: &str| {
        let is_part = |letter: char| letter.is_ascii_alphanumeric() || "-_. []".contains(letter);
        !name.trim().is_empty() && name.chars().all(is_part)
    };
    let lines: Vec<&'text str> = text.lines().take(line).map(str::trim).collect();
    let own = lines.last().copied().unwrap_or_default();
    if own.starts_with('#') || (own.starts_with('[') && is_name(own)) {
        return own.to_owned();
    }
    let key = |line: &&'text str| {
        let (key, _) = line.split_once('=')?;
        is_name(key).then(|| key.trim_end())
    };
    match lines.iter().rev().find_map(key) {
        Some(key) => format!("{key} = …"),
        None => "…".to_owned(),
    }
}

fn complete(file: File, given: &Given<'_>, directory: &Path) -> Result<Config, ConfigError> {
    let missing = |section: &str, key: &str, example: &str| {
        ConfigError::Value(format!(
            "{}: `{key}` is missing in [{section}]; write `{key} = \"{example}\"` there, or set {}",
            given.path.display(),
            variable(section, key)
        ))
    };
    let mattermost_url =
        file.mattermost.url.ok_or_else(|| missing("mattermost", "url", "https://chat.example.com"))?;
    let grants = file.actions.grants;
    for grant in &grants {
        check_grant(given, grant)?;
    }
    let token_file = file.mattermost.token_file.as_ref().map(|token_file| directory.join(token_file));
    let store_url =
        store_url(given, directory, &file.store.url.unwrap_or_else(|| "sqlite:warroom.db".to_owned()))?;
    let listen = file.http.listen.unwrap_or(SocketAddr::from(([127, 0, 0, 1], 8480)));
    Ok(Config {
        mattermost_url: web_address(
            given,
            ("mattermost", "url"),
            &mattermost_url,
            "https://chat.example.com",
        )?,
        token: token(given, directory, file.mattermost.token, file.mattermost.token_file)?,
        token_file,
        watch: file.mattermost.watch,
        listen,
        callback_url: callback_url(given, listen, file.http.callback_url)?,
        public_url: file
            .http
            .public_url
            .map(|url| web_address(given, ("http", "public_url"), &url, "https://warroom.example.com"))
            .transpose()?,
        metrics_listen: file.metrics.listen,
        admin_socket: admin_socket(directory, file.http.admin_socket, &store_url),
        store_url,
        actions_dir: file.actions.dir.map(|dir| directory.join(dir)),
        grants,
        workflows_dir: directory.join(file.workflows.dir.unwrap_or_else(|| "workflows".into())),
        workflows_poll: poll(given, file.workflows.poll_ms)?,
        managers: file.permissions.managers,
        groups: groups(given, file.groups)?,
        operators_notify: file.operators.notify.map(|text| team_and_channel(given, &text)).transpose()?,
        limits: check_limits(given, file.limits)?,
    })
}

/// The parser's message without the value that it found, which may be a secret.
fn without_value(message: &str) -> String {
    let message = message.replace('\n', " ");
    let what = ["invalid type", "invalid value"].into_iter().find(|what| message.starts_with(what));
    match (what, message.rsplit_once(", expected ")) {
        (Some(what), Some((_, expected))) => format!("{what}, expected {}", in_words(expected)),
        _ if message.contains("invalid socket address syntax") => {
            "expected an IP address and a port, such as 127.0.0.1:8480 (no host name)".to_owned()
        }
        _ => message,
    }
}

/// What the parser expects, as people would say it.
fn in_words(expected: &str) -> &str {
    match expected {
        "u64" | "u32" | "usize" => "a whole number",
        "a sequence" => "a list such as [\"jon\", \"chris\"]",
        "a string" | "path string" => "a text in quotes",
        "a boolean" => "true or false",
        "a map" => "names with their values",
        expected if expected.starts_with("struct ") => "a section with keys",
        expected => expected,
    }
}

impl GrantConfig {
    pub(crate) fn permit(&self) -> Permit {
        let granted = |known: &Capability| self.interfaces.iter().any(|name| name == known.name());
        let capabilities = Capability::ALL.into_iter().filter(granted).collect();
        Permit { capabilities, scope: self.scope, mentions: self.mentions }
    }
}
