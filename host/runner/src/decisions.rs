//! What people do: presses in the chat, and commands from the operators' shell.

use crate::controls::{Address, Control, Press, Reply, Unverified};
use crate::held;
use crate::journal::JournalError;
use crate::ledger::{Ledger, LedgerError, OpenLedger, read};
use crate::rendering;
use crate::runner::{Outcome, Runner, RunnerError};
use std::sync::Arc;
use std::time::Duration;
use warroom_engine::{Actor, Input, Matter, Person, Refusal, Run, decide};
use warroom_workflow::Workflow;

/// What an operator asks for from the shell.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Command {
    /// Try the failed action again.
    Retry,
    /// Try it again as the workflow is now.
    RetryCurrent,
    /// Try it again with the next number whose name is free.
    Renumber,
    /// Go on without it.
    Skip,
    /// End the run.
    Cancel {
        /// Why.
        reason: Option<String>,
        /// Whether the channels that the run made stay as they are.
        keep_room: bool,
    },
}

/// Why a command changed nothing.
#[derive(Debug, thiserror::Error)]
pub enum CommandError {
    /// There is no such run, or it is not driven here.
    #[error("{0}")]
    NotOpen(String),
    /// The run is in no state for it.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// The journal failed.
    #[error(transparent)]
    Runner(#[from] RunnerError),
}

impl From<LedgerError> for CommandError {
    fn from(error: LedgerError) -> CommandError {
        CommandError::Runner(error.into())
    }
}

impl Runner {
    /// Does what an operator asks for.
    ///
    /// # Errors
    /// [`CommandError`], whose text is for the operator.
    #[tracing::instrument(level = "error", name = "run", skip_all, fields(workflow, run))]
    pub async fn command(&self, run_id: &str, command: Command, by: Person) -> Result<(), CommandError> {
        self.core.name_in_log(run_id);
        let Some(ledger) = self.core.ledger(run_id) else {
            return Err(CommandError::NotOpen(self.why_not_open(run_id).await?));
        };
        let mut open = ledger.open().await?;
        let input = match command {
            Command::Retry => Input::Retry,
            Command::RetryCurrent => self.repin(open.run())?,
            Command::Renumber => Input::Renumber,
            Command::Skip => Input::Skip,
            Command::Cancel { reason, keep_room } => Input::Cancel { reason, keep_room },
        };
        Ok(self.act(&ledger, &mut open, input, &by.into()).await??)
    }

    /// Takes a click or a choice: verifies it, decides what it means, journals that, and gives the answer. What follows
    /// from it is done after the answer, by the task that drives the run.
    ///
    /// # Errors
    /// `Ok(Err(Unverified))` when it was not made by a control of ours, or not by that one; `Err` when the journal fails.
    #[tracing::instrument(level = "error", name = "run", skip_all, fields(workflow, run))]
    pub async fn press(&self, press: &Press) -> Result<Result<Reply, Unverified>, RunnerError> {
        let Ok(address) = self.core.key.verify(&press.context) else { return Ok(Err(Unverified)) };
        self.core.name_in_log(&address.run);
        tracing::debug!(by = %press.by.username, post = %press.post_id, "a control is pressed");
        if address.run == held::RUN {
            return self.start_held(&address, press).await;
        }
        let Some(ledger) = self.core.ledger(&address.run) else {
            return Ok(Ok(Reply::Whisper(self.why_not_open(&address.run).await?)));
        };
        self.await_post(&ledger, &address, press).await?;
        let mut open = ledger.open().await?;
        if !knows(open.run(), &address) {
            return whisper(
                "This is just being written down, or was settled before. Press again in a moment.",
            );
        }
        if !stands_at(open.run(), &address, press) {
            return Ok(Err(Unverified));
        }
        if address.control.is_remedy() && !self.may_decide(open.run(), press).await {
            return whisper(
                "Here, where everybody reads it, only who started the incident and the managers decide this.",
            );
        }
        let input = match self.input(open.run(), &address, press.option.clone()) {
            Ok(input) => input,
            Err(refusal) => return whisper(&refusal.to_string()),
        };
        let by = self.actor(open.run(), &address, &press.by).await;
        // From here on the post must not be rewritten before the answer had its time.
        ledger.canvas.answered(&address.post, self.core.clock.now_ms());
        if let Err(refusal) = self.act(&ledger, &mut open, input, &by).await? {
            return whisper(&refusal.to_string());
        }
        let run = open.run();
        if !run.can_post_to(&press.channel_id) {
            return whisper(
                "That is written down. The channel is archived or closed to the bot, so the post stays as it is.",
            );
        }
        Ok(match rendering::look(&self.core, &ledger, run, &address.post) {
            Some(post) => Ok(Reply::Update { post, stamp: self.core.key.stamp(&address.post) }),
            None => Err(Unverified),
        })
    }

    /// Decides and journals.
    async fn act(
        &self,
        ledger: &Arc<Ledger>,
        open: &mut OpenLedger<'_>,
        input: Input,
        by: &Actor,
    ) -> Result<Result<(), Refusal>, RunnerError> {
        let current = match &input {
            Input::Repin { current, .. } => Some(Arc::new(Workflow::clone(current))),
            _ => None,
        };
        let mut facts = match decide(&ledger.workflow(), open.run(), input, by) {
            Ok(facts) => facts,
            Err(refusal) => return Ok(Err(refusal)),
        };
        match (current, facts.pop()) {
            (Some(current), Some(fact)) => {
                // The run may go on only with the text in the store.
                if let Some(in_force) = self.core.workflows.named(&open.run().workflow) {
                    let text = in_force.file_text.as_bytes().to_vec();
                    self.core.journal.put_blob(&in_force.file_digest, text).await?;
                }
                let repinned = open.repin(fact, current).await;
                if repinned.is_err() {
                    self.reopen_soon(ledger.id.clone());
                }
                repinned?;
            }
            (_, Some(fact)) => {
                facts.push(fact);
                open.append(facts, Vec::new()).await?;
            }
            (_, None) => {}
        }
        Ok(Ok(()))
    }

    /// Whether the other version was journalled nobody knows: the journal says which workflow goes on.
    fn reopen_soon(&self, id: String) {
        let runner = self.clone();
        tokio::spawn(async move {
            if let Err(reason) = runner.reopen(&id).await {
                tracing::error!(run = %id, "an open run cannot go on: {reason}");
            }
        });
    }

    fn input(&self, run: &Run, address: &Address, option: Option<String>) -> Result<Input, Refusal> {
        let post = address.post.clone();
        Ok(match address.control {
            Control::Field(field) => Input::SetField { post, field, option },
            Control::Transition(transition) => Input::ChooseTransition { post, transition },
            // A button of an earlier block must not decide a later one.
            control if control != Control::Cancel && !is_current(run, &address.post) => {
                return Err(Refusal::NotBlocked("do"));
            }
            Control::Retry => Input::Retry,
            Control::Renumber => Input::Renumber,
            Control::Repin => self.repin(run)?,
            Control::Skip => Input::Skip,
            Control::Cancel => Input::Cancel { reason: None, keep_room: false },
            Control::Start(_) => return Err(Refusal::Unknown),
        })
    }

    fn repin(&self, run: &Run) -> Result<Input, Refusal> {
        let unchanged = || Refusal::CannotRepin("it is the one that the incident has".to_owned());
        let newer = self.core.workflows.newer(&self.core, run).ok_or_else(unchanged)?;
        let components = self.core.components.pin(&newer.workflow);
        let current = Box::new(Workflow::clone(&newer.workflow));
        Ok(Input::Repin { workflow_digest: newer.file_digest, components, current })
    }

    /// The person with those of the control's groups that have the person. A group that cannot be asked now has nobody.
    async fn actor(&self, run: &Run, address: &Address, by: &Person) -> Actor {
        let mut actor = Actor::from(by.clone());
        let Control::Transition(at) = address.control else { return actor };
        let offer = run.post(&address.post).and_then(|post| post.controls.transitions.get(at));
        for name in offer.iter().flat_map(|offer| &offer.allowed) {
            let bare = name.trim_start_matches('@');
            match self.core.chat.is_in_group(bare, by).await {
                Ok(true) => actor.groups.push(bare.to_owned()),
                Ok(false) => {}
                Err(error) => tracing::warn!(run = %run.id, group = %bare, "a group cannot be read: {error}"),
            }
        }
        actor
    }

    /// The members of a room decide about their incident: the server lets nobody else press there. What stands elsewhere is for who
    /// started the incident, and managers.
    async fn may_decide(&self, run: &Run, press: &Press) -> bool {
        run.peopled_room().is_some_and(|room| room.id == press.channel_id)
            || run.trigger.user.id == press.by.id
            || self.is_manager(&press.by).await
    }

    async fn is_manager(&self, by: &Person) -> bool {
        for name in &self.core.options.managers {
            let bare = name.trim_start_matches('@');
            if *name == by.id
                || bare == by.username
                || self.core.chat.is_in_group(bare, by).await.unwrap_or(false)
            {
                return true;
            }
        }
        self.core.chat.is_administrator(&by.id).await.unwrap_or(false)
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

    /// People see a post, and can press, as soon as the server has it; the journal has it a moment later. Returns once it does, or
    /// when that takes too long. When its writer waits for a lost answer, the press itself tells that the post is there.
    async fn await_post(&self, ledger: &Ledger, address: &Address, press: &Press) -> Result<(), LedgerError> {
        if !is_coming(ledger, address).await? {
            return Ok(());
        }
        if !becomes_known(ledger, address, WRITER_WAIT).await? {
            let stamp = self.core.key.stamp(&address.post);
            let (post_id, channel_id) = (&press.post_id, &press.channel_id);
            if self.core.chat.has_stamp(post_id, channel_id, &stamp).await.unwrap_or(false) {
                ledger.hint(&address.post, post_id);
            }
            becomes_known(ledger, address, POST_WAIT_MAX).await?;
        }
        Ok(())
    }

    /// Starts an incident for a post that was held back.
    async fn start_held(
        &self,
        address: &Address,
        press: &Press,
    ) -> Result<Result<Reply, Unverified>, RunnerError> {
        let core = &self.core;
        let (Some(id), Control::Start(at)) = (held::id_of(&address.post), address.control) else {
            return Ok(Err(Unverified));
        };
        let Some((_, flood)) = held::read(core, id).await? else {
            return whisper(
                "These posts were held back long ago and are forgotten. Post again what needs an incident.",
            );
        };
        let stands_here = flood.notice.as_ref().is_none_or(|notice| *notice == press.post_id);
        let Some(post) = flood.posts.get(at).filter(|_| stands_here) else { return Ok(Err(Unverified)) };
        let post = match core.chat.read_post(&post.post_id).await {
            Ok(Some(post)) => post,
            Ok(None) => return whisper("That post is deleted, so it can start nothing."),
            Err(error) => {
                return whisper(&format!("That post cannot be read now: {error}. Press again in a moment."));
            }
        };
        let found = core.workflows.matches(&post.message());
        let Some((in_force, found)) =
            found.into_iter().find(|(in_force, _)| in_force.workflow.name == flood.workflow.as_str())
        else {
            return whisper("No workflow starts from that post any more: it, or the workflow, was changed.");
        };
        let number = match self.start(&post, &in_force, &found, None).await? {
            Outcome::Started(started) => started.number,
            Outcome::Known(run_id) => read(core.journal.as_ref(), &run_id).await?.number,
            Outcome::Folded => {
                return whisper("An incident for the same thing is open already; it counts this post too.");
            }
            Outcome::Limited(_) => return whisper("That did not start. Press again in a moment."),
        };
        let started = held::change(core, id, |flood| flood.started(at, &press.by, number)).await?;
        Ok(match started {
            Some(flood) => {
                Ok(Reply::Update { post: flood.look(&core.key, id), stamp: core.key.stamp(&address.post) })
            }
            None => Ok(Reply::Whisper("Started.".to_owned())),
        })
    }
}

fn whisper(text: &str) -> Result<Result<Reply, Unverified>, RunnerError> {
    Ok(Ok(Reply::Whisper(text.to_owned())))
}

impl From<JournalError> for CommandError {
    fn from(error: JournalError) -> CommandError {
        CommandError::Runner(error.into())
    }
}

/// How long a press waits for the answer to the post that it was made on, before it asks the server for that post itself.
const WRITER_WAIT: Duration = Duration::from_secs(2);
/// How long a press waits after that. The server waits 30 s for the answer.
const POST_WAIT_MAX: Duration = Duration::from_secs(5);

async fn is_coming(ledger: &Ledger, address: &Address) -> Result<bool, LedgerError> {
    let open = ledger.open().await?;
    Ok(!knows(open.run(), address) && is_being_written(open.run(), address))
}

/// Whether the post is journalled, or is not being written any more, within the time.
async fn becomes_known(ledger: &Ledger, address: &Address, within: Duration) -> Result<bool, LedgerError> {
    let mut changed = ledger.written.subscribe();
    let known = async {
        loop {
            changed.mark_unchanged();
            if !is_coming(ledger, address).await? || changed.changed().await.is_err() {
                return Ok(true);
            }
        }
    };
    tokio::time::timeout(within, known).await.unwrap_or(Ok(false))
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
    run.post(&address.post).is_some() || run.announcement(&address.post).is_some()
}

/// Whether the announcement is about the block that stops the run now.
fn is_current(run: &Run, key: &str) -> bool {
    let known = run.announcement(key).map(|(_, known)| known);
    known.is_some_and(|known| matches!(known.matter, Matter::Blocked { resolved: None, .. }))
}

/// Whether the control stands where the click says it does: the server tells us the post and the channel, the journal
/// knows them.
fn stands_at(run: &Run, address: &Address, press: &Press) -> bool {
    if let Some(post) = run.post(&address.post) {
        return post.post_id == press.post_id && post.channel_id == press.channel_id;
    }
    let place = run.announcement(&address.post).and_then(|(_, known)| known.place.as_ref());
    place.is_some_and(|place| {
        place.channel_id == press.channel_id
            && place.post_id.as_ref().is_none_or(|post_id| *post_id == press.post_id)
    })
}
