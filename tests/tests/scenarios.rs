//! The samples do what their scenarios say, and a scenario that is not met says what is different.

use crate::cli::run;
use std::path::{Path, PathBuf};

fn samples() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../samples")
}

fn sample(directory: &str, name: &str) -> String {
    samples().join(directory).join(format!("{name}.json")).to_str().unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn every_sample_is_right_and_plays_its_scenario() {
    let mut names: Vec<String> = std::fs::read_dir(samples().join("workflows"))
        .unwrap()
        .map(|entry| entry.unwrap().path().file_stem().unwrap().to_str().unwrap().to_owned())
        .collect();
    names.sort();
    assert_eq!(names, ["alertmanager", "nagios", "security_issue", "severities"]);
    for name in &names {
        let workflow = sample("workflows", name);
        let (code, out, _) = run(&["check", &workflow]).await;
        assert!(code == 0 && out.contains(": ok ("), "{out}");
        let (code, out, error) = run(&["simulate", &workflow, &sample("scenarios", name)]).await;
        assert_eq!(code, 0, "{out}{error}");
    }
}

/// Plays the scenario of Nagios with one thing changed.
async fn changed(from: &str, to: &str) -> (i32, String) {
    let text = std::fs::read_to_string(sample("scenarios", "nagios")).unwrap();
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("scenario.json");
    std::fs::write(&file, text.replacen(from, to, 1)).unwrap();
    assert!(text.contains(from));
    let (code, out, error) = run(&["simulate", &sample("workflows", "nagios"), file.to_str().unwrap()]).await;
    (code, out + &error)
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_as_expected_is_shown() {
    let (code, said) = changed("escalated by @sam", "escalated by @alex").await;
    assert_eq!(code, 1, "{said}");
    for part in
        ["script entry 17", "~monitoring", "escalated by @alex.", "what stands there", "escalated by @sam."]
    {
        assert!(said.contains(part), "{part} is missing in {said}");
    }
    let (code, said) = changed("\"runs\": 0", "\"runs\": 1").await;
    assert!(
        code == 1 && said.contains("the number of runs is \u{201c}0\u{201d}, expected \u{201c}1\u{201d}"),
        "{said}"
    );
    let (code, said) = changed("\"button\": \"Recovered\"", "\"button\": \"Recoverd\"").await;
    assert!(code == 1 && said.contains("shows \u{201c}Recoverd\u{201d}; in ~nagios-2 stands"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_scenario_is_not_played() {
    let (code, said) = changed("\"as\": \"Nagios\"", "\"ass\": \"Nagios\"").await;
    assert!(code == 2 && said.contains("unknown field `ass`") && said.contains("line 4"), "{said}");
    let (code, said) = changed("\"wait\": \"5m\"", "\"wait\": \"5 minutes\"").await;
    assert!(code == 2 && said.contains("`5 minutes` is no duration"), "{said}");
    let (code, _, error) = run(&["simulate", "nothing.json", "nothing.json"]).await;
    assert!(code == 2 && error.contains("cannot read nothing.json"), "{error}");
}
