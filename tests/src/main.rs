//! The `warroom` program, for the tests that start and kill it.

use std::process::ExitCode;

fn main() -> ExitCode {
    warroom::cli::main()
}
