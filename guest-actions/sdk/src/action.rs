#![deny(unsafe_code)]
//! The trait that an action implements, and the glue between it and the component's exports.

use std::marker::PhantomData;

use serde::de::DeserializeOwned;

use crate::bindings::Guest;
use crate::{Context, Descriptor, Error, Outcome};

/// One action type.
pub trait Action {
    /// The parameters, read from the action's JSON object. The host has checked the object against the descriptor's schema.
    type Input: DeserializeOwned;

    /// What this action is and takes. Must not call the host: nothing is granted yet.
    fn describe() -> Descriptor;

    /// Executes the action once.
    ///
    /// # Errors
    /// An [`Error`] whose kind tells the host what to do, and whose message tells people.
    fn run(context: Context, input: Self::Input) -> Result<Outcome, Error>;
}

/// The component made of an [`Action`]; `export_action!` names it, nobody else has to.
pub struct Component<A>(PhantomData<A>);

impl<A: Action> Guest for Component<A> {
    fn describe() -> Descriptor {
        A::describe()
    }

    fn run(context: Context, input: String) -> Result<Outcome, Error> {
        let parameters = serde_json::from_str(&input).map_err(|error| {
            Error::invalid_input(format!("reading the parameters of the action: {error}"))
        })?;
        A::run(context, parameters)
    }
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;
    use crate::ErrorKind;

    struct Echo;

    #[derive(Deserialize)]
    struct Input {
        word: String,
    }

    impl Action for Echo {
        type Input = Input;

        fn describe() -> Descriptor {
            Descriptor {
                type_name: "echo".into(),
                version: "1.0.0".into(),
                summary: "Says it again.".into(),
                parameters: "{}".into(),
                outputs: vec!["Word".into()],
            }
        }

        fn run(_: Context, input: Input) -> Result<Outcome, Error> {
            Ok(Outcome::with("Word", input.word))
        }
    }

    fn run(input: &str) -> Result<Outcome, Error> {
        let context =
            Context { key: "r/1/echo/1".into(), workflow: "w".into(), number: 1, step: "Setup".into() };
        <Component<Echo> as Guest>::run(context, input.to_owned())
    }

    #[test]
    fn parameters_are_read_from_json() {
        let outcome = run(r#"{"word": "again"}"#).unwrap();
        assert_eq!(outcome.outputs[0].name, "Word");
        assert_eq!(outcome.outputs[0].value, "again");
        assert!(outcome.transition.is_none());
    }

    #[test]
    fn unreadable_parameters_are_invalid_input_and_name_the_culprit() {
        let error = run("{}").unwrap_err();
        assert_eq!(error.kind, ErrorKind::InvalidInput);
        assert!(error.message.contains("missing field `word`"), "{}", error.message);
    }
}
