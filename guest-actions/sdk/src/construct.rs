#![deny(unsafe_code)]
//! Short ways to make errors and outcomes.

use crate::{Error, ErrorKind, Outcome, Output};

impl Error {
    /// A failure of a kind, with a message for people: what was being done, to what, why it failed, what to do.
    pub fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into() }
    }

    /// The workflow's author must change the input.
    pub fn invalid_input(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::InvalidInput, message)
    }

    /// The thing named does not exist.
    pub fn not_found(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::NotFound, message)
    }

    /// Anything else; running the action again would not help.
    pub fn failed(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Failed, message)
    }

    /// The same failure, with what was being done put before its message.
    pub fn during(self, what: impl AsRef<str>) -> Self {
        Self { kind: self.kind, message: format!("{}: {}", what.as_ref(), self.message) }
    }
}

impl Outcome {
    /// An outcome without outputs and without a transition.
    pub fn nothing() -> Self {
        Self { outputs: Vec::new(), transition: None }
    }

    /// An outcome with one output.
    pub fn with(name: impl Into<String>, value: impl Into<String>) -> Self {
        Self::nothing().and(name, value)
    }

    /// The outcome with one more output.
    pub fn and(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.outputs.push(Output { name: name.into(), value: value.into() });
        self
    }

    /// The outcome asking to go to a step, written as an `x-warroom-step` parameter of the input wrote it.
    pub fn going_to(mut self, step: impl Into<String>) -> Self {
        self.transition = Some(step.into());
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_keeps_its_kind_under_what_was_being_done() {
        let error = Error::not_found("no such channel").during("posting to `x`");
        assert_eq!(
            (error.kind, error.message.as_str()),
            (ErrorKind::NotFound, "posting to `x`: no such channel")
        );
    }

    #[test]
    fn an_outcome_is_built_output_by_output() {
        let outcome = Outcome::with("A", "1").and("B", "2").going_to("Next");
        let outputs: Vec<_> = outcome.outputs.iter().map(|o| (o.name.as_str(), o.value.as_str())).collect();
        assert_eq!(outputs, [("A", "1"), ("B", "2")]);
        assert_eq!(outcome.transition.as_deref(), Some("Next"));
    }
}
