//! Walks through JSON Schemas: where our keywords stand, and which values they mark.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::document::{Data, Node};

/// A value at this keyword names a step.
pub(crate) const STEP: &str = "x-warroom-step";
/// A value at this keyword names an output.
pub(crate) const OUTPUTS: &str = "x-warroom-outputs";
/// Says what a value is for, for advice to authors. Roles that are not below are of later hosts, and ignored.
pub(crate) const ROLE: &str = "x-warroom-role";

/// The value names a channel that the action creates.
pub(crate) const NEW_CHANNEL: &str = "new-channel";
/// The value names people whom the action brings in.
pub(crate) const PEOPLE: &str = "people";
/// The value says whether they are mentioned.
pub(crate) const NOTIFY: &str = "notify";
/// The value is a text that people read in the chat.
pub(crate) const MESSAGE: &str = "message";

/// How many schemas may lie on the way to a value: references can form a circle.
const DEPTH_MAX: usize = 128;

/// The strings of `node` that `keyword` marks, in the order of the text, each once.
pub(crate) fn marked<'node>(
    schema: &Value,
    node: &'node Node,
    keyword: &str,
) -> Vec<(&'node str, &'node Node)> {
    let texts = found(schema, node, keyword, &Value::Bool(true)).into_iter();
    texts
        .filter_map(|node| match &node.data {
            Data::Text(text) => Some((text.as_str(), node)),
            _ => None,
        })
        .collect()
}

/// The values of `node` that have the role, in the order of the text, each once.
pub(crate) fn in_role<'node>(schema: &Value, node: &'node Node, role: &str) -> Vec<&'node Node> {
    found(schema, node, ROLE, &Value::from(role))
}

fn found<'node>(schema: &Value, node: &'node Node, keyword: &str, value: &Value) -> Vec<&'node Node> {
    let mut walk = Walk { root: schema, keyword, value, seen: BTreeSet::new(), found: Vec::new() };
    walk.visit(schema, node, 0);
    walk.found.sort_by_key(|node| node.mark().start);
    walk.found
}

struct Walk<'schema, 'node> {
    root: &'schema Value,
    keyword: &'schema str,
    value: &'schema Value,
    /// Values that were found, and pairs of schema and value that were visited, by address: `anyOf` and references lead
    /// to the same place on several ways.
    seen: BTreeSet<(usize, usize)>,
    found: Vec<&'node Node>,
}

impl<'node> Walk<'_, 'node> {
    fn visit(&mut self, schema: &Value, node: &'node Node, depth: usize) {
        let address = std::ptr::from_ref(node).addr();
        if depth > DEPTH_MAX || !self.seen.insert((std::ptr::from_ref(schema).addr(), address)) {
            return;
        }
        if schema.get(self.keyword) == Some(self.value) && self.seen.insert((0, address)) {
            self.found.push(node);
        }
        if let Some(pointer) =
            schema.get("$ref").and_then(Value::as_str).and_then(|target| target.strip_prefix('#'))
            && let Some(target) = self.root.pointer(pointer)
        {
            self.visit(target, node, depth + 1);
        }
        for keyword in ["allOf", "anyOf", "oneOf"] {
            for branch in schema.get(keyword).and_then(Value::as_array).into_iter().flatten() {
                self.visit(branch, node, depth + 1);
            }
        }
        for keyword in ["if", "then", "else"] {
            if let Some(branch) = schema.get(keyword) {
                self.visit(branch, node, depth + 1);
            }
        }
        self.descend(schema, node, depth);
    }

    fn descend(&mut self, schema: &Value, node: &'node Node, depth: usize) {
        match &node.data {
            Data::List(items) => {
                let prefix = schema.get("prefixItems").and_then(Value::as_array);
                for (index, item) in items.iter().enumerate() {
                    let schema = prefix.and_then(|prefix| prefix.get(index)).or_else(|| schema.get("items"));
                    if let Some(schema) = schema {
                        self.visit(schema, item, depth + 1);
                    }
                }
            }
            Data::Object(members) => {
                for member in members {
                    let named = schema.get("properties").and_then(|properties| properties.get(&member.key));
                    if let Some(schema) = named.or_else(|| schema.get("additionalProperties")) {
                        self.visit(schema, &member.value, depth + 1);
                    }
                }
            }
            Data::Hole | Data::Null | Data::Boolean(_) | Data::Number(_) | Data::Text(_) => {}
        }
    }
}

/// Where one of our keywords stands wrongly, as a JSON pointer: a mark must be a boolean, beside `"type": "string"`, and a role a
/// text.
pub(crate) fn misplaced_keyword(schema: &Value, pointer: &str, depth: usize) -> Option<String> {
    if depth > DEPTH_MAX {
        return Some(pointer.to_owned());
    }
    match schema {
        Value::Object(members) => {
            // Under `properties` the keys are parameters' names, not keywords.
            let keywords = !["/properties", "/$defs"].iter().any(|names| pointer.ends_with(names));
            let wrong = |keyword: &str| {
                let value = members.get(keyword);
                value.is_some_and(|value| {
                    !value.is_boolean() || members.get("type").and_then(Value::as_str) != Some("string")
                })
            };
            let wrong_role = members.get(ROLE).is_some_and(|role| !role.is_string());
            if keywords && (wrong(STEP) || wrong(OUTPUTS) || wrong_role) {
                return Some(pointer.to_owned());
            }
            members
                .iter()
                .find_map(|(key, value)| misplaced_keyword(value, &format!("{pointer}/{key}"), depth + 1))
        }
        Value::Array(items) => items
            .iter()
            .enumerate()
            .find_map(|(index, value)| misplaced_keyword(value, &format!("{pointer}/{index}"), depth + 1)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::diagnostic::Findings;

    fn found(schema: &Value, text: &str) -> Vec<String> {
        let node = crate::parser::parse(text, &mut Findings::new(text)).unwrap();
        marked(schema, &node, STEP).into_iter().map(|(text, _)| text.to_owned()).collect()
    }

    #[test]
    fn marks_are_found_through_references_lists_and_branches() {
        let schema = json!({
            "properties": {
                "one": {"$ref": "#/$defs/step"},
                "many": {"anyOf": [{"items": {"$ref": "#/$defs/step"}}, {"$ref": "#/$defs/step"}]},
                "pair": {"prefixItems": [{"type": "string"}, {"$ref": "#/$defs/step"}]}
            },
            "$defs": {"step": {"type": "string", "x-warroom-step": true}}
        });
        let text = r#"{"pair": ["no", "A"], "many": ["B", "C"], "one": "D", "other": "no"}"#;
        assert_eq!(found(&schema, text), ["A", "B", "C", "D"]);
        assert_eq!(found(&schema, r#"{"many": "E"}"#), ["E"]);
    }

    #[test]
    fn a_circle_of_references_ends() {
        let schema =
            json!({"$ref": "#/$defs/a", "$defs": {"a": {"$ref": "#/$defs/b"}, "b": {"$ref": "#/$defs/a"}}});
        assert!(found(&schema, "\"x\"").is_empty());
    }

    #[test]
    fn what_later_hosts_may_know_is_ignored() {
        let later = json!({"properties": {"a": {"x-warroom-role": "later-role", "x-warroom-later": [7]}}});
        assert_eq!(misplaced_keyword(&later, "", 0), None);
    }

    #[test]
    fn a_keyword_must_stand_on_a_string() {
        let right = json!({"properties": {"x-warroom-step": {"type": "string", "x-warroom-step": true}}});
        assert_eq!(misplaced_keyword(&right, "", 0), None);
        let role = |role: Value| json!({"properties": {"users": {"x-warroom-role": role}}});
        assert_eq!(misplaced_keyword(&role(json!("people")), "", 0), None);
        assert_eq!(misplaced_keyword(&role(json!(7)), "", 0), Some("/properties/users".to_owned()));
        let wrong = json!({"properties": {"to": {"x-warroom-step": true}}});
        assert_eq!(misplaced_keyword(&wrong, "", 0), Some("/properties/to".to_owned()));
    }
}
