#![deny(unsafe_code)]
//! Small text that several actions need the same way.

/// The text, or its beginning with `…` at the end, so that it is at most `characters_max` characters. For what a server
/// bounds and a template fills: a room with a shortened header is worth more in an incident than an error.
pub fn shorten(text: &str, characters_max: usize) -> String {
    if text.chars().count() <= characters_max {
        return text.to_owned();
    }
    text.chars()
        .take(characters_max.saturating_sub(1))
        .chain(['…'].into_iter().take(characters_max))
        .collect()
}

/// What a `channel_name` names: without surrounding blanks and without the `~` that people write before a channel's handle.
pub fn channel_name(written: &str) -> &str {
    let trimmed = written.trim();
    trimmed.strip_prefix('~').unwrap_or(trimmed)
}

/// The team, where one is written: a template that came out blank means that none is.
pub fn team_name(written: Option<String>) -> Option<String> {
    written.map(|name| name.trim().to_owned()).filter(|name| !name.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_shortened_by_characters_and_only_when_too_long() {
        assert_eq!(shorten("äöü", 3), "äöü");
        assert_eq!(shorten("äöüß", 3), "äö…");
        assert_eq!(shorten("ab", 1), "…");
        assert_eq!(shorten("ab", 0), "");
    }

    #[test]
    fn channel_names_lose_blanks_and_tilde() {
        assert_eq!(channel_name(" ~town-square "), "town-square");
        assert_eq!(channel_name("Town Square"), "Town Square");
    }

    #[test]
    fn a_blank_team_is_none() {
        assert_eq!(team_name(Some("  ".into())), None);
        assert_eq!(team_name(Some(" staff ".into())).as_deref(), Some("staff"));
    }
}
