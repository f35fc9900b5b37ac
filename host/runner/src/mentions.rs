//! Takes the loudness out of text that may not wake everybody.

/// What notifies a whole channel, or a whole team.
const BROADCASTS: [&str; 3] = ["all", "channel", "here"];

/// The text with `@all`, `@channel` and `@here` spelled so that people read the same and nobody is notified: a space of no
/// width stands behind the sign.
pub(crate) fn quiet(text: &str) -> String {
    let mut parts = text.split('@');
    let mut quiet = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        quiet.push('@');
        if is_broadcast(part) {
            quiet.push('\u{200b}');
        }
        quiet.push_str(part);
    }
    quiet
}

fn is_broadcast(after_sign: &str) -> bool {
    BROADCASTS.iter().any(|name| {
        let head = after_sign.get(..name.len());
        let next = after_sign.get(name.len()..).and_then(|rest| rest.chars().next());
        head.is_some_and(|head| head.eq_ignore_ascii_case(name)) && !next.is_some_and(char::is_alphanumeric)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn broadcasts_are_quiet_and_everything_else_is_untouched() {
        for loud in ["@all", "@Channel!", "hey @here, look", "(@ALL)", "@all_"] {
            let quiet = quiet(loud);
            assert_ne!(quiet, loud);
            assert_eq!(quiet.replace('\u{200b}', ""), loud);
        }
        for harmless in ["@allison", "@channels", "@hereford", "all", "a@b", "@", "@jon @chris", "é@ü"] {
            assert_eq!(quiet(harmless), harmless);
        }
    }
}
