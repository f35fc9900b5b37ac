//! What the host must do now, given nothing but the workflow and the run.

use crate::announcement::{Announcement, Matter};
use crate::control::ControlPost;
use crate::data::template_data;
use crate::decide::goes_on_after_failure;
use crate::event::{ActionKey, Channel, Chooser, Destination, Fact, Failure, FailureKind, Phase};
use crate::run::{Leaving, Run, Status, Visit};
use serde_json::{Map, Value};
use std::collections::BTreeSet;
use warroom_workflow::{Action, ActionKind, Step, Workflow, render_parameters};

/// How many transitions may follow each other without a person. A cycle of automatic transitions is refused at upload;
/// this stops one that components make at run time.
pub const AUTOMATIC_TRANSITIONS_MAX: u32 = 32;

/// What the host must do now.
#[derive(Debug, Clone, PartialEq)]
pub enum Next {
    /// Journal these facts, apply them, ask again.
    Record(Vec<Fact>),
    /// Begin to execute an action.
    Act(Box<Act>),
    /// Run the interrupted execution in `Run::current` again.
    Resume {
        /// Not before this time, in milliseconds since 1970.
        not_before_ms: Option<u64>,
    },
    /// Take the controls away from a post, then journal `ControlsRemoved`.
    RemoveControls(Box<ControlPost>),
    /// Post this announcement, then journal `AnnouncementPosted` or `AnnouncementFailed`.
    Announce(u32),
    /// Pin the post to its channel, then journal `Pinned`.
    Pin(Box<ControlPost>),
    /// Unpin the post, then journal `Unpinned`.
    Unpin(Box<ControlPost>),
    /// Take the workflow's next number, then journal `Renumbered`.
    TakeNumber,
    /// Find out about the call that [`Run::execution_to_settle`] left open, then journal `CallAnswered`.
    Settle {
        /// Whether the run comes to its end: what cannot be found out now is given up with `CallGivenUp`.
        is_last_chance: bool,
    },
    /// Archive the channel, then journal `ChannelArchived` or `ChannelKept`.
    CloseRoom(Box<Channel>),
    /// Nothing until a person decides.
    Wait,
    /// Nothing until a person retries, skips or cancels.
    Blocked,
    /// Nothing, ever.
    Done,
}

/// An action to execute.
#[derive(Debug, Clone, PartialEq)]
pub struct Act {
    /// Which.
    pub key: ActionKey,
    /// The action type, which names the component.
    pub type_name: String,
    /// The input, templates rendered.
    pub input: Map<String, Value>,
}

/// Says what the host must do now.
#[must_use]
pub fn next(workflow: &Workflow, run: &Run) -> Next {
    next_besides(workflow, run, &BTreeSet::new())
}

/// Says what the host must do now, while these announcements wait for their next try: they hold nothing else up.
#[must_use]
pub fn next_besides(workflow: &Workflow, run: &Run, resting: &BTreeSet<u32>) -> Next {
    if let Some(n) = due(run, resting, |matter| !matches!(matter, Matter::Repeats | Matter::Cancelled)) {
        return Next::Announce(n);
    }
    match by_status(workflow, run, resting) {
        next @ (Next::Wait | Next::Blocked) if !run.has_ended() => at_rest(run, resting).unwrap_or(next),
        next => next,
    }
}

fn by_status(workflow: &Workflow, run: &Run, resting: &BTreeSet<u32>) -> Next {
    match &run.status {
        Status::Finished => due(run, resting, |_| true).map_or_else(|| over(run), Next::Announce),
        Status::Cancelled(_) => close(run, resting),
        Status::Blocked { .. } => Next::Blocked,
        Status::Open if run.renumbering.as_ref().is_some_and(|search| search.is_due) => Next::TakeNumber,
        Status::Open => open(workflow, run),
    }
}

/// What can be done when the run rests: then the room is there, and nothing urgent waits behind it.
fn at_rest(run: &Run, resting: &BTreeSet<u32>) -> Option<Next> {
    if let Some(n) = due(run, resting, |_| true) {
        return Some(Next::Announce(n));
    }
    pin(run).or_else(|| settle(run, false))
}

fn settle(run: &Run, is_last_chance: bool) -> Option<Next> {
    run.execution_to_settle().map(|_| Next::Settle { is_last_chance })
}

fn pin(run: &Run) -> Option<Next> {
    let wanted = run.post_to_pin();
    match run.pinned.as_deref().and_then(|key| run.post(key)) {
        Some(pinned) if wanted.is_none_or(|wanted| wanted.key != pinned.key) => {
            Some(Next::Unpin(Box::new(pinned.clone())))
        }
        Some(_) => None,
        None => wanted.map(|post| Next::Pin(Box::new(post.clone()))),
    }
}

/// The first announcement of such a matter that is to be posted now.
fn due(run: &Run, resting: &BTreeSet<u32>, is_wanted: impl Fn(&Matter) -> bool) -> Option<u32> {
    let is_due =
        |n: &u32, known: &Announcement| is_wanted(&known.matter) && known.is_due() && !resting.contains(n);
    (0..).zip(&run.announcements).find(|(n, known)| is_due(n, known)).map(|(n, _)| n)
}

/// A cancelled run: no buttons any more, people told where it began, and then the room is closed, also one that nobody knew of yet.
fn close(run: &Run, resting: &BTreeSet<u32>) -> Next {
    if let Some(next) = remaining_controls(run) {
        return next;
    }
    if let Some(n) = due(run, resting, |_| true) {
        return Next::Announce(n);
    }
    if let Some(next) = settle(run, true) {
        return next;
    }
    if let Some(room) = run.room_to_close() {
        return Next::CloseRoom(Box::new(room.clone()));
    }
    // A room that stays is no longer about a step.
    run.stale_pin().map_or_else(|| over(run), |pinned| Next::Unpin(Box::new(pinned.clone())))
}

/// What could be told nowhere keeps a run that has ended: it may be told again.
fn over(run: &Run) -> Next {
    if run.has_settled() { Next::Done } else { Next::Wait }
}

fn open(workflow: &Workflow, run: &Run) -> Next {
    if let Some(current) = &run.current {
        return Next::Resume { not_before_ms: current.not_before_ms };
    }
    let Some(visit) = run.visits.last() else {
        return Next::Record(vec![Fact::StepEntered { step: workflow.first_step().name.to_string() }]);
    };
    let Some(step) = workflow.step(&visit.step) else {
        return missing_step(&visit.step);
    };
    if run.phase == Phase::Start
        && let Some(next) = start_actions(workflow, run, visit, step)
    {
        return next;
    }
    leave(workflow, run, visit, step)
}

/// The next start action, or what follows when there is none; nothing when the step is to be left now.
fn start_actions(workflow: &Workflow, run: &Run, visit: &Visit, step: &Step) -> Option<Next> {
    // A person's choice waits for the start actions; any other transition skips what is left of them.
    let skips_rest = visit.leaving.as_ref().is_some_and(|leaving| !matches!(leaving.by, Chooser::Person(_)));
    if skips_rest {
        return None;
    }
    // What a person chose stands: a `transition_to` at the end of the list comes too late.
    let next = step.start_actions.get(run.index as usize);
    if let Some(action) = next.filter(|action| visit.leaving.is_none() || is_component(action)) {
        return Some(execute(workflow, run, action, Phase::Start, run.index, run.attempt));
    }
    match visit.leaving {
        Some(_) => None,
        None if run.offers_transitions() => Some(Next::Wait),
        None => Some(Next::Record(vec![chosen(Destination::End)])),
    }
}

/// Controls first, so that nobody presses a button of a step that is being left; then the finish actions; then on.
fn leave(workflow: &Workflow, run: &Run, visit: &Visit, step: &Step) -> Next {
    if let Some(next) = remaining_controls(run) {
        return next;
    }
    let (index, attempt) = if run.phase == Phase::Finish { (run.index, run.attempt) } else { (0, 1) };
    if let Some(action) = step.finish_actions.get(index as usize) {
        return execute(workflow, run, action, Phase::Finish, index, attempt);
    }
    match &visit.leaving {
        Some(Leaving { to: Destination::Step(to), .. }) => enter(workflow, run, to),
        _ => run
            .stale_pin()
            .map(|pinned| Next::Unpin(Box::new(pinned.clone())))
            .or_else(|| settle(run, true))
            .unwrap_or(Next::Record(vec![Fact::StepLeft, Fact::RunFinished])),
    }
}

fn enter(workflow: &Workflow, run: &Run, to: &str) -> Next {
    if workflow.step(to).is_none() {
        return missing_step(to);
    }
    if run.automatic_transitions > AUTOMATIC_TRANSITIONS_MAX {
        return blocked(format!(
            "the run went through {AUTOMATIC_TRANSITIONS_MAX} transitions without a person; the next would be to step \
             `{to}`. Break the circle in the workflow, or press Retry to let it go round once more"
        ));
    }
    Next::Record(vec![Fact::StepLeft, Fact::StepEntered { step: to.to_owned() }])
}

fn execute(workflow: &Workflow, run: &Run, action: &Action, phase: Phase, index: u32, attempt: u32) -> Next {
    let (type_name, parameters) = match &action.kind {
        ActionKind::TransitionTo { step } => {
            return Next::Record(vec![chosen(Destination::Step(step.to_string()))]);
        }
        ActionKind::FinishedWorkflow => return Next::Record(vec![chosen(Destination::End)]),
        ActionKind::Component { type_name, parameters, .. } => (type_name, parameters),
    };
    let key = ActionKey { visit: run.visit(), phase, index, attempt, name: action.name.to_string() };
    match render_parameters(parameters, &template_data(workflow, run)) {
        Ok(input) => Next::Act(Box::new(Act { key, type_name: type_name.clone(), input })),
        Err(error) => Next::Record(vec![Fact::ActionFailed {
            action: key,
            failure: Failure { kind: FailureKind::Template, message: error.to_string() },
            goes_on: goes_on_after_failure(action),
        }]),
    }
}

fn is_component(action: &Action) -> bool {
    matches!(action.kind, ActionKind::Component { .. })
}

fn remaining_controls(run: &Run) -> Option<Next> {
    let post = run.posts.iter().find(|post| !run.removed.contains(&post.key))?;
    Some(Next::RemoveControls(Box::new(post.clone())))
}

fn chosen(to: Destination) -> Fact {
    Fact::TransitionChosen { to, label: None, by: Chooser::Workflow }
}

fn blocked(message: String) -> Next {
    Next::Record(vec![Fact::RunBlocked { failure: Failure { kind: FailureKind::Failed, message } }])
}

fn missing_step(step: &str) -> Next {
    blocked(format!(
        "the workflow has no step `{step}`, so the run cannot go on there. Put the step back, or cancel the run"
    ))
}
