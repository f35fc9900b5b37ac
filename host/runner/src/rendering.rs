//! How a post with controls looks now: a projection of what was written and what people have set since.

use crate::chat::{ControlKind, RenderedControl, RenderedPost, Section};
use crate::controls::{Control, Key};
use crate::mentions;
use warroom_engine::{
    ActionKey, Chooser, ControlPost, Destination, Failure, Field, FieldKind, Leaving, Run, Status,
    TransitionControl,
};

/// The post as it is to look, as of the run's last event.
pub(crate) fn control_post(key: &Key, run: &Run, post: &ControlPost) -> RenderedPost {
    let mut sections = Vec::new();
    if !post.controls.fields.is_empty() {
        sections.push(fields(key, run, post));
    }
    if !post.controls.transitions.is_empty() {
        sections.push(transitions(key, run, post));
    }
    RenderedPost { message: post.message.clone(), sections }
}

fn fields(key: &Key, run: &Run, post: &ControlPost) -> Section {
    let choice = |field: &Field| run.choices.get(&(post.action.clone(), field.name.clone()));
    let described = post.controls.fields.iter().map(|field| described(&field.name, &field.description));
    let chosen = post.controls.fields.iter().filter_map(|field| {
        let choice = choice(field)?;
        Some(match field.kind {
            FieldKind::Button => format!("{}: pressed by @{}", field.name, choice.by.username),
            FieldKind::Menu(_) => {
                format!("{}: **{}**, set by @{}", field.name, choice.value, choice.by.username)
            }
        })
    });
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
                chosen: choice(field).map(|choice| choice.value.clone()),
            },
        };
        rendered(key, run, &post.key, Control::Field(at), &field.name, kind)
    };
    let live = run.is_live(post);
    let controls =
        if live { post.controls.fields.iter().enumerate().map(control).collect() } else { Vec::new() };
    Section { title: post.controls.fields_title.clone(), text, controls }
}

fn transitions(key: &Key, run: &Run, post: &ControlPost) -> Section {
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
        rendered(key, run, &post.key, Control::Transition(at), &offer.label, ControlKind::Button)
    };
    Section { title, text, controls: offered.iter().enumerate().map(control).collect() }
}

/// What became of the step, in place of its transitions.
fn left(run: &Run, post: &ControlPost) -> String {
    let at = usize::try_from(post.visit).unwrap_or_default().saturating_sub(1);
    match run.visits.get(at).and_then(|visit| visit.leaving.as_ref()) {
        Some(Leaving { label, by: Chooser::Person(by), .. }) => {
            format!("**{}**, by @{}", label.as_deref().unwrap_or("Left"), by.username)
        }
        Some(Leaving { to: Destination::Step(step), .. }) => format!("Went on to **{step}**."),
        Some(Leaving { to: Destination::End, .. }) => "Finished.".to_owned(),
        None => match &run.status {
            Status::Cancelled(by) => format!("Cancelled by @{}.", by.username),
            _ => "Closed.".to_owned(),
        },
    }
}

/// The notice of a failure. Its buttons stay as long as that failure blocks the run.
pub(crate) fn notice(key: &Key, run: &Run, notice_key: &str) -> RenderedPost {
    let Status::Blocked { failure, action } = &run.status else {
        let by = run.last_actor.as_ref().map_or("somebody", |by| by.username.as_str());
        let what = if run.has_ended() { "The incident is over" } else { "The incident goes on" };
        return RenderedPost {
            message: format!(":white_check_mark: {what}, by @{by}."),
            sections: Vec::new(),
        };
    };
    let button = |control, label| rendered(key, run, notice_key, control, label, ControlKind::Button);
    let mut controls = vec![button(Control::Retry, "Retry")];
    let mut text = "**Retry**: try the action again, once the reason is mended.".to_owned();
    if action.is_some() {
        controls.push(button(Control::Skip, "Skip"));
        text += "\n**Skip**: go on without it.";
    }
    controls.push(button(Control::Cancel, "Cancel"));
    text += "\n**Cancel**: end the incident here.";
    let section = Section { title: "What now?".to_owned(), text, controls };
    RenderedPost { message: blocked(run, failure, action.as_ref()), sections: vec![section] }
}

fn blocked(run: &Run, failure: &Failure, action: Option<&ActionKey>) -> String {
    let name = format!("{} {}", run.workflow, run.number);
    let step = run.step().unwrap_or("(none)");
    let place = match action {
        Some(action) => format!("in step `{step}`, action `{}` failed", action.name),
        None => format!("in step `{step}`"),
    };
    format!(
        ":warning: Incident **{name}** is blocked: {place}.\n\n> {}",
        reason(&failure.message).replace('\n', "\n> ")
    )
}

/// The one post that says how often the trigger matched again; none before it did.
pub(crate) fn repeats(run: &Run) -> Option<RenderedPost> {
    let (last, at_ms) = run.repeats.last.as_ref()?;
    let times = match run.repeats.count {
        1 => "once more".to_owned(),
        count => format!("{count} more times"),
    };
    let message = format!(
        ":repeat: Reported {times}. Last: [this post]({}) by @{} at {} UTC.",
        last.permalink,
        mentions::quiet(&last.user.username),
        time_of_day(*at_ms)
    );
    Some(RenderedPost { message, sections: Vec::new() })
}

/// Hours and minutes, in UTC.
fn time_of_day(at_ms: u64) -> String {
    let minutes = at_ms / 60_000;
    format!("{:02}:{:02}", minutes / 60 % 24, minutes % 60)
}

/// How much of a failure's reason is shown, in characters; the journal has the whole.
const REASON_CHARS_MAX: usize = 1_000;

/// The reason as it may be shown: it can hold anything, since components write it.
fn reason(message: &str) -> String {
    let mut shown: String = message.chars().take(REASON_CHARS_MAX).collect();
    if message.chars().count() > REASON_CHARS_MAX {
        shown.push('…');
    }
    mentions::quiet(&shown)
}

fn rendered(
    key: &Key,
    run: &Run,
    post: &str,
    control: Control,
    label: &str,
    kind: ControlKind,
) -> RenderedControl {
    let id = control.id();
    RenderedControl { context: key.context(&run.id, post, &id), id, label: label.to_owned(), kind }
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
