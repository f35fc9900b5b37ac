//! Which bracket is missing, too many or of the wrong kind.

use crate::codes;
use crate::parser::{Expected, Parser};
use crate::tokens::{Bracket, Kind, Token};

/// How many more brackets of each kind open than close in a whole text. It decides between guesses that are equally
/// good.
pub(crate) struct Balance {
    lists: isize,
    objects: isize,
}

impl Balance {
    pub(crate) fn of(text: &str) -> Balance {
        let mut balance = Balance { lists: 0, objects: 0 };
        let mut is_string = false;
        let mut bytes = text.bytes();
        while let Some(byte) = bytes.next() {
            match byte {
                b'"' => is_string = !is_string,
                // No string goes over a line's end, so one that is broken spoils no more than its line.
                b'\n' => is_string = false,
                b'\\' if is_string => drop(bytes.next()),
                _ if is_string => {}
                b'[' => balance.lists += 1,
                b']' => balance.lists -= 1,
                b'{' => balance.objects += 1,
                b'}' => balance.objects -= 1,
                _ => {}
            }
        }
        balance
    }

    /// How many brackets that close are missing.
    fn missing(&self, bracket: Bracket) -> isize {
        match bracket {
            Bracket::List => self.lists,
            Bracket::Object => self.objects,
        }
    }

    fn repaired(&mut self, bracket: Bracket) {
        match bracket {
            Bracket::List => self.lists -= 1,
            Bracket::Object => self.objects -= 1,
        }
    }
}

impl Parser<'_, '_> {
    /// The innermost list or object must have ended before `token`, which belongs to what encloses it.
    pub(crate) fn missing_close(&mut self, token: Token) -> Option<Token> {
        if self.missing_open(&token) {
            return Some(token);
        }
        let frame = self.stack.last()?;
        let (bracket, open, is_flexible) = (frame.bracket, frame.open.start, frame.is_flexible);
        // A comma that was read stands between the two, after the bracket that is missing.
        let comma = match &frame.expected {
            Expected::Next(comma) => comma.clone(),
            _ => self.last_end..self.last_end,
        };
        if !is_flexible {
            self.report_missing(bracket, open, comma.start);
        }
        self.break_top();
        self.close(comma.start, None);
        self.expect(Expected::Next(comma));
        Some(token)
    }

    /// Whether `token` goes on with, or ends, a list whose opening bracket is missing; that list is then opened.
    fn missing_open(&mut self, token: &Token) -> bool {
        let is_object = self.stack.last().is_some_and(|frame| frame.bracket == Bracket::Object);
        if !is_object || self.balance.missing(Bracket::List) >= 0 || !self.ends_in_object() {
            return false;
        }
        let Some(start) = self.reopen_as_list() else { return false };
        self.balance.lists += 1;
        let message = match token.kind {
            Kind::Close(_) => {
                format!("a `[` is missing before this, for the `]` in line {}", self.line(token.span.start))
            }
            _ => "a `[` is missing before this, since another value follows without a key".to_owned(),
        };
        self.report(codes::BRACKET, start..start + 1, message, "begin the list with `[`");
        true
    }

    fn report_missing(&mut self, bracket: Bracket, open: usize, place: usize) {
        self.balance.repaired(bracket);
        let (closing, noun, opening) = (bracket.closing(), bracket.noun(), bracket.opening());
        let line = self.line(open);
        let message = format!("a `{closing}` is missing here, for the `{opening}` in line {line}");
        self.report(codes::BRACKET, place..place, message, format!("end the {noun} with `{closing}`"));
    }

    /// A key and a colon stand in a list: an object begins, though its bracket is missing.
    pub(crate) fn implied_object(&mut self, token: Token) -> Option<Token> {
        let message = "a key stands in a list, which holds values only";
        let help = "write a `{` before it, or, if the list should be an object, `{` instead of `[`";
        self.report(codes::BRACKET, token.span.clone(), message, help);
        if self.stack.len() >= crate::document::NESTING_MAX {
            self.lose(token.span.start);
        }
        self.push_frame(Bracket::Object, &token, true);
        Some(token)
    }

    /// Values without keys stand in an object: `{` stands for `[`.
    pub(crate) fn list_in_wrong_brackets(&mut self, token: Token) -> Option<Token> {
        let open = self.stack.last()?.open.clone();
        let message = "this `{` begins an object, but values without keys follow";
        self.report(codes::BRACKET, open, message, "write `[ ... ]` for a list, or give every value a key");
        let frame = self.stack.last_mut()?;
        frame.bracket = Bracket::List;
        frame.is_flexible = true;
        Some(token)
    }

    /// A closing bracket is not of the innermost bracket's kind.
    pub(crate) fn mismatch(&mut self, token: Token) -> Option<Token> {
        let Kind::Close(bracket) = token.kind else { return None };
        let frame = self.stack.last()?;
        let (open, top) = (frame.open.start, frame.bracket);
        if frame.is_flexible {
            self.close(token.span.end, None);
            return None;
        }
        if frame.is_implied {
            self.close(token.span.start, None);
            self.unwrap_implied();
            self.close(token.span.end, None);
            return None;
        }
        self.fill_value();
        let below = self.stack.len().checked_sub(2).and_then(|place| self.stack.get(place));
        let is_aligned = below
            .is_some_and(|frame| token.is_first && frame.indent == token.indent && frame.bracket == bracket);
        let matches_below = self.kind_below(1) == Some(bracket);
        if matches_below && self.fits(2) && (is_aligned || self.balance.missing(top) > 0 || !self.fits(0)) {
            self.report_missing(top, open, self.last_end);
            self.break_top();
            self.close(self.last_end, None);
            return Some(token);
        }
        if self.fits(1) {
            let (wanted, opening) = (top.closing(), top.opening());
            let line = self.line(open);
            let message = format!("this ends the `{opening}` in line {line}, but is the wrong bracket");
            self.report(codes::BRACKET, token.span.clone(), message, format!("write `{wanted}`"));
            self.close(token.span.end, None);
            return None;
        }
        if let Some(levels) = self.aligned(&token, bracket) {
            self.missing_many(levels);
            return Some(token);
        }
        if bracket == Bracket::List && self.fits(0) && self.missing_open(&token) {
            return Some(token);
        }
        let closing = bracket.closing();
        let message = format!(
            "this `{closing}` ends nothing: the `{}` in line {} is open",
            top.opening(),
            self.line(open)
        );
        let help = format!("delete it, or write the `{}` that is missing before it", top.closing());
        self.report(codes::BRACKET, token.span.clone(), message, help);
        if !self.fits(0) {
            self.lose(token.span.start);
        }
        None
    }

    /// A key at the end of an object has a value, though nobody can read it.
    fn fill_value(&mut self) {
        if let Some(frame) = self.stack.last()
            && matches!(frame.expected, Expected::Colon | Expected::Value)
        {
            let place = self.last_end..self.last_end;
            self.attach(crate::document::Node::plain(place, crate::document::Data::Hole));
        }
    }

    /// Whether the next tokens go on as they should once `levels` brackets are closed.
    fn fits(&mut self, levels: usize) -> bool {
        let enclosing = self.kind_below(levels);
        match (self.peek(0).clone(), enclosing) {
            (Kind::End, enclosing) => enclosing.is_none(),
            (Kind::Close(bracket), Some(enclosing)) => bracket == enclosing,
            (Kind::Comma, Some(enclosing)) => {
                let is_key =
                    matches!(self.peek(1), Kind::Text(_) | Kind::Hole) && *self.peek(2) == Kind::Colon;
                is_key == (enclosing == Bracket::Object)
            }
            _ => false,
        }
    }

    /// How many brackets stand open inside the one whose line is indented as that of `token`.
    fn aligned(&self, token: &Token, bracket: Bracket) -> Option<usize> {
        let mut outwards = self.stack.iter().rev();
        let is_partner =
            |frame: &crate::parser::Frame| frame.bracket == bracket && frame.indent == token.indent;
        outwards.position(is_partner).filter(|levels| token.is_first && *levels > 0)
    }

    fn missing_many(&mut self, levels: usize) {
        let missing = self.missing(levels);
        let open = self.stack.last().map_or(0, |frame| frame.open.start);
        let line = self.line(open);
        let place = self.last_end..self.last_end;
        let message = format!("`{missing}` is missing here; the innermost open bracket is in line {line}");
        self.report(codes::BRACKET, place, message, format!("write `{missing}`"));
        for _ in 0..levels {
            self.break_top();
            self.close(self.last_end, None);
        }
    }

    /// The brackets that close the innermost `levels` ones.
    fn missing(&self, levels: usize) -> String {
        self.stack.iter().rev().take(levels).map(|frame| frame.bracket.closing()).collect()
    }

    /// The text ends, but brackets are open.
    pub(crate) fn unclosed(&mut self) {
        let Some(innermost) = self.stack.last() else { return };
        if self.lost_at.is_some() {
            return;
        }
        let (span, bracket) = (innermost.open.clone(), innermost.bracket);
        let missing = self.missing(self.stack.len());
        match self.suspect.take() {
            // The file is indented, and this bracket is where it first goes wrong.
            Some((open, close)) if self.stack.iter().all(|frame| frame.open.start <= open.start) => {
                let line = self.line(close);
                let message = format!(
                    "this bracket seems not to be closed: by its indentation, the one in line {line} closes another"
                );
                let help = "write the closing bracket that is missing between the two lines";
                self.report(codes::BRACKET, open.clone(), message, help);
                self.lose(open.start);
            }
            _ => {
                let message = format!("this `{}` is never closed", bracket.opening());
                let help = format!(
                    "write the `{}` where it ends; `{missing}` is missing at the end of the file",
                    bracket.closing()
                );
                self.report(codes::BRACKET, span, message, help);
            }
        }
    }
}
