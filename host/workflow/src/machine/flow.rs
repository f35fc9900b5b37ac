//! Ways through the steps of a workflow.

use std::collections::BTreeMap;

use crate::draft::{DraftKind, DraftStep, Target};
use crate::templates;

/// Which step can follow which, and what that means for a step.
pub(super) struct Flow<'draft> {
    steps: &'draft [DraftStep],
    /// The steps that can follow each.
    next: Vec<Vec<usize>>,
    /// Whether any step can follow, since a template names it.
    any: Vec<bool>,
    /// Whether an incident can end in the step.
    ends: Vec<bool>,
    /// Whether all that leads anywhere could be read.
    pub(super) is_whole: bool,
}

/// The steps that can be reached, each with the one before it on a shortest way.
pub(super) struct Reached {
    before: Vec<Option<usize>>,
}

impl Reached {
    pub(super) fn contains(&self, step: usize) -> bool {
        self.before.get(step).is_some_and(Option::is_some)
    }
}

impl<'draft> Flow<'draft> {
    pub(super) fn new(steps: &'draft [DraftStep], places: &BTreeMap<&'draft str, usize>) -> Flow<'draft> {
        let mut flow =
            Flow { steps, next: Vec::new(), any: Vec::new(), ends: Vec::new(), is_whole: !steps.is_empty() };
        for step in steps {
            let (mut next, mut any, mut finishes) = (Vec::new(), false, false);
            let mut follow = |target: &Target, whole: &mut bool| {
                if templates::has_action(&target.name) {
                    any = true;
                } else if let Some(place) = places.get(target.name.as_str()) {
                    next.push(*place);
                } else {
                    *whole = false;
                }
            };
            for action in step.actions() {
                match &action.kind {
                    Some(DraftKind::TransitionTo(target)) => follow(target, &mut flow.is_whole),
                    Some(DraftKind::Component { steps, .. }) => {
                        steps.iter().for_each(|target| follow(target, &mut flow.is_whole));
                    }
                    Some(DraftKind::FinishedWorkflow) => finishes = true,
                    None => flow.is_whole = false,
                }
            }
            next.sort_unstable();
            next.dedup();
            flow.ends.push(finishes || (next.is_empty() && !any));
            flow.next.push(next);
            flow.any.push(any);
        }
        flow
    }

    /// All that can be reached from the first step, itself included, without passing through `avoided`.
    pub(super) fn reached_avoiding(&self, avoided: Option<usize>) -> Reached {
        let mut before = vec![None; self.steps.len()];
        let mut open = Vec::new();
        if avoided != Some(0)
            && let Some(first) = before.first_mut()
        {
            *first = Some(0);
            open.push(0);
        }
        self.spread(before, open, avoided)
    }

    /// All that can be reached by leaving `step`; itself only if a way leads back to it.
    pub(super) fn after(&self, step: usize) -> Reached {
        let mut before = vec![None; self.steps.len()];
        let mut open = Vec::new();
        self.visit(step, &mut before, &mut open, None);
        self.spread(before, open, None)
    }

    fn spread(
        &self,
        mut before: Vec<Option<usize>>,
        mut open: Vec<usize>,
        avoided: Option<usize>,
    ) -> Reached {
        let mut all_visited = false;
        let mut done = 0;
        // `open` grows at its end and is read from its front, so the ways are shortest.
        while let Some(step) = open.get(done).copied() {
            done += 1;
            // Steps that lead anywhere add nothing after the first of them.
            if self.any.get(step) == Some(&true) && std::mem::replace(&mut all_visited, true) {
                continue;
            }
            self.visit(step, &mut before, &mut open, avoided);
        }
        Reached { before }
    }

    fn visit(
        &self,
        step: usize,
        before: &mut [Option<usize>],
        open: &mut Vec<usize>,
        avoided: Option<usize>,
    ) {
        let mut enter = |next: usize| {
            if let Some(place) = before.get_mut(next).filter(|place| place.is_none() && avoided != Some(next))
            {
                *place = Some(step);
                open.push(next);
            }
        };
        if self.any.get(step) == Some(&true) {
            (0..self.steps.len()).for_each(&mut enter);
        }
        self.next.get(step).into_iter().flatten().copied().for_each(enter);
    }

    /// The way to `step`, as `Setup -> Resolved`; a long one is cut in its middle.
    pub(super) fn way(&self, reached: &Reached, step: usize) -> String {
        const SHOWN_MAX: usize = 8;
        let mut way = vec![step];
        let mut place = step;
        while let Some(before) =
            reached.before.get(place).copied().flatten().filter(|before| *before != place)
        {
            way.push(before);
            place = before;
            if way.len() > self.steps.len() {
                break;
            }
        }
        way.reverse();
        let names: Vec<&str> = way.into_iter().map(|step| self.name(step)).collect();
        match (names.get(..SHOWN_MAX / 2), names.len().checked_sub(SHOWN_MAX / 2)) {
            (Some(first), Some(last)) if names.len() > SHOWN_MAX => {
                let last = names.get(last..).unwrap_or_default();
                format!("{} -> … -> {}", first.join(" -> "), last.join(" -> "))
            }
            _ => names.join(" -> "),
        }
    }

    pub(super) fn name(&self, step: usize) -> &'draft str {
        self.steps.get(step).and_then(|step| step.name.as_deref()).unwrap_or("?")
    }

    /// The reachable steps from which no step can be reached in which the incident ends.
    pub(super) fn endless(&self) -> Vec<usize> {
        if !self.is_whole {
            return Vec::new();
        }
        let reached = self.reached_avoiding(None);
        // Backwards from the ends: who leads to a step that ends?
        let mut leads: Vec<Vec<usize>> = vec![Vec::new(); self.steps.len()];
        for (step, next) in self.next.iter().enumerate() {
            for next in next {
                if let Some(leads) = leads.get_mut(*next) {
                    leads.push(step);
                }
            }
        }
        let has_end = self.ends.iter().any(|ends| *ends);
        let is_good = |step: &usize| {
            self.ends.get(*step) == Some(&true) || (has_end && self.any.get(*step) == Some(&true))
        };
        let mut open: Vec<usize> = (0..self.steps.len()).filter(is_good).collect();
        let mut good = vec![false; self.steps.len()];
        while let Some(step) = open.pop() {
            if let Some(place) = good.get_mut(step).filter(|place| !**place) {
                *place = true;
                open.extend(leads.get(step).into_iter().flatten());
            }
        }
        (0..self.steps.len())
            .filter(|step| reached.contains(*step) && good.get(*step) == Some(&false))
            .collect()
    }
}
