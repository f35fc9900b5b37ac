//! The pure decision for one host call of an execution: is it new, known, half-done, or not the call it was before?

use crate::run::{Call, CurrentAction};
use serde_json::Value;
use sha2::{Digest as _, Sha256};
use std::fmt::Write as _;
use std::sync::Arc;

/// What the host must do for a host call.
#[derive(Debug, Clone, PartialEq)]
pub enum Decision {
    /// Never seen: journal the intent, make the call, journal the answer.
    Fresh,
    /// Made and answered before: give the journalled answer.
    Answered(Arc<Value>),
    /// Intended before, and whether it was made nobody knows: find out, then as `Fresh`.
    Reconcile,
    /// Another call than the journal has under this number: the guest is not deterministic, the run must block.
    Diverged {
        /// What the journal has.
        journalled: String,
    },
}

/// Decides what the `n`-th host call (from 1) of an execution is.
#[must_use]
pub fn decide(current: &CurrentAction, n: u32, function: &str, arguments: &str) -> Decision {
    match current.calls.get(&n) {
        None => Decision::Fresh,
        Some(call) if call.function != function || call.arguments != arguments => {
            Decision::Diverged { journalled: call.function.clone() }
        }
        Some(Call { answer: Some(answer), .. }) => Decision::Answered(Arc::clone(answer)),
        Some(_) => Decision::Reconcile,
    }
}

/// The digest of a call's arguments, `sha256:HEX` of their JSON with sorted keys.
#[must_use]
pub fn arguments_digest(arguments: &Value) -> String {
    // serde_json's maps are sorted by key, so equal arguments have equal text.
    let mut digest = "sha256:".to_owned();
    for byte in Sha256::digest(arguments.to_string()) {
        // Writing to a string cannot fail.
        let _ = write!(digest, "{byte:02x}");
    }
    digest
}
