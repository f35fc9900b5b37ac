//! A person with a browser: posts the keyword, presses a button, reads the answer. In headless Chromium.

use crate::stage::Stage;
use fantoccini::{Client, ClientBuilder, Locator};
use hyper_util::client::legacy::connect::HttpConnector;
use serde_json::json;
use std::process::Stdio;
use std::time::Duration;
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::{Child, Command};

struct Browser {
    client: Client,
    _driver: Child,
    _profile: TempDir,
}

/// Starts the browser; nothing where none is installed, unless this is continuous integration, which installs it.
async fn browser() -> Option<Browser> {
    let driver =
        Command::new("chromedriver").arg("--port=0").stdout(Stdio::piped()).kill_on_drop(true).spawn();
    let mut driver = match driver {
        Ok(driver) => driver,
        Err(error) => {
            assert!(std::env::var_os("CI").is_none(), "chromedriver does not start: {error}");
            eprintln!(
                "skipped: chromedriver does not start ({error}); install chromium and its driver to run this"
            );
            return None;
        }
    };
    let mut lines = BufReader::new(driver.stdout.take().unwrap()).lines();
    let port = loop {
        let line = lines.next_line().await.unwrap().expect("chromedriver says its port");
        if let Some((_, port)) = line.split_once("successfully on port ") {
            break port.trim_end_matches('.').to_owned();
        }
    };
    tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
    let profile = tempfile::tempdir().unwrap();
    let mut arguments = [
        "--headless",
        "--no-sandbox",
        "--disable-gpu",
        "--disable-quic",
        "--no-first-run",
        "--disable-background-networking",
        "--disable-component-update",
        "--disable-sync",
        "--window-size=1200,900",
    ]
    .map(str::to_owned)
    .to_vec();
    arguments.push(format!("--user-data-dir={}", profile.path().display()));
    let capabilities = json!({ "goog:chromeOptions": { "args": arguments } });
    let client = ClientBuilder::new(HttpConnector::new())
        .capabilities(capabilities.as_object().unwrap().clone())
        .connect(&format!("http://127.0.0.1:{port}"))
        .await
        .unwrap();
    Some(Browser { client, _driver: driver, _profile: profile })
}

impl Browser {
    async fn wait(&self, css: &str) -> fantoccini::elements::Element {
        let wait = self.client.wait().at_most(Duration::from_secs(20));
        wait.for_element(Locator::Css(css))
            .await
            .unwrap_or_else(|error| panic!("{css} did not come: {error}"))
    }

    async fn wait_for_text(&self, text: &str) {
        let path = format!("//*[contains(text(), \"{text}\")]");
        let wait = self.client.wait().at_most(Duration::from_secs(20));
        wait.for_element(Locator::XPath(&path))
            .await
            .unwrap_or_else(|error| panic!("{text:?} did not come: {error}"));
    }

    async fn press(&self, label: &str) {
        let path = format!("//button[normalize-space()=\"{label}\"]");
        let wait = self.client.wait().at_most(Duration::from_secs(20));
        wait.for_element(Locator::XPath(&path)).await.unwrap().click().await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_person_reports_presses_and_reads_the_answer() {
    let Some(browser) = browser().await else { return };
    let Some(stage) = Stage::on_page().await else { return };
    let service = stage.service().await;
    browser.client.goto(stage.simulator().unwrap().url()).await.unwrap();
    browser.wait("[data-testid=message-box]").await.send_keys("#sec seen in the browser").await.unwrap();
    browser.wait("[data-testid=send]").await.click().await.unwrap();
    browser.wait_for_text("Security issue reported.").await;
    let room = stage.channel_id("security-issue-1").await;
    // Jon was added to the room, so it stands on the left.
    browser.wait("[data-testid=channel-security-issue-1]").await.click().await.unwrap();
    browser.wait_for_text("New issue to triage").await;
    browser.press("Triaged").await;
    browser.wait_for_text("Developing a fix underway").await;
    assert_eq!(stage.messages(&room).await.len(), 3);
    browser.client.clone().close().await.unwrap();
    service.stop().await;
}
