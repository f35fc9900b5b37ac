//! Templates: Go's text/template, which the strings of actions are written in.
//!
//! gotmpl reads and executes them. Two things are ours: it is lax where Go refuses a template before executing it, so
//! [`syntax`] checks blocks, functions and variables; and a missing value is always an error here, where Go prints
//! `<no value>` for some, since a war room named `incident-<no value>` helps nobody.

mod blocks;
mod guard;
mod meter;
mod reads;
mod syntax;

use std::collections::BTreeMap;
use std::fmt;

use gotmpl::MissingKey;
use gotmpl::parse::ListNode;
use serde_json::{Map, Value};

pub(crate) use reads::Read;

/// The longest text that a template may make, in bytes.
pub const OUTPUT_BYTES_MAX: usize = 64 * 1024;
/// The longest template, in bytes.
pub const TEMPLATE_BYTES_MAX: usize = 64 * 1024;
/// The most bytes that the functions of one template may read and make, all calls taken together.
pub const WORK_BYTES_MAX: usize = 4 * 1024 * 1024;
/// The most pipelines and bodies that one template may execute.
pub const STEPS_EXECUTED_MAX: usize = 200_000;
/// How often the bodies of `range` may run in one template, all taken together.
const RANGE_ROUNDS_MAX: u64 = 100_000;
/// How much of a template an error quotes, in characters.
const QUOTE_CHARS_MAX: usize = 80;
/// The name of a string's own template. Go gives every template a name, so a `define` of the same name collides.
const NAME: &str = "t";

/// Why a template cannot be rendered. Quotes the template, never the data.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub struct TemplateError {
    /// The parameter that holds the template, as a path such as `fields[0].name`; none for a template by itself.
    pub parameter: Option<String>,
    /// The template, shortened.
    pub template: String,
    /// What is wrong.
    pub problem: TemplateProblem,
}

/// What is wrong with a template.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TemplateProblem {
    /// It breaks the syntax, whatever the data.
    #[error("{0}")]
    Syntax(String),
    /// The data has no such key.
    #[error(
        "there is no `{key}` in the data; check how it is spelled, and that the action that sets it has run"
    )]
    Missing {
        /// The key.
        key: String,
    },
    /// It is longer than [`TEMPLATE_BYTES_MAX`].
    #[error("it has {0} bytes, more than {TEMPLATE_BYTES_MAX}; shorten it")]
    LongTemplate(usize),
    /// It prints a value that is not there.
    #[error("it prints a value that is not there; give it one with `default`, or test it with `if` first")]
    NoValue,
    /// It makes more text than [`OUTPUT_BYTES_MAX`].
    #[error("it makes more than {OUTPUT_BYTES_MAX} bytes of text; shorten it")]
    TooLong,
    /// It takes more work than allowed.
    #[error(
        "it takes too much work: its `range` loops run more than {RANGE_ROUNDS_MAX} times, its functions read and make \
         more than {WORK_BYTES_MAX} bytes, or its templates call each other too deeply; make it simpler"
    )]
    TooMuchWork,
    /// Anything else, such as a comparison of text with a number.
    #[error("{0}")]
    Execution(String),
}

impl fmt::Display for TemplateError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("cannot render the template ")?;
        if let Some(parameter) = &self.parameter {
            write!(formatter, "of the parameter `{parameter}`, ")?;
        }
        write!(formatter, "`{}`: {}", self.template, self.problem)
    }
}

/// Renders a template over `data`.
///
/// ```
/// use serde_json::json;
/// use warroom_workflow::render;
///
/// let data = json!({"Instance": {"Number": 7}});
/// assert_eq!(render("security-issue-{{.Instance.Number}}", &data)?, "security-issue-7");
/// assert!(render("{{.Instance.Nunber}}", &data).is_err());
/// # Ok::<(), warroom_workflow::TemplateError>(())
/// ```
pub fn render(template: &str, data: &Value) -> Result<String, TemplateError> {
    if !has_action(template) {
        return bounded(template).map_err(|problem| failure(None, template, problem));
    }
    render_with(template, &guard::value(data)).map_err(|problem| failure(None, template, problem))
}

/// Renders every string value of `parameters`, at any depth; keys, numbers and booleans stay as they are. The error
/// names the parameter.
pub fn render_parameters(
    parameters: &Map<String, Value>,
    data: &Value,
) -> Result<Map<String, Value>, TemplateError> {
    let data = guard::value(data);
    parameters.iter().map(|(key, value)| Ok((key.clone(), render_value(key, value, &data)?))).collect()
}

fn render_value(path: &str, value: &Value, data: &gotmpl::Value) -> Result<Value, TemplateError> {
    Ok(match value {
        Value::String(template) => {
            let rendered = if has_action(template) { render_with(template, data) } else { bounded(template) };
            Value::String(rendered.map_err(|problem| failure(Some(path), template, problem))?)
        }
        Value::Array(items) => items
            .iter()
            .enumerate()
            .map(|(index, item)| render_value(&format!("{path}[{index}]"), item, data))
            .collect::<Result<_, _>>()?,
        Value::Object(members) => members
            .iter()
            .map(|(key, item)| Ok((key.clone(), render_value(&format!("{path}.{key}"), item, data)?)))
            .collect::<Result<_, _>>()?,
        Value::Null | Value::Bool(_) | Value::Number(_) => value.clone(),
    })
}

/// A template's trees, for checks.
pub(crate) struct Parsed {
    text: String,
    trees: BTreeMap<String, ListNode>,
}

impl Parsed {
    /// Parses a template; none when there is nothing in it to execute.
    pub(crate) fn new(text: &str) -> Result<Option<Parsed>, TemplateProblem> {
        if !has_action(text) {
            return Ok(None);
        }
        let (_, trees) = guard::parse(text)?;
        Ok(Some(Parsed { text: text.to_owned(), trees }))
    }

    /// The variables that the template reads.
    pub(crate) fn reads(&self) -> Vec<Read> {
        self.trees.get(NAME).map(|tree| reads::reads(&self.text, tree, &self.trees)).unwrap_or_default()
    }
}

/// Checks a template without data: all that Go refuses when it parses.
pub fn check_template(template: &str) -> Result<(), TemplateError> {
    if !has_action(template) {
        return Ok(());
    }
    guard::parse(template).map(drop).map_err(|problem| failure(None, template, problem))
}

/// Whether `text` can be anything but itself when rendered.
pub(crate) fn has_action(text: &str) -> bool {
    text.contains("{{")
}

fn bounded(text: &str) -> Result<String, TemplateProblem> {
    if text.len() > OUTPUT_BYTES_MAX { Err(TemplateProblem::TooLong) } else { Ok(text.to_owned()) }
}

fn render_with(template: &str, data: &gotmpl::Value) -> Result<String, TemplateProblem> {
    let prepared = guard::prepare(template)?;
    let mut output = Output { text: String::new(), full: false };
    match prepared.execute(&mut output, data) {
        Err(_) if output.full => Err(TemplateProblem::TooLong),
        Err(error) => Err(error),
        Ok(()) => Ok(output.text),
    }
}

fn failure(parameter: Option<&str>, template: &str, problem: TemplateProblem) -> TemplateError {
    let mut quote: String = template.chars().take(QUOTE_CHARS_MAX).collect();
    if quote.len() < template.len() {
        quote.push('…');
    }
    TemplateError { parameter: parameter.map(str::to_owned), template: quote, problem }
}

/// Text that grows up to [`OUTPUT_BYTES_MAX`].
struct Output {
    text: String,
    full: bool,
}

impl fmt::Write for Output {
    fn write_str(&mut self, more: &str) -> fmt::Result {
        self.full |= self.text.len() + more.len() > OUTPUT_BYTES_MAX;
        if self.full {
            return Err(fmt::Error);
        }
        self.text.push_str(more);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn problem(template: &str) -> TemplateProblem {
        render(template, &json!({"Words": ["a", "b"], "None": null, "Empty": "", "N": 3}))
            .unwrap_err()
            .problem
    }

    #[test]
    fn what_is_missing_is_an_error() {
        assert_eq!(problem("{{.Nope}}"), TemplateProblem::Missing { key: "Nope".to_owned() });
        assert_eq!(problem("{{index . \"Nope\"}}"), TemplateProblem::NoValue);
        assert_eq!(problem("{{.None}}"), TemplateProblem::Missing { key: "None".to_owned() });
        assert_eq!(problem("{{range .Words}}{{index $ .}}{{end}}"), TemplateProblem::NoValue);
    }

    #[test]
    fn text_that_says_no_value_is_text() {
        assert_eq!(render("<no value>{{\"<no value>\"}}", &json!({})).unwrap(), "<no value><no value>");
    }

    #[test]
    fn default_stands_in_for_what_is_empty() {
        let data = json!({"Empty": "", "Set": "S1", "Zero": 0});
        assert_eq!(render("{{default \"none\" .Empty}}", &data).unwrap(), "none");
        assert_eq!(render("{{.Set | default \"none\"}}", &data).unwrap(), "S1");
        assert_eq!(render("{{.Zero | default 5}}", &data).unwrap(), "5");
        assert_eq!(render("{{index . \"Nope\" | default \"none\"}}", &data).unwrap(), "none");
        assert!(render("{{default}}", &data).is_err());
    }

    #[test]
    fn output_is_bounded() {
        let data = |length: usize| json!({"Long": "x".repeat(length)});
        assert_eq!(render("{{.Long}}", &data(OUTPUT_BYTES_MAX)).unwrap().len(), OUTPUT_BYTES_MAX);
        let error = render("{{.Long}}", &data(OUTPUT_BYTES_MAX + 1)).unwrap_err();
        assert_eq!(error.problem, TemplateProblem::TooLong);
        assert!(render(&"x".repeat(OUTPUT_BYTES_MAX), &json!({})).is_ok());
        assert!(render(&"x".repeat(OUTPUT_BYTES_MAX + 1), &json!({})).is_err());
    }

    #[test]
    fn loops_are_bounded() {
        assert_eq!(render("{{range 100000}}{{end}}x", &json!({})).unwrap(), "x");
        assert_eq!(problem("{{range 100001}}{{end}}"), TemplateProblem::TooMuchWork);
        assert_eq!(
            problem("{{define \"a\"}}{{template \"a\"}}{{end}}{{template \"a\"}}"),
            TemplateProblem::TooMuchWork
        );
    }

    #[test]
    fn parameters_are_rendered_at_any_depth() {
        let data = json!({"N": 3});
        let parameters = json!({"a": "{{.N}}", "b": [{"c": "n{{.N}}"}, 7, true, null], "{{.N}}": "plain"});
        let rendered = render_parameters(parameters.as_object().unwrap(), &data).unwrap();
        assert_eq!(
            Value::Object(rendered),
            json!({"a": "3", "b": [{"c": "n3"}, 7, true, null], "{{.N}}": "plain"})
        );
    }

    #[test]
    fn an_error_names_the_parameter() {
        let parameters = json!({"fields": [{"name": "ok"}, {"name": "{{.Nope}}"}]});
        let error = render_parameters(parameters.as_object().unwrap(), &json!({})).unwrap_err();
        assert_eq!(error.parameter.as_deref(), Some("fields[1].name"));
        assert_eq!(
            error.to_string(),
            "cannot render the template of the parameter `fields[1].name`, `{{.Nope}}`: there is no `Nope` in the data; \
             check how it is spelled, and that the action that sets it has run"
        );
    }

    #[test]
    fn an_error_never_quotes_the_data() {
        let data = json!({"Secret": "hunter2", "Words": ["hunter2"]});
        for template in
            ["{{.Secret.Deeper}}", "{{lt .Secret 1}}", "{{index .Words .Secret}}", "{{range .Secret}}{{end}}"]
        {
            let error = render(template, &data).unwrap_err().to_string();
            assert!(!error.contains("hunter2"), "{error}");
        }
    }
}
