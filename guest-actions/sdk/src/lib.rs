//! What an author of an action depends on: the contract `warroom:action` as Rust types, and a trait that takes the JSON,
//! the exports and the glue off the author's hands.
//!
//! An action is a type that says what it is and what it does. `export_action!` makes the crate (a `cdylib` for
//! `wasm32-unknown-unknown`) a component of it:
//!
//! ```
//! use serde::Deserialize;
//! use warroom_action::{Action, Context, Descriptor, Error, Outcome, export_action};
//!
//! struct Greet;
//!
//! #[derive(Deserialize)]
//! struct Input {
//!     name: String,
//! }
//!
//! impl Action for Greet {
//!     type Input = Input;
//!
//!     fn describe() -> Descriptor {
//!         Descriptor {
//!             type_name: "greet".to_owned(),
//!             version: "1.0.0".to_owned(),
//!             summary: "Greets somebody.".to_owned(),
//!             parameters: r#"{"type": "object", "properties": {"name": {"type": "string"}}, "required": ["name"]}"#.to_owned(),
//!             outputs: vec!["Greeting".to_owned()],
//!         }
//!     }
//!
//!     fn run(_context: Context, input: Input) -> Result<Outcome, Error> {
//!         if input.name.is_empty() {
//!             return Err(Error::invalid_input("`name` is empty: say whom to greet"));
//!         }
//!         Ok(Outcome::with("Greeting", format!("Hello, {}!", input.name)))
//!     }
//! }
//!
//! export_action!(Greet);
//! # fn main() {}
//! ```
//!
//! Calls to the host are the functions of the modules [`channels`], [`posts`], [`users`] and so on. Each module that an action
//! calls becomes an import of its component, and each import is a permission that the operator is asked for: the linker
//! drops what is not called, so nothing has to be declared twice.
//!
//! Guests must be deterministic, since an interrupted execution is run again and its calls are answered from the journal.
//! There is no clock but [`incident::now_ms`], and no random numbers.

mod action;
mod construct;
mod parameter;
pub mod text;

/// The generated bindings. Authors use the re-exports below; `export_action!` needs the path.
#[doc(hidden)]
#[allow(
    missing_docs,
    unreachable_pub,
    clippy::all,
    reason = "generated from wit/action.wit, which documents each item"
)]
pub mod bindings {
    wit_bindgen::generate!({
        path: "../../wit",
        world: "action",
        generate_all,
        pub_export_macro: true,
    });
}

pub use action::{Action, Component};
pub use bindings::warroom::action::types::{
    Channel, Context, Descriptor, Error, ErrorKind, Outcome, Output, User,
};
pub use bindings::warroom::action::{
    archiving, channels, http, incident, log, members, posts, secrets, users,
};
pub use parameter::{Flag, Names};

/// Makes the crate a component whose action is the given type, which implements [`Action`]. Once per crate.
#[macro_export]
macro_rules! export_action {
    ($action:ty) => {
        #[doc(hidden)]
        type WarroomComponent = $crate::Component<$action>;
        $crate::bindings::export!(WarroomComponent with_types_in $crate::bindings);
    };
}
