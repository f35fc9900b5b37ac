//! The state machine of a workflow: where its transitions lead, and what can never happen.

mod advice;
mod channels;
mod flow;
mod variables;

use std::collections::{BTreeMap, BTreeSet};

use crate::codes;
use crate::diagnostic::Findings;
use crate::draft::{DraftAction, DraftKind, DraftStep, DraftWorkflow, Target};
use crate::spelling;
use crate::templates;
use flow::Flow;

/// Reports what is wrong with the transitions of a workflow.
pub(crate) fn check(workflow: &DraftWorkflow, findings: &mut Findings<'_>) {
    let machine = Machine::new(&workflow.steps);
    for step in &workflow.steps {
        for target in step.actions().flat_map(targets) {
            machine.check_target(target, findings);
        }
        check_start(&step.start_actions, findings);
        check_finish(&step.finish_actions, findings);
    }
    machine.check_cycles(findings);
    machine.check_reachable(findings);
    let flow = Flow::new(&workflow.steps, &machine.places);
    check_endless(&flow, workflow, findings);
    variables::check(workflow, &flow, findings);
    advice::check(workflow, findings);
}

/// Reports what is wrong between the workflows of a file.
pub(crate) fn check_together(workflows: &[&DraftWorkflow], findings: &mut Findings<'_>) {
    channels::check_collisions(workflows, findings);
}

/// Steps without a way to an end: the incident stays open for ever.
fn check_endless(flow: &Flow<'_>, workflow: &DraftWorkflow, findings: &mut Findings<'_>) {
    // A mistake often is why there is no end; then it says enough.
    let endless = if findings.has_errors() { Vec::new() } else { flow.endless() };
    let Some(first) = endless.first().and_then(|step| workflow.steps.get(*step)) else { return };
    let names = spelling::listed(endless.iter().map(|step| flow.name(*step)));
    let message = format!("an incident that enters one of these steps can never end: {names}");
    let help = "offer a transition to a step that has none itself, or that has a `finished_workflow`";
    findings.warning(codes::NEVER_ENDS, first.mark.clone(), message, help.to_owned());
}

struct Machine<'draft> {
    steps: &'draft [DraftStep],
    /// The place of each step in `steps`.
    places: BTreeMap<&'draft str, usize>,
}

impl<'draft> Machine<'draft> {
    fn new(steps: &'draft [DraftStep]) -> Machine<'draft> {
        let mut places = BTreeMap::new();
        for (place, step) in steps.iter().enumerate() {
            if let Some(name) = &step.name {
                places.entry(name.as_str()).or_insert(place);
            }
        }
        Machine { steps, places }
    }

    fn check_target(&self, target: &Target, findings: &mut Findings<'_>) {
        if templates::has_action(&target.name) || self.places.contains_key(target.name.as_str()) {
            return;
        }
        let message = format!("there is no step `{}` in this workflow", target.name);
        let help =
            (!findings.is_full()).then(|| spelling::suggestion(&target.name, self.places.keys().copied()));
        findings.error(codes::UNKNOWN_STEP, target.mark.clone(), message, help);
    }

    /// The transition that a step takes by itself when its start actions are done, and where it leads.
    fn automatic(&self, place: usize) -> Option<(&'draft Target, usize)> {
        let actions = &self.steps.get(place)?.start_actions;
        let target = actions.iter().find_map(|action| match &action.kind {
            Some(DraftKind::TransitionTo(target)) => Some(target),
            _ => None,
        })?;
        Some((target, *self.places.get(target.name.as_str())?))
    }

    /// Each step has at most one automatic transition, so following them from each step finds every cycle.
    fn check_cycles(&self, findings: &mut Findings<'_>) {
        let mut done = BTreeSet::new();
        for start in 0..self.steps.len() {
            let mut path = Vec::new();
            let mut place = start;
            while done.insert(place) {
                path.push(place);
                match self.automatic(place) {
                    Some((_, next)) => place = next,
                    None => break,
                }
            }
            // The way ended at a step that was met before; it is a cycle if that was on this very way.
            if let Some(cycle) = path.iter().position(|met| *met == place).and_then(|from| path.get(from..))
                && let Some((target, _)) = self.automatic(place)
            {
                let name = |place: &usize| self.steps.get(*place).and_then(|step| step.name.as_deref());
                let way: Vec<&str> = cycle.iter().chain([&place]).filter_map(name).collect();
                let message = format!("automatic transitions go round in a circle: {}", way.join(" -> "));
                let help =
                    "let people decide in one of these steps: offer `transitions` instead of `transition_to`";
                findings.error(codes::AUTOMATIC_CYCLE, target.mark.clone(), message, help.to_owned());
            }
        }
    }

    fn check_reachable(&self, findings: &mut Findings<'_>) {
        let mut actions = self.steps.iter().flat_map(DraftStep::actions);
        if actions.any(|action| action.kind.is_none()) {
            // Nobody knows where an action leads that could not be read.
            return;
        }
        let mut reached = BTreeSet::new();
        let mut open = vec![0];
        while let Some(place) = open.pop() {
            let Some(step) = self.steps.get(place).filter(|_| reached.insert(place)) else { continue };
            for target in step.actions().flat_map(targets) {
                match self.places.get(target.name.as_str()) {
                    Some(next) => open.push(*next),
                    // The name is known only at run time, or is wrong, which is reported already.
                    None => return,
                }
            }
        }
        for (place, step) in self.steps.iter().enumerate() {
            // A second step of the same name is reported already.
            let is_named_first = |name: &&str| self.places.get(name) == Some(&place);
            if let Some(name) =
                step.name.as_deref().filter(is_named_first).filter(|_| !reached.contains(&place))
            {
                let message = format!("no transition leads to the step `{name}`, so it is never entered");
                let help =
                    "offer it in the `transitions` of a post, go there with `transition_to`, or delete it";
                findings.warning(codes::UNREACHABLE_STEP, step.mark.clone(), message, help.to_owned());
            }
        }
    }
}

fn targets(action: &DraftAction) -> &[Target] {
    match &action.kind {
        Some(DraftKind::TransitionTo(target)) => std::slice::from_ref(target),
        Some(DraftKind::Component { steps, .. }) => steps,
        Some(DraftKind::FinishedWorkflow) | None => &[],
    }
}

/// What stands after the end of a step's start never runs.
fn check_start(actions: &[DraftAction], findings: &mut Findings<'_>) {
    let ends = |action: &DraftAction| match &action.kind {
        Some(DraftKind::TransitionTo(_)) => Some("transition_to"),
        Some(DraftKind::FinishedWorkflow) => Some("finished_workflow"),
        _ => None,
    };
    let mut rest = actions.iter();
    let Some(end) = rest.by_ref().find_map(ends) else { return };
    for action in rest {
        let message = format!("this action never runs: it stands after a `{end}`");
        let help = format!("move it before the `{end}`, or into another step");
        findings.error(codes::NEVER_RUNS, action.mark.clone(), message, help);
    }
}

fn check_finish(actions: &[DraftAction], findings: &mut Findings<'_>) {
    for action in actions {
        if let Some(DraftKind::TransitionTo(_) | DraftKind::FinishedWorkflow) = action.kind {
            let message = "finish actions run when it is decided already where the incident goes, so none can decide it";
            let help = "move this action to the end of `start_actions`".to_owned();
            findings.error(codes::TRANSITION_IN_FINISH, action.mark.clone(), message, help);
        }
    }
}
