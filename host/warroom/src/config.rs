//! The configuration: one TOML file, every key also by environment, every mistake with key, file and line.

use serde::Deserialize;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;
use warroom_mattermost::Token;
use warroom_runner::{Permit, Scope};
use warroom_sandbox::{Capability, Digest, Limits};

/// The configuration of `warroom serve`, complete and checked.
#[derive(Debug, Clone)]
pub struct Config {
    /// Where Mattermost is, as this program reaches it.
    pub mattermost_url: String,
    /// The bot's token.
    pub token: Token,
    /// Where this program listens.
    pub listen: SocketAddr,
    /// This program's address, as the Mattermost server reaches it; absent: what is listened on.
    pub callback_url: Option<String>,
    /// This program's address, as browsers reach it; absent: the callback address.
    pub public_url: Option<String>,
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
    /// User ids or names; system administrators manage always.
    pub managers: Vec<String>,
    /// The limits.
    pub limits: LimitsConfig,
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

/// The limits, each with a default.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct LimitsConfig {
    /// The largest component, in bytes.
    pub component_bytes_max: usize,
    /// The most memory of one execution, in bytes.
    pub memory_bytes_max: usize,
    /// The most elements of all tables of one execution.
    pub table_elements_max: usize,
    /// The deepest stack of one execution, in bytes.
    pub stack_bytes_max: usize,
    /// The longest execution, waiting for the chat included, in milliseconds.
    pub deadline_ms: u64,
    /// The most host calls of one execution.
    pub host_calls_max: u32,
    /// The most data that one host call may carry, in bytes.
    pub hostcall_bytes_max: usize,
    /// How many executions run at once; further ones wait.
    pub instances_max: u32,
    /// The largest outcome, in bytes.
    pub output_bytes_max: usize,
    /// The largest log of one execution, in bytes.
    pub log_bytes_max: usize,
    /// The largest rendered input, in bytes.
    pub input_bytes_max: usize,
    /// How often an action is tried while something is temporarily away.
    pub retry_tries_max: u32,
    /// For how long, in milliseconds.
    pub retry_period_ms: u64,
    /// How many runs may be open at once.
    pub open_runs_max: usize,
    /// The largest request that the HTTP endpoints take, in bytes.
    pub request_bytes_max: usize,
    /// How long one request to Mattermost may take, in milliseconds.
    pub mattermost_timeout_ms: u64,
    /// How many workflow files are read.
    pub workflow_files_max: usize,
}

impl Default for LimitsConfig {
    fn default() -> LimitsConfig {
        let (sandbox, runner) = (Limits::default(), warroom_runner::Options::default());
        LimitsConfig {
            component_bytes_max: sandbox.component_bytes_max,
            memory_bytes_max: sandbox.memory_bytes_max,
            table_elements_max: sandbox.table_elements_max,
            stack_bytes_max: sandbox.stack_bytes_max,
            deadline_ms: 30_000,
            host_calls_max: sandbox.host_calls_max,
            hostcall_bytes_max: sandbox.hostcall_bytes_max,
            instances_max: sandbox.instances_max,
            output_bytes_max: sandbox.output_bytes_max,
            log_bytes_max: sandbox.log_bytes_max,
            input_bytes_max: sandbox.input_bytes_max,
            retry_tries_max: runner.retry_tries_max,
            retry_period_ms: runner.retry_period_ms,
            open_runs_max: runner.open_runs_max,
            request_bytes_max: 64 * 1024,
            mattermost_timeout_ms: 10_000,
            workflow_files_max: 1_000,
        }
    }
}

impl LimitsConfig {
    pub(crate) fn sandbox(&self) -> Limits {
        Limits {
            component_bytes_max: self.component_bytes_max,
            memory_bytes_max: self.memory_bytes_max,
            table_elements_max: self.table_elements_max,
            stack_bytes_max: self.stack_bytes_max,
            deadline: Duration::from_millis(self.deadline_ms),
            host_calls_max: self.host_calls_max,
            hostcall_bytes_max: self.hostcall_bytes_max,
            instances_max: self.instances_max,
            output_bytes_max: self.output_bytes_max,
            log_bytes_max: self.log_bytes_max,
            input_bytes_max: self.input_bytes_max,
        }
    }
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
    limits: LimitsConfig,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct MattermostSection {
    url: Option<String>,
    token: Option<String>,
    token_file: Option<PathBuf>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct HttpSection {
    listen: Option<SocketAddr>,
    callback_url: Option<String>,
    public_url: Option<String>,
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

/// How a key's value is written in an environment variable.
#[derive(Clone, Copy)]
enum Kind {
    Text,
    Number,
    /// Separated by commas.
    List,
}

/// Every key that can also come from the environment: `[section] key` is `WARROOM_SECTION_KEY`.
const KEYS: &[(&str, &str, Kind)] = &[
    ("mattermost", "url", Kind::Text),
    ("mattermost", "token", Kind::Text),
    ("mattermost", "token_file", Kind::Text),
    ("http", "listen", Kind::Text),
    ("http", "callback_url", Kind::Text),
    ("http", "public_url", Kind::Text),
    ("store", "url", Kind::Text),
    ("actions", "dir", Kind::Text),
    ("workflows", "dir", Kind::Text),
    ("workflows", "poll_ms", Kind::Number),
    ("permissions", "managers", Kind::List),
    ("limits", "component_bytes_max", Kind::Number),
    ("limits", "memory_bytes_max", Kind::Number),
    ("limits", "table_elements_max", Kind::Number),
    ("limits", "stack_bytes_max", Kind::Number),
    ("limits", "deadline_ms", Kind::Number),
    ("limits", "host_calls_max", Kind::Number),
    ("limits", "hostcall_bytes_max", Kind::Number),
    ("limits", "instances_max", Kind::Number),
    ("limits", "output_bytes_max", Kind::Number),
    ("limits", "log_bytes_max", Kind::Number),
    ("limits", "input_bytes_max", Kind::Number),
    ("limits", "retry_tries_max", Kind::Number),
    ("limits", "retry_period_ms", Kind::Number),
    ("limits", "open_runs_max", Kind::Number),
    ("limits", "request_bytes_max", Kind::Number),
    ("limits", "mattermost_timeout_ms", Kind::Number),
    ("limits", "workflow_files_max", Kind::Number),
];

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
            let mut names = Vec::new();
            for (section, key, value) in overrides {
                names.push(variable(section, key));
                forget_rival(&mut table, section, key);
                let section = table.entry(section).or_insert_with(|| toml::Value::Table(toml::Table::new()));
                if let toml::Value::Table(section) = section {
                    section.insert(key.to_owned(), value);
                }
            }
            file = table.try_into().map_err(|error: toml::de::Error| {
                ConfigError::Value(format!("the environment ({}): {}", names.join(", "), error.message()))
            })?;
        }
        complete(file, path, &directory)
    }
}

/// The token can be written in two ways; the one from the environment takes the place of either.
fn forget_rival(table: &mut toml::Table, section: &str, key: &str) {
    let rival = match (section, key) {
        ("mattermost", "token") => "token_file",
        ("mattermost", "token_file") => "token",
        _ => return,
    };
    if let Some(toml::Value::Table(section)) = table.get_mut(section) {
        section.remove(rival);
    }
}

fn variable(section: &str, key: &str) -> String {
    format!("WARROOM_{}_{}", section.to_uppercase(), key.to_uppercase())
}

type Override = (&'static str, &'static str, toml::Value);

fn overrides(environment: &dyn Fn(&str) -> Option<String>) -> Result<Vec<Override>, ConfigError> {
    let mut overrides = Vec::new();
    for (section, key, kind) in KEYS {
        let name = variable(section, key);
        let Some(text) = environment(&name) else { continue };
        let value = match kind {
            Kind::Text => toml::Value::String(text),
            Kind::Number => toml::Value::Integer(text.trim().parse().map_err(|_| {
                ConfigError::Value(format!("the variable {name} must be a whole number, not `{text}`"))
            })?),
            Kind::List => {
                let items = text.split(',').map(str::trim).filter(|item| !item.is_empty());
                toml::Value::Array(items.map(|item| toml::Value::String(item.to_owned())).collect())
            }
        };
        overrides.push((*section, *key, value));
    }
    Ok(overrides)
}

fn wrong(path: &Path, text: &str, error: &toml::de::Error) -> ConfigError {
    let at = error.span().map_or(0, |span| span.start).min(text.len());
    let before = text.get(..at).unwrap_or_default();
    let line = before.matches('\n').count() + 1;
    // The key alone says where to look; the value may be a secret.
    let excerpt = text.lines().nth(line - 1).unwrap_or_default().trim();
    let excerpt = match excerpt.split_once('=') {
        Some((key, _)) => format!("{key}= …"),
        None if excerpt.starts_with(['[', '#']) => excerpt.to_owned(),
        None => "…".to_owned(),
    };
    ConfigError::Wrong { path: path.to_owned(), line, message: without_value(error.message()), excerpt }
}

fn complete(file: File, path: &Path, directory: &Path) -> Result<Config, ConfigError> {
    let missing = |section: &str, key: &str, example: &str| {
        ConfigError::Value(format!(
            "{}: `{key}` is missing in [{section}]; write `{key} = \"{example}\"` there, or set {}",
            path.display(),
            variable(section, key)
        ))
    };
    let mattermost_url =
        file.mattermost.url.ok_or_else(|| missing("mattermost", "url", "https://chat.example.com"))?;
    let grants = file.actions.grants;
    for grant in &grants {
        check_grant(path, grant)?;
    }
    Ok(Config {
        mattermost_url: web_address(path, "[mattermost] url", &mattermost_url)?,
        token: token(path, directory, file.mattermost.token, file.mattermost.token_file)?,
        listen: file.http.listen.unwrap_or(SocketAddr::from(([127, 0, 0, 1], 8480))),
        callback_url: file
            .http
            .callback_url
            .map(|url| web_address(path, "[http] callback_url", &url))
            .transpose()?,
        public_url: file
            .http
            .public_url
            .map(|url| web_address(path, "[http] public_url", &url))
            .transpose()?,
        store_url: store_url(
            path,
            directory,
            &file.store.url.unwrap_or_else(|| "sqlite:warroom.db".to_owned()),
        )?,
        actions_dir: file.actions.dir.map(|dir| directory.join(dir)),
        grants,
        workflows_dir: directory.join(file.workflows.dir.unwrap_or_else(|| "workflows".into())),
        workflows_poll: poll(path, file.workflows.poll_ms)?,
        managers: file.permissions.managers,
        limits: check_limits(path, file.limits)?,
    })
}

fn poll(path: &Path, poll_ms: Option<u64>) -> Result<Duration, ConfigError> {
    match poll_ms.unwrap_or(1_000) {
        poll_ms @ 100..=86_400_000 => Ok(Duration::from_millis(poll_ms)),
        poll_ms => Err(ConfigError::Value(format!(
            "{}: [workflows] poll_ms must be between 100 and 86400000, not {poll_ms}",
            path.display()
        ))),
    }
}

fn check_limits(path: &Path, limits: LimitsConfig) -> Result<LimitsConfig, ConfigError> {
    let (timeout_ms, deadline_ms) = (limits.mattermost_timeout_ms, limits.deadline_ms);
    if timeout_ms == 0 || timeout_ms >= deadline_ms {
        return Err(ConfigError::Value(format!(
            "{}: [limits] mattermost_timeout_ms must be above 0 and below deadline_ms ({deadline_ms}), not {timeout_ms}",
            path.display()
        )));
    }
    Ok(limits)
}

/// The parser's message without the value that it found, which may be a secret.
fn without_value(message: &str) -> String {
    let message = message.replace('\n', " ");
    let what = ["invalid type", "invalid value"].into_iter().find(|what| message.starts_with(what));
    match (what, message.rsplit_once(", expected ")) {
        (Some(what), Some((_, expected))) => format!("{what}, expected {expected}"),
        _ => message,
    }
}

fn token(
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

fn web_address(path: &Path, key: &str, url: &str) -> Result<String, ConfigError> {
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

fn store_url(path: &Path, directory: &Path, url: &str) -> Result<String, ConfigError> {
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

fn check_grant(path: &Path, grant: &GrantConfig) -> Result<(), ConfigError> {
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

impl GrantConfig {
    pub(crate) fn permit(&self) -> Permit {
        let granted = |known: &Capability| self.interfaces.iter().any(|name| name == known.name());
        let capabilities = Capability::ALL.into_iter().filter(granted).collect();
        Permit { capabilities, scope: self.scope, mentions: self.mentions }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINIMAL: &str = "[mattermost]\nurl = \"http://127.0.0.1:8065\"\ntoken = \"secret-token\"\n";

    fn read(text: &str, environment: &[(&str, &str)]) -> Result<Config, String> {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("warroom.toml");
        std::fs::write(&path, text).unwrap();
        let lookup = |name: &str| {
            environment.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned())
        };
        Config::read(&path, &lookup)
            .map_err(|error| error.to_string().replace(&*path.to_string_lossy(), "warroom.toml"))
    }

    #[test]
    fn relative_paths_count_from_the_file() {
        let config = read(&format!("{MINIMAL}[workflows]\ndir = \"flows\"\n"), &[]).unwrap();
        assert!(config.workflows_dir.is_absolute() && config.workflows_dir.ends_with("flows"));
        assert!(config.store_url.starts_with("sqlite:/") && config.store_url.ends_with("/warroom.db"));
    }

    #[test]
    fn an_unknown_key_is_named_with_file_and_line() {
        let error = read(&format!("{MINIMAL}[http]\nlisten_on = \"x\"\n"), &[]).unwrap_err();
        assert!(error.starts_with("warroom.toml:5: unknown field `listen_on`"), "{error}");
    }

    #[test]
    fn a_wrong_type_is_named_with_key_file_and_line() {
        let error = read(&format!("{MINIMAL}[limits]\ndeadline_ms = \"soon\"\n"), &[]).unwrap_err();
        assert!(
            error.starts_with("warroom.toml:5: invalid type") && error.contains("deadline_ms"),
            "{error}"
        );
    }

    #[test]
    fn every_key_comes_by_environment_too() {
        let environment = [
            ("WARROOM_MATTERMOST_URL", "https://chat.example.com/"),
            ("WARROOM_MATTERMOST_TOKEN", "from-environment"),
            ("WARROOM_LIMITS_DEADLINE_MS", "12345"),
            ("WARROOM_PERMISSIONS_MANAGERS", "jon, chris"),
        ];
        let config = read("", &environment).unwrap();
        assert_eq!(config.mattermost_url, "https://chat.example.com");
        assert_eq!(config.token, Token::new("from-environment"));
        assert_eq!(config.limits.deadline_ms, 12345);
        assert_eq!(config.managers, ["jon", "chris"]);
    }

    #[test]
    fn the_list_of_keys_is_complete() {
        // Each limit's name, as the decoder knows it, is in the list too.
        let error = toml::from_str::<LimitsConfig>("nonsense = 1").unwrap_err().to_string();
        let known = KEYS.iter().filter(|(section, ..)| *section == "limits").count();
        assert_eq!(error.matches('`').count() / 2, known + 1, "{error}");
    }

    #[test]
    fn the_sample_documents_every_key_with_its_default() {
        let sample = include_str!("../../../samples/warroom.toml");
        for (section, key, _) in KEYS {
            assert!(
                sample.contains(&format!("\n{key} = "))
                    || sample.contains(&format!("\n# {key} = "))
                    || (*section == "mattermost" && *key == "token"),
                "{section}.{key}"
            );
        }
        // With the comment signs gone the limits say what the program does without them.
        let limits: String = sample
            .split_once("[limits]")
            .unwrap()
            .1
            .lines()
            .map(|line| format!("{}\n", line.trim_start_matches("# ")))
            .filter(|line| line.contains(" = "))
            .collect();
        let documented: LimitsConfig = toml::from_str(&limits).unwrap();
        assert_eq!(format!("{documented:?}"), format!("{:?}", LimitsConfig::default()));
    }

    #[test]
    fn what_is_missing_is_named_with_its_variable() {
        let error = read("", &[]).unwrap_err();
        assert!(
            error.contains("`url` is missing in [mattermost]") && error.contains("WARROOM_MATTERMOST_URL"),
            "{error}"
        );
    }

    #[test]
    fn errors_and_debug_output_never_hold_the_token() {
        let error = read("[mattermost]\ntoken = [\"secret-token\"]\n", &[]).unwrap_err();
        assert!(!error.contains("secret-token") && error.contains("token"), "{error}");
        for wrong in [
            "mattermost = { url = 5, token = \"secret-token\" }\n",
            "[mattermost]\nurl = \"http://bot:secret-token@chat\"\ntoken = \"t\"\n",
            &format!("{MINIMAL}[store]\nurl = \"postgres://u:secret-token@db/x\"\n"),
        ] {
            let error = read(wrong, &[]).unwrap_err();
            assert!(!error.contains("secret-token"), "{error}");
        }
        assert!(!format!("{:?}", read(MINIMAL, &[]).unwrap()).contains("secret-token"));
    }

    #[test]
    fn a_token_from_the_environment_takes_the_place_of_the_file() {
        let text = "[mattermost]\nurl = \"http://127.0.0.1\"\ntoken_file = \"nowhere\"\n";
        let config = read(text, &[("WARROOM_MATTERMOST_TOKEN", "from-environment")]).unwrap();
        assert_eq!(config.token, Token::new("from-environment"));
    }

    #[test]
    fn times_that_could_not_work_are_refused() {
        for wrong in [
            "[workflows]\npoll_ms = 99",
            "[limits]\nmattermost_timeout_ms = 0",
            "[limits]\ndeadline_ms = 10000",
        ] {
            let key = wrong.split(['\n', ' ']).nth(1).unwrap();
            let error = read(&format!("{MINIMAL}{wrong}\n"), &[]).unwrap_err();
            assert!(error.contains(key), "{error}");
        }
    }

    #[test]
    fn a_grant_must_name_what_can_be_granted() {
        let digest = format!("sha256:{}", "0".repeat(64));
        let error = read(
            &format!("{MINIMAL}[[actions.grants]]\ndigest = \"{digest}\"\ninterfaces = [\"postz\"]\n"),
            &[],
        );
        assert!(error.unwrap_err().contains("`postz` cannot be granted"));
    }
}
