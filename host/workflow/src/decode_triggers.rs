//! Reads the triggers of a workflow.

use crate::codes;
use crate::decode::{Decoder, Names, TRIGGERS};
use crate::document::{Data, Node};
use crate::model::{Condition, MatchIn, Trigger};
use crate::name::Name;
use crate::patterns::Pattern;
use crate::spelling;
use crate::templates;
use std::ops::Range;

/// The longest word or phrase, in characters.
pub const PHRASE_CHARS_MAX: usize = 1_000;

/// The most triggers of a workflow.
pub const TRIGGERS_MAX: usize = 1_000;
/// The types of triggers.
const TYPES: [&str; 1] = ["text"];
const KEYS: [&str; 11] = [
    "name",
    "type",
    "team_name",
    "channel_name",
    "match",
    "match_regex",
    "ignore_case",
    "except",
    "except_regex",
    "match_in",
    "key",
];

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
        self.keys("a trigger", node, &KEYS);
        let name = self.name(TRIGGERS, "trigger", node, names);
        self.trigger_type(node);
        let team_names = self.one_or_more(node, "team_name");
        let channel_names = self.one_or_more(node, "channel_name");
        let ignore_case = self.flag(node, "ignore_case");
        let condition = self.condition(node, ignore_case);
        let except = self.exceptions(node, ignore_case);
        if let Some(condition) = &condition {
            self.check_never_fires(node, condition, &except);
        }
        let match_in = self.match_in(node);
        let key = self.key(node);
        Some(Trigger { name: name?, team_names, channel_names, condition: condition?, except, match_in, key })
    }

    fn flag(&mut self, node: &Node, key: &str) -> bool {
        match node.member(key).map(|member| (&member.value, &member.value.data)) {
            None => false,
            Some((_, Data::Boolean(flag))) => *flag,
            Some((value, _)) => {
                self.wrong_type::<()>(TRIGGERS, &format!("`{key}`"), "true or false", value);
                false
            }
        }
    }

    /// `except` and `except_regex`.
    fn exceptions(&mut self, node: &Node, ignore_case: bool) -> Vec<Condition> {
        let mut except = Vec::new();
        for (text, mark) in self.marked_texts(node, "except") {
            if self.is_short_enough(text, mark) {
                except.push(Condition::Text { text: text.to_owned(), ignore_case });
            }
        }
        for (text, mark) in self.marked_texts(node, "except_regex") {
            except.extend(self.pattern("except_regex", text, mark).map(Condition::Pattern));
        }
        except
    }

    fn match_in(&mut self, node: &Node) -> Option<MatchIn> {
        match self.optional_text(TRIGGERS, node, "match_in")? {
            "" => None,
            "prose" => Some(MatchIn::Prose),
            "all" => Some(MatchIn::All),
            other => {
                let message = format!("{TRIGGERS}`match_in` cannot be `{other}`");
                let help = "write `prose`, which leaves out code, quoted lines and attachments, or `all`, which is the whole post";
                let mark = node.member("match_in").map_or_else(|| node.mark(), |member| member.value.mark());
                self.findings.error(codes::WRONG_VALUE, mark, message, help.to_owned());
                None
            }
        }
    }

    fn key(&mut self, node: &Node) -> Option<String> {
        let text = self.optional_text(TRIGGERS, node, "key").filter(|text| !text.is_empty())?;
        let mark = node.member("key").map_or_else(|| node.mark(), |member| member.value.mark());
        if let Err(error) = templates::check_template(text) {
            let message = format!("{TRIGGERS}the template in `key` is wrong: {}", error.problem);
            let help = "a key is made of the trigger, for example {{.Trigger.NAME.Groups.host}}".to_owned();
            self.findings.error(codes::TEMPLATE, mark, message, help);
            return None;
        }
        if !templates::has_action(text) {
            let message = "this `key` is the same for every match, so that all of them are folded into one open incident";
            let help = "if that is not meant, let it vary: {{.Trigger.NAME.Groups.host}}".to_owned();
            self.findings.warning(codes::CONSTANT_KEY, mark, message, help);
        }
        Some(text.to_owned())
    }

    /// Whether a phrase is short enough; searching takes the longer the longer it is.
    fn is_short_enough(&mut self, text: &str, mark: Range<usize>) -> bool {
        let characters = text.chars().count();
        if characters <= PHRASE_CHARS_MAX {
            return true;
        }
        let message =
            format!("{TRIGGERS}this phrase has {characters} characters, more than {PHRASE_CHARS_MAX}");
        let help = "a part of it is enough to find it".to_owned();
        self.findings.error(codes::WRONG_VALUE, mark, message, help);
        false
    }

    /// Warns when what must be there must not be there.
    fn check_never_fires(&mut self, node: &Node, condition: &Condition, except: &[Condition]) {
        let Condition::Text { text, ignore_case } = condition else { return };
        // A phrase stands as a word wherever the other does; of a pattern that holds only if it looks at nothing around.
        let always_met = |exception: &Condition| match exception {
            Condition::Text { .. } => exception.is_met_by(text),
            Condition::Pattern(pattern) => !ignore_case && !pattern.looks_around() && pattern.is_match(text),
        };
        if except.iter().any(always_met) {
            let mark = ["except", "except_regex"].into_iter().find_map(|key| node.member(key));
            let mark = mark.map_or_else(|| node.mark(), |member| member.value.mark());
            let message = "this trigger never fires: every message that holds its `match` is excepted";
            let help = format!("change the exception so that it does not hold `{text}` alone");
            self.findings.warning(codes::NEVER_FIRES, mark, message, help);
        }
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

    /// A string or a list of strings; the empty string and the empty list are none.
    fn one_or_more(&mut self, node: &Node, key: &str) -> Vec<String> {
        self.marked_texts(node, key).into_iter().map(|(text, _)| text.to_owned()).collect()
    }

    /// The same, each with where it stands.
    fn marked_texts<'node>(&mut self, node: &'node Node, key: &str) -> Vec<(&'node str, Range<usize>)> {
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
                let help = format!("delete it, or leave `{key}` away");
                self.findings.error(codes::WRONG_VALUE, node.mark(), message, help);
                continue;
            }
            names.push((text, node.mark()));
        }
        names
    }

    /// `match` or `match_regex`; an empty one is as good as none.
    fn condition(&mut self, node: &Node, ignore_case: bool) -> Option<Condition> {
        let mut written = |key: &str| {
            let member = node.member(key)?;
            let text = self.text(TRIGGERS, &format!("`{key}`"), &member.value)?;
            Some((text, member.value.mark())).filter(|(text, _)| !text.is_empty())
        };
        let (text, pattern) = (written("match"), written("match_regex"));
        let message = match (text, pattern) {
            (Some((text, mark)), None) => {
                if !text.trim().is_empty() {
                    if !self.is_short_enough(text, mark) {
                        return None;
                    }
                    return Some(Condition::Text { text: text.to_owned(), ignore_case });
                }
                let help = "write the word or phrase that starts the incident".to_owned();
                let message = format!("{TRIGGERS}`match` must not be blank");
                self.findings.error(codes::TRIGGER_CONDITION, mark, message, help);
                return None;
            }
            (None, Some((text, mark))) => {
                let pattern = self.pattern("match_regex", text, mark.clone())?;
                self.check_groups(&pattern, mark);
                return Some(Condition::Pattern(pattern));
            }
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

    fn pattern(&mut self, key: &str, text: &str, mark: Range<usize>) -> Option<Pattern> {
        let pattern = match Pattern::new(text) {
            Ok(pattern) => pattern,
            Err(reason) => {
                let message = format!("{TRIGGERS}`{key}` is not a valid pattern: {reason}");
                let help = reason.help().unwrap_or("in JSON a backslash is written twice: \"\\\\d+\"");
                self.findings.error(codes::PATTERN, mark, message, help.to_owned());
                return None;
            }
        };
        if pattern.is_match("") {
            let (effect, instead) = match key {
                "match_regex" => {
                    ("every message starts an incident", "let it match something that must be there")
                }
                _ => ("no message starts an incident", "let it match only what is to be excepted"),
            };
            let message = format!("the pattern in `{key}` matches the empty text, so {effect}");
            self.findings.warning(codes::MATCHES_EMPTY, mark, message, instead.to_owned());
        }
        Some(pattern)
    }

    /// Templates read a group by its name.
    fn check_groups(&mut self, pattern: &Pattern, mark: Range<usize>) {
        for name in pattern.group_names().filter(|name| Name::new(*name).is_err()) {
            let message = format!("{TRIGGERS}no template can read the group `{name}`: its name is no word");
            let help = "name groups with a letter, then letters, digits and underscores".to_owned();
            self.findings.error(codes::GROUP_NAME, mark.clone(), message, help);
        }
    }

    /// Whether a condition is there but no string, which is reported already.
    fn is_ill_typed(&self, node: &Node) -> bool {
        let written = ["match", "match_regex"].into_iter().filter_map(|key| node.member(key));
        written.into_iter().any(|member| !matches!(member.value.data, Data::Text(_)))
    }
}
