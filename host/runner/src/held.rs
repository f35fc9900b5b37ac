//! Posts that would have started an incident and did not: more came than `start_limit` allows, or they came while nobody
//! listened and are old. They are written down, listed in one post for each flood, and a person can start any of them there. A flood is of
//! one workflow and one channel: who reads the list there may read its posts.

use crate::chat::{ControlKind, RenderedControl, RenderedPost, Section};
use crate::controls::{Control, Key};
use crate::core::Core;
use crate::incoming::IncomingPost;
use crate::journal::JournalError;
use crate::mentions;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use warroom_engine::Person;

mod notice;

use notice::tell;

/// The kind of the documents that floods are kept in.
const KIND: &str = "held";
/// What stands in place of a run's id in the controls of a flood.
pub(crate) const RUN: &str = "held";
/// How many posts one list has; what comes then begins another one, with a notice of its own.
const POSTS_MAX: usize = 500;
/// How many lists one flood has; what comes then is counted, and cannot be started.
const LISTS_MAX: u32 = 20;
/// How many of the posts that are only counted are known by their ids, so that each counts once.
const COUNTED_MAX: usize = 10_000;
/// How many of them the notice lists, with a button each; as some are started, the next ones move up.
const LISTED_MAX: usize = 10;
/// How much of a post is shown, in characters.
const EXCERPT_CHARS_MAX: usize = 80;
/// A flood with nothing new for so long is over; what comes then gets a notice of its own.
const FLOOD_PAUSE_MS: u64 = 10 * 60 * 1_000;
/// How long a flood is kept after its last post, in milliseconds: its buttons live as long.
const KEPT_MS: u64 = 30 * 24 * 3_600 * 1_000;
/// How many lists are kept: the newest ones.
const FLOODS_MAX: u32 = 1_000;
/// How many of the others are forgotten as a new one begins.
const FORGOTTEN_AT_ONCE: u32 = 10;
/// How long it is known of a flood with nothing new which posts it holds back, in milliseconds.
const KNOWN_MS: u64 = 24 * 3_600 * 1_000;

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

impl Reason {
    /// Whether posts are held back together for the two.
    fn is_like(self, other: Reason) -> bool {
        let are_open = |reason| matches!(reason, Reason::TooManyOpen { .. });
        self == other || are_open(self) && are_open(other)
    }
}

/// Posts that were held back together.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Flood {
    pub(crate) workflow: String,
    reason: Reason,
    pub(crate) channel_id: String,
    /// Which list of its flood it is, from 0.
    #[serde(default)]
    list: u32,
    pub(crate) posts: Vec<HeldPost>,
    /// How many more there were, that are only counted.
    more: u64,
    first_ms: u64,
    last_ms: u64,
    /// The notice, once it is written.
    pub(crate) notice: Option<String>,
    /// How many notices before that were deleted by somebody.
    #[serde(default)]
    deleted: u32,
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
    /// The newest list of each workflow and channel. Locked while a list is read, changed and written.
    newest: tokio::sync::Mutex<BTreeMap<(String, String), Newest>>,
    /// The floods whose notice a task writes, and whether there is more to tell.
    telling: Mutex<BTreeMap<String, bool>>,
    /// The floods whose notice was given up for now.
    untold: Mutex<BTreeSet<String>>,
}

/// The newest list of a workflow and a channel.
#[derive(Default)]
struct Newest {
    /// Its id.
    id: String,
    /// When it held something back last, in milliseconds since 1970.
    last_ms: u64,
    /// The ids of the posts that its flood holds back, in this list or an earlier one.
    posts: BTreeSet<String>,
}

impl Floods {
    fn telling(&self) -> MutexGuard<'_, BTreeMap<String, bool>> {
        self.telling.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn untold(&self) -> MutexGuard<'_, BTreeSet<String>> {
        self.untold.lock().unwrap_or_else(PoisonError::into_inner)
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
    let mut all = core.floods.newest.lock().await;
    let newest = all.entry((workflow.to_owned(), post.channel.id.clone())).or_default();
    let known = readable(core, &newest.id).await?.filter(|(_, flood)| {
        flood.reason.is_like(reason) && now_ms.saturating_sub(flood.last_ms) < FLOOD_PAUSE_MS
    });
    let goes_on = known.is_some();
    if goes_on && newest.posts.contains(&post.post_id) {
        return Ok(());
    }
    let list = known.as_ref().map_or(0, |(_, flood)| flood.list + u32::from(flood.is_full()));
    let (id, (revision, mut flood)) = match known.filter(|(_, flood)| !flood.is_full()) {
        Some(known) => (newest.id.clone(), known),
        None => {
            let id = uuid::Uuid::now_v7().simple().to_string();
            (id, (0, Flood::new(workflow, &post.channel.id, list, reason, now_ms)))
        }
    };
    flood.add(post, now_ms);
    flood.reason = reason;
    write(core, &id, revision, &flood).await?;
    let is_new = newest.id != id;
    newest.id.clone_from(&id);
    newest.last_ms = now_ms;
    if !goes_on {
        newest.posts.clear();
    }
    if newest.posts.len() < LISTS_MAX as usize * POSTS_MAX + COUNTED_MAX {
        newest.posts.insert(post.post_id.clone());
    }
    tell(core, id);
    if is_new {
        all.retain(|_, newest| now_ms.saturating_sub(newest.last_ms) <= KNOWN_MS);
        forget_oldest(core, now_ms).await;
    }
    Ok(())
}

/// Forgets the lists that are too many, and the oldest one once its time is over. One that stays for now goes another time.
async fn forget_oldest(core: &Core, now_ms: u64) {
    let forgotten = async {
        let ids = core.journal.document_ids(KIND, FLOODS_MAX + FORGOTTEN_AT_ONCE).await?;
        for id in ids.iter().skip(FLOODS_MAX as usize) {
            core.journal.delete_document(KIND, id).await?;
        }
        let Some(oldest) = ids.iter().take(FLOODS_MAX as usize).next_back() else { return Ok(()) };
        let is_over = |flood: &Flood| now_ms.saturating_sub(flood.last_ms) > KEPT_MS;
        if readable(core, oldest).await?.is_some_and(|(_, flood)| is_over(&flood)) {
            core.journal.delete_document(KIND, oldest).await?;
        }
        Ok::<_, JournalError>(())
    };
    if let Err(error) = forgotten.await {
        tracing::warn!("old lists of held posts stay for now: {error}");
    }
}

/// Whether the post is among those of its channel that were held back last for the workflow.
pub(crate) async fn has(core: &Core, workflow: &str, post: &IncomingPost) -> bool {
    let newest = core.floods.newest.lock().await;
    let place = (workflow.to_owned(), post.channel.id.clone());
    newest.get(&place).is_some_and(|newest| newest.posts.contains(&post.post_id))
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

/// Has the notices written that were given up: who may write where changes.
pub(crate) fn renew(core: &Arc<Core>) {
    for id in std::mem::take(&mut *core.floods.untold()) {
        tell(core, id);
    }
}

/// Takes up the floods of earlier processes, and forgets the old ones.
pub(crate) async fn resume(core: &Arc<Core>) -> Result<(), JournalError> {
    let now_ms = core.clock.now_ms();
    let mut newest = core.floods.newest.lock().await;
    // The newest ones come first, and are to be known in the end.
    for id in core.journal.document_ids(KIND, FLOODS_MAX).await?.into_iter().rev() {
        let Some((_, flood)) = readable(core, &id).await? else { continue };
        if now_ms.saturating_sub(flood.last_ms) > KEPT_MS {
            core.journal.delete_document(KIND, &id).await?;
            continue;
        }
        if flood.told != flood.changes {
            tell(core, id.clone());
        }
        // The ids begin with the time of their making, so the last one is the newest.
        let newest = newest.entry((flood.workflow, flood.channel_id)).or_default();
        if flood.list == 0 {
            newest.posts.clear();
        }
        newest.posts.extend(flood.posts.into_iter().map(|post| post.post_id));
        newest.last_ms = flood.last_ms;
        newest.id = id;
    }
    Ok(())
}

pub(crate) async fn read(core: &Core, id: &str) -> Result<Option<(u64, Flood)>, JournalError> {
    let Some((revision, body)) = core.journal.document(KIND, id).await? else { return Ok(None) };
    let flood = serde_json::from_slice(&body)
        .map_err(|error| JournalError::Unreadable(format!("the held posts {id} cannot be read: {error}")))?;
    Ok(Some((revision, flood)))
}

/// The same; a list that makes no sense holds up nothing: it is left as it is, and not gone on with.
async fn readable(core: &Core, id: &str) -> Result<Option<(u64, Flood)>, JournalError> {
    match read(core, id).await {
        Err(JournalError::Unreadable(reason)) => {
            tracing::error!("{reason}");
            Ok(None)
        }
        known => known,
    }
}

async fn write(core: &Core, id: &str, revision: u64, flood: &Flood) -> Result<(), JournalError> {
    let body = serde_json::to_vec(flood)
        .map_err(|error| JournalError::Refused(format!("cannot encode held posts: {error}")))?;
    core.journal.put_document(KIND, id, revision, body).await
}

impl Flood {
    fn new(workflow: &str, channel_id: &str, list: u32, reason: Reason, now_ms: u64) -> Flood {
        Flood {
            workflow: workflow.to_owned(),
            reason,
            channel_id: channel_id.to_owned(),
            list,
            posts: Vec::new(),
            more: 0,
            first_ms: now_ms,
            last_ms: now_ms,
            notice: None,
            deleted: 0,
            changes: 0,
            told: 0,
        }
    }

    /// The stamp of its notice. Servers give a deleted post back for the stamp that it had, for a while.
    pub(crate) fn stamp(&self, core: &Core, id: &str) -> String {
        match self.deleted {
            0 => core.key.stamp(&notice_key(id)),
            deleted => core.key.stamp(&format!("{}/{deleted}", notice_key(id))),
        }
    }

    /// Whether what comes next begins another list.
    fn is_full(&self) -> bool {
        self.posts.len() >= POSTS_MAX && self.list + 1 < LISTS_MAX
    }

    /// Takes in a post that is new here.
    fn add(&mut self, post: &IncomingPost, now_ms: u64) {
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
    }

    /// Who started a held post, as the notice says it: the first of those who pressed.
    pub(crate) fn started(&mut self, at: usize, by: &Person, number: u64) {
        if let Some(post) = self.posts.get_mut(at) {
            post.started.get_or_insert_with(|| (by.mention(), number));
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
        let rest = open.len().saturating_sub(LISTED_MAX);
        if rest > 0 {
            lines.push(format!("… and {rest} more."));
        }
        if self.more > 0 {
            lines.push(format!("{} of them are only counted: post again what needs an incident.", self.more));
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
        let mut flood = Flood::new("disk", "town", 0, Reason::StartLimit { starts: 10, minutes: 10 }, 0);
        for n in 0..count {
            flood.add(&post(n), 5);
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
    fn the_first_who_starts_a_post_is_named() {
        let mut flood = flood(1);
        for (name, number) in [("jon", 7), ("chris", 8)] {
            flood.started(0, &Person { id: name.into(), username: name.into() }, number);
        }
        assert_eq!(flood.posts[0].started, Some(("@jon".to_owned(), 7)));
    }

    #[test]
    fn posts_are_held_together_however_many_runs_are_open() {
        let open = |open| Reason::TooManyOpen { open };
        assert!(open(5).is_like(open(6)));
        assert!(!open(5).is_like(Reason::TooOld { minutes: 5 }));
        let limit = |starts| Reason::StartLimit { starts, minutes: 1 };
        assert!(limit(5).is_like(limit(5)) && !limit(5).is_like(limit(6)));
    }

    #[test]
    fn a_full_list_is_closed_and_the_last_one_counts_what_comes() {
        let mut full = flood(POSTS_MAX);
        assert!(full.is_full());
        full.list = LISTS_MAX - 1;
        assert!(!full.is_full(), "the last list takes the rest");
        for n in 0..3 {
            full.add(&post(POSTS_MAX + n), 6);
        }
        assert_eq!((full.posts.len(), full.more), (POSTS_MAX, 3));
        let look = full.look(&Key::new([1; 32]), "f");
        assert!(look.message.contains("503 posts started none:"), "{}", look.message);
        assert!(look.message.ends_with("3 of them are only counted: post again what needs an incident."));
        let bytes = serde_json::to_vec(&full).unwrap().len();
        assert!(bytes < 500 * 1024, "{bytes}: a document of the journal takes 1 MiB");
    }
}
