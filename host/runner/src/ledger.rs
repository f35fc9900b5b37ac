//! One open run: its fold in memory, its journal behind it, and the lock that keeps the two the same.
//!
//! Each write waits for the disk, and between two effects of an action stands a handful of facts that nobody outside needs yet: an
//! answer, an outcome, the next action's beginning. So the task that drives the run may go ahead of the journal with them
//! ([`OpenLedger::append_soon`]); they are written together with the next intent, before its call is made (people are added meanwhile,
//! which can be done again). Everybody else sees the
//! run as the journal has it: [`Ledger::run`] is what was written, and [`Ledger::open`] writes first. A crash loses what was ahead, and
//! a replay does it again: no effect stood behind it.

use crate::beginning::Beginning;
use crate::canvas::Canvas;
use crate::clock::Clock;
use crate::components::Components;
use crate::core::Core;
use crate::journal::{Claim, Journal, JournalError, Record, decode, encode};
use crate::observer::{Observed, Observer, observed};
use crate::workflows::kept;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, PoisonError};
use std::time::Duration;
use tokio::sync::{Mutex, MutexGuard, Notify, OwnedRwLockReadGuard, RwLock, RwLockWriteGuard, watch};
use tokio::time::Instant;
use warroom_engine::{Event, Fact, NotARun, Run, headline};
use warroom_workflow::Workflow;

/// A run could not be read from its journal, or written to it.
#[derive(Debug, thiserror::Error)]
pub enum LedgerError {
    /// The journal failed.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// The journal holds no run.
    #[error(transparent)]
    NotARun(#[from] NotARun),
    /// What the run's task went ahead with never reached the journal.
    #[error("what happened last could not be written down; it is done again from the journal")]
    Lost,
    /// The run's own start could not be written, so there is no such run.
    #[error("the start of the run could not be written down, so it does not begin")]
    Unstarted,
    /// The run goes on with another version of its workflow, which cannot be read.
    #[error("the version of the workflow that it goes on with cannot be read: {0}")]
    Workflow(String),
}

impl LedgerError {
    /// Whether the run's journal is there and makes no sense to this program: then nobody can go on with the run.
    pub(crate) fn is_unreadable(&self) -> bool {
        matches!(self, LedgerError::NotARun(_) | LedgerError::Journal(JournalError::Unreadable(_)))
    }
}

/// An open run.
pub(crate) struct Ledger {
    pub(crate) id: String,
    workflow: std::sync::Mutex<Arc<Workflow>>,
    /// Wakes the task that drives the run.
    pub(crate) woken: Notify,
    /// What the chat server is known to show of the run's posts.
    pub(crate) canvas: Canvas,
    /// Posts that people pressed before their writer was answered: the ids, by key.
    hints: std::sync::Mutex<BTreeMap<String, String>>,
    /// The run as the journal has it; tells those who wait for a change.
    pub(crate) written: watch::Sender<Arc<Run>>,
    /// The channels that the run made, readable while the run is held open.
    made: std::sync::Mutex<BTreeSet<String>>,
    /// Read while a press is answered, written by who would act on it.
    answers: Arc<RwLock<()>>,
    /// When the last of these answers is given up.
    answers_end: watch::Sender<Instant>,
    /// When the last press was answered.
    answered: std::sync::Mutex<Option<Instant>>,
    /// See [`crate::Options::answer_settles_ms`].
    answer_settles: Duration,
    /// Until when repeats wait for the run to be over, since one of them found it closing.
    closing_end: std::sync::Mutex<Option<Instant>>,
    /// Whether the journal has the run at all.
    pub(crate) beginning: Beginning,
    state: Mutex<State>,
    journal: Arc<dyn Journal>,
    components: Arc<Components>,
    clock: Arc<dyn Clock>,
    observer: Option<Arc<dyn Observer>>,
}

struct State {
    /// With what is ahead of the journal.
    run: Arc<Run>,
    /// What of it is not written yet.
    ahead: Ahead,
    /// An append failed, and nobody knows whether it was written: read the journal before going on.
    stale: bool,
    /// How often something that was ahead was lost.
    losses: u64,
}

/// Events that are applied, and not written yet.
#[derive(Default)]
struct Ahead {
    records: Vec<Record>,
    observed: Vec<Observed>,
    /// What the log says of it.
    headlines: Vec<String>,
}

/// How many events may be ahead of the journal.
const AHEAD_MAX: usize = 64;

impl Ledger {
    pub(crate) fn new(run: Run, workflow: Arc<Workflow>, beginning: Beginning, core: &Core) -> Ledger {
        let made = run.channels.iter().map(|channel| channel.id.clone()).collect();
        let canvas = Canvas::of(&run);
        let run = Arc::new(run);
        Ledger {
            id: run.id.clone(),
            workflow: std::sync::Mutex::new(workflow),
            woken: Notify::new(),
            canvas,
            hints: std::sync::Mutex::default(),
            written: watch::Sender::new(Arc::clone(&run)),
            made: std::sync::Mutex::new(made),
            answers: Arc::default(),
            answers_end: watch::Sender::new(Instant::now()),
            answered: std::sync::Mutex::default(),
            answer_settles: Duration::from_millis(core.options.answer_settles_ms),
            closing_end: std::sync::Mutex::default(),
            beginning,
            state: Mutex::new(State { run, ahead: Ahead::default(), stale: false, losses: 0 }),
            journal: Arc::clone(&core.journal),
            components: Arc::clone(&core.components),
            clock: Arc::clone(&core.clock),
            observer: core.options.observer.clone(),
        }
    }

    /// The workflow that the run keeps.
    pub(crate) fn workflow(&self) -> Arc<Workflow> {
        Arc::clone(&self.workflow.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// The id of a post whose writer was not answered yet, as somebody who pressed there tells it. The task that drives the run
    /// looks at once.
    pub(crate) fn hint(&self, key: &str, post_id: &str) {
        let mut hints = self.hints.lock().unwrap_or_else(PoisonError::into_inner);
        if hints.len() < HINTS_MAX {
            hints.insert(key.to_owned(), post_id.to_owned());
        }
        self.woken.notify_one();
    }

    pub(crate) fn hinted(&self, key: &str) -> Option<String> {
        self.hints.lock().unwrap_or_else(PoisonError::into_inner).get(key).cloned()
    }

    pub(crate) fn has_hints(&self) -> bool {
        !self.hints.lock().unwrap_or_else(PoisonError::into_inner).is_empty()
    }

    /// Keeps the hint about this post, which is still to be found out about, and no other.
    pub(crate) fn keep_hint(&self, key: Option<&str>) {
        let mut hints = self.hints.lock().unwrap_or_else(PoisonError::into_inner);
        hints.retain(|known, _| Some(known.as_str()) == key);
    }

    /// A press is about to be decided and answered: the task that drives the run waits while the guard lives.
    pub(crate) async fn answering(&self) -> OwnedRwLockReadGuard<()> {
        let answering = Arc::clone(&self.answers).read_owned().await;
        self.answers_end.send_replace(Instant::now() + DECISION_MAX);
        answering
    }

    /// The press is journalled, and its answer begins its way.
    pub(crate) fn answer_begins(&self) {
        let now = Instant::now();
        self.answers_end.send_replace(now + ANSWER_MAX);
        *self.answered.lock().unwrap_or_else(PoisonError::into_inner) = Some(now);
    }

    /// Returns when the server has had the time to write the answer to the last press into its post. It does so after it has the answer,
    /// and where it cannot any more, since the channel is archived, it tells whoever pressed that the press failed.
    pub(crate) async fn answers_settled(&self) {
        let answered = *self.answered.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(answered) = answered {
            tokio::time::sleep_until(answered + self.answer_settles).await;
        }
    }

    /// Returns when all answers are on their way; one that nobody takes holds nothing up for long. No press is decided while the
    /// guard lives: hold it until the run is open.
    pub(crate) async fn answered(&self) -> Option<RwLockWriteGuard<'_, ()>> {
        let mut ends = self.answers_end.subscribe();
        let all_given = self.answers.write();
        tokio::pin!(all_given);
        // No other press begins meanwhile, so the end moves once for each that was begun.
        loop {
            let end = *ends.borrow_and_update();
            tokio::select! {
                given = &mut all_given => return Some(given),
                () = tokio::time::sleep_until(end) => return None,
                _ = ends.changed() => {}
            }
        }
    }

    /// Until when to wait for the run to be over, if it is closing: the same time for everybody.
    pub(crate) fn closing_end(&self, is_closing: bool, max: Duration) -> Option<Instant> {
        let mut end = self.closing_end.lock().unwrap_or_else(PoisonError::into_inner);
        *end = is_closing.then(|| end.unwrap_or_else(|| Instant::now() + max));
        *end
    }

    /// Makes sure that the run is read anew before anybody goes on with it.
    pub(crate) async fn distrust(&self) {
        self.state.lock().await.stale = true;
    }

    /// Whether the run made the channel, as far as its journal is known.
    pub(crate) fn made(&self, channel_id: &str) -> bool {
        self.made.lock().unwrap_or_else(PoisonError::into_inner).contains(channel_id)
    }

    /// What changes with the run besides itself.
    fn note(&self, run: &Run) {
        let mut made = self.made.lock().unwrap_or_else(PoisonError::into_inner);
        if made.len() < run.channels.len() {
            *made = run.channels.iter().map(|channel| channel.id.clone()).collect();
        }
    }

    /// Opens the run for reading and appending, with everything written; nobody else does either until the guard is dropped.
    pub(crate) async fn open(&self) -> Result<OpenLedger<'_>, LedgerError> {
        let mut open = self.open_ahead().await?;
        open.flush().await?;
        Ok(open)
    }

    /// Opens the run for the task that drives it: what that task appended last may not be written yet.
    pub(crate) async fn open_ahead(&self) -> Result<OpenLedger<'_>, LedgerError> {
        let mut state = self.state.lock().await;
        if state.stale {
            let run = Arc::new(read(self.journal.as_ref(), &self.id).await?);
            self.keep_workflow(&state.run, &run).await?;
            state.losses += u64::from(run.seq < state.run.seq);
            (state.run, state.ahead, state.stale) = (run, Ahead::default(), false);
            self.note(&state.run);
            self.written.send_replace(Arc::clone(&state.run));
        }
        Ok(OpenLedger { ledger: self, state })
    }

    /// Whoever journalled that the run goes on with another version may not have lived to say so here: the journal does.
    async fn keep_workflow(&self, known: &Run, run: &Run) -> Result<(), LedgerError> {
        if (&known.workflow_digest, &known.components) == (&run.workflow_digest, &run.components) {
            return Ok(());
        }
        let workflow = kept(self.journal.as_ref(), &self.components, run).await;
        self.replace_workflow(workflow.map_err(LedgerError::Workflow)?);
        Ok(())
    }

    fn replace_workflow(&self, workflow: Arc<Workflow>) {
        *self.workflow.lock().unwrap_or_else(PoisonError::into_inner) = workflow;
    }

    /// Appends facts as of now.
    pub(crate) async fn append(&self, facts: Vec<Fact>, claims: Vec<Claim>) -> Result<(), LedgerError> {
        self.open().await?.append(facts, claims).await
    }

    /// The run as the journal has it.
    pub(crate) fn run(&self) -> Arc<Run> {
        Arc::clone(&self.written.borrow())
    }
}

/// How long the answer to a press holds up what the press set off. It is a few hundred bytes to a server nearby.
const ANSWER_MAX: Duration = Duration::from_secs(1);

/// How long deciding and journalling a press holds up the run; whoever brings a press gives up earlier.
const DECISION_MAX: Duration = Duration::from_secs(30);

/// How many hints are kept; a run writes few posts at a time.
const HINTS_MAX: usize = 16;

/// A run, held open.
pub(crate) struct OpenLedger<'a> {
    ledger: &'a Ledger,
    state: MutexGuard<'a, State>,
}

impl OpenLedger<'_> {
    pub(crate) fn run(&self) -> &Arc<Run> {
        &self.state.run
    }

    /// How often something that was ahead of the journal was lost. Who went ahead looks whether it still stands.
    pub(crate) fn losses(&self) -> u64 {
        self.state.losses
    }

    /// Journals that the run goes on with another version of its workflow, whose text the journal has.
    pub(crate) async fn repin(
        &mut self,
        facts: Vec<Fact>,
        workflow: Arc<Workflow>,
    ) -> Result<(), LedgerError> {
        self.append(facts, Vec::new()).await?;
        self.ledger.replace_workflow(workflow);
        Ok(())
    }

    /// Gives the run the workflow's next number.
    pub(crate) async fn renumber(&mut self) -> Result<(), LedgerError> {
        self.flush().await?;
        let at_ms = self.ledger.clock.now_ms();
        let event = move |number| Event { at_ms, fact: Fact::Renumbered { number } };
        let first = Box::new(move |number| encode(&event(number)).into_iter().collect());
        let start = self.ledger.workflow().instance_number_start;
        self.state.stale = true;
        let _wakes = Wakes(&self.ledger.woken);
        let (id, seq) = (&self.ledger.id, self.state.run.seq);
        let number = self.ledger.journal.renumber(id, seq, start, first).await?;
        Arc::make_mut(&mut self.state.run).apply(&event(number));
        self.state.stale = false;
        self.tell(Vec::new(), headline(&event(number).fact).into_iter().collect());
        Ok(())
    }

    /// Journals the facts, all or none and with what is ahead, then applies them. None: nothing.
    pub(crate) async fn append(&mut self, facts: Vec<Fact>, claims: Vec<Claim>) -> Result<(), LedgerError> {
        if facts.is_empty() {
            return Ok(());
        }
        let events = self.encoded(facts)?;
        let mut after = Run::clone(&self.state.run);
        let added = fold(&self.ledger.workflow(), &mut after, events);
        self.write(Arc::new(after), added, claims).await
    }

    /// Applies the facts now; they are journalled before the next effect, and before anybody else sees them. Only for the task that
    /// drives the run, and only for what a replay would do again.
    pub(crate) async fn append_soon(&mut self, facts: Vec<Fact>) -> Result<(), LedgerError> {
        let events = self.encoded(facts)?;
        // A defect that ends this midway leaves nothing half applied.
        self.state.stale = true;
        let added = fold(&self.ledger.workflow(), Arc::make_mut(&mut self.state.run), events);
        self.state.ahead.extend(added);
        self.state.stale = false;
        self.ledger.note(&self.state.run);
        if self.state.ahead.records.len() < AHEAD_MAX { Ok(()) } else { self.flush().await }
    }

    /// Journals what is ahead.
    pub(crate) async fn flush(&mut self) -> Result<(), LedgerError> {
        if self.state.ahead.records.is_empty() {
            return Ok(());
        }
        self.write(Arc::clone(&self.state.run), Ahead::default(), Vec::new()).await
    }

    /// The facts as of now, as the journal keeps them: what cannot be written is not applied either.
    fn encoded(&self, facts: Vec<Fact>) -> Result<Vec<(Event, Record)>, LedgerError> {
        let at_ms = self.ledger.clock.now_ms();
        let events = facts.into_iter().map(|fact| Event { at_ms, fact });
        let encoded = |event: Event| encode(&event).map(|record| (event, record));
        Ok(events.map(encoded).collect::<Result<_, _>>()?)
    }

    /// `after` is the run with what is ahead and what is added.
    async fn write(&mut self, after: Arc<Run>, added: Ahead, claims: Vec<Claim>) -> Result<(), LedgerError> {
        if !self.ledger.beginning.written().await {
            return Err(LedgerError::Unstarted);
        }
        // Whoever waits for the journal may be dropped while it writes (a press whose connection breaks): then nobody knows
        // whether it was written. So the run counts as stale until it is known, and its task is woken in any case.
        self.state.stale = true;
        let _wakes = Wakes(&self.ledger.woken);
        let ahead = &self.state.ahead.records;
        let expected = self.state.run.seq.saturating_sub(ahead.len() as u64);
        let records = ahead.iter().cloned().chain(added.records).collect();
        let written =
            self.ledger.journal.append(&self.ledger.id, expected, records, after.has_settled(), claims).await;
        match written {
            Ok(()) => {
                let Ahead { mut observed, mut headlines, .. } = std::mem::take(&mut self.state.ahead);
                observed.extend(added.observed);
                headlines.extend(added.headlines);
                (self.state.run, self.state.stale) = (after, false);
                self.tell(observed, headlines);
                Ok(())
            }
            Err(error) => {
                // A claim that is refused leaves the journal as it was, and what is ahead can still be written.
                self.state.stale = !matches!(error, JournalError::Claimed { .. });
                Err(error.into())
            }
        }
    }

    /// Tells everybody of what was written.
    fn tell(&self, observed: Vec<Observed>, headlines: Vec<String>) {
        if !headlines.is_empty() {
            let run = &self.state.run;
            // Whoever journals it may be in a span of the run, or in none.
            let span = tracing::error_span!(parent: None, "run", workflow = %run.workflow, run = %run.id, number = run.number);
            span.in_scope(|| headlines.iter().for_each(|headline| tracing::info!("{headline}")));
        }
        if let Some(observer) = &self.ledger.observer {
            observed.iter().for_each(|observed| observer.happened(observed));
        }
        self.ledger.note(&self.state.run);
        self.ledger.written.send_replace(Arc::clone(&self.state.run));
    }
}

/// Applies the events to the run. Gives what is to be written of them, and told when it is.
fn fold(workflow: &Workflow, run: &mut Run, events: Vec<(Event, Record)>) -> Ahead {
    let mut added = Ahead::default();
    for (event, record) in events {
        added.records.push(record);
        added.observed.extend(observed(workflow, run, &event));
        added.headlines.extend(headline(&event.fact));
        run.apply(&event);
    }
    added
}

impl Ahead {
    fn extend(&mut self, more: Ahead) {
        self.records.extend(more.records);
        self.observed.extend(more.observed);
        self.headlines.extend(more.headlines);
    }
}

/// Wakes the run's task when it is dropped.
struct Wakes<'a>(&'a Notify);

impl Drop for Wakes<'_> {
    fn drop(&mut self) {
        self.0.notify_one();
    }
}

/// Reads a run from its journal.
pub(crate) async fn read(journal: &dyn Journal, id: &str) -> Result<Run, LedgerError> {
    Ok(Run::replay(&events(journal, id).await?)?)
}

/// All that happened to a run.
pub(crate) async fn events(journal: &dyn Journal, id: &str) -> Result<Vec<Event>, LedgerError> {
    let records = journal.records(id).await?;
    Ok(decode(id, &records)?)
}
