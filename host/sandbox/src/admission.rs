//! Admission: from bytes that somebody dropped into a directory to an action that can be run.
//!
//! One pipeline, cheapest check first: size, hash, imports and exports, grant, compilation, `describe`, descriptor. Whatever is
//! refused, the reason is for the operator, who did not write the component.

use std::collections::BTreeSet;
use std::sync::Arc;

use wasmtime::component::Component;

use crate::action::Action;
use crate::bindings::ActionPre;
use crate::capability::{Capability, Grant};
use crate::descriptor::Descriptor;
use crate::digest::Digest;
use crate::inspection::inspect;
use crate::linker::linker;
use crate::run_error::RunError;
use crate::sandbox::Sandbox;

/// Why a component is not admitted.
#[derive(Debug, thiserror::Error)]
pub enum AdmissionError {
    /// The file is too large.
    #[error(
        "the component has {bytes} bytes, and [limits] component_bytes_max is {max}: build it smaller, or raise the limit"
    )]
    TooLarge {
        /// The file's size.
        bytes: usize,
        /// The limit.
        max: usize,
    },
    /// The bytes are not WebAssembly.
    #[error("this is no WebAssembly component: {0}")]
    Malformed(String),
    /// A module that was not made into a component.
    #[error(
        "this is a core module, not a component: make one of it with `wasm-tools component new`, or with `cargo xtask \
         actions` for the actions of this repository"
    )]
    CoreModule,
    /// It wants something that no host of actions offers.
    #[error("the component imports `{name}`, which Warroom does not offer: {}", foreign_help(.name))]
    ForeignImport {
        /// The import's name.
        name: String,
    },
    /// It was built for another version of the contract.
    #[error(
        "the component imports `{name}`, and this Warroom offers warroom:action@0.1: build the component against that version"
    )]
    OtherVersion {
        /// The import's name.
        name: String,
    },
    /// It lacks an export.
    #[error("the component does not export `{name}`: build it for the world `action` of warroom:action@0.1")]
    MissingExport {
        /// The export's name.
        name: &'static str,
    },
    /// It asks for more than was granted.
    #[error("the component wants to {}: grant {} if it may, else do not use it", purposes(.missing), names(.missing))]
    NotGranted {
        /// What it imports and was not granted.
        missing: BTreeSet<Capability>,
    },
    /// It cannot be compiled.
    #[error("the component cannot be compiled: {0}")]
    Compile(String),
    /// Its imports or exports have other types than the contract's.
    #[error("the component does not fit warroom:action@0.1: {0}; build it against wit/action.wit")]
    Contract(String),
    /// `describe` called an import.
    #[error("`describe` called `{function}`: it must not call the host, since nothing is granted yet")]
    DescribeCalled {
        /// The function of the contract.
        function: &'static str,
    },
    /// `describe` failed.
    #[error("asking the component what it is: {0}")]
    Describe(RunError),
    /// The descriptor is wrong.
    #[error("the component's descriptor is wrong: its {part} {reason}")]
    Descriptor {
        /// Which part.
        part: &'static str,
        /// What is wrong with it.
        reason: String,
    },
}

fn foreign_help(name: &str) -> &'static str {
    if name.starts_with("wasi:") {
        "components get no WASI; for Rust build for wasm32-unknown-unknown, for other languages switch WASI off"
    } else {
        "only interfaces of warroom:action can be imported"
    }
}

fn purposes(missing: &BTreeSet<Capability>) -> String {
    missing.iter().map(|capability| capability.purpose()).collect::<Vec<_>>().join(", ")
}

fn names(missing: &BTreeSet<Capability>) -> String {
    missing.iter().map(|capability| format!("`{capability}`")).collect::<Vec<_>>().join(", ")
}

/// Takes a component through all checks.
pub(crate) async fn admit(
    sandbox: &Sandbox,
    bytes: &[u8],
    grant: &Grant,
) -> Result<Arc<Action>, AdmissionError> {
    let max = sandbox.limits().component_bytes_max;
    if bytes.len() > max {
        return Err(AdmissionError::TooLarge { bytes: bytes.len(), max });
    }
    let digest = Digest::of(bytes);
    let imports = inspect(bytes)?;
    let missing: BTreeSet<_> = imports.iter().copied().filter(|import| !grant.permits(*import)).collect();
    if !missing.is_empty() {
        return Err(AdmissionError::NotGranted { missing });
    }
    let prepared = prepare(sandbox, compile(sandbox, bytes.to_vec()).await?, &imports)?;
    let described = sandbox.describe(&prepared).await?;
    let descriptor = Descriptor::check(described, sandbox.limits())?;
    tracing::debug!(%digest, action = descriptor.type_name, "admitted");
    Ok(Arc::new(Action::new(digest, descriptor, imports, prepared)))
}

/// Compiles on a thread for blocking work: a large component takes seconds.
async fn compile(sandbox: &Sandbox, bytes: Vec<u8>) -> Result<Component, AdmissionError> {
    let engine = sandbox.engine().clone();
    let compiled = tokio::task::spawn_blocking(move || Component::from_binary(&engine, &bytes)).await;
    match compiled {
        Ok(Ok(component)) => Ok(component),
        Ok(Err(error)) => Err(AdmissionError::Compile(format!("{error:#}"))),
        Err(error) => Err(AdmissionError::Compile(format!("the compiler failed: {error}"))),
    }
}

fn prepare(
    sandbox: &Sandbox,
    component: Component,
    imports: &BTreeSet<Capability>,
) -> Result<ActionPre<crate::state::State>, AdmissionError> {
    let contract = |error: wasmtime::Error| AdmissionError::Contract(format!("{error:#}"));
    let linker = linker(sandbox.engine(), imports).map_err(contract)?;
    ActionPre::new(linker.instantiate_pre(&component).map_err(contract)?).map_err(contract)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_granted_is_said_in_plain_words() {
        let missing = [Capability::Http, Capability::Archiving].into_iter().collect();
        assert_eq!(
            AdmissionError::NotGranted { missing }.to_string(),
            "the component wants to archive channels, send HTTP requests: grant `archiving`, `http` if it may, else do not use it"
        );
    }

    #[test]
    fn wasi_gets_help_of_its_own() {
        let text = AdmissionError::ForeignImport { name: "wasi:cli/exit@0.2.0".into() }.to_string();
        assert!(text.contains("components get no WASI"), "{text}");
    }
}
