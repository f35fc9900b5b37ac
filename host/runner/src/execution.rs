//! Executes one action: hands the component what was journalled, and journals what came of it.

use crate::chat::{ChatError, ChatErrorKind};
use crate::components::{Admitted, channel, user};
use crate::core::Core;
use crate::declared::Declared;
use crate::host_calls::{HostCalls, Interruption, Trace};
use crate::ledger::{Ledger, LedgerError};
use crate::options::Spent;
use crate::patience::is_outage;
use serde::Deserialize as _;
use serde_json::{Map, Value};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};
use warroom_engine::{
    Act, ActionKey, Chooser, CurrentAction, Destination, Fact, Failure, FailureKind, Run,
    goes_on_after_failure,
};
use warroom_sandbox::{
    ActionError, ActionOutputs, Context, ErrorKind, Execution, Incident, Outcome, RunError, TriggerPost,
};
use warroom_workflow::Workflow;

/// The facts that begin an execution: everything that a replay may read.
pub(crate) fn begin(core: &Core, workflow: &Workflow, run: &Run, act: Act) -> Fact {
    let Some(digest) = run.components.get(&act.type_name) else {
        let message = format!(
            "the action type `{}` was not known when the run began; cancel the run, or put the component back",
            act.type_name
        );
        return failed(workflow, run, &act.key, Failure { kind: FailureKind::NotFound, message });
    };
    let input_bytes_max = core.components.sandbox.limits().input_bytes_max;
    let encoded = input_text(&act.input)
        .and_then(|text| Ok((text.len(), serde_json::to_value(incident(core.clock.now_ms(), run))?)));
    let (input_bytes, incident) = match encoded {
        Ok(encoded) => encoded,
        Err(error) => {
            let failure = Failure { kind: FailureKind::Failed, message: error.to_string() };
            return failed(workflow, run, &act.key, failure);
        }
    };
    if input_bytes > input_bytes_max {
        let message = format!(
            "its input has {input_bytes} bytes once templates are rendered, and {input_bytes_max} are allowed \
             ([limits] input_bytes_max)"
        );
        return failed(workflow, run, &act.key, Failure { kind: FailureKind::Limit, message });
    }
    Fact::ActionStarted {
        action: act.key,
        digest: digest.clone(),
        input: Arc::new(act.input),
        incident: Arc::new(incident),
    }
}

/// The input as the component reads it.
fn input_text(input: &Map<String, Value>) -> serde_json::Result<String> {
    serde_json::to_string(input)
}

fn incident(now_ms: u64, run: &Run) -> Incident {
    let trigger = &run.trigger;
    let output = |(action, outputs): &(String, BTreeMap<String, String>)| ActionOutputs {
        action: action.clone(),
        outputs: outputs.iter().map(|(name, value)| (name.clone(), value.clone())).collect(),
    };
    Incident {
        now_ms,
        run_id: run.id.clone(),
        room: run.room.as_ref().map(channel),
        trigger: TriggerPost {
            name: trigger.name.clone(),
            post_id: trigger.post_id.clone(),
            text: trigger.text.clone(),
            user: user(&trigger.user),
            channel: channel(&trigger.channel),
            team_name: trigger.team_name.clone(),
            permalink: trigger.permalink.clone(),
            created_ms: trigger.created_ms,
            groups: trigger.groups.clone(),
        },
        outputs: run.outputs.iter().map(output).collect(),
        last_actor: run.last_actor.as_ref().map(user),
    }
}

/// Runs the current execution, from its beginning or again, and journals what came of it.
pub(crate) async fn execute(core: &Core, ledger: &Arc<Ledger>) -> Result<(), LedgerError> {
    let (run, losses) = {
        let open = ledger.open_ahead().await?;
        (Arc::clone(open.run()), open.losses())
    };
    let Some(current) = run.current.clone() else { return Ok(()) };
    let facts = match core.components.resolve(&current.digest).await {
        Ok(admitted) => {
            let (result, trace) = run_guest(core, ledger, (run, losses), &current, &admitted).await;
            conclude(core, ledger, &current, result, trace).await?
        }
        Err(message) => {
            let failure = Failure { kind: FailureKind::NotFound, message };
            vec![failed(&ledger.workflow(), &run, &current.key, failure)]
        }
    };
    let mut open = ledger.open_ahead().await?;
    // Cancelled while it ran: what it did is in the journal, what it concluded is not wanted any more. Nor is it when the journal
    // lacks what it saw.
    let is_current = open.run().current.as_ref().is_some_and(|now| now.key == current.key);
    if is_current && open.losses() == losses {
        open.append_soon(facts).await?;
        // Whoever pressed before it was known that the answer is lost has told which post it is about.
        let run = open.run();
        let unanswered = run.current.as_ref().and_then(|now| Some(now.key.call(&run.id, now.open_call()?.0)));
        ledger.keep_hint(unanswered.as_deref());
    }
    Ok(())
}

/// Runs an execution, from its beginning or again.
async fn run_guest(
    core: &Core,
    ledger: &Arc<Ledger>,
    (run, losses): (Arc<Run>, u64),
    current: &CurrentAction,
    admitted: &Admitted,
) -> (Result<Execution, RunError>, Trace) {
    let trace = Arc::new(Mutex::new(Trace::default()));
    let (permit, told) = (admitted.permit.clone(), Arc::clone(&trace));
    let host = host_calls(core, ledger, (&run, losses), current, permit, told);
    let context = context(&run, &current.key);
    // Who goes ahead of the journal changes the run in place while nobody else has it.
    drop(run);
    let journalled = Incident::deserialize(&*current.incident)
        .and_then(|incident| Ok((incident, input_text(&current.input)?)));
    let result = match journalled {
        Ok((incident, input)) => {
            let sandbox = &core.components.sandbox;
            sandbox.run(&admitted.action, &context, &incident, &input, Box::new(host)).await
        }
        Err(error) => Err(RunError::Trapped(format!("its journalled context cannot be read: {error}"))),
    };
    let trace = std::mem::take(&mut *trace.lock().unwrap_or_else(PoisonError::into_inner));
    (result, trace)
}

/// A call that was not found out about.
pub(crate) struct Unsettled {
    /// Why not, and whether that may pass.
    pub(crate) error: ChatError,
    /// The handle of the channel that it was to make, where that is known.
    channel_name: Option<String>,
}

/// Finds out about the call that was left open by an execution that is over: the component is run once more, and its host calls make
/// nothing that was not made before. None: it is known now.
pub(crate) async fn settle(
    core: &Core,
    ledger: &Arc<Ledger>,
    left: &CurrentAction,
) -> Result<Option<Unsettled>, LedgerError> {
    let (run, losses) = {
        let open = ledger.open_ahead().await?;
        (Arc::clone(open.run()), open.losses())
    };
    let never = |message: String| ChatError { kind: ChatErrorKind::Failed, message, retry_after_ms: None };
    let admitted = match core.components.resolve(&left.digest).await {
        Ok(admitted) => admitted,
        Err(message) => return Ok(Some(Unsettled { error: never(message), channel_name: None })),
    };
    let (result, trace) = run_guest(core, ledger, (run, losses), left, &admitted).await;
    let error = match (trace.interruption, result) {
        (Some(Interruption::Journal(error)), _) => return Err(error),
        (Some(Interruption::Temporary(error)), _) => error,
        (None, Err(RunError::Deadline { .. })) if trace.in_call => slow(),
        _ if !ledger.open_ahead().await?.run().left.iter().any(|known| known.key == left.key) => {
            return Ok(None);
        }
        _ => never("run again, the component does not come to that call any more".to_owned()),
    };
    Ok(Some(Unsettled { error, channel_name: trace.channel_name }))
}

/// The facts that close what is not found out.
pub(crate) fn given_up(left: &CurrentAction, unsettled: &Unsettled) -> Vec<Fact> {
    let fact = |(n, call): (u32, &warroom_engine::Call)| Fact::CallGivenUp {
        action: left.key.clone(),
        n,
        function: call.function.clone(),
        channel_name: unsettled.channel_name.clone(),
        reason: unsettled.error.message.clone(),
    };
    left.open_call().map(fact).into_iter().collect()
}

/// The other side was slow, not the guest.
fn slow() -> ChatError {
    let message = "the chat server was slow to answer".to_owned();
    ChatError { kind: ChatErrorKind::Away, message, retry_after_ms: None }
}

fn context(run: &Run, action: &ActionKey) -> Context {
    Context {
        key: action.execution(&run.id),
        workflow: run.workflow.clone(),
        number: run.number,
        step: run.step().unwrap_or_default().to_owned(),
    }
}

fn host_calls(
    core: &Core,
    ledger: &Arc<Ledger>,
    (run, losses): (&Run, u64),
    current: &CurrentAction,
    permit: crate::Permit,
    trace: Arc<Mutex<Trace>>,
) -> HostCalls {
    HostCalls {
        ledger: Arc::clone(ledger),
        chat: Arc::clone(&core.chat),
        clock: Arc::clone(&core.clock),
        key: core.key.clone(),
        groups: Arc::clone(&core.options.groups),
        action: current.key.clone(),
        permit,
        losses,
        trace,
        n: 0,
        known: run.channels.iter().map(|channel| channel.id.clone()).collect::<BTreeSet<_>>(),
    }
}

async fn conclude(
    core: &Core,
    ledger: &Ledger,
    current: &CurrentAction,
    result: Result<Execution, RunError>,
    trace: Trace,
) -> Result<Vec<Fact>, LedgerError> {
    let run = Arc::clone(ledger.open_ahead().await?.run());
    let failed =
        |kind, message| vec![failed(&ledger.workflow(), &run, &current.key, Failure { kind, message })];
    match trace.interruption {
        Some(Interruption::Journal(error)) => return Err(error),
        Some(Interruption::Diverged { n, journalled, function }) => {
            let message = format!(
                "run again after an interruption, its call {n} was `{function}` where it had been `{journalled}`: the \
                 component is not deterministic, so going on could do things twice. Check what was done, then skip or retry"
            );
            return Ok(failed(FailureKind::Nondeterministic, message));
        }
        Some(Interruption::Temporary(error)) => {
            return Ok(vec![deferred(core, ledger, &run, current, error).await]);
        }
        None => {}
    }
    Ok(match result {
        Ok(Execution { outcome: Ok(outcome), .. }) => match accept(&ledger.workflow(), &current.key, outcome)
        {
            Ok(facts) => facts,
            Err(message) => failed(FailureKind::InvalidInput, message),
        },
        // Run again it would read the same answers from the journal and say the same: only a person's retry asks anew.
        Ok(Execution { outcome: Err(error), .. }) => {
            let kind = if trace.name_taken { FailureKind::NameTaken } else { kind(&error) };
            failed(kind, error.message)
        }
        // The deadline passed while the journal was busy with the start of the run: the execution is run again.
        Err(RunError::Deadline { .. }) if trace.in_call && ledger.beginning.is_awaited() => {
            ledger.beginning.written().await;
            Vec::new()
        }
        // The deadline passed while a call was out.
        Err(RunError::Deadline { .. }) if trace.in_call => {
            vec![deferred(core, ledger, &run, current, slow()).await]
        }
        Err(error) => failed(FailureKind::Limit, error.to_string()),
    })
}

/// The facts of a good end, or what is wrong with it.
fn accept(workflow: &Workflow, key: &ActionKey, outcome: Outcome) -> Result<Vec<Fact>, String> {
    let outputs: BTreeMap<String, String> = outcome.outputs.into_iter().collect();
    let declared = Declared::by(workflow, &key.name);
    if let Some(unknown) = outputs.keys().find(|name| !declared.outputs.contains(*name)) {
        return Err(format!(
            "it put out `{unknown}`, which its descriptor does not declare; mend the component"
        ));
    }
    let mut facts = vec![Fact::ActionSucceeded { action: key.clone(), outputs }];
    if let Some(step) = outcome.transition {
        if !declared.steps.contains(&step) {
            return Err(format!(
                "it asked to go to `{step}`, which none of its parameters that name a step names; mend the component"
            ));
        }
        facts.push(Fact::TransitionChosen {
            to: Destination::Step(step),
            label: None,
            by: Chooser::Action(key.name.clone()),
        });
    }
    Ok(facts)
}

fn failed(workflow: &Workflow, run: &Run, key: &ActionKey, failure: Failure) -> Fact {
    tracing::warn!(run = %run.id, action = %key.name, kind = %failure.kind, "action failed: {}", failure.message);
    Fact::ActionFailed {
        action: key.clone(),
        goes_on: workflow.action(&key.name).is_some_and(goes_on_after_failure),
        failure,
    }
}

fn kind(error: &ActionError) -> FailureKind {
    match error.kind {
        ErrorKind::InvalidInput => FailureKind::InvalidInput,
        ErrorKind::NotFound => FailureKind::NotFound,
        ErrorKind::Conflict => FailureKind::Conflict,
        ErrorKind::Denied => FailureKind::Denied,
        ErrorKind::RateLimited | ErrorKind::Unavailable => FailureKind::Unavailable,
        ErrorKind::Failed => FailureKind::Failed,
    }
}

/// Whether it is too early to run the current execution again. No wait is longer than the action is tried: what lies further ahead was
/// written down by a clock that has been set back since.
pub(crate) fn waits(core: &Core, ledger: &Ledger, at_ms: u64) -> bool {
    let run = ledger.run();
    let workflow = ledger.workflow();
    let action = run.current.as_ref().and_then(|current| workflow.action(&current.key.name));
    let longest_ms = core.options.wait_ms_max(action.and_then(|action| action.retry));
    at_ms.checked_sub(core.clock.now_ms()).is_some_and(|left_ms| (1..=longest_ms).contains(&left_ms))
}

/// When to run the execution again; or, its budget spent, that it failed.
async fn deferred(
    core: &Core,
    ledger: &Ledger,
    run: &Run,
    current: &CurrentAction,
    error: ChatError,
) -> Fact {
    let workflow = ledger.workflow();
    let retry = workflow.action(&current.key.name).and_then(|action| action.retry);
    let spends_try = !is_outage(core.chat.as_ref(), &error).await;
    let now_ms = core.clock.now_ms();
    let mut budget = current.budget.clone();
    budget.note(now_ms, spends_try);
    let execution = current.key.execution(&run.id);
    let wait_ms = match core.options.next_wait_ms(&budget, retry, &error, (&execution, now_ms)) {
        Ok(wait_ms) => wait_ms,
        Err(spent) => {
            let (tries, seconds) = (budget.tries, budget.trying_ms(now_ms) / 1000);
            let tried = format!("given up after {tries} tries in {seconds} s");
            let message = match spent {
                Spent::Budget => format!("{error} ({tried})"),
                Spent::Asked { seconds } => format!(
                    "{error} ({tried}: the server asks for a wait of at least {seconds} s, which is longer than the action is \
                     tried; retry after that)"
                ),
            };
            let failure = Failure { kind: FailureKind::Unavailable, message };
            return failed(&workflow, run, &current.key, failure);
        }
    };
    tracing::info!(run = %run.id, action = %current.key.name, wait_ms, spends_try, "action interrupted: {error}");
    Fact::ActionDeferred {
        action: current.key.clone(),
        until_ms: now_ms.saturating_add(wait_ms),
        reason: error.message,
        spends_try,
    }
}
