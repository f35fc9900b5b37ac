//! What becomes of a post that a workflow listens to: it starts a run, is folded into one, or is held back.

use crate::beginning::{Ahead, Beginning};
use crate::held::{self, Reason};
use crate::incoming::IncomingPost;
use crate::journal::{Limit, NewRun, StartOutcome, encode};
use crate::ledger::{Ledger, LedgerError};
use crate::repeats::{self, Folding};
use crate::runner::{Runner, RunnerError};
use crate::workflows::InForce;
use serde_json::json;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use tokio::sync::oneshot;
use tracing::Instrument as _;
use warroom_engine::{Event, Fact, Repeat, Run, Trigger, trigger_data};
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

impl Runner {
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
        let key = self.key(workflow, &trigger);
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
            let run_id = new.run_id.clone();
            match self.write_start(new, first, workflow).await? {
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
                    let span = tracing::error_span!("repeat", workflow = %workflow.name);
                    match repeats::fold(core, &run_id, repeat).instrument(span).await? {
                        Folding::Folded => return Ok(Outcome::Folded),
                        // What has ended may keep its key while something is to be told.
                        Folding::KeyIsFree => replaces = Some(run_id),
                    }
                }
                StartOutcome::Started(number) => {
                    let workflow = workflow.name.to_string();
                    tracing::info!(run = %run_id, %workflow, number, "run started");
                    return Ok(Outcome::Started(Started { run_id, workflow, number }));
                }
            }
        }
        // No run without a key is folded; the journal says otherwise.
        tracing::warn!(workflow = %workflow.name, post = %post.permalink, "a repeat could not be folded into any run");
        Ok(Outcome::Folded)
    }

    /// The key of a match, rendered over its trigger; none when the trigger has none, or it comes out blank. One that cannot be
    /// rendered folds nothing: an incident too many is better than one too few.
    fn key(&self, workflow: &Workflow, trigger: &Trigger) -> Option<String> {
        let written = workflow.triggers.iter().find(|known| known.name == trigger.name)?;
        match render(written.key.as_deref()?, &json!({ "Trigger": trigger_data(trigger) })) {
            Ok(key) => Some(key.trim().to_owned()).filter(|key| !key.is_empty()),
            Err(error) => {
                let (name, of) = (&workflow.name, &trigger.name);
                let text = format!(
                    "The `key` of the trigger `{of}` of **{name}** folds nothing, so each match begins an incident of its own: {error}"
                );
                tracing::warn!(workflow = %name, post = %trigger.permalink, "{text}");
                self.tell_operators(&format!("key/{name}/{of}"), &text);
                None
            }
        }
    }

    /// Journals a start. The run is driven from the moment that its number is known.
    async fn write_start(
        &self,
        new: NewRun,
        first: impl FnOnce(u64) -> Event + Send + 'static,
        workflow: &Arc<Workflow>,
    ) -> Result<StartOutcome, RunnerError> {
        let (tell, mut told) = oneshot::channel();
        // The number is known only inside the transaction, and the event is made there.
        let records = move |number| {
            let event = first(number);
            let records = encode(&event).into_iter().collect();
            // Nobody waits for it any more when the caller has given up.
            let _ = tell.send(event);
            records
        };
        let mut writing = self.core.journal.start_run(new, Box::new(records));
        let mut ahead = None;
        let outcome = loop {
            tokio::select! {
                biased;
                Ok(event) = &mut told, if ahead.is_none() => ahead = Some(self.begin(&event, workflow)?),
                outcome = &mut writing => break outcome?,
            }
        };
        // The journal may have been faster than this task.
        if let Ok(event) = told.try_recv() {
            ahead = Some(self.begin(&event, workflow)?);
        }
        if let (StartOutcome::Started(_), Some(ahead)) = (&outcome, ahead) {
            ahead.confirm();
        }
        Ok(outcome)
    }

    /// A run that is to be started, and its first event once its number is known.
    fn new_run(
        &self,
        post: &IncomingPost,
        in_force: &InForce,
        trigger: &Arc<Trigger>,
        limit: Option<StartLimit>,
    ) -> (NewRun, impl FnOnce(u64) -> Event + Send + use<>) {
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
        let (workflow_digest, trigger) = (in_force.file_digest.clone(), Arc::clone(trigger));
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
        let is_driven = match core.ledger(id) {
            Some(ledger) => ledger.beginning.written().await,
            None => false,
        };
        if is_driven || core.is_stuck(id) || !core.journal.open_runs().await?.contains(&id.to_owned()) {
            return Ok(());
        }
        match self.open_ledger(id).await {
            Ok(ledger) => {
                let workflow = ledger.workflow();
                tracing::warn!(run = %id, workflow = %workflow.name, "a run that was journalled and not driven is taken up");
                self.take_up(ledger);
            }
            Err(reason) => self.give_up(id, &reason),
        }
        Ok(())
    }

    /// Drives a run whose start is being written.
    fn begin(&self, first: &Event, workflow: &Arc<Workflow>) -> Result<Ahead<'_>, LedgerError> {
        let run = Run::start(first)?;
        let ledger = Arc::new(Ledger::new(run, Arc::clone(workflow), Beginning::awaited(), &self.core));
        self.take_up(Arc::clone(&ledger));
        Ok(Ahead::new(&self.core, ledger))
    }
}

/// How many runs a repeat is offered to: each may end just as it comes, and then the key is free.
const FOLDS_MAX: u32 = 3;
