//! The runner: what it is made of, the runs that it drives, and how those that were open are taken up.

use crate::announcements;
use crate::archive::Archive;
use crate::beginning::Beginning;
use crate::canvas;
use crate::chat::Chat;
use crate::clock::Clock;
use crate::components::Components;
use crate::controls::Key;
use crate::core::{Begun, Core, OpenRun, TOLD_AT_ONCE_MAX};
use crate::drive::{Abandoned, drive};
use crate::held::{self, Floods};
use crate::journal::{Journal, JournalError};
use crate::last_looks;
use crate::ledger::{Ledger, LedgerError, read};
use crate::members::Members;
use crate::mentions;
use crate::options::Options;
use crate::rooms::RecentLosses;
use crate::stuck::telling;
use crate::workflows::{Workflows, kept};
use futures_util::FutureExt as _;
use std::collections::BTreeMap;
use std::panic::AssertUnwindSafe;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::Notify;
use tracing::Instrument as _;
use warroom_engine::{Run, Status};
use warroom_sandbox::Occupancy;

/// Why the runner could not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum RunnerError {
    /// A run's journal failed.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// The journal failed.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// What one workflow, or several, would make of a post can never be journalled.
    #[error("{0}")]
    Refused(String),
}

impl RunnerError {
    /// Whether the same may succeed later.
    #[must_use]
    pub fn may_pass(&self) -> bool {
        match self {
            RunnerError::Ledger(LedgerError::Journal(error)) | RunnerError::Journal(error) => {
                !matches!(error, JournalError::Refused(_) | JournalError::Unreadable(_))
            }
            RunnerError::Ledger(LedgerError::Lost | LedgerError::Unstarted | LedgerError::Workflow(_)) => {
                true
            }
            RunnerError::Ledger(LedgerError::NotARun(_)) | RunnerError::Refused(_) => false,
        }
    }
}

/// Starts, drives and resumes runs.
#[derive(Clone)]
pub struct Runner {
    pub(crate) core: Arc<Core>,
}

impl Runner {
    /// A runner over what it is given. Call [`Runner::resume`] before the first post.
    #[must_use]
    pub fn new(
        chat: Arc<dyn Chat>,
        journal: Arc<dyn Journal>,
        clock: Arc<dyn Clock>,
        components: Arc<Components>,
        workflows: Arc<Workflows>,
        key: Key,
        options: Options,
    ) -> Runner {
        let (open, journal_failing) = (Mutex::new(BTreeMap::new()), AtomicBool::new(false));
        Runner {
            core: Arc::new(Core {
                chat,
                journal,
                clock,
                components,
                workflows,
                key,
                options,
                journal_failing,
                members: Members::default(),
                floods: Floods::default(),
                recent_losses: RecentLosses::default(),
                taking_up: tokio::sync::Mutex::default(),
                telling: Mutex::default(),
                tells_no_more: AtomicBool::new(false),
                answering: Notify::new(),
                answers: AtomicU64::default(),
                outwaited: Mutex::default(),
                open,
                showing: Mutex::default(),
                stuck: Mutex::default(),
                unstuck: Notify::new(),
            }),
        }
    }

    /// Takes up every open run where it was. Gives their ids, and those that could not be taken up, with the reason.
    ///
    /// # Errors
    /// When the journal cannot be read at all.
    pub async fn resume(&self) -> Result<(Vec<String>, Vec<(String, String)>), RunnerError> {
        let (mut resumed, mut stuck) = (Vec::new(), Vec::new());
        for id in self.core.journal.open_runs().await? {
            match self.open_ledger(&id).await {
                Ok(ledger) => {
                    // What could be posted nowhere may find its place now.
                    announcements::renew(&ledger).await?;
                    self.take_up(ledger);
                    resumed.push(id);
                }
                Err(reason) => {
                    self.give_up(&id, &reason);
                    stuck.push((id, reason));
                }
            }
        }
        last_looks::resume(&self.core).await?;
        telling::resume(&self.core).await?;
        held::resume(&self.core).await?;
        Ok((resumed, stuck))
    }

    /// Takes up a run anew, from its journal.
    pub(crate) async fn reopen(&self, id: &str) -> Result<(), String> {
        let ledger = self.open_ledger(id).await?;
        if let Some(old) = self.core.open().remove(id) {
            old.driver.abort();
        }
        self.take_up(ledger);
        Ok(())
    }

    pub(crate) async fn open_ledger(&self, id: &str) -> Result<Arc<Ledger>, String> {
        let core = &self.core;
        let run = read(core.journal.as_ref(), id).await.map_err(|error| error.to_string())?;
        let workflow = kept(core.journal.as_ref(), &core.components, &run).await?;
        Ok(Arc::new(Ledger::new(run, workflow, Beginning::journalled(), core)))
    }

    /// Spawns the task that drives the run.
    pub(crate) fn take_up(&self, ledger: Arc<Ledger>) {
        let core = Arc::clone(&self.core);
        self.core.note_stuck(&ledger.id, None);
        // Held until the task is listed, so that a short run cannot end before it is.
        let mut open = self.core.open();
        if open.contains_key(&ledger.id) {
            // Somebody else was faster.
            return;
        }
        let (id, driven) = (ledger.id.clone(), Arc::clone(&ledger));
        // At the level of errors, so that no filter takes it, and with it the fields, out of the lines inside.
        let span = tracing::error_span!("run", workflow = %driven.workflow().name, run = %id);
        let driven_task = async move {
            let driving = async {
                let driving = drive(&core, &driven).await;
                if driving.is_err() {
                    core.note_stuck(&driven.id, Some(Abandoned::REASON));
                    telling::tell(&core, &driven.id, Abandoned::REASON);
                }
                let ended = core.open().remove(&driven.id);
                // What is over may still have posts to rewrite; a stop ends that too.
                core.showing().extend(ended.map(|run| (driven.id.clone(), run.driver)));
                driving
            };
            let keeping = async {
                // A defect there stops no run: its posts stay as they are until the next start.
                if AssertUnwindSafe(canvas::keep(&core, &driven)).catch_unwind().await.is_err() {
                    tracing::error!(
                        "a defect of this program keeps the posts as they are; please report it with the log"
                    );
                    return Ok(());
                }
                last_looks::forget(&core, &driven).await;
                Ok(())
            };
            // What is abandoned is not kept up to date either.
            let _: Result<_, Abandoned> = tokio::try_join!(driving, keeping);
            core.showing().remove(&driven.id);
        };
        let task = tokio::spawn(driven_task.instrument(span));
        open.insert(id, OpenRun { ledger, driver: task.abort_handle() });
    }

    /// Stops driving. What is under way stops where it is; the journal knows how to go on.
    pub fn stop(&self) {
        for run in std::mem::take(&mut *self.core.open()).into_values() {
            run.driver.abort();
        }
        for showing in std::mem::take(&mut *self.core.showing()).into_values() {
            showing.abort();
        }
    }

    /// Whether the last write to the journal failed: then nothing moves until one succeeds.
    #[must_use]
    pub fn is_journal_failing(&self) -> bool {
        self.core.journal_failing.load(Ordering::Relaxed)
    }

    /// The ids of the runs that are open, oldest first.
    #[must_use]
    pub fn open_runs(&self) -> Vec<String> {
        // The ids begin with the time of their making.
        self.core.open().keys().cloned().collect()
    }

    /// Nobody can drive the run.
    pub(crate) fn give_up(&self, id: &str, reason: &str) {
        self.core.note_stuck(id, Some(reason));
        telling::tell(&self.core, id, reason);
    }

    /// A copy of a run as it is, open or ended.
    ///
    /// # Errors
    /// When its journal cannot be read, or there is no such run.
    pub async fn run(&self, id: &str) -> Result<Run, RunnerError> {
        Ok(match self.core.ledger(id) {
            Some(ledger) => Run::clone(ledger.open().await?.run()),
            None => read(self.core.journal.as_ref(), id).await?,
        })
    }

    /// How many of the open runs run, wait for people, and are blocked; those that could not be taken up count as blocked.
    #[must_use]
    pub fn states(&self) -> [usize; 3] {
        let mut states = [0, 0, self.stuck().len()];
        for open in self.core.open().values() {
            let run = open.ledger.run();
            let [running, waiting, blocked] = &mut states;
            let state = match &run.status {
                Status::Blocked { .. } => blocked,
                _ if run.waits() => waiting,
                _ => running,
            };
            *state += 1;
        }
        states
    }

    /// How many actions execute, and how many wait for a place in the sandbox.
    #[must_use]
    pub fn executions(&self) -> Occupancy {
        self.core.components.sandbox.occupancy()
    }

    /// All runs, open and ended, as the journal has them.
    #[must_use]
    pub fn archive(&self) -> Archive {
        Archive::new(Arc::clone(&self.core.journal))
    }

    /// Tells operators what concerns no single run, where they want to be told, as soon as the server takes it; `about` names the
    /// matter, which is told once as far as the server lets us find the post again. What the server refuses is tried for a day; what comes
    /// when too much waits to be told is only logged, which gives false.
    pub fn tell_operators(&self, about: &str, text: &str) -> bool {
        self.tell(None, about, format!(":warning: {}", mentions::quiet(text)))
    }

    /// Tells operators in the same way that something is mended.
    pub fn tell_operators_of_mending(&self, about: &str, text: &str) -> bool {
        self.tell(None, about, format!(":white_check_mark: {}", mentions::quiet(text)))
    }

    /// Whether operators are still being told of this.
    #[must_use]
    pub fn is_telling(&self, about: &str) -> bool {
        let telling = self.core.telling.lock().unwrap_or_else(PoisonError::into_inner);
        telling.contains(&(true, about.to_owned()))
    }

    /// Tells a channel in the same way; where that takes no post of ours, operators.
    pub fn tell_channel(&self, channel_id: &str, about: &str, text: &str) -> bool {
        self.tell(Some(channel_id.to_owned()), about, format!(":warning: {}", mentions::quiet(text)))
    }

    fn tell(&self, channel_id: Option<String>, about: &str, message: String) -> bool {
        let place = match self.core.begin_telling(channel_id.is_none(), about) {
            Begun::Now(place) => place,
            Begun::Before => return true,
            Begun::Never => {
                if !self.core.tells_no_more.swap(true, Ordering::Relaxed) {
                    tracing::error!(
                        "people cannot be told, since {TOLD_AT_ONCE_MAX} matters wait already: {message}"
                    );
                }
                return false;
            }
        };
        self.core.tells_no_more.store(false, Ordering::Relaxed);
        let (core, about) = (Arc::clone(&self.core), about.to_owned());
        let telling = async move {
            announcements::tell(&core, channel_id.as_deref(), &about, &message).await;
            drop(place);
        };
        tokio::spawn(telling.in_current_span());
        true
    }

    /// The workflow files changed: what people can do about a blocked run may have changed with them.
    pub fn workflows_changed(&self) {
        for run in self.core.open().values() {
            run.ledger.written.send_modify(|_| {});
        }
    }
}
