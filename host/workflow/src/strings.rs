//! Reads strings, with what people forget in them.

use crate::codes;
use crate::tokens::{Kind, Tokens};

/// How far the end of a string that goes over several lines is looked for, in bytes.
const CONTINUATION_BYTES_MAX: usize = 2_000;

/// A string while it is read. Only its first mistake is reported: who writes one `\d` writes ten.
struct Content {
    text: String,
    is_reported: bool,
}

impl Tokens<'_, '_> {
    /// The string that begins here with `"`; none when the quote is alone.
    pub(crate) fn string(&mut self) -> Option<Kind> {
        let start = self.at;
        self.at += 1;
        let mut content = Content { text: String::new(), is_reported: false };
        // Up to here a line break belongs to the string.
        let mut inside_until = 0;
        loop {
            let rest = self.rest();
            let plain = rest.find(|next| matches!(next, '"' | '\\') || next < ' ').unwrap_or(rest.len());
            content.text.push_str(rest.get(..plain).unwrap_or_default());
            self.at += plain;
            match rest.as_bytes().get(plain) {
                None => return self.unterminated(start),
                Some(b'"') => break,
                Some(b'\\') => self.escape(&mut content),
                Some(b'\r') if self.rest().starts_with("\r\n") => self.at += 1,
                Some(b'\n') if self.at >= inside_until => match self.continuation() {
                    Some(end) => inside_until = end,
                    None => return self.unterminated(start),
                },
                Some(control) => {
                    let message = match control {
                        b'\n' => "a line break stands in a string".to_owned(),
                        b'\t' => "a tab stands in a string".to_owned(),
                        _ => format!("a control character (U+{control:04X}) stands in a string"),
                    };
                    let help =
                        "write `\\n` for a line break, `\\t` for a tab, and no other control character";
                    self.report(&mut content, self.at..self.at, message, help);
                    content.text.push(char::from(*control));
                    self.at += 1;
                }
            }
        }
        self.at += 1;
        Some(if self.repair() { Kind::Hole } else { Kind::Text(content.text) })
    }

    fn report(
        &mut self,
        content: &mut Content,
        span: std::ops::Range<usize>,
        message: impl Into<String>,
        help: impl Into<String>,
    ) {
        if !content.is_reported {
            self.error(codes::STRING, span, message, help);
        }
        content.is_reported = true;
    }

    /// Reads what stands at a backslash.
    fn escape(&mut self, content: &mut Content) {
        let start = self.at;
        let Some(character) = self.rest().chars().nth(1) else {
            self.at = self.text.len();
            return;
        };
        let plain = match character {
            '"' | '\\' | '/' => Some(character),
            'b' => Some('\u{8}'),
            'f' => Some('\u{c}'),
            'n' => Some('\n'),
            'r' => Some('\r'),
            't' => Some('\t'),
            _ => None,
        };
        if let Some(plain) = plain {
            content.text.push(plain);
            self.at += 2;
        } else if character == 'u' {
            self.unicode_escape(content);
        } else {
            // The backslash is kept, and what follows is read as any other character: a pattern's `\d` is meant so.
            self.at += 1;
            content.text.push('\\');
            let shown = character.escape_debug();
            let help = match character {
                '\'' => "write `'` alone".to_owned(),
                _ => "write `\\\\` for a backslash, and `\\\"` for a quote".to_owned(),
            };
            let end = if character < ' ' { start + 1 } else { start + 1 + character.len_utf8() };
            self.report(content, start..end, format!("JSON has no `\\{shown}`"), help);
        }
    }

    /// Reads `\uXXXX`, or two of them that make one character.
    fn unicode_escape(&mut self, content: &mut Content) {
        let start = self.at;
        let Some(first) = self.code_unit(start) else {
            self.at += 2;
            content.text.push('\u{fffd}');
            let help = "write four hexadecimal digits after `\\u`, or `\\\\u` for the text itself";
            self.report(content, start..self.at, "`\\u` is not followed by four hexadecimal digits", help);
            return;
        };
        let second = (0xd800..0xdc00).contains(&first).then(|| self.code_unit(start + 6)).flatten();
        let pair = [first, second.unwrap_or_default()];
        let units = if second.is_some() { pair.as_slice() } else { pair.get(..1).unwrap_or_default() };
        if let Ok(text) = String::from_utf16(units) {
            content.text.push_str(&text);
            self.at += 6 * units.len();
        } else {
            self.at += 6;
            content.text.push('\u{fffd}');
            let message = "this is one half of a character, and the other half is missing";
            let help = "write the character itself, or both halves: `\\ud83d\\udd25`";
            self.report(content, start..self.at, message, help);
        }
    }

    fn code_unit(&self, at: usize) -> Option<u16> {
        let digits = self.text.get(at..at + 6)?.strip_prefix("\\u")?;
        let is_hexadecimal = digits.bytes().all(|digit| digit.is_ascii_hexdigit());
        is_hexadecimal.then(|| u16::from_str_radix(digits, 16).ok()).flatten()
    }

    /// At a line break in a string: where the string ends, if it seems to go on in the next lines.
    fn continuation(&self) -> Option<usize> {
        let rest = self.rest();
        let near = rest.get(..rest.floor_char_boundary(CONTINUATION_BYTES_MAX)).unwrap_or_default();
        let quote = near.find('"')?;
        let between = near.get(..quote)?;
        let is_structure = |line: &str| line.trim_start().starts_with(['{', '}', '[', ']']);
        // Before the quote of the next key or value there are only blanks and brackets.
        let last_line = between.rsplit('\n').next().unwrap_or_default();
        let is_text = !last_line.trim().is_empty() && !between.lines().any(is_structure);
        is_text.then_some(self.at + quote)
    }

    /// Ends a string where its line ends, before the comma and the brackets that probably do not belong to it.
    fn unterminated(&mut self, start: usize) -> Option<Kind> {
        let content = self.text.get(start + 1..self.at).unwrap_or_default();
        let kept = content.trim_end_matches([' ', '\t', '\r', ',', ']', '}']);
        self.at = start + 1 + kept.len();
        let help = "write a `\"` where the string ends";
        self.error(codes::STRING, start..self.at, "this string does not end in its line", help);
        (!kept.is_empty()).then_some(Kind::Hole)
    }

    /// After a string's end: whether text follows at once, as in `"say "hello" now"`, so that a quote is wrong. Then
    /// reading goes on after the quote that seems to be the end.
    fn repair(&mut self) -> bool {
        let is_fine = |next: char| next.is_whitespace() || ",:;=[]{}\"/'".contains(next);
        if self.at < self.unrepairable_until || self.rest().chars().next().is_none_or(is_fine) {
            return false;
        }
        let line = self.rest_of_line();
        let is_end = |after: &str| {
            let after = after.trim_start_matches([' ', '\t', '\r']);
            after.is_empty() || after.starts_with([',', ':', ']', '}'])
        };
        let mut quotes = line.match_indices('"').map(|(offset, _)| offset + 1);
        let Some(end) = quotes.find(|end| is_end(line.get(*end..).unwrap_or_default())) else {
            self.unrepairable_until = self.at + line.len();
            return false;
        };
        let quote = self.at - 1;
        let help = "write `\\\"` for a quote in a string, and end the string before with `\"`";
        self.error(codes::STRING, quote..quote + 1, "text follows this quote at once", help);
        self.at += end;
        true
    }

    /// A string in quotes that are not JSON's; none when it does not end in its line.
    pub(crate) fn other_string(&mut self, quote: char, ends: &[char]) -> Option<Kind> {
        let start = self.at;
        if start < self.unrepairable_until {
            return None;
        }
        let line = self.rest_of_line();
        let mut text = String::new();
        let mut characters = line.char_indices().skip(1);
        let mut end = None;
        while let Some((offset, character)) = characters.next() {
            if ends.contains(&character) {
                end = Some(offset + character.len_utf8());
                break;
            }
            match character {
                '\\' => text.extend(characters.next().map(|(_, escaped)| escaped)),
                _ => text.push(character),
            }
        }
        let Some(end) = end else {
            self.unrepairable_until = start + line.len();
            return None;
        };
        self.at = start + end;
        let message = format!("a string stands in other quotes (`{quote}`) than double ones");
        self.error(codes::STRING, start..self.at, message, "put it into double quotes: `\"...\"`");
        Some(Kind::Text(text))
    }
}
