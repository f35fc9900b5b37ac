//! A set-up on a simulated server.

use super::console::Recorded;
use super::*;
use serde_json::json;
use std::os::unix::fs::PermissionsExt as _;
use tempfile::TempDir;
use warroom_simulator::{Options, Simulator};

struct Site {
    simulator: Simulator,
    directory: TempDir,
}

impl Site {
    async fn new() -> Site {
        let simulator = Simulator::start(Options::default()).await.unwrap();
        let directory = tempfile::tempdir().unwrap();
        std::fs::write(directory.path().join("admin-token"), format!("{}\n", simulator.admin_token()))
            .unwrap();
        Site { simulator, directory }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    fn args(&self, bot_name: &str) -> Args {
        Args {
            url: self.simulator.url().to_owned(),
            admin_token_file: self.path("admin-token"),
            teams: vec!["infosec".to_owned()],
            bot_name: bot_name.to_owned(),
            config: self.path("etc/warroom.toml"),
            callback_url: None,
            store: None,
            yes: false,
            watch_all: false,
        }
    }

    fn admin(&self) -> Client {
        Client::new(ClientOptions::new(self.simulator.url(), Token::new(self.simulator.admin_token())))
            .unwrap()
    }

    async fn set(&self, key: &str, value: serde_json::Value) {
        self.admin().patch_server_config(&json!({"ServiceSettings": {key: value}})).await.unwrap();
    }

    async fn setting(&self, key: &str) -> serde_json::Value {
        self.admin().server_config().await.unwrap()["ServiceSettings"][key].clone()
    }
}

/// Runs it; what was told never holds a token.
async fn told(site: &Site, args: &Args, answer: bool) -> (anyhow::Result<usize>, String) {
    let mut console = Recorded { answer, lines: Vec::new() };
    let result = set_up(args, &mut console).await;
    let mut told = console.lines.join("\n");
    if let Err(error) = &result {
        told.push_str(&format!("\nerror: {error:#}"));
    }
    let made = std::fs::read_to_string(site.path("etc/bot-token")).unwrap_or_default();
    for secret in [site.simulator.admin_token(), made.trim()] {
        assert!(secret.is_empty() || !told.contains(secret), "{told}");
    }
    (result, told)
}

#[tokio::test]
async fn it_makes_everything_and_the_second_time_nothing() {
    let site = Site::new().await;
    let args = site.args("incident-bot");
    let (result, first) = told(&site, &args, true).await;
    assert_eq!(result.unwrap(), 0, "{first}");
    for wanted in [
        "changed:   the bot @incident-bot is made",
        "changed:   @incident-bot is on the team infosec",
        "holds a new token of @incident-bot",
        "asked: Buttons and menus call http://127.0.0.1:8480, which is a loopback address",
        "changed:   the server may call 127.0.0.1",
        "Everything is set up.\nNext: warroom doctor --config ",
    ] {
        assert!(first.contains(wanted), "{wanted} in:\n{first}");
    }
    assert_eq!(site.setting("AllowedUntrustedInternalConnections").await, "127.0.0.1");
    assert!(site.path("etc/workflows").is_dir());
    let mode = std::fs::metadata(site.path("etc/bot-token")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let config = crate::Config::read(&args.config, &|_| None).unwrap();
    let bot = Client::new(ClientOptions::new(&config.mattermost_url, config.token.clone())).unwrap();
    assert_eq!(bot.me().await.unwrap().username, "incident-bot");
    assert_eq!(bot.teams_of_me().await.unwrap().len(), 1);

    site.simulator.forget_requests();
    let (result, second) = told(&site, &args, false).await;
    assert_eq!(result.unwrap(), 0, "{second}");
    assert!(second.contains("Everything was set up already; nothing was changed."), "{second}");
    assert!(!second.contains("asked:") && !second.contains("changed:"), "{second}");
    assert!(site.simulator.requests().iter().all(|(method, _)| method == "GET"));
    assert_eq!(crate::Config::read(&args.config, &|_| None).unwrap().token, config.token);
}

#[tokio::test]
async fn what_the_server_forbids_is_changed_only_when_that_is_wanted() {
    let site = Site::new().await;
    site.set("EnableBotAccountCreation", json!(false)).await;
    let args = site.args("incident-bot");
    let (result, refused) = told(&site, &args, false).await;
    assert!(result.is_err());
    assert!(refused.contains("Integrations > Bot Accounts > Enable Bot Account Creation"), "{refused}");
    assert_eq!(site.setting("EnableBotAccountCreation").await, false);
    assert!(!site.path("etc/bot-token").exists());

    let (result, told) = told(&site, &args, true).await;
    assert_eq!(result.unwrap(), 0, "{told}");
    assert_eq!(site.setting("EnableBotAccountCreation").await, true);
}

#[tokio::test]
async fn a_server_that_refuses_tokens_is_asked_to_allow_them() {
    let site = Site::new().await;
    site.set("EnableUserAccessTokens", json!(false)).await;
    site.simulator.fail_next("POST", "/api/v4/users/", 501, 1);
    let (result, told) = told(&site, &site.args("warroom"), true).await;
    assert_eq!(result.unwrap(), 0, "{told}");
    assert!(told.contains("Enable Personal Access Tokens"), "{told}");
    assert_eq!(site.setting("EnableUserAccessTokens").await, true);
}

#[tokio::test]
async fn a_callback_address_that_is_not_allowed_is_left_to_do() {
    let site = Site::new().await;
    site.set("AllowedUntrustedInternalConnections", json!("192.168.0.0/16 grafana")).await;
    let args = Args { callback_url: Some("http://10.0.0.7:8480".to_owned()), ..site.args("warroom") };
    let (result, first) = told(&site, &args, false).await;
    assert_eq!(result.unwrap(), 1);
    assert!(
        first.contains("Allow untrusted internal connections to `192.168.0.0/16 grafana 10.0.0.7`"),
        "{first}"
    );
    let config = std::fs::read_to_string(&args.config).unwrap();
    assert!(
        config.contains("listen = \"0.0.0.0:8480\"\n")
            && config.contains("callback_url = \"http://10.0.0.7:8480\"\n")
    );

    site.set("AllowedUntrustedInternalConnections", json!("10.0.0.0/8")).await;
    let (result, second) = told(&site, &args, false).await;
    assert_eq!(result.unwrap(), 0, "{second}");
}

#[tokio::test]
async fn a_persons_account_and_unknown_teams_change_nothing() {
    let site = Site::new().await;
    let (result, told_of_jon) = told(&site, &site.args("jon"), true).await;
    assert!(result.is_err() && told_of_jon.contains("@jon is a person's account"), "{told_of_jon}");

    let teams = ["infosec", "red", "blue"].map(str::to_owned).to_vec();
    site.simulator.forget_requests();
    let (result, told) = told(&site, &Args { teams, ..site.args("new-bot") }, true).await;
    assert!(result.is_err() && told.contains("there is no team red, blue:"), "{told}");
    assert!(site.simulator.requests().iter().all(|(method, _)| method == "GET"));
}

#[tokio::test]
async fn only_an_administrators_token_will_do() {
    let site = Site::new().await;
    for (token, wanted) in [
        (site.simulator.token_of("jon").unwrap(), "@jon's, who is no system administrator"),
        ("nonsense", "the server refuses the token in"),
        ("", "holds no token"),
    ] {
        std::fs::write(site.path("admin-token"), token).unwrap();
        let (result, told) = told(&site, &site.args("warroom"), true).await;
        assert!(result.is_err() && told.contains(wanted), "{told}");
    }
    std::fs::remove_file(site.path("admin-token")).unwrap();
    assert!(told(&site, &site.args("warroom"), true).await.1.contains("there is no file"));
}

#[tokio::test]
async fn a_token_that_works_is_kept_and_one_that_does_not_is_replaced() {
    let site = Site::new().await;
    let args = site.args("warroom");
    std::fs::create_dir(site.path("etc")).unwrap();
    let file = site.path("etc/bot-token");
    let jon = site.simulator.token_of("jon").unwrap();
    std::fs::write(&file, jon).unwrap();
    let (result, other) = told(&site, &args, true).await;
    assert!(result.is_err() && other.contains("holds the token of @jon"), "{other}");
    assert_eq!(std::fs::read_to_string(&file).unwrap(), jon);

    std::fs::write(&file, site.simulator.bot_token()).unwrap();
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o644)).unwrap();
    let (result, kept) = told(&site, &args, true).await;
    assert_eq!(result.unwrap(), 0);
    assert!(kept.contains("as it was: the token in") && kept.contains("only the owner of"), "{kept}");
    assert_eq!(std::fs::read_to_string(&file).unwrap(), site.simulator.bot_token());

    site.simulator.revoke_token(site.simulator.bot_token());
    let (result, replaced) = told(&site, &args, true).await;
    assert_eq!(result.unwrap(), 0);
    assert!(replaced.contains("The server refuses the token in"), "{replaced}");
    assert_ne!(std::fs::read_to_string(&file).unwrap().trim(), site.simulator.bot_token());
    assert!(!site.path("etc/bot-token.partial").exists());
}

#[tokio::test]
async fn a_configuration_that_is_there_is_left_alone_and_compared() {
    let site = Site::new().await;
    let args = Args { watch_all: true, ..site.args("warroom") };
    std::fs::create_dir(site.path("etc")).unwrap();
    let text = format!(
        "[mattermost]\nurl = \"https://old.example.com\"\ntoken = \"{}\"\n[workflows]\ndir = \"flows\"\n",
        site.simulator.bot_token()
    );
    std::fs::write(&args.config, &text).unwrap();
    let (result, told) = told(&site, &args, true).await;
    assert_eq!(result.unwrap(), 2, "{told}");
    assert!(
        told.contains("[mattermost] url is \"https://old.example.com\"")
            && told.contains("`watch = \"all\"`")
    );
    assert_eq!(std::fs::read_to_string(&args.config).unwrap(), text);
    assert!(site.path("etc/flows").is_dir() && !site.path("etc/bot-token").exists());
}

#[tokio::test]
async fn watching_all_channels_is_asked_with_their_number() {
    let asked = "asked: The bot will join the 2 public channels of infosec";
    for (answer, line) in [(true, "\nwatch = \"all\"\n"), (false, "\n# watch = \"named\"\n")] {
        let site = Site::new().await;
        site.set("AllowedUntrustedInternalConnections", json!("127.0.0.1")).await;
        let args = Args { watch_all: true, ..site.args("warroom") };
        let (result, fresh) = told(&site, &args, answer).await;
        assert_eq!(result.unwrap(), 0);
        assert!(fresh.contains(asked), "{fresh}");
        assert!(std::fs::read_to_string(&args.config).unwrap().contains(line));
        // It was agreed to, or is asked again.
        let (result, again) = told(&site, &args, false).await;
        assert_eq!(result.unwrap(), 0, "{again}");
        assert_eq!(again.contains(asked), !answer, "{again}");
    }
}

#[tokio::test]
async fn watching_all_channels_is_asked_of_a_configuration_that_does_not() {
    let site = Site::new().await;
    site.set("AllowedUntrustedInternalConnections", json!("127.0.0.1")).await;
    let (result, first) = told(&site, &site.args("warroom"), true).await;
    assert_eq!(result.unwrap(), 0, "{first}");
    let args = Args { watch_all: true, ..site.args("warroom") };
    for (answer, left) in [(true, 1), (false, 0)] {
        let (result, told) = told(&site, &args, answer).await;
        assert_eq!(result.unwrap(), left, "{told}");
        assert!(told.contains("asked: The bot will join the 2 public channels of infosec"), "{told}");
        assert_eq!(told.contains("[mattermost] watch is missing: write `watch = \"all\"`"), answer, "{told}");
    }
}

#[tokio::test]
async fn a_disabled_bot_is_enabled_only_when_that_is_wanted() {
    let site = Site::new().await;
    let bot = site.admin().bot_by_name("warroom").await.unwrap().unwrap();
    let url = format!("{}/api/v4/bots/{}/disable", site.simulator.url(), bot.user_id);
    let disabled = reqwest::Client::new().post(url).bearer_auth(site.simulator.admin_token()).send().await;
    assert!(disabled.unwrap().status().is_success());
    let (result, refused) = told(&site, &site.args("warroom"), false).await;
    assert!(result.is_err() && refused.contains("Integrations > Bot Accounts"), "{refused}");
    let (result, told) = told(&site, &site.args("warroom"), true).await;
    assert_eq!(result.unwrap(), 0, "{told}");
    assert!(told.contains("changed:   the bot @warroom is enabled"), "{told}");
}

#[test]
fn several_teams_stand_behind_one_flag() {
    #[derive(clap::Parser)]
    struct Line {
        #[command(flatten)]
        args: Args,
    }
    let line = "setup --url http://chat --admin-token-file - --team a b --team c --yes";
    let line = <Line as clap::Parser>::try_parse_from(line.split(' ')).unwrap();
    assert_eq!(line.args.teams, ["a", "b", "c"]);
    assert!(line.args.yes);
}

#[test]
fn who_agrees_to_watch_all_channels_knows_how_many_are_joined() {
    let asked = watching_all(999, "infosec", 1_000);
    assert!(asked.starts_with("The bot will join the 999 public channels of infosec, and each"), "{asked}");
    let asked = watching_all(1_001, "infosec", 1_000);
    assert!(
        asked.starts_with("The bot will join 1000 of the 1001 public channels of infosec, as many as"),
        "{asked}"
    );
}
