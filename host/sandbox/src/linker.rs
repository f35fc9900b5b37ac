//! Links the interfaces that a component imports and was granted, and no others.

use std::collections::BTreeSet;

use wasmtime::Engine;
use wasmtime::component::{HasSelf, Linker};

use crate::bindings::warroom::action as contract;
use crate::capability::Capability;
use crate::state::State;

/// A linker with these interfaces in it. What is not here cannot be called, whatever else is wrong.
pub(crate) fn linker(engine: &Engine, granted: &BTreeSet<Capability>) -> wasmtime::Result<Linker<State>> {
    let mut linker = Linker::new(engine);
    contract::types::add_to_linker::<_, HasSelf<State>>(&mut linker, |state| state)?;
    for capability in granted {
        link(&mut linker, *capability)?;
    }
    Ok(linker)
}

fn link(linker: &mut Linker<State>, capability: Capability) -> wasmtime::Result<()> {
    type Own = HasSelf<State>;
    match capability {
        Capability::Incident => contract::incident::add_to_linker::<_, Own>(linker, |state| state),
        Capability::Channels => contract::channels::add_to_linker::<_, Own>(linker, |state| state),
        Capability::Archiving => contract::archiving::add_to_linker::<_, Own>(linker, |state| state),
        Capability::Users => contract::users::add_to_linker::<_, Own>(linker, |state| state),
        Capability::Members => contract::members::add_to_linker::<_, Own>(linker, |state| state),
        Capability::Posts => contract::posts::add_to_linker::<_, Own>(linker, |state| state),
        Capability::Http => contract::http::add_to_linker::<_, Own>(linker, |state| state),
        Capability::Secrets => contract::secrets::add_to_linker::<_, Own>(linker, |state| state),
        Capability::Log => contract::log::add_to_linker::<_, Own>(linker, |state| state),
    }
}
