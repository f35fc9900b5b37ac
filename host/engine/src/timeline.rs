//! A run's journal as people read it: what happened when, by whom, and where it can be looked at.

use crate::announcement::{Matter, Remedy};
use crate::event::{ActionKey, Chooser, Destination, Event, Fact, Loss, Person};
use crate::run::Run;
use serde_json::Value;

/// One line of a timeline.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Entry {
    /// When, in milliseconds since 1970.
    pub at_ms: u64,
    /// The kind of the event, as it is journalled.
    pub kind: String,
    /// The step that the run was in.
    pub step: Option<String>,
    /// The action that it is about.
    pub action: Option<String>,
    /// What a person chose.
    pub picked: Option<Picked>,
    /// What happened, in Markdown without a full stop.
    pub text: String,
    /// Who did it, where it was a person.
    pub by: Option<Person>,
    /// What went wrong.
    pub error: Option<String>,
    /// The chat server's id of the post that shows it: that was pressed, or that tells of it.
    pub post_id: Option<String>,
    /// Whether only somebody who looks for a fault wants it: each call of an action.
    pub is_detail: bool,
}

/// What a person chose.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Picked {
    /// A value of a field.
    Field {
        /// The field.
        field: String,
        /// The value.
        value: String,
    },
    /// A transition, by what its button says.
    Transition(String),
    /// What is to be done about a block, or the end of the run.
    Remedy {
        /// Which.
        remedy: Remedy,
        /// Whether the channels of a run that is cancelled stay as they are.
        keep_room: bool,
    },
}

/// The timeline of a run, from all its events in order: an entry for each.
#[must_use]
pub fn timeline(events: &[Event]) -> Vec<Entry> {
    // Where something was told is often journalled only later.
    let Ok(last) = Run::replay(events) else { return Vec::new() };
    let mut run: Option<Run> = None;
    let (mut posted, mut entered_ms) = (None, 0);
    let mut entries = Vec::with_capacity(events.len());
    for event in events {
        match &mut run {
            Some(run) => run.apply(event),
            None => run = Run::start(event).ok(),
        }
        let Some(run) = &run else { continue };
        let mut entry = Entry {
            at_ms: event.at_ms,
            kind: kind(&event.fact),
            step: run.step().map(str::to_owned),
            action: action(&event.fact).map(str::to_owned),
            ..of_channels(&event.fact, run).unwrap_or_else(|| of_fact(&event.fact))
        };
        match &event.fact {
            Fact::CallAnswered { answer, .. } => {
                entry.post_id = written_post(answer);
                posted = entry.post_id.clone().or(posted);
            }
            Fact::ActionSucceeded { .. } => entry.post_id = posted.take(),
            Fact::ActionStarted { .. } => posted = None,
            Fact::StepEntered { .. } => entered_ms = event.at_ms,
            Fact::StepLeft => {
                let step = run.step().unwrap_or_default();
                entry.text = format!(
                    "Step **{step}** left after {}",
                    time_span(event.at_ms.saturating_sub(entered_ms))
                );
            }
            fact => entry.post_id = entry.post_id.or_else(|| place(fact, run, &last)),
        }
        entries.push(entry);
    }
    entries
}

/// A time span for people, in its two largest units: `3 d 4 h`, `2 min 5 s`, `850 ms`.
#[must_use]
pub fn time_span(ms: u64) -> String {
    let (seconds, minutes, hours, days) = (ms / 1_000, ms / 60_000, ms / 3_600_000, ms / 86_400_000);
    let two = |large: u64, unit: &str, small: u64, smaller: &str| match small {
        0 => format!("{large} {unit}"),
        small => format!("{large} {unit} {small} {smaller}"),
    };
    match () {
        () if days > 0 => two(days, "d", hours % 24, "h"),
        () if hours > 0 => two(hours, "h", minutes % 60, "min"),
        () if minutes > 0 => two(minutes, "min", seconds % 60, "s"),
        () if seconds > 0 => format!("{seconds} s"),
        () => format!("{ms} ms"),
    }
}

/// What a log says of a run's life, on one line: where it is, what people decided, how it ended. None for the rest, which others tell.
#[must_use]
pub fn headline(fact: &Fact) -> Option<String> {
    let is_headline = matches!(
        fact,
        Fact::StepEntered { .. }
            | Fact::FieldSet { .. }
            | Fact::TransitionChosen { .. }
            | Fact::Retried { .. }
            | Fact::Skipped { .. }
            | Fact::RenumberingAsked { .. }
            | Fact::Renumbered { .. }
            | Fact::Repinned { .. }
            | Fact::RunCancelled { .. }
            | Fact::RunFinished
    );
    is_headline.then(|| {
        let entry = of_fact(fact);
        let by = entry.by.map(|by| format!(", by {}", by.mention())).unwrap_or_default();
        format!("{}{by}", entry.text.replace("**", "").replace(['\n', '\r'], " "))
    })
}

/// The kind under which a fact is stored.
fn kind(fact: &Fact) -> String {
    let stored = serde_json::to_value(fact).ok();
    let kind = stored.as_ref().and_then(|stored| stored.get("kind")).and_then(Value::as_str);
    kind.unwrap_or_default().to_owned()
}

fn action(fact: &Fact) -> Option<&str> {
    match fact {
        Fact::ActionStarted { action, .. }
        | Fact::CallIntended { action, .. }
        | Fact::CallAnswered { action, .. }
        | Fact::CallGivenUp { action, .. }
        | Fact::ActionDeferred { action, .. }
        | Fact::ActionSucceeded { action, .. }
        | Fact::ActionFailed { action, .. } => Some(&action.name),
        Fact::ControlsPosted { post } => Some(&post.action),
        Fact::FieldSet { action, .. } | Fact::TransitionChosen { by: Chooser::Action(action), .. } => {
            Some(action)
        }
        _ => None,
    }
}

/// The post that a call wrote, by the answer as the host encodes it.
fn written_post(answer: &Value) -> Option<String> {
    answer.pointer("/ok/post/id").and_then(Value::as_str).map(str::to_owned)
}

/// The post where a fact was decided, or is told. `run` is the run as of the fact, `last` as it became.
fn place(fact: &Fact, run: &Run, last: &Run) -> Option<String> {
    let announced = |is_it: &dyn Fn(&Matter) -> bool| {
        let n = run.announcements.iter().rposition(|known| is_it(&known.matter))?;
        last.announcements.get(n)?.post_id().map(str::to_owned)
    };
    match fact {
        Fact::TransitionChosen { to, label: Some(label), by: Chooser::Person(_) } => {
            let offers = |post: &&crate::ControlPost| {
                let mut offers = post.controls.transitions.iter();
                post.visit == run.visit() && offers.any(|offer| offer.label == *label && leads(offer, to))
            };
            run.posts.iter().rev().find(offers).map(|post| post.post_id.clone())
        }
        Fact::Retried { .. }
        | Fact::Skipped { .. }
        | Fact::RenumberingAsked { .. }
        | Fact::Repinned { .. }
        | Fact::RunBlocked { .. }
        | Fact::ActionFailed { goes_on: false, .. } => {
            announced(&|matter| matches!(matter, Matter::Blocked { .. }))
        }
        Fact::ActionFailed { .. } => announced(&|matter| matches!(matter, Matter::Warning { .. })),
        Fact::ChannelLost { .. } | Fact::ChannelBack { .. } => {
            announced(&|matter| matches!(matter, Matter::Lost { .. }))
        }
        Fact::RunCancelled { .. } => announced(&|matter| matches!(matter, Matter::Cancelled)),
        Fact::FieldSet { post, .. }
        | Fact::ControlsRemoved { post }
        | Fact::Pinned { post }
        | Fact::Unpinned { post } => run.post(post).map(|post| post.post_id.clone()),
        _ => None,
    }
}

fn leads(offer: &crate::TransitionControl, to: &Destination) -> bool {
    matches!(to, Destination::Step(step) if *step == offer.to)
}

fn said(text: impl Into<String>) -> Entry {
    Entry { text: text.into(), ..Entry::default() }
}

fn detail(text: impl Into<String>) -> Entry {
    Entry { is_detail: true, ..said(text) }
}

fn failed(text: impl Into<String>, error: &str) -> Entry {
    Entry { error: Some(error.to_owned()), ..said(text) }
}

fn done(text: impl Into<String>, by: &Person) -> Entry {
    Entry { by: Some(by.clone()), ..said(text) }
}

fn remedied(remedy: Remedy, text: impl Into<String>, by: &Person) -> Entry {
    Entry { picked: Some(Picked::Remedy { remedy, keep_room: false }), ..done(text, by) }
}

fn shown(entry: Entry, post_id: &str) -> Entry {
    Entry { post_id: Some(post_id.to_owned()), ..entry }
}

fn of_fact(fact: &Fact) -> Entry {
    match fact {
        Fact::RunStarted { workflow, number, trigger, .. } => {
            let text = format!("{workflow} {number} started by trigger `{}`", trigger.name);
            shown(done(text, &trigger.user), &trigger.post_id)
        }
        Fact::StepEntered { step } => said(format!("Step **{step}** entered")),
        Fact::StepLeft => said("Step left"),
        Fact::RunFinished => said("Finished"),
        Fact::Repeated { repeat } => shown(done("Reported again", &repeat.user), &repeat.post_id),
        Fact::ControlsPosted { post } => {
            shown(said(format!("`{}` asked people", post.action)), &post.post_id)
        }
        Fact::Renumbered { number } => said(format!("Number is {number} from here on")),
        Fact::ControlsRemoved { .. } => detail("Controls removed"),
        Fact::Pinned { .. } => detail("Post pinned"),
        Fact::Unpinned { .. } => detail("Post unpinned"),
        Fact::Superseded => detail("Something that this version does not use any more"),
        fact => of_people(fact)
            .or_else(|| of_announcements(fact))
            .or_else(|| of_actions(fact))
            .unwrap_or_default(),
    }
}

fn of_people(fact: &Fact) -> Option<Entry> {
    Some(match fact {
        Fact::FieldSet { field, value, by, .. } => {
            let picked = Picked::Field { field: field.clone(), value: value.clone() };
            Entry { picked: Some(picked), ..done(format!("{field}: **{value}**"), by) }
        }
        Fact::TransitionChosen { to, label, by } => chosen(to, label.as_deref(), by),
        Fact::RunCancelled { by, reason, keep_room } => {
            let kept = if *keep_room { ", its room stays open" } else { "" };
            let reason = reason.as_ref().map(|reason| format!(": {reason}")).unwrap_or_default();
            let picked = Picked::Remedy { remedy: Remedy::Cancel, keep_room: *keep_room };
            Entry { picked: Some(picked), ..done(format!("Cancelled{kept}{reason}"), by) }
        }
        Fact::Retried { by } => remedied(Remedy::Retry, "Retry", by),
        Fact::Skipped { by } => remedied(Remedy::Skip, "Skip", by),
        Fact::RenumberingAsked { by } => remedied(Remedy::Renumber, "Retry with the next free number", by),
        Fact::Repinned { by, workflow_digest, .. } => {
            remedied(Remedy::Repin, format!("Retry with the current version, {workflow_digest}"), by)
        }
        _ => return None,
    })
}

fn of_channels(fact: &Fact, run: &Run) -> Option<Entry> {
    Some(match fact {
        Fact::ChannelCreated { channel } => said(format!("Channel ~{} created", channel.name)),
        Fact::PeopleAdded { people, .. } if people.is_empty() => said("People added"),
        Fact::PeopleAdded { people, .. } => {
            let named: Vec<String> = people.iter().map(Person::mention).collect();
            said(format!("{} added", named.join(", ")))
        }
        Fact::ChannelArchived { channel_id } => said(format!("{} was archived", called(channel_id, run))),
        Fact::ChannelLost { channel_id, how, .. } => {
            let channel = called(channel_id, run);
            said(match how {
                Loss::Archived => format!("{channel} was archived by somebody"),
                Loss::Removed => format!("{channel} is closed to the bot: it was removed from there"),
                Loss::Gone => format!("{channel} is gone"),
            })
        }
        Fact::ChannelBack { channel_id } => said(format!("{} can be used again", called(channel_id, run))),
        Fact::ChannelKept { channel_id, reason } => {
            failed(format!("{} could not be archived", called(channel_id, run)), reason)
        }
        _ => return None,
    })
}

/// What people call a channel, at the beginning of a sentence: a run has one room, and any number of other channels.
fn called(channel_id: &str, run: &Run) -> String {
    if run.room.as_ref().is_some_and(|room| room.id == channel_id) {
        return "The room".to_owned();
    }
    let lost = run.announcements.iter().filter_map(|known| match &known.matter {
        Matter::Lost { channel, .. } => Some(channel),
        _ => None,
    });
    let known = run.channels.iter().chain(lost).chain([&run.trigger.channel]);
    match known.into_iter().find(|channel| channel.id == channel_id && !channel.name.is_empty()) {
        Some(channel) => format!("Channel ~{}", channel.name),
        None => "A channel".to_owned(),
    }
}

fn of_announcements(fact: &Fact) -> Option<Entry> {
    Some(match fact {
        Fact::AnnouncementIntended { .. } => detail("Notice about to be posted"),
        Fact::AnnouncementPosted { post_id, .. } => shown(detail("Notice posted"), post_id),
        Fact::AnnouncementFailed { reason, .. } => failed("A notice could be posted nowhere", reason),
        Fact::PostDeleted { .. } => {
            said("A post in which people decide was deleted by somebody; another one takes its place")
        }
        Fact::AnnouncementsRenewed => detail("Notices that could be posted nowhere are tried again"),
        _ => return None,
    })
}

fn of_actions(fact: &Fact) -> Option<Entry> {
    let attempt = |action: &ActionKey| match action.attempt {
        1 => format!("`{}`", action.name),
        attempt => format!("`{}`, attempt {attempt}", action.name),
    };
    Some(match fact {
        Fact::ActionStarted { action, .. } => detail(format!("{} begins", attempt(action))),
        Fact::ActionSucceeded { action, .. } => said(format!("{} done", attempt(action))),
        Fact::ActionDeferred { action, reason, .. } => {
            failed(format!("{} is tried again later", attempt(action)), reason)
        }
        Fact::ActionFailed { action, failure, goes_on } => {
            let end = if *goes_on { "; the incident went on" } else { "" };
            failed(format!("{} failed{end}", attempt(action)), &failure.message)
        }
        Fact::RunBlocked { failure } => failed("Blocked", &failure.message),
        Fact::CallIntended { function, n, .. } => detail(format!("call {n}: {function}")),
        Fact::CallAnswered { n, answer, .. } => {
            let error = answer.pointer("/error/message").and_then(Value::as_str).map(str::to_owned);
            Entry { error, ..detail(format!("call {n} answered")) }
        }
        Fact::CallGivenUp { action, n, function, channel_name, reason } => {
            let what = match channel_name {
                Some(name) => format!("a channel `{name}` may be left behind"),
                None => format!("whether call {n} of `{}`, {function}, was made is not known", action.name),
            };
            failed(what, reason)
        }
        _ => return None,
    })
}

fn chosen(to: &Destination, label: Option<&str>, by: &Chooser) -> Entry {
    let goal = match to {
        Destination::Step(step) => format!("to **{step}**"),
        Destination::End => "to the end".to_owned(),
    };
    match by {
        Chooser::Person(person) => {
            let text = format!("\u{201c}{}\u{201d} pressed, {goal}", label.unwrap_or_default());
            Entry { picked: label.map(|label| Picked::Transition(label.to_owned())), ..done(text, person) }
        }
        Chooser::Action(action) => said(format!("`{action}` leads {goal}")),
        Chooser::Workflow => said(format!("Goes on {goal}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_span_is_told_in_its_two_largest_units() {
        let minute = 60_000;
        let spans = [
            (0, "0 ms"),
            (999, "999 ms"),
            (1_999, "1 s"),
            (minute, "1 min"),
            (minute + 5_000, "1 min 5 s"),
            (60 * minute, "1 h"),
            (61 * minute + 59_000, "1 h 1 min"),
            (24 * 60 * minute, "1 d"),
            (27 * 60 * minute + 59 * minute, "1 d 3 h"),
        ];
        for (ms, text) in spans {
            assert_eq!(time_span(ms), text);
        }
    }

    #[test]
    fn a_headline_is_one_line_without_markup_and_names_who_it_was() {
        let by = Person { id: "p".into(), username: "jon".into() };
        let reason = Some("a drill\nover".to_owned());
        let cancelled = Fact::RunCancelled { by, reason, keep_room: false };
        assert_eq!(headline(&cancelled).unwrap(), "Cancelled: a drill over, by @jon");
        assert_eq!(headline(&Fact::StepEntered { step: "Triage".into() }).unwrap(), "Step Triage entered");
        assert_eq!(headline(&Fact::StepLeft), None);
    }
}
