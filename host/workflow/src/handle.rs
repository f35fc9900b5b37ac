//! Handles of channels.

/// A name as people write it, as the handle that Mattermost would make of it: `Town Square` is `town-square`. Empty when nothing of
/// the name can stand in a handle.
#[must_use]
pub fn slug(name: &str) -> String {
    let mut slug = String::new();
    for character in name.trim().chars().flat_map(char::to_lowercase) {
        match character {
            'a'..='z' | '0'..='9' | '-' | '_' => slug.push(character),
            _ if slug.is_empty() || slug.ends_with('-') => {}
            _ => slug.push('-'),
        }
    }
    slug.trim_matches('-').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_as_people_write_it_becomes_the_handle() {
        assert_eq!(slug("Town Square"), "town-square");
        assert_eq!(slug("  Ops & Security  "), "ops-security");
        assert_eq!(slug("security-issue-1"), "security-issue-1");
        assert_eq!(slug("\u{65e5}\u{672c}"), "");
    }
}
