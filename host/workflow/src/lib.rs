//! The workflow language: text in, workflows or diagnostics out; templates; triggers.
//!
//! A file is a JSON list of workflows. A workflow has triggers, which start an incident when a message matches, and
//! steps, whose actions run when the incident enters and leaves them. What an action takes is said by the component
//! that does it, as a JSON Schema in the [`Catalog`]; this crate knows no action type by name, except `transition_to`
//! and `finished_workflow`, which are control flow.
//!
//! ```
//! use serde_json::json;
//! use std::sync::Arc;
//! use warroom_workflow::{ActionType, Author, Catalog, Message, TriggerIndex, check, render_diagnostics};
//!
//! let post = ActionType {
//!     type_name: "post".to_owned(),
//!     parameters: json!({"properties": {"message": {"type": "string"}}, "additionalProperties": false}),
//!     outputs: Vec::new(),
//! };
//! let catalog = Catalog::new([post])?;
//! let text = r##"[{
//!     "name": "security_issue",
//!     "triggers": [{"name": "Reported", "type": "text", "match": "#sec"}],
//!     "steps": [{"name": "Only", "start_actions": [
//!         {"type": "post", "name": "Hello", "message": "Issue {{.Instance.Number}}"}
//!     ]}]
//! }]"##;
//! let checked = check(text, &catalog);
//! assert!(checked.diagnostics.is_empty());
//!
//! let index = TriggerIndex::new(checked.workflows.into_iter().map(Arc::new));
//! let message = Message {
//!     text: "#sec a leak", attachments: "", author: Author::Person,
//!     team_name: "it", channel_id: "c", channel_name: "help",
//!     channel_display_name: "Help",
//! };
//! assert_eq!(index.matches(&message).len(), 1);
//!
//! let wrong = text.replace("\"message\"", "\"mesage\"");
//! let diagnostics = check(&wrong, &catalog).diagnostics;
//! assert!(render_diagnostics("incident.json", &wrong, &diagnostics, false).contains("incident.json:5:43"));
//! # Ok::<(), warroom_workflow::CatalogError>(())
//! ```
//!
//! Why it is made so: a mistake in a workflow shows when everybody is busy with an incident, so as much as can be known
//! is found at upload, all at once and in place. Text becomes a tree with positions (`document`), the tree a draft that
//! may have gaps (`decode`, `draft`), so that a mistake here hides none there; what concerns a workflow as a whole is
//! checked on the draft (`machine`), and only a draft without gaps becomes a [`Workflow`]. There is no I/O and no clock:
//! the same text and catalog always give the same result. Everything is bounded: the file, its nesting, workflows,
//! steps, diagnostics, patterns, and what a template may print.

mod brackets;
mod catalog;
mod codes;
mod decode;
mod decode_actions;
mod decode_triggers;
mod diagnostic;
mod document;
mod draft;
mod excerpt;
mod file_schema;
mod folding;
mod handle;
mod lines;
mod machine;
mod model;
mod name;
mod numbers;
mod parameters;
mod parser;
mod patterns;
mod prose;
mod readers;
mod references;
mod report;
mod schema;
mod screen;
mod spelling;
mod strings;
mod templates;
mod tokens;
mod triggers;

pub use catalog::{ActionType, Catalog, CatalogError};
pub use decode::{STEPS_MAX, WORKFLOWS_MAX};
pub use decode_actions::{ACTIONS_MAX, RETRY_MINUTES_MAX, RETRY_TRIES_MAX};
pub use decode_triggers::{PHRASE_CHARS_MAX, TRIGGERS_MAX};
pub use diagnostic::{DIAGNOSTICS_MAX, Diagnostic, Severity};
pub use document::{NESTING_MAX, TEXT_BYTES_MAX};
pub use excerpt::render_diagnostics;
pub use file_schema::file_schema;
pub use handle::slug;
pub use model::{
    Action, ActionKind, Condition, MatchIn, OnError, Retry, StartLimit, Step, Trigger, Workflow,
};
pub use name::{NAME_CHARS_MAX, Name, NameError};
pub use patterns::{PATTERN_BYTES_MAX, PATTERN_MEMORY_BYTES_MAX, Pattern, PatternError};
pub use references::{REFERENCES_MAX, Reference, ReferenceKind, references};
pub use report::{diagnostics_json, diagnostics_sarif};
pub use templates::{
    OUTPUT_BYTES_MAX, STEPS_EXECUTED_MAX, TEMPLATE_BYTES_MAX, TemplateError, TemplateProblem, WORK_BYTES_MAX,
    check_template, render, render_parameters,
};
pub use triggers::{Author, Match, Message, TriggerIndex};

use std::collections::HashMap;

use decode::Decoder;
use diagnostic::Findings;

/// The largest file, in bytes.
pub const FILE_BYTES_MAX: usize = 4 * 1024 * 1024;

/// What came of a file.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Checked {
    /// In the order of the file; none when there is any error.
    pub workflows: Vec<Workflow>,
    /// Errors and warnings, in the order of the file.
    pub diagnostics: Vec<Diagnostic>,
    /// The name of every workflow, also when there are errors, and where it stands.
    names: Vec<(Name, usize)>,
}

/// Reads several files, given as pairs of name and text, as [`check`] does each of them; and refuses a workflow whose
/// name an earlier one of these files has.
pub fn check_all(files: &[(&str, &str)], catalog: &Catalog) -> Vec<Checked> {
    let mut known: HashMap<Name, (&str, usize)> = HashMap::new();
    let mut all = Vec::with_capacity(files.len());
    for (file, text) in files {
        let mut checked = check(text, catalog);
        let mut findings = Findings::new(text);
        for (name, start) in &checked.names {
            if let Some((first, line)) = known.get(name) {
                let message = format!("the workflow `{name}` is in {first} too, in line {line}");
                let help = "give one of the two another name: names are unique over all files".to_owned();
                let mark = *start..start + name.len() + 2;
                findings.error(codes::WORKFLOW_IN_TWO_FILES, mark, message, help);
            } else {
                known.insert(name.clone(), (file, findings.line(*start)));
            }
        }
        if findings.has_errors() {
            checked.workflows.clear();
            checked.diagnostics.extend(findings.finish());
            checked.diagnostics.sort_by_key(|found| found.span.start);
        }
        all.push(checked);
    }
    all
}

/// Reads the workflows of a file and reports everything that is wrong with it.
///
/// `text` is the file, `catalog` the action types that are there. The result depends on nothing else.
pub fn check(text: &str, catalog: &Catalog) -> Checked {
    if text.len() > FILE_BYTES_MAX {
        // Nothing of the text is looked at, not even for positions.
        let mut findings = Findings::new("");
        let message = format!("the file has {} bytes, more than {FILE_BYTES_MAX}", text.len());
        findings.error(codes::FILE_TOO_LARGE, 0..0, message, "split it into several files".to_owned());
        return Checked { workflows: Vec::new(), diagnostics: findings.finish(), names: Vec::new() };
    }
    let mut findings = Findings::new(text);
    let (mut drafts, mut names) = (Vec::new(), Vec::new());
    if let Some(root) = parser::parse(text, &mut findings) {
        (drafts, names) = Decoder { catalog, findings: &mut findings }.file(&root);
    }
    // What a mistake of syntax hides may be just what is missed.
    let whole: Vec<_> = drafts.iter().filter(|draft| draft.is_whole).collect();
    for draft in &whole {
        machine::check(draft, &mut findings);
    }
    machine::check_together(&whole, &mut findings);
    let mut workflows = Vec::new();
    if !findings.has_errors() {
        workflows.extend(drafts.into_iter().filter_map(draft::DraftWorkflow::finish));
    }
    Checked { workflows, diagnostics: findings.finish(), names }
}
