//! The admitted components: by type for new runs, by digest for those that began with an older version.

use crate::journal::{Journal, JournalError};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};
use warroom_engine as engine;
use warroom_sandbox::{Action, AdmissionError, Capability, Digest, Grant, Sandbox};
use warroom_workflow::{ActionType, Catalog, CatalogError};

/// How far a grant to read and change the chat reaches.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Scope {
    /// Channels that the run made, and the triggering channel for posts.
    Run,
    /// Every channel of the triggering post's team that the bot can reach.
    Team,
    /// Every channel of every team that the bot can reach. For built-in components; no configuration grants it.
    #[serde(skip)]
    Everywhere,
}

/// What one component may do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Permit {
    /// The interfaces, besides `incident` and `log`, which need no grant.
    pub capabilities: BTreeSet<Capability>,
    /// How far they reach.
    pub scope: Scope,
    /// Whether its posts may notify everybody with `@all`, `@channel` and `@here`.
    pub mentions: bool,
}

impl Permit {
    /// What a component has that nothing is granted to.
    #[must_use]
    pub fn nothing() -> Permit {
        Permit { capabilities: BTreeSet::new(), scope: Scope::Run, mentions: false }
    }

    fn built_in(capabilities: BTreeSet<Capability>) -> Permit {
        Permit { capabilities, scope: Scope::Everywhere, mentions: true }
    }
}

/// Who answers for a component.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// This program, which gives it these interfaces everywhere. Its type name is reserved.
    BuiltIn(BTreeSet<Capability>),
    /// The operator, whose grants decide.
    Custom,
}

/// A component to load.
#[derive(Debug, Clone)]
pub struct Source {
    /// Where it comes from, for people.
    pub name: String,
    /// The component.
    pub bytes: Vec<u8>,
    /// Who answers for it.
    pub origin: Origin,
}

/// A component that was not loaded.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// It was not admitted.
    #[error("{name}: {error}")]
    Refused {
        /// Where it comes from.
        name: String,
        /// Why.
        error: AdmissionError,
    },
    /// Its descriptor makes no action type.
    #[error("{name}: {error}")]
    Unfit {
        /// Where it comes from.
        name: String,
        /// Why.
        error: CatalogError,
    },
    /// Another one has its type name.
    #[error(
        "{name}: the action type `{type_name}` is taken by {holder}; give this component another type name"
    )]
    Taken {
        /// Where it comes from.
        name: String,
        /// The type name.
        type_name: String,
        /// Who has it.
        holder: String,
    },
    /// The store failed.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// The types do not make a catalog.
    #[error(transparent)]
    Catalog(#[from] CatalogError),
}

/// An admitted component with what it may do.
pub(crate) struct Admitted {
    pub(crate) action: Arc<Action>,
    pub(crate) permit: Permit,
}

/// The admitted components.
pub struct Components {
    pub(crate) sandbox: Arc<Sandbox>,
    journal: Arc<dyn Journal>,
    catalog: Catalog,
    current: BTreeMap<String, Digest>,
    /// What the operator grants now, by digest.
    grants: BTreeMap<String, Permit>,
    by_digest: Mutex<BTreeMap<String, Arc<Admitted>>>,
}

/// What a built-in component was given, kept beside it for runs that outlive the program's version. Grants of the operator
/// are never kept: taking one away stops open runs too.
#[derive(Serialize, Deserialize)]
struct KeptPermit {
    capabilities: Vec<String>,
}

impl Components {
    /// Admits components and keeps them in the store, built-in ones first in the list. One that is not admitted is left
    /// out and reported; the others serve. `grants` says what the operator grants to custom components, by digest.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn load(
        sandbox: Arc<Sandbox>,
        journal: Arc<dyn Journal>,
        sources: Vec<Source>,
        grants: BTreeMap<String, Permit>,
    ) -> Result<(Components, Vec<LoadError>), LoadError> {
        let (mut refused, mut types) = (Vec::new(), Vec::new());
        let mut current: BTreeMap<String, (Digest, String)> = BTreeMap::new();
        let mut by_digest = BTreeMap::new();
        for source in sources {
            let permit = source.permit(&grants);
            let admitted = match admit(&sandbox, &source.name, &source.bytes, permit).await {
                Ok(admitted) => admitted,
                Err(error) => {
                    refused.push(error);
                    continue;
                }
            };
            let (name, digest) = (source.name.clone(), admitted.action.digest().clone());
            let action_type = action_type(&admitted.action);
            let type_name = action_type.type_name.clone();
            if let Some((_, holder)) = current.get(&type_name) {
                refused.push(LoadError::Taken { name, type_name, holder: holder.clone() });
                continue;
            }
            keep(journal.as_ref(), &digest, &source).await?;
            types.push(action_type);
            current.insert(type_name, (digest.clone(), name));
            by_digest.insert(digest.to_string(), Arc::new(admitted));
        }
        let current = current.into_iter().map(|(type_name, (digest, _))| (type_name, digest)).collect();
        let catalog = Catalog::new(types)?;
        let by_digest = Mutex::new(by_digest);
        Ok((Components { sandbox, journal, catalog, current, grants, by_digest }, refused))
    }

    /// The action types that new workflows can use.
    #[must_use]
    pub fn catalog(&self) -> &Catalog {
        &self.catalog
    }

    /// What is there: type name, digest and version of each, for people.
    #[must_use]
    pub fn list(&self) -> Vec<(String, String, String)> {
        let known = self.by_digest.lock().unwrap_or_else(PoisonError::into_inner);
        let row = |(type_name, digest): (&String, &Digest)| {
            let version =
                known.get(digest.as_ref()).map(|admitted| admitted.action.descriptor().version.clone());
            (type_name.clone(), digest.to_string(), version.unwrap_or_default())
        };
        self.current.iter().map(row).collect()
    }

    /// The digests that a new run of the workflow keeps.
    pub(crate) fn pin(&self, workflow: &warroom_workflow::Workflow) -> Arc<BTreeMap<String, String>> {
        let types = workflow.actions().filter_map(|action| match &action.kind {
            warroom_workflow::ActionKind::Component { type_name, .. } => Some(type_name),
            _ => None,
        });
        Arc::new(types.filter_map(|name| Some((name.clone(), self.current.get(name)?.to_string()))).collect())
    }

    /// The component with this digest, from memory or from the store.
    pub(crate) async fn resolve(&self, digest: &str) -> Result<Arc<Admitted>, String> {
        let known = self.by_digest.lock().unwrap_or_else(PoisonError::into_inner).get(digest).cloned();
        if let Some(known) = known {
            return Ok(known);
        }
        let admitted = Arc::new(self.readmit(digest).await?);
        let mut by_digest = self.by_digest.lock().unwrap_or_else(PoisonError::into_inner);
        Ok(Arc::clone(by_digest.entry(digest.to_owned()).or_insert(admitted)))
    }

    async fn readmit(&self, digest: &str) -> Result<Admitted, String> {
        let gone = |what: &str| format!("the component {digest} that this run began with {what}");
        let read = |name: String| async move {
            self.journal.blob(&name).await.map_err(|error| gone(&format!("cannot be read: {error}")))
        };
        let bytes = read(digest.to_owned()).await?.ok_or_else(|| gone("is not in the store any more"))?;
        let permit = match read(permit_name(digest)).await? {
            Some(kept) => {
                let kept: KeptPermit = serde_json::from_slice(&kept)
                    .map_err(|error| gone(&format!("has a damaged permit: {error}")))?;
                let has = |known: &Capability| kept.capabilities.iter().any(|name| name == known.name());
                Permit::built_in(Capability::ALL.into_iter().filter(has).collect())
            }
            None => self.grants.get(digest).cloned().unwrap_or_else(Permit::nothing),
        };
        admit(&self.sandbox, "it", &bytes, permit)
            .await
            .map_err(|error| gone(&format!("is not admitted: {error}")))
    }

    /// The action types as an open run keeps them.
    pub(crate) async fn catalog_of(&self, digests: &BTreeMap<String, String>) -> Result<Catalog, String> {
        let mut types = Vec::new();
        for digest in digests.values() {
            types.push(action_type(&self.resolve(digest).await?.action));
        }
        Catalog::new(types).map_err(|error| error.to_string())
    }
}

/// Admits one component and makes sure that its descriptor makes an action type.
async fn admit(sandbox: &Sandbox, name: &str, bytes: &[u8], permit: Permit) -> Result<Admitted, LoadError> {
    let name = name.to_owned();
    let grant = Grant { capabilities: permit.capabilities.clone() };
    match sandbox.admit(bytes, &grant).await {
        Ok(action) => match Catalog::new([action_type(&action)]) {
            Ok(_) => Ok(Admitted { action, permit }),
            Err(error) => Err(LoadError::Unfit { name, error }),
        },
        Err(error) => Err(LoadError::Refused { name, error }),
    }
}

impl Source {
    fn permit(&self, grants: &BTreeMap<String, Permit>) -> Permit {
        match &self.origin {
            Origin::BuiltIn(capabilities) => Permit::built_in(capabilities.clone()),
            Origin::Custom => {
                let digest = Digest::of(&self.bytes).to_string();
                grants.get(&digest).cloned().unwrap_or_else(Permit::nothing)
            }
        }
    }
}

async fn keep(journal: &dyn Journal, digest: &Digest, source: &Source) -> Result<(), JournalError> {
    let digest = digest.to_string();
    if let Origin::BuiltIn(capabilities) = &source.origin {
        let capabilities = capabilities.iter().map(|capability| capability.name().to_owned()).collect();
        let permit = serde_json::to_vec(&KeptPermit { capabilities }).map_err(|error| {
            JournalError::Failed(format!("cannot encode the permit of {}: {error}", source.name))
        })?;
        journal.put_blob(&permit_name(&digest), permit).await?;
    }
    journal.put_blob(&digest, source.bytes.clone()).await
}

fn permit_name(digest: &str) -> String {
    format!("permit/{digest}")
}

fn action_type(action: &Action) -> ActionType {
    let descriptor = action.descriptor();
    ActionType {
        type_name: descriptor.type_name.clone(),
        parameters: descriptor.parameters.clone(),
        outputs: descriptor.outputs.clone(),
    }
}

/// The sandbox's word for an engine channel.
pub(crate) fn channel(channel: &engine::Channel) -> warroom_sandbox::Channel {
    warroom_sandbox::Channel {
        id: channel.id.clone(),
        name: channel.name.clone(),
        display_name: channel.display_name.clone(),
        team_id: channel.team_id.clone(),
    }
}

/// The sandbox's word for an engine person.
pub(crate) fn user(person: &engine::Person) -> warroom_sandbox::User {
    warroom_sandbox::User { id: person.id.clone(), username: person.username.clone() }
}
