//! Tells people of the posts that started nothing because of their workflow's `start_limit`: one post per flood, rewritten as it
//! grows, in the channel of the first of them.
//!
//! A flood is kept in memory only: after a restart, what is held back then gets a new post.

use crate::chat::{ChatError, RenderedPost};
use crate::core::Core;
use crate::mentions;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use warroom_workflow::{StartLimit, Workflow};

/// How many of the posts the notice links to; the rest is counted.
const LINKS_MAX: usize = 20;
/// The time between two rewrites of one notice, in milliseconds.
const REWRITE_PAUSE_MS: u64 = 1_000;

/// What is being held back, by workflow.
#[derive(Default)]
pub(crate) struct Floods(Mutex<BTreeMap<String, Flood>>);

#[derive(Clone)]
struct Flood {
    limit: StartLimit,
    channel_id: String,
    /// How many posts are held back.
    count: u64,
    /// The first of them, as links.
    links: Vec<String>,
    first_ms: u64,
    last_ms: u64,
    /// The notice, once it is written.
    post_id: Option<String>,
    /// How many posts the notice tells of.
    told: u64,
    /// Whether a task writes the notice.
    is_being_told: bool,
}

impl Floods {
    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, Flood>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes in a post that is held back. Gives whether a task must be spawned to tell of it.
    fn add(&self, workflow: &Workflow, channel_id: &str, permalink: &str, now_ms: u64) -> bool {
        let mut floods = self.lock();
        let period_ms = u64::from(workflow.start_limit.minutes) * 60_000;
        // Floods that are over are forgotten here, so that they do not pile up.
        floods.retain(|_, flood| flood.is_being_told || now_ms.saturating_sub(flood.last_ms) < period_ms);
        let flood = floods.entry(workflow.name.to_string()).or_insert_with(|| Flood {
            limit: workflow.start_limit,
            channel_id: channel_id.to_owned(),
            count: 0,
            links: Vec::new(),
            first_ms: now_ms,
            last_ms: now_ms,
            post_id: None,
            told: 0,
            is_being_told: false,
        });
        (flood.count, flood.last_ms) = (flood.count + 1, now_ms);
        if flood.links.len() < LINKS_MAX {
            flood.links.push(permalink.to_owned());
        }
        !std::mem::replace(&mut flood.is_being_told, true)
    }

    /// The flood, when there is more of it than was told; else its task is over.
    fn untold(&self, workflow: &str) -> Option<Flood> {
        let mut floods = self.lock();
        let flood = floods.get_mut(workflow)?;
        flood.is_being_told = flood.told < flood.count;
        flood.is_being_told.then(|| flood.clone())
    }

    fn has_more(&self, workflow: &str) -> bool {
        self.lock().get(workflow).is_some_and(|flood| flood.told < flood.count)
    }

    fn told(&self, workflow: &str, post_id: Option<String>, count: u64) {
        if let Some(flood) = self.lock().get_mut(workflow) {
            (flood.post_id, flood.told) = (post_id, count);
        }
    }
}

/// Holds a post back, and sees to it that people are told.
pub(crate) fn hold_back(core: &Arc<Core>, workflow: &Workflow, channel_id: &str, permalink: &str) {
    tracing::warn!(workflow = %workflow.name, post = %permalink, "no incident is started: `start_limit` is reached");
    if core.floods.add(workflow, channel_id, permalink, core.clock.now_ms()) {
        let (core, workflow) = (Arc::clone(core), workflow.name.to_string());
        tokio::spawn(async move { tell(&core, &workflow).await });
    }
}

/// Writes and rewrites the notice until it tells of everything.
async fn tell(core: &Core, workflow: &str) {
    let mut failures = 0;
    while let Some(flood) = core.floods.untold(workflow) {
        let wait_ms = match write(core, workflow, &flood).await {
            Ok(post_id) => {
                core.floods.told(workflow, Some(post_id), flood.count);
                REWRITE_PAUSE_MS
            }
            Err(error) if error.is_temporary() => {
                failures += 1;
                core.options.wait_ms(failures, workflow).max(error.retry_after_ms.unwrap_or(0)).max(1)
            }
            Err(error) => {
                tracing::error!(workflow, "cannot post that `start_limit` is reached: {error}");
                core.floods.told(workflow, None, flood.count);
                REWRITE_PAUSE_MS
            }
        };
        if core.floods.has_more(workflow) {
            core.clock.sleep_until(core.clock.now_ms() + wait_ms).await;
        }
    }
}

async fn write(core: &Core, workflow: &str, flood: &Flood) -> Result<String, ChatError> {
    let post = RenderedPost { message: message(workflow, flood), sections: Vec::new() };
    let stamp = core.key.stamp(&format!("flood/{workflow}/{}", flood.first_ms));
    match &flood.post_id {
        Some(post_id) => core.chat.update_post(post_id, &stamp, &post).await.map(|()| post_id.clone()),
        None => core.chat.create_post(&flood.channel_id, &stamp, &post).await,
    }
}

fn message(workflow: &str, flood: &Flood) -> String {
    let StartLimit { starts, minutes } = flood.limit;
    let posts = match flood.count {
        1 => "1 post has".to_owned(),
        count => format!("{count} posts have"),
    };
    let links: Vec<String> = (1..).zip(&flood.links).map(|(n, link)| format!("[{n}]({link})")).collect();
    let rest = flood.count.saturating_sub(u64::try_from(links.len()).unwrap_or(u64::MAX));
    let more = if rest > 0 { format!(" and {rest} more") } else { String::new() };
    mentions::quiet(&format!(
        ":warning: **{workflow}** has started {starts} incidents within {minutes} minutes, as many as its `start_limit` \
         allows. {posts} started none: {}{more}.\nIf one of them needs an incident of its own, post it again later, or \
         raise `start_limit` in the workflow.",
        links.join(", ")
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn flood(count: u64) -> Flood {
        Flood {
            limit: StartLimit::default(),
            channel_id: "town".into(),
            count,
            links: (0..count.min(20)).map(|n| format!("http://chat/{n}")).collect(),
            first_ms: 0,
            last_ms: 0,
            post_id: None,
            told: 0,
            is_being_told: false,
        }
    }

    #[test]
    fn the_notice_counts_what_it_does_not_link() {
        let one = message("disk", &flood(1));
        assert!(one.contains("1 post has started none: [1](http://chat/0)."), "{one}");
        let many = message("disk", &flood(23));
        assert!(many.contains("23 posts have started none: [1](http://chat/0), "), "{many}");
        assert!(many.contains("[20](http://chat/19) and 3 more."), "{many}");
        assert!(many.contains("started 10 incidents within 10 minutes"), "{many}");
    }
}
