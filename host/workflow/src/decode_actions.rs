//! Reads the steps of a workflow and their actions.

use crate::catalog::{FINISHED_WORKFLOW, LANGUAGE_KEYS, TRANSITION_TO};
use crate::codes;
use crate::decode::{ACTIONS, Decoder, Names, PARSING, whole_number};
use crate::document::{Data, Node};
use crate::draft::{DraftAction, DraftKind, DraftStep, Target};
use crate::model::{OnError, Retry};
use crate::parameters;
use crate::spelling;

/// The most actions of one list of a step.
pub const ACTIONS_MAX: usize = 1_000;
/// The most tries of an action.
pub const RETRY_TRIES_MAX: u32 = 1_000;
/// The longest time an action is tried, in minutes: a day.
pub const RETRY_MINUTES_MAX: u32 = 1_440;

const START: &str = "start_actions";
const FINISH: &str = "finish_actions";
/// Another spelling of [`FINISH`], which files in use have.
const FINISHED: &str = "finished_actions";

impl Decoder<'_, '_> {
    pub(crate) fn step(
        &mut self,
        node: &Node,
        names: &mut Names,
        action_names: &mut Names,
    ) -> Option<DraftStep> {
        self.object(PARSING, "a step", node)?;
        self.keys("a step", node, &["name", START, FINISH, FINISHED]);
        let name = self.name(PARSING, "step", node, names);
        let mark = node.member("name").map_or_else(|| node.mark(), |member| member.value.mark());
        if let (Some(_), Some(second)) = (node.member(FINISH), node.member(FINISHED)) {
            let message = format!("this step has both `{FINISH}` and `{FINISHED}`, which mean the same");
            let help = format!("put all of them into `{FINISH}`");
            self.findings.error(codes::DUPLICATE_KEY, second.key_span.clone(), message, help);
        }
        let start_actions = self.actions(node, START, action_names);
        let mut finish_actions = self.actions(node, FINISH, action_names);
        finish_actions.extend(self.actions(node, FINISHED, action_names));
        // Lists that hold something, or are none, are reported where they are read.
        let written = [START, FINISH, FINISHED].into_iter().filter_map(|key| node.member(key));
        if !node.is_broken && written.into_iter().all(|member| matches!(&member.value.data, Data::List(list) if list.is_empty() && !member.value.is_broken))
        {
            let message = format!("{ACTIONS}a step must have an action");
            let help = format!("add `\"{START}\": [ ... ]`");
            self.findings.error(codes::NO_ACTIONS, mark.clone(), message, help);
        }
        Some(DraftStep { name, mark, start_actions, finish_actions })
    }

    fn actions(&mut self, step: &Node, key: &str, names: &mut Names) -> Vec<DraftAction> {
        let Some(member) = step.member(key) else { return Vec::new() };
        let Some(actions) = self.list(ACTIONS, &format!("`{key}`"), &member.value) else { return Vec::new() };
        if let Some(first_over) = actions.get(ACTIONS_MAX) {
            let message = format!("`{key}` has {} actions, more than {ACTIONS_MAX}", actions.len());
            self.findings.error(codes::TOO_MANY, first_over.mark(), message, "split the step".to_owned());
            return Vec::new();
        }
        actions.iter().filter_map(|action| self.action(action, names)).collect()
    }

    fn action(&mut self, node: &Node, names: &mut Names) -> Option<DraftAction> {
        self.object(ACTIONS, "an action", node)?;
        let name = self.name(ACTIONS, "action", node, names);
        let mark = node.member("type").map_or_else(|| node.mark(), |member| member.value.mark());
        let on_error = self.on_error(node);
        let retry = self.retry(node);
        let kind = self.kind(node);
        if let Some(DraftKind::TransitionTo(_) | DraftKind::FinishedWorkflow) = kind {
            self.warn_of_no_effect(node);
        }
        let texts = parameters::texts(node, self.findings);
        Some(DraftAction { name, mark, on_error, retry, kind, texts })
    }

    fn on_error(&mut self, node: &Node) -> OnError {
        let Some(text) = self.optional_text(ACTIONS, node, "on_error") else { return OnError::default() };
        match text {
            "block" => OnError::Block,
            "continue" => OnError::Continue,
            _ => {
                let message = format!("`on_error` cannot be `{text}`");
                let help = "write `block`, which waits for a person, or `continue`, which goes on".to_owned();
                let mark = node.member("on_error").map_or_else(|| node.mark(), |member| member.value.mark());
                self.findings.error(codes::WRONG_VALUE, mark, message, help);
                OnError::default()
            }
        }
    }

    /// How long the action is tried: `{"tries": 10, "minutes": 15}`, both optional.
    fn retry(&mut self, action: &Node) -> Option<Retry> {
        let node = &action.member("retry")?.value;
        self.object(ACTIONS, "`retry`", node)?;
        self.keys("`retry`", node, &["tries", "minutes"]);
        let Retry { tries, minutes } = Retry::default();
        Some(Retry {
            tries: self.bounded(node, "tries", RETRY_TRIES_MAX, tries),
            minutes: self.bounded(node, "minutes", RETRY_MINUTES_MAX, minutes),
        })
    }

    /// A whole number from 1 to `max`; the default when it is absent or wrong.
    pub(crate) fn bounded(&mut self, node: &Node, key: &str, max: u32, default: u32) -> u32 {
        let Some(value) = node.member(key).map(|member| &member.value) else { return default };
        let number = match &value.data {
            Data::Hole => return default,
            Data::Number(number) => whole_number(number).and_then(|number| u32::try_from(number).ok()),
            _ => None,
        };
        number.filter(|number| (1..=max).contains(number)).unwrap_or_else(|| {
            let message = format!("`{key}` must be a whole number from 1 to {max}");
            let help = format!("leave it away for {default}");
            self.findings.error(codes::WRONG_VALUE, value.mark(), message, help);
            default
        })
    }

    /// Control flow cannot fail, so what is said about its failure means nothing.
    fn warn_of_no_effect(&mut self, node: &Node) {
        for member in ["retry", "on_error"].into_iter().filter_map(|key| node.member(key)) {
            let message = format!("`{}` has no effect here: this action cannot fail", member.key);
            let help = "delete it".to_owned();
            self.findings.warning(codes::WITHOUT_EFFECT, member.key_span.clone(), message, help);
        }
    }

    fn kind(&mut self, node: &Node) -> Option<DraftKind> {
        let Some(member) = node.member("type") else {
            if node.is_broken {
                return None;
            }
            let message = format!("{ACTIONS}an action must have a type");
            let help = format!("there is {}", spelling::listed(self.type_names()));
            self.findings.error(codes::UNKNOWN_ACTION_TYPE, node.mark(), message, help);
            return None;
        };
        match self.text(ACTIONS, "`type`", &member.value)? {
            TRANSITION_TO => self.transition(node),
            FINISHED_WORKFLOW => {
                self.keys("`finished_workflow`", node, &LANGUAGE_KEYS);
                Some(DraftKind::FinishedWorkflow)
            }
            type_name => match self.catalog.entry(type_name) {
                Some(entry) => Some(parameters::read(entry, node, self.findings)),
                None => {
                    let message = format!("{ACTIONS}there is no action type `{type_name}`");
                    let help = spelling::suggestion(type_name, self.type_names());
                    self.findings.error(codes::UNKNOWN_ACTION_TYPE, member.value.mark(), message, help);
                    None
                }
            },
        }
    }

    fn transition(&mut self, node: &Node) -> Option<DraftKind> {
        let known: Vec<&str> = LANGUAGE_KEYS.into_iter().chain(["to"]).collect();
        self.keys("`transition_to`", node, &known);
        let Some(member) = node.member("to") else {
            if node.is_broken {
                return None;
            }
            let help = "write the name of the step to go to: `\"to\": \"NAME\"`".to_owned();
            self.findings.error(codes::MISSING_KEY, node.mark(), "`transition_to` must have a `to`", help);
            return None;
        };
        let name = self.text(ACTIONS, "`to`", &member.value)?;
        if crate::templates::has_action(name) {
            let message = "the `to` of a `transition_to` cannot hold a template";
            let help = "write the name of a step; to branch, let an action ask for the transition".to_owned();
            self.findings.error(codes::WRONG_VALUE, member.value.mark(), message, help);
            return None;
        }
        Some(DraftKind::TransitionTo(Target { name: name.to_owned(), mark: member.value.mark() }))
    }

    fn type_names(&self) -> impl Iterator<Item = &str> + Clone {
        self.catalog.type_names().chain([TRANSITION_TO, FINISHED_WORKFLOW])
    }
}
