//! A run's journal as people read it: what happened when, by whom, and where it can be looked at.

use crate::event::{ActionKey, Chooser, Destination, Event, Fact, Loss, Person};
use crate::run::Run;

/// One line of a timeline.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// When, in milliseconds since 1970.
    pub at_ms: u64,
    /// What happened, in Markdown without a full stop.
    pub text: String,
    /// Who did it, where it was a person.
    pub by: Option<Person>,
    /// What went wrong.
    pub error: Option<String>,
    /// The chat server's id of the post that shows it.
    pub post_id: Option<String>,
    /// Whether only somebody who looks for a fault wants it: each call of an action.
    pub is_detail: bool,
}

/// The timeline of a run, from all its events in order.
#[must_use]
pub fn timeline(events: &[Event]) -> Vec<Entry> {
    let mut run: Option<Run> = None;
    let mut entries = Vec::new();
    for event in events {
        match &mut run {
            Some(run) => run.apply(event),
            None => run = Run::start(event).ok(),
        }
        entries.extend(run.as_ref().and_then(|run| entry(run, event)));
    }
    entries
}

fn entry(run: &Run, event: &Event) -> Option<Entry> {
    let empty = Entry {
        at_ms: event.at_ms,
        text: String::new(),
        by: None,
        error: None,
        post_id: None,
        is_detail: false,
    };
    let said = |text: String| Some(Entry { text, ..empty.clone() });
    let by = |text: String, by: &Person| Some(Entry { text, by: Some(by.clone()), ..empty.clone() });
    match &event.fact {
        Fact::RunStarted { workflow, number, trigger, .. } => Some(Entry {
            text: format!("{workflow} {number} started by trigger `{}`", trigger.name),
            by: Some(trigger.user.clone()),
            post_id: Some(trigger.post_id.clone()),
            ..empty
        }),
        Fact::StepEntered { step } => said(format!("Step **{step}** entered")),
        Fact::StepLeft => said("Step left".to_owned()),
        Fact::RunFinished => said("Finished".to_owned()),
        Fact::FieldSet { post, field, value, by, .. } => Some(Entry {
            text: format!("{field}: **{value}**"),
            by: Some(by.clone()),
            post_id: run.post(post).map(|post| post.post_id.clone()),
            ..empty
        }),
        Fact::TransitionChosen { to, label, by } => Some(chosen(to, label.as_deref(), by, empty)),
        Fact::RunCancelled { by: person, reason, .. } => {
            by(reason.as_ref().map_or("Cancelled".to_owned(), |reason| format!("Cancelled: {reason}")), person)
        }
        Fact::Retried { by: person } => by("Retry".to_owned(), person),
        Fact::Skipped { by: person } => by("Skip".to_owned(), person),
        Fact::RenumberingAsked { by: person } => by("Retry with the next free number".to_owned(), person),
        Fact::Renumbered { number } => said(format!("Number is {number} from here on")),
        Fact::Repinned { by: person, workflow_digest, .. } => {
            by(format!("Retry with the current version, {workflow_digest}"), person)
        }
        Fact::Repeated { repeat } => Some(Entry {
            text: "Reported again".to_owned(),
            by: Some(repeat.user.clone()),
            post_id: Some(repeat.post_id.clone()),
            ..empty
        }),
        Fact::ControlsPosted { post } => Some(Entry {
            text: format!("`{}` asked people", post.action),
            post_id: Some(post.post_id.clone()),
            ..empty
        }),
        fact => of_channels(fact, &empty).or_else(|| of_actions(fact, &empty)),
    }
}

fn of_channels(fact: &Fact, empty: &Entry) -> Option<Entry> {
    let said = |text: String| Some(Entry { text, ..empty.clone() });
    match fact {
        Fact::ChannelCreated { channel } => said(format!("Channel ~{} created", channel.name)),
        Fact::ChannelArchived { .. } => said("Channel archived".to_owned()),
        Fact::ChannelLost { how, .. } => said(match how {
            Loss::Archived => "The room was archived by somebody".to_owned(),
            Loss::Removed => "The bot was removed from the room".to_owned(),
            Loss::Gone => "The room is gone".to_owned(),
        }),
        Fact::ChannelBack { .. } => said("The room can be used again".to_owned()),
        Fact::ChannelKept { reason, .. } => {
            let text = "The room could not be archived".to_owned();
            Some(Entry { text, error: Some(reason.clone()), ..empty.clone() })
        }
        Fact::AnnouncementFailed { reason, .. } => {
            let text = "A notice could be posted nowhere".to_owned();
            Some(Entry { text, error: Some(reason.clone()), ..empty.clone() })
        }
        Fact::AnnouncementPosted { post_id, .. } => {
            let text = "Notice posted".to_owned();
            Some(Entry { text, post_id: Some(post_id.clone()), is_detail: true, ..empty.clone() })
        }
        _ => None,
    }
}

fn of_actions(fact: &Fact, empty: &Entry) -> Option<Entry> {
    let failed = |text: String, error: &str| {
        Some(Entry { text, error: Some(error.to_owned()), ..empty.clone() })
    };
    let detail = |text: String| Some(Entry { text, is_detail: true, ..empty.clone() });
    let attempt = |action: &ActionKey| match action.attempt {
        1 => format!("`{}`", action.name),
        attempt => format!("`{}`, attempt {attempt}", action.name),
    };
    match fact {
        Fact::ActionStarted { action, .. } => detail(format!("{} begins", attempt(action))),
        Fact::ActionSucceeded { action, .. } => {
            Some(Entry { text: format!("{} done", attempt(action)), ..empty.clone() })
        }
        Fact::ActionDeferred { action, reason, .. } => {
            failed(format!("{} is tried again later", attempt(action)), reason)
        }
        Fact::ActionFailed { action, failure, goes_on } => {
            let end = if *goes_on { "; the incident went on" } else { "" };
            failed(format!("{} failed{end}", attempt(action)), &failure.message)
        }
        Fact::RunBlocked { failure } => failed("Blocked".to_owned(), &failure.message),
        Fact::CallIntended { function, n, .. } => detail(format!("call {n}: {function}")),
        Fact::CallAnswered { n, .. } => detail(format!("call {n} answered")),
        _ => None,
    }
}

fn chosen(to: &Destination, label: Option<&str>, by: &Chooser, empty: Entry) -> Entry {
    let goal = match to {
        Destination::Step(step) => format!("to **{step}**"),
        Destination::End => "to the end".to_owned(),
    };
    match by {
        Chooser::Person(person) => {
            let text = format!("\u{201c}{}\u{201d} pressed, {goal}", label.unwrap_or_default());
            Entry { text, by: Some(person.clone()), ..empty }
        }
        Chooser::Action(action) => Entry { text: format!("`{action}` leads {goal}"), ..empty },
        Chooser::Workflow => Entry { text: format!("Goes on {goal}"), ..empty },
    }
}
