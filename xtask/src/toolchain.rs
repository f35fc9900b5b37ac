//! Rust's own wasm target, which the guests are built for.

use std::path::PathBuf;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};

use crate::process::run;
use crate::workspace;

/// What the guests are built for: no operating system, so nothing of one can be imported.
pub(crate) const WASM_TARGET: &str = "wasm32-unknown-unknown";

/// Sees to it that the standard library for [`WASM_TARGET`] is installed.
///
/// # Errors
/// When rustup cannot install it; the error says what to run.
pub(crate) fn ensure_wasm_target() -> Result<()> {
    if installed()? {
        return Ok(());
    }
    eprintln!("installing Rust's target {WASM_TARGET}");
    let mut rustup = Command::new("rustup");
    rustup.args(["target", "add", WASM_TARGET]).current_dir(workspace::root());
    let outcome = run(&mut rustup);
    if outcome.is_ok() && installed()? {
        return Ok(());
    }
    let reason = match outcome {
        Ok(()) => "rustup reported success, but rustc does not see it".to_owned(),
        Err(error) => format!("{error:#}"),
    };
    bail!(
        "the guests need Rust's target {WASM_TARGET}, and it could not be installed ({reason}).\n\
         With rustup and a network, run this in {root}:\n\n    rustup target add {WASM_TARGET}\n\n\
         With a distribution's Rust, install its package for that target (Debian: libstd-rust-dev-wasm32).",
        root = workspace::root().display()
    );
}

/// Whether rustc has the target's libraries.
fn installed() -> Result<bool> {
    let mut rustc = Command::new(std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into()));
    rustc.args(["--print", "target-libdir", "--target", WASM_TARGET]).current_dir(workspace::root());
    let output = rustc
        .stderr(Stdio::inherit())
        .output()
        .context("asking rustc for its libraries: is Rust installed?")?;
    if !output.status.success() {
        bail!("`rustc --print target-libdir --target {WASM_TARGET}` failed ({})", output.status);
    }
    let directory = PathBuf::from(String::from_utf8_lossy(&output.stdout).trim());
    Ok(std::fs::read_dir(directory).is_ok_and(|mut entries| entries.next().is_some()))
}
