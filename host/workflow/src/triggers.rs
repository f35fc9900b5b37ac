//! Which workflows a message starts.

use std::borrow::Cow;
use std::cell::OnceCell;
use std::collections::BTreeMap;
use std::sync::Arc;

use crate::folding::folded;
use crate::handle::slug;
use crate::model::{Condition, MatchIn, Trigger, Workflow};
use crate::name::Name;
use crate::prose::prose;
use crate::screen::Screen;

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
    /// The id of the channel.
    pub channel_id: &'a str,
    /// The handle of the channel.
    pub channel_name: &'a str,
    /// The name of the channel that people see.
    pub channel_display_name: &'a str,
}

impl<'a> Message<'a> {
    /// The text, then the texts of the attachments; what is empty has no line.
    #[must_use]
    pub fn whole(&self) -> Cow<'a, str> {
        match (self.text, self.attachments) {
            (text, "") => Cow::Borrowed(text),
            ("", attachments) => Cow::Borrowed(attachments),
            (text, attachments) => Cow::Owned(format!("{text}\n{attachments}")),
        }
    }
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
/// counts unless the trigger ignores it. Of what people write, code and quoted lines do not count; see [`MatchIn`].
///
/// A message is read once, whatever the number of triggers: one automaton finds the few triggers that may fire, and only those are
/// looked at.
#[derive(Debug, Clone, Default)]
pub struct TriggerIndex {
    workflows: Vec<Arc<Workflow>>,
    /// Workflow and trigger of each number that the screen knows.
    triggers: Vec<(usize, usize)>,
    screen: Screen,
}

impl TriggerIndex {
    /// An index of the triggers of `workflows`.
    pub fn new(workflows: impl IntoIterator<Item = Arc<Workflow>>) -> TriggerIndex {
        let workflows: Vec<_> = workflows.into_iter().collect();
        let mut triggers = Vec::new();
        for (place, workflow) in workflows.iter().enumerate() {
            triggers.extend((0..workflow.triggers.len()).map(|trigger| (place, trigger)));
        }
        let conditions =
            workflows.iter().flat_map(|workflow| &workflow.triggers).map(|trigger| &trigger.condition);
        let screen = Screen::new(conditions);
        TriggerIndex { workflows, triggers, screen }
    }

    /// The workflows that `message` starts, in the order they were given, each at most once: its triggers are tried in
    /// the order of the file, and the first that matches wins.
    pub fn matches(&self, message: &Message<'_>) -> Vec<Match> {
        let texts = Texts::of(message);
        let mut matches: Vec<Match> = Vec::new();
        let mut won = None;
        for number in self.screen.candidates(&folded(&texts.all)) {
            let Some((place, trigger)) = self.triggers.get(number) else { continue };
            if won == Some(*place) {
                continue;
            }
            let Some(workflow) = self.workflows.get(*place) else { continue };
            let Some(trigger) = workflow.triggers.get(*trigger) else { continue };
            if let Some(groups) = fires(trigger, message, &texts) {
                won = Some(*place);
                matches.push(Match { workflow: Arc::clone(workflow), trigger: trigger.name.clone(), groups });
            }
        }
        matches
    }
}

/// What triggers search of a message.
struct Texts<'a> {
    /// Text and attachments.
    all: Cow<'a, str>,
    text: &'a str,
    /// Made only when some trigger asks for it.
    prose: OnceCell<Cow<'a, str>>,
}

impl<'a> Texts<'a> {
    fn of(message: &Message<'a>) -> Texts<'a> {
        Texts { all: message.whole(), text: message.text, prose: OnceCell::new() }
    }

    fn of_trigger(&self, trigger: &Trigger, author: Author) -> &str {
        let by_author = match author {
            Author::Person => MatchIn::Prose,
            Author::Automation => MatchIn::All,
        };
        match trigger.match_in.unwrap_or(by_author) {
            MatchIn::All => &self.all,
            MatchIn::Prose => self.prose.get_or_init(|| prose(self.text)),
        }
    }
}

/// The groups of the pattern, when the trigger fires.
fn fires(trigger: &Trigger, message: &Message<'_>, texts: &Texts<'_>) -> Option<BTreeMap<String, String>> {
    if !is_none_or_any(&trigger.team_names, |name| name == message.team_name)
        || !is_none_or_any(&trigger.channel_names, |name| is_channel(name, message))
    {
        return None;
    }
    let text = texts.of_trigger(trigger, message.author);
    let groups = match &trigger.condition {
        Condition::Pattern(pattern) => pattern.groups(text)?,
        condition => condition.is_met_by(text).then(BTreeMap::new)?,
    };
    (!trigger.except.iter().any(|exception| exception.is_met_by(text))).then_some(groups)
}

fn is_none_or_any(names: &[String], is_it: impl Fn(&str) -> bool) -> bool {
    names.is_empty() || names.iter().any(|name| is_it(name))
}

/// Whether the channel is meant: by its handle, as people see or write its name, or by its id.
fn is_channel(name: &str, message: &Message<'_>) -> bool {
    [message.channel_name, message.channel_display_name, message.channel_id].contains(&name)
        || slug(name) == message.channel_name
}

impl Condition {
    /// Whether `text` holds the word or phrase, or matches the pattern.
    pub(crate) fn is_met_by(&self, text: &str) -> bool {
        match self {
            Condition::Pattern(pattern) => pattern.is_match(text),
            Condition::Text { text: phrase, ignore_case: false } => holds_phrase(text, phrase),
            Condition::Text { text: phrase, ignore_case: true } => {
                holds_phrase(&folded(text), &folded(phrase))
            }
        }
    }
}

/// Whether `phrase` stands in `text` with no word character before or after it.
fn holds_phrase(text: &str, phrase: &str) -> bool {
    if phrase.is_empty() {
        return false;
    }
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

/// Whether the character is part of a word.
pub(crate) fn is_word(character: char) -> bool {
    character.is_alphanumeric() || character == '_'
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
