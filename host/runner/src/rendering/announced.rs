//! How the host's own posts about a run look now.

use super::rendered;
use crate::chat::{ControlKind, RenderedControl, RenderedPost, Section};
use crate::controls::{Control, Key};
use crate::core::Core;
use crate::mentions;
use warroom_engine::{
    ActionKey, Announcement, Channel, Failure, GivenUp, Loss, Matter, Remedy, Resolution, Run, Status,
    can_renumber, is_id, place_in,
};
use warroom_workflow::Workflow;

/// What can be done about a block besides retrying and cancelling, and by whom.
#[derive(Default)]
pub(crate) struct Offers {
    /// Who decides, in a sentence that rings their phones; none where every reader does, as in the room.
    deciders: Option<String>,
    /// Another number would give another name.
    renumber: bool,
    /// The workflow was changed since, and could take the run over.
    repin: bool,
    /// The actions that read what the failed one would have put out.
    readers: Vec<String>,
}

/// How many readers are named.
const READERS_NAMED_MAX: usize = 5;
/// How many managers are named.
const MANAGERS_NAMED_MAX: usize = 10;
/// How long the sentence may become when groups are spelled out, in characters: the rest of the notice must have its room.
const DECIDERS_CHARS_MAX: usize = 8_000;

impl Offers {
    pub(crate) fn of(core: &Core, workflow: &Workflow, run: &Run, announcement: &Announcement) -> Offers {
        let deciders = deciders(core, run, announcement);
        if !announcement.is_open_block() {
            return Offers { deciders, ..Offers::default() };
        }
        let failed = match &run.status {
            Status::Blocked { action: Some(action), .. } => Some(action.name.as_str()),
            _ => None,
        };
        let newer = core.workflows.newer(core, run);
        Offers {
            deciders,
            renumber: can_renumber(workflow, run),
            repin: newer.is_some_and(|newer| place_in(&newer.workflow, run).is_ok()),
            readers: failed.map(|name| workflow.readers_of(name)).unwrap_or_default(),
        }
    }

    /// The sentence about who decides, as the end of a message.
    fn deciders(&self) -> String {
        self.deciders.as_ref().map(|deciders| format!("\n\n{deciders}")).unwrap_or_default()
    }
}

/// Who may press the buttons of a notice that does not stand in the room: see `authorisation.rs`. An id mentions nobody.
fn deciders(core: &Core, run: &Run, announcement: &Announcement) -> Option<String> {
    let place = announcement.place.as_ref()?;
    if run.peopled_room().is_some_and(|room| room.id == place.channel_id) {
        return None;
    }
    let managers = core.options.managers.iter().map(|name| name.trim_start_matches('@'));
    let managers: Vec<String> = managers
        .filter(|name| !is_id(name))
        .take(MANAGERS_NAMED_MAX)
        .map(|name| format!("@{name}"))
        .collect();
    let others = match managers.as_slice() {
        [] if core.options.managers.is_empty() => {
            "administrators of the server: no managers are configured".to_owned()
        }
        [] => "the managers".to_owned(),
        named => format!("the managers ({})", named.join(", ")),
    };
    let starter = run.trigger.user.mention();
    let text = format!("Here {starter}, who started it, decides what becomes of it, or {others}.");
    let text = mentions::quiet(&text);
    let loud = core.options.groups.spelled_out(&text);
    Some(if loud.chars().count() > DECIDERS_CHARS_MAX { text } else { loud })
}

pub(super) fn render(key: &Key, run: &Run, post: &str, matter: &Matter, offers: &Offers) -> RenderedPost {
    match matter {
        Matter::Blocked { failure, action, resolved } => {
            let mut message = blocked(run, failure, action.as_ref(), resolved.as_ref());
            if resolved.is_none() {
                message += &offers.deciders();
            }
            let sections = match resolved {
                None => vec![remedies(key, run, post, action.is_some(), offers)],
                Some(_) => Vec::new(),
            };
            RenderedPost { message, sections }
        }
        Matter::Warning { action, failure } => plain(format!(
            ":warning: Incident **{}**: action `{}` failed, and the incident went on without it.\n\n{}",
            name(run),
            action.name,
            quoted(&failure.message)
        )),
        Matter::Pressed { field, by, .. } => plain(format!("**{field}**: {}", by.mention())),
        Matter::Repeats => plain(repeats(run)),
        Matter::Lost { channel, how, is_back } => lost(key, run, post, (channel, *how, *is_back), offers),
        // It looks like what it stands in for.
        Matter::StandIn { .. } => plain(String::new()),
        Matter::Cancelled => plain(cancelled(run)),
    }
}

fn plain(message: String) -> RenderedPost {
    RenderedPost { message, sections: Vec::new() }
}

fn name(run: &Run) -> String {
    format!("{} {}", run.workflow, run.number)
}

fn blocked(
    run: &Run,
    failure: &Failure,
    action: Option<&ActionKey>,
    resolved: Option<&Resolution>,
) -> String {
    let visit = action.and_then(|action| run.visits.get((action.visit as usize).checked_sub(1)?));
    let step = visit.map(|visit| visit.step.as_str()).or_else(|| run.step()).unwrap_or("(none)");
    let place = match action {
        Some(action) => format!("in step `{step}`, action `{}` failed", action.name),
        None => format!("in step `{step}`"),
    };
    let reason = quoted(&failure.message);
    match resolved {
        None => format!(":warning: Incident **{}** is blocked: {place}.\n\n{reason}", name(run)),
        Some(Resolution { how, by }) => {
            let what = match how {
                Remedy::Retry => "Tried again",
                Remedy::Skip => "Skipped",
                Remedy::Renumber => "Tried again with the next free number",
                Remedy::Repin => "Tried again with the current version of the workflow",
                Remedy::Cancel => "Cancelled",
            };
            format!(
                ":white_check_mark: {what} by {}. Incident **{}** was blocked {place}.\n\n{reason}",
                by.mention(),
                name(run)
            )
        }
    }
}

/// The buttons of a block, each with what it does.
fn remedies(key: &Key, run: &Run, post: &str, has_action: bool, offers: &Offers) -> Section {
    let mut lines = vec!["**Retry**: try the action again, once the reason is mended.".to_owned()];
    let mut controls = vec![button(key, run, post, Control::Retry, "Retry")];
    if offers.renumber {
        lines.push(
            "**Use the next free number**: try again with the next number whose channel name is free.".into(),
        );
        controls.push(button(key, run, post, Control::Renumber, "Use the next free number"));
    }
    if offers.repin {
        lines.push(
            "**Retry with the current version**: the workflow was changed since the incident began.".into(),
        );
        controls.push(button(key, run, post, Control::Repin, "Retry with the current version"));
    }
    if has_action {
        lines.push(format!("**Skip**: go on without it.{}", misses(&offers.readers)));
        controls.push(button(key, run, post, Control::Skip, "Skip"));
    }
    lines.push("**Cancel**: end the incident here and archive its room.".to_owned());
    controls.push(button(key, run, post, Control::Cancel, "Cancel"));
    Section { title: "What now?".to_owned(), text: lines.join("\n"), controls }
}

/// What skipping costs.
fn misses(readers: &[String]) -> String {
    if readers.is_empty() {
        return String::new();
    }
    let named: Vec<String> =
        readers.iter().take(READERS_NAMED_MAX).map(|reader| format!("`{reader}`")).collect();
    let more = match readers.len().saturating_sub(named.len()) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    format!(
        " Careful: what it would have put out is read by {}{more}, which will fail or say less.",
        named.join(", ")
    )
}

fn lost(
    key: &Key,
    run: &Run,
    post: &str,
    (channel, how, is_back): (&Channel, Loss, bool),
    offers: &Offers,
) -> RenderedPost {
    let what = match how {
        Loss::Removed if is_back => "was closed to the bot",
        Loss::Archived => "was archived by somebody",
        Loss::Removed => "is closed to the bot: it was removed from there",
        Loss::Gone if is_back => "was gone",
        Loss::Gone => "is gone",
    };
    let which = match channel.name.as_str() {
        "" => "A channel".to_owned(),
        handle => format!("The channel ~{handle}"),
    };
    let head = format!("{which} of incident **{}** {what}", name(run));
    if is_back {
        return plain(format!(":white_check_mark: {head}, and can be used again."));
    }
    if run.has_ended() {
        return plain(format!(":warning: {head}. The incident is over."));
    }
    let remedy = match how {
        Loss::Archived => "Unarchive it, and the incident goes on where it was",
        Loss::Removed => "Invite the bot again, and the incident goes on where it was",
        Loss::Gone => "If the bot was taken from the team, put it back",
    };
    let message = format!(
        ":warning: {head} while the incident is open: its buttons cannot be used and nothing can be posted there. {remedy}; or \
         cancel the incident.{}",
        offers.deciders()
    );
    let text = "**Cancel**: end the incident here.".to_owned();
    let controls = vec![button(key, run, post, Control::Cancel, "Cancel")];
    RenderedPost { message, sections: vec![Section { title: "What now?".to_owned(), text, controls }] }
}

fn cancelled(run: &Run) -> String {
    let Status::Cancelled(cancelled) = &run.status else { return String::new() };
    let reason = match &cancelled.reason {
        Some(reason) => format!(": {}", mentions::quiet(reason)),
        None => ".".to_owned(),
    };
    let kept: String = run
        .kept
        .values()
        .map(|reason| format!("\nIts room could not be archived:\n\n{}", quoted(reason)))
        .collect();
    let left: String = run.given_up.iter().filter_map(left_behind).collect();
    format!(":x: Incident **{}** was cancelled by {}{reason}{kept}{left}", name(run), cancelled.by.mention())
}

/// A channel that may have been made, and that nobody closes.
fn left_behind(given_up: &GivenUp) -> Option<String> {
    let whose = match &given_up.channel_name {
        Some(name) => format!("`{name}`"),
        None => format!("that action `{}` was making", given_up.action),
    };
    (given_up.function == "channels.create")
        .then(|| format!("\nA channel {whose} may be left behind:\n\n{}", quoted(&given_up.reason)))
}

/// The one post that says how often the trigger matched again.
fn repeats(run: &Run) -> String {
    let Some((last, at_ms)) = &run.repeats.last else { return String::new() };
    let times = match run.repeats.count {
        1 => "once more".to_owned(),
        count => format!("{count} more times"),
    };
    format!(
        ":repeat: Reported {times}. Last: [this post]({}) by @{} at {} UTC.",
        last.permalink,
        mentions::quiet(&last.user.username),
        time_of_day(*at_ms)
    )
}

/// Hours and minutes, in UTC.
fn time_of_day(at_ms: u64) -> String {
    let minutes = at_ms / 60_000;
    format!("{:02}:{:02}", minutes / 60 % 24, minutes % 60)
}

/// How much of a failure's reason is shown, in characters; the journal has the whole.
const REASON_CHARS_MAX: usize = 1_000;

/// The reason as it may be shown: it can hold anything, since components write it.
fn quoted(message: &str) -> String {
    let mut shown: String = message.chars().take(REASON_CHARS_MAX).collect();
    if message.chars().count() > REASON_CHARS_MAX {
        shown.push('…');
    }
    format!("> {}", mentions::quiet(&shown).replace('\n', "\n> "))
}

fn button(key: &Key, run: &Run, post: &str, control: Control, label: &str) -> RenderedControl {
    rendered(key, &run.id, post, control, label, ControlKind::Button)
}
