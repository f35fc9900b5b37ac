//! Reads JSON that may be wrong: each mistake is reported once, in place, and reading goes on.
//!
//! The parser keeps the open brackets on a stack of its own, so no text can exhaust the program's. After a mistake it
//! guesses what was meant, from the next tokens and, for brackets, from how lines are indented (`brackets`). A guess
//! that could be wrong is final: nothing that depends on it is reported any more, since a missing bracket must not
//! make thirty mistakes. What is lost becomes a [`Data::Hole`], or marks what encloses it as broken, and the decoder
//! is silent about that.

use std::collections::{HashMap, VecDeque};
use std::ops::Range;

use crate::brackets::Balance;
use crate::codes;
use crate::diagnostic::Findings;
use crate::document::{Data, Member, NESTING_MAX, Node, TEXT_BYTES_MAX};
use crate::tokens::{Bracket, Kind, Token, Tokens};

/// What is expected next in a list or object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Expected {
    /// The first value or key, or the end.
    First,
    /// A value or key, after the comma that stands here.
    Next(Range<usize>),
    /// The colon after a key.
    Colon,
    /// The value after a colon.
    Value,
    /// A comma or the end.
    Comma,
}

/// A list or object whose end is not read yet.
pub(crate) struct Frame {
    pub(crate) bracket: Bracket,
    pub(crate) open: Range<usize>,
    pub(crate) indent: usize,
    pub(crate) expected: Expected,
    pub(crate) is_broken: bool,
    /// Whether its opening bracket is of the wrong kind, so that the closing one may be too.
    pub(crate) is_flexible: bool,
    /// Whether its opening bracket is missing.
    pub(crate) is_implied: bool,
    is_whole: bool,
    items: Vec<Node>,
    members: Vec<Member>,
    seen: HashMap<String, usize>,
    /// The key whose value is read; none: the value is dropped.
    key: Option<(String, Range<usize>)>,
}

pub(crate) struct Parser<'a, 'text> {
    tokens: Tokens<'a, 'text>,
    ahead: VecDeque<Token>,
    pub(crate) stack: Vec<Frame>,
    root: Option<Node>,
    /// Where the token before the current one ends: the place for what is missing.
    pub(crate) last_end: usize,
    /// How many tokens are read before a mistake of structure is reported again.
    grace: usize,
    /// Where a guess was made that may be wrong.
    pub(crate) lost_at: Option<usize>,
    /// Whether values follow the end.
    is_after_end: bool,
    /// The first pair of brackets that, by their indentation, do not belong together.
    pub(crate) suspect: Option<(Range<usize>, usize)>,
    pub(crate) balance: Balance,
}

/// Reads a text. What comes out may have holes; then an error is reported. Nothing comes out of a text without a value.
pub(crate) fn parse<'text>(text: &'text str, findings: &mut Findings<'text>) -> Option<Node> {
    if text.starts_with('\0') || text.get(1..2) == Some("\0") {
        let help = "save the file as UTF-8; this seems to be UTF-16".to_owned();
        findings.error(codes::ENCODING, 0..0, "the file is no text in UTF-8: it holds NUL bytes", help);
        return None;
    }
    let body = text.trim_start_matches('\u{feff}');
    let offset = text.len() - body.len();
    if offset > 0 {
        let help = "save the file as UTF-8 without a byte order mark".to_owned();
        findings.warning(codes::BYTE_ORDER_MARK, 0..offset, "the file begins with a byte order mark", help);
    }
    let mut parser = Parser {
        tokens: Tokens::new(text, offset, findings),
        ahead: VecDeque::new(),
        stack: Vec::new(),
        root: None,
        last_end: offset,
        grace: 0,
        lost_at: None,
        is_after_end: false,
        suspect: None,
        balance: Balance::of(body),
    };
    parser.run();
    let (mut root, lost_at) = (parser.root, parser.lost_at);
    if let Some(offset) = lost_at {
        root.iter_mut().for_each(|root| root.break_around(offset));
        findings.distrust(offset);
    }
    root
}

impl Parser<'_, '_> {
    fn run(&mut self) {
        loop {
            let token = self.take();
            if token.kind == Kind::End {
                return self.end(&token);
            }
            if token.kind == Kind::Hole {
                self.grace = self.grace.max(2);
            }
            let end = token.span.end;
            // A token may end several lists and objects before it finds its place; each way round ends or moves one.
            let mut pending = Some(token);
            while let Some(token) = pending {
                pending = match self.stack.last().map(|frame| frame.bracket) {
                    None => self.in_file(token),
                    Some(Bracket::List) => self.in_list(token),
                    Some(Bracket::Object) => self.in_object(token),
                };
            }
            self.last_end = self.last_end.max(end);
            if self.stack.is_empty() && self.root.is_some() && self.ahead.is_empty() {
                self.refuse_text_after_end();
            }
        }
    }

    /// Prose after the end is one mistake, and none of its words is worth reading.
    fn refuse_text_after_end(&mut self) {
        self.tokens.skip_blanks();
        let rest = self.tokens.rest();
        if rest.is_empty() || rest.starts_with(['[', '{', ']', '}', ',']) {
            return;
        }
        let (start, end) = (self.tokens.at, self.tokens.text.len());
        self.report(codes::SYNTAX, start..end, "the file should have ended before this", "delete it");
        self.tokens.at = end;
    }

    fn take(&mut self) -> Token {
        self.grace = self.grace.saturating_sub(1);
        self.ahead.pop_front().unwrap_or_else(|| self.tokens.next())
    }

    /// The kind of a token that comes later; 0 is the next one.
    pub(crate) fn peek(&mut self, place: usize) -> &Kind {
        while self.ahead.len() <= place {
            let token = self.tokens.next();
            self.ahead.push_back(token);
        }
        self.ahead.get(place).map_or(&Kind::End, |token| &token.kind)
    }

    pub(crate) fn line(&self, offset: usize) -> usize {
        self.tokens.findings.line(offset)
    }

    /// Reports a mistake of structure, unless it may follow from another.
    pub(crate) fn report(
        &mut self,
        code: &'static str,
        span: Range<usize>,
        message: impl Into<String>,
        help: impl Into<String>,
    ) {
        if self.lost_at.is_none() && self.grace == 0 {
            self.tokens.error(code, span, message, help);
        }
    }

    /// As `report`, of something after which it is not clear how the text goes on.
    fn report_puzzling(&mut self, token: &Token, message: impl Into<String>, help: impl Into<String>) {
        self.report(codes::SYNTAX, token.span.clone(), message, help);
        self.grace = 4;
    }

    pub(crate) fn break_top(&mut self) {
        if let Some(frame) = self.stack.last_mut() {
            frame.is_broken = true;
        }
    }

    /// From here on nobody knows what belongs where.
    pub(crate) fn lose(&mut self, offset: usize) {
        self.lost_at.get_or_insert(offset);
        self.stack.iter_mut().for_each(|frame| frame.is_broken = true);
    }

    pub(crate) fn expect(&mut self, expected: Expected) {
        if let Some(frame) = self.stack.last_mut() {
            frame.expected = expected;
        }
    }

    fn in_file(&mut self, token: Token) -> Option<Token> {
        if self.root.is_none() {
            match token.kind {
                Kind::Comma | Kind::Colon | Kind::Close(_) => {
                    let help = "a file is a list of workflows: [ { \"name\": ... } ]";
                    self.report_puzzling(&token, "the file begins with this", help);
                    return None;
                }
                _ => return self.value(token),
            }
        }
        if !self.is_after_end {
            self.is_after_end = true;
            let help = match token.kind {
                Kind::Close(_) => "delete it",
                _ => "put everything into one list: [ ... ]",
            };
            self.report(codes::SYNTAX, token.span.clone(), "the file should have ended before this", help);
        }
        // What follows is read as if it stood in the list, so that its own mistakes are found too.
        let root = self.root.take()?;
        let mut frame = frame(Bracket::List, root.span.start..root.span.start + 1, 0);
        frame.expected = Expected::Comma;
        frame.is_broken = true;
        match root.data {
            Data::List(items) => frame.items = items,
            _ => frame.items.push(root),
        }
        self.stack.push(frame);
        self.lost_at.get_or_insert(usize::MAX);
        // A second list goes on with the first.
        (token.kind != Kind::Open(Bracket::List)).then_some(token)
    }

    fn in_list(&mut self, token: Token) -> Option<Token> {
        let expected = self.stack.last()?.expected.clone();
        let is_key = matches!(token.kind, Kind::Text(_)) && *self.peek(0) == Kind::Colon;
        match (&token.kind, expected) {
            (Kind::Close(Bracket::List), expected) => {
                self.refuse_trailing_comma(expected, Bracket::List);
                self.close(token.span.end, Some(&token));
            }
            (Kind::Close(Bracket::Object), _) => return self.mismatch(token),
            (Kind::Comma, Expected::Comma) => self.expect(Expected::Next(token.span)),
            (Kind::Comma, _) => self.extra_comma(&token),
            (Kind::Colon, _) => {
                self.report_puzzling(&token, "a `:` stands in a list", "delete it, or write a `,`");
                self.break_top();
                self.expect(Expected::Next(token.span));
            }
            (_, Expected::First) if is_key => return self.implied_object(token),
            _ if is_key && self.kind_below(1) == Some(Bracket::Object) => {
                return self.missing_close(token);
            }
            _ if is_key => return self.implied_object(token),
            (_, Expected::Comma) => {
                self.missing_comma();
                return self.value(token);
            }
            _ => return self.value(token),
        }
        None
    }

    fn in_object(&mut self, token: Token) -> Option<Token> {
        match self.stack.last()?.expected.clone() {
            expected @ (Expected::First | Expected::Next(_)) => self.at_key(token, expected),
            Expected::Colon => self.at_colon(token),
            Expected::Value => self.at_value(token),
            Expected::Comma => self.after_value(token),
        }
    }

    fn at_key(&mut self, token: Token, expected: Expected) -> Option<Token> {
        let is_first = expected == Expected::First;
        let is_value = *self.peek(0) == Kind::Comma && *self.peek(2) != Kind::Colon;
        match token.kind {
            Kind::Close(Bracket::Object) => {
                self.refuse_trailing_comma(expected, Bracket::Object);
                self.close(token.span.end, Some(&token));
            }
            Kind::Close(Bracket::List) => return self.mismatch(token),
            Kind::Comma => self.extra_comma(&token),
            Kind::Colon => {
                self.report_puzzling(&token, "there is no key before this `:`", "write `\"KEY\": VALUE`");
                self.break_top();
                self.expect(Expected::Value);
            }
            Kind::Open(_) if is_first => return self.list_in_wrong_brackets(token),
            Kind::Text(_) | Kind::Null | Kind::Boolean(_) | Kind::Number(_) if is_first && is_value => {
                return self.list_in_wrong_brackets(token);
            }
            Kind::Text(key) => self.key(key, token.span),
            Kind::Open(Bracket::Object) if self.kind_below(1) == Some(Bracket::List) => {
                return self.missing_close(token);
            }
            Kind::Open(_) => {
                self.report_puzzling(&token, "a key is missing before this value", "write `\"KEY\": VALUE`");
                self.break_top();
                self.expect(Expected::Value);
                return Some(token);
            }
            Kind::Hole => {
                self.break_top();
                if *self.peek(0) == Kind::Colon {
                    self.take();
                    self.expect(Expected::Value);
                } else {
                    self.expect(Expected::Comma);
                }
                self.grace = 2;
            }
            Kind::Null | Kind::Boolean(_) | Kind::Number(_) | Kind::End => {
                let key = self.tokens.text.get(token.span.clone()).unwrap_or_default().to_owned();
                let help = format!("write `\"{key}\"`");
                self.report(codes::WORD, token.span.clone(), "this key stands without quotes", help);
                self.key(key, token.span);
            }
        }
        None
    }

    fn key(&mut self, key: String, span: Range<usize>) {
        if let Some(frame) = self.stack.last_mut() {
            frame.key = Some((key, span));
            frame.expected = Expected::Colon;
        }
    }

    fn at_colon(&mut self, token: Token) -> Option<Token> {
        let is_key = matches!(token.kind, Kind::Text(_)) && *self.peek(0) == Kind::Colon;
        match token.kind {
            Kind::Colon => {
                self.expect(Expected::Value);
                None
            }
            _ if is_key || !token.kind.is_value() => self.no_value(token, is_key),
            _ => {
                let place = self.last_end..self.last_end;
                self.report(
                    codes::SYNTAX,
                    place,
                    "a `:` is missing after this key",
                    "write `\"KEY\": VALUE`",
                );
                self.expect(Expected::Value);
                Some(token)
            }
        }
    }

    fn at_value(&mut self, token: Token) -> Option<Token> {
        let is_key = matches!(token.kind, Kind::Text(_)) && *self.peek(0) == Kind::Colon;
        match token.kind {
            Kind::Colon => {
                self.report(codes::SYNTAX, token.span, "there is one `:` too many", "delete it");
                None
            }
            _ if is_key || !token.kind.is_value() => self.no_value(token, is_key),
            _ => self.value(token),
        }
    }

    /// A key has no value; `token` is what follows.
    fn no_value(&mut self, token: Token, is_key: bool) -> Option<Token> {
        let key = self.stack.last().and_then(|frame| frame.key.clone());
        let place = self.last_end..self.last_end;
        if let Some((key, _)) = key {
            let message = format!("the key `{key}` has no value");
            self.report(codes::SYNTAX, place.clone(), message, "write a value after it, or delete the key");
        }
        self.attach(Node::plain(place.clone(), Data::Hole));
        if is_key {
            self.expect(Expected::Next(place));
        }
        Some(token)
    }

    fn after_value(&mut self, token: Token) -> Option<Token> {
        let is_key = matches!(token.kind, Kind::Text(_) | Kind::Hole) && *self.peek(0) == Kind::Colon;
        match token.kind {
            Kind::Comma => self.expect(Expected::Next(token.span)),
            Kind::Close(Bracket::Object) => self.close(token.span.end, Some(&token)),
            Kind::Close(Bracket::List) => return self.mismatch(token),
            Kind::Open(Bracket::Object) if self.kind_below(1) == Some(Bracket::List) => {
                return self.missing_close(token);
            }
            Kind::Colon => {
                self.report_puzzling(&token, "a `:` stands after a value", "write a `,` between two members");
                self.break_top();
                self.expect(Expected::Value);
            }
            _ if is_key => {
                self.missing_comma();
                let place = self.last_end..self.last_end;
                self.expect(Expected::Next(place));
                return Some(token);
            }
            _ => {
                let help =
                    "write `, \"KEY\":` before it; or, if both are one text, put it into one pair of quotes";
                self.report_puzzling(&token, "this value has no key", help);
                self.break_top();
                return self.value(token);
            }
        }
        None
    }

    fn missing_comma(&mut self) {
        let place = self.last_end..self.last_end;
        self.report(codes::SYNTAX, place, "a comma is missing here", "write a `,` between two values");
    }

    /// Commas that follow each other are one mistake.
    fn extra_comma(&mut self, token: &Token) {
        let help = "delete it, or write what should stand before it";
        self.report(codes::SYNTAX, token.span.clone(), "nothing stands before this comma", help);
        while *self.peek(0) == Kind::Comma {
            self.last_end = self.take().span.end;
        }
        // What follows may be the end, and the comma before it is reported already.
        if let Some(frame) = self.stack.last_mut()
            && (self.ahead.front()).is_some_and(|next| matches!(next.kind, Kind::Close(_)))
        {
            frame.expected = Expected::First;
        }
    }

    fn refuse_trailing_comma(&mut self, expected: Expected, bracket: Bracket) {
        if let Expected::Next(comma) = expected
            && !comma.is_empty()
        {
            let message = format!("a comma stands after the last value of this {}", bracket.noun());
            self.report(codes::SYNTAX, comma, message, "delete it");
        }
    }

    /// A value begins.
    fn value(&mut self, token: Token) -> Option<Token> {
        let data = match token.kind {
            Kind::Open(_) if self.stack.len() >= NESTING_MAX => {
                self.too_deep(&token);
                Data::Hole
            }
            Kind::Open(bracket) => {
                self.stack.push(frame(bracket, token.span, token.indent));
                return None;
            }
            Kind::Text(text) if text.len() > TEXT_BYTES_MAX => {
                let message = format!("this string has {} bytes, more than {TEXT_BYTES_MAX}", text.len());
                self.report(codes::TOO_LONG, token.span.clone(), message, "shorten it");
                Data::Hole
            }
            Kind::Text(text) => Data::Text(text),
            Kind::Null => Data::Null,
            Kind::Boolean(value) => Data::Boolean(value),
            Kind::Number(number) => Data::Number(number),
            Kind::Hole | Kind::Close(_) | Kind::Comma | Kind::Colon | Kind::End => Data::Hole,
        };
        self.attach(Node::plain(token.span, data));
        None
    }

    /// Skips a value that is nested too deep.
    fn too_deep(&mut self, token: &Token) {
        let message = format!("lists and objects stand more than {NESTING_MAX} deep in each other");
        self.report(codes::TOO_DEEP, token.span.clone(), message, "a workflow needs about 8 levels");
        let mut depth = 1_usize;
        while depth > 0 {
            match self.peek(0) {
                Kind::Open(_) => depth += 1,
                Kind::Close(_) => depth -= 1,
                Kind::End => return self.lose(token.span.start),
                _ => {}
            }
            self.last_end = self.take().span.end;
        }
    }

    /// Adds a value to the innermost list or object, or to the file.
    pub(crate) fn attach(&mut self, node: Node) {
        let Some(frame) = self.stack.last_mut() else {
            self.root = Some(node);
            return;
        };
        frame.expected = Expected::Comma;
        frame.is_whole &= node.is_whole;
        if frame.bracket == Bracket::List {
            frame.items.push(node);
            return;
        }
        let Some((key, key_span)) = frame.key.take() else { return };
        if let Some(first) = frame.seen.get(&key) {
            if !frame.is_broken {
                let line = self.tokens.findings.line(*first);
                let message = format!("the key `{key}` stands twice in this object, first in line {line}");
                let help = "delete one of the two; only the first is read";
                self.report(codes::DUPLICATE_KEY, key_span, message, help);
            }
            return;
        }
        frame.seen.insert(key.clone(), key_span.start);
        frame.members.push(Member { key, key_span, value: node });
    }

    /// Ends the innermost list or object before `end`; `token` is the bracket that does it.
    pub(crate) fn close(&mut self, end: usize, token: Option<&Token>) {
        let Some(frame) = self.stack.pop() else { return };
        if let Some(token) = token
            && token.is_first
            && token.indent != frame.indent
            && self.suspect.is_none()
        {
            self.suspect = Some((frame.open.clone(), token.span.start));
        }
        let is_whole = frame.is_whole && !frame.is_broken;
        let data = match frame.bracket {
            Bracket::List => Data::List(frame.items),
            Bracket::Object => Data::Object(frame.members),
        };
        let span = frame.open.start..end;
        self.attach(Node { span, data, is_broken: frame.is_broken, is_whole });
    }

    /// The list that consists of an object whose opening bracket is missing becomes that object: `[` stood for `{`.
    pub(crate) fn unwrap_implied(&mut self) {
        if let Some(frame) = self.stack.last_mut()
            && frame.items.len() == 1
            && let Some(Node { data: Data::Object(members), .. }) = frame.items.pop()
        {
            frame.members = members;
            frame.bracket = Bracket::Object;
        }
    }

    /// Whether the last member of the innermost object is an object, so that it could be the first value of a list.
    pub(crate) fn ends_in_object(&self) -> bool {
        let member = self.stack.last().and_then(|frame| frame.members.last());
        member.is_some_and(|member| matches!(member.value.data, Data::Object(_)))
    }

    /// Takes the last member's value back, as the first of a list whose opening bracket is missing.
    pub(crate) fn reopen_as_list(&mut self) -> Option<usize> {
        let enclosing = self.stack.last_mut()?;
        let member = enclosing.members.pop()?;
        let start = member.value.span.start;
        enclosing.seen.remove(&member.key);
        enclosing.key = Some((member.key, member.key_span));
        let mut list = frame(Bracket::List, start..start + 1, enclosing.indent);
        list.expected = match &enclosing.expected {
            Expected::Next(comma) => Expected::Next(comma.clone()),
            _ => Expected::Comma,
        };
        list.is_whole = member.value.is_whole;
        list.items.push(member.value);
        self.stack.push(list);
        Some(start)
    }

    pub(crate) fn push_frame(&mut self, bracket: Bracket, token: &Token, is_implied: bool) {
        let mut frame = frame(bracket, token.span.clone(), token.indent);
        frame.is_implied = is_implied;
        self.stack.push(frame);
    }

    /// What encloses the innermost list or object; 1 is the next one outwards.
    pub(crate) fn kind_below(&self, levels: usize) -> Option<Bracket> {
        let place = self.stack.len().checked_sub(levels + 1)?;
        self.stack.get(place).map(|frame| frame.bracket)
    }

    fn end(&mut self, token: &Token) {
        if self.stack.is_empty() {
            if self.root.is_none() && !self.tokens.findings.has_errors() {
                let help = "a file is a list of workflows: [ { \"name\": ... } ]";
                self.report(codes::SYNTAX, token.span.clone(), "the file is empty", help);
            }
            return;
        }
        self.unclosed();
        while !self.stack.is_empty() {
            if let Some(Frame { expected: Expected::Colon | Expected::Value, .. }) = self.stack.last() {
                self.attach(Node::plain(token.span.clone(), Data::Hole));
            }
            self.break_top();
            self.close(token.span.end, None);
        }
    }
}

fn frame(bracket: Bracket, open: Range<usize>, indent: usize) -> Frame {
    Frame {
        bracket,
        open,
        indent,
        expected: Expected::First,
        is_broken: false,
        is_flexible: false,
        is_implied: false,
        is_whole: true,
        items: Vec::new(),
        members: Vec::new(),
        seen: HashMap::new(),
        key: None,
    }
}

#[cfg(test)]
mod tests;
