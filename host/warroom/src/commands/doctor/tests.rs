//! A doctor beside a simulated server.

use super::report::{Check, Verdict};
use super::*;
use serde_json::{Value, json};
use std::os::unix::fs::PermissionsExt as _;
use tempfile::TempDir;
use warroom_simulator::{Options, Simulator};
use warroom_store::{NewRun, Store};

const WORKFLOW: &str = include_str!("../../../../workflow/tests/fixtures/security_issue.json");

/// The workflow, without anything to warn of.
fn workflow() -> String {
    WORKFLOW.replace("\"users\": [", "\"notify\": true, \"users\": [")
}

struct Clinic {
    simulator: Simulator,
    directory: TempDir,
}

impl Clinic {
    async fn new() -> Clinic {
        let simulator = Simulator::start(Options::default()).await.unwrap();
        let directory = tempfile::tempdir().unwrap();
        std::fs::create_dir(directory.path().join("workflows")).unwrap();
        let clinic = Clinic { simulator, directory };
        clinic.write("workflows/workflow.json", &workflow());
        clinic.configure("127.0.0.1:0", "");
        clinic
    }

    fn write(&self, name: &str, text: &str) {
        std::fs::write(self.directory.path().join(name), text).unwrap();
    }

    fn configure(&self, listen: &str, more: &str) {
        let (url, token) = (self.simulator.url(), self.simulator.bot_token());
        let text = format!(
            "[mattermost]\nurl = \"{url}\"\ntoken = \"{token}\"\n{more}\n[http]\nlisten = \"{listen}\"\n"
        );
        self.write("warroom.toml", &text);
    }

    fn path(&self) -> PathBuf {
        self.directory.path().join("warroom.toml")
    }

    /// What is found; nothing of it holds the token.
    async fn examine(&self, environment: &[(&str, &str)]) -> Vec<Check> {
        let lookup = |name: &str| {
            let mut known = environment.iter();
            known.find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned())
        };
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
        let report = examine(&self.path(), &lookup, u64::try_from(now.as_millis()).unwrap()).await;
        assert!(!report.human().contains(self.simulator.bot_token()), "{}", report.human());
        assert!(!self.simulator.bot_token().is_empty());
        report.checks
    }

    async fn call(&self, method: &str, path: &str, body: Value) -> Value {
        let url = format!("{}/api/v4{path}", self.simulator.url());
        let request = reqwest::Client::new().request(method.parse().unwrap(), url);
        let answer = request.bearer_auth(self.simulator.admin_token()).json(&body).send().await.unwrap();
        assert!(answer.status().is_success(), "{method} {path}: {answer:?}");
        answer.json().await.unwrap()
    }

    async fn make_rooms(&self, numbers: std::ops::RangeInclusive<u32>) {
        for number in numbers {
            let name = format!("security-issue-{number}");
            let room =
                json!({"team_id": self.simulator.team_id(), "name": name, "display_name": "R", "type": "O"});
            self.call("POST", "/channels", room).await;
        }
    }
}

fn of<'a>(checks: &'a [Check], name: &str) -> Vec<&'a Check> {
    checks.iter().filter(|check| check.name == name).collect()
}

/// The only check of this name.
fn one<'a>(checks: &'a [Check], name: &str) -> (Verdict, &'a str, &'a str) {
    let found = of(checks, name);
    assert_eq!(found.len(), 1, "{name} in {checks:#?}");
    (found[0].verdict, &found[0].finding, &found[0].remedy)
}

/// Operators want to be told what concerns no single incident.
const TOLD: (&str, &str) = ("WARROOM_OPERATORS_NOTIFY", "infosec/town-square");
/// And somebody decides about those that are blocked.
const MANAGED: (&str, &str) = ("WARROOM_PERMISSIONS_MANAGERS", "jon");

#[tokio::test]
async fn operators_who_are_told_nothing_are_advised_to_be() {
    let clinic = Clinic::new().await;
    let (verdict, finding, remedy) =
        (Verdict::Warning, "is only in the log", "write `notify = \"TEAM/CHANNEL\"`");
    let checks = clinic.examine(&[]).await;
    let found = one(&checks, "operators");
    assert!(found.0 == verdict && found.1.ends_with(finding) && found.2.starts_with(remedy), "{found:?}");
}

#[tokio::test]
async fn without_managers_somebody_is_advised_to_be_one() {
    let clinic = Clinic::new().await;
    let checks = clinic.examine(&[]).await;
    let found = one(&checks, "managers");
    assert!(found.0 == Verdict::Warning && found.2.contains("[permissions] managers"), "{found:?}");
    assert!(of(&clinic.examine(&[MANAGED]).await, "managers").is_empty());
}

#[tokio::test]
async fn a_token_file_that_others_can_read_is_found() {
    let clinic = Clinic::new().await;
    let path = clinic.directory.path().join("bot-token");
    clinic.write("bot-token", clinic.simulator.bot_token());
    let given = [("WARROOM_MATTERMOST_TOKEN_FILE", path.to_str().unwrap())];
    for (mode, is_open) in [(0o644, true), (0o660, true), (0o602, true), (0o640, false), (0o600, false)] {
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
        let checks = clinic.examine(&given).await;
        let found = of(&checks, "token-file");
        assert_eq!(!found.is_empty(), is_open, "{mode:o}: {found:?}");
    }
}

#[tokio::test]
async fn a_sound_installation_has_no_findings_and_nothing_stays() {
    let clinic = Clinic::new().await;
    let checks = clinic.examine(&[TOLD, MANAGED]).await;
    assert!(checks.iter().all(|check| check.verdict == Verdict::Ok), "{checks:#?}");
    let names: Vec<_> = checks.iter().map(|check| check.name).collect();
    assert_eq!(
        names,
        [
            "configuration",
            "server",
            "site-url",
            "clock",
            "token",
            "teams",
            "permissions",
            "posting",
            "callback",
            "people",
            "store",
            "actions",
            "workflows",
            "names",
            "numbering"
        ]
    );
    assert!(one(&checks, "callback").1.contains("the server reaches http://127.0.0.1:"));
    assert!(one(&checks, "numbering").1.contains("the next incident is 1, and security-issue-1 is free"));
    assert!(!clinic.directory.path().join("warroom.db").exists());
    let team = clinic.simulator.team_id();
    let channels = clinic.call("GET", &format!("/teams/{team}/channels"), json!({})).await;
    assert_eq!(channels.as_array().unwrap().len(), 2);
    let posted = |requests: &[(String, String)], method: &str| {
        requests.iter().filter(|(known, path)| known == method && path.starts_with("/api/v4/posts")).count()
    };
    let requests = clinic.simulator.requests();
    assert_eq!(posted(&requests, "DELETE"), 2);
}

#[tokio::test]
async fn a_configuration_that_cannot_be_read_is_the_only_finding() {
    let clinic = Clinic::new().await;
    clinic.write("warroom.toml", "[mattermost]\nurl = 7\n");
    let checks = clinic.examine(&[]).await;
    assert_eq!(checks.len(), 1);
    assert_eq!(one(&checks, "configuration").0, Verdict::Problem);
}

#[tokio::test]
async fn a_server_that_is_away_leaves_the_local_checks() {
    let clinic = Clinic::new().await;
    clinic.simulator.go_away();
    let checks = clinic.examine(&[]).await;
    assert_eq!(one(&checks, "server").0, Verdict::Problem);
    assert_eq!(one(&checks, "workflows").0, Verdict::Ok);
    for skipped in ["site-url", "clock", "token", "teams", "permissions", "posting", "callback", "names"] {
        let found = one(&checks, skipped);
        assert_eq!((found.0, found.1), (Verdict::Skipped, "not looked at, since the server does not answer"));
    }
}

#[tokio::test]
async fn a_refused_token_and_a_persons_are_told() {
    let clinic = Clinic::new().await;
    let jon = clinic.simulator.token_of("jon").unwrap().to_owned();
    let checks = clinic.examine(&[("WARROOM_MATTERMOST_TOKEN", &jon)]).await;
    assert_eq!(one(&checks, "token").0, Verdict::Warning);
    clinic.simulator.revoke_token(clinic.simulator.bot_token());
    let checks = clinic.examine(&[]).await;
    assert_eq!(one(&checks, "token").0, Verdict::Problem);
    assert!(one(&checks, "token").2.contains("warroom setup"));
}

#[tokio::test]
async fn a_bot_without_a_team_is_a_problem() {
    let clinic = Clinic::new().await;
    let me =
        connection::client(&Config::read(&clinic.path(), &|_| None).unwrap()).unwrap().me().await.unwrap();
    let path = format!("/teams/{}/members/{}", clinic.simulator.team_id(), me.id);
    clinic.call("DELETE", &path, json!({})).await;
    assert_eq!(one(&clinic.examine(&[]).await, "teams").0, Verdict::Problem);
}

#[tokio::test]
async fn what_the_bot_may_not_do_is_named() {
    let clinic = Clinic::new().await;
    clinic.simulator.fail_next("POST", "/api/v4/channels", 403, 1);
    clinic.simulator.fail_next("DELETE", "/api/v4/channels/", 403, 1);
    let checks = clinic.examine(&[]).await;
    let (verdict, finding, remedy) = one(&checks, "permissions");
    assert_eq!(verdict, Verdict::Problem);
    assert_eq!(finding, "on infosec the bot may not make public channels, nor archive public channels");
    assert!(remedy.contains("User Management > Permissions"));
    assert_eq!(one(&checks, "posting").0, Verdict::Ok);
}

#[tokio::test]
async fn a_callback_that_does_not_arrive_is_told_with_the_reason() {
    let clinic = Clinic::new().await;
    let checks = clinic.examine(&[("WARROOM_HTTP_CALLBACK_URL", "http://10.255.255.1:8480")]).await;
    let (verdict, finding, remedy) = one(&checks, "callback");
    assert_eq!(verdict, Verdict::Problem);
    assert!(finding.contains("not allowed to call http://10.255.255.1:8480"), "{finding}");
    assert!(
        remedy.contains("add 10.255.255.1 to ServiceSettings.AllowedUntrustedInternalConnections"),
        "{remedy}"
    );

    // Nobody listens there any more.
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let checks = clinic.examine(&[("WARROOM_HTTP_CALLBACK_URL", &format!("http://{free}"))]).await;
    assert!(one(&checks, "callback").1.contains("is refused a connection"), "{checks:#?}");
}

#[tokio::test]
async fn another_program_on_the_port_is_a_problem() {
    let clinic = Clinic::new().await;
    let other = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = other.local_addr().unwrap();
    // It takes the connection and says nothing.
    let rude = tokio::spawn(async move { while other.accept().await.is_ok() {} });
    let checks = clinic.examine(&[("WARROOM_HTTP_LISTEN", &address.to_string())]).await;
    rude.abort();
    let (verdict, finding, _) = one(&checks, "callback");
    assert_eq!(verdict, Verdict::Problem);
    assert!(finding.contains("another program than warroom listens"), "{finding}");
}

#[tokio::test]
async fn beside_the_running_service_it_uses_the_service() {
    let clinic = Clinic::new().await;
    let config = Config::read(&clinic.path(), &|_| None).unwrap();
    let service = crate::Service::start(config).await.unwrap();
    service.ready().await.unwrap();
    let listen = service.address().to_string();
    let beside = [("WARROOM_HTTP_LISTEN", listen.as_str()), TOLD, MANAGED];
    let checks = clinic.examine(&beside).await;
    assert!(checks.iter().all(|check| check.verdict == Verdict::Ok), "{checks:#?}");
    assert!(one(&checks, "callback").1.contains("the service is running"), "{checks:#?}");
    assert_eq!(one(&checks, "store"), (Verdict::Ok, "the running service works with it", ""));
    let next = "security_issue: the next incident is 1, and security-issue-1 is free";
    assert_eq!(one(&checks, "numbering"), (Verdict::Ok, next, ""));

    // Another file than the service's own: nobody answers there.
    let lost = clinic.examine(&[beside[0], ("WARROOM_HTTP_ADMIN_SOCKET", "elsewhere.sock")]).await;
    let (verdict, finding, remedy) = one(&lost, "numbering");
    assert_eq!(verdict, Verdict::Warning);
    assert!(finding.contains("not looked at") && finding.contains("elsewhere.sock"), "{finding}");
    assert!(remedy.contains("while the service is stopped"), "{remedy}");

    let town = format!("/teams/{}/channels/name/town-square", clinic.simulator.team_id());
    let town = clinic.call("GET", &town, json!({})).await;
    let post = json!({"channel_id": town["id"], "message": "#sec x"});
    clinic.call("POST", "/posts", post).await;
    let begun = async {
        while service.runner().open_runs().is_empty() {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(std::time::Duration::from_secs(30), begun).await.expect("no run began");
    let checks = clinic.examine(&beside).await;
    service.stop().await;
    assert!(
        one(&checks, "numbering").1.contains("the next incident is 2, and security-issue-2 is free"),
        "{checks:#?}"
    );
}

#[tokio::test]
async fn a_journal_in_use_by_somebody_else_is_a_problem() {
    let clinic = Clinic::new().await;
    let config = Config::read(&clinic.path(), &|_| None).unwrap();
    let store = Store::open(&config.store_url, warroom_store::Options::default()).await.unwrap();
    let checks = clinic.examine(&[]).await;
    store.close().await;
    assert_eq!(one(&checks, "store").0, Verdict::Problem);
}

#[tokio::test]
async fn a_fresh_journal_beside_old_rooms_is_told_which_number_to_begin_with() {
    let clinic = Clinic::new().await;
    clinic.make_rooms(1..=6).await;
    let checks = clinic.examine(&[]).await;
    let (verdict, finding, remedy) = one(&checks, "numbering");
    assert_eq!(verdict, Verdict::Problem);
    assert!(finding.contains("there is a channel security-issue-1 already"), "{finding}");
    assert!(remedy.contains("`\"instance_number_start\": 7`"), "{remedy}");

    let config = Config::read(&clinic.path(), &|_| None).unwrap();
    let store = Store::open(&config.store_url, warroom_store::Options::default()).await.unwrap();
    let first = Box::new(|_| Vec::new());
    let new = NewRun {
        run_id: "run".into(),
        workflow: "security_issue".into(),
        post_id: "post".into(),
        number_start: 41,
        at_ms: 0,
        fold_key: None,
        replaces: None,
        limit: None,
        first,
    };
    store.start_run(new).await.unwrap();
    store.close().await;
    assert!(one(&clinic.examine(&[]).await, "numbering").1.contains("the next incident is 42"));
}

#[tokio::test]
async fn whom_the_configuration_names_is_looked_up() {
    let clinic = Clinic::new().await;
    let names = "[permissions]\nmanagers = [\"@jon\", \"oncall\", \"boss\"]\n[groups]\noncall = [\"Sam\", \"ghost\"]\n";
    clinic.configure("127.0.0.1:0", &format!("{names}[operators]\nnotify = \"infosec/nowhere\"\n"));
    let checks = clinic.examine(&[]).await;
    let told: Vec<_> =
        of(&checks, "people").into_iter().map(|one| (one.verdict, one.finding.as_str())).collect();
    assert_eq!(
        told,
        [
            (Verdict::Warning, "[operators] notify: the bot sees no channel `nowhere` (team infosec)"),
            (Verdict::Warning, "[permissions] managers: `boss` is nobody, and no group, on the server"),
            (Verdict::Warning, "[groups]: `ghost` is nobody on the server"),
        ]
    );
    let right = names.replace(", \"boss\"", "").replace(", \"ghost\"", "");
    clinic.configure("127.0.0.1:0", &format!("{right}[operators]\nnotify = \"infosec/town-square\"\n"));
    assert_eq!(one(&clinic.examine(&[]).await, "people").0, Verdict::Ok);
}

#[tokio::test]
async fn wrong_workflows_components_and_names_are_told() {
    let clinic = Clinic::new().await;
    clinic.write("workflows/broken.json", "[{]");
    clinic.write("workflows/workflow.json", &workflow().replace("\"chris\"", "\"nobody\""));
    std::fs::create_dir(clinic.directory.path().join("actions")).unwrap();
    clinic.write("actions/bad.wasm", "no component");
    let checks = clinic.examine(&[("WARROOM_ACTIONS_DIR", "actions")]).await;
    let workflows = of(&checks, "workflows");
    assert!(
        workflows.iter().any(|one| one.verdict == Verdict::Problem && one.finding.contains("broken.json:1:"))
    );
    assert!(workflows.iter().any(|one| one.finding.contains("workflow.json (1)")), "{checks:#?}");
    assert_eq!(one(&checks, "actions").0, Verdict::Problem);
    assert!(one(&checks, "actions").1.contains("bad.wasm"));
    assert!(one(&checks, "names").1.contains("`nobody` is nobody"), "{checks:#?}");

    clinic.configure("127.0.0.1:0", "[workflows]\ndir = \"elsewhere\"");
    assert_eq!(one(&clinic.examine(&[]).await, "workflows").0, Verdict::Problem);
}
