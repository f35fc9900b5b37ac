//! Whether the variables that templates read are there: never, always, or only on some way through the steps.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use super::flow::{Flow, Reached};
use crate::codes;
use crate::diagnostic::Findings;
use crate::draft::{DraftAction, DraftKind, DraftText, DraftWorkflow};
use crate::model::{Condition, OnError, Trigger};
use crate::spelling;
use crate::templates::Read;

/// What a trigger offers to templates; `Groups` holds more.
const TRIGGER_VARIABLES: [&str; 7] =
    ["ChannelName", "Groups", "Message", "Permalink", "PostID", "TeamName", "UserName"];

/// Reports what the templates of a workflow read and cannot get.
pub(super) fn check(workflow: &DraftWorkflow, flow: &Flow<'_>, findings: &mut Findings<'_>) {
    let scope = Scope::new(workflow, flow);
    for (step, draft) in workflow.steps.iter().enumerate() {
        for (position, action) in draft.actions().enumerate() {
            let mut told = BTreeSet::new();
            for text in &action.texts {
                for read in text.reads() {
                    scope.check(&read, text, (step, position), &mut told, findings);
                }
            }
        }
    }
    for key in &workflow.keys {
        for read in key.text.reads() {
            scope.check_key(&read, &key.text, &key.trigger, findings);
        }
    }
}

/// What a path asks for.
enum Needs<'draft> {
    Nothing,
    /// That the incident was started by the trigger.
    Trigger(&'draft str),
    /// That the action has run; the member at this level of the path is missing otherwise.
    Action(&'draft Place<'draft>, usize),
}

/// Why a path leads nowhere.
struct Nowhere {
    message: String,
    help: String,
}

struct Place<'draft> {
    name: &'draft str,
    step: usize,
    position: usize,
    action: &'draft DraftAction,
}

struct Scope<'draft, 'flow> {
    flow: &'flow Flow<'draft>,
    triggers: BTreeMap<&'draft str, &'draft Trigger>,
    knows_all_triggers: bool,
    actions: BTreeMap<&'draft str, Place<'draft>>,
    knows_all_actions: bool,
    start: Reached,
    /// What can be reached without passing through a step, and after it.
    around: RefCell<BTreeMap<usize, (Reached, Reached)>>,
}

impl<'draft, 'flow> Scope<'draft, 'flow> {
    fn new(workflow: &'draft DraftWorkflow, flow: &'flow Flow<'draft>) -> Scope<'draft, 'flow> {
        let mut actions = BTreeMap::new();
        let mut knows_all_actions = true;
        for (step, draft) in workflow.steps.iter().enumerate() {
            for (position, action) in draft.actions().enumerate() {
                match &action.name {
                    Some(name) => {
                        let name = name.as_str();
                        actions.entry(name).or_insert(Place { name, step, position, action });
                    }
                    None => knows_all_actions = false,
                }
            }
        }
        Scope {
            flow,
            triggers: workflow.triggers.iter().map(|trigger| (trigger.name.as_str(), trigger)).collect(),
            knows_all_triggers: workflow.knows_all_triggers,
            actions,
            knows_all_actions,
            start: flow.reached_avoiding(None),
            around: RefCell::new(BTreeMap::new()),
        }
    }

    fn check(
        &self,
        read: &Read,
        text: &DraftText,
        here: (usize, usize),
        told: &mut BTreeSet<(bool, String)>,
        findings: &mut Findings<'_>,
    ) {
        let mark = || text.mark_of(read.place.clone(), findings.text());
        match self.resolve(read) {
            Err(nowhere) => report_nowhere(read, &nowhere, mark(), findings),
            Ok(Needs::Trigger(name)) if self.triggers.len() > 1 => {
                let mut is_new = || told.insert((false, name.to_owned()));
                if read.fails_without(1) && !is_tested(read, &["Trigger", name]) && is_new() {
                    let others: Vec<&str> =
                        self.triggers.keys().copied().filter(|other| *other != name).collect();
                    let message = format!(
                        "`{}` is not there when the incident is started by {}",
                        read.shown(),
                        spelling::listed(others)
                    );
                    let help = format!(
                        "read it in `{{{{with index .Trigger \"{name}\"}}}}{{{{.Message}}}}{{{{end}}}}`, which is nothing for other triggers"
                    );
                    findings.warning(codes::OTHER_TRIGGER, mark(), message, help);
                }
            }
            Ok(Needs::Action(place, level)) => {
                if read.fails_without(level)
                    && !self.is_known_to_have_run(read, place)
                    && !told.contains(&(true, place.name.to_owned()))
                    && self.check_order(read, place, here, mark(), findings)
                {
                    told.insert((true, place.name.to_owned()));
                }
            }
            Ok(Needs::Nothing | Needs::Trigger(_)) => {}
        }
    }

    /// A key is made when a message matches: there is no incident yet.
    fn check_key(&self, read: &Read, text: &DraftText, trigger: &str, findings: &mut Findings<'_>) {
        let mark = text.mark_of(read.place.clone(), findings.text());
        let names: Vec<&str> = read.path.iter().map(|segment| segment.name.as_str()).collect();
        match names.as_slice() {
            [] | ["Trigger"] => {}
            ["Trigger", name, ..] if *name == trigger => {
                if let Err(nowhere) = self.resolve(read) {
                    report_nowhere(read, &nowhere, mark, findings);
                }
            }
            _ => {
                let message = format!(
                    "`{}` can never be set here: a key is made before the incident, from the trigger `{trigger}` alone",
                    read.shown()
                );
                let help = format!("read `.Trigger.{trigger}`: {}", spelling::listed(TRIGGER_VARIABLES));
                findings.error(codes::KEY_VARIABLE, mark, message, help);
            }
        }
    }

    fn resolve(&self, read: &Read) -> Result<Needs<'_>, Nowhere> {
        let names: Vec<&str> = read.path.iter().map(|segment| segment.name.as_str()).collect();
        match names.as_slice() {
            [] | ["Instance" | "Trigger" | "Action"] | ["Instance", "Number"] => Ok(Needs::Nothing),
            ["Instance", "Number", ..] => Err(too_deep(".Instance.Number", "a number")),
            ["Instance", other, ..] => {
                Err(unknown(format!("`.Instance` has no `{other}`"), other, ["Number"]))
            }
            ["Trigger", name, rest @ ..] => self.trigger(name, rest),
            ["Action", name, rest @ ..] => self.action(name, rest),
            [other, ..] => {
                Err(unknown(format!("there is no `.{other}`"), other, ["Action", "Instance", "Trigger"]))
            }
        }
    }

    fn trigger(&self, name: &str, rest: &[&str]) -> Result<Needs<'_>, Nowhere> {
        let Some((name, trigger)) = self.triggers.get_key_value(name) else {
            if !self.knows_all_triggers {
                return Ok(Needs::Nothing);
            }
            return Err(unknown(
                format!("this workflow has no trigger `{name}`"),
                name,
                self.triggers.keys().copied(),
            ));
        };
        match rest {
            [] => {}
            ["Groups", rest @ ..] => check_groups(trigger, rest)?,
            [variable] if TRIGGER_VARIABLES.contains(variable) => {}
            [variable, ..] if TRIGGER_VARIABLES.contains(variable) => {
                return Err(too_deep(&format!(".Trigger.{name}.{variable}"), "a text"));
            }
            [other, ..] => {
                return Err(unknown(format!("a trigger has no `{other}`"), other, TRIGGER_VARIABLES));
            }
        }
        Ok(Needs::Trigger(name))
    }

    fn action(&self, name: &str, rest: &[&str]) -> Result<Needs<'_>, Nowhere> {
        let Some(place) = self.actions.get(name) else {
            if !self.knows_all_actions {
                return Ok(Needs::Nothing);
            }
            // Those with outputs are what somebody means who reads one.
            let known = self.actions.values().filter(|place| has_outputs(place.action));
            let known: Vec<&str> = known.map(|place| place.name).collect();
            return Err(unknown(format!("this workflow has no action `{name}`"), name, known));
        };
        let (fields, outputs) = match &place.action.kind {
            Some(DraftKind::Component { fields, outputs, .. }) => (fields.as_slice(), outputs.as_slice()),
            Some(DraftKind::TransitionTo(_) | DraftKind::FinishedWorkflow) => (&[][..], &[][..]),
            None => return Ok(Needs::Nothing),
        };
        if fields.is_empty() && outputs.is_empty() {
            return Err(Nowhere {
                message: format!("the action `{name}` puts nothing out"),
                help: "read an output of another action".to_owned(),
            });
        }
        let (key, deeper) = match rest {
            // The member is there from the start when people set fields in it.
            [] if !fields.is_empty() => return Ok(Needs::Nothing),
            [] => return Ok(Needs::Action(place, 1)),
            [key, deeper @ ..] => (*key, deeper),
        };
        let is_field = fields.iter().any(|field| field == key);
        if !is_field && !outputs.iter().any(|output| output == key) {
            let known: Vec<&str> = fields.iter().chain(outputs).map(String::as_str).collect();
            return Err(unknown(format!("the action `{name}` has no output `{key}`"), key, known));
        }
        if !deeper.is_empty() {
            return Err(too_deep(&format!(".Action.{name}.{key}"), "a text"));
        }
        // A field is the empty text until somebody sets it.
        let level = if fields.is_empty() { 1 } else { 2 };
        Ok(if is_field { Needs::Nothing } else { Needs::Action(place, level) })
    }

    /// Whether a condition around the reading is only true when the action has run.
    fn is_known_to_have_run(&self, read: &Read, place: &Place<'_>) -> bool {
        let has_fields =
            matches!(&place.action.kind, Some(DraftKind::Component { fields, .. }) if !fields.is_empty());
        read.tested.iter().any(|path| match path.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
            ["Action", name] => *name == place.name && !has_fields,
            ["Action", name, _] => *name == place.name,
            _ => false,
        })
    }

    /// Reports a reading of an output that is not there yet, or need not be; whether it did.
    fn check_order(
        &self,
        read: &Read,
        place: &Place<'_>,
        (step, position): (usize, usize),
        mark: Range<usize>,
        findings: &mut Findings<'_>,
    ) -> bool {
        if !self.flow.is_whole || !self.start.contains(step) {
            // What leads where is not known, or the reader never runs, which is reported already.
            return false;
        }
        let mut around = self.around.borrow_mut();
        let (without, after) = around
            .entry(place.step)
            .or_insert_with(|| (self.flow.reached_avoiding(Some(place.step)), self.flow.after(place.step)));
        let (name, shown) = (place.name, read.shown());
        let runs_before = place.step == step && place.position < position;
        if !runs_before && (!self.start.contains(place.step) || !after.contains(step)) {
            let why = if (place.step, place.position) == (step, position) {
                "an action cannot read what it puts out itself".to_owned()
            } else {
                format!(
                    "the action `{name}` of the step `{}` runs only later, or never",
                    self.flow.name(place.step)
                )
            };
            let message = format!("`{shown}` can never be set here: {why}");
            let help = "read it in an action that runs after that one, or change the order".to_owned();
            findings.error(codes::NEVER_SET_HERE, mark, message, help);
            return true;
        }
        let help = format!(
            "ask for it first: `{{{{with index .Action \"{name}\"}}}}…{{{{end}}}}`, or let `{name}` run before"
        );
        let help = if read.path.len() > 2 { guarded_help(read, place).unwrap_or(help) } else { help };
        if place.step == step && !runs_before {
            let message = format!(
                "`{shown}` is not set when the step `{}` is entered for the first time: the action `{name}` runs only later in it",
                self.flow.name(step)
            );
            findings.warning(codes::MAY_BE_UNSET, mark, message, help);
            return true;
        }
        if !runs_before && without.contains(step) {
            let way = self.flow.way(without, step);
            let message = if way.contains("->") {
                format!(
                    "`{shown}` is not set when the incident goes {way}: the action `{name}` has not run then"
                )
            } else {
                format!("`{shown}` is not set when the incident begins: the action `{name}` has not run then")
            };
            findings.warning(codes::MAY_BE_UNSET, mark, message, help);
            return true;
        }
        if place.action.on_error == OnError::Continue {
            let message = format!(
                "`{shown}` is not set when the action `{name}` fails, since its `on_error` is `continue`"
            );
            findings.warning(codes::MAY_HAVE_FAILED, mark, message, help);
            return true;
        }
        false
    }
}

/// How to read an output of an action that need not have run.
fn guarded_help(read: &Read, place: &Place<'_>) -> Option<String> {
    let key = &read.path.get(2)?.name;
    let name = place.name;
    let has_fields =
        matches!(&place.action.kind, Some(DraftKind::Component { fields, .. }) if !fields.is_empty());
    Some(if has_fields {
        format!(
            "let it be nothing then: `{{{{index .Action.{name} \"{key}\" | default \"\"}}}}`, or let `{name}` run before"
        )
    } else {
        format!(
            "let it be nothing then: `{{{{with index .Action \"{name}\"}}}}{{{{.{key}}}}}{{{{end}}}}`, or let `{name}` run before"
        )
    })
}

fn has_outputs(action: &DraftAction) -> bool {
    match &action.kind {
        Some(DraftKind::Component { fields, outputs, .. }) => !fields.is_empty() || !outputs.is_empty(),
        _ => false,
    }
}

fn is_tested(read: &Read, prefix: &[&str]) -> bool {
    read.tested.iter().any(|path| {
        path.len() >= prefix.len() && path.iter().zip(prefix).all(|(tested, wanted)| tested == wanted)
    })
}

fn check_groups(trigger: &Trigger, rest: &[&str]) -> Result<(), Nowhere> {
    let path = format!(".Trigger.{}.Groups", trigger.name);
    match (&trigger.condition, rest) {
        (_, [_, _, ..]) => Err(too_deep(&format!("{path}.NAME"), "a text")),
        (Condition::Text { .. }, [_]) => Err(Nowhere {
            message: format!("the trigger `{}` has a `match`, which has no groups", trigger.name),
            help: "write a `match_regex` with a named group: \"(?P<name>...)\"".to_owned(),
        }),
        (Condition::Pattern(pattern), [group]) if !pattern.group_names().any(|name| name == *group) => {
            let message = format!("the pattern of `{}` has no group `{group}`", trigger.name);
            Err(unknown(message, group, pattern.group_names()))
        }
        _ => Ok(()),
    }
}

fn unknown<'known>(message: String, word: &str, known: impl IntoIterator<Item = &'known str>) -> Nowhere {
    let known: Vec<&str> = known.into_iter().collect();
    Nowhere { message, help: spelling::suggestion(word, known.iter().copied()) }
}

fn too_deep(path: &str, kind: &str) -> Nowhere {
    Nowhere { message: format!("`{path}` is {kind}, which has no members"), help: format!("write `{path}`") }
}

fn report_nowhere(read: &Read, nowhere: &Nowhere, mark: Range<usize>, findings: &mut Findings<'_>) {
    let message = format!("`{}` can never be set: {}", read.shown(), nowhere.message);
    findings.error(codes::UNKNOWN_VARIABLE, mark, message, nowhere.help.clone());
}
