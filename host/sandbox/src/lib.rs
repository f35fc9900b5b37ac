//! Admits, compiles and runs action components.
//!
//! An action is a WebAssembly component of the world `action` (`wit/action.wit`). It gets what it imports and was granted, a fresh
//! store for every call, and limits on everything: [`Limits`] lists them. The crate knows wasmtime and neither the chat nor
//! the engine: whatever a component asks for goes, as data, to the [`Host`] of that execution.
//!
//! ```
//! use warroom_sandbox::{
//!     ActionError, Answer, Call, CallFailure, Channel, Context, Execution, Grant, Host, Incident, Limits, LogLevel,
//!     RunError, Sandbox, TriggerPost, User,
//! };
//!
//! /// A host that answers nothing.
//! struct Silent;
//!
//! #[async_trait::async_trait]
//! impl Host for Silent {
//!     async fn call(&mut self, call: Call) -> Result<Answer, CallFailure> {
//!         Err(CallFailure::Suspend(format!("`{}` cannot be answered now", call.function())))
//!     }
//!     fn log(&mut self, _level: LogLevel, _message: &str) {}
//!     fn secret(&mut self, _name: &str) -> Result<String, ActionError> {
//!         Ok(String::new())
//!     }
//! }
//!
//! async fn execute(component: &[u8], grant: &Grant, incident: &Incident) -> Result<(), Box<dyn std::error::Error>> {
//!     let sandbox = Sandbox::new(Limits::default())?;
//!     let action = sandbox.admit(component, grant).await?;
//!     let context =
//!         Context { key: "run/1/Room/1".into(), workflow: "security".into(), number: 1, step: "Setup".into() };
//!     match sandbox.run(&action, &context, incident, r#"{"channel_name": "security-1"}"#, Box::new(Silent)).await {
//!         Ok(Execution { outcome: Ok(outcome), .. }) => println!("{:?}", outcome.outputs),
//!         Ok(Execution { outcome: Err(error), .. }) => println!("{}: {error}", error.kind),
//!         Err(RunError::Suspended(reason)) => println!("to be run again: {reason}"),
//!         Err(error) => println!("{error}"),
//!     }
//!     Ok(())
//! }
//! ```
//!
//! Why it is made so:
//! - Every call with an effect is one [`Call`] and one [`Answer`]. An interrupted execution can then be run again with the answers
//!   that it had; guests are deterministic (no clock, no random numbers, floating point and SIMD made the same everywhere), so it
//!   makes the same calls. [`CallFailure::Suspend`] is how a host lets an execution go that it will run again.
//! - A component's imports are its request. What was not granted is not linked, so that a check that somebody forgets does not
//!   matter.
//! - Epochs make a computing guest yield, and one deadline of tokio ends it: an epoch alone never ends a guest that waits
//!   for the host, a deadline alone never ends one that does not wait.

mod action;
mod admission;
#[allow(clippy::all, reason = "generated from wit/action.wit")]
mod bindings;
mod call;
mod capability;
mod consumption;
mod conversion;
mod descriptor;
mod digest;
mod engine;
mod execution;
mod failure;
mod host;
mod imports;
mod incident;
mod inspection;
mod limits;
mod linker;
mod places;
mod run_error;
mod sandbox;
mod state;

pub use action::Action;
pub use admission::AdmissionError;
pub use call::{
    Answer, Call, ChannelDraft, Controls, Field, FieldKind, Header, HttpRequest, HttpResponse, PostDraft,
    PostRef, Refusal, Transition,
};
pub use capability::{Capability, CapabilityError, Grant};
pub use descriptor::Descriptor;
pub use digest::{Digest, DigestError};
pub use execution::{Execution, Outcome};
pub use failure::{ActionError, CallFailure, ErrorKind};
pub use host::{Host, LogLevel};
pub use incident::{ActionOutputs, Channel, Context, Incident, TriggerPost, User};
pub use limits::Limits;
pub use places::Occupancy;
pub use run_error::RunError;
pub use sandbox::{Sandbox, SandboxError};
