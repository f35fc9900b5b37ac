//! Folds events into a run. Total and infallible: what is journalled has happened, whatever this version thinks of it.

use crate::announcement::{Announcement, Matter, Place, Remedy, Resolution};
use crate::budget::Budget;
use crate::event::{ActionKey, Channel, Chooser, Event, Fact, Failure, FailureKind, Loss, Person, Phase};
use crate::run::{
    CHOICES_KEPT_MAX, Call, Cancelled, Choice, CurrentAction, DELETED_MAX, GIVEN_UP_MAX, GivenUp, LEFT_MAX,
    Leaving, Renumbering, Run, Status, Visit,
};
use std::collections::BTreeMap;
use std::sync::Arc;

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
            | Fact::CallGivenUp { .. }
            | Fact::ActionDeferred { .. }
            | Fact::ActionSucceeded { .. }
            | Fact::ActionFailed { .. } => self.apply_to_action(event),
            Fact::ChannelCreated { channel } => {
                self.room.get_or_insert_with(|| channel.clone());
                self.channels.push(channel.clone());
            }
            Fact::PeopleAdded { channel_id, .. } => {
                self.peopled.insert(channel_id.clone());
            }
            Fact::ChannelLost { .. }
            | Fact::ChannelBack { .. }
            | Fact::ChannelArchived { .. }
            | Fact::ChannelKept { .. } => self.apply_to_channels(event),
            Fact::Repeated { repeat } => {
                if self.repeats.count == 0 {
                    self.announce(Matter::Repeats);
                }
                self.repeats.count += 1;
                self.repeats.last = Some((repeat.clone(), event.at_ms));
            }
            Fact::AnnouncementIntended { .. }
            | Fact::AnnouncementPosted { .. }
            | Fact::AnnouncementFailed { .. }
            | Fact::AnnouncementsRenewed => self.apply_to_announcements(event),
            Fact::Superseded => {}
            Fact::ControlsPosted { post } => self.posts.push(post.clone()),
            Fact::PostDeleted { post } => self.stand_in(post),
            Fact::Pinned { post } => self.pinned = Some(post.clone()),
            Fact::Unpinned { .. } => self.pinned = None,
            Fact::RunBlocked { .. }
            | Fact::Retried { .. }
            | Fact::RenumberingAsked { .. }
            | Fact::Renumbered { .. }
            | Fact::Repinned { .. }
            | Fact::Skipped { .. } => self.apply_to_block(event),
            Fact::FieldSet { .. } => self.apply_to_field(event),
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
            Fact::RunCancelled { by, reason, keep_room } => {
                let (by, reason) = (by.clone(), reason.clone());
                self.cancel(Cancelled { by, reason, keep_room: *keep_room }, event.at_ms);
            }
        }
    }

    fn apply_to_action(&mut self, event: &Event) {
        match &event.fact {
            Fact::ActionStarted { action, digest, input, incident } => {
                self.stand_at(action);
                self.current = Some(CurrentAction {
                    key: action.clone(),
                    digest: digest.clone(),
                    input: Arc::clone(input),
                    incident: Arc::clone(incident),
                    started_ms: event.at_ms,
                    calls: BTreeMap::new(),
                    not_before_ms: None,
                    budget: Budget::default(),
                });
            }
            Fact::CallIntended { n, function, arguments, .. } => {
                let call = Call { function: function.clone(), arguments: arguments.clone(), answer: None };
                if let Some(current) = &mut self.current {
                    current.calls.insert(*n, call);
                }
            }
            Fact::CallAnswered { action, n, answer } => {
                if !self.settle(action)
                    && let Some(call) = self.current.as_mut().and_then(|current| current.calls.get_mut(n))
                {
                    call.answer = Some(Arc::clone(answer));
                }
            }
            Fact::CallGivenUp { action, function, channel_name, reason, .. } if self.settle(action) => {
                self.give_up(GivenUp {
                    action: action.name.clone(),
                    function: function.clone(),
                    channel_name: channel_name.clone(),
                    reason: reason.clone(),
                });
            }
            Fact::ActionDeferred { until_ms, spends_try, .. } => {
                if let Some(current) = &mut self.current {
                    current.not_before_ms = Some(*until_ms);
                    current.budget.note(event.at_ms, *spends_try);
                    current.budget.waits_until(*until_ms);
                }
            }
            Fact::ActionSucceeded { action, outputs } => {
                self.write_outputs(&action.name, outputs.clone());
                self.renumbering = None;
                self.advance(action);
            }
            Fact::ActionFailed { action, failure, goes_on: true } => {
                self.announce(Matter::Warning { action: action.clone(), failure: failure.clone() });
                self.renumbering = None;
                let left = self.current.take().filter(|current| may_be_half_done(current, failure));
                self.leave_behind(left);
                self.advance(action);
            }
            Fact::ActionFailed { action, failure, .. } => self.fail(action, failure),
            _ => {}
        }
    }

    /// The run goes on without this execution: its last call may have been made.
    fn leave_behind(&mut self, execution: Option<CurrentAction>) {
        let Some(execution) = execution else { return };
        if self.left.len() >= LEFT_MAX {
            let oldest = self.left.remove(0);
            self.give_up(GivenUp {
                function: oldest.open_call().map(|(_, call)| call.function.clone()).unwrap_or_default(),
                action: oldest.key.name,
                channel_name: None,
                reason: "there are too many calls that the server did not answer".to_owned(),
            });
        }
        self.left.push(execution);
    }

    /// The last call of an execution that the run goes on without is known, or given up. Whether it was one.
    fn settle(&mut self, action: &ActionKey) -> bool {
        let known = self.left.len();
        self.left.retain(|left| left.key != *action);
        self.left.len() < known
    }

    fn give_up(&mut self, given_up: GivenUp) {
        if self.given_up.len() < GIVEN_UP_MAX {
            self.given_up.push(given_up);
        }
    }

    /// A name that is taken is no failure while a person let the numbers be tried.
    fn fail(&mut self, action: &ActionKey, failure: &Failure) {
        self.stand_at(action);
        self.unsettled = self.current.take().filter(|current| may_be_half_done(current, failure));
        if failure.kind == FailureKind::NameTaken
            && let Some(search) = self.renumbering.as_mut().filter(|search| search.tried < NUMBERS_TRIED_MAX)
        {
            search.is_due = true;
            return;
        }
        self.renumbering = None;
        self.block(failure, Some(action));
    }

    fn apply_to_block(&mut self, event: &Event) {
        match &event.fact {
            Fact::RunBlocked { failure } => self.block(failure, None),
            Fact::Retried { by } => {
                let blocked = match &self.status {
                    Status::Blocked { action, .. } => action.clone(),
                    _ => None,
                };
                self.unblock(Remedy::Retry, by);
                match self.unsettled.take_if(|left| Some(&left.key) == blocked.as_ref()) {
                    Some(unsettled) => self.current = Some(with_fresh_budget(unsettled)),
                    None => self.attempt += 1,
                }
            }
            Fact::RenumberingAsked { by } => {
                self.unblock(Remedy::Renumber, by);
                self.renumbering = Some(Renumbering { tried: 0, is_due: true });
            }
            Fact::Renumbered { number } => {
                self.number = *number;
                self.attempt += 1;
                if let Some(search) = &mut self.renumbering {
                    *search = Renumbering { tried: search.tried + 1, is_due: false };
                }
            }
            Fact::Repinned { by, workflow_digest, components, phase, index } => {
                self.unblock(Remedy::Repin, by);
                (self.workflow_digest, self.components) = (workflow_digest.clone(), Arc::clone(components));
                (self.phase, self.index) = (*phase, *index);
                self.attempt += 1;
            }
            Fact::Skipped { by } => {
                self.unblock(Remedy::Skip, by);
                let left = self.unsettled.take();
                self.leave_behind(left);
                self.index += 1;
                self.attempt = 1;
            }
            _ => {}
        }
    }

    fn apply_to_announcements(&mut self, event: &Event) {
        match &event.fact {
            Fact::AnnouncementIntended { n, channel_id } => {
                let (channel_id, intended_ms) = (channel_id.clone(), event.at_ms);
                if let Some(known) = self.announcements.get_mut(*n as usize) {
                    known.place = Some(Place { channel_id, post_id: None, intended_ms });
                }
            }
            Fact::AnnouncementPosted { n, post_id } => {
                let known = self.announcements.get_mut(*n as usize);
                if let Some(place) = known.and_then(|known| known.place.as_mut()) {
                    place.post_id = Some(post_id.clone());
                }
            }
            Fact::AnnouncementFailed { n, .. } => {
                if let Some(known) = self.announcements.get_mut(*n as usize) {
                    (known.place, known.failed) = (None, true);
                    known.failures = known.failures.saturating_add(1);
                }
            }
            Fact::AnnouncementsRenewed => {
                let renewed = self.announcements.iter_mut().filter(|known| known.can_be_renewed());
                renewed.for_each(|known| known.failed = false);
            }
            _ => {}
        }
    }

    fn apply_to_channels(&mut self, event: &Event) {
        match &event.fact {
            Fact::ChannelLost { channel_id, how, channel } => self.lose(channel_id, *how, channel.as_ref()),
            Fact::ChannelBack { channel_id } => {
                let Some((_, n)) = self.lost.remove(channel_id) else { return };
                if let Some(Announcement { matter: Matter::Lost { is_back, .. }, .. }) =
                    self.announcements.get_mut(n as usize)
                {
                    *is_back = true;
                }
            }
            Fact::ChannelArchived { channel_id } => {
                self.archived.insert(channel_id.clone());
            }
            Fact::ChannelKept { channel_id, reason } => {
                self.kept.insert(channel_id.clone(), reason.clone());
            }
            _ => {}
        }
    }

    fn lose(&mut self, channel_id: &str, how: Loss, foreign: Option<&Channel>) {
        let made = self.channels.iter().find(|channel| channel.id == channel_id).or(foreign);
        let Some(channel) = made.filter(|channel| self.can_post_to(&channel.id)).cloned() else { return };
        let n = self.announce(Matter::Lost { channel, how, is_back: false });
        self.lost.insert(channel_id.to_owned(), (how, n));
    }

    fn apply_to_field(&mut self, event: &Event) {
        let Fact::FieldSet { post, action, field, value, by, press } = &event.fact else { return };
        self.write_outputs(action, [(field.clone(), value.clone())].into());
        let visit = self.post(post).map_or(self.visit(), |post| post.visit);
        let (value, post_key) = (value.clone(), post.clone());
        let press = press.clone();
        let choice = Choice { value, by: by.clone(), post: post_key, visit, press, at_ms: event.at_ms };
        let choices = self.choices.entry((action.clone(), field.clone())).or_default();
        choices.push(choice);
        // Of each visit some are kept, so that the post of a visit that was left stays as it was.
        let of_visit = choices.iter().rev().take_while(|choice| choice.visit == visit).count();
        if of_visit > CHOICES_KEPT_MAX {
            choices.remove(choices.len() - of_visit);
        }
        self.last_actor = Some(by.clone());
        let button = self.post(post).filter(|post| post.controls.is_button(field));
        let told = self.announcements.iter().filter(|known| matches!(known.matter, Matter::Pressed { .. }));
        if let Some(channel_id) = button.map(|post| post.channel_id.clone())
            && told.count() < PRESSES_TOLD_MAX
        {
            self.announce(Matter::Pressed { channel_id, field: field.clone(), by: by.clone() });
        }
    }

    /// Gives the announcement's number.
    fn announce(&mut self, matter: Matter) -> u32 {
        self.announcements.push(Announcement::new(matter));
        u32::try_from(self.announcements.len()).unwrap_or(u32::MAX) - 1
    }

    /// Has another post take the place of one that was deleted, whatever number of times, within bounds.
    fn stand_in(&mut self, key: &str) {
        let post = self.stands_for(key).to_owned();
        let asked = self.post(&post).map(|post| post.channel_id.clone());
        let told = || Some(self.announcement(&post)?.1.place.as_ref()?.channel_id.clone());
        let Some(channel_id) = asked.or_else(told) else { return };
        if self.deleted.len() < DELETED_MAX && self.deleted.insert(key.to_owned()) {
            self.announce(Matter::StandIn { post, channel_id });
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
        let (failure, action) = (failure.clone(), action.cloned());
        self.status = Status::Blocked { failure: failure.clone(), action: action.clone() };
        self.announce(Matter::Blocked { failure, action, resolved: None });
    }

    fn unblock(&mut self, how: Remedy, by: &Person) {
        self.resolve(how, by);
        self.status = Status::Open;
        self.last_actor = Some(by.clone());
        // A person looked at it: a loop of automatic transitions may go round once more.
        self.automatic_transitions = 0;
    }

    fn resolve(&mut self, how: Remedy, by: &Person) {
        for known in &mut self.announcements {
            if let Matter::Blocked { resolved: resolved @ None, .. } = &mut known.matter {
                *resolved = Some(Resolution { how, by: by.clone() });
            }
        }
    }

    fn cancel(&mut self, cancelled: Cancelled, at_ms: u64) {
        self.resolve(Remedy::Cancel, &cancelled.by);
        self.last_actor = Some(cancelled.by.clone());
        self.status = Status::Cancelled(cancelled);
        // A call that is under way may have made something.
        for left in [self.unsettled.take(), self.current.take().filter(has_open_call)] {
            self.leave_behind(left);
        }
        self.announce(Matter::Cancelled);
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

/// How many presses of button fields are told in a post of their own; the buttons' post shows all the same who pressed last.
const PRESSES_TOLD_MAX: usize = 200;

/// How many numbers are tried after a person asked for the next free one; then that person is asked again.
pub(crate) const NUMBERS_TRIED_MAX: u32 = 100;

/// Whether a failed execution left a call behind that nobody knows the end of. One that asked for something else the second
/// time would only do so again.
fn may_be_half_done(current: &CurrentAction, failure: &Failure) -> bool {
    failure.kind != FailureKind::Nondeterministic && has_open_call(current)
}

fn has_open_call(current: &CurrentAction) -> bool {
    current.open_call().is_some()
}

fn with_fresh_budget(mut current: CurrentAction) -> CurrentAction {
    current.not_before_ms = None;
    current.budget = Budget::default();
    current
}
