//! Reads a file's workflows and reports all that is wrong with them.

use std::collections::HashMap;
use std::ops::Range;

use crate::catalog::Catalog;
use crate::codes;
use crate::diagnostic::Findings;
use crate::document::{Data, Member, Node};
use crate::draft::{self, DraftStep, DraftWorkflow};
use crate::model::StartLimit;
use crate::name::{Name, NameError};
use crate::spelling;

/// The most workflows of a file.
pub const WORKFLOWS_MAX: usize = 10_000;
/// The most steps of a workflow.
pub const STEPS_MAX: usize = 1_000;
/// The largest number that a workflow's incidents can begin with.
pub(crate) const INSTANCE_NUMBER_START_MAX: u64 = 1_000_000_000;

/// The most starts that a `start_limit` allows.
pub(crate) const START_LIMIT_STARTS_MAX: u32 = 1_000;
/// The longest time of a `start_limit`, in minutes.
pub(crate) const START_LIMIT_MINUTES_MAX: u32 = 24 * 60;

/// What the messages about a whole workflow, and about its triggers and actions, begin with.
pub(crate) const PARSING: &str = "Error parsing workflow: ";
pub(crate) const TRIGGERS: &str = "Error parsing workflow: unable to load triggers: ";
pub(crate) const ACTIONS: &str = "Error parsing workflow: unable to load actions: ";

/// Reads and reports. The readers of triggers and actions are in modules of their own.
pub(crate) struct Decoder<'a, 'text> {
    pub(crate) catalog: &'a Catalog,
    pub(crate) findings: &'a mut Findings<'text>,
}

/// Names that must differ, and where each stood first.
pub(crate) type Names = HashMap<Name, usize>;

impl Decoder<'_, '_> {
    /// The workflows of a file, and where the name of each stands.
    pub(crate) fn file(&mut self, root: &Node) -> (Vec<DraftWorkflow>, Vec<(Name, usize)>) {
        let workflows = match &root.data {
            Data::List(workflows) => workflows.as_slice(),
            Data::Object(_) => {
                let message = "a file is a list of workflows, but this is one object";
                let help = "put it into a list: [ { ... } ]".to_owned();
                self.findings.error(codes::WRONG_TYPE, root.mark(), message, help);
                std::slice::from_ref(root)
            }
            _ => {
                self.wrong_type::<()>(PARSING, "a file", "a list of workflows", root);
                return (Vec::new(), Vec::new());
            }
        };
        if workflows.is_empty() && !root.is_broken {
            self.findings.warning(
                codes::NO_WORKFLOWS,
                root.mark(),
                "the file holds no workflow",
                "write one: `[ { \"name\": ... } ]`".to_owned(),
            );
        }
        if let Some(first_over) = workflows.get(WORKFLOWS_MAX) {
            let message = format!("the file holds {} workflows, more than {WORKFLOWS_MAX}", workflows.len());
            let help = "split it into several files".to_owned();
            self.findings.error(codes::TOO_MANY, first_over.mark(), message, help);
            return (Vec::new(), Vec::new());
        }
        let mut names = Names::new();
        let drafts = workflows.iter().filter_map(|workflow| self.workflow(workflow, &mut names)).collect();
        let mut names: Vec<_> = names.into_iter().collect();
        names.sort_by_key(|(_, start)| *start);
        (drafts, names)
    }

    fn workflow(&mut self, node: &Node, names: &mut Names) -> Option<DraftWorkflow> {
        self.object(PARSING, "a workflow", node)?;
        self.keys(
            "a workflow",
            node,
            &["name", "description", "instance_number_start", "start_limit", "triggers", "steps"],
        );
        let name = self.name(PARSING, "workflow", node, names);
        let triggers = self.triggers(node);
        Some(DraftWorkflow {
            is_whole: node.is_whole,
            name,
            description: self.optional_text(PARSING, node, "description").map(str::to_owned),
            instance_number_start: self.instance_number_start(node),
            start_limit: self.start_limit(node),
            knows_all_triggers: triggers.len() == draft::triggers_written(node),
            triggers,
            keys: draft::trigger_keys(node),
            steps: self.steps(node),
        })
    }

    fn instance_number_start(&mut self, workflow: &Node) -> u64 {
        let Some(member) = workflow.member("instance_number_start") else { return 1 };
        let number = match &member.value.data {
            Data::Number(number) => {
                whole_number(number).filter(|number| (1..=INSTANCE_NUMBER_START_MAX).contains(number))
            }
            Data::Hole => Some(1),
            _ => None,
        };
        number.unwrap_or_else(|| {
            let message = "`instance_number_start` must be a whole number from 1 to 1,000,000,000";
            let help = "leave it away to begin with 1".to_owned();
            self.findings.error(codes::WRONG_VALUE, member.value.mark(), message, help);
            1
        })
    }

    fn start_limit(&mut self, workflow: &Node) -> StartLimit {
        let default = StartLimit::default();
        let Some(member) = workflow.member("start_limit") else { return default };
        let what = "`start_limit`";
        if self.object(PARSING, what, &member.value).is_none() {
            return default;
        }
        self.keys(what, &member.value, &["starts", "minutes"]);
        StartLimit {
            starts: self.bounded(&member.value, "starts", START_LIMIT_STARTS_MAX, default.starts),
            minutes: self.bounded(&member.value, "minutes", START_LIMIT_MINUTES_MAX, default.minutes),
        }
    }

    fn steps(&mut self, workflow: &Node) -> Vec<DraftStep> {
        let Some(member) = workflow.member("steps") else {
            if workflow.is_broken {
                return Vec::new();
            }
            let message = format!("{PARSING}a workflow must have steps");
            let help = "add `\"steps\": [ ... ]`; an incident begins with the first".to_owned();
            self.findings.error(codes::NO_STEPS, workflow.mark(), message, help);
            return Vec::new();
        };
        let Some(steps) = self.list(PARSING, "`steps`", &member.value) else { return Vec::new() };
        if steps.is_empty() && !member.value.is_broken {
            let message = format!("{PARSING}a workflow must have at least one step");
            let help = "an incident begins with the first: `{ \"name\": ..., \"start_actions\": [ ... ] }`"
                .to_owned();
            self.findings.error(codes::NO_STEPS, member.value.mark(), message, help);
        }
        if let Some(first_over) = steps.get(STEPS_MAX) {
            let message = format!("the workflow has {} steps, more than {STEPS_MAX}", steps.len());
            self.findings.error(codes::TOO_MANY, first_over.mark(), message, "split the workflow".to_owned());
            return Vec::new();
        }
        let (mut names, mut action_names) = (Names::new(), Names::new());
        steps.iter().filter_map(|step| self.step(step, &mut names, &mut action_names)).collect()
    }

    /// The name of a workflow, trigger, step or action.
    pub(crate) fn name(&mut self, prefix: &str, noun: &str, node: &Node, names: &mut Names) -> Option<Name> {
        let blank = format!("{prefix}{noun} name must not be blank");
        let help =
            format!("give every {noun} a name: a letter, then letters, digits and underscores, at most 64");
        let Some(Member { value, .. }) = node.member("name") else {
            if node.is_broken {
                return None;
            }
            self.findings.error(codes::WRONG_NAME, node.mark(), blank, help);
            return None;
        };
        let text = self.text(prefix, "`name`", value)?;
        match Name::new(text) {
            Ok(name) => {
                self.unique(noun, &name, value.mark(), names);
                Some(name)
            }
            Err(NameError::Blank) => {
                self.findings.error(codes::WRONG_NAME, value.mark(), blank, help);
                None
            }
            Err(reason) => {
                let message = format!("{prefix}this {noun} name is not valid: {reason}");
                self.findings.error(codes::WRONG_NAME, value.mark(), message, help);
                None
            }
        }
    }

    fn unique(&mut self, noun: &str, name: &Name, mark: Range<usize>, names: &mut Names) {
        if let Some(first) = names.get(name) {
            let line = self.findings.line(*first);
            let message = format!("another {noun} has the name `{name}`, in line {line}");
            let scope = if noun == "workflow" { "file" } else { "workflow" };
            let help = format!("names of {noun}s must differ within a {scope}");
            self.findings.error(codes::DUPLICATE_NAME, mark, message, help);
        } else {
            names.insert(name.clone(), mark.start);
        }
    }

    /// Reports keys that mean nothing.
    pub(crate) fn keys(&mut self, what: &str, node: &Node, known: &[&str]) {
        // What stands in a broken object may belong to another.
        let members = if node.is_broken { &[] } else { node.members() };
        for member in members.iter().filter(|member| !known.contains(&member.key.as_str())) {
            let message = format!("{what} has no key `{}`", member.key);
            let help = spelling::suggestion(&member.key, known.iter().copied());
            self.findings.error(codes::UNKNOWN_KEY, member.key_span.clone(), message, help);
        }
    }

    pub(crate) fn object(&mut self, prefix: &str, what: &str, node: &Node) -> Option<()> {
        match node.data {
            Data::Object(_) => Some(()),
            _ => self.wrong_type(prefix, what, "an object", node),
        }
    }

    pub(crate) fn list<'node>(
        &mut self,
        prefix: &str,
        what: &str,
        node: &'node Node,
    ) -> Option<&'node [Node]> {
        match &node.data {
            Data::List(nodes) => Some(nodes),
            _ => self.wrong_type(prefix, what, "a list", node),
        }
    }

    pub(crate) fn text<'node>(&mut self, prefix: &str, what: &str, node: &'node Node) -> Option<&'node str> {
        match &node.data {
            Data::Text(text) => Some(text),
            _ => self.wrong_type(prefix, what, "a string", node),
        }
    }

    pub(crate) fn optional_text<'node>(
        &mut self,
        prefix: &str,
        node: &'node Node,
        key: &str,
    ) -> Option<&'node str> {
        node.member(key).and_then(|member| self.text(prefix, &format!("`{key}`"), &member.value))
    }

    pub(crate) fn wrong_type<T>(&mut self, prefix: &str, what: &str, wanted: &str, node: &Node) -> Option<T> {
        if node.is_hole() {
            return None;
        }
        let message = format!("{prefix}{what} must be {wanted}, but this is {}", node.kind());
        let help = match wanted {
            "a string" => "write a text in double quotes: `\"...\"`".to_owned(),
            "a list" => "write `[ ... ]`, also around a single value".to_owned(),
            "an object" => "write `{ \"KEY\": VALUE, ... }`".to_owned(),
            _ => format!("write {wanted}"),
        };
        self.findings.error(codes::WRONG_TYPE, node.mark(), message, help);
        None
    }
}

/// The number, if it is whole and not negative; `1.0` and `1e3` are, as JSON Schema has it.
pub(crate) fn whole_number(number: &serde_json::Number) -> Option<u64> {
    const EXACT_MAX: f64 = 9_007_199_254_740_992.0;
    let whole = || number.as_f64().filter(|value| value.fract() == 0.0 && (0.0..=EXACT_MAX).contains(value));
    number.as_u64().or_else(|| whole().map(|value| value as u64))
}
