//! The commands of the program, a module each: its arguments as `Args`, and `run`.

pub(crate) mod check;
pub(crate) mod schema;
pub(crate) mod serve;
pub(crate) mod simulator;
