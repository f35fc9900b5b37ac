//! Builds every guest crate into a component below `target/actions`.

use std::path::Path;

use anyhow::{Context, Result};

use crate::process::{cargo, run};
use crate::toolchain::{WASM_TARGET, ensure_wasm_target};
use crate::{component, workspace};

/// A guest: the crate, and the component it becomes.
struct Guest {
    package: &'static str,
    component: &'static str,
}

const GUESTS: &[Guest] = &[
    Guest { package: "action-create-channel", component: "create_channel" },
    Guest { package: "action-add-users-channel", component: "add_users_channel" },
    Guest { package: "action-post", component: "post" },
    Guest { package: "action-archive-channel", component: "archive_channel" },
    Guest { package: "action-hostile", component: "hostile" },
];

/// The cargo profile of guests.
const PROFILE: &str = "guest";

/// A guest's stack. The default of 1 MiB would be memory that each call has to clear: a sixteenth of it halves the latency of
/// a pooled call, and the sandbox limits depth of its own anyway.
const STACK_BYTES: u32 = 65_536;

/// Builds all guests and writes `target/actions/NAME.wasm`, each only when it changed.
pub(crate) fn build() -> Result<()> {
    ensure_wasm_target()?;
    let target = workspace::target_dir();
    compile(&target)?;
    let directory = target.join("actions");
    std::fs::create_dir_all(&directory).with_context(|| format!("creating {}", directory.display()))?;
    for guest in GUESTS {
        let module =
            target.join(WASM_TARGET).join(PROFILE).join(format!("{}.wasm", guest.package.replace('-', "_")));
        let path = directory.join(format!("{}.wasm", guest.component));
        let bytes = component::encode(&module)?;
        let written = write_when_changed(&path, &bytes)?;
        let state = if written { "built" } else { "unchanged" };
        eprintln!("{state:>12} {} ({:.1} KB)", path.display(), kilobytes(bytes.len()));
    }
    Ok(())
}

fn compile(target: &Path) -> Result<()> {
    let mut command = cargo();
    command.args(["build", "--profile", PROFILE, "--target", WASM_TARGET, "--target-dir"]).arg(target);
    for guest in GUESTS {
        command.args(["--package", guest.package]);
    }
    // Takes precedence over RUSTFLAGS and the configuration, so that the same source gives the same bytes whoever builds.
    command.env("CARGO_ENCODED_RUSTFLAGS", rustflags().join("\u{1f}"));
    run(&mut command)
}

/// The flags for guests. Paths of the machine are kept out: they would tell where it was built, and give other digests elsewhere.
fn rustflags() -> Vec<String> {
    let mut flags = vec![
        "-C".to_owned(),
        format!("link-arg=-zstack-size={STACK_BYTES}"),
        format!("--remap-path-prefix={}=warroom", workspace::root().display()),
    ];
    if let Some(home) = workspace::cargo_home() {
        flags.push(format!("--remap-path-prefix={}=cargo", home.display()));
    }
    flags
}

/// Writes the file unless it holds these bytes already, so that what depends on it is not built again. Gives whether it wrote.
fn write_when_changed(path: &Path, bytes: &[u8]) -> Result<bool> {
    if std::fs::read(path).is_ok_and(|present| present == bytes) {
        return Ok(false);
    }
    // Written beside and moved: a test that runs meanwhile never sees half a component.
    let partial = path.with_extension(format!("wasm.{}", std::process::id()));
    std::fs::write(&partial, bytes).with_context(|| format!("writing {}", partial.display()))?;
    std::fs::rename(&partial, path).with_context(|| format!("moving {} into place", path.display()))?;
    Ok(true)
}

/// For people: a component has tens of thousands of bytes, so the rounding of a float is far below what is shown.
fn kilobytes(bytes: usize) -> f64 {
    bytes as f64 / 1_000.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_written_only_when_it_changes() {
        let path = std::env::temp_dir().join(format!("xtask-write-{}.wasm", std::process::id()));
        assert!(write_when_changed(&path, b"one").unwrap());
        assert!(!write_when_changed(&path, b"one").unwrap());
        assert!(write_when_changed(&path, b"two").unwrap());
        assert_eq!(std::fs::read(&path).unwrap(), b"two");
        std::fs::remove_file(&path).unwrap();
    }
}
