//! Groups of people that the operator defines: a server without a licence has none.

use crate::{bounds, code};
use std::collections::BTreeMap;
use std::sync::{PoisonError, RwLock};

/// Groups by name, with their members. Whom the operator wrote as an id is found by it, and mentioned by username; people are renamed,
/// so those usernames can be told again at any time.
#[derive(Debug, Default)]
pub struct Groups {
    /// Lower case and without `@`: usernames and ids, as the operator wrote them.
    members: BTreeMap<String, Vec<String>>,
    /// The usernames of members by id, as far as they were told.
    usernames: RwLock<BTreeMap<String, String>>,
}

impl Groups {
    /// Groups by name, with the usernames or ids of their members; either with or without `@`.
    #[must_use]
    pub fn new(groups: impl IntoIterator<Item = (String, Vec<String>)>) -> Groups {
        let bare = |name: &str| name.trim_start_matches('@').to_lowercase();
        let group = |(name, members): (String, Vec<String>)| {
            (bare(&name), members.iter().map(|member| bare(member)).collect())
        };
        Groups { members: groups.into_iter().map(group).collect(), usernames: RwLock::default() }
    }

    /// A group's members, as the operator wrote them: usernames and ids. None when there is no such group.
    #[must_use]
    pub fn members(&self, name: &str) -> Option<&[String]> {
        self.members.get(&name.trim_start_matches('@').to_lowercase()).map(Vec::as_slice)
    }

    /// From now on members are mentioned by these usernames, given by id. Who is not among them keeps the one that was told before.
    pub fn rename(&self, usernames: impl IntoIterator<Item = (String, String)>) {
        self.usernames.write().unwrap_or_else(PoisonError::into_inner).extend(usernames);
    }

    /// How members are mentioned, without `@`: by username, or as they are written where none was told.
    fn mentions(&self, members: &[String]) -> Vec<String> {
        let usernames = self.usernames.read().unwrap_or_else(PoisonError::into_inner);
        members.iter().map(|member| usernames.get(member).unwrap_or(member).clone()).collect()
    }

    /// The text with the members behind each group that it mentions, so that their phones ring: the server knows none of
    /// these groups. What stands in code, or is part of a longer word, mentions nobody.
    #[must_use]
    pub fn spelled_out(&self, text: &str) -> String {
        self.rewritten(text, |name, members| format!("@{name} (@{})", self.mentions(members).join(", @")))
    }

    /// The same as a post can say it. Where that is too long, the members stand before the text, once, and the text is cut: in an
    /// incident it is worth more that phones ring than that all is said.
    pub(crate) fn loud(&self, text: &str) -> String {
        let spelled_out = self.spelled_out(text);
        if bounds::fits_message(&spelled_out) {
            return spelled_out;
        }
        let mentions: Vec<String> = self.mentioned(text).iter().map(|member| format!("@{member}")).collect();
        bounds::shortened(&format!("{}: {text}", mentions.join(" ")))
    }

    /// The members of all groups that the text mentions, each once.
    fn mentioned(&self, text: &str) -> Vec<String> {
        let mut people: Vec<String> = Vec::new();
        self.rewritten(text, |_, members| {
            for member in self.mentions(members) {
                if !people.contains(&member) {
                    people.push(member);
                }
            }
            String::new()
        });
        people
    }

    /// The text with each group that it mentions spelled so that it notifies nobody, should the server know it.
    #[must_use]
    pub fn quiet(&self, text: &str) -> String {
        self.rewritten(text, |name, _| format!("@\u{200b}{name}"))
    }

    fn rewritten(&self, text: &str, mut spell: impl FnMut(&str, &[String]) -> String) -> String {
        if self.members.is_empty() || !text.contains('@') {
            return text.to_owned();
        }
        let mut result = String::with_capacity(text.len());
        let code = code::spans(text);
        let mut rest = text;
        while let Some(at) = rest.find('@') {
            let (before, after) = rest.split_at(at);
            result.push_str(before);
            let is_code = code::has(&code, text.len() - after.len());
            let (name, tail) = word(after.strip_prefix('@').unwrap_or(after));
            let starts_word =
                !result.chars().next_back().is_some_and(|last| last.is_alphanumeric() || last == '_');
            match self.members(name).filter(|members| starts_word && !is_code && !members.is_empty()) {
                Some(members) => result.push_str(&spell(name, members)),
                None => {
                    result.push('@');
                    result.push_str(name);
                }
            }
            rest = tail;
        }
        result.push_str(rest);
        result
    }
}

/// The name that the text begins with, as Mattermost reads mentions, and what follows. A dot or a hyphen at the end belongs to the
/// sentence.
fn word(text: &str) -> (&str, &str) {
    let is_part = |character: char| character.is_ascii_alphanumeric() || matches!(character, '.' | '-' | '_');
    let end = text.find(|character| !is_part(character)).unwrap_or(text.len());
    let end = text.get(..end).unwrap_or_default().trim_end_matches(['.', '-']).len();
    text.split_at(end)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn groups() -> Groups {
        Groups::new([("@OnCall".to_owned(), vec!["@jon".to_owned(), "Chris".to_owned()])])
    }

    #[test]
    fn the_members_stand_behind_the_group() {
        let spelled = |text: &str| groups().spelled_out(text);
        assert_eq!(spelled("@oncall: look."), "@oncall (@jon, @chris): look.");
        assert_eq!(spelled("Ask @OnCall."), "Ask @OnCall (@jon, @chris).");
        assert_eq!(spelled("(@oncall)"), "(@oncall (@jon, @chris))");
    }

    #[test]
    fn an_odd_backtick_hides_no_group_behind_it() {
        for text in ["it's 5` long, @oncall", "`a` and ` @oncall", "``` x ` @oncall"] {
            assert_ne!(groups().spelled_out(text), text);
        }
    }

    #[test]
    fn everybody_who_is_mentioned_is_listed_once() {
        assert_eq!(groups().mentioned("@oncall, `@oncall`, @OnCall!"), ["jon", "chris"]);
        assert!(groups().mentioned("`@oncall`").is_empty());
    }

    #[test]
    fn what_mentions_nobody_stays() {
        for text in
            ["@oncalls", "mail@oncall", "`@oncall`", "```\n@oncall\n```", "@", "@jon", "oncall", "é@", ""]
        {
            assert_eq!(groups().spelled_out(text), text);
        }
        assert_eq!(Groups::default().spelled_out("@oncall"), "@oncall");
        let empty = Groups::new([("nobody".to_owned(), Vec::new())]);
        assert_eq!(empty.spelled_out("@nobody"), "@nobody");
    }

    #[test]
    fn a_text_that_is_too_long_with_its_groups_still_rings() {
        let long = format!("{}@oncall", "word ".repeat(3_275));
        assert!(bounds::fits_message(&long));
        let said = groups().loud(&long);
        assert!(said.starts_with("@jon @chris: word word") && bounds::fits_message(&said), "{said}");
        assert_eq!(groups().loud("look, @oncall"), "look, @oncall (@jon, @chris)");
    }

    #[test]
    fn who_is_written_as_an_id_is_mentioned_by_the_username_told_last() {
        let groups = Groups::new([("oncall".to_owned(), vec!["id1".to_owned(), "sam".to_owned()])]);
        let told = |id: &str, name: &str| [(id.to_owned(), name.to_owned())];
        assert_eq!(groups.spelled_out("@oncall"), "@oncall (@id1, @sam)");
        groups.rename(told("id1", "jon"));
        assert_eq!(groups.spelled_out("@oncall"), "@oncall (@jon, @sam)");
        groups.rename(told("id1", "jonny"));
        groups.rename(told("id2", "chris"));
        assert_eq!(groups.mentioned("@oncall"), ["jonny", "sam"]);
        // Whom the server is asked for does not depend on how people are called.
        assert_eq!(groups.members("oncall").unwrap(), ["id1", "sam"]);
    }

    #[test]
    fn a_quiet_text_mentions_no_group() {
        assert_eq!(groups().quiet("@oncall and @jon"), "@\u{200b}oncall and @jon");
    }
}
