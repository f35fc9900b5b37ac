//! JSON with positions.
//!
//! The rest of the crate knows only [`Node`]. Every span that is reported is short: of a list or an object it is the
//! opening bracket, since marking a page of text helps nobody.

use std::ops::Range;

use serde_json::Value;

/// How deep lists and objects may stand in each other.
pub const NESTING_MAX: usize = 64;
/// The longest string of a file, in bytes of UTF-8 once its escapes are read.
pub const TEXT_BYTES_MAX: usize = 64 * 1024;

/// A value and where it stands, in bytes of the text.
#[derive(Debug)]
pub(crate) struct Node {
    pub(crate) span: Range<usize>,
    pub(crate) data: Data,
    /// Whether something that stands directly in it may be lost, or not belong to it, for a mistake of syntax.
    pub(crate) is_broken: bool,
    /// Whether nothing is lost in it, however deep.
    pub(crate) is_whole: bool,
}

#[derive(Debug)]
pub(crate) enum Data {
    /// A value that cannot be read, which is reported already.
    Hole,
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
    /// A value that is neither list nor object.
    pub(crate) fn plain(span: Range<usize>, data: Data) -> Node {
        let is_whole = !matches!(data, Data::Hole);
        Node { span, data, is_broken: false, is_whole }
    }

    /// Whether it is a value that cannot be read. What that value lacks is not worth a word.
    pub(crate) fn is_hole(&self) -> bool {
        matches!(self.data, Data::Hole)
    }

    /// Marks the lists and objects that enclose `offset` as broken.
    pub(crate) fn break_around(&mut self, offset: usize) {
        if !self.span.contains(&offset) {
            return;
        }
        match &mut self.data {
            Data::List(nodes) => nodes.iter_mut().for_each(|node| node.break_around(offset)),
            Data::Object(members) => members.iter_mut().for_each(|member| member.value.break_around(offset)),
            _ => return,
        }
        self.is_broken = true;
        self.is_whole = false;
    }

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
            Data::Hole => "unreadable",
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
            Data::Hole | Data::Null => Value::Null,
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
            Data::Hole | Data::Null | Data::Boolean(_) | Data::Number(_) => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::diagnostic::Findings;

    #[test]
    fn pointers_lead_to_values() {
        let text = r#"{"a/b": [1, {"c": "x"}]}"#;
        let node = crate::parser::parse(text, &mut Findings::new(text)).unwrap();
        assert_eq!(node.at("/a~1b/1/c").unwrap().to_json(), "x");
        assert!(node.at("/a~1b/7").is_none());
        assert_eq!(node.at("").unwrap().mark(), 0..1);
    }
}
