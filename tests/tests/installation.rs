//! The first day: a server is set up, examined and served, all through the program.

use crate::cli::run;
use crate::stage::{SECURITY_ISSUE, Stage, drill, unique};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use tokio::process::{Child, Command};

/// A directory beside the stage's own, with an administrator's token and nothing else.
struct Home {
    path: PathBuf,
    config: String,
}

impl Home {
    fn beside(stage: &Stage) -> Home {
        let path = stage.directory.path().join("home");
        std::fs::create_dir(&path).unwrap();
        std::fs::write(path.join("admin-token"), stage.admin_token()).unwrap();
        let config = path.join("warroom.toml").to_str().unwrap().to_owned();
        Home { path, config }
    }

    async fn doctor(&self) -> (i32, Vec<Value>) {
        let (code, out, error) = run(&["doctor", "--config", &self.config, "--format", "json"]).await;
        let checks: Value = serde_json::from_str(&out).unwrap_or_else(|_| panic!("{out}{error}"));
        (code, checks.as_array().unwrap().clone())
    }

    fn serve(&self) -> Child {
        let mut command = Command::new(env!("CARGO_BIN_EXE_warroom-under-test"));
        command.args(["serve", "--config", &self.config]).env("RUST_LOG", "warn");
        command.stdout(Stdio::null()).kill_on_drop(true).spawn().unwrap()
    }
}

fn problems(checks: &[Value]) -> Vec<&Value> {
    checks.iter().filter(|check| check["verdict"] == "problem").collect()
}

fn read(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap().trim().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_is_set_up_examined_and_served() {
    let stage = Stage::new().await;
    let home = Home::beside(&stage);
    let port = crate::stage::free_port();
    let (bot, callback) = (unique("setup"), format!("http://127.0.0.1:{port}"));
    let admin_token = home.path.join("admin-token").to_str().unwrap().to_owned();
    let mut setup = vec!["setup", "--url", stage.proxy.url(), "--admin-token-file", &admin_token];
    setup.extend(["--team", &stage.team, "--bot-name", &bot, "--config", &home.config]);
    setup.extend(["--callback-url", &callback, "--yes"]);

    let (code, said, error) = run(&setup).await;
    assert_eq!((code, error.as_str()), (0, ""), "{said}");
    for part in
        ["changed:   ", "Everything is set up.", &format!("Next: warroom doctor --config {}", home.config)]
    {
        assert!(said.contains(part), "{part} is missing in {said}");
    }
    let token = read(&home.path.join("bot-token"));
    assert!(!said.contains(&token) && !said.contains(stage.admin_token()), "a token is printed: {said}");
    let (code, again, _) = run(&setup).await;
    assert_eq!(code, 0, "{again}");
    assert!(again.contains("Everything was set up already; nothing was changed."), "{again}");
    assert_eq!(read(&home.path.join("bot-token")), token);

    let workflow = home.path.join("workflows").join("security_issue.json");
    std::fs::write(&workflow, SECURITY_ISSUE).unwrap();
    let (code, checks) = home.doctor().await;
    assert_eq!((code, problems(&checks)), (0, Vec::new()));
    for check in &checks {
        let verdict = check["verdict"].as_str().unwrap();
        assert!(check["check"].is_string() && check["finding"].is_string(), "{check}");
        assert_eq!(check["remedy"].is_string(), verdict != "ok", "{check}");
    }
    let (code, human, _) = run(&["doctor", "--config", &home.config]).await;
    assert_eq!(code, 0, "{human}");
    assert_eq!(human.lines().count(), checks.len(), "{human}");

    let mut process = home.serve();
    stage.eventually("the listening host", async || (stage.proxy.stream_count() > 0).then_some(())).await;
    let (room, triage) = stage.triage().await;
    assert_eq!(stage.press("jon", &triage, "Resolved", None).await, 200);
    stage.archived(&room).await;
    let (code, checks) = home.doctor().await;
    assert_eq!((code, problems(&checks)), (0, Vec::new()), "beside the service");
    let shown = ["runs", "show", "security_issue:1", "--config", &home.config];
    stage
        .eventually("the end of the run", async || {
            let (code, story, error) = run(&shown).await;
            assert_eq!(code, 0, "{story}{error}");
            (story.contains("reported by @jon") && story.contains("finished")).then_some(())
        })
        .await;
    process.kill().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_wrong_is_told_to_people_and_programs() {
    let stage = Stage::new().await;
    let config = stage.config_path().to_str().unwrap().to_owned();
    let home = Home { path: stage.directory.path().to_owned(), config: config.clone() };
    let file = home.path.join("workflows").join("workflow.json");
    let ask_server = ["check", "--server", "--config", &config, "--format", "json", file.to_str().unwrap()];
    let of_server = async || {
        let (code, out, error) = run(&ask_server).await;
        let found: Value = serde_json::from_str(&out).unwrap_or_else(|_| panic!("{out}{error}"));
        let codes = found.as_array().unwrap().iter().map(|one| one["code"].as_str().unwrap().to_owned());
        (code, codes.filter(|code| code.starts_with("W03")).collect::<Vec<_>>())
    };
    assert_eq!(of_server().await, (0, Vec::new()), "the server knows everything that the file names");
    let actions = json!([
        {"name": "Far", "type": "post", "team_name": "no-such-team", "channel_name": "town-square", "message": "x"},
        {"name": "Lost", "type": "post", "channel_name": "no-such-channel", "message": "x"},
        {"name": "People", "type": "add_users_channel", "channel_name": "town-square", "users": ["no-such-person"], "notify": true},
    ]);
    stage.write_workflow("workflow.json", &drill(&actions));
    let warned = ["W030", "W031", "W032"].map(str::to_owned).to_vec();
    assert_eq!(of_server().await, (0, warned), "a warning each: they may come yet");

    stage.write_token("wrong");
    let (code, checks) = home.doctor().await;
    let told = problems(&checks);
    assert_eq!(code, 1);
    assert!(told.iter().any(|check| check["check"] == "token" && check["remedy"].is_string()), "{told:#?}");
    let (code, human, _) = run(&["doctor", "--config", &config]).await;
    assert!(code == 1 && human.contains("\nproblem  token "), "{human}");
    std::fs::remove_file(&config).unwrap();
    let (code, checks) = home.doctor().await;
    assert_eq!((code, &problems(&checks)[0]["check"]), (1, &json!("configuration")));
}
