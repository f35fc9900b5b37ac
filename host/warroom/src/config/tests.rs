//! The configuration, right and wrong.

use super::environment::KEYS;
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
    assert!(error.starts_with("warroom.toml:5: invalid type") && error.contains("deadline_ms"), "{error}");
}

#[test]
fn variables_that_look_like_keys_and_are_none_are_named() {
    let of = |names: &[&str]| super::environment::unknown(names.iter().map(|name| (*name).to_owned()));
    assert_eq!(
        of(&["WARROOM_MATTERMOST_ULR", "WARROOM_LIMITS_", "WARROOM_HTTP_LISTEN", "WARROOM_GROUPS"]),
        [
            "the variable WARROOM_LIMITS_ sets nothing: [limits] has no key ``",
            "the variable WARROOM_MATTERMOST_ULR sets nothing: [mattermost] has no key `ulr`",
        ]
    );
    assert!(
        of(&[
            "WARROOM_SERVICE_HOST",
            "WARROOM_HTTP_SERVICE_HOST",
            "WARROOM_HTTP_PORT_80_TCP",
            "WARROOM_METRICS_PORT",
            "WARROOM_LOG_FORMAT",
            "HOME"
        ])
        .is_empty()
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

/// The keys of the sample, those too that are commented out there.
fn sample() -> toml::Table {
    let is_key = |text: &str| text.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_');
    let uncommented = |line: &str| {
        let bare = line.strip_prefix("# ").unwrap_or_default();
        let is_entry = bare.starts_with("[[") || bare.split_once(" = ").is_some_and(|(key, _)| is_key(key));
        format!("{}\n", if is_entry { bare } else { line })
    };
    let text: String = include_str!("../../../../samples/warroom.toml").lines().map(uncommented).collect();
    text.parse().unwrap()
}

#[test]
fn every_key_of_the_sample_comes_by_environment_too() {
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(directory.path().join("bot-token"), "secret-token").unwrap();
    let sample = sample();
    let mut environment = BTreeMap::new();
    for (section, keys) in &sample {
        let mut given = Vec::new();
        match keys {
            whole if section == "groups" => given.push(("", whole.to_string())),
            toml::Value::Table(keys) => given.extend(keys.iter().map(|(key, value)| match value {
                toml::Value::String(text) => (key.as_str(), text.clone()),
                toml::Value::Array(items) if items.is_empty() => (key.as_str(), String::new()),
                value => (key.as_str(), value.to_string()),
            })),
            _ => panic!("{section} is no section"),
        }
        for (key, text) in given {
            assert!(
                KEYS.iter().any(|known| (known.0, known.1) == (section.as_str(), key)),
                "[{section}] {key}"
            );
            environment.insert(variable(section, key), text);
        }
    }
    // But for the token itself, the sample has every key.
    assert_eq!(environment.len(), KEYS.len() - 1);
    let read = |text: &str, environment: &BTreeMap<String, String>| {
        let path = directory.path().join("warroom.toml");
        std::fs::write(&path, text).unwrap();
        format!("{:?}", Config::read(&path, &|name| environment.get(name).cloned()).unwrap())
    };
    let by_file = read(&sample.to_string(), &BTreeMap::new());
    assert!(by_file.contains("\"chris\"") && by_file.contains("sha256:000"), "{by_file}");
    assert_eq!(read("", &environment), by_file);
}

#[test]
fn a_wrong_variable_is_named_and_no_other() {
    for (name, value, says) in [
        ("WARROOM_HTTP_LISTEN", "everywhere", "expected an IP address and a port, such as 127.0.0.1:8480"),
        ("WARROOM_MATTERMOST_WATCH", "some", "unknown variant"),
        ("WARROOM_LIMITS_DEADLINE_MS", "soon", "whole number"),
        ("WARROOM_GROUPS", "oncall=jon", "such as `{ oncall = "),
        ("WARROOM_GROUPS", "{ oncall = 5 }", "invalid type"),
        ("WARROOM_GROUPS", "{}\nlimits = 5", "TOML on one line"),
        ("WARROOM_ACTIONS_GRANTS", "[{ digest = 5 }]", "invalid type"),
    ] {
        let error = read(MINIMAL, &[("WARROOM_STORE_URL", "sqlite:a.db"), (name, value)]).unwrap_err();
        assert!(error.contains(name) && error.contains(says), "{error}");
        assert!(!error.contains("WARROOM_STORE_URL"), "{error}");
    }
}

#[test]
fn a_variable_whose_value_makes_no_sense_is_named_and_not_the_file() {
    for (name, value, says) in [
        ("WARROOM_STORE_URL", "journal", "must be `sqlite:PATH`, such as `sqlite:warroom.db`, not `journal`"),
        (
            "WARROOM_MATTERMOST_URL",
            "chat",
            "must be an address such as `https://chat.example.com`, not `chat`",
        ),
        ("WARROOM_HTTP_CALLBACK_URL", "here", "such as `http://warroom.example.com:8480`, not `here`"),
        ("WARROOM_HTTP_PUBLIC_URL", "here", "such as `https://warroom.example.com`, not `here`"),
        ("WARROOM_MATTERMOST_TOKEN", "", "is no token: it is empty or holds blanks"),
        ("WARROOM_OPERATORS_NOTIFY", "ops", "must be `TEAM/CHANNEL`"),
        ("WARROOM_WORKFLOWS_POLL_MS", "1", "must be between 100 and 86400000, not 1"),
        ("WARROOM_LIMITS_OPEN_RUNS_MAX", "0", "must be between 1 and 1000000, not 0"),
        ("WARROOM_LIMITS_INSTANCES_MAX", "1001", "must be between 1 and 1000, not 1001"),
        ("WARROOM_LIMITS_MATTERMOST_TIMEOUT_MS", "40000", "must be below deadline_ms (30000), not 40000"),
        ("WARROOM_GROUPS", "{ on = [] }", "on must have 1 to 200 members, not 0"),
    ] {
        let error = read(MINIMAL, &[(name, value)]).unwrap_err();
        assert!(error.starts_with(&format!("the variable {name} ")) && error.contains(says), "{error}");
    }
    let error = read(&format!("{MINIMAL}[limits]\nhost_calls_max = 0\n"), &[]).unwrap_err();
    assert_eq!(error, "warroom.toml: [limits] host_calls_max must be between 1 and 100000, not 0");
}

#[test]
fn two_tokens_are_refused_wherever_they_come_from() {
    let both = [("WARROOM_MATTERMOST_TOKEN", "secret-token"), ("WARROOM_MATTERMOST_TOKEN_FILE", "bot-token")];
    let error = read(MINIMAL, &both).unwrap_err();
    assert!(error.contains("TOKEN and WARROOM_MATTERMOST_TOKEN_FILE are both set"), "{error}");
    let error = read(&format!("{MINIMAL}token_file = \"bot-token\"\n"), &[]).unwrap_err();
    assert!(error.contains("both `token` and `token_file`"), "{error}");
}

#[test]
fn who_listens_everywhere_says_where_it_is_called() {
    for listen in ["0.0.0.0:8480", "[::]:8480"] {
        let text = format!("{MINIMAL}[http]\nlisten = \"{listen}\"\n");
        let error = read(&text, &[]).unwrap_err();
        assert!(error.contains("write `callback_url = \"http://HOST:8480\"` in [http]"), "{error}");
        let said = read(&text, &[("WARROOM_HTTP_CALLBACK_URL", "http://warroom:8480/")]).unwrap();
        assert_eq!(said.callback_url.as_deref(), Some("http://warroom:8480"));
    }
}

#[test]
fn a_wrong_type_in_a_value_of_several_lines_is_named_with_its_key() {
    let error =
        read(&format!("{MINIMAL}[permissions]\nmanagers = [\n  \"a=b\",\n  5,\n]\n"), &[]).unwrap_err();
    assert!(error.starts_with("warroom.toml:"), "{error}");
    assert!(error.contains("\n  managers = …") && !error.contains("a=b"), "{error}");
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
    let sample = include_str!("../../../../samples/warroom.toml");
    for (section, key, _) in KEYS {
        assert!(
            key.is_empty() && sample.contains(&format!("\n[{section}]\n"))
                || sample.contains(&format!("\n# [[{section}.{key}]]\n"))
                || sample.contains(&format!("\n{key} = "))
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
    for wrong in
        ["[workflows]\npoll_ms = 99", "[limits]\nmattermost_timeout_ms = 0", "[limits]\ndeadline_ms = 10000"]
    {
        let key = wrong.split(['\n', ' ']).nth(1).unwrap();
        let error = read(&format!("{MINIMAL}{wrong}\n"), &[]).unwrap_err();
        assert!(error.contains(key), "{error}");
    }
}

#[test]
fn a_grant_must_name_what_can_be_granted() {
    let digest = format!("sha256:{}", "0".repeat(64));
    let error =
        read(&format!("{MINIMAL}[[actions.grants]]\ndigest = \"{digest}\"\ninterfaces = [\"postz\"]\n"), &[]);
    assert!(error.unwrap_err().contains("`postz` cannot be granted"));
}
