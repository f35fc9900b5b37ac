//! Compares what is expected with what is there.
#![expect(clippy::indexing_slicing, reason = "a JSON value gives null for a key that is not there")]

use super::scenario::{Expect, Posted, Room};
use super::stage::Stage;
use anyhow::{Context as _, bail};
use serde_json::Value;
use warroom_engine::{Run, Status};

impl Stage<'_> {
    /// Nothing when everything is as expected; otherwise what is not.
    pub(super) async fn check(&self, expect: &Expect) -> anyhow::Result<()> {
        if let Some(runs) = expect.runs {
            same("the number of runs", &runs.to_string(), &self.runs().to_string())?;
        }
        let asks_for_run = expect.workflow.is_some() || expect.step.is_some() || expect.status.is_some();
        if asks_for_run {
            let run = self.latest().await?.context("a run is expected, and none was started")?;
            if let Some(workflow) = &expect.workflow {
                same("the workflow", workflow, &run.workflow)?;
            }
            if let Some(status) = &expect.status {
                same("the status", status, status_of(&run)).with_context(|| failure(&run))?;
            }
            if let Some(step) = &expect.step {
                same("the step", step, run.step().unwrap_or("none")).with_context(|| failure(&run))?;
            }
        }
        if let Some(room) = &expect.room {
            self.check_room(room).await?;
        }
        for posted in &expect.posts {
            self.check_post(posted).await?;
        }
        Ok(())
    }

    async fn check_room(&self, room: &Room) -> anyhow::Result<()> {
        let channel = self.channel(&room.name).await?;
        let texts =
            [("display_name", &room.display_name), ("header", &room.header), ("purpose", &room.purpose)];
        for (key, expected) in texts {
            if let Some(expected) = expected {
                let there = channel[key].as_str().unwrap_or_default();
                same(&format!("the {key} of ~{}", room.name), expected, there)?;
            }
        }
        if let Some(archived) = room.archived {
            let there = channel["delete_at"].as_i64().unwrap_or_default() > 0;
            same(&format!("whether ~{} is archived", room.name), &archived.to_string(), &there.to_string())?;
        }
        let id = channel["id"].as_str().unwrap_or_default();
        for member in &room.members {
            let user = self.chat.get(&format!("/users/username/{member}")).await?;
            let user = user["id"].as_str().unwrap_or_default();
            let found: anyhow::Result<Value> = self.chat.get(&format!("/channels/{id}/members/{user}")).await;
            found.map(|_| ()).with_context(|| format!("@{member} is not in ~{}", room.name))?;
        }
        Ok(())
    }

    async fn check_post(&self, posted: &Posted) -> anyhow::Result<()> {
        let channel = self.channel(&posted.r#in).await?;
        let id = channel["id"].as_str().unwrap_or_default();
        let posts = self.chat.posts(id).await?;
        let says = |post: &&Value| {
            let text = post["message"].as_str().unwrap_or_default();
            posted.text.as_deref().is_none_or(|whole| text == whole)
                && posted.contains.as_deref().is_none_or(|part| text.contains(part))
        };
        let found: Vec<&Value> = posts.iter().filter(says).collect();
        let expected = posted.text.as_ref().or(posted.contains.as_ref()).map_or("", String::as_str);
        if posted.times.map_or(found.is_empty(), |times| found.len() != times) {
            let there = self.texts(id).await?.join("\n    ");
            let wanted = posted.times.map_or("at least once".to_owned(), |times| format!("{times} times"));
            bail!(
                "in ~{} this is expected {wanted}, and stands there {} times:\n    {expected:?}\n  what stands there is\n    {there}",
                posted.r#in,
                found.len()
            );
        }
        match (&posted.controls, found.last()) {
            (Some(expected), Some(post)) => {
                same("the controls of the post", &expected.join(", "), &labels(post).join(", "))
            }
            _ => Ok(()),
        }
    }
}

/// What the buttons and menus of a post say, in order.
fn labels(post: &Value) -> Vec<&str> {
    let attachments = post["props"]["attachments"].as_array().into_iter().flatten();
    let controls = attachments.filter_map(|attachment| attachment["actions"].as_array()).flatten();
    controls.filter_map(|control| control["name"].as_str()).collect()
}

fn status_of(run: &Run) -> &'static str {
    match run.status {
        Status::Open => "open",
        Status::Blocked { .. } => "blocked",
        Status::Finished => "finished",
        Status::Cancelled(_) => "cancelled",
    }
}

fn failure(run: &Run) -> String {
    match &run.status {
        Status::Blocked { failure, .. } => format!("the run is blocked: {failure:?}"),
        _ => format!("{} {}", run.workflow, run.number),
    }
}

fn same(what: &str, expected: &str, there: &str) -> anyhow::Result<()> {
    if expected == there {
        return Ok(());
    }
    bail!("{what} is \u{201c}{there}\u{201d}, expected \u{201c}{expected}\u{201d}")
}
