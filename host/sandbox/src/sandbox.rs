//! The sandbox: admits components, and runs each call in a store of its own.

use std::fmt;
use std::sync::Arc;
use std::time::Instant;

use wasmtime::{Engine, Store};

use crate::action::Action;
use crate::admission::{AdmissionError, admit};
use crate::bindings::ActionPre;
use crate::bindings::warroom::action::types;
use crate::capability::Grant;
use crate::engine::{Ticker, engine};
use crate::execution::{Execution, accept};
use crate::host::Host;
use crate::incident::{Context, Incident};
use crate::limits::Limits;
use crate::places::{Occupancy, Places};
use crate::run_error::RunError;
use crate::state::{Phase, State};

/// Why there is no sandbox.
#[derive(Debug, thiserror::Error)]
pub enum SandboxError {
    /// A limit makes no sense.
    #[error("[limits] {key} {reason}")]
    Limit {
        /// The limit's key.
        key: &'static str,
        /// What is wrong with it.
        reason: String,
    },
    /// This machine cannot run components.
    #[error("preparing to run components: {0}")]
    Engine(String),
}

/// Admits, compiles and runs components. One is enough for a process; it is shared by reference.
pub struct Sandbox {
    engine: Engine,
    limits: Limits,
    places: Places,
    _ticker: Ticker,
}

impl Sandbox {
    /// Makes a sandbox with these limits.
    ///
    /// # Errors
    /// When a limit makes no sense, or this machine cannot run components.
    pub fn new(limits: Limits) -> Result<Self, SandboxError> {
        if let Some((key, reason)) = limits.unusable() {
            return Err(SandboxError::Limit { key, reason });
        }
        let engine = engine(&limits)?;
        let ticker = Ticker::start(engine.clone())?;
        let places = Places::new(limits.instances_max);
        Ok(Self { engine, limits, places, _ticker: ticker })
    }

    /// Checks a component against the contract and the grant, compiles it, and asks it what it is. `describe` runs under the
    /// same limits as `run`, and every import stops it. Compilation takes a thread for blocking work meanwhile.
    ///
    /// # Errors
    /// The first check that the component fails; nothing of it is kept.
    pub async fn admit(&self, bytes: &[u8], grant: &Grant) -> Result<Arc<Action>, AdmissionError> {
        admit(self, bytes, grant).await
    }

    /// Executes an action once, in a store of its own, waiting for a place when [`Limits::instances_max`] executions are under
    /// way; the deadline counts from then. `input` is the action's JSON object. The host is dropped with the store.
    ///
    /// # Errors
    /// When the execution had to be stopped, or broke. An error that the action returned is no error here.
    pub async fn run(
        &self,
        action: &Action,
        context: &Context,
        incident: &Incident,
        input: &str,
        host: Box<dyn Host>,
    ) -> Result<Execution, RunError> {
        let (bytes, max) = (input.len(), self.limits.input_bytes_max);
        if bytes > max {
            return Err(RunError::Input { bytes, max });
        }
        let phase = Phase::Run { host, incident: Box::new(incident.clone()) };
        let _place = self.places.take().await;
        let mut store = self.store(phase);
        let started = Instant::now();
        let context = types::Context::from(context);
        let call = async {
            let bindings = action.prepared().instantiate_async(&mut store).await?;
            bindings.call_run(&mut store, &context, input).await
        };
        let returned = self.within_deadline(call).await?;
        let used = &store.data().used;
        Ok(Execution {
            outcome: accept(returned, &self.limits)?,
            host_calls: used.host_calls(),
            memory_bytes_peak: used.memory_bytes_peak(),
            duration: started.elapsed(),
        })
    }

    /// The limits that every execution has.
    pub fn limits(&self) -> &Limits {
        &self.limits
    }

    /// How many executions are under way, and how many wait for a place.
    pub fn occupancy(&self) -> Occupancy {
        self.places.occupancy()
    }

    pub(crate) fn engine(&self) -> &Engine {
        &self.engine
    }

    /// Asks a component what it is, before anything is granted.
    pub(crate) async fn describe(
        &self,
        prepared: &ActionPre<State>,
    ) -> Result<types::Descriptor, AdmissionError> {
        let _place = self.places.take().await;
        let mut store = self.store(Phase::Describe);
        let call = async {
            let bindings = prepared.instantiate_async(&mut store).await?;
            bindings.call_describe(&mut store).await
        };
        self.within_deadline(call).await.map_err(|error| match error {
            RunError::CalledByDescribe(function) => AdmissionError::DescribeCalled { function },
            other => AdmissionError::Describe(other),
        })
    }

    fn store(&self, phase: Phase) -> Store<State> {
        let mut store = Store::new(&self.engine, State::new(phase, self.limits.clone()));
        store.limiter(|state| &mut state.used);
        store.set_hostcall_fuel(self.limits.hostcall_bytes_max);
        store.set_epoch_deadline(1);
        store.epoch_deadline_async_yield_and_update(1);
        store
    }

    /// One deadline around the whole call: epochs alone never end a guest that waits for the host.
    async fn within_deadline<T>(
        &self,
        call: impl Future<Output = wasmtime::Result<T>>,
    ) -> Result<T, RunError> {
        let max = self.limits.deadline;
        match tokio::time::timeout(max, call).await {
            Ok(Ok(returned)) => Ok(returned),
            Ok(Err(error)) => Err(RunError::of(&error, &self.limits)),
            Err(_) => Err(RunError::Deadline { max }),
        }
    }
}

impl fmt::Debug for Sandbox {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Sandbox").field("limits", &self.limits).finish_non_exhaustive()
    }
}
