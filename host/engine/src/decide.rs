//! Turns what people do into facts, or refuses with a reason that they can read.

use crate::control::{ControlPost, FieldKind, TransitionControl};
use crate::data::template_data;
use crate::event::{ActionKey, Chooser, Destination, Fact, FailureKind, Person, Phase};
use crate::run::{Leaving, Run, Status};
use std::collections::BTreeMap;
use warroom_workflow::{Action, ActionKind, OnError, Workflow, render_parameters};

/// Who did something.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Actor {
    /// The person.
    pub person: Person,
    /// The names that stand for the person besides the username and the id: groups.
    pub groups: Vec<String>,
}

impl From<Person> for Actor {
    fn from(person: Person) -> Actor {
        Actor { person, groups: Vec::new() }
    }
}

/// What a person did.
#[derive(Debug, Clone, PartialEq)]
pub enum Input {
    /// Pressed a button field, or chose from a menu.
    SetField {
        /// The key of the post.
        post: String,
        /// Which field of it, from 0.
        field: usize,
        /// The option, for a menu.
        option: Option<String>,
    },
    /// Pressed a transition.
    ChooseTransition {
        /// The key of the post.
        post: String,
        /// Which transition of it, from 0.
        transition: usize,
    },
    /// Asked to try the failed action again.
    Retry,
    /// Asked to try it again with the next number whose name is free.
    Renumber,
    /// Asked to try it again as the workflow is now.
    Repin {
        /// The digest of the file text.
        workflow_digest: String,
        /// Digests of its components, by action type.
        components: BTreeMap<String, String>,
        /// The workflow as it is now.
        current: Box<Workflow>,
    },
    /// Asked to go on without the failed action.
    Skip,
    /// Asked to end the run.
    Cancel {
        /// Why.
        reason: Option<String>,
        /// Whether the channels that the run made stay as they are.
        keep_room: bool,
    },
}

/// Why a person's input changes nothing. The text is for that person.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Refusal {
    /// The control belongs to no post of this run.
    #[error("This control is not part of the incident any more.")]
    Unknown,
    /// The step of the control was left before.
    #[error("Too late: this incident is {0} now.")]
    Left(Whereabouts),
    /// Somebody else chose a transition first.
    #[error("{by} chose \u{201c}{label}\u{201d} first.")]
    AlreadyChosen {
        /// Who.
        by: String,
        /// What their button said.
        label: String,
    },
    /// The transition is for others.
    #[error("\u{201c}{label}\u{201d} is for {}.", people(.allowed))]
    NotAllowed {
        /// What the button says.
        label: String,
        /// Who may press it.
        allowed: Vec<String>,
    },
    /// The menu does not offer this.
    #[error("\u{201c}{0}\u{201d} is not one of the options.")]
    NotOffered(String),
    /// The run is blocked: transitions wait until that is mended.
    #[error("The incident is blocked: {0} Retry, skip or cancel first.")]
    Blocked(String),
    /// There is nothing to retry or skip.
    #[error("The incident is not blocked (any more): there is nothing to {0}.")]
    NotBlocked(&'static str),
    /// The failed action was to offer the ways on.
    #[error(
        "This post was to offer the ways on from the step: without it nobody could go on. Retry or cancel."
    )]
    OnlyWayOn,
    /// The block lies in no single action.
    #[error("No single action failed, so none can be skipped. Retry or cancel.")]
    NothingToSkip,
    /// Another number would not help.
    #[error("The action did not fail because a name is taken that holds the incident's number. Retry, skip or cancel.")]
    NothingToRenumber,
    /// The workflow of today has no place for the run.
    #[error("The workflow as it is now cannot take this incident over: {0}. Retry, skip or cancel.")]
    CannotRepin(String),
}

/// Where a run is, for people.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Whereabouts(String);

impl std::fmt::Display for Whereabouts {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl Whereabouts {
    fn of(run: &Run) -> Whereabouts {
        Whereabouts(match (&run.status, run.step()) {
            (Status::Finished, _) => "finished".to_owned(),
            (Status::Cancelled(cancelled), _) => format!("cancelled by {}", cancelled.by.mention()),
            (_, Some(step)) => format!("in step {step}"),
            (_, None) => "starting".to_owned(),
        })
    }
}

/// Decides what a person's input means for the run. No fact: it was done before, and is answered as before.
///
/// # Errors
/// [`Refusal`], whose text is for the person, when it changes nothing.
pub fn decide(workflow: &Workflow, run: &Run, input: Input, by: &Actor) -> Result<Vec<Fact>, Refusal> {
    let person = || by.person.clone();
    match input {
        Input::SetField { post, field, option } => set_field(run, &post, field, option, &by.person),
        Input::ChooseTransition { post, transition } => choose(run, &post, transition, by),
        Input::Retry => blocked_action(run, "retry").map(|_| vec![Fact::Retried { by: person() }]),
        Input::Renumber => renumber(workflow, run).map(|()| vec![Fact::RenumberingAsked { by: person() }]),
        Input::Repin { workflow_digest, components, current } => {
            let (phase, index) = place_in(&current, run)?;
            Ok(vec![Fact::Repinned { by: person(), workflow_digest, components, phase, index }])
        }
        Input::Skip => skip(workflow, run, &by.person),
        Input::Cancel { .. } if run.has_ended() => Err(Refusal::Left(Whereabouts::of(run))),
        Input::Cancel { reason, keep_room } => {
            Ok(vec![Fact::RunCancelled { by: person(), reason, keep_room }])
        }
    }
}

fn set_field(
    run: &Run,
    key: &str,
    field: usize,
    option: Option<String>,
    by: &Person,
) -> Result<Vec<Fact>, Refusal> {
    let post = run.post(key).ok_or(Refusal::Unknown)?;
    let field = post.controls.fields.get(field).ok_or(Refusal::Unknown)?;
    require_live(run, post)?;
    let value = match (&field.kind, option) {
        (FieldKind::Button, _) => by.username.clone(),
        (FieldKind::Menu(options), Some(option)) if options.contains(&option) => option,
        (FieldKind::Menu(_), Some(option)) => return Err(Refusal::NotOffered(option)),
        (FieldKind::Menu(_), None) => return Err(Refusal::Unknown),
    };
    // The same request may come twice: the server repeats what it could not deliver, and people press twice.
    if run.choice(&post.action, &field.name).is_some_and(|last| last.value == value && last.by.id == by.id) {
        return Ok(Vec::new());
    }
    Ok(vec![Fact::FieldSet {
        post: post.key.clone(),
        action: post.action.clone(),
        field: field.name.clone(),
        value,
        by: by.clone(),
    }])
}

fn choose(run: &Run, key: &str, transition: usize, by: &Actor) -> Result<Vec<Fact>, Refusal> {
    let post = run.post(key).ok_or(Refusal::Unknown)?;
    let TransitionControl { label, to, allowed, .. } =
        post.controls.transitions.get(transition).ok_or(Refusal::Unknown)?;
    let chosen = Leaving {
        to: Destination::Step(to.clone()),
        label: Some(label.clone()),
        by: Chooser::Person(by.person.clone()),
    };
    if left_by(run, post) == Some(&chosen) {
        return Ok(Vec::new());
    }
    require_live(run, post)?;
    if !allowed.is_empty() && !allowed.iter().any(|name| is_named(by, name)) {
        return Err(Refusal::NotAllowed { label: label.clone(), allowed: allowed.clone() });
    }
    if let Status::Blocked { failure, .. } = &run.status {
        return Err(Refusal::Blocked(sentence(&failure.message)));
    }
    Ok(vec![Fact::TransitionChosen { to: chosen.to, label: chosen.label, by: chosen.by }])
}

/// How the visit of the post was left, if it was.
fn left_by<'a>(run: &'a Run, post: &ControlPost) -> Option<&'a Leaving> {
    let at = usize::try_from(post.visit).ok()?.checked_sub(1)?;
    run.visits.get(at)?.leaving.as_ref()
}

/// Whether `name` is the person's username, with or without `@`, id, or group.
fn is_named(by: &Actor, name: &str) -> bool {
    let bare = name.trim_start_matches('@');
    by.person.username == bare || by.person.id == name || by.groups.iter().any(|group| group == bare)
}

/// Whether another number would give the failed action another name.
#[must_use]
pub fn can_renumber(workflow: &Workflow, run: &Run) -> bool {
    renumber(workflow, run).is_ok()
}

fn renumber(workflow: &Workflow, run: &Run) -> Result<(), Refusal> {
    let Status::Blocked { failure, action: Some(key) } = &run.status else {
        return Err(blocked_action(run, "renumber").err().unwrap_or(Refusal::NothingToRenumber));
    };
    let Some(ActionKind::Component { parameters, .. }) = workflow.action(&key.name).map(|action| &action.kind)
    else {
        return Err(Refusal::NothingToRenumber);
    };
    let other = Run { number: run.number.wrapping_add(1), ..run.clone() };
    let input = |run: &Run| render_parameters(parameters, &template_data(workflow, run)).ok();
    let depends = input(run) != input(&other);
    if failure.kind == FailureKind::NameTaken && depends { Ok(()) } else { Err(Refusal::NothingToRenumber) }
}

/// Where the failed action stands in another version of the workflow.
///
/// # Errors
/// [`Refusal`] when the run could not go on there.
pub fn place_in(current: &Workflow, run: &Run) -> Result<(Phase, u32), Refusal> {
    let missing = |what: String| Err(Refusal::CannotRepin(what));
    let action = blocked_action(run, "retry")?;
    if run.unsettled.is_some() {
        return missing("a call of the failed action may have been made, and only the version that made it can tell".into());
    }
    let step = run.step().unwrap_or_default();
    let Some(found) = current.step(step) else { return missing(format!("it has no step `{step}`")) };
    let Some(action) = action else { return Ok((run.phase, run.index)) };
    let list = match action.phase {
        Phase::Start => &found.start_actions,
        Phase::Finish => &found.finish_actions,
    };
    let at = list.iter().position(|known| known.name == action.name.as_str());
    match at.and_then(|at| u32::try_from(at).ok()) {
        Some(index) => Ok((action.phase, index)),
        None => missing(format!("its step `{step}` has no action `{}` at that place", action.name)),
    }
}

/// Usernames for people to read.
fn people(names: &[String]) -> String {
    names.iter().map(|name| format!("@{}", name.trim_start_matches('@'))).collect::<Vec<_>>().join(", ")
}

/// Controls live as long as their visit, until somebody decides to leave.
fn require_live(run: &Run, post: &ControlPost) -> Result<(), Refusal> {
    if run.is_live(post) {
        return Ok(());
    }
    match run.leaving() {
        Some(Leaving { by: Chooser::Person(by), label, .. }) if post.visit == run.visit() => {
            Err(Refusal::AlreadyChosen { by: by.mention(), label: label.clone().unwrap_or_default() })
        }
        _ => Err(Refusal::Left(Whereabouts::of(run))),
    }
}

fn blocked_action<'a>(run: &'a Run, verb: &'static str) -> Result<Option<&'a ActionKey>, Refusal> {
    match &run.status {
        Status::Blocked { action, .. } => Ok(action.as_ref()),
        _ => Err(Refusal::NotBlocked(verb)),
    }
}

fn skip(workflow: &Workflow, run: &Run, by: &Person) -> Result<Vec<Fact>, Refusal> {
    let action = blocked_action(run, "skip")?.ok_or(Refusal::NothingToSkip)?;
    // An action that the workflow no longer has leaves nothing to stand on after it.
    let Some(action) = workflow.action(&action.name) else { return Err(Refusal::NothingToSkip) };
    if leads_somewhere(action) && !run.offers_transitions() {
        return Err(Refusal::OnlyWayOn);
    }
    Ok(vec![Fact::Skipped { by: by.clone() }])
}

/// Whether a failure of this action lets the run go on. Never past an action that was to offer the ways on: the run would
/// end where people were to decide.
#[must_use]
pub fn goes_on_after_failure(action: &Action) -> bool {
    action.on_error == OnError::Continue && !leads_somewhere(action)
}

/// Whether the run will come to its end by itself, with nobody asked: nothing in its step leads to another one. A failure can
/// still stop it there.
#[must_use]
pub fn ends_by_itself(workflow: &Workflow, run: &Run) -> bool {
    let step = run.step().and_then(|step| workflow.step(step));
    let leads_on =
        |action: &Action| leads_somewhere(action) || matches!(action.kind, ActionKind::TransitionTo { .. });
    matches!(run.status, Status::Open) && step.is_some_and(|step| !step.actions().any(leads_on))
}

fn leads_somewhere(action: &Action) -> bool {
    matches!(&action.kind, ActionKind::Component { steps, .. } if !steps.is_empty())
}

fn sentence(message: &str) -> String {
    let message = message.trim_end();
    if message.ends_with(['.', '!', '?']) { message.to_owned() } else { format!("{message}.") }
}
