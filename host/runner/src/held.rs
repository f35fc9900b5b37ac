//! Posts that would have started an incident and did not: more came than `start_limit` allows, or they came while nobody
//! listened and are old. They are written down, listed in one post for each flood, and a person can start any of them there.

use crate::chat::{ChatError, ControlKind, RenderedControl, RenderedPost, Section, find_or_create_post};
use crate::clock::earliest;
use crate::controls::{Control, Key};
use crate::core::Core;
use crate::incoming::IncomingPost;
use crate::journal::JournalError;
use crate::mentions;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use warroom_engine::Person;

/// The kind of the documents that floods are kept in.
const KIND: &str = "held";
/// What stands in place of a run's id in the controls of a flood.
pub(crate) const RUN: &str = "held";
/// How many posts of one flood can be started; the rest is counted.
const POSTS_MAX: usize = 500;
/// How many of them the notice lists, with a button each; as some are started, the next ones move up.
const LISTED_MAX: usize = 10;
/// How much of a post is shown, in characters.
const EXCERPT_CHARS_MAX: usize = 80;
/// The time between two rewrites of one notice, in milliseconds.
const REWRITE_PAUSE_MS: u64 = 1_000;
/// A flood with nothing new for so long is over; what comes then gets a notice of its own.
const FLOOD_PAUSE_MS: u64 = 10 * 60 * 1_000;
/// How long a flood is kept after its last post, in milliseconds: its buttons live as long.
const KEPT_MS: u64 = 30 * 24 * 3_600 * 1_000;
/// How many floods are kept.
const FLOODS_MAX: u32 = 1_000;

/// Why posts started nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Reason {
    /// As many incidents had started as the workflow allows.
    StartLimit { starts: u32, minutes: u32 },
    /// They were found when they were older than this.
    TooOld { minutes: u64 },
    /// As many runs were open as the configuration allows.
    TooManyOpen { open: usize },
}

/// Posts that were held back together.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Flood {
    pub(crate) workflow: String,
    reason: Reason,
    pub(crate) channel_id: String,
    pub(crate) posts: Vec<HeldPost>,
    /// How many more there were.
    more: u64,
    first_ms: u64,
    last_ms: u64,
    /// The notice, once it is written.
    pub(crate) notice: Option<String>,
    /// How often it changed, and which change the notice tells of.
    changes: u64,
    told: u64,
}

/// A post that was held back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct HeldPost {
    pub(crate) post_id: String,
    permalink: String,
    by: String,
    excerpt: String,
    /// Who started it, and the number of its incident.
    pub(crate) started: Option<(String, u64)>,
}

/// What floods there are.
#[derive(Default)]
pub(crate) struct Floods {
    /// The newest flood of each workflow: its id. Locked while a flood is read, changed and written.
    newest: tokio::sync::Mutex<BTreeMap<String, String>>,
    /// The floods whose notice a task writes, and whether there is more to tell.
    telling: Mutex<BTreeMap<String, bool>>,
}

impl Floods {
    fn telling(&self) -> MutexGuard<'_, BTreeMap<String, bool>> {
        self.telling.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The key of the flood's notice.
pub(crate) fn notice_key(id: &str) -> String {
    format!("{RUN}/{id}")
}

/// The flood that a notice's key names.
pub(crate) fn id_of(notice_key: &str) -> Option<&str> {
    notice_key.strip_prefix(RUN)?.strip_prefix('/')
}

/// Writes down that a post started nothing, and sees to it that people are told.
pub(crate) async fn hold(
    core: &Arc<Core>,
    workflow: &str,
    post: &IncomingPost,
    reason: Reason,
) -> Result<(), JournalError> {
    tracing::warn!(%workflow, post = %post.permalink, ?reason, "no incident is started, a person may do so");
    let now_ms = core.clock.now_ms();
    let mut newest = core.floods.newest.lock().await;
    let mut known = None;
    if let Some(id) = newest.get(workflow) {
        let is_fresh =
            |flood: &Flood| flood.reason == reason && now_ms.saturating_sub(flood.last_ms) < FLOOD_PAUSE_MS;
        known = read(core, id).await?.filter(|(_, flood)| is_fresh(flood)).map(|found| (id.clone(), found));
    }
    let (id, (revision, mut flood)) = known.unwrap_or_else(|| {
        let id = uuid::Uuid::now_v7().simple().to_string();
        (id, (0, Flood::new(workflow, &post.channel.id, reason, now_ms)))
    });
    if !flood.add(post, now_ms) {
        return Ok(());
    }
    write(core, &id, revision, &flood).await?;
    newest.insert(workflow.to_owned(), id.clone());
    drop(newest);
    tell(core, id);
    Ok(())
}

/// Whether the post is among those that were held back last for the workflow.
pub(crate) async fn has(core: &Core, workflow: &str, post_id: &str) -> Result<bool, JournalError> {
    let newest = core.floods.newest.lock().await;
    let Some(id) = newest.get(workflow) else { return Ok(false) };
    let flood = read(core, id).await?;
    Ok(flood.is_some_and(|(_, flood)| flood.posts.iter().any(|post| post.post_id == post_id)))
}

/// Changes a flood as it is in the journal, and has its notice rewritten.
pub(crate) async fn change(
    core: &Arc<Core>,
    id: &str,
    change: impl FnOnce(&mut Flood),
) -> Result<Option<Flood>, JournalError> {
    let _newest = core.floods.newest.lock().await;
    let Some((revision, mut flood)) = read(core, id).await? else { return Ok(None) };
    change(&mut flood);
    flood.changes += 1;
    write(core, id, revision, &flood).await?;
    tell(core, id.to_owned());
    Ok(Some(flood))
}

/// Takes up the floods of earlier processes, and forgets the old ones.
pub(crate) async fn resume(core: &Arc<Core>) -> Result<(), JournalError> {
    let now_ms = core.clock.now_ms();
    let mut newest = core.floods.newest.lock().await;
    for id in core.journal.document_ids(KIND, FLOODS_MAX).await? {
        let Some((_, flood)) = read(core, &id).await? else { continue };
        if now_ms.saturating_sub(flood.last_ms) > KEPT_MS {
            core.journal.delete_document(KIND, &id).await?;
            continue;
        }
        if flood.told != flood.changes {
            tell(core, id.clone());
        }
        // The ids begin with the time of their making, so the last one is the newest.
        newest.insert(flood.workflow, id);
    }
    Ok(())
}

pub(crate) async fn read(core: &Core, id: &str) -> Result<Option<(u64, Flood)>, JournalError> {
    let Some((revision, body)) = core.journal.document(KIND, id).await? else { return Ok(None) };
    let flood = serde_json::from_slice(&body)
        .map_err(|error| JournalError::Failed(format!("the held posts {id} cannot be read: {error}")))?;
    Ok(Some((revision, flood)))
}

async fn write(core: &Core, id: &str, revision: u64, flood: &Flood) -> Result<(), JournalError> {
    let body = serde_json::to_vec(flood)
        .map_err(|error| JournalError::Refused(format!("cannot encode held posts: {error}")))?;
    core.journal.put_document(KIND, id, revision, body).await
}

/// Has a task write the notice until it tells of everything.
fn tell(core: &Arc<Core>, id: String) {
    if let Some(has_more) = core.floods.telling().get_mut(&id) {
        *has_more = true;
        return;
    }
    core.floods.telling().insert(id.clone(), false);
    let core = Arc::clone(core);
    tokio::spawn(async move { tell_all(&core, &id).await });
}

async fn tell_all(core: &Arc<Core>, id: &str) {
    let mut failures = 0;
    loop {
        if let Some(has_more) = core.floods.telling().get_mut(id) {
            *has_more = false;
        }
        let wait_ms = match tell_once(core, id).await {
            Ok(()) => REWRITE_PAUSE_MS,
            Err((reason, retry_after_ms)) => {
                failures += 1;
                tracing::warn!(flood = %id, "cannot post yet what is held back: {reason}");
                if let Some(has_more) = core.floods.telling().get_mut(id) {
                    *has_more = failures < core.options.retry_tries_max;
                }
                core.options.wait_ms(failures, id).max(retry_after_ms).max(1)
            }
        };
        // Nobody may see the task gone and the flood not told: looked at and removed under one lock.
        {
            let mut telling = core.floods.telling();
            if telling.get(id) != Some(&true) {
                telling.remove(id);
                return;
            }
        }
        core.clock.sleep_until(core.clock.now_ms() + wait_ms).await;
    }
}

async fn tell_once(core: &Arc<Core>, id: &str) -> Result<(), (String, u64)> {
    let of_journal = |error: JournalError| (error.to_string(), 0);
    let of_chat = |error: ChatError| (error.message, error.retry_after_ms.unwrap_or(0));
    let Some((_, flood)) = read(core, id).await.map_err(of_journal)? else { return Ok(()) };
    let look = flood.look(&core.key, id);
    let key = notice_key(id);
    let stamp = core.key.stamp(&key);
    let post_id = match &flood.notice {
        Some(post_id) => post_id.clone(),
        None => {
            let operators = core.chat.operators_channel().await;
            let mut places = std::iter::once(&flood.channel_id).chain(&operators);
            loop {
                let Some(channel_id) = places.next() else {
                    return Err(("no channel takes it".to_owned(), 0));
                };
                let since_ms = earliest(flood.first_ms);
                match find_or_create_post(core.chat.as_ref(), channel_id, &stamp, since_ms, &look).await {
                    Ok(post_id) => break post_id,
                    Err(error) if error.is_temporary() => return Err(of_chat(error)),
                    Err(error) => tracing::error!(flood = %id, channel = %channel_id, "{error}"),
                }
            }
        }
    };
    if flood.notice.is_some() {
        core.chat.update_post(&post_id, &stamp, &look).await.map_err(of_chat)?;
    }
    let _newest = core.floods.newest.lock().await;
    let Some((revision, mut now)) = read(core, id).await.map_err(of_journal)? else { return Ok(()) };
    (now.notice, now.told) = (Some(post_id), flood.changes);
    write(core, id, revision, &now).await.map_err(of_journal)
}

impl Flood {
    fn new(workflow: &str, channel_id: &str, reason: Reason, now_ms: u64) -> Flood {
        Flood {
            workflow: workflow.to_owned(),
            reason,
            channel_id: channel_id.to_owned(),
            posts: Vec::new(),
            more: 0,
            first_ms: now_ms,
            last_ms: now_ms,
            notice: None,
            changes: 0,
            told: 0,
        }
    }

    /// Whether the post is new here.
    fn add(&mut self, post: &IncomingPost, now_ms: u64) -> bool {
        if self.posts.iter().any(|known| known.post_id == post.post_id) {
            return false;
        }
        (self.last_ms, self.changes) = (now_ms, self.changes + 1);
        if self.posts.len() < POSTS_MAX {
            self.posts.push(HeldPost {
                post_id: post.post_id.clone(),
                permalink: post.permalink.clone(),
                by: post.user.username.clone(),
                excerpt: excerpt(&post.message().whole()),
                started: None,
            });
        } else {
            self.more += 1;
        }
        true
    }

    /// Who started a held post, as the notice says it.
    pub(crate) fn started(&mut self, at: usize, by: &Person, number: u64) {
        if let Some(post) = self.posts.get_mut(at) {
            post.started = Some((by.mention(), number));
        }
    }

    /// The notice as it is to look.
    pub(crate) fn look(&self, key: &Key, id: &str) -> RenderedPost {
        let workflow = &self.workflow;
        let open: Vec<(usize, &HeldPost)> =
            self.posts.iter().enumerate().filter(|(_, post)| post.started.is_none()).collect();
        let waiting = open.len() as u64 + self.more;
        let mut lines = vec![mentions::quiet(&self.headline(waiting))];
        lines.extend(open.iter().take(LISTED_MAX).map(|(at, post)| post.line(*at)));
        let rest = waiting.saturating_sub(open.len().min(LISTED_MAX) as u64);
        if rest > 0 {
            lines.push(format!("… and {rest} more."));
        }
        let started = self.posts.iter().filter_map(|post| {
            let (by, number) = post.started.as_ref()?;
            Some(format!("[This post]({}) was started as **{workflow} {number}** by {by}.", post.permalink))
        });
        lines.extend(started.take(LISTED_MAX));
        let button = |(at, _): &(usize, &HeldPost)| {
            let control = Control::Start(*at);
            RenderedControl {
                id: control.id(),
                label: format!("Start {}", at + 1),
                kind: ControlKind::Button,
                context: key.context(RUN, &notice_key(id), &control.id()),
            }
        };
        let controls: Vec<RenderedControl> = open.iter().take(LISTED_MAX).map(button).collect();
        let text = "**Start**: start an incident for that post now.".to_owned();
        let section = Section { title: "What now?".to_owned(), text, controls };
        let sections = if section.controls.is_empty() { Vec::new() } else { vec![section] };
        RenderedPost { message: lines.join("\n"), sections }
    }

    fn headline(&self, waiting: u64) -> String {
        let workflow = &self.workflow;
        let posts = match waiting {
            0 => "No post is left that".to_owned(),
            1 => "1 post".to_owned(),
            count => format!("{count} posts"),
        };
        match self.reason {
            Reason::StartLimit { starts, minutes } => format!(
                ":warning: **{workflow}** has started {starts} incidents within {minutes} minutes, as many as its `start_limit` \
                 allows. {posts} started none:"
            ),
            Reason::TooOld { minutes } => format!(
                ":hourglass: While nobody listened here, {} would have started **{workflow}** came more than {minutes} minutes \
                 ago, and started none:",
                if waiting == 1 { "1 post that".to_owned() } else { format!("{waiting} posts that") }
            ),
            Reason::TooManyOpen { open } => format!(
                ":warning: {open} incidents are open, as many as `[limits] open_runs_max` allows. {posts} of **{workflow}** \
                 started none:"
            ),
        }
    }
}

impl HeldPost {
    fn line(&self, at: usize) -> String {
        let HeldPost { permalink, by, excerpt, .. } = self;
        mentions::quiet(&format!("{}. [This post]({permalink}) by {by}: {excerpt}", at + 1))
    }
}

/// The beginning of a post, on one line and without anything that would be formatted.
fn excerpt(text: &str) -> String {
    let words: Vec<&str> = text.split_whitespace().collect();
    let line = words.join(" ").replace('`', "'");
    let mut shown: String = line.chars().take(EXCERPT_CHARS_MAX).collect();
    if line.chars().count() > EXCERPT_CHARS_MAX {
        shown.push('…');
    }
    format!("`{shown}`")
}

#[cfg(test)]
mod tests {
    use super::*;
    use warroom_engine::Channel;
    use warroom_workflow::Author;

    fn post(n: usize) -> IncomingPost {
        IncomingPost {
            post_id: format!("p{n}"),
            created_ms: 0,
            text: format!("disk full\non `web{n}` @all"),
            attachments: String::new(),
            user: Person { id: "u".into(), username: "nagios".into() },
            author: Author::Automation,
            channel: Channel {
                id: "town".into(),
                name: "town-square".into(),
                display_name: "Town Square".into(),
                team_id: "t".into(),
            },
            team_name: "ops".into(),
            permalink: format!("http://chat/ops/pl/p{n}"),
        }
    }

    fn flood(count: usize) -> Flood {
        let mut flood = Flood::new("disk", "town", Reason::StartLimit { starts: 10, minutes: 10 }, 0);
        for n in 0..count {
            assert!(flood.add(&post(n), 5));
        }
        flood
    }

    #[test]
    fn the_notice_lists_what_can_be_started_and_counts_the_rest() {
        let look = flood(12).look(&Key::new([1; 32]), "f");
        assert!(look.message.contains("12 posts started none:"), "{}", look.message);
        assert!(
            look.message.contains(
                "1. [This post](http://chat/ops/pl/p0) by nagios: `disk full on 'web0' @\u{200b}all`"
            ),
            "{}",
            look.message
        );
        assert!(look.message.ends_with("… and 2 more."), "{}", look.message);
        let labels: Vec<_> = look.sections[0].controls.iter().map(|control| control.label.as_str()).collect();
        assert_eq!((labels.len(), labels[0], labels[9]), (10, "Start 1", "Start 10"));
    }

    #[test]
    fn as_one_is_started_the_next_moves_up() {
        let mut flood = flood(11);
        flood.started(0, &Person { id: "j".into(), username: "jon".into() }, 7);
        let look = flood.look(&Key::new([1; 32]), "f");
        assert!(look.message.contains("was started as **disk 7** by @jon."), "{}", look.message);
        let labels: Vec<_> = look.sections[0].controls.iter().map(|control| control.label.as_str()).collect();
        assert_eq!((labels[0], labels[9]), ("Start 2", "Start 11"));
    }

    #[test]
    fn a_post_is_held_once_and_a_flood_has_a_bound() {
        let mut flood = flood(POSTS_MAX + 3);
        assert!(!flood.add(&post(1), 6));
        assert_eq!((flood.posts.len(), flood.more), (POSTS_MAX, 3));
        let bytes = serde_json::to_vec(&flood).unwrap().len();
        assert!(bytes < 500 * 1024, "{bytes}: a document of the journal takes 1 MiB");
    }
}
