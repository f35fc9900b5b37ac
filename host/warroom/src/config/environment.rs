//! Keys that come from the environment.

use super::ConfigError;

/// How a key's value is written in an environment variable.
#[derive(Clone, Copy)]
pub(super) enum Kind {
    Text,
    Number,
    /// Separated by commas.
    List,
    /// TOML on one line; with an example.
    Inline(&'static str),
}

/// Every key that can also come from the environment: `[section] key` is `WARROOM_SECTION_KEY`. A section whose keys are names of
/// people's choice comes whole, and has no key here.
pub(super) const KEYS: &[(&str, &str, Kind)] = &[
    ("mattermost", "url", Kind::Text),
    ("mattermost", "token", Kind::Text),
    ("mattermost", "token_file", Kind::Text),
    ("mattermost", "watch", Kind::Text),
    ("http", "listen", Kind::Text),
    ("http", "callback_url", Kind::Text),
    ("http", "public_url", Kind::Text),
    ("http", "admin_socket", Kind::Text),
    ("store", "url", Kind::Text),
    ("actions", "dir", Kind::Text),
    ("actions", "grants", Kind::Inline("[{ digest = \"sha256:…\", interfaces = [\"posts\"] }]")),
    ("workflows", "dir", Kind::Text),
    ("workflows", "poll_ms", Kind::Number),
    ("permissions", "managers", Kind::List),
    ("groups", "", Kind::Inline("{ oncall = [\"jon\", \"chris\"] }")),
    ("operators", "notify", Kind::Text),
    ("metrics", "listen", Kind::Text),
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
    ("limits", "request_timeout_ms", Kind::Number),
    ("limits", "http_connections_max", Kind::Number),
    ("limits", "mattermost_timeout_ms", Kind::Number),
    ("limits", "mattermost_calls_per_second", Kind::Number),
    ("limits", "mattermost_calls_burst", Kind::Number),
    ("limits", "catch_up_max_age_ms", Kind::Number),
    ("limits", "catch_up_posts_max", Kind::Number),
    ("limits", "watched_channels_max", Kind::Number),
    ("limits", "rooms_check_ms", Kind::Number),
    ("limits", "workflow_files_max", Kind::Number),
];

/// Writes a value from the environment in place of what the file has.
pub(super) fn apply(table: &mut toml::Table, given: &Override) {
    if given.key.is_empty() {
        table.insert(given.section.to_owned(), given.value.clone());
        return;
    }
    forget_rival(table, given.section, given.key);
    let section = table.entry(given.section).or_insert_with(|| toml::Value::Table(toml::Table::new()));
    if let toml::Value::Table(section) = section {
        section.insert(given.key.to_owned(), given.value.clone());
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

pub(super) fn variable(section: &str, key: &str) -> String {
    let name = if key.is_empty() { section.to_owned() } else { format!("{section}_{key}") };
    format!("WARROOM_{}", name.to_uppercase())
}

/// Of the names of variables those that look like keys of ours and are none, with what is wrong; sorted. What does not begin with a section
/// is left alone, nor what orchestrators make of the names of services, such as WARROOM_SERVICE_HOST and WARROOM_HTTP_PORT.
pub(super) fn unknown(names: impl Iterator<Item = String>) -> Vec<String> {
    let is_known = |name: &str| KEYS.iter().any(|(section, key, _)| variable(section, key) == name);
    let section_of = |name: &str| {
        let of_section = |section: &&str| name.starts_with(&format!("{}_", variable(section, "")));
        KEYS.iter().map(|(section, _, _)| *section).find(of_section)
    };
    let mut unknown: Vec<String> = names
        .filter(|name| !is_known(name))
        .filter_map(|name| {
            let section = section_of(&name)?;
            let key = name.get(variable(section, "").len() + 1..)?.to_lowercase();
            let of_service = ["service_host", "service_port", "port"];
            if of_service.iter().any(|word| key == *word || key.starts_with(&format!("{word}_"))) {
                return None;
            }
            Some(format!("the variable {name} sets nothing: [{section}] has no key `{key}`"))
        })
        .collect();
    unknown.sort();
    unknown
}

/// A value from the environment.
pub(super) struct Override {
    pub(super) section: &'static str,
    pub(super) key: &'static str,
    value: toml::Value,
}

/// The value of TOML on one line; none when it is not one value.
fn inline(text: &str) -> Option<toml::Value> {
    let mut table: toml::Table = format!("value = {}", text.trim()).parse().ok()?;
    if table.len() == 1 { table.remove("value") } else { None }
}

pub(super) fn overrides(environment: &dyn Fn(&str) -> Option<String>) -> Result<Vec<Override>, ConfigError> {
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
            Kind::Inline(example) => inline(&text).ok_or_else(|| {
                ConfigError::Value(format!(
                    "the variable {name} must be TOML on one line, such as `{example}`"
                ))
            })?,
        };
        overrides.push(Override { section, key, value });
    }
    let has = |key: &str| overrides.iter().any(|given| (given.section, given.key) == ("mattermost", key));
    if has("token") && has("token_file") {
        return Err(ConfigError::Value(
            "the variables WARROOM_MATTERMOST_TOKEN and WARROOM_MATTERMOST_TOKEN_FILE are both set; keep one of them"
                .to_owned(),
        ));
    }
    Ok(overrides)
}
