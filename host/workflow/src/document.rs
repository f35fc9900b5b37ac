//! JSON with positions.
//!
//! The rest of the crate knows only [`Node`], so the parser can change. Every span that is reported is short: of a list
//! or an object it is the opening bracket, since marking a page of text helps nobody.

use std::ops::Range;

use jsonc_parser::ParseOptions;
use jsonc_parser::ast;
use jsonc_parser::common::Ranged;
use jsonc_parser::errors::{ParseError, ParseErrorKind};
use serde_json::Value;

use crate::codes;
use crate::diagnostic::Findings;

/// How deep lists and objects may stand in each other.
pub const NESTING_MAX: usize = 64;

/// A value and where it stands, in bytes of the text.
#[derive(Debug)]
pub(crate) struct Node {
    span: Range<usize>,
    pub(crate) data: Data,
}

#[derive(Debug)]
pub(crate) enum Data {
    Null,
    Boolean(bool),
    Number(serde_json::Number),
    Text(String),
    List(Vec<Node>),
    /// In the order of the text; of equal keys the first is here.
    Object(Vec<Member>),
}

#[derive(Debug)]
pub(crate) struct Member {
    pub(crate) key: String,
    pub(crate) key_span: Range<usize>,
    pub(crate) value: Node,
}

impl Node {
    /// What a diagnostic about this value marks.
    pub(crate) fn mark(&self) -> Range<usize> {
        match self.data {
            Data::List(_) | Data::Object(_) => self.span.start..self.span.start + 1,
            _ => self.span.clone(),
        }
    }

    /// The value's kind, for people.
    pub(crate) fn kind(&self) -> &'static str {
        match self.data {
            Data::Null => "null",
            Data::Boolean(_) => "true or false",
            Data::Number(_) => "a number",
            Data::Text(_) => "a string",
            Data::List(_) => "a list",
            Data::Object(_) => "an object",
        }
    }

    pub(crate) fn to_json(&self) -> Value {
        match &self.data {
            Data::Null => Value::Null,
            Data::Boolean(value) => Value::Bool(*value),
            Data::Number(number) => Value::Number(number.clone()),
            Data::Text(text) => Value::String(text.clone()),
            Data::List(nodes) => nodes.iter().map(Node::to_json).collect(),
            Data::Object(members) => {
                members.iter().map(|member| (member.key.clone(), member.value.to_json())).collect()
            }
        }
    }

    /// The members of an object; of anything else none.
    pub(crate) fn members(&self) -> &[Member] {
        match &self.data {
            Data::Object(members) => members,
            _ => &[],
        }
    }

    /// The member with this key.
    pub(crate) fn member(&self, key: &str) -> Option<&Member> {
        self.members().iter().find(|member| member.key == key)
    }

    /// The value at a JSON pointer.
    pub(crate) fn at(&self, pointer: &str) -> Option<&Node> {
        pointer.split('/').skip(1).try_fold(self, |node, segment| match &node.data {
            Data::List(nodes) => nodes.get(segment.parse::<usize>().ok()?),
            Data::Object(_) => {
                node.member(&segment.replace("~1", "/").replace("~0", "~")).map(|member| &member.value)
            }
            _ => None,
        })
    }

    /// Calls `visit` with every string in this value and its path, such as `fields[0].name`, `path` being this value's.
    pub(crate) fn each_text<'node>(
        &'node self,
        path: &str,
        visit: &mut impl FnMut(&str, &'node str, Range<usize>),
    ) {
        match &self.data {
            Data::Text(text) => visit(path, text, self.mark()),
            Data::List(nodes) => {
                for (index, node) in nodes.iter().enumerate() {
                    node.each_text(&format!("{path}[{index}]"), visit);
                }
            }
            Data::Object(members) => {
                for Member { key, value, .. } in members {
                    let path = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
                    value.each_text(&path, visit);
                }
            }
            Data::Null | Data::Boolean(_) | Data::Number(_) => {}
        }
    }
}

/// Parses strict JSON. Nothing comes out when the syntax is broken; then an error is reported.
pub(crate) fn parse(text: &str, findings: &mut Findings<'_>) -> Option<Node> {
    let body = text.trim_start_matches('\u{feff}');
    let offset = text.len() - body.len();
    if offset > 0 {
        let help = "save the file as UTF-8 without a byte order mark".to_owned();
        findings.warning(codes::BYTE_ORDER_MARK, 0..offset, "the file begins with a byte order mark", help);
    }
    if let Some(bracket) = too_deep(body) {
        let message = format!("lists and objects stand more than {NESTING_MAX} deep in each other");
        let mark = bracket + offset..bracket + offset + 1;
        findings.error(codes::TOO_DEEP, mark, message, "a workflow needs about 8 levels".to_owned());
        return None;
    }
    let mut converter = Converter { body, offset, findings };
    match jsonc_parser::parse_to_ast(body, &Default::default(), &strict()) {
        Ok(parsed) => match parsed.value {
            Some(value) => converter.node(value),
            None => {
                let help = "a file is a list of workflows: [ { \"name\": ... } ]".to_owned();
                converter.findings.error(codes::SYNTAX, 0..0, "the file is empty", help);
                None
            }
        },
        Err(error) => {
            converter.syntax_error(&error);
            None
        }
    }
}

fn strict() -> ParseOptions {
    ParseOptions {
        allow_comments: false,
        allow_loose_object_property_names: false,
        allow_trailing_commas: false,
        allow_missing_commas: false,
        allow_single_quoted_strings: false,
        allow_hexadecimal_numbers: false,
        allow_unary_plus_numbers: false,
        allow_bare_decimal_point_numbers: false,
        allow_non_finite_numbers: false,
        allow_extended_string_escapes: false,
    }
}

/// Where the first bracket stands that is nested too deep. Found before parsing, since the parser recurses.
fn too_deep(text: &str) -> Option<usize> {
    let mut depth = 0_usize;
    let mut bytes = text.bytes().enumerate();
    while let Some((offset, byte)) = bytes.next() {
        match byte {
            b'[' | b'{' => depth += 1,
            b']' | b'}' => depth = depth.saturating_sub(1),
            b'"' => {
                while let Some((_, byte)) = bytes.next() {
                    match byte {
                        b'"' => break,
                        b'\\' => drop(bytes.next()),
                        _ => {}
                    }
                }
            }
            _ => {}
        }
        if depth > NESTING_MAX {
            return Some(offset);
        }
    }
    None
}

struct Converter<'a, 'text> {
    body: &'a str,
    /// What stands before `body` in the file, in bytes.
    offset: usize,
    findings: &'a mut Findings<'text>,
}

impl Converter<'_, '_> {
    fn span(&self, range: jsonc_parser::common::Range) -> Range<usize> {
        range.start + self.offset..range.end + self.offset
    }

    fn node(&mut self, value: ast::Value<'_>) -> Option<Node> {
        let span = self.span(value.range());
        let data = match value {
            ast::Value::NullKeyword(_) => Data::Null,
            ast::Value::BooleanLit(literal) => Data::Boolean(literal.value),
            ast::Value::NumberLit(literal) => Data::Number(self.number(literal.value, &span)?),
            ast::Value::StringLit(literal) => {
                self.refuse_control_characters(&literal);
                Data::Text(literal.value.into_owned())
            }
            ast::Value::Array(list) => {
                Data::List(list.elements.into_iter().filter_map(|element| self.node(element)).collect())
            }
            ast::Value::Object(object) => Data::Object(self.object(object)),
        };
        Some(Node { span, data })
    }

    fn number(&mut self, text: &str, span: &Range<usize>) -> Option<serde_json::Number> {
        let number = text.parse().ok();
        if number.is_none() {
            self.findings.error(
                codes::SYNTAX,
                span.clone(),
                format!("`{text}` is too large for a number"),
                None,
            );
        }
        number
    }

    fn object(&mut self, object: ast::Object<'_>) -> Vec<Member> {
        let mut members = Vec::with_capacity(object.properties.len());
        let mut seen = std::collections::HashMap::new();
        for property in object.properties {
            let key_span = self.span(match &property.name {
                ast::ObjectPropName::String(literal) => literal.range,
                ast::ObjectPropName::Word(literal) => literal.range,
            });
            if let ast::ObjectPropName::String(literal) = &property.name {
                self.refuse_control_characters(literal);
            }
            let key = property.name.into_string();
            let value = self.node(property.value);
            if let Some(first) = seen.get(&key) {
                let line = self.findings.line(*first);
                let message = format!("the key `{key}` stands twice in this object, first in line {line}");
                self.findings.error(
                    codes::DUPLICATE_KEY,
                    key_span,
                    message,
                    "delete one of the two".to_owned(),
                );
                continue;
            }
            seen.insert(key.clone(), key_span.start);
            members.extend(value.map(|value| Member { key, key_span, value }));
        }
        members
    }

    /// The parser lets line breaks and tabs stand in strings; JSON does not.
    fn refuse_control_characters(&mut self, literal: &ast::StringLit<'_>) {
        let raw = self.body.get(literal.range.start..literal.range.end).unwrap_or_default();
        if let Some(found) = raw.find(|character: char| character < ' ') {
            let start = literal.range.start + found + self.offset;
            let help = "write \\n for a line break and \\t for a tab".to_owned();
            self.findings.error(codes::SYNTAX, start..start, "a control character stands in a string", help);
        }
    }

    fn syntax_error(&mut self, error: &ParseError) {
        let span = match error.kind() {
            // Their range is all the rest of the file; what is wrong is that this bracket has no partner.
            ParseErrorKind::UnterminatedArray | ParseErrorKind::UnterminatedObject => {
                error.range().start..error.range().start + 1
            }
            _ => error.range().start..error.range().end,
        };
        let message = first_letter_lowered(&error.kind().to_string());
        let help = syntax_help(error.kind()).to_owned();
        self.findings.error(codes::SYNTAX, span.start + self.offset..span.end + self.offset, message, help);
    }
}

fn first_letter_lowered(text: &str) -> String {
    let mut characters = text.chars();
    characters.next().map(|first| first.to_lowercase().chain(characters).collect()).unwrap_or_default()
}

fn syntax_help(kind: &ParseErrorKind) -> &'static str {
    match kind {
        ParseErrorKind::TrailingCommasNotAllowed => "delete this comma: none stands after the last value",
        ParseErrorKind::ExpectedComma => "write a `,` here, between two values",
        ParseErrorKind::CommentsNotAllowed => "JSON has no comments: write a `description` instead",
        ParseErrorKind::SingleQuotedStringsNotAllowed => "write strings in double quotes",
        ParseErrorKind::ExpectedStringObjectProperty => "write the key in double quotes",
        ParseErrorKind::ExpectedColonAfterObjectKey => "write a `:` between key and value",
        ParseErrorKind::UnterminatedArray => "add the `]` that closes this list",
        ParseErrorKind::UnterminatedObject => "add the `}` that closes this object",
        ParseErrorKind::MultipleRootJsonValues => "put everything into one list: [ ... ]",
        ParseErrorKind::UnexpectedWord => "write strings in double quotes",
        ParseErrorKind::String(_) => {
            "end strings with `\"`, and write `\\\"` for a quote and `\\\\` for a backslash in one"
        }
        _ => "look just before the mark for a missing quote, comma or bracket",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pointers_lead_to_values() {
        let mut findings = Findings::new("");
        let node = parse(r#"{"a/b": [1, {"c": "x"}]}"#, &mut findings).unwrap();
        assert_eq!(node.at("/a~1b/1/c").unwrap().to_json(), "x");
        assert!(node.at("/a~1b/7").is_none());
        assert_eq!(node.at("").unwrap().mark(), 0..1);
    }

    #[test]
    fn nesting_is_bounded() {
        let nest = |depth: usize| format!("{}1{}", "[".repeat(depth), "]".repeat(depth));
        for (depth, accepted) in [(NESTING_MAX, true), (NESTING_MAX + 1, false)] {
            let text = nest(depth);
            let mut findings = Findings::new(&text);
            assert_eq!(parse(&text, &mut findings).is_some(), accepted, "{depth}");
            assert_eq!(findings.finish().iter().any(|found| found.code == codes::TOO_DEEP), !accepted);
        }
    }

    #[test]
    fn brackets_in_strings_do_not_nest() {
        assert_eq!(too_deep(&format!("[\"\\\"{}\"]", "[".repeat(100))), None);
    }
}
