//! The way to what the journal holds: the socket of the running service, else, for runs, the journal itself.

use crate::admin::{self, NextNumber, Obeyed, Order, RunLine, RunStory};
use crate::config::Config;
use crate::journal::StoreJournal;
use anyhow::{Context as _, bail};
use serde::de::DeserializeOwned;
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use warroom_runner::Archive;
use warroom_store::StoreError;

/// How long the service may take to answer.
const ANSWER_WITHIN: Duration = Duration::from_secs(30);

pub(super) struct Door {
    socket: Option<PathBuf>,
    store_url: String,
}

impl Door {
    pub(super) fn of(config: &Config) -> Door {
        Door { socket: config.admin_socket.clone(), store_url: config.store_url.clone() }
    }

    pub(super) async fn list(&self, all: bool, limit: u32) -> anyhow::Result<Vec<RunLine>> {
        match self.ask(reqwest::Method::GET, &format!("/runs?all={all}&limit={limit}"), None).await? {
            Some(lines) => Ok(lines),
            None => Ok(admin::lines(&self.archive().await?, &BTreeMap::new(), all, limit).await?),
        }
    }

    pub(super) async fn show(&self, run: &str) -> anyhow::Result<RunStory> {
        match self.ask(reqwest::Method::GET, &format!("/runs/{}", encoded(run)), None).await? {
            Some(story) => Ok(story),
            None => {
                let archive = self.archive().await?;
                let story = admin::story(&archive, run).await?;
                story.with_context(|| admin::unknown(run))
            }
        }
    }

    /// Gives the run's id.
    pub(super) async fn order(&self, run: &str, command: &str, order: &Order) -> anyhow::Result<String> {
        let path = format!("/runs/{}/{command}", encoded(run));
        match self.ask::<Obeyed>(reqwest::Method::POST, &path, Some(order)).await? {
            Some(obeyed) => Ok(obeyed.run),
            None => bail!(
                "no service answers, and only a running one can do that: start `warroom serve` with the same configuration"
            ),
        }
    }

    /// The number that the running service gives to the workflow's next run, unless the file wants a higher one; none while it had no
    /// run.
    pub(super) async fn next_number(&self, workflow: &str) -> anyhow::Result<Option<u64>> {
        let path = format!("/workflows/{}/next-number", encoded(workflow));
        match self.ask::<NextNumber>(reqwest::Method::GET, &path, None).await? {
            Some(known) => Ok(known.next),
            None => bail!("{}", self.unanswered()),
        }
    }

    /// Asks the running service; none when there is none.
    async fn ask<T: DeserializeOwned>(
        &self,
        method: reqwest::Method,
        path: &str,
        order: Option<&Order>,
    ) -> anyhow::Result<Option<T>> {
        let Some(socket) = self.socket.as_ref().filter(|socket| socket.exists()) else { return Ok(None) };
        // The socket needs no cryptography, and the client cannot be made without.
        warroom_mattermost::install_provider();
        let client =
            reqwest::Client::builder().unix_socket(socket.as_path()).timeout(ANSWER_WITHIN).build()?;
        let mut request = client.request(method, format!("http://warroom{path}"));
        if let Some(order) = order {
            request = request.json(order);
        }
        let answer = match request.send().await {
            Ok(answer) => answer,
            // Left behind by a service that did not end well.
            Err(error) if error.is_connect() && is_abandoned(&error) => return Ok(None),
            Err(error) => {
                return Err(error)
                    .with_context(|| format!("cannot speak to the service at {}", socket.display()));
            }
        };
        let is_well = answer.status().is_success();
        let body = answer.bytes().await?;
        if is_well {
            return Ok(Some(serde_json::from_slice(&body)?));
        }
        let reason = serde_json::from_slice::<Value>(&body).ok();
        let reason = reason.as_ref().and_then(|reason| reason.get("error")?.as_str());
        bail!("{}", reason.unwrap_or("the service answers with an error and no reason"))
    }

    /// A service has the journal, and cannot be asked.
    fn unanswered(&self) -> String {
        match &self.socket {
            Some(socket) => format!(
                "a service works with the journal, and does not answer at {}: it is just starting and will in a moment, or has \
                 another `[http] admin_socket`; run this with the configuration of that service",
                socket.display()
            ),
            None => "a service works with the journal, and cannot be asked: give it, and this command, an `[http] admin_socket`".to_owned(),
        }
    }

    async fn archive(&self) -> anyhow::Result<Archive> {
        let store = match warroom_store::Store::open(&self.store_url, warroom_store::Options::default()).await
        {
            Err(StoreError::Locked { .. }) => bail!("{}", self.unanswered()),
            store => store?,
        };
        Ok(Archive::new(Arc::new(StoreJournal(store))))
    }
}

/// Whether nobody listens at the socket, rather than that it may not be opened.
fn is_abandoned(error: &reqwest::Error) -> bool {
    let mut cause: Option<&(dyn std::error::Error + 'static)> = Some(error);
    while let Some(error) = cause {
        if let Some(error) = error.downcast_ref::<std::io::Error>() {
            return error.kind() == std::io::ErrorKind::ConnectionRefused;
        }
        cause = error.source();
    }
    false
}

/// A name as part of a path.
fn encoded(name: &str) -> String {
    let mut url = match reqwest::Url::parse("http://warroom") {
        Ok(url) => url,
        Err(_) => return name.to_owned(),
    };
    if let Ok(mut segments) = url.path_segments_mut() {
        segments.push(name);
    }
    url.path().trim_start_matches('/').to_owned()
}
