//! Go's syntax of regular expressions, which is RE2's, into the syntax tree of `regex-syntax`.
//!
//! The tree and not the text is translated, since the two syntaxes share most of their spelling and little of its meaning:
//! `\d`, `\w`, `\s` and `\b` are ASCII in Go, `x{` is literal, `a**` is an error, `\pN` needs exact names.
//! What Go's `regexp/syntax` does with a text is documented at <https://pkg.go.dev/regexp/syntax>; `(?<name>…)` is accepted as
//! Go 1.22 does.
//!
//! There is no recursion, so no pattern is too deep for the stack; what is nested deeper than [`NESTING_MAX`] is refused.

use std::collections::BTreeSet;
use std::iter::Peekable;
use std::str::CharIndices;

use regex_syntax::hir::{Capture, Class, ClassUnicode, ClassUnicodeRange, Dot, Hir, Look, Repetition};

use super::classes::{self, Unicode};

/// How deep groups may stand in each other.
pub(super) const NESTING_MAX: usize = 250;
/// The most repetitions that a count asks for, also as the product of counts that stand in each other; Go's bound.
const REPEAT_MAX: u32 = 1_000;

/// Why a text is no pattern.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct SyntaxError {
    pub(super) reason: String,
    pub(super) help: Option<&'static str>,
}

/// Parses a pattern.
pub(super) fn parse(pattern: &str) -> Result<Hir, SyntaxError> {
    let mut parser = Parser {
        pattern,
        rest: pattern.char_indices().peekable(),
        flags: Flags::default(),
        open: vec![Group::default()],
        names: BTreeSet::new(),
        captures: 0,
        unicode: Unicode::default(),
    };
    parser.pattern()?;
    match (parser.open.pop(), parser.open.is_empty()) {
        (Some(outermost), true) => Ok(outermost.close().hir),
        _ => Err(error("a `(` has no `)`", None)),
    }
}

#[derive(Clone, Copy, Default)]
struct Flags {
    /// `i`
    fold: bool,
    /// `m`
    multi_line: bool,
    /// `s`
    dot_newline: bool,
    /// `U`
    swap_greed: bool,
}

/// A part of the pattern.
struct Piece {
    hir: Hir,
    /// The largest product of counts that stand in each other in it.
    weight: u32,
}

impl Piece {
    fn one(hir: Hir) -> Piece {
        Piece { hir, weight: 1 }
    }
}

/// A group that is open; the outermost is the pattern.
#[derive(Default)]
struct Group {
    /// The index and the name of what it captures; none: nothing.
    capture: Option<(u32, Option<Box<str>>)>,
    /// What held before it.
    flags: Flags,
    alternatives: Vec<Piece>,
    concatenation: Vec<Piece>,
}

impl Group {
    fn alternate(&mut self) {
        let pieces = std::mem::take(&mut self.concatenation);
        let weight = pieces.iter().map(|piece| piece.weight).max().unwrap_or(1);
        let hir = Hir::concat(pieces.into_iter().map(|piece| piece.hir).collect());
        self.alternatives.push(Piece { hir, weight });
    }

    fn close(mut self) -> Piece {
        self.alternate();
        let weight = self.alternatives.iter().map(|piece| piece.weight).max().unwrap_or(1);
        let hir = Hir::alternation(self.alternatives.into_iter().map(|piece| piece.hir).collect());
        let hir = match self.capture {
            Some((index, name)) => Hir::capture(Capture { index, name, sub: Box::new(hir) }),
            None => hir,
        };
        Piece { hir, weight }
    }
}

struct Parser<'text> {
    pattern: &'text str,
    rest: Peekable<CharIndices<'text>>,
    flags: Flags,
    /// Never empty until the end.
    open: Vec<Group>,
    names: BTreeSet<&'text str>,
    captures: u32,
    unicode: Unicode,
}

impl<'text> Parser<'text> {
    fn pattern(&mut self) -> Result<(), SyntaxError> {
        let mut repeated: Option<usize> = None;
        while let Some((at, character)) = self.rest.next() {
            // Where the text of a repetition begins that has just been read.
            let before = repeated.take();
            match character {
                '(' => self.open_group(at)?,
                ')' => self.close_group()?,
                '|' => self.top().alternate(),
                '^' if self.flags.multi_line => self.push(Hir::look(Look::StartLF)),
                '^' => self.push(Hir::look(Look::Start)),
                '$' if self.flags.multi_line => self.push(Hir::look(Look::EndLF)),
                '$' => self.push(Hir::look(Look::End)),
                '.' if self.flags.dot_newline => self.push(Hir::dot(Dot::AnyChar)),
                '.' => self.push(Hir::dot(Dot::AnyCharExceptLF)),
                '[' => {
                    let class = self.class(at)?;
                    self.push(Hir::class(Class::Unicode(class)));
                }
                '*' => repeated = Some(self.repeat(at, before, 0, None)?),
                '+' => repeated = Some(self.repeat(at, before, 1, None)?),
                '?' => repeated = Some(self.repeat(at, before, 0, Some(1))?),
                '{' => match self.counts() {
                    Some((min, max)) => repeated = Some(self.counted(at, before, min, max)?),
                    None => self.literal('{'),
                },
                '\\' => self.escape(at)?,
                other => self.literal(other),
            }
        }
        Ok(())
    }

    #[expect(
        clippy::expect_used,
        reason = "`open` begins with the pattern itself, and `close_group` never takes the last"
    )]
    fn top(&mut self) -> &mut Group {
        self.open.last_mut().expect("the pattern is open")
    }

    fn push(&mut self, hir: Hir) {
        self.top().concatenation.push(Piece::one(hir));
    }

    fn literal(&mut self, character: char) {
        let hir = if self.flags.fold {
            let mut class = ClassUnicode::new([ClassUnicodeRange::new(character, character)]);
            class.case_fold_simple();
            Hir::class(Class::Unicode(class))
        } else {
            Hir::literal(character.to_string().into_bytes())
        };
        self.push(hir);
    }

    /// A code point; one that no text holds matches nothing.
    fn code_point(&mut self, code: u32) {
        match char::from_u32(code) {
            Some(character) => self.literal(character),
            None => self.push(Hir::fail()),
        }
    }

    fn text(&self) -> &'text str {
        let at = self.rest.clone().next().map_or(self.pattern.len(), |(at, _)| at);
        self.pattern.get(at..).unwrap_or_default()
    }

    /// Takes what is there anyway, counted in bytes.
    fn skip(&mut self, bytes: usize) {
        let end = self.pattern.len() - self.text().len() + bytes;
        while self.rest.next_if(|(at, _)| *at < end).is_some() {}
    }

    fn take(&mut self, wanted: char) -> bool {
        self.rest.next_if(|(_, character)| *character == wanted).is_some()
    }

    /// What the pattern says from `at` to here, for an error.
    fn said(&self, at: usize) -> &'text str {
        let end = self.pattern.len() - self.text().len();
        self.pattern.get(at..end).unwrap_or_default()
    }

    fn open_group(&mut self, at: usize) -> Result<(), SyntaxError> {
        if self.open.len() > NESTING_MAX {
            let reason = format!("its groups stand more than {NESTING_MAX} deep in each other");
            return Err(error(&reason, Some("write it with fewer groups")));
        }
        let (outside, capture) =
            (self.flags, if self.take('?') { self.modifier(at)? } else { Opened::Unnamed });
        let capture = match capture {
            Opened::OnlyFlags => return Ok(()),
            Opened::NoCapture => None,
            Opened::Unnamed => Some((self.next_capture(), None)),
            Opened::Named(name) => Some((self.next_capture(), Some(name.into()))),
        };
        self.open.push(Group { capture, flags: outside, ..Group::default() });
        Ok(())
    }

    fn next_capture(&mut self) -> u32 {
        self.captures += 1;
        self.captures
    }

    fn close_group(&mut self) -> Result<(), SyntaxError> {
        if self.open.len() < 2 {
            return Err(error("a `)` has no `(`", Some("write `\\)` for the character itself")));
        }
        if let Some(group) = self.open.pop() {
            self.flags = group.flags;
            let piece = group.close();
            self.top().concatenation.push(piece);
        }
        Ok(())
    }

    /// What follows `(?`.
    fn modifier(&mut self, at: usize) -> Result<Opened<'text>, SyntaxError> {
        let text = self.text();
        for look in ["=", "!", "<=", "<!"] {
            if text.starts_with(look) {
                let reason = format!("`(?{look}` is a look-around, which this syntax does not have");
                return Err(error(&reason, Some("to leave messages out, use `except` or `except_regex`")));
            }
        }
        for start in ["P<", "<"] {
            if let Some(name) = text.strip_prefix(start) {
                self.skip(start.len());
                return self.group_name(name);
            }
        }
        let (mut flags, mut sign, mut saw_flag) = (self.flags, true, false);
        for (_, character) in self.rest.by_ref() {
            match character {
                'i' => (flags.fold, saw_flag) = (sign, true),
                'm' => (flags.multi_line, saw_flag) = (sign, true),
                's' => (flags.dot_newline, saw_flag) = (sign, true),
                'U' => (flags.swap_greed, saw_flag) = (sign, true),
                '-' if sign => (sign, saw_flag) = (false, false),
                ':' | ')' if sign || saw_flag => {
                    let opened = if character == ':' { Opened::NoCapture } else { Opened::OnlyFlags };
                    self.flags = flags;
                    return Ok(opened);
                }
                _ => break,
            }
        }
        let reason = format!("`{}` begins no group", self.said(at));
        let help = "groups begin with `(`, `(?:`, `(?P<name>` or flags of `imsU` such as `(?i)`";
        Err(error(&reason, Some(help)))
    }

    fn group_name(&mut self, text: &'text str) -> Result<Opened<'text>, SyntaxError> {
        let Some((name, _)) = text.split_once('>') else {
            return Err(error("the name of a group has no `>`", None));
        };
        let is_word = |character: char| character.is_ascii_alphanumeric() || character == '_';
        if name.is_empty() || !name.chars().all(is_word) {
            let reason = format!("`{name}` cannot be the name of a group");
            return Err(error(&reason, Some("names of groups have letters, digits and underscores")));
        }
        self.skip(name.len() + 1);
        // Go takes a name twice, and gives the first group for it.
        Ok(if self.names.insert(name) { Opened::Named(name) } else { Opened::Unnamed })
    }

    /// The counts after a `{`; none when it does not begin a repetition, and then nothing was taken.
    fn counts(&mut self) -> Option<(Option<u32>, Option<Option<u32>>)> {
        let (inside, _) = self.text().split_once('}')?;
        let counts = match inside.split_once(',') {
            None => {
                let count = number(inside)?;
                (count, Some(count))
            }
            Some((min, "")) => (number(min)?, None),
            Some((min, max)) => (number(min)?, Some(number(max)?)),
        };
        self.skip(inside.len() + 1);
        Some(counts)
    }

    fn counted(
        &mut self,
        at: usize,
        before: Option<usize>,
        min: Option<u32>,
        max: Option<Option<u32>>,
    ) -> Result<usize, SyntaxError> {
        // A count that is too long to be read is too large as well.
        let (min, max) = (min.unwrap_or(u32::MAX), max.map(|max| max.unwrap_or(u32::MAX)));
        if min > REPEAT_MAX || max.is_some_and(|max| max > REPEAT_MAX || max < min) {
            return Err(self.wrong_count(at));
        }
        self.repeat(at, before, min, max)
    }

    fn wrong_count(&self, at: usize) -> SyntaxError {
        let reason = format!("the repeat count `{}` is not valid", self.said(at));
        error(
            &reason,
            Some("counts go from the smaller to the larger, at most 1,000, also when they are multiplied"),
        )
    }

    /// Repeats the last piece. Gives where this repetition began.
    fn repeat(
        &mut self,
        at: usize,
        before: Option<usize>,
        min: u32,
        max: Option<u32>,
    ) -> Result<usize, SyntaxError> {
        let greedy = self.take('?') == self.flags.swap_greed;
        if let Some(before) = before {
            let reason = format!("`{}` repeats a repetition", self.said(before));
            return Err(error(&reason, Some("put the inner one into a group: `(?:a*)*`")));
        }
        let Some(piece) = self.top().concatenation.pop() else {
            let reason = format!("`{}` repeats nothing", self.said(at));
            return Err(error(&reason, Some("write a backslash before it for the character itself")));
        };
        let is_count = self.pattern.as_bytes().get(at) == Some(&b'{');
        let mut weight = piece.weight;
        if is_count {
            let most = max.unwrap_or(min);
            weight = match max {
                Some(0) => 1,
                _ => weight.saturating_mul(most.max(1)),
            };
            if most >= 2 && weight > REPEAT_MAX {
                return Err(self.wrong_count(at));
            }
        }
        let hir = Hir::repetition(Repetition { min, max, greedy, sub: Box::new(piece.hir) });
        self.top().concatenation.push(Piece { hir, weight });
        Ok(at)
    }

    /// What follows a `\` outside of brackets.
    fn escape(&mut self, at: usize) -> Result<(), SyntaxError> {
        match self.rest.peek().map(|(_, character)| *character) {
            Some('A') => self.look(Look::Start),
            Some('z') => self.look(Look::End),
            Some('b') => self.look(Look::WordAscii),
            Some('B') => self.look(Look::WordAsciiNegate),
            Some('Q') => {
                self.skip(1);
                let text = self.text();
                let (quoted, taken) = match text.split_once(r"\E") {
                    Some((quoted, _)) => (quoted, quoted.len() + 2),
                    None => (text, text.len()),
                };
                quoted.chars().for_each(|character| self.literal(character));
                self.skip(taken);
            }
            _ => match self.escaped_class(at)? {
                Some(class) => self.push(Hir::class(Class::Unicode(class))),
                None => {
                    let code = self.escaped_code_point(at)?;
                    self.code_point(code);
                }
            },
        }
        Ok(())
    }

    fn look(&mut self, look: Look) {
        self.skip(1);
        self.push(Hir::look(look));
    }

    /// `\d`, `\pN`, `\p{Greek}` and their like, after the `\`; none when it is no class, and then nothing was taken.
    fn escaped_class(&mut self, at: usize) -> Result<Option<ClassUnicode>, SyntaxError> {
        let Some((_, letter)) = self.rest.peek().copied() else { return Ok(None) };
        if matches!(letter, 'p' | 'P') {
            self.skip(1);
            return self.unicode_class(at, letter == 'P').map(Some);
        }
        let Some(class) = classes::perl(letter.to_ascii_lowercase()) else { return Ok(None) };
        self.skip(1);
        Ok(Some(self.folded(class, letter.is_ascii_uppercase())))
    }

    fn unicode_class(&mut self, at: usize, negated: bool) -> Result<ClassUnicode, SyntaxError> {
        let text = self.text();
        let (name, taken) = match text.strip_prefix('{') {
            Some(braced) => match braced.split_once('}') {
                Some((name, _)) => (name, name.len() + 2),
                None => return Err(error(r"a `\p{` has no `}`", None)),
            },
            None => {
                let end = text.chars().next().map_or(0, char::len_utf8);
                (text.get(..end).unwrap_or_default(), end)
            }
        };
        self.skip(taken);
        let (name, negated) = match name.strip_prefix('^') {
            Some(name) => (name, !negated),
            None => (name, negated),
        };
        let Some(mut class) = self.unicode.class(name, self.flags.fold) else {
            let reason = format!("`{}` is no class of characters", self.said(at));
            let help =
                r"write a category such as \p{Lu} or a script such as \p{Greek}, in Unicode's spelling";
            return Err(error(&reason, Some(help)));
        };
        if negated {
            class.negate();
        }
        Ok(class)
    }

    /// Case first, then the complement, as Go does.
    fn folded(&self, mut class: ClassUnicode, negated: bool) -> ClassUnicode {
        if self.flags.fold {
            class.case_fold_simple();
        }
        if negated {
            class.negate();
        }
        class
    }

    /// The code point that an escape stands for, after the `\`.
    fn escaped_code_point(&mut self, at: usize) -> Result<u32, SyntaxError> {
        let Some((_, character)) = self.rest.next() else {
            return Err(error(r"it ends with a `\`", Some(r"write `\\` for the character itself")));
        };
        let code = match character {
            '0' => Some(self.octal(0, 2)),
            '1'..='7' if self.rest.peek().is_some_and(|(_, next)| next.is_digit(8)) => {
                Some(self.octal(character.to_digit(8).unwrap_or_default(), 2))
            }
            'x' => self.hexadecimal(),
            'a' => Some(0x07),
            'f' => Some(0x0C),
            't' => Some(0x09),
            'n' => Some(0x0A),
            'r' => Some(0x0D),
            'v' => Some(0x0B),
            other if other.is_ascii() && !other.is_ascii_alphanumeric() => Some(u32::from(other)),
            _ => None,
        };
        code.ok_or_else(|| {
            let reason = format!("`{}` is no escape", self.said(at));
            let help = match character {
                '1'..='9' => "a pattern cannot refer back to what a group matched",
                'Z' => r"write `\z` for the end of the text",
                'E' => r"`\E` ends what `\Q` begins",
                _ => "delete the backslash for the character itself",
            };
            error(&reason, Some(help))
        })
    }

    fn octal(&mut self, first: u32, digits: usize) -> u32 {
        let mut code = first;
        for _ in 0..digits {
            let Some((_, digit)) = self.rest.next_if(|(_, next)| next.is_digit(8)) else { break };
            code = code * 8 + digit.to_digit(8).unwrap_or_default();
        }
        code
    }

    /// After `\x`: two digits, or any number in braces.
    fn hexadecimal(&mut self) -> Option<u32> {
        if self.take('{') {
            let (digits, _) = self.text().split_once('}')?;
            if digits.is_empty() || !digits.chars().all(|digit| digit.is_ascii_hexdigit()) {
                return None;
            }
            self.skip(digits.len() + 1);
            let code = u32::from_str_radix(digits.trim_start_matches('0'), 16);
            let code = if digits.bytes().all(|digit| digit == b'0') { Ok(0) } else { code };
            return code.ok().filter(|code| *code <= u32::from(char::MAX));
        }
        let mut digit = || self.rest.next()?.1.to_digit(16);
        Some(digit()? * 16 + digit()?)
    }

    /// What follows a `[`.
    fn class(&mut self, at: usize) -> Result<ClassUnicode, SyntaxError> {
        let negated = self.take('^');
        let mut class = ClassUnicode::empty();
        let mut is_first = true;
        while is_first || !self.take(']') {
            is_first = false;
            if let Some(named) = self.named_class()? {
                class.union(&named);
                continue;
            }
            let start = self.pattern.len() - self.text().len();
            if self.text().starts_with('\\') {
                self.skip(1);
                if let Some(escaped) = self.escaped_class(start)? {
                    class.union(&escaped);
                    continue;
                }
                let low = self.escaped_code_point(start)?;
                self.class_range(start, low, &mut class)?;
            } else {
                let low = self.class_character(at)?;
                self.class_range(start, low, &mut class)?;
            }
        }
        if self.flags.fold {
            class.case_fold_simple();
        }
        if negated {
            class.negate();
        }
        Ok(class)
    }

    fn class_character(&mut self, at: usize) -> Result<u32, SyntaxError> {
        match self.rest.next() {
            Some((_, character)) => Ok(u32::from(character)),
            None => {
                let reason = format!("`{}` has no `]`", shortened(self.said(at)));
                Err(error(&reason, Some("write `\\[` for the character itself")))
            }
        }
    }

    /// Adds the character, or the range that begins with it.
    fn class_range(&mut self, start: usize, low: u32, class: &mut ClassUnicode) -> Result<(), SyntaxError> {
        let mut high = low;
        let text = self.text();
        if text.len() >= 2 && text.starts_with('-') && !text.starts_with("-]") {
            self.skip(1);
            let end = self.pattern.len() - self.text().len();
            high = if self.take('\\') { self.escaped_code_point(end)? } else { self.class_character(start)? };
            if high < low {
                let reason = format!("the range `{}` goes backwards", self.said(start));
                return Err(error(&reason, Some("write the smaller character first")));
            }
        }
        class.union(&ClassUnicode::new(classes::range(low, high)));
        Ok(())
    }

    /// `[:alpha:]` inside of brackets; none when it is none, and then nothing was taken.
    fn named_class(&mut self) -> Result<Option<ClassUnicode>, SyntaxError> {
        let Some((name, _)) = self.text().strip_prefix("[:").and_then(|text| text.split_once(":]")) else {
            return Ok(None);
        };
        let (plain, negated) = name.strip_prefix('^').map_or((name, false), |plain| (plain, true));
        let Some(class) = classes::posix(plain) else {
            let reason = format!("`[:{}:]` is no class of characters", shortened(name));
            return Err(error(&reason, Some("write one such as `[:alpha:]`, `[:digit:]`, `[:space:]`")));
        };
        self.skip(name.len() + 4);
        Ok(Some(self.folded(class, negated)))
    }
}

/// What stands after a `(`.
enum Opened<'text> {
    Unnamed,
    Named(&'text str),
    NoCapture,
    OnlyFlags,
}

/// A count of a repetition: nothing when it is none, `Some(None)` when it has too many digits.
#[expect(clippy::option_option, reason = "both are needed: `{x` is literal, `{9999999999}` is an error")]
fn number(text: &str) -> Option<Option<u32>> {
    let is_number = !text.is_empty() && text.bytes().all(|digit| digit.is_ascii_digit());
    let has_leading_zero = text.len() > 1 && text.starts_with('0');
    (is_number && !has_leading_zero).then(|| text.parse().ok())
}

/// How much of a pattern an error quotes, in characters.
const QUOTE_CHARS_MAX: usize = 40;

fn shortened(text: &str) -> String {
    match text.char_indices().nth(QUOTE_CHARS_MAX) {
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or_default()),
        None => text.to_owned(),
    }
}

fn error(reason: &str, help: Option<&'static str>) -> SyntaxError {
    SyntaxError { reason: reason.to_owned(), help }
}
