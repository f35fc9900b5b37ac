//! Builds the guests, sets up what they need, and runs the demo, the tests and the checks: what the README's commands are.
//!
//! A program of the workspace instead of shell scripts, so that the same commands work wherever Rust does. It installs nothing
//! but Rust's own wasm target, and the foreign clients into `target/foreign`.

mod actions;
mod component;
mod foreign;
mod fuzz;
mod process;
mod tasks;
mod toolchain;
mod workspace;

use std::process::ExitCode;

use anyhow::{Result, bail};

/// A subcommand: its name, what it does, and the function that gets the remaining arguments.
struct Subcommand {
    name: &'static str,
    summary: &'static str,
    run: fn(&[String]) -> Result<()>,
}

const SUBCOMMANDS: &[Subcommand] = &[
    Subcommand {
        name: "actions",
        summary: "build the guests into target/actions/*.wasm",
        run: tasks::actions,
    },
    Subcommand {
        name: "demo",
        summary: "run an incident on a simulated chat server; takes `warroom demo`'s arguments",
        run: tasks::demo,
    },
    Subcommand {
        name: "test",
        summary: "run all tests; takes the test runner's arguments",
        run: tasks::test,
    },
    Subcommand {
        name: "lint",
        summary: "check format, clippy, the fuzz targets and dependencies",
        run: tasks::lint,
    },
    Subcommand {
        name: "bench",
        summary: "run the benchmarks; takes `cargo bench`'s arguments",
        run: tasks::bench,
    },
    Subcommand {
        name: "foreign",
        summary: "run clients that others wrote against the simulator; needs Node.js and Python",
        run: foreign::foreign,
    },
    Subcommand {
        name: "fuzz",
        summary: "fuzz the parsers; takes seconds for each target, and a target",
        run: fuzz::fuzz,
    },
];

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match dispatch(&arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn dispatch(arguments: &[String]) -> Result<()> {
    let Some((name, rest)) = arguments.split_first() else {
        bail!("no subcommand\n\n{}", usage());
    };
    if matches!(name.as_str(), "help" | "-h" | "--help") {
        eprintln!("{}", usage());
        return Ok(());
    }
    match SUBCOMMANDS.iter().find(|subcommand| subcommand.name == name) {
        Some(subcommand) => (subcommand.run)(rest),
        None => bail!("`{name}` is no subcommand\n\n{}", usage()),
    }
}

fn usage() -> String {
    let mut text = String::from("Usage: cargo xtask SUBCOMMAND [ARGUMENTS]\n");
    for Subcommand { name, summary, .. } in SUBCOMMANDS {
        text.push_str(&format!("\n  {name:<8} {summary}"));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn usage_lists_every_subcommand() {
        for subcommand in SUBCOMMANDS {
            assert!(usage().contains(&format!("\n  {}", subcommand.name)));
        }
    }

    #[test]
    fn an_unknown_or_missing_subcommand_shows_the_usage() {
        for arguments in [vec![], vec!["deploy".to_owned()]] {
            let text = format!("{:#}", dispatch(&arguments).unwrap_err());
            assert!(text.contains("Usage: cargo xtask"), "{text}");
        }
    }
}
