//! One open run: its fold in memory, its journal behind it, and the lock that keeps the two the same.

use crate::canvas::Canvas;
use crate::clock::Clock;
use crate::journal::{Claim, Journal, JournalError, decode, encode};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, PoisonError};
use tokio::sync::{Mutex, MutexGuard, Notify, watch};
use warroom_engine::{Event, Fact, NotARun, Run};
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
    /// How many events the run has; tells those who wait for one.
    pub(crate) changed: watch::Sender<u64>,
    /// The channels that the run made, readable while the run is held open.
    made: std::sync::Mutex<BTreeSet<String>>,
    state: Mutex<State>,
    journal: Arc<dyn Journal>,
    clock: Arc<dyn Clock>,
}

struct State {
    run: Run,
    /// An append failed, and nobody knows whether it was written: read the journal before going on.
    stale: bool,
}

impl Ledger {
    pub(crate) fn new(
        run: Run,
        workflow: Arc<Workflow>,
        journal: Arc<dyn Journal>,
        clock: Arc<dyn Clock>,
    ) -> Ledger {
        let made = run.channels.iter().map(|channel| channel.id.clone()).collect();
        Ledger {
            id: run.id.clone(),
            workflow: std::sync::Mutex::new(workflow),
            woken: Notify::new(),
            canvas: Canvas::of(&run),
            hints: std::sync::Mutex::default(),
            changed: watch::Sender::new(0),
            made: std::sync::Mutex::new(made),
            state: Mutex::new(State { run, stale: false }),
            journal,
            clock,
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

    pub(crate) fn forget_hints(&self) {
        self.hints.lock().unwrap_or_else(PoisonError::into_inner).clear();
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

    /// Opens the run for reading and appending; nobody else does either until the guard is dropped.
    pub(crate) async fn open(&self) -> Result<OpenLedger<'_>, LedgerError> {
        let mut state = self.state.lock().await;
        if state.stale {
            state.run = read(self.journal.as_ref(), &self.id).await?;
            state.stale = false;
            self.note(&state.run);
        }
        Ok(OpenLedger { ledger: self, state })
    }

    /// Appends facts as of now.
    pub(crate) async fn append(&self, facts: Vec<Fact>, claims: Vec<Claim>) -> Result<(), LedgerError> {
        self.open().await?.append(facts, claims).await
    }

    /// A copy of the run as it is.
    pub(crate) async fn run(&self) -> Result<Run, LedgerError> {
        Ok(self.open().await?.run().clone())
    }
}

/// How many hints are kept; a run writes few posts at a time.
const HINTS_MAX: usize = 16;

/// A run, held open.
pub(crate) struct OpenLedger<'a> {
    ledger: &'a Ledger,
    state: MutexGuard<'a, State>,
}

impl OpenLedger<'_> {
    pub(crate) fn run(&self) -> &Run {
        &self.state.run
    }

    /// Journals that the run goes on with another version of its workflow.
    pub(crate) async fn repin(&mut self, fact: Fact, workflow: Arc<Workflow>) -> Result<(), LedgerError> {
        self.append(vec![fact], Vec::new()).await?;
        *self.ledger.workflow.lock().unwrap_or_else(PoisonError::into_inner) = workflow;
        Ok(())
    }

    /// Gives the run the workflow's next number.
    pub(crate) async fn renumber(&mut self) -> Result<(), LedgerError> {
        let at_ms = self.ledger.clock.now_ms();
        let event = move |number| Event { at_ms, fact: Fact::Renumbered { number } };
        let first = Box::new(move |number| encode(&event(number)).into_iter().collect());
        let start = self.ledger.workflow().instance_number_start;
        self.state.stale = true;
        let _wakes = Wakes(&self.ledger.woken);
        let (id, seq) = (&self.ledger.id, self.state.run.seq);
        let number = self.ledger.journal.renumber(id, seq, start, first).await?;
        self.state.run.apply(&event(number));
        self.state.stale = false;
        self.ledger.changed.send_replace(self.state.run.seq);
        Ok(())
    }

    /// Journals the facts, all or none, then applies them. None: nothing.
    pub(crate) async fn append(&mut self, facts: Vec<Fact>, claims: Vec<Claim>) -> Result<(), LedgerError> {
        if facts.is_empty() {
            return Ok(());
        }
        let at_ms = self.ledger.clock.now_ms();
        let events: Vec<Event> = facts.into_iter().map(|fact| Event { at_ms, fact }).collect();
        let records = events.iter().map(encode).collect::<Result<Vec<_>, _>>()?;
        // Folded once: the same copy says whether the run ends, and becomes the run when the journal has it.
        let mut after = self.state.run.clone();
        for event in &events {
            after.apply(event);
        }
        // Whoever waits for the journal may be dropped while it writes (a press whose connection breaks): then nobody knows
        // whether it was written. So the run counts as stale until it is known, and its task is woken in any case.
        self.state.stale = true;
        let _wakes = Wakes(&self.ledger.woken);
        let written = self
            .ledger
            .journal
            .append(&self.ledger.id, self.state.run.seq, records, after.has_settled(), claims)
            .await;
        match written {
            Ok(()) => {
                *self.state = State { run: after, stale: false };
                self.ledger.note(&self.state.run);
                self.ledger.changed.send_replace(self.state.run.seq);
                Ok(())
            }
            Err(error) => {
                // What was refused as a whole left the journal as it was.
                self.state.stale = !matches!(error, JournalError::Claimed { .. } | JournalError::Refused(_));
                Err(error.into())
            }
        }
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
