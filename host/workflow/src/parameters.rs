//! Checks what an action passes to its component.

use std::collections::BTreeSet;
use std::ops::Range;

use jsonschema::ValidationError;
use jsonschema::error::ValidationErrorKind;
use serde_json::{Map, Value};

use crate::catalog::{Entry, LANGUAGE_KEYS};
use crate::codes;
use crate::diagnostic::Findings;
use crate::document::{Data, Node};
use crate::draft::{DraftKind, DraftRole, DraftText, Roles, Target};
use crate::references;
use crate::schema;
use crate::spelling;
use crate::templates::{self, Parsed};

/// The longest pattern that a message quotes, in bytes.
const PATTERN_SHOWN_BYTES_MAX: usize = 40;

/// Checks the parameters of `action` against its component's schema, and takes out of them what the language needs.
pub(crate) fn read(entry: &Entry, action: &Node, findings: &mut Findings<'_>) -> DraftKind {
    let own = action.members().iter().filter(|member| !LANGUAGE_KEYS.contains(&member.key.as_str()));
    let parameters: Map<_, _> = own.map(|member| (member.key.clone(), member.value.to_json())).collect();
    for error in entry.validator.iter_errors(&Value::Object(parameters.clone())) {
        report(entry, action, &error, findings);
    }
    let schema = &entry.action.parameters;
    let steps = schema::marked(schema, action, schema::STEP);
    DraftKind::Component {
        type_name: entry.action.type_name.clone(),
        parameters,
        steps: steps
            .into_iter()
            .map(|(name, node)| Target { name: name.to_owned(), mark: node.mark() })
            .collect(),
        fields: fields(entry, action, findings),
        outputs: entry.action.outputs.clone(),
        roles: roles(schema, action),
    }
}

fn roles(schema: &Value, action: &Node) -> Roles {
    let texts = |role: &str| {
        let in_role = schema::in_role(schema, action, role).into_iter();
        let text = |node: &Node| match &node.data {
            Data::Text(text) => Some(DraftRole { text: text.clone(), mark: node.mark() }),
            _ => None,
        };
        in_role.filter_map(text).collect()
    };
    let says_yes = |node: &&Node| match &node.data {
        Data::Boolean(flag) => *flag,
        // What a template makes of it may be a yes.
        Data::Text(text) => {
            ["yes", "true"].contains(&text.trim().to_lowercase().as_str()) || templates::has_action(text)
        }
        _ => false,
    };
    let people = schema::in_role(schema, action, schema::PEOPLE);
    Roles {
        new_channels: texts(schema::NEW_CHANNEL),
        messages: texts(schema::MESSAGE),
        brings_people: !people.is_empty(),
        people: literal_people(&people),
        notifies: schema::in_role(schema, action, schema::NOTIFY).iter().any(says_yes),
    }
}

fn literal_people(nodes: &[&Node]) -> Vec<String> {
    let mut seen = BTreeSet::new();
    let names = nodes.iter().flat_map(|node| references::people(node));
    names.filter(|(name, _)| seen.insert(*name)).map(|(name, _)| name.to_owned()).collect()
}

/// The outputs that people set. Templates find an output by name, so a name must be known beforehand and be unique.
fn fields(entry: &Entry, action: &Node, findings: &mut Findings<'_>) -> Vec<String> {
    let mut seen: BTreeSet<&str> = entry.action.outputs.iter().map(String::as_str).collect();
    let mut fields = Vec::new();
    for (name, node) in schema::marked(&entry.action.parameters, action, schema::OUTPUTS) {
        if templates::has_action(name) {
            let message = "the name of an output holds a template, but must be known before the incident";
            let help = "write the name as it is; the description may hold a template".to_owned();
            findings.error(codes::TEMPLATED_OUTPUT, node.mark(), message, help);
        } else if seen.insert(name) {
            fields.push(name.to_owned());
        } else {
            let message = format!("this action has an output `{name}` already");
            findings.error(codes::DUPLICATE_OUTPUT, node.mark(), message, "choose another name".to_owned());
        }
    }
    fields
}

fn report(entry: &Entry, action: &Node, error: &ValidationError<'_>, findings: &mut Findings<'_>) {
    let node = action.at(error.instance_path().as_str()).unwrap_or(action);
    if hides(node, error.kind()) {
        return;
    }
    let is_action = std::ptr::eq(node, action);
    let owner = if is_action { format!("`{}`", entry.action.type_name) } else { "this object".to_owned() };
    match error.kind() {
        ValidationErrorKind::AdditionalProperties { unexpected }
        | ValidationErrorKind::UnevaluatedProperties { unexpected } => {
            let properties = failed_schema(entry, error).and_then(|schema| schema.get("properties"));
            let known: Option<Vec<&str>> = properties
                .and_then(Value::as_object)
                .map(|properties| properties.keys().map(String::as_str).collect());
            for key in unexpected {
                let mark = node.member(key).map_or_else(|| node.mark(), |member| member.key_span.clone());
                let help = known.as_ref().map_or_else(
                    || "delete it".to_owned(),
                    |known| spelling::suggestion(key, known.iter().copied()),
                );
                findings.error(codes::UNKNOWN_KEY, mark, format!("{owner} has no parameter `{key}`"), help);
            }
        }
        ValidationErrorKind::Required { property } => {
            let key = property.as_str().unwrap_or_default();
            let message = format!("the parameter `{key}` of {owner} is missing");
            let described = property_schema(entry, error, key).and_then(description);
            let help = described.unwrap_or_else(|| format!("add `\"{key}\": ...`"));
            findings.error(codes::MISSING_KEY, node.mark(), message, help);
        }
        _ if depends_on_template(node, error.kind()) => {}
        _ => {
            let described = failed_schema(entry, error).and_then(description);
            let help = described.unwrap_or_else(|| help(entry, error));
            findings.error(codes::PARAMETER, node.mark(), message(node, error), help);
        }
    }
}

/// Whether the mistake may come from a part that cannot be read, which is reported already.
fn hides(node: &Node, kind: &ValidationErrorKind) -> bool {
    match kind {
        ValidationErrorKind::Type { .. } => node.is_hole(),
        ValidationErrorKind::AdditionalProperties { .. }
        | ValidationErrorKind::UnevaluatedProperties { .. }
        | ValidationErrorKind::Required { .. } => node.is_hole() || node.is_broken,
        _ => !node.is_whole,
    }
}

/// What is wrong, without the value itself: it may be long.
fn message(node: &Node, error: &ValidationError<'_>) -> String {
    let drawn = error.masked_with("this value").to_string();
    match error.kind() {
        ValidationErrorKind::Type { .. } => {
            let wanted = drawn
                .split_once(" is not of type")
                .map_or("", |(_, wanted)| wanted.trim_start_matches('s').trim());
            format!("this must be of type {wanted}, but is {}", node.kind())
        }
        ValidationErrorKind::AnyOf { .. } | ValidationErrorKind::OneOfNotValid { .. } => {
            format!("this value, {}, has none of the forms that are allowed here", node.kind())
        }
        // A long pattern explains nothing; the description, which is the help, does.
        ValidationErrorKind::Pattern { pattern } if pattern.len() > PATTERN_SHOWN_BYTES_MAX => {
            "this value does not have the form that is wanted here".to_owned()
        }
        ValidationErrorKind::FalseSchema => "no value is allowed here".to_owned(),
        _ => drawn,
    }
}

/// What to write, when the component's author describes nothing.
fn help(entry: &Entry, error: &ValidationError<'_>) -> String {
    match error.kind() {
        ValidationErrorKind::Type { .. } => "write a value of that type, or leave the key away".to_owned(),
        ValidationErrorKind::Enum { .. } => "write one of those".to_owned(),
        ValidationErrorKind::MinLength { .. } | ValidationErrorKind::MinItems { .. } => {
            "write something, or leave the key away if it is optional".to_owned()
        }
        ValidationErrorKind::MaxLength { .. } | ValidationErrorKind::MaxItems { .. } => {
            "shorten it".to_owned()
        }
        _ => format!("the schema of `{}` says what is allowed: see `warroom schema`", entry.action.type_name),
    }
}

/// Whether the mistake is about the wording of a string that a template makes: nobody knows it yet. The component is
/// given only what is valid after rendering.
fn depends_on_template(node: &Node, kind: &ValidationErrorKind) -> bool {
    let about_wording = matches!(
        kind,
        ValidationErrorKind::Pattern { .. }
            | ValidationErrorKind::Enum { .. }
            | ValidationErrorKind::Constant { .. }
            | ValidationErrorKind::Format { .. }
            | ValidationErrorKind::MinLength { .. }
            | ValidationErrorKind::MaxLength { .. }
    );
    about_wording && matches!(&node.data, Data::Text(text) if templates::has_action(text))
}

/// The schema that holds the keyword which failed.
fn failed_schema<'entry>(entry: &'entry Entry, error: &ValidationError<'_>) -> Option<&'entry Value> {
    let (holder, _keyword) = error.schema_path().as_str().rsplit_once('/')?;
    entry.action.parameters.pointer(holder)
}

fn property_schema<'entry>(
    entry: &'entry Entry,
    error: &ValidationError<'_>,
    key: &str,
) -> Option<&'entry Value> {
    let property = failed_schema(entry, error)?.get("properties")?.get(key)?;
    let target = property.get("$ref").and_then(Value::as_str).and_then(|target| target.strip_prefix('#'));
    target.and_then(|pointer| entry.action.parameters.pointer(pointer)).or(Some(property))
}

/// What the component's author says about a value.
fn description(schema: &Value) -> Option<String> {
    schema.get("description").and_then(Value::as_str).map(str::to_owned)
}

/// Every string of `action`. Reports those that are wrong templates.
pub(crate) fn texts(action: &Node, findings: &mut Findings<'_>) -> Vec<DraftText> {
    let mut texts = Vec::new();
    let mut read = |path: &str, text: &str, mark: Range<usize>| {
        let template = Parsed::new(text).unwrap_or_else(|problem| {
            let message = format!("the template in `{path}` is wrong: {problem}");
            let help = "templates are Go's text/template, for example {{.Action.NAME.KEY}}".to_owned();
            findings.error(codes::TEMPLATE, mark.clone(), message, help);
            None
        });
        texts.push(DraftText { mark, template });
    };
    action.each_text("", &mut read);
    texts
}
