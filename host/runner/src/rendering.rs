//! How the posts of a run look now: a projection of what was written and what has happened since.

mod announced;

use crate::chat::{ControlKind, RenderedControl, RenderedPost, Section};
use crate::controls::{Control, Key};
use crate::core::Core;
use crate::ledger::Ledger;
use announced::Offers;
use warroom_engine::{
    Choice, Chooser, ControlPost, Destination, Field, FieldKind, Leaving, Run, Status, TransitionControl,
};

/// The post with this key as it is to look, as of the run's last event; none for a key that is not of the run.
pub(crate) fn look(core: &Core, ledger: &Ledger, run: &Run, key: &str) -> Option<RenderedPost> {
    let announced = run.announcement(run.stands_for(key)).map(|(_, known)| known);
    let offers = announced.map(|known| Offers::of(core, &ledger.workflow(), run, known)).unwrap_or_default();
    look_with(core, run, key, &offers)
}

/// The same for a run that is over: nothing is offered any more.
pub(crate) fn last_look(core: &Core, run: &Run, key: &str) -> Option<RenderedPost> {
    look_with(core, run, key, &Offers::default())
}

/// What stands in for a post that was deleted looks like that, and says so.
fn look_with(core: &Core, run: &Run, key: &str, offers: &Offers) -> Option<RenderedPost> {
    let original = run.stands_for(key);
    let mut look = match run.post(original) {
        Some(post) => controls(&core.key, run, post, key),
        None => announced::render(&core.key, run, key, &run.announcement(original)?.1.matter, offers),
    };
    if original != key {
        look.message =
            format!(":wastebasket: Somebody deleted this post, so here it is again.\n\n{}", look.message);
    }
    Some(look)
}

/// The post as it is to look, as of the run's last event.
pub(crate) fn control_post(key: &Key, run: &Run, post: &ControlPost) -> RenderedPost {
    controls(key, run, post, &post.key)
}

/// The same, as the post with the key `of` shows it.
fn controls(key: &Key, run: &Run, post: &ControlPost, of: &str) -> RenderedPost {
    let mut sections = Vec::new();
    if !post.controls.fields.is_empty() {
        sections.push(fields(key, run, post, of));
    }
    if !post.controls.transitions.is_empty() {
        sections.push(transitions(key, run, post, of));
    }
    RenderedPost { message: post.message.clone(), sections }
}

fn fields(key: &Key, run: &Run, post: &ControlPost, of: &str) -> Section {
    let choices = |field: &Field| run.choices_on(post, &field.name);
    let described = post.controls.fields.iter().map(|field| described(&field.name, &field.description));
    let chosen = post.controls.fields.iter().filter_map(|field| said(field, choices(field)));
    let mut text = described.collect::<Vec<_>>().join("\n");
    let chosen = chosen.collect::<Vec<_>>().join("\n");
    if !chosen.is_empty() {
        text = format!("{text}\n\n{chosen}");
    }
    let control = |(at, field): (usize, &Field)| {
        let kind = match &field.kind {
            FieldKind::Button => ControlKind::Button,
            FieldKind::Menu(options) => ControlKind::Menu {
                options: options.clone(),
                chosen: choices(field).last().map(|choice| choice.value.clone()),
            },
        };
        rendered(key, &run.id, of, Control::Field(at), &field.name, kind)
    };
    let live = run.is_live(post);
    let controls =
        if live { post.controls.fields.iter().enumerate().map(control).collect() } else { Vec::new() };
    Section { title: post.controls.fields_title.clone(), text, controls }
}

/// How many earlier choices of a menu are shown.
const EARLIER_SHOWN_MAX: usize = 3;

/// What was set, by whom, and what that replaced; none before anybody did.
fn said(field: &Field, choices: &[Choice]) -> Option<String> {
    let (last, earlier) = choices.split_last()?;
    if field.kind == FieldKind::Button {
        return Some(format!("{}: pressed by {}", field.name, last.by.mention()));
    }
    let mut text = format!("{}: **{}**, set by {}", field.name, last.value, last.by.mention());
    let earlier: Vec<String> = earlier
        .iter()
        .rev()
        .take(EARLIER_SHOWN_MAX)
        .map(|choice| format!("{} by {}", choice.value, choice.by.mention()))
        .collect();
    if !earlier.is_empty() {
        text += &format!(" (before: {})", earlier.join(", "));
    }
    Some(text)
}

fn transitions(key: &Key, run: &Run, post: &ControlPost, of: &str) -> Section {
    let title = post.controls.transitions_title.clone();
    if !run.is_live(post) {
        return Section { title, text: left(run, post), controls: Vec::new() };
    }
    let offered = &post.controls.transitions;
    let text = offered
        .iter()
        .map(|offer| format!("{}{}", described(&offer.label, &offer.description), only_for(&offer.allowed)))
        .collect::<Vec<_>>()
        .join("\n");
    let control = |(at, offer): (usize, &TransitionControl)| {
        rendered(key, &run.id, of, Control::Transition(at), &offer.label, ControlKind::Button)
    };
    Section { title, text, controls: offered.iter().enumerate().map(control).collect() }
}

/// What became of the step, in place of its transitions.
fn left(run: &Run, post: &ControlPost) -> String {
    let at = usize::try_from(post.visit).unwrap_or_default().saturating_sub(1);
    match run.visits.get(at).and_then(|visit| visit.leaving.as_ref()) {
        Some(Leaving { label, by: Chooser::Person(by), .. }) => {
            format!("**{}**, by {}", label.as_deref().unwrap_or("Left"), by.mention())
        }
        Some(Leaving { to: Destination::Step(step), .. }) => format!("Went on to **{step}**."),
        Some(Leaving { to: Destination::End, .. }) => "Finished.".to_owned(),
        None => match &run.status {
            Status::Cancelled(cancelled) => format!("Cancelled by {}.", cancelled.by.mention()),
            _ => "Closed.".to_owned(),
        },
    }
}

fn rendered(
    key: &Key,
    run_id: &str,
    post: &str,
    control: Control,
    label: &str,
    kind: ControlKind,
) -> RenderedControl {
    let id = control.id();
    RenderedControl { context: key.context(run_id, post, &id), id, label: label.to_owned(), kind }
}

/// Who alone may press, as an addition to a description. In code, so that nobody's phone rings.
fn only_for(allowed: &[String]) -> String {
    if allowed.is_empty() {
        return String::new();
    }
    let names: Vec<String> = allowed.iter().map(|name| format!("`{}`", name.replace('`', ""))).collect();
    format!(" (only {})", names.join(", "))
}

fn described(name: &str, description: &str) -> String {
    if description.is_empty() { format!("**{name}**") } else { format!("**{name}**: {description}") }
}
