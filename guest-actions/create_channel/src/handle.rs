//! Whether a name can be a channel's handle.

use warroom_action::Error;

const CHARACTERS_MIN: usize = 2;
const CHARACTERS_MAX: usize = 64;

/// Accepts 2 to 64 of `a-z 0-9 - _`, beginning and ending with a letter or digit.
///
/// # Errors
/// `invalid-input`, with a handle to write instead where one can be made of the name.
pub(crate) fn check(name: &str) -> Result<(), Error> {
    if is_handle(name) {
        return Ok(());
    }
    let rule = "a channel's handle is 2 to 64 of `a-z 0-9 - _` and begins and ends with a letter or digit";
    let suggestion = suggest(name);
    Err(Error::invalid_input(if is_handle(&suggestion) {
        format!(
            "{rule}; write `{suggestion}` as `channel_name`, and what people shall read as `channel_displayname`"
        )
    } else {
        format!("{rule}; write such a handle as `channel_name`")
    }))
}

fn is_handle(name: &str) -> bool {
    let inner = |byte: u8| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_');
    let outer =
        |byte: Option<u8>| byte.is_some_and(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit());
    (CHARACTERS_MIN..=CHARACTERS_MAX).contains(&name.len())
        && name.bytes().all(inner)
        && outer(name.bytes().next())
        && outer(name.bytes().next_back())
}

/// The name in lower case, with one `-` for every stretch of other characters.
fn suggest(name: &str) -> String {
    let mut handle = String::new();
    for character in name.chars().flat_map(char::to_lowercase) {
        if character.is_ascii_alphanumeric() || character == '_' {
            handle.push(character);
        } else if !handle.is_empty() && !handle.ends_with('-') {
            handle.push('-');
        }
    }
    handle.truncate(CHARACTERS_MAX); // ASCII only, so every index is a boundary
    handle.trim_matches(['-', '_']).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn handles_are_accepted_at_their_bounds() {
        for name in ["ab", "security-issue-1", "a_b-c9", &"a".repeat(64)] {
            assert!(check(name).is_ok(), "{name}");
        }
        for name in ["", "a", "-ab", "ab_", "Ab", "a b", "ä1", &"a".repeat(65)] {
            assert!(check(name).is_err(), "{name}");
        }
    }

    #[test]
    fn the_refusal_suggests_a_handle() {
        let error = check("Security Issue #7!").unwrap_err();
        assert!(error.message.contains("write `security-issue-7` as"), "{}", error.message);
    }

    #[test]
    fn nothing_is_suggested_where_nothing_is_left() {
        let error = check("!!!").unwrap_err();
        assert!(error.message.contains("write such a handle"), "{}", error.message);
    }
}
