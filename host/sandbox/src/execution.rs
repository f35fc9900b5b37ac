//! How an execution ended.

use std::time::Duration;

use crate::bindings::warroom::action::types;
use crate::failure::ActionError;
use crate::limits::Limits;
use crate::run_error::RunError;

/// As long as the contract allows an error's message to be.
const MESSAGE_CHARACTERS_MAX: usize = 1_000;

/// An execution that ended by itself, well or with an error of its own.
#[derive(Clone, Debug, PartialEq)]
pub struct Execution {
    /// What the action returned.
    pub outcome: Result<Outcome, ActionError>,
    /// Its calls to the host, as [`Limits::host_calls_max`] counts them.
    pub host_calls: u32,
    /// The most linear memory that it had, in bytes.
    pub memory_bytes_peak: usize,
    /// From the start of the call to its end, waiting for the host included.
    pub duration: Duration,
}

/// How an execution ended well. Names and step are as the component wrote them: whether the descriptor declares them is for who
/// knows the workflow to check.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Outcome {
    /// Outputs by name, in the order of the component; a name written twice keeps the later value.
    pub outputs: Vec<(String, String)>,
    /// A step to go to.
    pub transition: Option<String>,
}

/// Takes what `run` returned.
pub(crate) fn accept(
    returned: Result<types::Outcome, types::Error>,
    limits: &Limits,
) -> Result<Result<Outcome, ActionError>, RunError> {
    let bytes = match &returned {
        Ok(outcome) => {
            let outputs =
                outcome.outputs.iter().map(|output| output.name.len() + output.value.len()).sum::<usize>();
            outputs + outcome.transition.as_ref().map_or(0, String::len)
        }
        Err(error) => error.message.len(),
    };
    if bytes > limits.output_bytes_max {
        return Err(RunError::Output { bytes, max: limits.output_bytes_max });
    }
    Ok(match returned {
        Ok(outcome) => Ok(Outcome { outputs: by_name(outcome.outputs), transition: outcome.transition }),
        Err(error) => Err(ActionError { kind: error.kind.into(), message: shortened(error.message) }),
    })
}

fn by_name(written: Vec<types::Output>) -> Vec<(String, String)> {
    let mut outputs: Vec<(String, String)> = Vec::with_capacity(written.len());
    for types::Output { name, value } in written {
        match outputs.iter_mut().find(|(known, _)| *known == name) {
            Some((_, known)) => *known = value,
            None => outputs.push((name, value)),
        }
    }
    outputs
}

fn shortened(message: String) -> String {
    if message.chars().count() <= MESSAGE_CHARACTERS_MAX {
        return message;
    }
    message.chars().take(MESSAGE_CHARACTERS_MAX - 1).chain(['…']).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outcome(outputs: &[(&str, &str)]) -> Result<types::Outcome, types::Error> {
        let output =
            |(name, value): &(&str, &str)| types::Output { name: (*name).into(), value: (*value).into() };
        Ok(types::Outcome { outputs: outputs.iter().map(output).collect(), transition: Some("Next".into()) })
    }

    #[test]
    fn names_values_and_transition_count_towards_the_limit() {
        let limits = |max| Limits { output_bytes_max: max, ..Limits::default() };
        assert!(accept(outcome(&[("A", "123")]), &limits(8)).unwrap().is_ok());
        assert_eq!(accept(outcome(&[("A", "123")]), &limits(7)), Err(RunError::Output { bytes: 8, max: 7 }));
    }

    #[test]
    fn a_name_written_twice_keeps_the_later_value_in_its_place() {
        let accepted =
            accept(outcome(&[("A", "1"), ("B", "2"), ("A", "3")]), &Limits::default()).unwrap().unwrap();
        assert_eq!(accepted.outputs, [("A".into(), "3".into()), ("B".into(), "2".into())]);
    }

    #[test]
    fn long_messages_are_shortened_to_what_the_contract_allows() {
        let error = |length| types::Error { kind: types::ErrorKind::Failed, message: "ä".repeat(length) };
        let message = |length| accept(Err(error(length)), &Limits::default()).unwrap().unwrap_err().message;
        assert_eq!(message(1_000), "ä".repeat(1_000));
        assert_eq!(message(1_001), "ä".repeat(999) + "…");
    }
}
