//! Reads the steps of a workflow and their actions.

use crate::catalog::{FINISHED_WORKFLOW, LANGUAGE_KEYS, TRANSITION_TO};
use crate::codes;
use crate::decode::{ACTIONS, Decoder, Names, PARSING};
use crate::document::{Data, Node};
use crate::draft::{DraftAction, DraftKind, DraftStep, Target};
use crate::model::OnError;
use crate::parameters;
use crate::spelling;

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
        if written.into_iter().all(|member| matches!(&member.value.data, Data::List(list) if list.is_empty()))
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
        actions.iter().filter_map(|action| self.action(action, names)).collect()
    }

    fn action(&mut self, node: &Node, names: &mut Names) -> Option<DraftAction> {
        self.object(ACTIONS, "an action", node)?;
        let name = self.name(ACTIONS, "action", node, names);
        let mark = node.member("type").map_or_else(|| node.mark(), |member| member.value.mark());
        let on_error = self.on_error(node);
        if let Some(retry) = node.member("retry") {
            let message = "`retry` has no effect: what is temporary is tried again by the host itself";
            let help = "delete it; `on_error` says what a lasting failure means".to_owned();
            self.findings.warning(codes::RETRY_WITHOUT_EFFECT, retry.key_span.clone(), message, help);
        }
        let kind = self.kind(node);
        let texts = parameters::texts(node, self.findings);
        Some(DraftAction { name, mark, on_error, retry: None, kind, texts })
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

    fn kind(&mut self, node: &Node) -> Option<DraftKind> {
        let Some(member) = node.member("type") else {
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
