//! Keeps the run's posts in the chat as they are to look.
//!
//! A post with controls, or of the host itself, is a projection of the run: what it is to look like follows from the journal.
//! One task per run compares that with what the server is known to show, and rewrites what differs, one post at a time, until
//! the server shows the latest.
//!
//! Who presses a control is answered with the new look, which the server then writes by itself, some time later. Of two
//! answers the older one can be written last. So after an answer the post is looked at once more when it must have settled.

use crate::chat::{ChatError, ChatErrorKind, RenderedPost};
use crate::core::Core;
use crate::ledger::{Ledger, LedgerError};
use crate::patience::is_outage;
use crate::rendering;
use crate::runner::Runner;
use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use warroom_engine::{Announcement, ControlPost, Fact, Matter, Run};

/// How long after an answer the server has surely written what it said, in milliseconds.
const SETTLING_MS: u64 = 1_500;

/// What the chat server is known to show of one run's posts.
pub(crate) struct Canvas {
    shown: Mutex<BTreeMap<String, Shown>>,
    /// Held while posts are compared and rewritten.
    brush: tokio::sync::Mutex<()>,
    /// Whether it is noted that the posts are to be brought to their last look.
    noted: AtomicBool,
}

/// What the server is known to show of a post.
#[derive(Clone, Copy)]
enum Shown {
    /// This look.
    Look(u64),
    /// Nobody knows before this time: an answer is under way.
    Unsettled(u64),
    /// It cannot be rewritten; not tried again before it is to look otherwise than this.
    Fixed(u64),
}

/// A post that is to be kept up to date.
pub(crate) struct Painted {
    pub(crate) key: String,
    pub(crate) post_id: String,
    channel_id: String,
}

impl Canvas {
    /// The canvas of a run that is taken up. What can change may have changed unseen, or was not shown when the last process ended;
    /// the posts of steps that were left were brought to their last look before the run went on.
    pub(crate) fn of(run: &Run) -> Canvas {
        let is_doubtful = |post: &&ControlPost| run.is_live(post) || run.has_ended();
        let posts = run.posts.iter().filter(is_doubtful).map(|post| post.key.clone());
        let told = (0..).zip(&run.announcements).filter(|(_, known)| changes(known));
        let unsettled = posts.chain(told.map(|(n, _)| run.announcement_key(n)));
        let shown = unsettled.map(|key| (key, Shown::Unsettled(0))).collect();
        Canvas {
            shown: Mutex::new(shown),
            brush: tokio::sync::Mutex::default(),
            noted: AtomicBool::new(false),
        }
    }

    /// Whether it is noted that the posts are to be brought to their last look.
    pub(crate) fn is_noted(&self) -> bool {
        self.noted.load(Ordering::Relaxed)
    }

    pub(crate) fn note(&self) {
        self.noted.store(true, Ordering::Relaxed);
    }

    fn shown(&self) -> MutexGuard<'_, BTreeMap<String, Shown>> {
        self.shown.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The server has written the post so.
    pub(crate) fn written(&self, key: &str, look: &RenderedPost) {
        self.shown().insert(key.to_owned(), Shown::Look(fingerprint(look)));
    }

    /// What could not be rewritten may be tried again: who may write where has changed.
    pub(crate) fn forget_fixed(&self) {
        for shown in self.shown().values_mut() {
            if matches!(shown, Shown::Fixed(_)) {
                *shown = Shown::Unsettled(0);
            }
        }
    }

    /// These posts may be gone, and are to be looked at. Whether there are any that were thought to be there.
    pub(crate) fn doubt(&self, run: &Run, is_doubtful: impl Fn(&Painted) -> bool) -> bool {
        let mut is_hit = false;
        for post in posts(run).into_iter().filter(is_doubtful) {
            if let Some(shown @ Shown::Look(_)) = self.shown().get_mut(&post.key) {
                (*shown, is_hit) = (Shown::Unsettled(0), true);
            }
        }
        is_hit
    }

    /// An answer that shows the post is about to be given.
    pub(crate) fn answered(&self, key: &str, now_ms: u64) {
        self.shown().insert(key.to_owned(), Shown::Unsettled(now_ms.saturating_add(SETTLING_MS)));
    }
}

impl Runner {
    /// A post was deleted. If people decide in it, another one takes its place.
    pub fn post_deleted(&self, post_id: &str) {
        self.doubt(|id| id == post_id);
    }

    /// Posts may have been deleted unseen: all are looked at in which people decide now.
    pub fn posts_may_be_gone(&self) {
        self.doubt(|_| true);
    }

    fn doubt(&self, is_doubtful: impl Fn(&str) -> bool) {
        for ledger in self.ledgers(|_| true) {
            let run = ledger.run();
            let decides = |key: &str| match (run.post(key), run.announcement(key)) {
                (Some(post), _) => run.is_live(post),
                (None, Some((_, known))) => changes(known) && !run.has_ended(),
                (None, None) => false,
            };
            let is_hit = ledger
                .canvas
                .doubt(&run, |post| is_doubtful(&post.post_id) && decides(run.stands_for(&post.key)));
            if is_hit {
                ledger.written.send_modify(|_| {});
            }
        }
    }
}

/// Whether what it says changes with the run.
pub(crate) fn changes(known: &Announcement) -> bool {
    !matches!(known.matter, Matter::Warning { .. } | Matter::Pressed { .. })
}

fn fingerprint(look: &RenderedPost) -> u64 {
    let mut hasher = DefaultHasher::new();
    look.hash(&mut hasher);
    hasher.finish()
}

/// The run's posts that can be rewritten.
fn posts(run: &Run) -> Vec<Painted> {
    let controls = run.posts.iter().map(|post| Painted {
        key: post.key.clone(),
        post_id: post.post_id.clone(),
        channel_id: post.channel_id.clone(),
    });
    let announced = (0..).zip(&run.announcements).filter_map(|(n, known)| {
        let place = known.place.as_ref()?;
        Some(Painted {
            key: run.announcement_key(n),
            post_id: place.post_id.clone()?,
            channel_id: place.channel_id.clone(),
        })
    });
    let can_be_seen = |post: &Painted| run.can_post_to(&post.channel_id) && !run.deleted.contains(&post.key);
    controls.chain(announced).filter(can_be_seen).collect()
}

/// For how long the posts of a run that is over are tried to be brought to their last look, in milliseconds.
const LAST_LOOK_MAX_MS: u64 = 24 * 3_600 * 1_000;

/// Keeps the posts up to date until the run is over and everything has settled or was tried for long enough, or the host stops.
pub(crate) async fn keep(core: &Core, ledger: &Arc<Ledger>) {
    let mut changed = ledger.written.subscribe();
    let mut failures = 0;
    let mut end_ms = None;
    loop {
        changed.mark_unchanged();
        let painting = paint(core, ledger).await;
        let now_ms = core.clock.now_ms();
        if painting.is_last && now_ms > *end_ms.get_or_insert(now_ms.saturating_add(LAST_LOOK_MAX_MS)) {
            return;
        }
        let again_ms = match painting.problem {
            None => {
                failures = 0;
                painting.again_ms
            }
            Some(problem) => {
                failures += 1;
                tracing::warn!(run = %ledger.id, "posts cannot be brought up to date yet: {problem}");
                let wait_ms =
                    core.options.wait_ms(failures, &ledger.id).max(problem.retry_after_ms.unwrap_or(0));
                let retry_ms = core.clock.now_ms().saturating_add(wait_ms);
                Some(painting.again_ms.map_or(retry_ms, |again_ms| again_ms.min(retry_ms)))
            }
        };
        match again_ms {
            None if painting.is_last => return,
            None => {
                if changed.changed().await.is_err() {
                    return;
                }
            }
            Some(at_ms) => tokio::select! {
                () = core.clock.sleep_until(at_ms) => {}
                _ = changed.changed() => {}
            },
        }
    }
}

/// What came of bringing the posts up to date.
struct Painting {
    /// When to look again, in milliseconds since 1970.
    again_ms: Option<u64>,
    /// The first post that could not be brought up to date now, and why.
    problem: Option<ChatError>,
    /// Whether the run that was painted was over, and nothing will change it: one that ended meanwhile still has to be shown.
    is_last: bool,
}

/// Why a post was not brought up to date now.
#[derive(Debug, thiserror::Error)]
pub(crate) enum PaintError {
    #[error(transparent)]
    Chat(#[from] ChatError),
    #[error(transparent)]
    Ledger(#[from] LedgerError),
}

/// Rewrites every post that is to look otherwise. A post that cannot be rewritten now keeps none of the others from it, unless
/// nobody answers at all.
async fn paint(core: &Core, ledger: &Arc<Ledger>) -> Painting {
    let _brush = ledger.canvas.brush.lock().await;
    let run = ledger.run();
    let mut painting = Painting { again_ms: None, problem: None, is_last: run.has_settled() };
    for post in posts(&run) {
        let Some(look) = rendering::look(core, ledger, &run, &post.key) else { continue };
        let fingerprint = fingerprint(&look);
        let shown = ledger.canvas.shown().get(&post.key).copied();
        let rewritten = match shown {
            Some(Shown::Look(shown) | Shown::Fixed(shown)) if shown == fingerprint => Ok(()),
            Some(Shown::Unsettled(until_ms)) if until_ms > core.clock.now_ms() => {
                painting.again_ms =
                    Some(painting.again_ms.map_or(until_ms, |again_ms| again_ms.min(until_ms)));
                Ok(())
            }
            // It was brought to its last look before the run went on.
            None => {
                ledger.canvas.written(&post.key, &look);
                Ok(())
            }
            Some(shown) => rewrite(core, ledger, &post, &look, matches!(shown, Shown::Unsettled(_))).await,
        };
        let rewritten = rewritten.map_err(|error| match error {
            PaintError::Chat(error) => error,
            PaintError::Ledger(error) => ChatError::passing(error),
        });
        if let Err(error) = rewritten {
            let is_of_all =
                error.kind == ChatErrorKind::RateLimited || is_outage(core.chat.as_ref(), &error).await;
            painting.problem.get_or_insert(error);
            if is_of_all {
                break;
            }
        }
    }
    painting
}

/// Rewrites one post now, whatever the server shows.
pub(crate) async fn paint_now(core: &Core, ledger: &Ledger, key: &str) -> Result<(), PaintError> {
    let _brush = ledger.canvas.brush.lock().await;
    let run = ledger.run();
    let Some(post) = posts(&run).into_iter().find(|post| post.key == key) else { return Ok(()) };
    let Some(look) = rendering::look(core, ledger, &run, key) else { return Ok(()) };
    let unsettled = matches!(ledger.canvas.shown().get(key), Some(Shown::Unsettled(until)) if *until > 0);
    rewrite(core, ledger, &post, &look, false).await?;
    if unsettled {
        // The answer that is under way can still be written over this.
        ledger.canvas.answered(key, core.clock.now_ms());
    }
    Ok(())
}

async fn rewrite(
    core: &Core,
    ledger: &Ledger,
    post: &Painted,
    look: &RenderedPost,
    look_first: bool,
) -> Result<(), PaintError> {
    let stamp = core.key.stamp(&post.key);
    let written = async {
        if look_first && core.chat.shows_post(&post.post_id, &stamp, look).await? {
            return Ok(());
        }
        core.chat.update_post(&post.post_id, &stamp, look).await
    };
    let shown = match written.await {
        Ok(()) => Shown::Look(fingerprint(look)),
        Err(error) if error.is_temporary() => return Err(error.into()),
        // Without it nobody could decide any more.
        Err(error) if error.kind == ChatErrorKind::NotFound && look.has_controls() => {
            tracing::warn!(run = %ledger.id, post = %post.post_id, "a post in which people decide was deleted");
            ledger.append(vec![Fact::PostDeleted { post: post.key.clone() }], Vec::new()).await?;
            Shown::Fixed(fingerprint(look))
        }
        Err(error) => {
            tracing::warn!(run = %ledger.id, post = %post.post_id, "a post stays as it is: {error}");
            Shown::Fixed(fingerprint(look))
        }
    };
    ledger.canvas.shown().insert(post.key.clone(), shown);
    Ok(())
}
