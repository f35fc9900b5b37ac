//! Which workflows a message starts.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::model::{Condition, Trigger, Workflow};
use crate::name::Name;

/// A message of the chat, as triggers see it.
#[derive(Debug, Clone, Copy)]
pub struct Message<'a> {
    /// The text, without that of the attachments.
    pub text: &'a str,
    /// The texts of the attachments, a line each.
    pub attachments: &'a str,
    /// Who posted it.
    pub author: Author,
    /// The handle of the channel's team.
    pub team_name: &'a str,
    /// The handle of the channel.
    pub channel_name: &'a str,
    /// The name of the channel that people see.
    pub channel_display_name: &'a str,
}

/// Who posted a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Author {
    /// A person.
    Person,
    /// A webhook or a bot.
    Automation,
}

/// That a message starts a workflow.
#[derive(Debug, Clone)]
pub struct Match {
    /// What starts.
    pub workflow: Arc<Workflow>,
    /// The first of its triggers that matched.
    pub trigger: Name,
    /// What the named groups of its pattern matched; a group that took no part is the empty string.
    pub groups: BTreeMap<String, String>,
}

/// All triggers of some workflows.
///
/// `match` finds its text as a word or phrase: what stands before and after it must not be a letter, a digit or an
/// underscore. So `#sec` is found in `x #sec y`, `#sec.` and `(#sec)`, but not in `#security` or `a#sec`. Letter case
/// counts.
#[derive(Debug, Clone, Default)]
pub struct TriggerIndex {
    workflows: Vec<Arc<Workflow>>,
}

impl TriggerIndex {
    /// An index of the triggers of `workflows`.
    pub fn new(workflows: impl IntoIterator<Item = Arc<Workflow>>) -> TriggerIndex {
        TriggerIndex { workflows: workflows.into_iter().collect() }
    }

    /// The workflows that `message` starts, in the order they were given, each at most once: its triggers are tried in
    /// the order of the file, and the first that matches wins.
    pub fn matches(&self, message: &Message<'_>) -> Vec<Match> {
        let matching = |workflow: &Arc<Workflow>| {
            let trigger = workflow.triggers.iter().find(|trigger| fires(trigger, message))?;
            Some(Match {
                workflow: Arc::clone(workflow),
                trigger: trigger.name.clone(),
                groups: BTreeMap::new(),
            })
        };
        self.workflows.iter().filter_map(matching).collect()
    }
}

fn fires(trigger: &Trigger, message: &Message<'_>) -> bool {
    let among = |names: &[String], actual: &[&str]| {
        names.is_empty() || names.iter().any(|name| actual.contains(&name.as_str()))
    };
    among(&trigger.team_names, &[message.team_name])
        && among(&trigger.channel_names, &[message.channel_name, message.channel_display_name])
        && match &trigger.condition {
            Condition::Text { text, .. } => holds_phrase(message.text, text),
            Condition::Pattern(pattern) => pattern.is_match(message.text),
        }
}

/// Whether `phrase` stands in `text` with no word character before or after it.
fn holds_phrase(text: &str, phrase: &str) -> bool {
    if phrase.is_empty() {
        return false;
    }
    let is_word = |character: char| character.is_alphanumeric() || character == '_';
    // Occurrences may overlap, as `a a` does twice in `a a a`, so the search goes on one character after each.
    let mut from = 0;
    while let Some(found) = text.get(from..).and_then(|rest| rest.find(phrase)) {
        let (start, end) = (from + found, from + found + phrase.len());
        let before = text.get(..start).and_then(|before| before.chars().next_back());
        let after = text.get(end..).and_then(|after| after.chars().next());
        if !before.is_some_and(is_word) && !after.is_some_and(is_word) {
            return true;
        }
        from = text.ceil_char_boundary(start + 1);
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_phrase_is_found_as_a_word() {
        for text in ["#sec", "x #sec y", "#sec.", "(#sec)", "#security #sec", "a#sec\n#sec", "ü #sec"] {
            assert!(holds_phrase(text, "#sec"), "{text}");
        }
        for text in ["#security", "a#sec", "#SEC", "", "#sec_1", "ü#sec", "#secü"] {
            assert!(!holds_phrase(text, "#sec"), "{text}");
        }
        assert!(holds_phrase("the site is down!", "site is down"));
        assert!(holds_phrase("xa a a", "a a"));
        assert!(!holds_phrase("anything", ""));
    }
}
