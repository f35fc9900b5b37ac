//! What the store of an execution holds: the other side of the component's imports.

use crate::call::{Answer, Call};
use crate::consumption::{Consumption, LogRoom, Stop};
use crate::failure::{ActionError, CallFailure};
use crate::host::{Host, LogLevel};
use crate::incident::Incident;
use crate::limits::Limits;

/// Which of its exports the component is executing, and with what behind its imports.
pub(crate) enum Phase {
    /// `describe`: nothing is granted yet, so every import stops it.
    Describe,
    /// `run`.
    Run { host: Box<dyn Host>, incident: Box<Incident> },
}

/// The data of an execution's store.
pub(crate) struct State {
    phase: Phase,
    pub(crate) used: Consumption,
}

impl State {
    pub(crate) fn new(phase: Phase, limits: Limits) -> Self {
        Self { phase, used: Consumption::new(limits) }
    }

    /// Puts a call to the host. The outer error ends the execution, the inner one is given to the guest.
    pub(crate) async fn call(&mut self, call: Call) -> wasmtime::Result<Result<Answer, ActionError>> {
        let Phase::Run { host, .. } = &mut self.phase else {
            return Err(Stop::CalledByDescribe(call.function()).into());
        };
        self.used.host_call()?;
        match host.call(call).await {
            Ok(answer) => Ok(Ok(answer)),
            Err(CallFailure::Error(error)) => Ok(Err(error)),
            Err(CallFailure::Suspend(what_for)) => Err(Stop::Suspended(what_for).into()),
        }
    }

    /// Reads a secret; counted like a call.
    pub(crate) fn secret(&mut self, name: &str) -> wasmtime::Result<Result<String, ActionError>> {
        let Phase::Run { host, .. } = &mut self.phase else {
            return Err(Stop::CalledByDescribe("secrets.get").into());
        };
        self.used.host_call()?;
        Ok(host.secret(name))
    }

    /// The incident, for a function of the interface `incident`.
    pub(crate) fn incident(&self, function: &'static str) -> wasmtime::Result<&Incident> {
        match &self.phase {
            Phase::Run { incident, .. } => Ok(incident),
            Phase::Describe => Err(Stop::CalledByDescribe(function).into()),
        }
    }

    /// Hands a line to the log while there is room for it.
    pub(crate) fn log(&mut self, level: LogLevel, message: &str) -> wasmtime::Result<()> {
        let Phase::Run { host, .. } = &mut self.phase else {
            return Err(Stop::CalledByDescribe("log.write").into());
        };
        match self.used.log_line(message.len()) {
            LogRoom::Whole => host.log(level, message),
            LogRoom::FirstDropped => host.log(
                LogLevel::Warn,
                "the rest of this execution's log is dropped: it is longer than [limits] log_bytes_max",
            ),
            LogRoom::Dropped => {}
        }
        Ok(())
    }
}
