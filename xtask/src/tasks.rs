//! The subcommands.

use anyhow::Result;

use crate::process::{available, cargo, run};

/// Builds the guests into components.
pub(crate) fn actions(_arguments: &[String]) -> Result<()> {
    crate::actions::build()
}

/// The demo: the host and a simulated chat server in one process.
pub(crate) fn demo(arguments: &[String]) -> Result<()> {
    crate::actions::build()?;
    run(cargo().args(["run", "--package", "warroom", "--", "demo"]).args(arguments))
}

/// All tests, with nextest where it is installed (faster; it leaves out the documentation's examples), else with cargo's own
/// runner.
pub(crate) fn test(arguments: &[String]) -> Result<()> {
    crate::actions::build()?;
    if !available("nextest") {
        return run(cargo().args(["test", "--workspace"]).args(arguments));
    }
    run(cargo().args(["nextest", "run", "--workspace"]).args(arguments))?;
    // nextest runs no examples of the documentation.
    run(cargo().args(["test", "--workspace", "--doc"]))
}

/// What must be clean before a change lands.
pub(crate) fn lint(_arguments: &[String]) -> Result<()> {
    run(cargo().args(["fmt", "--all", "--", "--check"]))?;
    run(cargo().args(["clippy", "--workspace", "--all-targets", "--", "--deny", "warnings"]))?;
    crate::fuzz::check()?;
    if available("deny") {
        return run(cargo().args(["deny", "--log-level", "error", "check", "bans", "licenses", "sources"]));
    }
    eprintln!(
        "skipped `cargo deny`: cargo-deny is not installed; `cargo install --locked cargo-deny` does it"
    );
    Ok(())
}

/// All benchmarks: those of the language, and those that cross the crates.
pub(crate) fn bench(arguments: &[String]) -> Result<()> {
    crate::actions::build()?;
    let packages = ["--package", "warroom-workflow", "--package", "warroom-tests"];
    run(cargo().arg("bench").args(packages).arg("--benches").args(arguments))
}
