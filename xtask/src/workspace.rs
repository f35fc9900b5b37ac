//! Where things are.

use std::path::{Path, PathBuf};

/// The workspace's root: the directory above this crate's.
pub(crate) fn root() -> &'static Path {
    let crate_dir = Path::new(env!("CARGO_MANIFEST_DIR"));
    crate_dir.parent().unwrap_or(crate_dir)
}

/// The directory that cargo builds into: `CARGO_TARGET_DIR` (a relative one counts from the current directory), else `target`
/// in the root.
pub(crate) fn target_dir() -> PathBuf {
    match std::env::var_os("CARGO_TARGET_DIR").filter(|dir| !dir.is_empty()) {
        Some(dir) => std::path::absolute(&dir).unwrap_or_else(|_| PathBuf::from(dir)),
        None => root().join("target"),
    }
}

/// Cargo's home, which holds the sources of dependencies.
pub(crate) fn cargo_home() -> Option<PathBuf> {
    let configured = std::env::var_os("CARGO_HOME").filter(|dir| !dir.is_empty()).map(PathBuf::from);
    configured.or_else(|| std::env::home_dir().map(|home| home.join(".cargo")))
}
