//! Finds the transitions that an action may ask for, in its parameters.

use serde_json::{Map, Value};
use std::collections::HashSet;

/// The keyword of a component's schema that marks the name of a step.
const STEP: &str = "x-warroom-step";
/// The parameter beside the step that says what people press.
const LABEL: &str = "label";

/// A transition that an action may ask for.
#[derive(Debug, PartialEq)]
pub(super) struct Offer {
    /// The name of the step, as written.
    pub(super) step: String,
    /// What people press, as written.
    pub(super) label: Option<String>,
}

/// The values that `schema` marks as steps, each with the `label` of the object that holds it.
pub(super) fn find(schema: &Value, parameters: &Map<String, Value>) -> Vec<Offer> {
    let mut walk = Walk { root: schema, offers: Vec::new() };
    let schemas = walk.applicable([schema]);
    walk.object(&schemas, parameters);
    walk.offers
}

struct Walk<'schema> {
    root: &'schema Value,
    offers: Vec<Offer>,
}

impl<'schema> Walk<'schema> {
    /// These schemas with all that they refer to or consist of, each once: references can form a circle, and several may
    /// lead to the same place.
    fn applicable(&self, schemas: impl IntoIterator<Item = &'schema Value>) -> Vec<&'schema Value> {
        let mut open: Vec<_> = schemas.into_iter().collect();
        let mut seen = HashSet::new();
        let mut found = Vec::new();
        while let Some(schema) = open.pop() {
            if !seen.insert(std::ptr::from_ref(schema).addr()) {
                continue;
            }
            found.push(schema);
            let reference = schema.get("$ref").and_then(Value::as_str);
            let target = reference.and_then(|reference| self.root.pointer(reference.strip_prefix('#')?));
            open.extend(target);
            for keyword in ["allOf", "anyOf", "oneOf"] {
                open.extend(schema.get(keyword).and_then(Value::as_array).into_iter().flatten());
            }
            open.extend(["if", "then", "else"].into_iter().filter_map(|keyword| schema.get(keyword)));
        }
        found
    }

    fn value(&mut self, schemas: &[&'schema Value], value: &Value, label: Option<&str>) {
        match value {
            Value::String(step) => {
                if schemas.iter().any(|schema| schema.get(STEP) == Some(&Value::Bool(true))) {
                    self.offers.push(Offer { step: step.clone(), label: label.map(str::to_owned) });
                }
            }
            Value::Array(items) => {
                for (place, item) in items.iter().enumerate() {
                    let of_item = schemas.iter().filter_map(|schema| {
                        let first = schema.get("prefixItems").and_then(|prefix| prefix.get(place));
                        first.or_else(|| schema.get("items"))
                    });
                    let schemas = self.applicable(of_item);
                    self.value(&schemas, item, label);
                }
            }
            Value::Object(members) => self.object(schemas, members),
            Value::Null | Value::Bool(_) | Value::Number(_) => {}
        }
    }

    fn object(&mut self, schemas: &[&'schema Value], members: &Map<String, Value>) {
        let label = members.get(LABEL).and_then(Value::as_str);
        for (key, value) in members {
            let of_member = schemas.iter().filter_map(|schema| {
                let named = schema.get("properties").and_then(|properties| properties.get(key));
                named.or_else(|| schema.get("additionalProperties"))
            });
            let schemas = self.applicable(of_member);
            self.value(&schemas, value, label);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn found(schema: &Value, parameters: &Value) -> Vec<(String, Option<String>)> {
        let offers = find(schema, parameters.as_object().unwrap());
        offers.into_iter().map(|offer| (offer.step, offer.label)).collect()
    }

    fn offer(step: &str, label: Option<&str>) -> (String, Option<String>) {
        (step.to_owned(), label.map(str::to_owned))
    }

    #[test]
    fn a_label_belongs_to_the_step_beside_it_and_to_no_other_text() {
        let schema = json!({
            "properties": {"transitions": {"items": {"$ref": "#/$defs/transition"}}, "label": {"type": "string"}},
            "$defs": {"transition": {"properties": {"to": {"type": "string", "x-warroom-step": true}}}}
        });
        let parameters = json!({"label": "outer", "transitions": [
            {"label": "Close", "description": "Resolved", "to": "Triage"},
            {"label": "Resolve", "description": "Triage", "to": "Resolved"},
            {"to": "Next"}
        ]});
        let wanted =
            [offer("Triage", Some("Close")), offer("Resolved", Some("Resolve")), offer("Next", None)];
        assert_eq!(found(&schema, &parameters), wanted);
    }

    #[test]
    fn marks_are_found_in_branches_lists_and_pairs() {
        let schema = json!({
            "properties": {
                "a": {"anyOf": [{"items": {"$ref": "#/$defs/step"}}, {"$ref": "#/$defs/step"}]},
                "b": {"prefixItems": [{"type": "string"}, {"$ref": "#/$defs/step"}]}
            },
            "additionalProperties": {"$ref": "#/$defs/step"},
            "$defs": {"step": {"type": "string", "x-warroom-step": true}}
        });
        let parameters = json!({"a": ["A", "B"], "b": ["no", "C"], "c": "D", "label": "L"});
        let steps: Vec<_> = found(&schema, &parameters).into_iter().map(|(step, _)| step).collect();
        assert_eq!(steps, ["A", "B", "C", "D", "L"]);
    }

    #[test]
    fn a_circle_of_references_ends() {
        let schema = json!({
            "properties": {"x": {"$ref": "#/$defs/a"}},
            "$defs": {"a": {"$ref": "#/$defs/b"}, "b": {"anyOf": [{"$ref": "#/$defs/a"}, {"items": {"$ref": "#/$defs/a"}}]}}
        });
        assert!(found(&schema, &json!({"x": [["y"]]})).is_empty());
    }
}
