//! The host calls of one execution: each is journalled, answered from the journal, or reconciled.
//!
//! A call has a number within its execution. The first time, its intent is journalled, it is made, and its answer is
//! journalled; only then does the guest see it. When an execution is run again, calls with an answer are answered from the journal. At
//! most one call can have an intent and no answer: the one that was interrupted. Whether it was made is then found out:
//!
//! - a post carries a stamp in its properties; the channel is searched for it;
//! - a channel's name was claimed, and seen to be free, before the intent; what has that name now and was made by the bot is ours;
//! - adding members and archiving can be repeated without harm; members are added while the intent is being written.
//!
//! Looking things up changes nothing, so a look-up needs no intent of its own: intent and answer are journalled together.

mod members;
mod posts;

use crate::bounds;
use crate::chat::{Chat, ChatError, ChatErrorKind, FoundChannel, NewChannel};
use crate::clock::Clock;
use crate::components::{Permit, channel, user};
use crate::controls::Key;
use crate::groups::Groups;
use crate::journal::{Claim, JournalError};
use crate::ledger::{Ledger, LedgerError, OpenLedger};
use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};
use warroom_engine::effects::{self, Decision};
use warroom_engine::{self as engine, ActionKey, CurrentAction, Fact, Run};
use warroom_sandbox::{ActionError, Answer, Call, CallFailure, ChannelDraft, ErrorKind, Host};
use warroom_sandbox::{LogLevel, User};

/// Why an execution did not come to its end.
#[derive(Debug)]
pub(crate) enum Interruption {
    /// Something is temporarily away.
    Temporary(ChatError),
    /// The guest asked for something else than the first time.
    Diverged { n: u32, journalled: String, function: String },
    /// The journal failed: nothing more may be done until it is back.
    Journal(LedgerError),
}

/// What an execution leaves for the host to read after it.
#[derive(Debug, Default)]
pub(crate) struct Trace {
    pub(crate) interruption: Option<Interruption>,
    /// Whether a call was under way when the guest was stopped.
    pub(crate) in_call: bool,
    /// The handle of the channel that the last call was to make.
    pub(crate) channel_name: Option<String>,
    /// Whether the last call was refused since the name of a channel is taken.
    pub(crate) name_taken: bool,
}

pub(crate) struct HostCalls {
    pub(crate) ledger: Arc<Ledger>,
    pub(crate) chat: Arc<dyn Chat>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) key: Key,
    pub(crate) groups: Arc<Groups>,
    pub(crate) action: ActionKey,
    pub(crate) permit: Permit,
    /// The ledger's losses when the execution began.
    pub(crate) losses: u64,
    pub(crate) trace: Arc<Mutex<Trace>>,
    /// The number of the last call.
    pub(crate) n: u32,
    /// The channels that this execution may use: ids it was given.
    pub(crate) known: BTreeSet<String>,
}

/// What a guest was answered, as it is journalled.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Journalled {
    Ok(Answer),
    Error(ActionError),
}

/// How making a call can end, besides well.
pub(crate) enum Trouble {
    /// Shown to the guest, and journalled.
    Shown(ActionError),
    /// Not shown: the execution is interrupted.
    Interrupts(Interruption),
}

impl From<ChatError> for Trouble {
    fn from(error: ChatError) -> Trouble {
        if error.is_temporary() {
            return Trouble::Interrupts(Interruption::Temporary(error));
        }
        let kind = match error.kind {
            ChatErrorKind::NotFound => ErrorKind::NotFound,
            ChatErrorKind::Conflict => ErrorKind::Conflict,
            ChatErrorKind::Denied => ErrorKind::Denied,
            ChatErrorKind::Invalid => ErrorKind::InvalidInput,
            _ => ErrorKind::Failed,
        };
        Trouble::Shown(ActionError { kind, message: error.message })
    }
}

impl From<LedgerError> for Trouble {
    fn from(error: LedgerError) -> Trouble {
        Trouble::Interrupts(Interruption::Journal(error))
    }
}

/// The run was cancelled meanwhile, or goes on without this execution: nothing more may be done in its name.
fn over() -> Trouble {
    shown(ErrorKind::Denied, "the incident goes on without this action, or has ended".to_owned())
}

pub(crate) fn shown(kind: ErrorKind, message: String) -> Trouble {
    Trouble::Shown(ActionError { kind, message })
}

#[async_trait]
impl Host for HostCalls {
    async fn call(&mut self, call: Call) -> Result<Answer, CallFailure> {
        self.n += 1;
        {
            let mut trace = self.trace.lock().unwrap_or_else(PoisonError::into_inner);
            trace.in_call = true;
            trace.channel_name = match &call {
                Call::CreateChannel(draft) => Some(draft.name.clone()),
                _ => None,
            };
        }
        let answer = self.answer(&call).await;
        let mut trace = self.trace.lock().unwrap_or_else(PoisonError::into_inner);
        trace.in_call = false;
        trace.name_taken = matches!(
            (&call, &answer),
            (Call::CreateChannel(_), Err(Trouble::Shown(error))) if error.kind == ErrorKind::Conflict
        );
        match answer {
            Ok(answer) => Ok(answer),
            Err(Trouble::Shown(error)) => Err(CallFailure::Error(error)),
            Err(Trouble::Interrupts(interruption)) => {
                let reason = "interrupted by the host".to_owned();
                trace.interruption = Some(interruption);
                Err(CallFailure::Suspend(reason))
            }
        }
    }

    fn log(&mut self, level: LogLevel, message: &str) {
        let (run, action) = (&self.ledger.id, &self.action.name);
        // Shown with its line breaks escaped: a guest's text must not look like a line of ours.
        match level {
            LogLevel::Debug => tracing::debug!(%run, %action, guest = ?message),
            LogLevel::Info => tracing::info!(%run, %action, guest = ?message),
            LogLevel::Warn => tracing::warn!(%run, %action, guest = ?message),
            LogLevel::Error => tracing::error!(%run, %action, guest = ?message),
        }
    }

    fn secret(&mut self, name: &str) -> Result<String, ActionError> {
        let message = format!("the secret `{name}` is not granted to this component");
        Err(ActionError { kind: ErrorKind::Denied, message })
    }
}

impl HostCalls {
    async fn answer(&mut self, call: &Call) -> Result<Answer, Trouble> {
        bounds::check(call).map_err(Trouble::Shown)?;
        let arguments =
            serde_json::to_value(call).map_err(|error| shown(ErrorKind::Failed, error.to_string()))?;
        let digest = effects::arguments_digest(&arguments);
        let run = Arc::clone(self.open().await?.run());
        let is_over = self.is_over(&run);
        let decision = match self.execution(&run) {
            Some(execution) => effects::decide(execution, self.n, call.function(), &digest),
            None => return Err(over()),
        };
        let answer = match decision {
            Decision::Answered(answer) => {
                let answer = Journalled::deserialize(&*answer)
                    .map_err(|error| shown(ErrorKind::Failed, error.to_string()))?;
                match answer {
                    Journalled::Ok(answer) => Ok(answer),
                    Journalled::Error(error) => Err(Trouble::Shown(error)),
                }
            }
            Decision::Diverged { journalled } => Err(Trouble::Interrupts(Interruption::Diverged {
                n: self.n,
                journalled,
                function: call.function().to_owned(),
            })),
            Decision::Fresh if is_over => Err(over()),
            Decision::Fresh => self.make(call, run, digest, false).await,
            Decision::Reconcile => self.make(call, run, digest, true).await,
        }?;
        if let Answer::Channel(channel) = &answer {
            self.known.insert(channel.id.clone());
        }
        Ok(answer)
    }

    /// Makes a call that has no journalled answer, and journals it. `intended`: an earlier execution may have made it.
    async fn make(
        &mut self,
        call: &Call,
        run: Arc<Run>,
        digest: String,
        intended: bool,
    ) -> Result<Answer, Trouble> {
        let intent = Fact::CallIntended {
            action: self.action.clone(),
            n: self.n,
            function: call.function().to_owned(),
            arguments: digest,
        };
        let performed = self.perform(call, &run, &intent, intended).await;
        drop(run);
        let (made, mut before) = match performed {
            Ok((answer, facts)) => (Ok(answer), facts),
            Err(Trouble::Shown(error)) => (Err(error), Vec::new()),
            Err(interruption) => return Err(interruption),
        };
        let answer = match &made {
            Ok(answer) => Journalled::Ok(answer.clone()),
            Err(error) => Journalled::Error(error.clone()),
        };
        let answer =
            serde_json::to_value(answer).map_err(|error| shown(ErrorKind::Failed, error.to_string()))?;
        let answered =
            Fact::CallAnswered { action: self.action.clone(), n: self.n, answer: Arc::new(answer) };
        let mut open = self.open().await?;
        // The intent of a look-up, or of a call that was refused before it was made, is journalled with its answer.
        let has_intent =
            self.execution(open.run()).is_some_and(|execution| execution.calls.contains_key(&self.n));
        if !has_intent && self.is_over(open.run()) {
            // Nothing was made, and nobody goes on with what was looked up.
            return Err(over());
        }
        let mut facts = if has_intent { Vec::new() } else { vec![intent] };
        facts.append(&mut before);
        facts.push(answered);
        open.append_soon(facts).await?;
        made.map_err(Trouble::Shown)
    }

    /// Makes the call; with its answer, what else is now true of the run.
    async fn perform(
        &self,
        call: &Call,
        run: &Run,
        intent: &Fact,
        intended: bool,
    ) -> Result<(Answer, Vec<Fact>), Trouble> {
        let can_be_looked_for = matches!(call, Call::CreateChannel(_) | Call::CreatePost { .. });
        if self.is_over(run) && !can_be_looked_for {
            return Err(over());
        }
        match call {
            Call::FindChannel { team, name } => {
                let found = self.find_channel(run, team.as_deref(), name).await?;
                Ok((Answer::Channel(channel(&found)), Vec::new()))
            }
            Call::CreateChannel(draft) => {
                let made = self.create_channel(run, draft, intent, intended).await?;
                Ok((Answer::Channel(channel(&made)), vec![Fact::ChannelCreated { channel: made }]))
            }
            Call::ArchiveChannel { channel_id } => {
                self.require_channel(run, channel_id, false)?;
                self.ledger.answers_settled().await;
                self.intend(intent, intended, Vec::new()).await?;
                self.chat.archive_channel(channel_id).await?;
                let archived = Fact::ChannelArchived { channel_id: channel_id.clone() };
                Ok((Answer::Done, vec![archived]))
            }
            Call::FindUsers { names } => {
                let (found, unknown) = self.chat.find_users(names).await?;
                Ok((Answer::Users { users: found.iter().map(user).collect(), unknown }, Vec::new()))
            }
            Call::AddMembers { channel_id, users } => {
                self.require_channel(run, channel_id, false)?;
                let refusals = self.add_while_intending(channel_id, users, intent, intended).await?;
                let is_in = |user: &&User| refusals.iter().all(|refusal| refusal.user.id != user.id);
                let people: Vec<engine::Person> = users.iter().filter(is_in).map(person).collect();
                let facts = (!people.is_empty())
                    .then(|| Fact::PeopleAdded { channel_id: channel_id.clone(), people });
                Ok((Answer::Refusals(refusals), facts.into_iter().collect()))
            }
            Call::CreatePost { channel_id, draft } => {
                self.require_channel(run, channel_id, true)?;
                self.create_post(run, channel_id, draft, intent, intended).await
            }
            Call::SendHttp(_) => {
                Err(shown(ErrorKind::Denied, "this version grants `http` to no component".to_owned()))
            }
        }
    }

    /// Journals that the call is about to be made, unless an earlier execution did.
    async fn intend(&self, intent: &Fact, intended: bool, claims: Vec<Claim>) -> Result<(), Trouble> {
        if intended {
            return Ok(());
        }
        Ok(self.open_to_act().await?.append(vec![intent.clone()], claims).await?)
    }

    /// The run, as this execution left it, if something may still be done in its name: looking something up takes its time, in which
    /// it can be cancelled.
    async fn open_to_act(&self) -> Result<OpenLedger<'_>, Trouble> {
        let open = self.open().await?;
        if self.is_over(open.run()) { Err(over()) } else { Ok(open) }
    }

    /// This execution, as the run knows it; none when it is over, and nobody needs to find out about a call.
    fn execution<'a>(&self, run: &'a Run) -> Option<&'a CurrentAction> {
        let mut known = run.current.iter().chain(&run.left);
        known.find(|execution| execution.key == self.action)
    }

    /// Whether the run was cancelled meanwhile, or goes on without this execution.
    fn is_over(&self, run: &Run) -> bool {
        run.current.as_ref().is_none_or(|current| current.key != self.action)
    }

    /// The run, as this execution left it.
    async fn open(&self) -> Result<OpenLedger<'_>, LedgerError> {
        let open = self.ledger.open_ahead().await?;
        if open.losses() == self.losses { Ok(open) } else { Err(LedgerError::Lost) }
    }

    async fn create_channel(
        &self,
        run: &Run,
        draft: &ChannelDraft,
        intent: &Fact,
        intended: bool,
    ) -> Result<engine::Channel, Trouble> {
        let team_id = self.team(run, draft.team.as_deref()).await?;
        let taken = |how: &str| {
            let message = format!("cannot create the channel `{}`: {how}", draft.name);
            shown(ErrorKind::Conflict, message)
        };
        if let Some(found) = self.chat.channel_by_handle(&team_id, &draft.name).await? {
            if intended && self.is_ours(&found) {
                return Ok(found.channel);
            }
            let archived = if found.archived { " by an archived channel" } else { "" };
            return Err(taken(&format!(
                "the name is taken{archived}; rename that channel, or change `channel_name`"
            )));
        }
        if self.is_over(self.open().await?.run()) {
            return Err(over());
        }
        let claim = Claim { kind: "channel".to_owned(), scope: team_id.clone(), name: draft.name.clone() };
        match self.intend(intent, intended, vec![claim]).await {
            Err(Trouble::Interrupts(Interruption::Journal(LedgerError::Journal(
                JournalError::Claimed { by_run, .. },
            )))) => {
                return Err(taken(&format!("the run {by_run} claimed that name; change `channel_name`")));
            }
            other => other?,
        }
        let display_name = if draft.display_name.is_empty() { &draft.name } else { &draft.display_name };
        let new = NewChannel {
            team_id,
            name: draft.name.clone(),
            display_name: display_name.clone(),
            header: draft.header.clone(),
            purpose: draft.purpose.clone(),
            private: draft.private,
        };
        match self.chat.create_channel(&new).await {
            // An earlier request that was slow, not lost, can have made it meanwhile.
            Err(error) if error.kind == ChatErrorKind::Conflict => {
                let found = self.chat.channel_by_handle(&new.team_id, &new.name).await?;
                found
                    .filter(|found| self.is_ours(found))
                    .map(|found| found.channel)
                    .ok_or_else(|| error.into())
            }
            result => Ok(result?),
        }
    }

    /// Whether a channel with a name that this run claimed and saw to be free is the one that it made.
    fn is_ours(&self, found: &FoundChannel) -> bool {
        found.creator_id == self.chat.bot().id && !found.archived
    }
}

fn person(user: &User) -> engine::Person {
    engine::Person { id: user.id.clone(), username: user.username.clone() }
}
