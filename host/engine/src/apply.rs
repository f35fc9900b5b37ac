//! Folds events into a run. Total and infallible: what is journalled has happened, whatever this version thinks of it.

use crate::event::{ActionKey, Chooser, Event, Fact, Failure, FailureKind, Person, Phase};
use crate::run::{Call, Choice, CurrentAction, Leaving, Notice, RepeatsPost, Run, Status, Visit};
use std::collections::BTreeMap;

impl Run {
    /// Folds one event into the run.
    pub fn apply(&mut self, event: &Event) {
        self.seq += 1;
        match &event.fact {
            // Only ever the first event, which `Run::start` takes.
            Fact::RunStarted { .. } => {}
            Fact::StepEntered { step } => self.enter(step, event.at_ms),
            Fact::ActionStarted { .. }
            | Fact::CallIntended { .. }
            | Fact::CallAnswered { .. }
            | Fact::ActionDeferred { .. }
            | Fact::ActionSucceeded { .. }
            | Fact::ActionFailed { .. } => self.apply_to_action(event),
            Fact::ChannelCreated { channel } => {
                self.room.get_or_insert_with(|| channel.clone());
                self.channels.push(channel.clone());
            }
            Fact::PeopleAdded { channel_id } => {
                self.peopled.insert(channel_id.clone());
            }
            Fact::Repeated { .. }
            | Fact::RepeatsIntended { .. }
            | Fact::RepeatsTold { .. }
            | Fact::RepeatsUntold { .. } => self.apply_to_repeats(event),
            Fact::ControlsPosted { post } => self.posts.push(post.clone()),
            Fact::RunBlocked { .. }
            | Fact::NoticeIntended { .. }
            | Fact::NoticePosted { .. }
            | Fact::NoticeFailed { .. }
            | Fact::NoticeRenewed
            | Fact::Retried { .. }
            | Fact::Skipped { .. } => self.apply_to_block(event),
            Fact::FieldSet { action, field, value, by, .. } => {
                self.write_outputs(action, [(field.clone(), value.clone())].into());
                let choice = Choice { value: value.clone(), by: by.clone(), at_ms: event.at_ms };
                self.choices.insert((action.clone(), field.clone()), choice);
                self.last_actor = Some(by.clone());
            }
            Fact::TransitionChosen { to, label, by } => {
                self.leave(Leaving { to: to.clone(), label: label.clone(), by: by.clone() });
            }
            Fact::ControlsRemoved { post } => self.removed.push(post.clone()),
            Fact::StepLeft => {
                if let Some(visit) = self.visits.last_mut() {
                    visit.left_ms = Some(event.at_ms);
                }
            }
            Fact::RunFinished => self.status = Status::Finished,
            Fact::RunCancelled { by } => self.cancel(by, event.at_ms),
        }
    }

    fn apply_to_action(&mut self, event: &Event) {
        match &event.fact {
            Fact::ActionStarted { action, digest, input, incident } => {
                self.stand_at(action);
                self.current = Some(CurrentAction {
                    key: action.clone(),
                    digest: digest.clone(),
                    input: input.clone(),
                    incident: incident.clone(),
                    started_ms: event.at_ms,
                    calls: BTreeMap::new(),
                    not_before_ms: None,
                    tries_spent: 0,
                    first_spent_ms: None,
                    interruptions: 0,
                });
            }
            Fact::CallIntended { n, function, arguments, .. } => {
                let call = Call { function: function.clone(), arguments: arguments.clone(), answer: None };
                if let Some(current) = &mut self.current {
                    current.calls.insert(*n, call);
                }
            }
            Fact::CallAnswered { n, answer, .. } => {
                if let Some(call) = self.current.as_mut().and_then(|current| current.calls.get_mut(n)) {
                    call.answer = Some(answer.clone());
                }
            }
            Fact::ActionDeferred { until_ms, spends_try, .. } => {
                if let Some(current) = &mut self.current {
                    current.not_before_ms = Some(*until_ms);
                    current.interruptions += 1;
                    if *spends_try {
                        current.tries_spent += 1;
                        current.first_spent_ms.get_or_insert(event.at_ms);
                    }
                }
            }
            Fact::ActionSucceeded { action, outputs } => {
                self.write_outputs(&action.name, outputs.clone());
                self.advance(action);
            }
            Fact::ActionFailed { action, goes_on: true, .. } => self.advance(action),
            Fact::ActionFailed { action, failure, .. } => {
                self.stand_at(action);
                self.unsettled = self.current.take().filter(|current| may_be_half_done(current, failure));
                self.block(failure, Some(action));
            }
            _ => {}
        }
    }

    fn apply_to_block(&mut self, event: &Event) {
        match &event.fact {
            Fact::RunBlocked { failure } => self.block(failure, None),
            Fact::NoticeIntended { key, channel_id } => {
                self.notices += 1;
                self.notice = Some(Notice {
                    key: key.clone(),
                    channel_id: channel_id.clone(),
                    post_id: None,
                    intended_ms: event.at_ms,
                });
            }
            Fact::NoticePosted { post_id, .. } => {
                if let Some(notice) = &mut self.notice {
                    notice.post_id = Some(post_id.clone());
                }
            }
            Fact::NoticeFailed { .. } => self.notice_failed = true,
            Fact::NoticeRenewed => (self.notice, self.notice_failed) = (None, false),
            Fact::Retried { by } => {
                self.unblock(by);
                match self.unsettled.take() {
                    Some(unsettled) => self.current = Some(with_fresh_budget(unsettled)),
                    None => self.attempt += 1,
                }
            }
            Fact::Skipped { by } => {
                self.unblock(by);
                self.unsettled = None;
                self.index += 1;
                self.attempt = 1;
            }
            _ => {}
        }
    }

    fn apply_to_repeats(&mut self, event: &Event) {
        let repeats = &mut self.repeats;
        match &event.fact {
            Fact::Repeated { repeat } => {
                repeats.count += 1;
                repeats.last = Some((repeat.clone(), event.at_ms));
            }
            Fact::RepeatsIntended { key, channel_id } => {
                let (key, channel_id) = (key.clone(), channel_id.clone());
                repeats.post = Some(RepeatsPost { key, channel_id, post_id: None, intended_ms: event.at_ms });
            }
            Fact::RepeatsTold { post_id, count } => {
                repeats.settled = *count;
                if let Some(post) = &mut repeats.post {
                    post.post_id = Some(post_id.clone());
                }
            }
            Fact::RepeatsUntold { count, .. } => repeats.settled = *count,
            _ => {}
        }
    }

    fn enter(&mut self, step: &str, at_ms: u64) {
        self.visits.push(Visit { step: step.to_owned(), entered_ms: at_ms, left_ms: None, leaving: None });
        (self.phase, self.index, self.attempt, self.current) = (Phase::Start, 0, 1, None);
    }

    /// A transition by a person waits until the start actions are done; any other skips what is left of them. The first
    /// decision stands: people were told of it.
    fn leave(&mut self, leaving: Leaving) {
        if self.leaving().is_some() {
            return;
        }
        match &leaving.by {
            Chooser::Person(person) => {
                self.automatic_transitions = 0;
                self.last_actor = Some(person.clone());
            }
            Chooser::Action(_) | Chooser::Workflow => self.automatic_transitions += 1,
        }
        if let Some(visit) = self.visits.last_mut() {
            visit.leaving = Some(leaving);
        }
    }

    fn stand_at(&mut self, action: &ActionKey) {
        (self.phase, self.index, self.attempt) = (action.phase, action.index, action.attempt);
    }

    /// Goes on to the next action of the list. When the step is being left, `next` switches to the finish actions.
    fn advance(&mut self, done: &ActionKey) {
        self.current = None;
        (self.phase, self.index, self.attempt) = (done.phase, done.index + 1, 1);
    }

    fn block(&mut self, failure: &Failure, action: Option<&ActionKey>) {
        self.status = Status::Blocked { failure: failure.clone(), action: action.cloned() };
        (self.notice, self.notice_failed) = (None, false);
    }

    fn unblock(&mut self, by: &Person) {
        self.status = Status::Open;
        self.last_actor = Some(by.clone());
        // A person looked at it: a loop of automatic transitions may go round once more.
        self.automatic_transitions = 0;
    }

    fn cancel(&mut self, by: &Person, at_ms: u64) {
        self.status = Status::Cancelled(by.clone());
        self.last_actor = Some(by.clone());
        self.current = None;
        if let Some(visit) = self.visits.last_mut() {
            visit.left_ms.get_or_insert(at_ms);
        }
    }

    fn write_outputs(&mut self, action: &str, outputs: BTreeMap<String, String>) {
        match self.outputs.iter_mut().find(|(name, _)| name == action) {
            Some((_, known)) => known.extend(outputs),
            None => self.outputs.push((action.to_owned(), outputs)),
        }
    }
}

/// Whether a failed execution left a call behind that nobody knows the end of. One that asked for something else the second
/// time would only do so again.
fn may_be_half_done(current: &CurrentAction, failure: &Failure) -> bool {
    failure.kind != FailureKind::Nondeterministic && current.calls.values().any(|call| call.answer.is_none())
}

fn with_fresh_budget(mut current: CurrentAction) -> CurrentAction {
    current.not_before_ms = None;
    (current.tries_spent, current.first_spent_ms, current.interruptions) = (0, None, 0);
    current
}
