//! Who is in, who is not, and what that means for the action.

use warroom_action::{Error, ErrorKind, Outcome, members, text, users};

/// As many reasons as a text gives; of the rest it gives the names, or the number.
const REASONS_MAX: usize = 5;

/// As long as a post may be, in characters.
const MESSAGE_CHARACTERS_MAX: usize = 16_383;

/// Counts over the batches of one execution.
#[derive(Default)]
pub(crate) struct Tally {
    added: Vec<String>,
    not_added: Vec<String>,
    reasons: Vec<String>,
    kind: Option<ErrorKind>,
}

impl Tally {
    /// Takes in the answers for one batch.
    pub(crate) fn count(&mut self, found: users::Found, refusals: Vec<members::Refusal>) {
        let refused = |id: &str| refusals.iter().any(|refusal| refusal.user.id == id);
        self.added
            .extend(found.users.into_iter().filter(|user| !refused(&user.id)).map(|user| user.username));
        for name in found.unknown {
            self.kind.get_or_insert(ErrorKind::NotFound);
            self.reasons.push(format!(
                "`{name}` is no active user of this server, nor a group that the bot may read"
            ));
            self.not_added.push(name);
        }
        for refusal in refusals {
            self.kind.get_or_insert(refusal.reason.kind);
            self.reasons.push(format!("`{}`: {}", refusal.user.username, refusal.reason.message));
            self.not_added.push(refusal.user.username);
        }
    }

    /// What is to be posted in the channel: a mention of who was added, where that is wanted, and who could not be added. None
    /// when there is nothing to say, or nobody there to read it.
    pub(crate) fn message(&self, notify: bool) -> Option<String> {
        if self.added.is_empty() {
            return None;
        }
        let mut lines = Vec::new();
        if notify {
            let mentions: Vec<String> = self.added.iter().map(|name| format!("@{name}")).collect();
            lines.push(format!("{}: you are needed here.", mentions.join(" ")));
        }
        if !self.reasons.is_empty() {
            let others: Vec<String> =
                self.not_added.iter().skip(REASONS_MAX).map(|name| format!("`{name}`")).collect();
            let rest =
                if others.is_empty() { String::new() } else { format!("; nor could {}", others.join(", ")) };
            lines.push(format!(
                ":warning: Not everybody could be added: {}{rest}.",
                self.reasons(REASONS_MAX)
            ));
        }
        (!lines.is_empty()).then(|| text::shorten(&lines.join("\n"), MESSAGE_CHARACTERS_MAX))
    }

    /// Success when at least one person is in.
    ///
    /// # Errors
    /// The kind of the first reason, and the first few reasons.
    pub(crate) fn outcome(self) -> Result<Outcome, Error> {
        if self.added.is_empty() {
            let more = match self.reasons.len().saturating_sub(REASONS_MAX) {
                0 => String::new(),
                more => format!("; and {more} more"),
            };
            let message = format!("nobody could be added: {}{more}", self.reasons(REASONS_MAX));
            return Err(Error::new(self.kind.unwrap_or(ErrorKind::Failed), message));
        }
        Ok(Outcome::with("Added", self.added.join(",")).and("NotAdded", self.not_added.join(",")))
    }

    /// The first reasons, each with its name.
    fn reasons(&self, count: usize) -> String {
        let first: Vec<&str> = self.reasons.iter().take(count).map(String::as_str).collect();
        first.join("; ")
    }
}

#[cfg(test)]
mod tests {
    use warroom_action::User;

    use super::*;

    fn user(name: &str) -> User {
        User { id: format!("id-{name}"), username: name.to_owned() }
    }

    fn refusal(name: &str) -> members::Refusal {
        members::Refusal { user: user(name), reason: Error::new(ErrorKind::Denied, "not in the team") }
    }

    fn found(users: &[&str], unknown: &[&str]) -> users::Found {
        users::Found {
            users: users.iter().map(|name| user(name)).collect(),
            unknown: unknown.iter().map(|name| (*name).to_owned()).collect(),
        }
    }

    #[test]
    fn one_person_in_is_enough_and_the_others_are_named() {
        let mut tally = Tally::default();
        tally.count(found(&["jon", "chris"], &["ghost"]), vec![refusal("chris")]);
        let outcome = tally.outcome().unwrap();
        let outputs: Vec<_> = outcome.outputs.iter().map(|o| (o.name.as_str(), o.value.as_str())).collect();
        assert_eq!(outputs, [("Added", "jon"), ("NotAdded", "ghost,chris")]);
    }

    #[test]
    fn the_channel_is_told_who_is_needed_and_who_is_missing() {
        let mut tally = Tally::default();
        tally.count(found(&["jon", "chris"], &[]), Vec::new());
        assert_eq!(tally.message(false), None);
        assert_eq!(tally.message(true).unwrap(), "@jon @chris: you are needed here.");
        tally.count(found(&[], &["ghost"]), Vec::new());
        let missing = ":warning: Not everybody could be added: `ghost` is no active user of this server, nor a group that the bot may read.";
        assert_eq!(tally.message(false).unwrap(), missing);
    }

    #[test]
    fn everybody_who_is_missing_is_named_and_the_first_few_with_the_reason() {
        let mut tally = Tally::default();
        tally.count(found(&["jon", "chris"], &["a", "b", "c", "d", "e", "f"]), vec![refusal("chris")]);
        let message = tally.message(false).unwrap();
        assert!(message.ends_with("; nor could `f`, `chris`."), "{message}");
        assert_eq!(message.matches("is no active user").count(), 5);
    }

    #[test]
    fn nobody_in_is_an_error_with_the_first_kind_and_a_few_reasons() {
        let mut tally = Tally::default();
        tally.count(found(&["chris"], &["a", "b", "c", "d", "e", "f"]), vec![refusal("chris")]);
        let error = tally.outcome().unwrap_err();
        assert_eq!(error.kind, ErrorKind::NotFound);
        assert!(error.message.contains("`a` is no active user of this server"), "{}", error.message);
        assert!(error.message.ends_with("; and 2 more"), "{}", error.message);
    }
}
