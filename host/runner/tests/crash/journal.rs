//! A journal in memory that outlives the processes that write it.

use crate::fuse::Fuse;
use async_trait::async_trait;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::sync::oneshot;
use warroom_runner::{Claim, Journal, JournalError, NewRun, Record, StartOutcome};

pub(crate) struct MemoryJournal {
    state: Mutex<State>,
    fuse: Arc<Fuse>,
    /// Runs of this workflow are too large to be started.
    pub(crate) refuse_workflow: Mutex<Option<String>>,
    /// The next start gets its number, and is written once that is decided, or not at all.
    pub(crate) start_decided: Mutex<Option<oneshot::Receiver<bool>>>,
    /// The next start is written, and answered once somebody says so.
    pub(crate) start_answered: Mutex<Option<oneshot::Receiver<()>>>,
    /// The first append with such a record is done, and its answer lost.
    pub(crate) lose_answer_of: Mutex<Option<String>>,
    /// The first append with such a record takes this long.
    pub(crate) slow_about: Mutex<Option<(String, Duration)>>,
}

#[derive(Default)]
struct State {
    runs: BTreeMap<String, (Vec<Record>, bool)>,
    posts: BTreeMap<(String, String), String>,
    numbers: BTreeMap<String, u64>,
    claims: Vec<(Claim, String)>,
    keys: Vec<(String, String, String)>,
    blobs: BTreeMap<String, Vec<u8>>,
    lost_blobs: BTreeMap<String, Vec<u8>>,
    documents: BTreeMap<(String, String), (u64, Vec<u8>)>,
}

impl MemoryJournal {
    pub(crate) fn new(fuse: Arc<Fuse>) -> MemoryJournal {
        MemoryJournal {
            state: Mutex::default(),
            fuse,
            refuse_workflow: Mutex::default(),
            start_decided: Mutex::default(),
            start_answered: Mutex::default(),
            lose_answer_of: Mutex::default(),
            slow_about: Mutex::default(),
        }
    }

    fn answered(&self, kinds: &[String]) -> Result<(), JournalError> {
        match self.lose_answer_of.lock().unwrap().take_if(|lost| kinds.contains(lost)) {
            Some(kind) => Err(JournalError::Failed(format!("the answer about {kind} is lost"))),
            None => Ok(()),
        }
    }

    /// Loses a blob, as a store that was restored from half a backup.
    pub(crate) fn lose_blob(&self, name: &str) {
        let mut state = self.state.lock().unwrap();
        let blob = state.blobs.remove_entry(name).unwrap();
        state.lost_blobs.extend([blob]);
    }

    /// Puts it back.
    pub(crate) fn find_blob(&self, name: &str) {
        let mut state = self.state.lock().unwrap();
        let blob = state.lost_blobs.remove_entry(name).unwrap();
        state.blobs.extend([blob]);
    }

    /// How many documents of a kind there are.
    pub(crate) fn document_count(&self, kind: &str) -> usize {
        self.state.lock().unwrap().documents.keys().filter(|(known, _)| known == kind).count()
    }

    /// Makes nonsense of a run's last record.
    pub(crate) fn spoil(&self, run: &str) {
        let mut state = self.state.lock().unwrap();
        state.runs.get_mut(run).unwrap().0.last_mut().unwrap().body = b"{}".to_vec();
    }

    pub(crate) fn is_open(&self, run: &str) -> bool {
        self.state.lock().unwrap().runs.get(run).is_some_and(|(_, ended)| !ended)
    }

    pub(crate) fn run_ids(&self) -> Vec<String> {
        self.state.lock().unwrap().runs.keys().cloned().collect()
    }
}

#[async_trait]
impl Journal for MemoryJournal {
    async fn start_run(
        &self,
        new: NewRun,
        mut first: Box<dyn FnOnce(u64) -> Vec<Record> + Send>,
    ) -> Result<StartOutcome, JournalError> {
        if self.refuse_workflow.lock().unwrap().as_ref() == Some(&new.workflow) {
            return Err(JournalError::Refused("it is too large".to_owned()));
        }
        let decided = self.start_decided.lock().unwrap().take();
        if let Some(decided) = decided {
            let records = first(new.number_start);
            if !decided.await.unwrap() {
                return Err(JournalError::Failed("the disk is full".to_owned()));
            }
            first = Box::new(move |_| records);
        }
        let start = || {
            let mut state = self.state.lock().unwrap();
            let post = (new.workflow.clone(), new.post_id.clone());
            if let Some(run) = state.posts.get(&post) {
                return Ok(StartOutcome::AlreadyStarted(run.clone()));
            }
            if let Some((_, run)) =
                state.claims.iter().find(|(claim, _)| *claim == Claim::post(&new.workflow, &new.post_id))
            {
                return Ok(StartOutcome::AlreadyStarted(run.clone()));
            }
            let keyed = state.keys.iter().find(|(workflow, key, run)| {
                *workflow == new.workflow
                    && Some(key) == new.key.as_ref()
                    && state.runs.get(run).is_some_and(|(_, ended)| !ended)
                    && new.replaces.as_ref() != Some(run)
            });
            if let Some((_, _, run)) = keyed {
                return Ok(StartOutcome::Keyed(run.clone()));
            }
            state.keys.retain(|(_, _, run)| new.replaces.as_ref() != Some(run));
            if let Some(key) = &new.key {
                state.keys.push((new.workflow.clone(), key.clone(), new.run_id.clone()));
            }
            let next = state.numbers.entry(new.workflow.clone()).or_insert(new.number_start);
            let number = *next;
            *next += 1;
            state.posts.insert(post, new.run_id.clone());
            state.runs.insert(new.run_id.clone(), (first(number), false));
            Ok(StartOutcome::Started(number))
        };
        let outcome = self.fuse.call("journal start_run", start).await?;
        let answered = self.start_answered.lock().unwrap().take();
        if let Some(answered) = answered {
            answered.await.unwrap();
        }
        self.answered(&["run_started".to_owned()]).map(|()| outcome)
    }

    async fn append(
        &self,
        run: &str,
        expected: u64,
        records: Vec<Record>,
        ended: bool,
        claims: Vec<Claim>,
    ) -> Result<(), JournalError> {
        let kinds: Vec<String> = records.iter().map(|record| record.kind.clone()).collect();
        let slow = self.slow_about.lock().unwrap().take_if(|(kind, _)| kinds.contains(kind));
        if let Some((_, time)) = slow {
            tokio::time::sleep(time).await;
        }
        let append = || {
            let mut state = self.state.lock().unwrap();
            for claim in &claims {
                if let Some((claim, by)) = state.claims.iter().find(|(known, by)| known == claim && by != run)
                {
                    return Err(JournalError::Claimed { claim: claim.clone(), by_run: by.clone() });
                }
            }
            let Some((known, over)) = state.runs.get_mut(run) else {
                return Err(JournalError::Failed("no such run".into()));
            };
            let actual = known.len() as u64;
            if actual != expected {
                return Err(JournalError::Moved { run: run.to_owned(), expected, actual });
            }
            known.extend(records);
            *over = ended;
            state.claims.extend(claims.into_iter().map(|claim| (claim, run.to_owned())));
            Ok(())
        };
        self.fuse.call(&format!("journal append {kinds:?}"), append).await?;
        self.answered(&kinds)
    }

    async fn renumber(
        &self,
        run: &str,
        expected: u64,
        number_start: u64,
        first: Box<dyn FnOnce(u64) -> Vec<Record> + Send>,
    ) -> Result<u64, JournalError> {
        let number = {
            let mut state = self.state.lock().unwrap();
            let next = state.numbers.values_mut().next().unwrap();
            let number = number_start.max(*next);
            *next = number + 1;
            number
        };
        self.append(run, expected, first(number), false, Vec::new()).await.map(|()| number)
    }

    async fn has_taken(&self, workflow: &str, post_id: &str) -> Result<bool, JournalError> {
        let post = (workflow.to_owned(), post_id.to_owned());
        Ok(self.state.lock().unwrap().posts.contains_key(&post))
    }

    async fn run_by_number(&self, _workflow: &str, _number: u64) -> Result<Option<String>, JournalError> {
        Ok(self.run_ids().into_iter().next())
    }

    async fn newest_runs(&self, _limit: u32) -> Result<Vec<String>, JournalError> {
        Ok(self.run_ids())
    }

    async fn document(&self, kind: &str, id: &str) -> Result<Option<(u64, Vec<u8>)>, JournalError> {
        let key = (kind.to_owned(), id.to_owned());
        Ok(self.state.lock().unwrap().documents.get(&key).cloned())
    }

    async fn document_ids(&self, kind: &str, _limit: u32) -> Result<Vec<String>, JournalError> {
        let state = self.state.lock().unwrap();
        let of_kind = state.documents.keys().rev().filter(|(known, _)| known == kind);
        Ok(of_kind.map(|(_, id)| id.clone()).collect())
    }

    async fn put_document(
        &self,
        kind: &str,
        id: &str,
        expected: u64,
        body: Vec<u8>,
    ) -> Result<(), JournalError> {
        let key = (kind.to_owned(), id.to_owned());
        self.state.lock().unwrap().documents.insert(key, (expected + 1, body));
        Ok(())
    }

    async fn delete_document(&self, kind: &str, id: &str) -> Result<(), JournalError> {
        self.state.lock().unwrap().documents.remove(&(kind.to_owned(), id.to_owned()));
        Ok(())
    }

    async fn records(&self, run: &str) -> Result<Vec<Record>, JournalError> {
        Ok(self.state.lock().unwrap().runs.get(run).map(|(records, _)| records.clone()).unwrap_or_default())
    }

    async fn open_runs(&self) -> Result<Vec<String>, JournalError> {
        let state = self.state.lock().unwrap();
        Ok(state.runs.iter().filter(|(_, (_, ended))| !ended).map(|(id, _)| id.clone()).collect())
    }

    async fn put_blob(&self, name: &str, bytes: Vec<u8>) -> Result<(), JournalError> {
        self.state.lock().unwrap().blobs.insert(name.to_owned(), bytes);
        Ok(())
    }

    async fn blob(&self, name: &str) -> Result<Option<Vec<u8>>, JournalError> {
        Ok(self.state.lock().unwrap().blobs.get(name).cloned())
    }
}
