//! A template made ready for execution: checked, with `default`, and with a guard against printing nothing.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use gotmpl::parse::{BranchNode, CommandNode, Expr, ListNode, Node, SmolStr};
use gotmpl::{Template, TemplateError};
use serde_json::Value;

use super::meter::{self, Meter};
use super::{MissingKey, NAME, RANGE_ROUNDS_MAX, TEMPLATE_BYTES_MAX, TemplateProblem, blocks, syntax};

/// The function that every printed value goes through. Its name is no word, so no template can call it.
const GUARD: &str = "printed value";
/// What the guard says. The error passes through gotmpl as text.
const NO_VALUE: &str = "no value";

/// A template that can be executed.
pub(super) struct Prepared {
    template: Template,
    /// Whether there is a tree under [`NAME`]; there is none when the template is only comments and white space.
    has_tree: bool,
}

impl Prepared {
    pub(super) fn execute(
        &self,
        output: &mut impl std::fmt::Write,
        data: &gotmpl::Value,
    ) -> Result<(), TemplateProblem> {
        let executed = if self.has_tree {
            self.template.execute_template_fmt(output, NAME, data)
        } else {
            self.template.execute_fmt(output, data)
        };
        executed.map_err(problem)
    }
}

/// Parses and checks a template. Out come its trees by name, the string's own under [`NAME`], unless it is only comments
/// and white space.
pub(super) fn parse(text: &str) -> Result<(Template, BTreeMap<String, ListNode>), TemplateProblem> {
    if text.len() > TEMPLATE_BYTES_MAX {
        return Err(TemplateProblem::LongTemplate(text.len()));
    }
    blocks::check(text)?;
    let template = Template::new(NAME)
        .missing_key(MissingKey::Error)
        .max_range_iters(RANGE_ROUNDS_MAX)
        .func("default", default)
        .func(GUARD, guard)
        .parse(text)
        .map_err(problem)?;
    let names: BTreeSet<String> = template.templates().into_iter().map(str::to_owned).collect();
    let known: BTreeSet<&str> = names.iter().map(String::as_str).collect();
    let mut trees = BTreeMap::new();
    for name in &names {
        if let Some(tree) = template.lookup(name) {
            syntax::check(tree, &known)?;
            trees.insert(name.clone(), tree.clone());
        }
    }
    Ok((template, trees))
}

/// Parses and checks a template, and puts the guard and a meter of its own into it, so it is executed once.
pub(super) fn prepare(text: &str) -> Result<Prepared, TemplateProblem> {
    let (mut template, trees) = parse(text)?;
    template = Meter::default().install(template);
    let has_tree = trees.contains_key(NAME);
    for (name, mut tree) in trees {
        meter::meter_list(&mut tree);
        guard_list(&mut tree);
        template = template.add_parse_tree(&name, tree);
    }
    Ok(Prepared { template, has_tree })
}

/// Sends every value that the tree prints through the guard.
fn guard_list(list: &mut ListNode) {
    for node in &mut list.nodes {
        match node {
            Node::List(list) => guard_list(list),
            Node::Action(action) if action.pipe.decl.is_empty() => {
                let name = Expr::Identifier(action.pos, SmolStr::new_static(GUARD));
                action.pipe.commands.push(CommandNode { pos: action.pos, args: vec![name] });
            }
            Node::If(branch) | Node::With(branch) | Node::Range(branch) => guard_branch(branch),
            Node::Action(_)
            | Node::Text(_)
            | Node::Template(_)
            | Node::Define(_)
            | Node::Break(_)
            | Node::Continue(_) => {}
        }
    }
}

fn guard_branch(branch: &mut BranchNode) {
    guard_list(&mut branch.body);
    if let Some(other) = &mut branch.else_body {
        guard_list(other);
    }
}

fn guard(arguments: &[gotmpl::Value]) -> gotmpl::Result<gotmpl::Value> {
    match arguments {
        [] | [gotmpl::Value::Nil] => Err(TemplateError::Exec(NO_VALUE.to_owned())),
        [value, ..] => Ok(value.clone()),
    }
}

/// `default OTHER VALUE`, also `VALUE | default OTHER`: the value, or the other when it is empty as `if` understands it.
fn default(arguments: &[gotmpl::Value]) -> gotmpl::Result<gotmpl::Value> {
    match arguments {
        [other, value] => Ok(if value.is_truthy() { value.clone() } else { other.clone() }),
        _ => {
            let (name, got) = ("default".to_owned(), arguments.len());
            Err(TemplateError::ArgCount { name, expected: 2, got })
        }
    }
}

/// gotmpl's errors in our words.
fn problem(error: TemplateError) -> TemplateProblem {
    match error {
        TemplateError::Parse { line, col, message, .. } | TemplateError::Lex { line, col, message, .. } => {
            TemplateProblem::Syntax(format!("{message}, in line {line}, column {col} of the template"))
        }
        TemplateError::MissingKey { key } => TemplateProblem::Missing { key },
        TemplateError::RangeIterLimit | TemplateError::RecursionLimit => TemplateProblem::TooMuchWork,
        TemplateError::Exec(message) if message == NO_VALUE => TemplateProblem::NoValue,
        TemplateError::Exec(message) if message == meter::TOO_MUCH => TemplateProblem::TooMuchWork,
        TemplateError::Exec(message) if message == meter::TOO_LONG => TemplateProblem::TooLong,
        other => TemplateProblem::Execution(other.to_string()),
    }
}

/// JSON as a template sees it. A member that is null is a member that is not there.
pub(super) fn value(json: &Value) -> gotmpl::Value {
    match json {
        Value::Null => gotmpl::Value::Nil,
        Value::Bool(value) => gotmpl::Value::Bool(*value),
        Value::Number(number) => match (number.as_i64(), number.as_u64()) {
            (Some(value), _) => gotmpl::Value::Int(value),
            (None, Some(value)) => gotmpl::Value::Uint(value),
            (None, None) => gotmpl::Value::Float(number.as_f64().unwrap_or(f64::NAN)),
        },
        Value::String(text) => gotmpl::Value::String(text.as_str().into()),
        Value::Array(items) => gotmpl::Value::List(items.iter().map(value).collect()),
        Value::Object(members) => {
            let present = members.iter().filter(|(_, member)| !member.is_null());
            let map: BTreeMap<Arc<str>, gotmpl::Value> =
                present.map(|(key, member)| (key.as_str().into(), value(member))).collect();
            gotmpl::Value::Map(Arc::new(map))
        }
    }
}
