//! The state machine of a workflow, as both formats draw it.

use super::offers;
use super::text::{capped, one_line};
use serde_json::{Map, Value};
use std::collections::BTreeMap;
use warroom_workflow::{Action, ActionKind, Catalog, Condition, Step, Trigger, Workflow};

/// How many lines a box or a label has at most; the rest is counted.
const LINES_MAX: usize = 50;

/// States and the arrows between them. `states[0]` is the start, followed by the steps in the order of the file; then
/// come the ends, one for each step that ends the incident, so that no arrow has to cross the drawing.
pub(super) struct Machine<'workflow> {
    pub(super) name: &'workflow str,
    pub(super) description: Option<&'workflow str>,
    pub(super) states: Vec<State>,
    pub(super) arrows: Vec<Arrow>,
}

pub(super) enum State {
    /// Before the incident.
    Start,
    /// A step of the workflow.
    Step(StepBox),
    /// After the incident.
    End,
    /// A step whose name a template makes, so that nobody knows it before the incident.
    Unknown,
}

/// What is written about a step.
pub(super) struct StepBox {
    pub(super) name: String,
    pub(super) start_actions: Vec<Line>,
    pub(super) finish_actions: Vec<Line>,
    /// Whether any way leads here from the start.
    pub(super) reachable: bool,
}

/// An action of a step.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Line {
    pub(super) name: String,
    /// Empty on the line that counts the rest.
    pub(super) type_name: String,
}

#[derive(Debug, PartialEq)]
pub(super) struct Arrow {
    /// Places in `states`.
    pub(super) from: usize,
    pub(super) to: usize,
    pub(super) kind: Kind,
    /// What is written at the arrow, a line each: all ways from one state to another are one arrow.
    pub(super) labels: Vec<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Kind {
    /// A post starts the incident.
    Trigger,
    /// Somebody presses it, or an action asks for it.
    Offered,
    /// Taken by itself.
    Automatic,
}

impl<'workflow> Machine<'workflow> {
    pub(super) fn new(workflow: &'workflow Workflow, catalog: &Catalog) -> Machine<'workflow> {
        let mut states = vec![State::Start];
        states.extend(workflow.steps.iter().map(|step| State::Step(StepBox::new(step))));
        let places = workflow.steps.iter().zip(1..).map(|(step, place)| (step.name.as_str(), place));
        let mut drawing = Drawing { catalog, places: places.collect(), states, arrows: Vec::new() };
        drawing.arrow(0, 1, Kind::Trigger, workflow.triggers.iter().map(trigger_label).collect());
        for (step, place) in workflow.steps.iter().zip(1..) {
            drawing.ways_out(step, place);
        }
        drawing.mark_reachable();
        Machine {
            name: workflow.name.as_str(),
            description: workflow.description.as_deref(),
            states: drawing.states,
            arrows: drawing.arrows,
        }
    }
}

struct Drawing<'workflow> {
    catalog: &'workflow Catalog,
    /// Where the steps are in `states`.
    places: BTreeMap<&'workflow str, usize>,
    states: Vec<State>,
    arrows: Vec<Arrow>,
}

impl Drawing<'_> {
    /// Only start actions lead out of a step: when its finish actions run, it is decided already where the incident goes.
    fn ways_out(&mut self, step: &Step, from: usize) {
        let mut offered: BTreeMap<usize, Vec<String>> = BTreeMap::new();
        let mut unknown = Vec::new();
        for action in &step.start_actions {
            let ActionKind::Component { type_name, parameters, steps, .. } = &action.kind else { continue };
            for offer in self.offers(type_name, parameters, steps) {
                let label = one_line(offer.label.as_deref().unwrap_or(action.name.as_str()));
                match self.places.get(offer.step.as_str()) {
                    Some(to) => offered.entry(*to).or_default().push(label),
                    None => unknown.push(format!("{label}: {}", one_line(&offer.step))),
                }
            }
        }
        let automatic = step.start_actions.iter().find_map(|action| match &action.kind {
            ActionKind::TransitionTo { step } => Some(self.places.get(step.as_str()).copied()),
            ActionKind::FinishedWorkflow => Some(None),
            ActionKind::Component { .. } => None,
        });
        let leads_nowhere = offered.is_empty() && unknown.is_empty() && automatic.is_none();
        for (to, labels) in offered {
            self.arrow(from, to, Kind::Offered, labels);
        }
        if !unknown.is_empty() {
            self.states.push(State::Unknown);
            self.arrow(from, self.states.len() - 1, Kind::Offered, unknown);
        }
        match automatic {
            Some(Some(to)) => self.arrow(from, to, Kind::Automatic, Vec::new()),
            Some(None) => self.end(from),
            None if leads_nowhere => self.end(from),
            None => {}
        }
    }

    /// The transitions that an action may ask for. The schema says where they stand and how they are called; which there
    /// are is what the workflow says, since that is what a run goes by.
    fn offers(
        &self,
        type_name: &str,
        parameters: &Map<String, Value>,
        steps: &[String],
    ) -> Vec<offers::Offer> {
        let mut offers = match self.catalog.get(type_name) {
            Some(action) => offers::find(&action.parameters, parameters),
            None => Vec::new(),
        };
        offers.retain(|offer| steps.contains(&offer.step));
        for step in steps {
            if !offers.iter().any(|offer| offer.step == *step) {
                offers.push(offers::Offer { step: step.clone(), label: None });
            }
        }
        offers
    }

    fn end(&mut self, from: usize) {
        self.states.push(State::End);
        self.arrow(from, self.states.len() - 1, Kind::Automatic, Vec::new());
    }

    fn arrow(&mut self, from: usize, to: usize, kind: Kind, labels: Vec<String>) {
        let labels = capped(labels, LINES_MAX, |rest| rest);
        self.arrows.push(Arrow { from, to, kind, labels });
    }

    fn mark_reachable(&mut self) {
        let mut ways: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
        let mut knows_all = true;
        for arrow in &self.arrows {
            ways.entry(arrow.from).or_default().push(arrow.to);
        }
        let mut open = vec![0];
        let mut reached = vec![false; self.states.len()];
        while let Some(place) = open.pop() {
            let Some(seen) = reached.get_mut(place).filter(|seen| !**seen) else { continue };
            *seen = true;
            knows_all &= !matches!(self.states.get(place), Some(State::Unknown));
            open.extend(ways.get(&place).into_iter().flatten());
        }
        for (state, reached) in self.states.iter_mut().zip(reached) {
            if let State::Step(step) = state {
                // A way whose end nobody knows may lead anywhere.
                step.reachable = reached || !knows_all;
            }
        }
    }
}

impl StepBox {
    fn new(step: &Step) -> StepBox {
        StepBox {
            name: step.name.to_string(),
            start_actions: lines(&step.start_actions),
            finish_actions: lines(&step.finish_actions),
            reachable: false,
        }
    }
}

fn lines(actions: &[Action]) -> Vec<Line> {
    let line = |action: &Action| {
        let type_name = match &action.kind {
            ActionKind::TransitionTo { .. } => "transition_to",
            ActionKind::FinishedWorkflow => "finished_workflow",
            ActionKind::Component { type_name, .. } => type_name,
        };
        Line { name: action.name.to_string(), type_name: type_name.to_owned() }
    };
    let lines = actions.iter().map(line).collect();
    capped(lines, LINES_MAX, |name| Line { name, type_name: String::new() })
}

fn trigger_label(trigger: &Trigger) -> String {
    let condition = match &trigger.condition {
        Condition::Text { text, .. } => one_line(text),
        Condition::Pattern(pattern) => format!("/{}/", one_line(pattern.as_str())),
    };
    format!("{}: {condition}", trigger.name)
}

#[cfg(test)]
mod tests {
    use super::super::fixtures::{catalog, post, workflow};
    use super::*;
    use serde_json::json;

    fn arrows(steps: Value) -> Vec<(usize, usize, Kind, Vec<String>)> {
        let workflow = workflow(steps);
        let machine = Machine::new(&workflow, &catalog());
        machine.arrows.into_iter().map(|arrow| (arrow.from, arrow.to, arrow.kind, arrow.labels)).collect()
    }

    fn label(text: &str) -> Vec<String> {
        vec![text.to_owned()]
    }

    #[test]
    fn ways_between_the_same_states_are_one_arrow_and_ends_are_marked() {
        let found = arrows(json!([
            {"name": "A", "start_actions": [post("P", &[("One", "B"), ("Again", "A"), ("Two", "B")])]},
            {"name": "B", "start_actions": [
                post("Q", &[]),
                {"name": "Go", "type": "transition_to", "to": "C"}
            ]},
            {"name": "C", "start_actions": [
                post("R", &[("Back", "A")]),
                {"name": "Done", "type": "finished_workflow"}
            ]},
        ]));
        assert_eq!(
            found,
            [
                (0, 1, Kind::Trigger, label("Reported: #sec")),
                (1, 1, Kind::Offered, label("Again")),
                (1, 2, Kind::Offered, vec!["One".to_owned(), "Two".to_owned()]),
                (2, 3, Kind::Automatic, vec![]),
                (3, 1, Kind::Offered, label("Back")),
                (3, 4, Kind::Automatic, vec![]),
            ]
        );
    }

    #[test]
    fn a_step_without_a_way_on_ends_the_incident() {
        let found = arrows(json!([{"name": "A", "start_actions": [post("P", &[])]}]));
        assert_eq!(found[1..], [(1, 2, Kind::Automatic, vec![])]);
    }

    #[test]
    fn what_finish_actions_offer_leads_nowhere() {
        let found = arrows(json!([
            {"name": "A", "start_actions": [post("P", &[("On", "B")])], "finish_actions": [post("F", &[("No", "A")])]},
            {"name": "B", "start_actions": [post("Q", &[])]},
        ]));
        assert_eq!(found[1..], [(1, 2, Kind::Offered, label("On")), (2, 3, Kind::Automatic, vec![])]);
    }

    #[test]
    fn a_component_without_labels_gives_its_actions_name() {
        let found = arrows(json!([
            {"name": "A", "start_actions": [{"name": "Ask", "type": "branch", "yes": "A", "no": "B"}]},
            {"name": "B", "start_actions": [post("Q", &[])]},
        ]));
        assert_eq!(found[1], (1, 1, Kind::Offered, label("Ask")));
        assert_eq!(found[2], (1, 2, Kind::Offered, label("Ask")));
    }

    #[test]
    fn a_templated_step_is_unknown_and_may_be_any() {
        let workflow = workflow(json!([
            {"name": "A", "start_actions": [post("P", &[("On", "{{.Trigger.Reported.Message}}")])]},
            {"name": "B", "start_actions": [post("Q", &[])]},
        ]));
        let machine = Machine::new(&workflow, &catalog());
        assert!(matches!(machine.states[3], State::Unknown));
        assert_eq!(machine.arrows[1].labels, ["On: {{.Trigger.Reported.Message}}"]);
        assert!(matches!(&machine.states[2], State::Step(step) if step.reachable));
    }

    #[test]
    fn a_step_that_nothing_leads_to_is_unreachable() {
        let workflow = workflow(json!([
            {"name": "A", "start_actions": [post("P", &[])]},
            {"name": "B", "start_actions": [post("Q", &[("Back", "A")])]},
        ]));
        let machine = Machine::new(&workflow, &catalog());
        let reachable = |place: usize| matches!(&machine.states[place], State::Step(step) if step.reachable);
        assert_eq!((reachable(1), reachable(2)), (true, false));
    }

    #[test]
    fn lines_are_bounded() {
        let lines_of = |count: usize| {
            let actions: Vec<_> = (0..count).map(|n| post(&format!("P{n}"), &[])).collect();
            let workflow = workflow(json!([{"name": "A", "start_actions": actions}]));
            let machine = Machine::new(&workflow, &catalog());
            match &machine.states[1] {
                State::Step(step) => step.start_actions.clone(),
                _ => panic!("the first step follows the start"),
            }
        };
        let (all, some) = (lines_of(LINES_MAX), lines_of(LINES_MAX + 1));
        assert_eq!((all.len(), all[49].name.as_str()), (LINES_MAX, "P49"));
        assert_eq!((some.len(), some[49].name.as_str()), (LINES_MAX, "… and 2 more"));
    }
}
