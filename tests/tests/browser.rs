//! A person with a browser: posts the keyword, presses a button, reads the answer; with a mouse, and without. In headless Chromium.

use crate::stage::Stage;
use fantoccini::actions::{InputSource as _, KeyAction, KeyActions};
use fantoccini::key::Key;
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

/// How often Tab is pressed at most to come somewhere: no page of a test has as much that can have the focus.
const TABS_MAX: u32 = 60;

impl Browser {
    async fn wait(&self, css: &str) -> fantoccini::elements::Element {
        let wait = self.client.wait().at_most(Duration::from_secs(20));
        wait.for_element(Locator::Css(css))
            .await
            .unwrap_or_else(|error| panic!("{css} did not come: {error}"))
    }

    async fn wait_for_text(&self, text: &str) {
        let path = format!("//*[text()[contains(., \"{text}\")]]");
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

    /// Strikes keys, one after the other, wherever the focus is.
    async fn strike(&self, keys: impl IntoIterator<Item = char>) {
        let strikes = keys.into_iter().flat_map(|value| [KeyAction::Down { value }, KeyAction::Up { value }]);
        let keyboard = strikes.fold(KeyActions::new("keyboard".to_owned()), KeyActions::then);
        self.client.perform_actions(keyboard).await.unwrap();
    }

    /// Presses Tab until the element of this test id has the focus, once it is there.
    async fn tab_to(&self, id: &str) {
        self.wait(&format!("[data-testid={id}]")).await;
        for _ in 0..TABS_MAX {
            self.strike([Key::Tab.into()]).await;
            let focused = self.client.active_element().await.unwrap();
            if focused.attr("data-testid").await.unwrap().as_deref() == Some(id) {
                return;
            }
        }
        panic!("Tab does not lead to {id}");
    }

    /// Writes a message and sends it, without the mouse.
    async fn write(&self, message: &str) {
        self.tab_to("message-box").await;
        self.strike(message.chars().chain([Key::Enter.into()])).await;
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

#[tokio::test(flavor = "multi_thread")]
async fn a_person_without_a_mouse_chooses_from_a_menu() {
    let Some(browser) = browser().await else { return };
    let Some(stage) = Stage::on_page().await else { return };
    let service = stage.service().await;
    browser.client.goto(stage.simulator().unwrap().url()).await.unwrap();
    browser.write("#sec without a mouse").await;
    browser.tab_to("channel-security-issue-1").await;
    browser.strike([Key::Enter.into()]).await;
    browser.wait_for_text("New issue to triage").await;
    browser.tab_to("menu-field1").await;
    browser.strike([Key::Down.into(), Key::Down.into()]).await;
    browser.tab_to("set-field1").await;
    browser.strike([' ']).await;
    browser.wait_for_text(", set by ").await;
    let room = stage.channel_id("security-issue-1").await;
    let triage = stage.post(&room, "New issue to triage", 1).await;
    let text = triage["props"]["attachments"][0]["text"].as_str().unwrap();
    assert!(text.contains("Likelihood: **L2**, set by @jon"), "{text}");
    // The post was written anew, and who chose goes on where it was.
    let focused = browser.client.active_element().await.unwrap();
    assert_eq!(focused.attr("data-testid").await.unwrap().as_deref(), Some("set-field1"));
    let menu = browser.wait("[data-testid=menu-field1]").await;
    assert_eq!(menu.prop("value").await.unwrap().as_deref(), Some("L2"));
    browser.client.clone().close().await.unwrap();
    service.stop().await;
}

/// The program's demo, kept up for as long as the value lives.
struct Demo {
    /// Of its chat, as it prints it.
    address: String,
    _process: Child,
    _directory: TempDir,
}

impl Demo {
    async fn start() -> Demo {
        let directory = tempfile::tempdir().unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_warroom-under-test"));
        command.args(["demo", "--serve"]).env("TMPDIR", directory.path());
        let mut process = command.stdout(Stdio::piped()).kill_on_drop(true).spawn().unwrap();
        let mut lines = BufReader::new(process.stdout.take().unwrap()).lines();
        let mut said = Vec::new();
        loop {
            let line = lines.next_line().await.unwrap();
            let line = line.unwrap_or_else(|| panic!("the demo ended: {said:#?}"));
            if let Some((_, place)) = line.split_once("The chat is up: open ") {
                let address = place.split(' ').next().unwrap().to_owned();
                return Demo { address, _process: process, _directory: directory };
            }
            said.push(line);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_demo_that_is_kept_up_can_be_used_with_the_keyboard_alone() {
    let Some(browser) = browser().await else { return };
    let demo = Demo::start().await;
    browser.client.goto(&demo.address).await.unwrap();
    // The first incident was the demo's own.
    browser.write("#sec after the demo").await;
    browser.tab_to("channel-security-issue-2").await;
    browser.strike([Key::Enter.into()]).await;
    browser.wait_for_text("New issue to triage").await;
    browser.tab_to("button-transition0").await;
    browser.strike([Key::Enter.into()]).await;
    browser.wait_for_text("Developing a fix underway").await;
    browser.client.clone().close().await.unwrap();
}
