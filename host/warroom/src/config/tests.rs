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
    let sample = include_str!("../../../../samples/warroom.toml");
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
