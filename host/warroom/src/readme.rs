//! What the README shows to be copied is right.

use crate::built_in;
use crate::config::Config;

const README: &str = include_str!("../../../README.md");

/// The text of the only block in this language.
fn block(language: &str) -> &'static str {
    let fence = format!("```{language}\n");
    let mut blocks = README.split(&fence).skip(1);
    let block = blocks.next().unwrap().split("```").next().unwrap();
    assert!(blocks.next().is_none(), "the README has several blocks of {language}");
    block
}

#[tokio::test]
async fn its_workflow_has_nothing_to_correct() {
    let catalog = built_in::catalog_with(None).await.unwrap();
    let checked = warroom_workflow::check(block("json"), &catalog);
    assert_eq!(checked.diagnostics, []);
    assert_eq!(checked.workflows.len(), 1);
}

#[test]
fn its_configuration_can_be_read() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("warroom.toml");
    std::fs::write(&path, block("toml")).unwrap();
    std::fs::write(directory.path().join("bot-token"), "token").unwrap();
    let config = Config::read(&path, &|_| None).unwrap();
    assert_eq!(config.mattermost_url, "https://chat.example.com");
}
