//! What people do: presses in the chat, and commands from the operators' shell.

use crate::chat::{ChatError, RenderedPost};
use crate::controls::{Address, Answer, Control, Press, Reply, Unverified};
use crate::held;
use crate::journal::JournalError;
use crate::ledger::{Ledger, LedgerError, OpenLedger, read};
use crate::mentions;
use crate::rendering;
use crate::runner::{Runner, RunnerError};
use crate::starts::Outcome;
use crate::workflows::InForce;
use std::sync::Arc;
use std::time::Duration;
use warroom_engine::{Actor, CurrentAction, Input, Person, Pressed, Refusal, Run, decide, is_repeated};
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

/// What a person wants, as it is about to be decided.
struct Wish {
    input: Input,
    /// The version of the workflow that the run is to go on with, when it is to be another one: the same that is decided about.
    newer: Option<InForce>,
}

impl From<Input> for Wish {
    fn from(input: Input) -> Wish {
        Wish { input, newer: None }
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
            let run = read(self.core.journal.as_ref(), run_id).await?;
            return Err(CommandError::NotOpen(self.why_not_open(&run)));
        };
        let mut open = ledger.open().await?;
        let wish = match command {
            Command::Retry => Input::Retry.into(),
            Command::RetryCurrent => self.repin(open.run())?,
            Command::Renumber => Input::Renumber.into(),
            Command::Skip => Input::Skip.into(),
            Command::Cancel { reason, keep_room } => Input::Cancel { reason, keep_room }.into(),
        };
        Ok(self.act(&ledger, &mut open, wish, &by.into()).await??)
    }

    /// Takes a click or a choice: verifies it, decides what it means, journals that, and gives the answer. What follows
    /// from it is done by the task that drives the run, once the answer is dropped.
    ///
    /// # Errors
    /// `Ok(Err(Unverified))` when it was not made by a control of ours, or not by that one; `Err` when the journal fails.
    #[tracing::instrument(level = "error", name = "run", skip_all, fields(workflow, run))]
    pub async fn press(&self, press: &Press) -> Result<Result<Answer, Unverified>, RunnerError> {
        let Ok(address) = self.core.key.verify(&press.context) else { return Ok(Err(Unverified)) };
        self.core.name_in_log(&address.run);
        tracing::debug!(by = %press.by.username, post = %press.post_id, "a control is pressed");
        let answered = self.press_verified(&address, press).await;
        if let Err(error) = &answered {
            tracing::error!("a press could not be journalled, so it changed nothing: {error}");
        }
        answered
    }

    async fn press_verified(
        &self,
        address: &Address,
        press: &Press,
    ) -> Result<Result<Answer, Unverified>, RunnerError> {
        if address.run == held::RUN {
            return Ok(self.start_held(address, press).await?.map(Answer::from));
        }
        let Some(pressed) =
            address.control.pressed(press.option.clone(), press.click(self.core.clock.now_ms()))
        else {
            return Ok(Err(Unverified));
        };
        match self.core.ledger(&address.run) {
            Some(ledger) => self.press_open(&ledger, address, press, &pressed).await,
            None => Ok(self.press_closed(address, press, &pressed).await?.map(Answer::from)),
        }
    }

    /// A press on a run that is driven.
    async fn press_open(
        &self,
        ledger: &Arc<Ledger>,
        address: &Address,
        press: &Press,
        pressed: &Pressed,
    ) -> Result<Result<Answer, Unverified>, RunnerError> {
        self.await_post(ledger, address, press).await?;
        let run = Arc::clone(ledger.open().await?.run());
        let repeated = match self.judged(&run, address, press, pressed).await {
            Ok(repeated) => repeated,
            Err(answer) => return Ok(answer.map(Answer::from)),
        };
        // Asks the server, which can take its time: the run must not wait for that.
        let by = match repeated {
            true => press.by.clone().into(),
            false => match self.authorised(&run, address, press).await {
                Ok(by) => by,
                Err(why) => return Ok(Ok(Reply::Whisper(why).into())),
            },
        };
        // Held from before it is journalled, which wakes the task that would act on it.
        let _held = Some(ledger.answering().await);
        let counted = self.count(ledger, address, press, pressed, &by).await?;
        ledger.answer_begins();
        Ok(counted.map(|reply| Answer { reply, _held }))
    }

    /// Decides what a press means that may be made, journals that, and says how the post is to look.
    async fn count(
        &self,
        ledger: &Arc<Ledger>,
        address: &Address,
        press: &Press,
        pressed: &Pressed,
        by: &Actor,
    ) -> Result<Result<Reply, Unverified>, RunnerError> {
        let mut open = ledger.open().await?;
        // Somebody else may have been faster meanwhile.
        let repeated = match is_repeated(open.run(), open.run().stands_for(&address.post), pressed, &press.by)
        {
            Ok(repeated) => repeated,
            Err(refusal) => return Ok(told(&refusal)),
        };
        // From here on the post must not be rewritten before the answer had its time.
        ledger.canvas.answered(&address.post, self.core.clock.now_ms());
        if !repeated {
            let wish = match self.wish(open.run(), address, press) {
                Ok(wish) => wish,
                Err(refusal) => return Ok(told(&refusal)),
            };
            if let Err(refusal) = self.act(ledger, &mut open, wish, by).await? {
                return Ok(told(&refusal));
            }
        }
        // The journal may have taken longer than an answer does.
        ledger.canvas.answered(&address.post, self.core.clock.now_ms());
        let look = rendering::look(&self.core, ledger, open.run(), &address.post);
        Ok(self.answer(open.run(), address, press, look))
    }

    /// A press on a run that is not driven: it is over, or cannot go on.
    async fn press_closed(
        &self,
        address: &Address,
        press: &Press,
        pressed: &Pressed,
    ) -> Result<Result<Reply, Unverified>, RunnerError> {
        let run = match read(self.core.journal.as_ref(), &address.run).await {
            // The control is ours, so the journal knew of it once.
            Err(LedgerError::NotARun(error)) => {
                tracing::warn!("a control of an incident is pressed that the journal does not have: {error}");
                return whisper(
                    "Warroom's journal does not know this incident: it was replaced, or restored from an older backup. Nothing was \
                     changed; go on without these buttons.",
                );
            }
            Err(error) if error.is_unreadable() => {
                tracing::warn!(run = %address.run, "a control of an incident is pressed that cannot be read: {error}");
                return whisper(
                    "Warroom cannot read its journal of this incident any more, so these buttons change nothing. The operators' log says \
                     why; go on without them.",
                );
            }
            run => run?,
        };
        if let Some(answer) = self.press_stuck(&run, address, press).await {
            return Ok(answer);
        }
        match self.judged(&run, address, press, pressed).await {
            Ok(true) => {
                let look = rendering::last_look(&self.core, &run, &address.post);
                Ok(self.answer(&run, address, press, look))
            }
            Ok(false) => whisper(&self.why_not_open(&run)),
            Err(answer) => Ok(answer),
        }
    }

    /// Whether the press repeats an earlier one; or the answer to one that comes from elsewhere, or too late. Who sends what another
    /// post carries is told nothing.
    async fn judged(
        &self,
        run: &Run,
        address: &Address,
        press: &Press,
        pressed: &Pressed,
    ) -> Result<bool, Result<Reply, Unverified>> {
        let words = |text: &str| Err(Ok(Reply::Whisper(text.to_owned())));
        match stands_at(run, address, press) {
            Some(true) => {}
            Some(false) => return Err(Err(Unverified)),
            None => match self.has_stamp(address, press).await {
                Ok(true) if run.announcement(&address.post).is_some() => {}
                Ok(true) if is_being_written(run, address) => {
                    return words("This is just being written down. Press again in a moment.");
                }
                Ok(true) if is_open_in(run.unsettled.as_ref(), run, address) => {
                    return Err(told(&Refusal::blocked(run).unwrap_or(Refusal::Unknown)));
                }
                Ok(true) => return Err(Ok(Reply::Whisper(Refusal::Unknown.to_string()))),
                Ok(false) => return Err(Err(Unverified)),
                Err(error) => {
                    tracing::warn!(run = %run.id, "a pressed post cannot be read: {error}");
                    return words("The post cannot be read now. Press again in a moment.");
                }
            },
        }
        is_repeated(run, run.stands_for(&address.post), pressed, &press.by).map_err(|refusal| told(&refusal))
    }

    /// What is shown to who pressed, once it counts.
    fn answer(
        &self,
        run: &Run,
        address: &Address,
        press: &Press,
        look: Option<RenderedPost>,
    ) -> Result<Reply, Unverified> {
        if !run.can_post_to(&press.channel_id) {
            let words = "That is written down. The channel is archived or closed to the bot, so the post stays as it is.";
            return Ok(Reply::Whisper(words.to_owned()));
        }
        let stamp = self.core.key.stamp(&address.post);
        look.map(|post| Reply::Update { post, stamp }).ok_or(Unverified)
    }

    /// Whether the post that was pressed is the one that carries the control, as the server has it.
    pub(crate) async fn has_stamp(&self, address: &Address, press: &Press) -> Result<bool, ChatError> {
        let stamp = self.core.key.stamp(&address.post);
        self.core.chat.has_stamp(&press.post_id, &press.channel_id, &stamp).await
    }

    /// Decides and journals.
    async fn act(
        &self,
        ledger: &Arc<Ledger>,
        open: &mut OpenLedger<'_>,
        wish: Wish,
        by: &Actor,
    ) -> Result<Result<(), Refusal>, RunnerError> {
        let facts = match decide(&ledger.workflow(), open.run(), wish.input, by) {
            Ok(facts) => facts,
            Err(refusal) => return Ok(Err(refusal)),
        };
        match wish.newer {
            Some(newer) => {
                // The run may go on only with the text in the store.
                let text = newer.file_text.as_bytes().to_vec();
                self.core.journal.put_blob(&newer.file_digest, text).await?;
                open.repin(facts, newer.workflow).await?;
            }
            None => open.append(facts, Vec::new()).await?,
        }
        Ok(Ok(()))
    }

    fn wish(&self, run: &Run, address: &Address, press: &Press) -> Result<Wish, Refusal> {
        let post = run.stands_for(&address.post).to_owned();
        let input = match address.control {
            Control::Field(field) => {
                let (option, click) = (press.option.clone(), press.click(self.core.clock.now_ms()));
                Input::SetField { post, field, option, click }
            }
            Control::Transition(transition) => Input::ChooseTransition { post, transition },
            Control::Retry => Input::Retry,
            Control::Renumber => Input::Renumber,
            Control::Repin => return self.repin(run),
            Control::Skip => Input::Skip,
            Control::Cancel => Input::Cancel { reason: None, keep_room: false },
            Control::Start(_) => return Err(Refusal::Unknown),
        };
        Ok(input.into())
    }

    fn repin(&self, run: &Run) -> Result<Wish, Refusal> {
        if Refusal::blocked(run).is_none() {
            return Err(Refusal::NotBlocked("retry"));
        }
        let unchanged = || Refusal::CannotRepin("it is the one that the incident has".to_owned());
        let newer = self.core.workflows.newer(&self.core, run).ok_or_else(unchanged)?;
        let components = self.core.components.pin(&newer.workflow);
        let current = Box::new(Workflow::clone(&newer.workflow));
        let input = Input::Repin { workflow_digest: newer.file_digest.clone(), components, current };
        Ok(Wish { input, newer: Some(newer) })
    }

    /// People see a post, and can press, as soon as the server has it; the journal has it a moment later. Returns once it does, or
    /// when that takes too long. When its writer waits for a lost answer, the press itself tells that the post is there.
    async fn await_post(&self, ledger: &Ledger, address: &Address, press: &Press) -> Result<(), LedgerError> {
        if !is_coming(ledger, address).await? {
            return self.note_unheard(ledger, address, press).await;
        }
        if !becomes_known(ledger, address, WRITER_WAIT).await? {
            // The answer may have come while the server was asked.
            if self.has_stamp(address, press).await.unwrap_or(false) && is_coming(ledger, address).await? {
                ledger.hint(&address.post, &press.post_id);
            }
            becomes_known(ledger, address, POST_WAIT_MAX).await?;
        }
        Ok(())
    }

    /// Why nothing can be done about a run that is not driven.
    fn why_not_open(&self, run: &Run) -> String {
        let name = format!("The incident {} {}", run.workflow, run.number);
        match self.stuck().get(&run.id) {
            _ if run.has_ended() => format!("{name} is over."),
            Some(reason) => {
                let reason: String = reason.chars().take(REASON_CHARS_MAX).collect();
                format!("{name} cannot go on until an operator mends this: {}", mentions::quiet(&reason))
            }
            None => format!("{name} cannot go on at the moment; the operators' log says why."),
        }
    }

    /// Who presses a post whose writer was given up tells that it is there: then whoever retries need not look for it.
    async fn note_unheard(
        &self,
        ledger: &Ledger,
        address: &Address,
        press: &Press,
    ) -> Result<(), LedgerError> {
        let is_unheard = {
            let open = ledger.open().await?;
            is_open_in(open.run().unsettled.as_ref(), open.run(), address)
        };
        if is_unheard && self.has_stamp(address, press).await.unwrap_or(false) {
            ledger.hint(&address.post, &press.post_id);
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
        let Some(post) = flood.posts.get(at) else { return Ok(Err(Unverified)) };
        let stamp = flood.stamp(core, id);
        match core.chat.has_stamp(&press.post_id, &press.channel_id, &stamp).await {
            Ok(true) => {}
            Ok(false) => return Ok(Err(Unverified)),
            Err(error) => {
                tracing::warn!(flood = %id, "a pressed post cannot be read: {error}");
                return whisper("The post cannot be read now. Press again in a moment.");
            }
        }
        if let Err(why) = self.authorised_as_member(press).await {
            return whisper(&why);
        }
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
        // Who presses may be gone before it is journalled; the run is driven all the same.
        let runner = self.clone();
        let starting = tokio::spawn(async move { runner.start(&post, &in_force, &found, None).await });
        let Ok(started) = starting.await else {
            return whisper("That did not start. Press again in a moment.");
        };
        let number = match started? {
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
                Ok(Reply::Update { post: flood.look(&core.key, id), stamp: flood.stamp(core, id) })
            }
            None => Ok(Reply::Whisper("Started.".to_owned())),
        })
    }
}

/// The answer to a press that changes nothing. What the post does not offer was not pressed there.
fn told(refusal: &Refusal) -> Result<Reply, Unverified> {
    match refusal {
        Refusal::Unknown | Refusal::NotOffered(_) => Err(Unverified),
        refusal => Ok(Reply::Whisper(refusal.to_string())),
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

/// How much of the reason why a run is not driven is shown, in characters.
const REASON_CHARS_MAX: usize = 1_000;
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
    is_open_in(run.current.iter().chain(&run.left), run, address)
}

/// Whether the post is that of a call which the executions left open.
fn is_open_in<'a>(
    executions: impl IntoIterator<Item = &'a CurrentAction>,
    run: &Run,
    address: &Address,
) -> bool {
    executions.into_iter().any(|execution| {
        execution.open_call().is_some_and(|(n, _)| execution.key.call(&run.id, n) == address.post)
    })
}

/// Whether the journal has the post that the control belongs to. The MAC says that it is one of ours.
fn knows(run: &Run, address: &Address) -> bool {
    run.post(&address.post).is_some() || run.announcement(&address.post).is_some()
}

/// Whether the control stands where the click says it does: the server tells us the post and the channel, the journal
/// knows them. None: the journal does not know the post, or not yet.
fn stands_at(run: &Run, address: &Address, press: &Press) -> Option<bool> {
    if let Some(post) = run.post(&address.post) {
        return Some(post.post_id == press.post_id && post.channel_id == press.channel_id);
    }
    let (_, known) = run.announcement(&address.post)?;
    let place = known.place.as_ref()?;
    let is_there = place.post_id.as_ref() == Some(&press.post_id) && place.channel_id == press.channel_id;
    // A notice may stand twice, where nobody could tell whether it was written.
    is_there.then_some(true)
}
