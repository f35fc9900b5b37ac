//! An admitted component.

use std::collections::BTreeSet;
use std::fmt;

use crate::bindings::ActionPre;
use crate::capability::Capability;
use crate::descriptor::Descriptor;
use crate::digest::Digest;
use crate::state::State;

/// A component that passed admission: compiled, linked to what it was granted, and known by its descriptor. Only
/// [`crate::Sandbox::admit`] makes one, and only the sandbox that made it can run it.
pub struct Action {
    digest: Digest,
    descriptor: Descriptor,
    imports: BTreeSet<Capability>,
    prepared: ActionPre<State>,
}

impl Action {
    pub(crate) fn new(
        digest: Digest,
        descriptor: Descriptor,
        imports: BTreeSet<Capability>,
        prepared: ActionPre<State>,
    ) -> Self {
        Self { digest, descriptor, imports, prepared }
    }

    /// The digest of the component's file.
    pub fn digest(&self) -> &Digest {
        &self.digest
    }

    /// What the component said of itself.
    pub fn descriptor(&self) -> &Descriptor {
        &self.descriptor
    }

    /// The capabilities that it imports.
    pub fn imports(&self) -> &BTreeSet<Capability> {
        &self.imports
    }

    pub(crate) fn prepared(&self) -> &ActionPre<State> {
        &self.prepared
    }
}

impl fmt::Debug for Action {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Action")
            .field("type_name", &self.descriptor.type_name)
            .field("digest", &self.digest)
            .field("imports", &self.imports)
            .finish_non_exhaustive()
    }
}
