//! The command line, as somebody who has only the program sees it.

use crate::stage::SECURITY_ISSUE;
use serde_json::Value;
use std::path::Path;
use std::process::{Output, Stdio};
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::Command;

fn warroom() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_warroom-under-test"));
    command.kill_on_drop(true).env_remove("RUST_LOG");
    command
}

pub(crate) async fn run(arguments: &[&str]) -> (i32, String, String) {
    let Output { status, stdout, stderr } = warroom().args(arguments).output().await.unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (status.code().unwrap(), text(stdout), text(stderr))
}

async fn check(file: &Path) -> (i32, String, String) {
    run(&["check", file.to_str().unwrap()]).await
}

#[tokio::test]
async fn check_tells_right_from_wrong_from_unreadable() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("workflow.json");
    std::fs::write(&file, SECURITY_ISSUE).unwrap();
    let (code, out, _) = check(&file).await;
    assert_eq!((code, out.trim_end().ends_with("workflow.json: 0 errors, 1 warning")), (0, true), "{out}");

    std::fs::write(&file, SECURITY_ISSUE.replace("\"to\": \"DevelopFix\"", "\"to\": \"DevelopFx\"")).unwrap();
    let (code, out, _) = check(&file).await;
    assert_eq!(code, 1, "{out}");
    for part in ["E040", "workflow.json:94:23", "DevelopFix", "1 error, 1 warning"] {
        assert!(out.contains(part), "{part} is missing in {out}");
    }

    let (code, _, error) = check(&directory.path().join("nothing.json")).await;
    assert_eq!((code, error.contains("nothing.json")), (2, true), "{error}");
}

#[tokio::test]
async fn check_speaks_to_programs_too() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("workflow.json");
    let path = file.to_str().unwrap();
    std::fs::write(&file, SECURITY_ISSUE.replace("\"to\": \"DevelopFix\"", "\"to\": \"DevelopFx\"")).unwrap();
    let (code, out, _) = run(&["check", "--format", "json", path]).await;
    let found: Value = serde_json::from_str(&out).unwrap();
    let wrong = found.as_array().unwrap().iter().find(|found| found["code"] == "E040").unwrap();
    assert_eq!(
        (code, &wrong["severity"], &wrong["line"], &wrong["column"]),
        (1, &"error".into(), &94.into(), &23.into())
    );
    assert!(wrong["help"].as_str().unwrap().contains("DevelopFix"), "{wrong}");
    let (_, out, _) = run(&["check", "--format", "sarif", path]).await;
    let sarif: Value = serde_json::from_str(&out).unwrap();
    assert_eq!(sarif["version"], "2.1.0");
    std::fs::write(&file, [b'[', 0xFF]).unwrap();
    let (code, _, error) = run(&["check", path]).await;
    assert!(code == 2 && error.contains("UTF-8"), "{error}");

    let (code, out, _) = run(&["schema"]).await;
    let schema: Value = serde_json::from_str(&out).unwrap();
    assert_eq!((code, &schema["type"]), (0, &"array".into()));
    assert!(out.contains("channel_displayname"), "the parameters of components are in it");
}

#[tokio::test]
async fn graph_draws_a_file_and_tells_wrong_from_unreadable() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("workflow.json");
    let path = file.to_str().unwrap();
    std::fs::write(&file, SECURITY_ISSUE).unwrap();
    let (code, svg, error) = run(&["graph", path]).await;
    assert_eq!((code, error.as_str()), (0, ""));
    for part in ["<svg ", "security_issue", "Triaged", "</svg>"] {
        assert!(svg.contains(part), "{part} is missing in {svg}");
    }
    let picture = directory.path().join("picture.svg");
    let (code, out, _) = run(&["graph", path, "--output", picture.to_str().unwrap()]).await;
    assert_eq!((code, out.as_str()), (0, ""));
    assert_eq!(std::fs::read_to_string(&picture).unwrap(), svg);
    let (code, out, _) = run(&["graph", path, "--format", "mermaid", "--workflow", "security_issue"]).await;
    assert_eq!((code, out.starts_with("flowchart TD\n")), (0, true), "{out}");

    let (code, _, error) = run(&["graph", path, "--workflow", "outage"]).await;
    assert_eq!(code, 1, "{error}");
    assert!(error.contains("no workflow `outage`; choose one of: security_issue"), "{error}");
    let nowhere = directory.path().join("missing").join("picture.svg");
    let (code, _, error) = run(&["graph", path, "--output", nowhere.to_str().unwrap()]).await;
    assert_eq!((code, error.contains("cannot write the drawing to")), (1, true), "{error}");

    std::fs::write(&file, SECURITY_ISSUE.replace("\"to\": \"DevelopFix\"", "\"to\": \"DevelopFx\"")).unwrap();
    let (code, out, error) = run(&["graph", path]).await;
    assert_eq!((code, out.as_str()), (1, ""), "a wrong file gives no picture");
    assert!(error.contains("E040") && error.contains("1 error, 1 warning"), "{error}");

    let (code, _, error) = run(&["graph", directory.path().join("nothing.json").to_str().unwrap()]).await;
    assert_eq!((code, error.contains("nothing.json")), (2, true), "{error}");
}

/// The commands that a help lists, without `help` itself.
fn listed(help: &str) -> Vec<String> {
    let section =
        help.lines().skip_while(|line| *line != "Commands:").skip(1).take_while(|line| !line.is_empty());
    // What is indented deeper goes on with a description.
    let commands = section.filter_map(|line| line.strip_prefix("  ").filter(|line| !line.starts_with(' ')));
    let names = commands.filter_map(|line| line.split(' ').next()).filter(|name| *name != "help");
    names.map(str::to_owned).collect()
}

#[tokio::test]
async fn help_shows_an_example_of_every_command() {
    let (mut waiting, mut seen) = (vec![(Vec::new(), String::new())], Vec::new());
    while let Some((command, above)) = waiting.pop() {
        let arguments: Vec<&str> = command.iter().map(String::as_str).chain(["--help"]).collect();
        let (code, help, _) = run(&arguments).await;
        assert_eq!(code, 0, "{command:?}: {help}");
        let words = command.join(" ");
        let examples = |help: &str| help.split_once("Examples:").map(|(_, examples)| examples.to_owned());
        // Those of a command that has others below it may stand with it.
        let shown = [&help, &above].into_iter().filter_map(|help| examples(help));
        let shown = shown.filter(|examples| examples.contains(format!("warroom {words}").trim_end())).count();
        assert!(shown > 0, "no example of `warroom {words}`: {help}");
        for name in listed(&help) {
            waiting.push((
                [command.clone(), vec![name]].concat(),
                if words.is_empty() { String::new() } else { help.clone() },
            ));
        }
        seen.push(words);
    }
    for command in ["demo", "serve", "check", "setup", "doctor", "runs retry", "try template", "try pattern"]
    {
        assert!(seen.iter().any(|known| known == command), "{command} is not walked to: {seen:?}");
    }
}

#[tokio::test]
async fn try_tells_by_its_exit_code() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("data.json");
    std::fs::write(&file, "{\"N\": 7}").unwrap();
    let data = file.to_str().unwrap();
    let template = async |arguments: &[&str]| run(&[&["try", "template"], arguments].concat()).await;
    assert_eq!(template(&["--data", data, "--", "n{{.N}}"]).await, (0, "n7\n".to_owned(), String::new()));
    let (code, _, error) = template(&["--", "{{.N}}"]).await;
    assert_eq!((code, error.contains("there is no `N`")), (1, true), "{error}");
    let (code, _, error) = template(&["--data", "nothing.json", "--", "a"]).await;
    assert_eq!((code, error.contains("nothing.json")), (2, true), "{error}");
    std::fs::write(&file, "{").unwrap();
    let (code, _, error) = template(&["--data", data, "--", "a"]).await;
    assert_eq!((code, error.contains("is not JSON")), (2, true), "{error}");
    for (pattern, expected) in [("b+", 0), ("^b", 1), ("(", 2)] {
        assert_eq!(run(&["try", "pattern", "--", pattern, "abb"]).await.0, expected, "{pattern}");
    }
    let (_, out, _) = run(&["try", "pattern", "--", "(?P<first>a)(?P<rest>b*)", "abb"]).await;
    assert_eq!(out, "match\nfirst: a\nrest: bb\n");
}

#[tokio::test]
async fn serve_names_the_key_the_file_and_the_line_of_a_mistake() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("warroom.toml");
    std::fs::write(&file, "[mattermost]\nurl = \"http://127.0.0.1:1\"\ntokken = \"x\"\n").unwrap();
    let (code, _, error) = run(&["serve", "--config", file.to_str().unwrap()]).await;
    assert_eq!(code, 1);
    assert!(error.contains("warroom.toml:3: unknown field `tokken`"), "{error}");
}

#[tokio::test]
async fn the_simulator_alone_says_where_it_is_and_who_may_enter() {
    // Here nothing of ours has chosen one before, as a service or a simulator in this process does.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let mut simulator = warroom().arg("simulator").stdout(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(simulator.stdout.take().unwrap()).lines();
    let line: Value = serde_json::from_str(&lines.next_line().await.unwrap().unwrap()).unwrap();
    let url = format!("{}/api/v4/users/me", line["url"].as_str().unwrap());
    for (token, name) in [("bot_token", "warroom"), ("admin_token", "sysadmin")] {
        let request = reqwest::Client::new().get(&url).bearer_auth(line[token].as_str().unwrap());
        let user: Value = request.send().await.unwrap().json().await.unwrap();
        assert_eq!(user["username"], name);
    }
    simulator.kill().await.unwrap();
}

#[tokio::test]
async fn the_demo_plays_an_incident_and_says_that_all_is_well() {
    let (code, out, error) = run(&["demo"]).await;
    assert_eq!(code, 0, "{out}{error}");
    for part in [
        "jon chooses L2 from [Likelihood",
        "chris presses [Alert]",
        "Severity: S1",
        "Steps of security_issue 1",
        "the host's own share",
        "Resident memory",
        "and it is archived.",
    ] {
        assert!(out.contains(part), "{part} is missing in {out}");
    }
    assert_eq!(error, "", "nothing to warn of");
}
