//! Prints machines as one Mermaid flowchart. A state diagram of Mermaid has no dashed arrows.

use super::machine::{Kind, Line, Machine, State, StepBox};
use std::fmt::Write as _;

/// One flowchart, with a box around each workflow.
pub(super) fn draw(machines: &[Machine<'_>]) -> String {
    let mut out = String::from("flowchart TD\n");
    for (place, machine) in machines.iter().enumerate() {
        let prefix = format!("w{place}s");
        let _ = writeln!(out, "  subgraph w{place}[\"{}\"]", escaped(machine.name));
        // Without it, a box that no arrow leaves is laid out from left to right.
        out.push_str("    direction TB\n");
        for (place, state) in machine.states.iter().enumerate() {
            let _ = writeln!(out, "    {prefix}{place}{}", shape(state));
        }
        for arrow in &machine.arrows {
            let line = match arrow.kind {
                Kind::Automatic => "-.->",
                Kind::Trigger | Kind::Offered => "-->",
            };
            let labels: Vec<_> = arrow.labels.iter().map(|label| escaped(label)).collect();
            let label =
                if labels.is_empty() { String::new() } else { format!("|\"{}\"|", labels.join("<br/>")) };
            let _ = writeln!(out, "    {prefix}{} {line}{label} {prefix}{}", arrow.from, arrow.to);
        }
        out.push_str("  end\n");
    }
    out.push_str("  classDef unreachable stroke-dasharray: 5 4\n");
    out
}

fn shape(state: &State) -> String {
    match state {
        State::Start => "((\"start\"))".to_owned(),
        State::Step(step) => {
            let class = if step.reachable { "" } else { ":::unreachable" };
            format!("[\"{}\"]{class}", step_text(step))
        }
        State::End => "(((\"end\")))".to_owned(),
        State::Unknown => "([\"known at run time\"]):::unreachable".to_owned(),
    }
}

fn step_text(step: &StepBox) -> String {
    let mut lines = vec![format!("<b>{}</b>", escaped(&step.name))];
    for (phase, actions) in [("start", &step.start_actions), ("finish", &step.finish_actions)] {
        lines.extend(actions.iter().map(|line| action_text(phase, line)));
    }
    lines.join("<br/>")
}

fn action_text(phase: &str, line: &Line) -> String {
    if line.type_name.is_empty() {
        return escaped(&line.name);
    }
    format!("{phase}: {} ({})", escaped(&line.name), escaped(&line.type_name))
}

/// A text inside double quotes. Mermaid reads HTML, Markdown, formulas and entities of its own there, so what is not plainly
/// a word becomes such an entity; punctuation that means nothing between two letters stays, to keep the text readable.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut previous = ' ';
    let mut characters = text.chars().peekable();
    while let Some(character) = characters.next() {
        let next = characters.peek().copied().unwrap_or(' ');
        let is_inside_word = previous.is_alphanumeric() && next.is_alphanumeric();
        let stays = character.is_alphanumeric()
            || !character.is_ascii()
            || matches!(character, ' ' | ',' | '?')
            || (character == ':' && next == ' ')
            || (is_inside_word && matches!(character, '_' | '-' | '.' | '/'));
        if stays {
            out.push(character);
        } else {
            let _ = write!(out, "#{};", u32::from(character));
        }
        previous = character;
    }
    out
}

#[cfg(test)]
mod tests {
    use super::super::fixtures::{catalog, post, sample, workflow};
    use super::*;
    use serde_json::json;

    #[test]
    fn the_sample() {
        let sample = sample();
        insta::assert_snapshot!(draw(&[Machine::new(&sample, &catalog())]));
    }

    #[test]
    fn several_workflows_with_every_kind_of_state() {
        let first = workflow(json!([
            {"name": "Ask", "start_actions": [
                {"name": "Branch", "type": "branch", "yes": "Ask", "no": "{{.Trigger.Reported.Message}}"}
            ], "finish_actions": [post("Bye", &[])]},
            {"name": "Done", "start_actions": [{"name": "Finish", "type": "finished_workflow"}]},
        ]));
        let second = workflow(json!([
            {"name": "Only", "start_actions": [post("P", &[])]},
            {"name": "Lost", "start_actions": [post("Q", &[("Back", "Only")])]},
        ]));
        let catalog = catalog();
        insta::assert_snapshot!(draw(&[Machine::new(&first, &catalog), Machine::new(&second, &catalog)]));
    }

    #[test]
    fn a_text_ends_neither_its_quotes_nor_its_line_and_is_no_markup() {
        let hostile = "\"] --> x\n<script>`#quot;` $$x$$ 1. *b* _i_ &amp; fa:fa-car";
        let workflow = workflow(json!([{"name": "A", "start_actions": [post("P", &[(hostile, "A")])]}]));
        let drawn = draw(&[Machine::new(&workflow, &catalog())]);
        let line = drawn.lines().find(|line| line.contains("script")).unwrap();
        assert_eq!(
            line,
            "    w0s1 -->|\"#34;#93; #45;#45;#62; x #60;script#62;#96;#35;quot#59;#96; #36;#36;x#36;#36; 1#46; #42;b#42; \
             #95;i#95; #38;amp#59; fa#58;fa-car\"| w0s1"
        );
    }

    #[test]
    fn words_stay_readable() {
        assert_eq!(
            escaped("create_channel: a-b v1.2 und/oder Müller, 犬?"),
            "create_channel: a-b v1.2 und/oder Müller, 犬?"
        );
    }
}
