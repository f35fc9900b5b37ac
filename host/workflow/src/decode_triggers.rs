//! Reads the triggers of a workflow.

use crate::codes;
use crate::decode::{Decoder, Names, TRIGGERS};
use crate::document::{Data, Node};
use crate::model::{Condition, Trigger};
use crate::patterns::Pattern;
use crate::spelling;

/// The most triggers of a workflow.
pub const TRIGGERS_MAX: usize = 1_000;
/// The types of triggers.
const TYPES: [&str; 1] = ["text"];

impl Decoder<'_, '_> {
    pub(crate) fn triggers(&mut self, workflow: &Node) -> Vec<Trigger> {
        let help = "add `\"triggers\": [ { \"name\": ..., \"type\": \"text\", \"match\": ... } ]`";
        let Some(member) = workflow.member("triggers") else {
            if workflow.is_broken {
                return Vec::new();
            }
            let message = format!("{TRIGGERS}a workflow must have triggers");
            self.findings.error(codes::NO_TRIGGERS, workflow.mark(), message, help.to_owned());
            return Vec::new();
        };
        let Some(triggers) = self.list(TRIGGERS, "`triggers`", &member.value) else { return Vec::new() };
        if triggers.is_empty() && !member.value.is_broken {
            let message = format!("{TRIGGERS}a workflow must have at least one trigger");
            self.findings.error(codes::NO_TRIGGERS, member.value.mark(), message, help.to_owned());
        }
        if let Some(first_over) = triggers.get(TRIGGERS_MAX) {
            let message = format!("the workflow has {} triggers, more than {TRIGGERS_MAX}", triggers.len());
            let help = "write one `match_regex` for several words".to_owned();
            self.findings.error(codes::TOO_MANY, first_over.mark(), message, help);
            return Vec::new();
        }
        let mut names = Names::new();
        triggers.iter().filter_map(|trigger| self.trigger(trigger, &mut names)).collect()
    }

    fn trigger(&mut self, node: &Node, names: &mut Names) -> Option<Trigger> {
        self.object(TRIGGERS, "a trigger", node)?;
        self.keys("a trigger", node, &["name", "type", "team_name", "channel_name", "match", "match_regex"]);
        let name = self.name(TRIGGERS, "trigger", node, names);
        self.trigger_type(node);
        let team_names = self.one_or_more(node, "team_name");
        let channel_names = self.one_or_more(node, "channel_name");
        let condition = self.condition(node);
        Some(Trigger {
            name: name?,
            team_names,
            channel_names,
            condition: condition?,
            except: Vec::new(),
            match_in: None,
            key: None,
        })
    }

    fn trigger_type(&mut self, node: &Node) {
        let help = || format!("there is {}", spelling::listed(TYPES));
        let Some(member) = node.member("type") else {
            if node.is_broken {
                return;
            }
            let message = format!("{TRIGGERS}a trigger must have a type");
            self.findings.error(codes::TRIGGER_TYPE, node.mark(), message, help());
            return;
        };
        if let Some(text) = self.text(TRIGGERS, "`type`", &member.value)
            && !TYPES.contains(&text)
        {
            let message = format!("{TRIGGERS}there is no trigger type `{text}`");
            self.findings.error(codes::TRIGGER_TYPE, member.value.mark(), message, help());
        }
    }

    /// A string or a list of strings; the empty string and the empty list are all.
    fn one_or_more(&mut self, node: &Node, key: &str) -> Vec<String> {
        let Some(member) = node.member(key) else { return Vec::new() };
        let nodes = match &member.value.data {
            Data::Text(text) if text.is_empty() => return Vec::new(),
            Data::Text(_) => std::slice::from_ref(&member.value),
            Data::List(nodes) => nodes.as_slice(),
            _ => {
                self.wrong_type::<()>(
                    TRIGGERS,
                    &format!("`{key}`"),
                    "a string or a list of strings",
                    &member.value,
                );
                return Vec::new();
            }
        };
        let mut names = Vec::with_capacity(nodes.len());
        for node in nodes {
            let Some(text) = self.text(TRIGGERS, &format!("an entry of `{key}`"), node) else { continue };
            if text.trim().is_empty() {
                let message = format!("{TRIGGERS}an entry of `{key}` must not be blank");
                let help = format!("leave `{key}` away to listen to all");
                self.findings.error(codes::WRONG_VALUE, node.mark(), message, help);
            }
            names.push(text.to_owned());
        }
        names
    }

    /// `match` or `match_regex`; an empty one is as good as none.
    fn condition(&mut self, node: &Node) -> Option<Condition> {
        let mut written = |key: &str| {
            let member = node.member(key)?;
            let text = self.text(TRIGGERS, &format!("`{key}`"), &member.value)?;
            Some((text, member.value.mark())).filter(|(text, _)| !text.is_empty())
        };
        let (text, pattern) = (written("match"), written("match_regex"));
        let message = match (text, pattern) {
            (Some((text, mark)), None) => {
                if !text.trim().is_empty() {
                    return Some(Condition::Text { text: text.to_owned(), ignore_case: false });
                }
                let help = "write the word or phrase that starts the incident".to_owned();
                let message = format!("{TRIGGERS}`match` must not be blank");
                self.findings.error(codes::TRIGGER_CONDITION, mark, message, help);
                return None;
            }
            (None, Some((text, mark))) => match Pattern::new(text) {
                Ok(pattern) => return Some(Condition::Pattern(pattern)),
                Err(reason) => {
                    let message = format!("{TRIGGERS}`match_regex` is not a valid pattern: {reason}");
                    let help = "in JSON a backslash is written twice: \"\\\\d+\"".to_owned();
                    self.findings.error(codes::PATTERN, mark, message, help);
                    return None;
                }
            },
            (Some(_), Some(_)) => "has both `match` and `match_regex`",
            (None, None) if node.is_broken || self.is_ill_typed(node) => return None,
            (None, None) => "has neither `match` nor `match_regex`",
        };
        let help = "write exactly one of the two: `match` finds a word or phrase, `match_regex` a pattern"
            .to_owned();
        let message = format!("{TRIGGERS}this trigger {message}");
        self.findings.error(codes::TRIGGER_CONDITION, node.mark(), message, help);
        None
    }

    /// Whether a condition is there but no string, which is reported already.
    fn is_ill_typed(&self, node: &Node) -> bool {
        let written = ["match", "match_regex"].into_iter().filter_map(|key| node.member(key));
        written.into_iter().any(|member| !matches!(member.value.data, Data::Text(_)))
    }
}
