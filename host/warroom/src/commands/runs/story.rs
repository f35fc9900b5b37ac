//! One run with its timeline, for people.

use crate::admin::{RunStory, StoryEvent};
use crate::timestamp::timestamp;
use std::fmt::Write as _;
use warroom_engine::time_span;

/// For the terminal.
pub(super) fn human(story: &RunStory) -> String {
    let line = &story.line;
    let mut text = format!("{} {} ({}), {}\n", line.workflow, line.number, line.run, line.state);
    // Writing to a string cannot fail.
    let _ = writeln!(text, "  reported by {}: {}", story.started_by, story.permalink);
    let _ = writeln!(text, "  started: {} UTC", timestamp(line.started_ms));
    if let Some(took) = took(story) {
        let _ = writeln!(text, "  took: {took}");
    }
    if let Some(step) = &line.step {
        let _ = writeln!(text, "  step: {step}");
    }
    if let Some(room) = &line.room {
        let _ = writeln!(text, "  room: ~{room}");
    }
    if let Some(reason) = &line.reason {
        let _ = writeln!(text, "  reason: {reason}");
    }
    text.push('\n');
    for event in &story.events {
        let what = event.text.replace("**", "");
        let by = event.by.as_ref().map(|by| format!(", by {by}")).unwrap_or_default();
        let _ = writeln!(text, "{}  {what}{by}", timestamp(event.at_ms));
        if let Some(error) = &event.error {
            let _ = writeln!(text, "{:21}! {error}", "");
        }
        if let Some(permalink) = &event.permalink {
            let _ = writeln!(text, "{:21}{permalink}", "");
        }
    }
    text
}

/// For a post mortem.
pub(super) fn markdown(story: &RunStory) -> String {
    let line = &story.line;
    let mut text = format!("# {} {}\n\n", line.workflow, line.number);
    let _ = writeln!(text, "- State: {}", line.state);
    let _ = writeln!(text, "- Reported by {}: [post]({})", story.started_by, story.permalink);
    let _ = writeln!(text, "- Started: {} UTC", timestamp(line.started_ms));
    if let Some(took) = took(story) {
        let _ = writeln!(text, "- Took: {took}");
    }
    if let Some(room) = &line.room {
        let _ = writeln!(text, "- Room: ~{room}");
    }
    if let Some(reason) = &line.reason {
        let _ = writeln!(text, "- Reason: {reason}");
    }
    text += "\n| Time (UTC) | What | By |\n| --- | --- | --- |\n";
    for event in &story.events {
        let by = event.by.as_deref().unwrap_or_default();
        let _ = writeln!(text, "| {} | {} | {by} |", timestamp(event.at_ms), cell(event));
    }
    text
}

fn cell(event: &StoryEvent) -> String {
    let mut what = match &event.permalink {
        Some(permalink) => format!("{} ([post]({permalink}))", event.text),
        None => event.text.clone(),
    };
    if let Some(error) = &event.error {
        what += &format!(": {error}");
    }
    // A table's cell is one line without its own border.
    what.replace('|', "\\|").replace('\n', " ")
}

/// How long it took from its start to its end, for one that has ended. What is journalled after that only tidies up.
fn took(story: &RunStory) -> Option<String> {
    let end =
        story.events.iter().find(|event| ["run_finished", "run_cancelled"].contains(&event.kind.as_str()))?;
    Some(time_span(end.at_ms.saturating_sub(story.line.started_ms)))
}
