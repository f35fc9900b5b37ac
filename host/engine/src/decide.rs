//! Turns what people do into facts, or refuses with a reason that they can read.

use crate::announcement::{Matter, Remedy, Resolution};
use crate::control::{ControlPost, Field, FieldKind, TransitionControl};
use crate::data::template_data;
use crate::event::{ActionKey, Chooser, Destination, Fact, FailureKind, Person, Phase};
use crate::run::{Choice, Leaving, Run, Status};
use std::collections::BTreeMap;
use std::sync::Arc;
use warroom_workflow::{Action, ActionKind, OnError, Workflow, render_parameters};

/// Who did something.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Actor {
    /// The person.
    pub person: Person,
    /// The names that stand for the person besides the username and the id: groups.
    pub groups: Vec<String>,
    /// Whether the person has a group's name as username: then that name means the group, and the person by the id alone.
    pub is_called_like_a_group: bool,
}

impl Actor {
    /// Whether `name` is the person, as [`Person::is_named`] says, or a group of theirs.
    #[must_use]
    pub fn is_named(&self, name: &str) -> bool {
        let bare = name.trim_start_matches('@');
        let is_person =
            if self.is_called_like_a_group { self.person.id == name } else { self.person.is_named(name) };
        is_person || self.groups.iter().any(|group| group.eq_ignore_ascii_case(bare))
    }
}

impl From<Person> for Actor {
    fn from(person: Person) -> Actor {
        Actor { person, groups: Vec::new(), is_called_like_a_group: false }
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
        /// Which press it was.
        click: Click,
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
        components: Arc<BTreeMap<String, String>>,
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

/// One press, among others of the same person on the same control.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Click {
    /// What the server calls it; empty where it does not tell.
    pub id: String,
    /// When it came, in milliseconds since 1970.
    pub at_ms: u64,
}

/// What a person pressed on a post.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Pressed {
    /// A field, from 0, the option, for a menu, and which press it was.
    Field(usize, Option<String>, Click),
    /// A transition, from 0.
    Transition(usize),
    /// What is to be done about what the post tells of.
    Remedy(Remedy),
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
    /// Somebody chose a transition first.
    #[error("{by} chose \u{201c}{label}\u{201d} first.{}", meanwhile(.now))]
    AlreadyChosen {
        /// Who.
        by: String,
        /// What their button said.
        label: String,
        /// Where the run is now, once it has left the step.
        now: Option<Whereabouts>,
    },
    /// Somebody did something about the block first.
    #[error("{by} {}. This incident is {now} now.", deed(.how))]
    Resolved {
        /// Who.
        by: String,
        /// What.
        how: Remedy,
        /// Where the run is now.
        now: Whereabouts,
    },
    /// The lost channel is there again.
    #[error("The channel can be used again: this incident is {0} now, and nothing was cancelled.")]
    Back(Whereabouts),
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
    #[error(
        "The action did not fail because a name is taken that holds the incident's number. Retry, skip or cancel."
    )]
    NothingToRenumber,
    /// The workflow of today has no place for the run.
    #[error("The workflow as it is now cannot take this incident over: {0}. Retry, skip or cancel.")]
    CannotRepin(String),
}

impl Refusal {
    /// What is said while the run is blocked; none while it is not.
    #[must_use]
    pub fn blocked(run: &Run) -> Option<Refusal> {
        match &run.status {
            Status::Blocked { failure, .. } => Some(Refusal::Blocked(sentence(&failure.message))),
            _ => None,
        }
    }
}

/// Where a run is, for people.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Whereabouts(String);

/// Where the run is now, as a sentence after another one.
fn meanwhile(now: &Option<Whereabouts>) -> String {
    now.as_ref().map(|now| format!(" This incident is {now} now.")).unwrap_or_default()
}

/// What somebody did about a block.
fn deed(how: &Remedy) -> &'static str {
    match how {
        Remedy::Retry => "had it tried again already",
        Remedy::Skip => "skipped it already",
        Remedy::Renumber => "had it tried again with the next free number already",
        Remedy::Repin => "had it tried again with the current version of the workflow already",
        Remedy::Cancel => "cancelled the incident already",
    }
}

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
            (Status::Blocked { .. }, Some(step)) => format!("blocked in step {step}"),
            (Status::Open, Some(step)) => format!("in step {step}"),
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
        Input::SetField { post, field, option, click } => {
            set_field(run, &post, (field, option), &click, &by.person)
        }
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

/// Whether the same person pressed the same before, and it still stands: the server repeats what it could not deliver, and people
/// press twice. Then it changes nothing and is answered as before, also once the run is over. Who may press is not looked at.
///
/// # Errors
/// [`Refusal`] when it comes too late, or the post has no such control.
pub fn is_repeated(run: &Run, post: &str, pressed: &Pressed, by: &Person) -> Result<bool, Refusal> {
    match pressed {
        Pressed::Field(field, option, click) => {
            set_field(run, post, (*field, option.clone()), click, by).map(|facts| facts.is_empty())
        }
        Pressed::Transition(transition) => offered(run, post, *transition, by).map(|offer| offer.is_none()),
        Pressed::Remedy(remedy) => is_remedied(run, post, *remedy, by),
    }
}

fn is_remedied(run: &Run, post: &str, remedy: Remedy, by: &Person) -> Result<bool, Refusal> {
    let (_, known) = run.announcement(post).ok_or(Refusal::Unknown)?;
    let now = Whereabouts::of(run);
    let is_over = run.has_ended();
    match &known.matter {
        Matter::Blocked { resolved: Some(done), .. } if done.how == remedy && done.by.id == by.id => Ok(true),
        Matter::Blocked { resolved: Some(Resolution { how, by }), .. } if *how != Remedy::Cancel => {
            Err(Refusal::Resolved { by: by.mention(), how: *how, now })
        }
        Matter::Blocked { resolved: None, .. } if !is_over => Ok(false),
        Matter::Lost { .. } if remedy != Remedy::Cancel => Err(Refusal::Unknown),
        Matter::Lost { is_back, .. } if !is_over => {
            if *is_back {
                Err(Refusal::Back(now))
            } else {
                Ok(false)
            }
        }
        Matter::Lost { .. } if was_cancelled_by(run, by) => Ok(true),
        Matter::Lost { .. } | Matter::Blocked { .. } => Err(Refusal::Left(now)),
        _ => Err(Refusal::Unknown),
    }
}

fn was_cancelled_by(run: &Run, by: &Person) -> bool {
    matches!(&run.status, Status::Cancelled(cancelled) if cancelled.by.id == by.id)
}

fn set_field(
    run: &Run,
    key: &str,
    (field, option): (usize, Option<String>),
    click: &Click,
    by: &Person,
) -> Result<Vec<Fact>, Refusal> {
    let post = run.post(key).ok_or(Refusal::Unknown)?;
    let field = post.controls.fields.get(field).ok_or(Refusal::Unknown)?;
    let value = match (&field.kind, option) {
        (FieldKind::Button, _) => by.username.clone(),
        (FieldKind::Menu(options), Some(option)) if options.contains(&option) => option,
        (FieldKind::Menu(_), Some(option)) => return Err(Refusal::NotOffered(option)),
        (FieldKind::Menu(_), None) => return Err(Refusal::Unknown),
    };
    if is_set_so(run, post, field, &value, click, by) {
        return Ok(Vec::new());
    }
    require_live(run, post)?;
    Ok(vec![Fact::FieldSet {
        post: post.key.clone(),
        action: post.action.clone(),
        field: field.name.clone(),
        value,
        by: by.clone(),
        press: click.id.clone(),
    }])
}

/// Whether the press was taken before, or changes nothing: the person made the last choice that the post shows, and made it so. A
/// button is there to be pressed again, once nobody can have pressed it twice by mistake; and one that was pressed on an earlier visit
/// was not pressed on this one.
fn is_set_so(run: &Run, post: &ControlPost, field: &Field, value: &str, click: &Click, by: &Person) -> bool {
    let choices = run.choices_on(post, &field.name);
    if !click.id.is_empty() && choices.iter().any(|known| known.press == click.id) {
        return true;
    }
    let is_anew = |last: &Choice| {
        !click.id.is_empty() && click.at_ms.saturating_sub(last.at_ms) > PRESSED_TWICE_MS_MAX
            || last.post != post.key
    };
    choices
        .last()
        .filter(|last| field.kind != FieldKind::Button || !is_anew(last))
        .is_some_and(|last| last.value == value && last.by.id == by.id)
}

/// Within which time the same person's presses of a button count as one, in milliseconds.
const PRESSED_TWICE_MS_MAX: u64 = 10_000;

fn choose(run: &Run, key: &str, transition: usize, by: &Actor) -> Result<Vec<Fact>, Refusal> {
    let Some(offer) = offered(run, key, transition, &by.person)? else { return Ok(Vec::new()) };
    let TransitionControl { label, to, allowed, .. } = offer;
    if !allowed.is_empty() && !allowed.iter().any(|name| by.is_named(name)) {
        return Err(Refusal::NotAllowed { label: label.clone(), allowed: allowed.clone() });
    }
    if let Some(blocked) = Refusal::blocked(run) {
        return Err(blocked);
    }
    let (to, label) = (Destination::Step(to.clone()), Some(label.clone()));
    Ok(vec![Fact::TransitionChosen { to, label, by: Chooser::Person(by.person.clone()) }])
}

/// The transition, while it can be pressed; none when the person pressed it before, and it was the one that counted.
fn offered<'a>(
    run: &'a Run,
    key: &str,
    transition: usize,
    by: &Person,
) -> Result<Option<&'a TransitionControl>, Refusal> {
    let post = run.post(key).ok_or(Refusal::Unknown)?;
    let offer = post.controls.transitions.get(transition).ok_or(Refusal::Unknown)?;
    let is_this = |left: &Leaving| {
        matches!(&left.to, Destination::Step(step) if *step == offer.to)
            && left.label.as_ref() == Some(&offer.label)
            && matches!(&left.by, Chooser::Person(person) if person.id == by.id)
    };
    if left_by(run, post).is_some_and(is_this) {
        return Ok(None);
    }
    require_live(run, post).map(|()| Some(offer))
}

/// How the visit of the post was left, if it was.
fn left_by<'a>(run: &'a Run, post: &ControlPost) -> Option<&'a Leaving> {
    let at = usize::try_from(post.visit).ok()?.checked_sub(1)?;
    run.visits.get(at)?.leaving.as_ref()
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
    let Some(ActionKind::Component { parameters, .. }) =
        workflow.action(&key.name).map(|action| &action.kind)
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
        return missing(
            "a call of the failed action may have been made, and only the version that made it can tell"
                .into(),
        );
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

/// Controls live as long as their visit, until somebody decides to leave. Who comes after that is told who, and where the run is.
fn require_live(run: &Run, post: &ControlPost) -> Result<(), Refusal> {
    if run.is_live(post) {
        return Ok(());
    }
    match left_by(run, post) {
        Some(Leaving { by: Chooser::Person(by), label, .. }) => {
            let is_left = post.visit != run.visit() || run.has_ended();
            let now = is_left.then(|| Whereabouts::of(run));
            Err(Refusal::AlreadyChosen { by: by.mention(), label: label.clone().unwrap_or_default(), now })
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
