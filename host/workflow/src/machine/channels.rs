//! Names of channels that workflows create: which of them can be the same.

use std::collections::BTreeSet;

use crate::codes;
use crate::diagnostic::Findings;
use crate::draft::{DraftKind, DraftWorkflow};
use crate::templates;

/// How many pairs of names are compared; a file has a few for each workflow.
const COMPARISONS_MAX: usize = 100_000;
/// How much of a name is compared, in characters; a handle has at most 64.
const NAME_CHARS_MAX: usize = 64;

/// A part of a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Part {
    Character(char),
    /// At least one digit.
    Number,
    /// Anything, also nothing.
    Anything,
}

/// A name that a workflow creates.
struct Created<'draft> {
    workflow: usize,
    prefix: String,
    parts: Vec<Part>,
    text: &'draft str,
    mark: std::ops::Range<usize>,
    /// The team, where the action names one.
    team: Option<&'draft str>,
}

/// Whether the name is the same for every incident.
pub(super) fn is_fixed(text: &str) -> bool {
    parts(text).iter().all(|part| matches!(part, Part::Character(_)))
}

/// The text with a blank in the place of each action of a template.
pub(super) fn literal(text: &str) -> String {
    let mut literal = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("{{") {
        literal.push_str(before);
        literal.push(' ');
        rest = after.split_once("}}").map_or("", |(_, rest)| rest);
    }
    literal + rest
}

/// Reports workflows of one file that can want the same name in the same team.
pub(super) fn check_collisions(workflows: &[&DraftWorkflow], findings: &mut Findings<'_>) {
    let mut created: Vec<Created<'_>> = Vec::new();
    for (place, workflow) in workflows.iter().enumerate() {
        created.extend(created_by(place, workflow));
    }
    created.sort_by(|a, b| (&a.prefix, a.mark.start).cmp(&(&b.prefix, b.mark.start)));
    let (mut compared, mut reported) = (0, BTreeSet::new());
    for (place, one) in created.iter().enumerate() {
        let following = created.iter().skip(place + 1);
        for other in following.take_while(|other| other.prefix.starts_with(&one.prefix)) {
            compared += 1;
            if compared > COMPARISONS_MAX {
                return;
            }
            let (first, second) = if one.mark.start < other.mark.start { (one, other) } else { (other, one) };
            if can_collide(first, second, workflows) && reported.insert(second.mark.start) {
                report(first, second, workflows, findings);
            }
        }
    }
}

fn created_by<'draft>(place: usize, workflow: &'draft DraftWorkflow) -> Vec<Created<'draft>> {
    let mut created = Vec::new();
    for action in workflow.actions() {
        let Some(DraftKind::Component { roles, parameters, .. }) = &action.kind else { continue };
        let team = parameters.get("team_name").and_then(serde_json::Value::as_str);
        for role in &roles.new_channels {
            let parts = parts(&role.text);
            let literal = parts.iter().map_while(|part| match part {
                Part::Character(character) => Some(*character),
                _ => None,
            });
            let (prefix, mark) = (literal.collect(), role.mark.clone());
            created.push(Created { workflow: place, prefix, parts, text: &role.text, mark, team });
        }
    }
    created
}

/// Whether two workflows can create the same name in the same team. One that is fixed is reported by itself.
fn can_collide(one: &Created<'_>, other: &Created<'_>, workflows: &[&DraftWorkflow]) -> bool {
    if one.workflow == other.workflow || is_fixed(one.text) || is_fixed(other.text) {
        return false;
    }
    let named = |created: &Created<'_>| {
        created.team.filter(|team| !team.is_empty() && !templates::has_action(team)).map(str::to_owned)
    };
    let teams = |created: &Created<'_>| match named(created) {
        Some(team) => Some(BTreeSet::from([team])),
        None if created.team.is_some_and(|team| !team.is_empty()) => None,
        None => workflows.get(created.workflow).and_then(|workflow| teams_of(workflow)),
    };
    if let (Some(a), Some(b)) = (teams(one), teams(other))
        && a.is_disjoint(&b)
    {
        return false;
    }
    overlap(&one.parts, &other.parts)
}

/// The teams that the triggers listen to; none when one of them listens to all.
fn teams_of(workflow: &DraftWorkflow) -> Option<BTreeSet<String>> {
    let all = workflow.triggers.iter().any(|trigger| trigger.team_names.is_empty());
    (!all).then(|| workflow.triggers.iter().flat_map(|trigger| trigger.team_names.clone()).collect())
}

fn report(one: &Created<'_>, other: &Created<'_>, workflows: &[&DraftWorkflow], findings: &mut Findings<'_>) {
    let name = workflows.get(one.workflow).and_then(|workflow| workflow.name.as_deref()).unwrap_or("another");
    let line = findings.line(one.mark.start);
    let message = format!(
        "the workflow `{name}` can create a channel of the same name, by `{}` in line {line}: then the second of the two fails",
        one.text
    );
    let help = "begin the names of different workflows differently".to_owned();
    findings.error(codes::CHANNELS_COLLIDE, other.mark.clone(), message, help);
}

/// The name as parts. Letter case does not count: handles have none.
fn parts(text: &str) -> Vec<Part> {
    let mut parts = Vec::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("{{") {
        parts.extend(before.to_lowercase().chars().map(Part::Character));
        let Some((action, behind)) = after.split_once("}}") else { break };
        match action.trim_matches(['-', ' ']) {
            ".Instance.Number" => parts.push(Part::Number),
            action if action.starts_with("/*") => {}
            // What stands inside of a condition may be there or not.
            action if !action.starts_with('.') => {
                parts.push(Part::Anything);
                rest = "";
                break;
            }
            _ => parts.push(Part::Anything),
        }
        rest = behind;
    }
    parts.extend(rest.to_lowercase().chars().map(Part::Character));
    parts.truncate(NAME_CHARS_MAX);
    parts
}

/// Whether some text is of both forms: which places of the two can be reached together.
fn overlap(one: &[Part], other: &[Part]) -> bool {
    let mut seen = BTreeSet::new();
    let mut open = vec![(0, 0)];
    while let Some((a, b)) = open.pop() {
        if !seen.insert((a, b)) {
            continue;
        }
        let (part, opposite) = (one.get(a), other.get(b));
        match (part, opposite) {
            (None, None) => return true,
            (Some(Part::Anything), _) | (_, Some(Part::Anything)) => {
                // It ends here, or takes one part of the other.
                if part == Some(&Part::Anything) {
                    open.push((a + 1, b));
                    if opposite.is_some() {
                        open.push((a, b + 1));
                    }
                }
                if opposite == Some(&Part::Anything) {
                    open.push((a, b + 1));
                    if part.is_some() {
                        open.push((a + 1, b));
                    }
                }
            }
            (Some(Part::Number), Some(Part::Number)) => open.extend([(a + 1, b + 1), (a, b + 1), (a + 1, b)]),
            (Some(Part::Number), Some(Part::Character(digit))) if digit.is_ascii_digit() => {
                open.extend([(a + 1, b + 1), (a, b + 1)]);
            }
            (Some(Part::Character(digit)), Some(Part::Number)) if digit.is_ascii_digit() => {
                open.extend([(a + 1, b + 1), (a + 1, b)]);
            }
            (Some(Part::Character(a_character)), Some(Part::Character(b_character)))
                if a_character == b_character =>
            {
                open.push((a + 1, b + 1));
            }
            _ => {}
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    fn same(one: &str, other: &str) -> bool {
        let (one, other) = (parts(one), parts(other));
        assert_eq!(overlap(&one, &other), overlap(&other, &one));
        overlap(&one, &other)
    }

    #[test]
    fn names_that_can_be_the_same_are_found() {
        for (one, other) in [
            ("inc-{{.Instance.Number}}", "inc-{{.Instance.Number}}"),
            ("Inc-{{.Instance.Number}}", "inc-{{ .Instance.Number }}"),
            ("inc-{{.Instance.Number}}", "inc-1{{.Instance.Number}}"),
            ("inc-{{.Instance.Number}}", "inc-{{.Trigger.T.Groups.host}}"),
            ("{{.Trigger.T.Groups.host}}", "db-{{.Instance.Number}}"),
            ("a-{{if .X}}b{{end}}", "a-{{.Instance.Number}}"),
        ] {
            assert!(same(one, other), "{one} {other}");
        }
    }

    #[test]
    fn names_that_differ_are_let_be() {
        for (one, other) in [
            ("a-{{.Instance.Number}}", "b-{{.Instance.Number}}"),
            ("inc-{{.Instance.Number}}", "inc-{{.Instance.Number}}-db"),
            ("inc-{{.Instance.Number}}", "inc-db-{{.Instance.Number}}"),
            ("inc-{{.Trigger.T.Groups.host}}-a", "inc-{{.Instance.Number}}"),
            ("inc-{{.Instance.Number}}", "inc-"),
        ] {
            assert!(!same(one, other), "{one} {other}");
        }
    }

    #[test]
    fn what_is_literal_stays_and_actions_become_blanks() {
        assert_eq!(literal("a {{.X}} b {{if}}c"), "a   b  c");
        assert!(is_fixed("room") && !is_fixed("room-{{.Instance.Number}}"));
    }
}
