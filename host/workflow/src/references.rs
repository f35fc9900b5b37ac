//! Names of things on the chat server that a file writes as they are: teams, channels, people. Whether they exist only the server
//! knows, so whoever can ask it does, and gets diagnostics in the right place for its answers.
//!
//! A file says by itself which of its values name people (`x-warroom-role`). That `team_name` and `channel_name` name a team and a
//! channel, and `allowed` people, is a convention which every action type shares.

use std::collections::BTreeSet;
use std::ops::Range;

use serde_json::Value;

use crate::catalog::Catalog;
use crate::codes;
use crate::diagnostic::{Diagnostic, Findings};
use crate::document::{Data, Node};
use crate::{parser, schema, templates};

/// The most references of one file; what is more is left out.
pub const REFERENCES_MAX: usize = 10_000;

/// How deep the values of a parameter are searched for people.
const DEPTH_MAX: usize = 64;

/// What kind of thing a reference names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum ReferenceKind {
    /// A team, by handle.
    Team,
    /// A channel, by handle, display name or id.
    Channel,
    /// A person or a group, by name or id.
    Person,
}

/// A name that a file writes literally.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reference {
    /// What it names.
    pub kind: ReferenceKind,
    /// The name, without `@` or `~` before it.
    pub name: String,
    /// The handles of the teams that a channel is looked for in; none: any team. Empty for other kinds.
    pub teams: Vec<String>,
    span: Range<usize>,
}

impl Reference {
    /// A warning about the name, in the text that the reference was found in.
    #[must_use]
    pub fn warning(&self, text: &str, message: String, help: String) -> Option<Diagnostic> {
        let code = match self.kind {
            ReferenceKind::Team => codes::TEAM_NOT_FOUND,
            ReferenceKind::Channel => codes::CHANNEL_NOT_FOUND,
            ReferenceKind::Person => codes::PERSON_NOT_FOUND,
        };
        let mut findings = Findings::new(text);
        findings.warning(code, self.span.clone(), message, help);
        findings.finish().pop()
    }
}

/// The names that a file without errors writes literally, in the order of the file. Those that hold a template are left out, and so
/// are the names of channels that actions create.
#[must_use]
pub fn references(text: &str, catalog: &Catalog) -> Vec<Reference> {
    let mut findings = Findings::new(text);
    let Some(root) = parser::parse(text, &mut findings) else { return Vec::new() };
    let mut found = Vec::new();
    for workflow in items(Some(&root)) {
        of_workflow(workflow, catalog, &mut found);
    }
    found.sort_by_key(|reference| reference.span.start);
    found.truncate(REFERENCES_MAX);
    found
}

fn of_workflow(workflow: &Node, catalog: &Catalog, found: &mut Vec<Reference>) {
    let triggers = items(value(workflow, "triggers"));
    let (mut watched, mut watches_all) = (BTreeSet::new(), false);
    for trigger in triggers {
        let teams = literals(value(trigger, "team_name"));
        let handles: Vec<String> = teams.iter().map(|(team, _)| (*team).to_owned()).collect();
        watches_all |= handles.is_empty();
        watched.extend(handles.clone());
        push(found, ReferenceKind::Team, teams, &[]);
        push(found, ReferenceKind::Channel, literals(value(trigger, "channel_name")), &handles);
    }
    let watched: Vec<String> = if watches_all { Vec::new() } else { watched.into_iter().collect() };
    for step in items(value(workflow, "steps")) {
        for list in ["start_actions", "finish_actions"] {
            for action in items(value(step, list)) {
                of_action(action, catalog, &watched, found);
            }
        }
    }
}

fn of_action(action: &Node, catalog: &Catalog, watched: &[String], found: &mut Vec<Reference>) {
    let Some(Data::Text(type_name)) = value(action, "type").map(|node| &node.data) else { return };
    let Some(action_type) = catalog.get(type_name) else { return };
    let parameters: &Value = &action_type.parameters;
    let team = value(action, "team_name");
    let named: Vec<String> = literals(team).iter().map(|(team, _)| (*team).to_owned()).collect();
    push(found, ReferenceKind::Team, literals(team), &[]);
    let created = schema::in_role(parameters, action, schema::NEW_CHANNEL);
    let channel = value(action, "channel_name");
    let is_created = channel.is_some_and(|channel| created.iter().any(|node| std::ptr::eq(*node, channel)));
    // In which team a channel is meant that a template names, nobody knows yet.
    let has_team = team.is_some_and(|team| !matches!(&team.data, Data::Text(text) if text.is_empty()));
    if !is_created && (!has_team || !named.is_empty()) {
        let teams = if named.is_empty() { watched } else { &named };
        push(found, ReferenceKind::Channel, literals(channel), teams);
    }
    for node in schema::in_role(parameters, action, schema::PEOPLE) {
        push(found, ReferenceKind::Person, people(node), &[]);
    }
    allowed(action, 0, found);
}

/// Everybody whom some `allowed` in the value names.
fn allowed(node: &Node, depth: usize, found: &mut Vec<Reference>) {
    if depth > DEPTH_MAX {
        return;
    }
    match &node.data {
        Data::List(nodes) => nodes.iter().for_each(|node| allowed(node, depth + 1, found)),
        Data::Object(members) => {
            for member in members {
                if member.key == "allowed" {
                    push(found, ReferenceKind::Person, people(&member.value), &[]);
                } else {
                    allowed(&member.value, depth + 1, found);
                }
            }
        }
        _ => {}
    }
}

/// The people that a value names, without `@`: in a list, or in one string that separates them with commas or blanks.
pub(crate) fn people(node: &Node) -> Vec<(&str, Range<usize>)> {
    let mut found = Vec::new();
    for (text, span) in literals(Some(node)) {
        let words = text.split(|c: char| c == ',' || c.is_whitespace());
        let names = words.map(|word| word.trim_start_matches('@')).filter(|name| !name.is_empty());
        found.extend(names.map(|name| (name, span.clone())));
    }
    found
}

fn push(found: &mut Vec<Reference>, kind: ReferenceKind, names: Vec<(&str, Range<usize>)>, teams: &[String]) {
    for (name, span) in names {
        let name = if kind == ReferenceKind::Channel { name.trim_start_matches('~') } else { name };
        if !name.is_empty() {
            found.push(Reference { kind, name: name.to_owned(), teams: teams.to_vec(), span });
        }
    }
}

/// The strings of a value, a string or a list of them, that hold no template.
fn literals<'node>(node: Option<&'node Node>) -> Vec<(&'node str, Range<usize>)> {
    let nodes = match node {
        Some(Node { data: Data::List(nodes), .. }) => nodes.as_slice(),
        Some(node) => std::slice::from_ref(node),
        None => &[],
    };
    let literal = |node: &'node Node| match &node.data {
        Data::Text(text) if !templates::has_action(text) => Some((text.as_str(), node.mark())),
        _ => None,
    };
    nodes.iter().filter_map(literal).collect()
}

fn value<'node>(node: &'node Node, key: &str) -> Option<&'node Node> {
    node.member(key).map(|member| &member.value)
}

fn items(node: Option<&Node>) -> &[Node] {
    match node {
        Some(Node { data: Data::List(nodes), .. }) => nodes,
        _ => &[],
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::ActionType;

    fn catalog() -> Catalog {
        let text = || json!({"type": "string"});
        let action = |type_name: &str, properties: Value| ActionType {
            type_name: type_name.to_owned(),
            parameters: json!({"type": "object", "properties": properties}),
            outputs: Vec::new(),
        };
        Catalog::new([
            action(
                "make",
                json!({"channel_name": {"type": "string", "x-warroom-role": "new-channel"}, "team_name": text()}),
            ),
            action(
                "bring",
                json!({"channel_name": text(), "team_name": text(), "users": {"x-warroom-role": "people"}}),
            ),
            action("say", json!({"channel_name": text(), "transitions": {}})),
        ])
        .unwrap()
    }

    const FILE: &str = r##"[{
      "name": "w",
      "triggers": [
        {"name": "T", "type": "text", "match": "x", "team_name": ["red", "blue"], "channel_name": "Town Square"}
      ],
      "steps": [{"name": "S", "start_actions": [
        {"type": "make", "name": "A", "channel_name": "literal", "team_name": "green"},
        {"type": "bring", "name": "B", "channel_name": "{{.Action.A.ChannelName}}", "users": ["@jon", "chris, {{.X}}", "a b"]},
        {"type": "bring", "name": "C", "channel_name": "~help", "team_name": "green", "users": "sam"},
        {"type": "bring", "name": "D", "channel_name": "unknown", "team_name": "{{.X}}", "users": "sam"}
      ], "finish_actions": [
        {"type": "say", "name": "E", "channel_name": "ops", "transitions": [{"to": "S", "allowed": "@oncall"}]},
        {"type": "else", "name": "F", "channel_name": "no"}
      ]}]
    }]"##;

    #[test]
    fn literal_names_are_found_and_others_left_out() {
        let found = references(FILE, &catalog());
        let named = |kind| {
            let those = found.iter().filter(move |reference| reference.kind == kind);
            those.map(|reference| reference.name.as_str()).collect::<Vec<_>>()
        };
        assert_eq!(named(ReferenceKind::Team), ["red", "blue", "green", "green"]);
        assert_eq!(named(ReferenceKind::Channel), ["Town Square", "help", "ops"]);
        assert_eq!(named(ReferenceKind::Person), ["jon", "a", "b", "sam", "sam", "oncall"]);
        let teams: Vec<_> = found
            .iter()
            .filter(|one| one.kind == ReferenceKind::Channel)
            .map(|one| one.teams.clone())
            .collect();
        assert_eq!(teams, [vec!["red", "blue"], vec!["green"], vec!["blue", "red"]]);
    }

    #[test]
    fn a_warning_stands_where_the_name_is() {
        let found = references(FILE, &catalog());
        let jon = found.iter().find(|reference| reference.name == "jon").unwrap();
        let warning = jon.warning(FILE, "nobody".to_owned(), "look".to_owned()).unwrap();
        assert_eq!((warning.code, warning.line), ("W032", 8));
        assert_eq!(&FILE[warning.span.clone()], "\"@jon\"");
    }
}
