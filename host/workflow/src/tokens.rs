//! The tokens of JSON, and of what people write instead of JSON.
//!
//! A token that is written wrongly, but whose meaning is plain, is reported and then taken for what it means; so the
//! parser meets only mistakes of structure. Time is linear in the text.

use std::ops::Range;

use serde_json::Number;

use crate::codes;
use crate::diagnostic::Findings;
use crate::numbers;

/// What a bracket encloses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Bracket {
    List,
    Object,
}

impl Bracket {
    pub(crate) fn opening(self) -> char {
        match self {
            Bracket::List => '[',
            Bracket::Object => '{',
        }
    }

    pub(crate) fn closing(self) -> char {
        match self {
            Bracket::List => ']',
            Bracket::Object => '}',
        }
    }

    pub(crate) fn noun(self) -> &'static str {
        match self {
            Bracket::List => "list",
            Bracket::Object => "object",
        }
    }
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Kind {
    Open(Bracket),
    Close(Bracket),
    Comma,
    Colon,
    /// A string, or a word that should be one.
    Text(String),
    Null,
    Boolean(bool),
    Number(Number),
    /// A key or value that cannot be read, which is reported already.
    Hole,
    End,
}

impl Kind {
    /// Whether a value begins with this.
    pub(crate) fn is_value(&self) -> bool {
        !matches!(self, Kind::Close(_) | Kind::Comma | Kind::Colon | Kind::End)
    }
}

#[derive(Debug, Clone)]
pub(crate) struct Token {
    pub(crate) kind: Kind,
    pub(crate) span: Range<usize>,
    /// How far the token's line is indented, in bytes.
    pub(crate) indent: usize,
    /// Whether the token is the first of its line.
    pub(crate) is_first: bool,
}

/// Reads tokens from a text, and reports those that are written wrongly.
pub(crate) struct Tokens<'a, 'text> {
    pub(crate) text: &'text str,
    pub(crate) findings: &'a mut Findings<'text>,
    /// Where the next token is looked for.
    pub(crate) at: usize,
    /// Up to where no string can be repaired, see `strings`.
    pub(crate) unrepairable_until: usize,
    /// The end of the line, once somebody asked for it.
    line_end: usize,
    line_start: usize,
    /// The indentation of the line, once a token of it was met.
    indent: Option<usize>,
}

/// Quotes of other languages and of word processors, each with those that end it.
const OTHER_QUOTES: [(char, &[char]); 6] = [
    ('\'', &['\'']),
    ('`', &['`']),
    ('“', &['”', '“', '"']),
    ('”', &['”', '“', '"']),
    ('„', &['“', '”', '"']),
    ('‘', &['’', '‘']),
];

fn starts_word(character: char) -> bool {
    character.is_alphanumeric() || "_$@#+-.~!".contains(character)
}

fn is_in_word(character: char) -> bool {
    starts_word(character) || "%&*?<>^|".contains(character)
}

/// What looks like a blank but is none in JSON.
fn is_odd_blank(character: char) -> bool {
    (character.is_whitespace() && !matches!(character, ' ' | '\t' | '\r' | '\n'))
        || matches!(character, '\u{200b}'..='\u{200d}' | '\u{2060}' | '\u{feff}')
}

impl<'a, 'text> Tokens<'a, 'text> {
    pub(crate) fn new(text: &'text str, at: usize, findings: &'a mut Findings<'text>) -> Tokens<'a, 'text> {
        Tokens { text, findings, at, unrepairable_until: 0, line_end: 0, line_start: at, indent: None }
    }

    /// The next token; at the end of the text, and ever after, [`Kind::End`].
    pub(crate) fn next(&mut self) -> Token {
        loop {
            self.skip_blanks();
            let start = self.at;
            let is_first = self.indent.is_none();
            let indent = *self.indent.get_or_insert(start - self.line_start);
            if let Some(kind) = self.kind() {
                return Token { kind, span: start..self.at, indent, is_first };
            }
        }
    }

    pub(crate) fn rest(&self) -> &'text str {
        self.text.get(self.at..).unwrap_or_default()
    }

    pub(crate) fn rest_of_line(&mut self) -> &'text str {
        if self.at >= self.line_end {
            let rest = self.rest();
            self.line_end = self.at + rest.find('\n').unwrap_or(rest.len());
        }
        self.text.get(self.at..self.line_end).unwrap_or_default()
    }

    pub(crate) fn error(
        &mut self,
        code: &'static str,
        span: Range<usize>,
        message: impl Into<String>,
        help: impl Into<String>,
    ) {
        self.findings.error(code, span, message, help.into());
    }

    /// The token that begins here; none when nothing of use does, which is reported.
    fn kind(&mut self) -> Option<Kind> {
        let Some(first) = self.rest().chars().next() else { return Some(Kind::End) };
        let kind = match first {
            '[' => Kind::Open(Bracket::List),
            '{' => Kind::Open(Bracket::Object),
            ']' => Kind::Close(Bracket::List),
            '}' => Kind::Close(Bracket::Object),
            ',' => Kind::Comma,
            ':' => Kind::Colon,
            '"' => return self.string(),
            ';' => {
                self.error(
                    codes::SYNTAX,
                    self.at..self.at + 1,
                    "a `;` separates nothing in JSON",
                    "write a `,`",
                );
                Kind::Comma
            }
            '=' => return Some(self.equals_sign()),
            _ if starts_word(first) => return Some(self.word()),
            _ => {
                if let Some((_, ends)) = OTHER_QUOTES.iter().find(|(quote, _)| *quote == first)
                    && let Some(kind) = self.other_string(first, ends)
                {
                    return Some(kind);
                }
                self.odd_characters();
                return None;
            }
        };
        self.at += 1;
        Some(kind)
    }

    pub(crate) fn skip_blanks(&mut self) {
        while let Some(next) = self.rest().chars().next() {
            match next {
                ' ' | '\t' | '\r' => self.at += 1,
                '\n' => {
                    self.at += 1;
                    self.line_start = self.at;
                    self.indent = None;
                }
                '/' if self.rest().starts_with("//") => self.line_comment(),
                '/' if self.rest().starts_with("/*") => self.block_comment(),
                '#' if self.indent.is_none() || self.rest().starts_with("# ") => self.line_comment(),
                _ if is_odd_blank(next) => {
                    let rest = self.rest();
                    let length = rest.find(|other| !is_odd_blank(other)).unwrap_or(rest.len());
                    let message =
                        format!("an unusual blank (U+{:04X}) stands outside a string", u32::from(next));
                    let span = self.at..self.at + length;
                    self.error(codes::SYNTAX, span, message, "replace it with an ordinary blank");
                    self.at += length;
                }
                _ => return,
            }
        }
    }

    fn line_comment(&mut self) {
        let rest = self.rest();
        self.comment(rest.find('\n').unwrap_or(rest.len()));
    }

    fn block_comment(&mut self) {
        let rest = self.rest();
        let end = rest.get(2..).and_then(|inside| inside.find("*/"));
        if end.is_none() {
            let span = self.at..self.at + 2;
            self.error(
                codes::COMMENT,
                span,
                "a comment begins here and never ends",
                "delete it: JSON has no comments",
            );
            self.at = self.text.len();
            return;
        }
        self.comment(end.map_or(rest.len(), |end| end + 4));
    }

    fn comment(&mut self, length: usize) {
        let help = "delete it: JSON has no comments; a workflow has a `description`";
        self.error(codes::COMMENT, self.at..self.at + length, "a comment stands here", help);
        self.at += length;
    }

    /// `=`, `==` or `=>` for a colon.
    fn equals_sign(&mut self) -> Kind {
        let rest = self.rest();
        let length = rest.find(|next| !matches!(next, '=' | '>')).unwrap_or(rest.len());
        let span = self.at..self.at + length;
        self.error(codes::SYNTAX, span, "this does not separate key and value", "write a `:`");
        self.at += length;
        Kind::Colon
    }

    fn odd_characters(&mut self) {
        let rest = self.rest();
        let is_known = |next: char| {
            next.is_whitespace() || "[]{},:;=\"/".contains(next) || starts_word(next) || is_odd_blank(next)
        };
        let mut following = rest.char_indices().skip(1);
        let length = following.find(|(_, next)| is_known(*next)).map_or(rest.len(), |(offset, _)| offset);
        let first: String = rest.chars().take(1).flat_map(char::escape_debug).collect();
        let span = self.at..self.at + length;
        let help = "delete it; if it belongs to a text, put the text into double quotes";
        self.error(codes::SYNTAX, span, format!("`{first}` means nothing here"), help);
        self.at += length;
    }

    /// A number, a keyword, or a text without quotes.
    fn word(&mut self) -> Kind {
        let start = self.at;
        let rest = self.rest();
        let length = rest.find(|next| !is_in_word(next)).unwrap_or(rest.len());
        let word = rest.get(..length).unwrap_or_default();
        self.at += length;
        let span = start..self.at;
        match word {
            "null" => return Kind::Null,
            "true" => return Kind::Boolean(true),
            "false" => return Kind::Boolean(false),
            _ => {}
        }
        if let Some(kind) = self.number(word, &span) {
            return kind;
        }
        let keyword = |right: &str| format!("write `{right}`");
        let lower = word.to_ascii_lowercase();
        let (kind, help) = match lower.as_str() {
            "true" | "false" => (Kind::Boolean(lower == "true"), keyword(&lower)),
            "null" | "none" | "nil" | "undefined" => {
                (Kind::Hole, "write `null`; or leave the key away".to_owned())
            }
            _ => return self.bare_text(start),
        };
        self.error(codes::WORD, span, format!("`{word}` is no word of JSON"), help);
        kind
    }

    fn number(&mut self, word: &str, span: &Range<usize>) -> Option<Kind> {
        match numbers::read(word)? {
            Ok(number) => Some(Kind::Number(number)),
            Err(wrong) => {
                self.error(codes::NUMBER, span.clone(), wrong.message, wrong.help);
                Some(wrong.meant.map_or(Kind::Hole, Kind::Number))
            }
        }
    }

    /// A text without quotes goes on over blanks, as long as words follow in its line.
    fn bare_text(&mut self, start: usize) -> Kind {
        loop {
            let rest = self.rest();
            let blanks = rest.len() - rest.trim_start_matches([' ', '\t']).len();
            let more = rest.get(blanks..).unwrap_or_default();
            let length = more.find(|next| !is_in_word(next)).unwrap_or(more.len());
            if length == 0 {
                break;
            }
            self.at += blanks + length;
        }
        let text = self.text.get(start..self.at).unwrap_or_default();
        let after =
            self.rest_of_line().strip_prefix('"').map(|after| after.trim_start_matches([' ', '\t', '\r']));
        if after.is_some_and(|after| after.is_empty() || after.starts_with([',', ':', ']', '}'])) {
            self.at += 1;
        }
        let help = "put it into double quotes: `\"...\"`";
        self.error(codes::WORD, start..self.at, "this text stands without quotes", help);
        Kind::Text(text.to_owned())
    }
}
