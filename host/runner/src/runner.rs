//! The runner: starts runs from posts, takes people's clicks, resumes what was open.

use crate::announcements;
use crate::archive::Archive;
use crate::canvas;
use crate::chat::Chat;
use crate::clock::Clock;
use crate::components::Components;
use crate::controls::Key;
use crate::core::{Core, OpenRun};
use crate::drive::{Abandoned, drive};
use crate::held::{self, Floods, Reason};
use crate::incoming::IncomingPost;
use crate::journal::{Journal, JournalError, Limit, NewRun, StartOutcome, encode};
use crate::last_looks;
use crate::ledger::{Ledger, LedgerError, read};
use crate::members::Members;
use crate::options::Options;
use crate::repeats::{self, Folding};
use crate::rooms::RecentLosses;
use crate::workflows::{InForce, Workflows, kept};
use futures_util::FutureExt as _;
use serde_json::json;
use std::collections::BTreeMap;
use std::panic::AssertUnwindSafe;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use tokio::sync::{Notify, Semaphore};
use tracing::Instrument as _;
use warroom_engine::{Event, Fact, Repeat, Run, Status, Trigger, trigger_data};
use warroom_sandbox::Occupancy;
use warroom_workflow::{Match, StartLimit, Workflow, render};

/// A run that a post started.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Started {
    /// Its id.
    pub run_id: String,
    /// The workflow.
    pub workflow: String,
    /// The incident's number.
    pub number: u64,
}

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
            RunnerError::Ledger(LedgerError::Lost | LedgerError::Workflow(_)) => true,
            RunnerError::Ledger(LedgerError::NotARun(_)) | RunnerError::Refused(_) => false,
        }
    }
}

/// What became of a post that a workflow listens to.
pub(crate) enum Outcome {
    /// It started a run.
    Started(Started),
    /// It started that run before, or was folded into it.
    Known(String),
    /// It was folded into an open run.
    Folded,
    /// As many runs started as are allowed.
    Limited(StartLimit),
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
                telling: Arc::new(Semaphore::new(TOLD_AT_ONCE_MAX)),
                answering: Notify::new(),
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
                    if ledger.run().announcements.iter().any(|known| known.failed) {
                        ledger.append(vec![Fact::AnnouncementsRenewed], Vec::new()).await?;
                    }
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

    async fn open_ledger(&self, id: &str) -> Result<Arc<Ledger>, String> {
        let core = &self.core;
        let run = read(core.journal.as_ref(), id).await.map_err(|error| error.to_string())?;
        let workflow = kept(core.journal.as_ref(), &core.components, &run).await?;
        Ok(Arc::new(Ledger::new(run, workflow, core)))
    }

    /// Spawns the task that drives the run.
    fn take_up(&self, ledger: Arc<Ledger>) {
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
                    announcements::tell_stuck(&core, &driven.id, Abandoned::REASON);
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

    /// Whether the post would start anything, or be folded into an open run.
    #[must_use]
    pub fn is_of_interest(&self, post: &IncomingPost) -> bool {
        !self.core.workflows.matches(&post.message()).is_empty() && !self.is_room(&post.channel.id)
    }

    /// Starts a run of every workflow that the post triggers and has not triggered before. A match whose key an open run has is
    /// folded into that run; one above the workflow's `start_limit`, or while too many runs are open, is held back, and people are
    /// told and can start it. A post in the room of an open run triggers nothing: there people talk about the incident.
    ///
    /// # Errors
    /// When the journal fails. What started before that stays started; offering the post again starts the rest.
    pub async fn on_post(&self, post: &IncomingPost) -> Result<Vec<Started>, RunnerError> {
        self.take(post, false).await
    }

    /// See [`Runner::on_post`]; a post that was missed may have been held back before.
    async fn take(&self, post: &IncomingPost, was_missed: bool) -> Result<Vec<Started>, RunnerError> {
        let (mut started, mut refused) = (Vec::new(), Vec::new());
        let matches = self.core.workflows.matches(&post.message());
        if matches.is_empty() || self.is_room(&post.channel.id) {
            return Ok(started);
        }
        for (in_force, found) in matches {
            if was_missed && held::has(&self.core, &in_force.workflow.name, post).await {
                continue;
            }
            if let Some(observer) = &self.core.options.observer {
                observer.matched(&in_force.workflow.name);
            }
            let (limit, full) = self.limit(&in_force.workflow);
            let outcome = match self.start(post, &in_force, &found, Some(limit)).await {
                Err(error) if !error.may_pass() => {
                    refused.push(format!(
                        "the workflow `{}` cannot take it in: {error}",
                        in_force.workflow.name
                    ));
                    continue;
                }
                outcome => outcome?,
            };
            match outcome {
                Outcome::Started(run) => started.push(run),
                Outcome::Limited(StartLimit { starts, minutes }) => {
                    let reason = full.unwrap_or(Reason::StartLimit { starts, minutes });
                    self.hold(post, &in_force.workflow, reason).await?;
                }
                Outcome::Known(_) | Outcome::Folded => {}
            }
        }
        // One of them keeps no other from starting.
        if refused.is_empty() { Ok(started) } else { Err(RunnerError::Refused(refused.join("; "))) }
    }

    /// How many runs of the workflow may start, and why none, when as many are open as the configuration allows: then repeats
    /// are still folded.
    fn limit(&self, workflow: &Workflow) -> (StartLimit, Option<Reason>) {
        let open = self.core.open().len();
        if open < self.core.options.open_runs_max {
            return (workflow.start_limit, None);
        }
        (StartLimit { starts: 0, ..workflow.start_limit }, Some(Reason::TooManyOpen { open }))
    }

    /// Takes a post that was found late, after nobody listened for a time. One that is young enough is taken as by
    /// [`Runner::on_post`]; an older one starts nothing: it is held back, and people are told and can start it.
    ///
    /// # Errors
    /// As [`Runner::on_post`].
    pub async fn on_missed_post(&self, post: &IncomingPost) -> Result<Vec<Started>, RunnerError> {
        let age_max_ms = self.core.options.catch_up_age_max_ms;
        if self.core.clock.now_ms().saturating_sub(post.created_ms) <= age_max_ms {
            return self.take(post, true).await;
        }
        for (in_force, _) in self.core.workflows.matches(&post.message()) {
            let name = in_force.workflow.name.as_str();
            let is_known = self.core.journal.has_taken(name, &post.post_id).await?
                || held::has(&self.core, name, post).await;
            if !is_known && !self.is_room(&post.channel.id) {
                self.hold(post, &in_force.workflow, Reason::TooOld { minutes: age_max_ms / 60_000 }).await?;
            }
        }
        Ok(Vec::new())
    }

    async fn hold(
        &self,
        post: &IncomingPost,
        workflow: &Workflow,
        reason: Reason,
    ) -> Result<(), RunnerError> {
        Ok(held::hold(&self.core, &workflow.name, post, reason).await?)
    }

    /// Whether an open run made the channel.
    fn is_room(&self, channel_id: &str) -> bool {
        self.core.open().values().any(|open| open.ledger.made(channel_id))
    }

    /// Starts a run, unless the post did so before, an open run has its key, or the limit is reached.
    pub(crate) async fn start(
        &self,
        post: &IncomingPost,
        in_force: &InForce,
        found: &Match,
        limit: Option<StartLimit>,
    ) -> Result<Outcome, RunnerError> {
        let core = &self.core;
        let workflow = &in_force.workflow;
        let trigger = post.trigger(found);
        let key = key(workflow, &trigger);
        if !in_force.is_stored.load(Ordering::Relaxed) {
            core.journal.put_blob(&in_force.file_digest, in_force.file_text.as_bytes().to_vec()).await?;
            in_force.is_stored.store(true, Ordering::Relaxed);
        }
        let mut replaces = None;
        for fold in 0..=FOLDS_MAX {
            // The last try takes no key, whoever has it by then.
            let key = key.clone().filter(|_| fold < FOLDS_MAX);
            let (new, first) = self.new_run(post, in_force, &trigger, limit);
            let new = NewRun { key, replaces: replaces.take(), ..new };
            // The number is known only inside the transaction; the event is made there, and once more for the fold.
            let encoded = {
                let first = first.clone();
                move |number| encode(&first(number)).into_iter().collect()
            };
            match core.journal.start_run(new, Box::new(encoded)).await? {
                StartOutcome::AlreadyStarted(run_id) => {
                    self.take_up_if_idle(&run_id).await?;
                    return Ok(Outcome::Known(run_id));
                }
                StartOutcome::Limited => return Ok(Outcome::Limited(workflow.start_limit)),
                StartOutcome::Keyed(run_id) => {
                    let repeat = Repeat {
                        post_id: post.post_id.clone(),
                        user: post.user.clone(),
                        permalink: post.permalink.clone(),
                    };
                    match repeats::fold(core, &run_id, repeat).await? {
                        Folding::Folded => return Ok(Outcome::Folded),
                        // What has ended may keep its key while something is to be told.
                        Folding::KeyIsFree => replaces = Some(run_id),
                    }
                }
                StartOutcome::Started(number) => {
                    let run = Run::start(&first(number)).map_err(LedgerError::from)?;
                    return Ok(Outcome::Started(self.begin(run, Arc::clone(workflow))));
                }
            }
        }
        // No run without a key is folded; the journal says otherwise.
        tracing::warn!(workflow = %workflow.name, post = %post.permalink, "a repeat could not be folded into any run");
        Ok(Outcome::Folded)
    }

    /// A run that is to be started, and its first event once its number is known.
    fn new_run(
        &self,
        post: &IncomingPost,
        in_force: &InForce,
        trigger: &Trigger,
        limit: Option<StartLimit>,
    ) -> (NewRun, impl FnOnce(u64) -> Event + Clone + Send + use<>) {
        let workflow = &in_force.workflow;
        let run_id = uuid::Uuid::now_v7().simple().to_string();
        let at_ms = self.core.clock.now_ms();
        let limit = limit
            .map(|limit| Limit { starts_max: limit.starts, period_ms: u64::from(limit.minutes) * 60_000 });
        let new = NewRun {
            run_id: run_id.clone(),
            workflow: workflow.name.to_string(),
            post_id: post.post_id.clone(),
            number_start: workflow.instance_number_start,
            at_ms,
            key: None,
            replaces: None,
            limit,
        };
        let components = self.core.components.pin(workflow);
        let (run, workflow) = (run_id, workflow.name.to_string());
        let (workflow_digest, trigger) = (in_force.file_digest.clone(), trigger.clone());
        let first = move |number| Event {
            at_ms,
            fact: Fact::RunStarted { run, workflow, workflow_digest, components, number, trigger },
        };
        (new, first)
    }

    /// Takes up a run that was started before, if it is open and nobody drives it: whoever started it may not have lived to do so, or
    /// was told that the journal failed when it did not.
    async fn take_up_if_idle(&self, id: &str) -> Result<(), RunnerError> {
        let core = &self.core;
        let _alone = core.taking_up.lock().await;
        if core.ledger(id).is_some()
            || core.is_stuck(id)
            || !core.journal.open_runs().await?.contains(&id.to_owned())
        {
            return Ok(());
        }
        match self.open_ledger(id).await {
            Ok(ledger) => {
                tracing::warn!(run = %id, "a run that was journalled and not driven is taken up");
                self.take_up(ledger);
            }
            Err(reason) => self.give_up(id, &reason),
        }
        Ok(())
    }

    /// Nobody can drive the run.
    fn give_up(&self, id: &str, reason: &str) {
        self.core.note_stuck(id, Some(reason));
        announcements::tell_stuck(&self.core, id, reason);
    }

    /// Drives a run that is journalled.
    fn begin(&self, run: Run, workflow: Arc<Workflow>) -> Started {
        let core = &self.core;
        let started = Started { run_id: run.id.clone(), workflow: run.workflow.clone(), number: run.number };
        tracing::info!(run = %run.id, workflow = %run.workflow, number = run.number, "run started");
        let ledger = Ledger::new(run, workflow, core);
        self.take_up(Arc::new(ledger));
        started
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
    /// matter, which is told once as far as the server lets us find the post again. What is tried for as long as an action is, or comes
    /// when too much waits to be told, is only logged.
    pub fn tell_operators(&self, about: &str, text: &str) {
        let Ok(place) = Arc::clone(&self.core.telling).try_acquire_owned() else {
            tracing::error!(
                "operators cannot be told, since {TOLD_AT_ONCE_MAX} matters wait already: {text}"
            );
            return;
        };
        let (core, about, text) = (Arc::clone(&self.core), about.to_owned(), text.to_owned());
        tokio::spawn(async move {
            announcements::tell_operators(&core, &about, &text).await;
            drop(place);
        });
    }

    /// The workflow files changed: what people can do about a blocked run may have changed with them.
    pub fn workflows_changed(&self) {
        for run in self.core.open().values() {
            run.ledger.written.send_modify(|_| {});
        }
    }
}

/// How many matters wait to be told to the operators while the server does not take them.
const TOLD_AT_ONCE_MAX: usize = 64;

/// How many runs a repeat is offered to: each may end just as it comes, and then the key is free.
const FOLDS_MAX: u32 = 3;

/// The key of a match, rendered over its trigger; none when the trigger has none, or it comes out blank. One that cannot be
/// rendered folds nothing: an incident too many is better than one too few.
fn key(workflow: &Workflow, trigger: &Trigger) -> Option<String> {
    let written = workflow.triggers.iter().find(|known| known.name == trigger.name)?;
    match render(written.key.as_deref()?, &json!({ "Trigger": trigger_data(trigger) })) {
        Ok(key) => Some(key.trim().to_owned()).filter(|key| !key.is_empty()),
        Err(error) => {
            tracing::warn!(workflow = %workflow.name, post = %trigger.permalink, "the trigger's `key` folds nothing: {error}");
            None
        }
    }
}
