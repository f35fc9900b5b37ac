//! The runner: starts runs from posts, takes people's clicks, resumes what was open.

use crate::chat::Chat;
use crate::clock::Clock;
use crate::components::Components;
use crate::controls::{Address, Control, Key, Press, Reply, Unverified};
use crate::core::{Core, OpenRun};
use crate::drive::drive;
use crate::floods::{self, Floods};
use crate::journal::{Journal, JournalError, NewRun, StartOutcome, encode};
use crate::ledger::{Ledger, LedgerError, read};
use crate::notices;
use crate::options::Options;
use crate::rendering;
use crate::repeats;
use crate::workflows::{InForce, Workflows, pinned};
use serde_json::json;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use warroom_engine::{Channel, Event, Fact, Input, Person, Repeat, Run, Trigger, decide, trigger_data};
use warroom_workflow::{Author, Match, Message, Workflow, render};

/// A post of the chat, as the runner sees it. The caller leaves out the bot's own, edits, and the system's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IncomingPost {
    /// Its id.
    pub post_id: String,
    /// Its text.
    pub text: String,
    /// The texts of its attachments, a line each.
    pub attachments: String,
    /// Who posted.
    pub user: Person,
    /// Whether that is a person.
    pub author: Author,
    /// Where.
    pub channel: Channel,
    /// The team's handle.
    pub team_name: String,
    /// An address that a browser can open.
    pub permalink: String,
}

impl IncomingPost {
    /// The post as triggers see it.
    fn message(&self) -> Message<'_> {
        Message {
            text: &self.text,
            attachments: &self.attachments,
            author: self.author,
            team_name: &self.team_name,
            channel_name: &self.channel.name,
            channel_display_name: &self.channel.display_name,
        }
    }
}

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
    /// Too many runs are open.
    #[error("{open} runs are open, and no more are allowed: end some, or raise `[limits] open_runs_max`")]
    TooManyOpen {
        /// How many.
        open: usize,
    },
}

impl RunnerError {
    /// Whether the same may succeed later.
    #[must_use]
    pub fn may_pass(&self) -> bool {
        match self {
            RunnerError::Ledger(LedgerError::Journal(error)) | RunnerError::Journal(error) => {
                !matches!(error, JournalError::Refused(_))
            }
            RunnerError::Ledger(LedgerError::NotARun(_)) | RunnerError::TooManyOpen { .. } => false,
        }
    }
}

/// Starts, drives and resumes runs.
#[derive(Clone)]
pub struct Runner {
    core: Arc<Core>,
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
                floods: Floods::default(),
                open,
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
                    // The notice that could be posted nowhere may find its place now.
                    if ledger.run().await?.notice_failed {
                        ledger.append(vec![Fact::NoticeRenewed], Vec::new()).await?;
                    }
                    self.take_up(ledger);
                    resumed.push(id);
                }
                Err(reason) => {
                    notices::tell_stuck(&self.core, &id, &reason).await;
                    stuck.push((id, reason));
                }
            }
        }
        Ok((resumed, stuck))
    }

    async fn open_ledger(&self, id: &str) -> Result<Arc<Ledger>, String> {
        let core = &self.core;
        let run = read(core.journal.as_ref(), id).await.map_err(|error| error.to_string())?;
        let text = core.journal.blob(&run.workflow_digest).await.map_err(|error| error.to_string())?;
        let text = text.and_then(|bytes| String::from_utf8(bytes).ok());
        let text = text.ok_or_else(|| {
            format!("the text of its workflow, {}, is not in the store", run.workflow_digest)
        })?;
        let workflow = pinned(&core.components, &text, &run.workflow, &run.components).await?;
        Ok(Arc::new(Ledger::new(run, workflow, Arc::clone(&core.journal), Arc::clone(&core.clock))))
    }

    /// Spawns the task that drives the run.
    fn take_up(&self, ledger: Arc<Ledger>) {
        let core = Arc::clone(&self.core);
        // Held until the task is listed, so that a short run cannot end before it is.
        let mut open = self.core.open();
        let (id, driven) = (ledger.id.clone(), Arc::clone(&ledger));
        let task = tokio::spawn(async move {
            let id = driven.id.clone();
            drive(&core, driven).await;
            core.open().remove(&id);
        });
        open.insert(id, OpenRun { ledger, driver: task.abort_handle() });
    }

    /// Stops driving. What is under way stops where it is; the journal knows how to go on.
    pub fn stop(&self) {
        for run in std::mem::take(&mut *self.core.open()).into_values() {
            run.driver.abort();
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

    /// Starts a run of every workflow that the post triggers and has not triggered before. A match whose key an open run has is
    /// folded into that run; one above the workflow's `start_limit` is held back, and people are told. A post in the room of an
    /// open run triggers nothing: there people talk about the incident.
    ///
    /// # Errors
    /// When the journal fails, or too many runs are open. What started before that stays started; offering the post
    /// again starts the rest.
    pub async fn on_post(&self, post: &IncomingPost) -> Result<Vec<Started>, RunnerError> {
        let mut started = Vec::new();
        let matches = self.core.workflows.matches(&post.message());
        if matches.is_empty() || self.is_room(&post.channel.id) {
            return Ok(started);
        }
        for (in_force, found) in matches {
            let open = self.core.open().len();
            if open >= self.core.options.open_runs_max {
                return Err(RunnerError::TooManyOpen { open });
            }
            started.extend(self.start(post, in_force, &found).await?);
        }
        Ok(started)
    }

    /// Whether an open run made the channel.
    fn is_room(&self, channel_id: &str) -> bool {
        self.core.open().values().any(|open| open.ledger.made(channel_id))
    }

    async fn start(
        &self,
        post: &IncomingPost,
        in_force: InForce,
        found: &Match,
    ) -> Result<Option<Started>, RunnerError> {
        let core = &self.core;
        let workflow = in_force.workflow;
        let trigger = trigger(post, found);
        let key = key(&workflow, &trigger);
        core.journal.put_blob(&in_force.file_digest, in_force.file_text.as_bytes().to_vec()).await?;
        for _ in 0..FOLDS_MAX {
            let run_id = uuid::Uuid::now_v7().simple().to_string();
            let at_ms = core.clock.now_ms();
            let new = NewRun {
                run_id: run_id.clone(),
                workflow: workflow.name.to_string(),
                post_id: post.post_id.clone(),
                number_start: workflow.instance_number_start,
                at_ms,
                key: key.clone(),
                starts_max: workflow.start_limit.starts,
                limit_period_ms: u64::from(workflow.start_limit.minutes) * 60_000,
            };
            let components = core.components.pin(&workflow);
            let first = {
                let (run, workflow) = (run_id.clone(), workflow.name.to_string());
                let (workflow_digest, trigger) = (in_force.file_digest.clone(), trigger.clone());
                move |number| Event {
                    at_ms,
                    fact: Fact::RunStarted { run, workflow, workflow_digest, components, number, trigger },
                }
            };
            // The number is known only inside the transaction; the event is made there, and once more for the fold.
            let encoded = {
                let first = first.clone();
                move |number| encode(&first(number)).into_iter().collect()
            };
            match core.journal.start_run(new, Box::new(encoded)).await? {
                StartOutcome::AlreadyStarted(_) => return Ok(None),
                StartOutcome::Limited => {
                    floods::hold_back(core, &workflow, &post.channel.id, &post.permalink);
                    return Ok(None);
                }
                StartOutcome::Keyed(run_id) => {
                    let repeat = Repeat {
                        post_id: post.post_id.clone(),
                        user: post.user.clone(),
                        permalink: post.permalink.clone(),
                    };
                    if repeats::fold(core, &run_id, repeat).await? {
                        return Ok(None);
                    }
                }
                StartOutcome::Started(number) => {
                    let run = Run::start(&first(number)).map_err(LedgerError::from)?;
                    return Ok(Some(self.begin(run, workflow)));
                }
            }
        }
        // It was offered to run after run that ended just then; the next repeat starts one.
        tracing::warn!(workflow = %workflow.name, post = %post.permalink, "a repeat could not be folded into any run");
        Ok(None)
    }

    /// Drives a run that is journalled.
    fn begin(&self, run: Run, workflow: Arc<Workflow>) -> Started {
        let core = &self.core;
        let started = Started { run_id: run.id.clone(), workflow: run.workflow.clone(), number: run.number };
        tracing::info!(run = %run.id, workflow = %run.workflow, number = run.number, "run started");
        let ledger = Ledger::new(run, workflow, Arc::clone(&core.journal), Arc::clone(&core.clock));
        self.take_up(Arc::new(ledger));
        started
    }

    /// A copy of a run as it is, open or ended.
    ///
    /// # Errors
    /// When its journal cannot be read, or there is no such run.
    pub async fn run(&self, id: &str) -> Result<Run, RunnerError> {
        Ok(match self.core.ledger(id) {
            Some(ledger) => ledger.run().await?,
            None => read(self.core.journal.as_ref(), id).await?,
        })
    }

    /// Takes a click or a choice: verifies it, decides what it means, journals that, and gives the answer. What follows
    /// from it is done after the answer, by the task that drives the run.
    ///
    /// # Errors
    /// `Ok(Err(Unverified))` when it was not made by a control of ours, or not by that one; `Err` when the journal fails.
    pub async fn press(&self, press: &Press) -> Result<Result<Reply, Unverified>, RunnerError> {
        let Ok(address) = self.core.key.verify(&press.context) else { return Ok(Err(Unverified)) };
        let Some(ledger) = self.core.ledger(&address.run) else {
            return Ok(Ok(Reply::Whisper(self.why_not_open(&address.run).await?)));
        };
        await_post(&ledger, &address).await?;
        let mut open = ledger.open().await?;
        if !knows(open.run(), &address) {
            let text = "This is just being written down, or was settled before. Press again in a moment.";
            return Ok(Ok(Reply::Whisper(text.to_owned())));
        }
        if !stands_at(open.run(), &address, press) {
            return Ok(Err(Unverified));
        }
        if address.control.is_of_notice() && !self.may_decide(open.run(), press).await {
            let text =
                "Here, where everybody reads it, only who started the incident and the managers decide this.";
            return Ok(Ok(Reply::Whisper(text.to_owned())));
        }
        let input = input(&address, press.option.clone());
        let facts = match decide(&ledger.workflow, open.run(), input, &press.by) {
            Ok(facts) => facts,
            Err(refusal) => return Ok(Ok(Reply::Whisper(refusal.to_string()))),
        };
        open.append(facts, Vec::new()).await?;
        let key = &self.core.key;
        let post = match open.run().post(&address.post) {
            Some(post) => rendering::control_post(key, open.run(), post),
            None => rendering::notice(key, open.run(), &address.post),
        };
        Ok(Ok(Reply::Update { post, stamp: key.stamp(&address.post) }))
    }

    /// The members of a room decide about their incident: the server lets nobody else press there. A notice that could not
    /// be posted in the room stands where everybody reads it.
    async fn may_decide(&self, run: &Run, press: &Press) -> bool {
        let (managers, by) = (&self.core.options.managers, &press.by);
        run.peopled_room().is_some_and(|room| room.id == press.channel_id)
            || run.trigger.user.id == by.id
            || managers.iter().any(|name| *name == by.id || *name == by.username)
            || self.core.chat.is_administrator(&by.id).await.unwrap_or(false)
    }

    async fn why_not_open(&self, id: &str) -> Result<String, RunnerError> {
        let run = read(self.core.journal.as_ref(), id).await?;
        Ok(if run.has_ended() {
            format!("The incident {} {} is over.", run.workflow, run.number)
        } else {
            format!(
                "The incident {} {} cannot go on at the moment; the operators' log says why.",
                run.workflow, run.number
            )
        })
    }
}

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

fn trigger(post: &IncomingPost, found: &Match) -> Trigger {
    Trigger {
        name: found.trigger.to_string(),
        post_id: post.post_id.clone(),
        text: post.message().whole().into_owned(),
        user: post.user.clone(),
        channel: post.channel.clone(),
        team_name: post.team_name.clone(),
        permalink: post.permalink.clone(),
        groups: found.groups.clone(),
    }
}

/// How long a press waits for the post that it was made on to be journalled. The server waits 30 s for the answer.
const POST_WAIT_MAX: Duration = Duration::from_secs(5);

/// People see a post, and can press, as soon as the server has it; the journal has it a moment later. Returns once it does, or
/// when that takes too long.
async fn await_post(ledger: &Ledger, address: &Address) -> Result<(), LedgerError> {
    let mut changed = ledger.changed.subscribe();
    let known = async {
        loop {
            changed.mark_unchanged();
            let is_coming = {
                let open = ledger.open().await?;
                !knows(open.run(), address) && is_being_written(open.run(), address)
            };
            if !is_coming || changed.changed().await.is_err() {
                return Ok(());
            }
        }
    };
    tokio::time::timeout(POST_WAIT_MAX, known).await.unwrap_or(Ok(()))
}

/// Whether the post is that of a call which is intended and not answered yet.
fn is_being_written(run: &Run, address: &Address) -> bool {
    run.current.as_ref().is_some_and(|current| {
        let mut open = current.calls.iter().filter(|(_, call)| call.answer.is_none());
        open.any(|(n, _)| current.key.call(&run.id, *n) == address.post)
    })
}

/// Whether the journal has the post that the control belongs to. The MAC says that it is one of ours.
fn knows(run: &Run, address: &Address) -> bool {
    let is_notice = run.notice.as_ref().is_some_and(|notice| notice.key == address.post);
    is_notice || run.post(&address.post).is_some()
}

/// Whether the control stands where the click says it does: the server tells us the post and the channel, the journal
/// knows them.
fn stands_at(run: &Run, address: &Address, press: &Press) -> bool {
    if let Some(post) = run.post(&address.post) {
        return post.post_id == press.post_id && post.channel_id == press.channel_id;
    }
    run.notice.as_ref().is_some_and(|notice| {
        notice.key == address.post
            && notice.channel_id == press.channel_id
            && notice.post_id.as_ref().is_none_or(|post_id| *post_id == press.post_id)
    })
}

fn input(address: &Address, option: Option<String>) -> Input {
    let post = address.post.clone();
    match address.control {
        Control::Field(field) => Input::SetField { post, field, option },
        Control::Transition(transition) => Input::ChooseTransition { post, transition },
        Control::Retry => Input::Retry,
        Control::Skip => Input::Skip,
        Control::Cancel => Input::Cancel,
    }
}
