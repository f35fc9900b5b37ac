//! The server, the service and the people of one scenario.
#![expect(clippy::indexing_slicing, reason = "a JSON value gives null for a key that is not there")]

use super::scenario::{Choose, Entry, Post, Press, Scenario, Webhook, duration};
use crate::demo::people::{Chatroom, Person, control_id};
use crate::demo::{self, Directory};
use crate::seen::Seen;
use crate::service::Service;
use crate::virtual_clock::VirtualClock;
use anyhow::Context as _;
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::{Duration, Instant};
use warroom_engine::{Next, Run, next};
use warroom_runner::Clock as _;
use warroom_simulator::{Options, Simulator};
use warroom_workflow::Workflow;

/// How often the stage looks whether the runs have settled.
const GLANCE: Duration = Duration::from_millis(5);

/// How long an expectation may take to come true once the runs have settled.
const LATENESS: Duration = Duration::from_secs(2);

pub(super) struct Stage<'a> {
    pub(super) chat: Chatroom,
    pub(super) team: String,
    simulator: Simulator,
    service: Service,
    clock: Arc<VirtualClock>,
    seen: Arc<Seen>,
    workflows: &'a [Workflow],
    // Last, so that it goes when the service has closed its store.
    _directory: Directory,
}

impl<'a> Stage<'a> {
    pub(super) async fn set(
        scenario: &Scenario,
        text: &str,
        workflows: &'a [Workflow],
    ) -> anyhow::Result<Stage<'a>> {
        let defaults = Options::default();
        let people = scenario.people.clone().unwrap_or(defaults.people);
        let options = Options { people, ..Options::default() };
        let team = options.team.clone();
        let simulator = Simulator::start(options).await?;
        let directory = Directory::new()?;
        std::fs::write(directory.0.join("workflow.json"), text)?;
        let chat = Chatroom::new(simulator.url(), simulator.admin_token())?;
        let admin = chat.person("sysadmin", simulator.admin_token());
        for name in &scenario.channels {
            let new =
                json!({ "team_id": simulator.team_id(), "name": name, "display_name": name, "type": "O" });
            let channel = admin.send("/channels", &new).await?;
            let channel_id = channel["id"].as_str().context("a channel without an id")?;
            let me = bot_id(&chat).await?;
            admin.send(&format!("/channels/{channel_id}/members"), &json!({ "user_id": me })).await?;
        }
        let (clock, seen) = (Arc::new(VirtualClock::new()), Arc::new(Seen::default()));
        let config = demo::config(&simulator, &directory.0);
        let service = Service::start_with(config, Arc::clone(&clock) as _, Some(Arc::clone(&seen))).await?;
        service.ready().await?;
        Ok(Stage { chat, team, simulator, service, clock, seen, workflows, _directory: directory })
    }

    /// Plays the script; gives the first difference.
    pub(super) async fn play(&self, scenario: &Scenario) -> Result<(), String> {
        for (index, entry) in scenario.script.iter().enumerate() {
            self.enact(entry).await.map_err(|error| format!("script entry {}: {error:#}", index + 1))?;
        }
        Ok(())
    }

    async fn enact(&self, entry: &Entry) -> anyhow::Result<()> {
        match entry {
            Entry::Post(post) => self.post(post).await,
            Entry::Webhook(webhook) => self.webhook(webhook).await,
            Entry::Press(Press { by, button }) => self.touch(by, button, None).await,
            Entry::Choose(Choose { by, field, option }) => self.touch(by, field, Some(option)).await,
            Entry::Wait(text) => {
                self.settle().await?;
                self.clock.advance(duration(text).map_err(anyhow::Error::msg)?);
                self.settle().await
            }
            Entry::Expect(expect) => {
                self.settle().await?;
                // What no run has to wait for, such as a notice that starts are limited, may come a moment later.
                let until = Instant::now() + LATENESS;
                loop {
                    match self.check(expect).await {
                        Err(_) if Instant::now() < until => tokio::time::sleep(GLANCE).await,
                        checked => return checked,
                    }
                }
            }
        }
    }

    async fn post(&self, Post { by, r#in, text }: &Post) -> anyhow::Result<()> {
        let channel = self.channel(r#in).await?;
        let channel_id = channel["id"].as_str().context("a channel without an id")?;
        let person = self.person(by)?;
        let posted = person.post(channel_id, text).await?;
        self.offered(&posted).await
    }

    async fn webhook(&self, said: &Webhook) -> anyhow::Result<()> {
        let channel = self.channel(&said.r#in).await?;
        let channel_id = channel["id"].as_str().context("a channel without an id")?;
        let admin = self.chat.person("sysadmin", self.simulator.admin_token());
        let hook = admin.send("/hooks/incoming", &json!({ "channel_id": channel_id })).await?;
        let hook = hook["id"].as_str().context("a webhook without an id")?;
        let body = json!({ "text": said.text, "username": said.r#as, "attachments": said.attachments });
        self.chat.speak(hook, &body).await?;
        let posts = self.chat.posts(channel_id).await?;
        let post = posts.iter().rev().find(|post| post["props"]["from_webhook"] == "true");
        self.offered(post.context("the webhook's post is not in its channel")?).await
    }

    /// Presses or chooses on the newest post of the latest run that shows such a control.
    async fn touch(&self, by: &str, label: &str, option: Option<&str>) -> anyhow::Result<()> {
        self.settle().await?;
        let run = self.latest().await?.context("there is no run, so there is nothing to press")?;
        // A run without a room has its posts where it was reported.
        for channel in run.channels.iter().rev().chain([&run.trigger.channel]) {
            for post in self.chat.posts(&channel.id).await?.iter().rev() {
                if control_id(post, label).is_some() {
                    return self.person(by)?.use_control(post, label, option).await;
                }
            }
        }
        anyhow::bail!(
            "no post in the run's room shows \u{201c}{label}\u{201d}; {}",
            self.conversation(&run).await?
        )
    }

    fn person(&self, name: &str) -> anyhow::Result<Person> {
        let token = self.simulator.token_of(name);
        let token = token.with_context(|| format!("@{name} is not on the team; add it to `people`"))?;
        Ok(self.chat.person(name, token))
    }

    pub(super) async fn channel(&self, name: &str) -> anyhow::Result<Value> {
        let path = format!("/teams/name/{}/channels/name/{name}?include_deleted=true", self.team);
        self.chat.get(&path).await.with_context(|| format!("there is no channel ~{name}"))
    }

    /// Returns once the listener has offered the post to the runner.
    async fn offered(&self, post: &Value) -> anyhow::Result<()> {
        let id = post["id"].as_str().context("a post without an id")?;
        self.chat.wait_for("the post at the service", async || Ok(self.seen.knows(id).then_some(()))).await
    }

    /// Returns once no run moves by itself.
    async fn settle(&self) -> anyhow::Result<()> {
        for id in self.seen.runs() {
            while !self.rests(&self.run(&id).await?) {
                tokio::time::sleep(GLANCE).await;
            }
        }
        Ok(())
    }

    /// Whether a run waits for people, for a time that has not come, or has ended.
    fn rests(&self, run: &Run) -> bool {
        let Some(workflow) = self.workflows.iter().find(|workflow| *workflow.name == *run.workflow) else {
            return true;
        };
        match next(workflow, run) {
            Next::Wait | Next::Blocked | Next::Done => true,
            _ => {
                let at_ms = run.current.as_ref().and_then(|current| current.not_before_ms);
                at_ms.is_some_and(|at_ms| at_ms > self.clock.now_ms())
            }
        }
    }

    async fn run(&self, id: &str) -> anyhow::Result<Run> {
        Ok(self.service.runner().run(id).await?)
    }

    pub(super) async fn latest(&self) -> anyhow::Result<Option<Run>> {
        match self.seen.runs().last() {
            Some(id) => Ok(Some(self.run(id).await?)),
            None => Ok(None),
        }
    }

    pub(super) fn runs(&self) -> usize {
        self.seen.runs().len()
    }

    /// What stands in the run's channels, for somebody who expected something else.
    async fn conversation(&self, run: &Run) -> anyhow::Result<String> {
        let mut texts = Vec::new();
        for channel in &run.channels {
            texts.push(format!(
                "in ~{} stands: {}",
                channel.name,
                self.texts(&channel.id).await?.join(" | ")
            ));
        }
        Ok(texts.join("; "))
    }

    pub(super) async fn texts(&self, channel_id: &str) -> anyhow::Result<Vec<String>> {
        let posts = self.chat.posts(channel_id).await?;
        Ok(posts.iter().filter_map(|post| post["message"].as_str()).map(|text| format!("{text:?}")).collect())
    }

    pub(super) async fn leave(self) {
        self.service.stop().await;
        self.simulator.stop().await;
    }
}

async fn bot_id(chat: &Chatroom) -> anyhow::Result<String> {
    let bot = chat.get("/users/username/warroom").await?;
    bot["id"].as_str().map(str::to_owned).context("a bot without an id")
}
