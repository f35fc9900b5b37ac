//! The workflow files in force, and those that open runs began with.

use crate::components::Components;
use crate::core::Core;
use crate::journal::Journal;
use crate::stuck::stand_in;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, PoisonError, RwLock};
use warroom_engine::Run;
use warroom_sandbox::Digest;
use warroom_workflow::{Catalog, Diagnostic, Match, Message, Severity, TriggerIndex, Workflow, check};

/// A file as it was when it was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LoadedFile {
    /// Its name, for people.
    pub name: String,
    /// Its text.
    pub text: String,
}

/// A workflow in force, with the file that it came from.
#[derive(Debug, Clone)]
pub(crate) struct InForce {
    pub(crate) workflow: Arc<Workflow>,
    pub(crate) file_digest: String,
    pub(crate) file_text: Arc<str>,
    /// Whether the journal surely has the text.
    pub(crate) is_stored: Arc<AtomicBool>,
}

/// The workflows in force.
#[derive(Default)]
pub struct Workflows {
    state: RwLock<State>,
}

#[derive(Default)]
struct State {
    files: BTreeMap<String, Vec<InForce>>,
    index: Option<Arc<TriggerIndex>>,
    by_name: BTreeMap<String, InForce>,
    /// Which file holds which name.
    holders: BTreeMap<String, String>,
    /// What is to be said of those whose name another file holds, by file and name.
    clashes: BTreeMap<(String, String), String>,
}

impl Workflows {
    /// Checks a file and puts its workflows in force, in place of those that it held before. A file with an error
    /// changes nothing. Gives whether it has none, and everything there is to say about it.
    ///
    /// A name that another file defines already is left to that file: see [`Workflows::clashes`].
    pub fn put(&self, file: &LoadedFile, catalog: &Catalog) -> (bool, Vec<Diagnostic>) {
        let checked = check(&file.text, catalog);
        if checked.diagnostics.iter().any(|diagnostic| diagnostic.severity == Severity::Error) {
            return (false, checked.diagnostics);
        }
        let (file_digest, file_text) =
            (Digest::of(file.text.as_bytes()).to_string(), Arc::from(file.text.as_str()));
        let is_stored = Arc::new(AtomicBool::new(false));
        let in_force = |workflow| InForce {
            workflow: Arc::new(workflow),
            file_digest: file_digest.clone(),
            file_text: Arc::clone(&file_text),
            is_stored: Arc::clone(&is_stored),
        };
        let mut state = self.state.write().unwrap_or_else(PoisonError::into_inner);
        state.files.insert(file.name.clone(), checked.workflows.into_iter().map(in_force).collect());
        state.rebuild();
        (true, checked.diagnostics)
    }

    /// What is to be said of the workflows that are not in force since another file defines one of the same name; by file and
    /// name.
    #[must_use]
    pub fn clashes(&self) -> BTreeMap<(String, String), String> {
        self.state.read().unwrap_or_else(PoisonError::into_inner).clashes.clone()
    }

    /// The names of the workflows in force that come from this file.
    #[must_use]
    pub fn names_of(&self, file_name: &str) -> Vec<String> {
        let state = self.state.read().unwrap_or_else(PoisonError::into_inner);
        let of_file = state.holders.iter().filter(|(_, holder)| *holder == file_name);
        of_file.map(|(name, _)| name.clone()).collect()
    }

    /// Takes a file's workflows out of force. Runs that began with them go on.
    pub fn remove(&self, file_name: &str) -> bool {
        let mut state = self.state.write().unwrap_or_else(PoisonError::into_inner);
        let was_there = state.files.remove(file_name).is_some();
        state.rebuild();
        was_there
    }

    /// The names of the workflows in force.
    #[must_use]
    pub fn names(&self) -> Vec<String> {
        self.state.read().unwrap_or_else(PoisonError::into_inner).by_name.keys().cloned().collect()
    }

    /// The channels that triggers name for a team, each once: handles, display names or ids.
    #[must_use]
    pub fn channels_named_in(&self, team: &str) -> BTreeSet<String> {
        let state = self.state.read().unwrap_or_else(PoisonError::into_inner);
        let triggers = state.by_name.values().flat_map(|known| &known.workflow.triggers);
        let of_team = triggers.filter(|trigger| {
            trigger.team_names.is_empty() || trigger.team_names.iter().any(|name| name == team)
        });
        of_team.flat_map(|trigger| trigger.channel_names.iter().cloned()).collect()
    }

    /// The workflow of this name, as it is in force.
    pub(crate) fn named(&self, name: &str) -> Option<InForce> {
        self.state.read().unwrap_or_else(PoisonError::into_inner).by_name.get(name).cloned()
    }

    /// The run's workflow as it is in force, when it or one of its components is another one than the run keeps.
    pub(crate) fn newer(&self, core: &Core, run: &Run) -> Option<InForce> {
        let current = self.named(&run.workflow)?;
        let is_other = current.file_digest != run.workflow_digest
            || core.components.pin(&current.workflow) != run.components;
        is_other.then_some(current)
    }

    /// The workflows that a message triggers, each with the first trigger that matches.
    pub(crate) fn matches(&self, message: &Message<'_>) -> Vec<(InForce, Match)> {
        let (index, by_name) = {
            let state = self.state.read().unwrap_or_else(PoisonError::into_inner);
            let Some(index) = state.index.clone() else { return Vec::new() };
            (index, state.by_name.clone())
        };
        let found = index.matches(message).into_iter();
        found.filter_map(|found| Some((by_name.get(found.workflow.name.as_str())?.clone(), found))).collect()
    }
}

impl State {
    /// A name stays with the file that holds it, for as long as that file defines it.
    fn rebuild(&mut self) {
        self.clashes.clear();
        let holders = std::mem::take(&mut self.holders);
        self.by_name.clear();
        let (files, defined) = (&self.files, |(file, known): (&String, &Vec<InForce>)| {
            known.iter().map(|known| (file.clone(), known.clone())).collect::<Vec<_>>()
        });
        let holds = |file: &String, name: &str| holders.get(name).is_some_and(|holder| holder == file);
        let mut all: Vec<(String, InForce)> = files.iter().flat_map(defined).collect();
        all.sort_by_key(|(file, known)| !holds(file, &known.workflow.name));
        for (file, in_force) in all {
            let name = in_force.workflow.name.to_string();
            if let Some(holder) = self.holders.get(&name) {
                let text = format!(
                    "workflow `{name}` of {file} is not in force, since {holder} defines one of that name; rename one of them"
                );
                self.clashes.insert((file, name), text);
                continue;
            }
            self.holders.insert(name.clone(), file);
            self.by_name.insert(name, in_force);
        }
        self.index =
            Some(Arc::new(TriggerIndex::new(self.by_name.values().map(|known| Arc::clone(&known.workflow)))));
    }
}

/// The workflow that a run keeps, from the store. One that has ended needs none that can be read.
pub(crate) async fn kept(
    journal: &dyn Journal,
    components: &Components,
    run: &Run,
) -> Result<Arc<Workflow>, String> {
    let read = async {
        let text = journal.blob(&run.workflow_digest).await.map_err(|error| error.to_string())?;
        let text = text.and_then(|bytes| String::from_utf8(bytes).ok());
        let text = text.ok_or_else(|| {
            format!("the text of its workflow, {}, is not in the store", run.workflow_digest)
        })?;
        pinned(components, &text, &run.workflow, &run.components).await
    };
    match read.await {
        Err(_) if run.has_ended() => stand_in(run),
        workflow => workflow,
    }
}

/// The workflow that an open run began with, from the text that it keeps and the components that it keeps.
async fn pinned(
    components: &Components,
    text: &str,
    name: &str,
    digests: &BTreeMap<String, String>,
) -> Result<Arc<Workflow>, String> {
    let catalog = components.catalog_of(digests).await?;
    let checked = check(text, &catalog);
    let found = checked.workflows.into_iter().find(|workflow| workflow.name.as_str() == name);
    found.map(Arc::new).ok_or_else(|| {
        let first = checked.diagnostics.iter().find(|diagnostic| diagnostic.severity == Severity::Error);
        let reason = first.map_or("it holds no such workflow", |diagnostic| diagnostic.message.as_str());
        format!("the workflow `{name}` that this run began with cannot be read any more: {reason}")
    })
}
