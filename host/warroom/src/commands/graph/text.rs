//! Words in a drawing: how wide they are, what is left out, and how they are escaped.

/// `text` with everything that would break a line, or is no character for people, made a space; runs of space are one.
pub(super) fn one_line(text: &str) -> String {
    let spaced: String =
        text.chars().map(|character| if is_text(character) { character } else { ' ' }).collect();
    spaced.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// XML 1.0 has no control characters, escaped or not, and neither U+FFFE nor U+FFFF.
fn is_text(character: char) -> bool {
    !character.is_control() && !matches!(character, '\u{fffe}' | '\u{ffff}')
}

/// `text` as character data or as the value of an attribute in double quotes.
pub(super) fn xml(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            _ if is_text(character) => escaped.push(character),
            _ => escaped.push(' '),
        }
    }
    escaped
}

/// At most `max` lines: the first ones, then one that `count` makes of the number of the others.
pub(super) fn capped<Line>(
    mut lines: Vec<Line>,
    max: usize,
    count: impl FnOnce(String) -> Line,
) -> Vec<Line> {
    if lines.len() > max {
        let shown = max.saturating_sub(1);
        let rest = lines.len() - shown;
        lines.truncate(shown);
        lines.push(count(format!("… and {rest} more")));
    }
    lines
}

/// How wide a line of text is at most, in the unit of `size`. Nobody knows the fonts of who looks at the drawing: these are
/// the widths of DejaVu Sans and Verdana, the widest of those that the drawing asks for, by kinds of characters.
pub(super) fn width(text: &str, size: f64, bold: bool) -> f64 {
    let ems: f64 = text.chars().map(ems).sum();
    ems * size * if bold { 1.12 } else { 1.0 }
}

fn ems(character: char) -> f64 {
    match character {
        'i' | 'j' | 'l' | ' ' | '.' | ',' | ':' | ';' | '\'' | '|' | '!' | 'I' => 0.36,
        'f' | 'r' | 't' | '(' | ')' | '[' | ']' | '/' | '\\' | '-' | '"' | 'J' => 0.46,
        'm' | 'w' | 'M' | 'W' | '@' | '%' | '…' => 1.02,
        'O' | 'Q' | 'D' | 'G' | 'H' | 'N' | 'U' | '#' | '<' | '>' | '=' | '+' | '~' | '&' | '^' => 0.85,
        'A'..='Z' => 0.73,
        ' '..='~' => 0.65,
        // What is as wide as it is high: Chinese, Japanese, Korean, symbols, emoji.
        '\u{1100}'.. => 1.1,
        _ => 0.8,
    }
}

/// `text`, or as much of its beginning as is not wider than `width_max`, with an ellipsis.
pub(super) fn shorten(text: &str, width_max: f64, size: f64, bold: bool) -> String {
    if width(text, size, bold) <= width_max {
        return text.to_owned();
    }
    let room = width_max - width("…", size, bold);
    let mut used = 0.0;
    let mut kept = String::new();
    for character in text.chars() {
        used += width(character.encode_utf8(&mut [0; 4]), size, bold);
        if used > room {
            break;
        }
        kept.push(character);
    }
    kept.truncate(kept.trim_end().len());
    kept.push('…');
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_stay_lines() {
        assert_eq!(one_line(" a\r\n\tb\u{0}\u{85}c  d\u{ffff}"), "a b c d");
        assert_eq!(one_line("\n"), "");
    }

    #[test]
    fn markup_is_escaped() {
        assert_eq!(xml("<a b=\"c\">&'\u{1}"), "&lt;a b=&quot;c&quot;&gt;&amp;&#39; ");
    }

    #[test]
    fn what_fits_is_kept_and_what_does_not_is_shortened() {
        let text = "Wagenburg";
        let exact = width(text, 12.0, false);
        assert_eq!(shorten(text, exact, 12.0, false), text);
        let shortened = shorten(text, exact - 0.1, 12.0, false);
        assert!(shortened.ends_with('…') && text.starts_with(shortened.trim_end_matches('…')), "{shortened}");
        assert!(width(&shortened, 12.0, false) < exact);
        assert_eq!(shorten("WW", 1.0, 12.0, false), "…");
    }

    #[test]
    fn the_rest_is_counted() {
        assert_eq!(capped(vec!["a".to_owned(), "b".to_owned()], 2, |rest| rest), ["a", "b"]);
        let three = ["a", "b", "c"].map(str::to_owned).to_vec();
        assert_eq!(capped(three, 2, |rest| rest), ["a", "… and 2 more"]);
    }
}
