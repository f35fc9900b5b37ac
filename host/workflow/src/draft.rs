//! A file as it was read, with the gaps that mistakes leave. Checks that need the whole workflow work on drafts, so
//! that a mistake here hides none there; only a draft without gaps becomes a [`Workflow`].

use std::collections::HashSet;
use std::ops::Range;

use serde_json::{Map, Value};

use crate::document::{Data, Node};
use crate::model::{Action, ActionKind, OnError, Retry, StartLimit, Step, Trigger, Workflow};
use crate::name::Name;
use crate::templates::{Parsed, Read};

pub(crate) struct DraftWorkflow {
    /// Whether no mistake of syntax hides a part of it.
    pub(crate) is_whole: bool,
    pub(crate) name: Option<Name>,
    pub(crate) description: Option<String>,
    pub(crate) instance_number_start: u64,
    pub(crate) start_limit: StartLimit,
    pub(crate) triggers: Vec<Trigger>,
    /// Whether every trigger of the file is among `triggers`.
    pub(crate) knows_all_triggers: bool,
    pub(crate) keys: Vec<DraftTriggerKey>,
    pub(crate) steps: Vec<DraftStep>,
}

pub(crate) struct DraftStep {
    pub(crate) name: Option<Name>,
    /// The name, or else the step.
    pub(crate) mark: Range<usize>,
    pub(crate) start_actions: Vec<DraftAction>,
    pub(crate) finish_actions: Vec<DraftAction>,
}

pub(crate) struct DraftAction {
    pub(crate) name: Option<Name>,
    /// The type, or else the action.
    pub(crate) mark: Range<usize>,
    pub(crate) on_error: OnError,
    pub(crate) retry: Option<Retry>,
    pub(crate) kind: Option<DraftKind>,
    /// Every string of the action.
    pub(crate) texts: Vec<DraftText>,
}

/// The `key` of a trigger.
pub(crate) struct DraftTriggerKey {
    pub(crate) trigger: String,
    pub(crate) text: DraftText,
}

/// A string and where it stands.
pub(crate) struct DraftText {
    pub(crate) mark: Range<usize>,
    /// None: it is no template, or a wrong one.
    pub(crate) template: Option<Parsed>,
}

impl DraftText {
    /// The variables that it reads.
    pub(crate) fn reads(&self) -> Vec<Read> {
        self.template.as_ref().map(Parsed::reads).unwrap_or_default()
    }

    /// Where a part of the string, in bytes, stands in the file; without a part, or when it cannot be told, the whole.
    pub(crate) fn mark_of(&self, part: Option<Range<usize>>, file: &str) -> Range<usize> {
        let literal = file.get(self.mark.clone()).unwrap_or_default();
        part.and_then(|part| in_literal(literal, &part)).map_or_else(
            || self.mark.clone(),
            |part| self.mark.start + part.start..self.mark.start + part.end,
        )
    }
}

/// Where a part of a JSON string's value stands in its literal.
fn in_literal(literal: &str, part: &Range<usize>) -> Option<Range<usize>> {
    let start = raw_offset(literal, part.start)?;
    let end = raw_offset(literal, part.end)?;
    Some(start..end)
}

/// The offset in a literal of what is at `wanted` in its value, both in bytes.
fn raw_offset(literal: &str, wanted: usize) -> Option<usize> {
    let (mut value, mut raw) = (0, 1);
    let body = literal.strip_prefix('"')?;
    let mut characters = body.chars();
    while value < wanted {
        let character = characters.next()?;
        let (made, read) = match character {
            '\\' => match characters.next()? {
                'u' => {
                    let digits: String = characters.by_ref().take(4).collect();
                    let code = u32::from_str_radix(&digits, 16).ok()?;
                    match char::from_u32(code) {
                        Some(character) => (character.len_utf8(), 6),
                        // The two halves of a surrogate pair make four bytes.
                        None => (2, 6),
                    }
                }
                _ => (1, 2),
            },
            other => (other.len_utf8(), other.len_utf8()),
        };
        value += made;
        raw += read;
    }
    (value == wanted).then_some(raw)
}

/// The keys of a workflow's triggers.
pub(crate) fn trigger_keys(workflow: &Node) -> Vec<DraftTriggerKey> {
    let triggers = workflow.member("triggers").map(|member| &member.value.data);
    let Some(Data::List(triggers)) = triggers else { return Vec::new() };
    let text = |node: &Node, key: &str| match &node.member(key)?.value {
        value @ Node { data: Data::Text(text), .. } => Some((text.clone(), value.mark())),
        _ => None,
    };
    let key = |trigger: &Node| {
        let (name, _) = text(trigger, "name")?;
        let (key, mark) = text(trigger, "key")?;
        let template = Parsed::new(&key).ok().flatten();
        Some(DraftTriggerKey { trigger: name, text: DraftText { mark, template } })
    };
    triggers.iter().filter_map(key).collect()
}

/// How many triggers a workflow writes down.
pub(crate) fn triggers_written(workflow: &Node) -> usize {
    match workflow.member("triggers").map(|member| &member.value.data) {
        Some(Data::List(triggers)) => triggers.len(),
        _ => 0,
    }
}

/// What an action does to people and channels, as its component's schema tells.
#[derive(Default)]
pub(crate) struct Roles {
    /// Names of channels that it creates.
    pub(crate) new_channels: Vec<DraftRole>,
    /// Texts that people read in the chat.
    pub(crate) messages: Vec<DraftRole>,
    /// Whether it brings people in.
    pub(crate) brings_people: bool,
    /// Those of them who are written literally.
    pub(crate) people: Vec<String>,
    /// Whether it mentions them.
    pub(crate) notifies: bool,
}

/// A string that has a role, and where it stands.
pub(crate) struct DraftRole {
    pub(crate) text: String,
    pub(crate) mark: Range<usize>,
}

/// A step's name as it is written somewhere.
pub(crate) struct Target {
    pub(crate) name: String,
    pub(crate) mark: Range<usize>,
}

pub(crate) enum DraftKind {
    TransitionTo(Target),
    FinishedWorkflow,
    Component {
        type_name: String,
        parameters: Map<String, Value>,
        steps: Vec<Target>,
        fields: Vec<String>,
        outputs: Vec<String>,
        roles: Roles,
    },
}

impl DraftWorkflow {
    /// All actions, in the order of the steps.
    pub(crate) fn actions(&self) -> impl Iterator<Item = &DraftAction> {
        self.steps.iter().flat_map(DraftStep::actions)
    }

    /// The workflow, when nothing is missing.
    pub(crate) fn finish(self) -> Option<Workflow> {
        if self.triggers.is_empty() || self.steps.is_empty() {
            return None;
        }
        Some(Workflow {
            name: self.name?,
            description: self.description,
            instance_number_start: self.instance_number_start,
            start_limit: self.start_limit,
            triggers: self.triggers,
            steps: self.steps.into_iter().map(DraftStep::finish).collect::<Option<_>>()?,
        })
    }
}

impl DraftStep {
    /// All actions: those of the start, then those of the finish.
    pub(crate) fn actions(&self) -> impl Iterator<Item = &DraftAction> {
        self.start_actions.iter().chain(&self.finish_actions)
    }

    fn finish(self) -> Option<Step> {
        let finish =
            |actions: Vec<DraftAction>| actions.into_iter().map(DraftAction::finish).collect::<Option<_>>();
        Some(Step {
            name: self.name?,
            start_actions: finish(self.start_actions)?,
            finish_actions: finish(self.finish_actions)?,
        })
    }
}

impl DraftAction {
    fn finish(self) -> Option<Action> {
        let kind = match self.kind? {
            DraftKind::TransitionTo(target) => {
                ActionKind::TransitionTo { step: Name::new(target.name).ok()? }
            }
            DraftKind::FinishedWorkflow => ActionKind::FinishedWorkflow,
            DraftKind::Component { type_name, parameters, steps, fields, outputs, roles } => {
                let mut seen = HashSet::new();
                let names = steps.into_iter().map(|step| step.name);
                let steps = names.filter(|name| seen.insert(name.clone())).collect();
                ActionKind::Component { type_name, parameters, steps, fields, outputs, people: roles.people }
            }
        };
        Some(Action { name: self.name?, on_error: self.on_error, retry: self.retry, kind })
    }
}
