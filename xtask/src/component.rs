//! From a core module, as rustc links it, to a component.

use std::path::Path;

use anyhow::{Context, Result};
use wit_component::ComponentEncoder;

/// Reads a module that carries its world in a custom section (wit-bindgen puts it there) and gives the component's bytes. An
/// interface that the module does not call is not imported.
///
/// # Errors
/// When the module cannot be read, has no world, or does not fit the one it has.
pub(crate) fn encode(module: &Path) -> Result<Vec<u8>> {
    let bytes = std::fs::read(module).with_context(|| format!("reading the module {}", module.display()))?;
    ComponentEncoder::default()
        .validate(true)
        .module(&bytes)
        .and_then(|encoder| encoder.encode())
        .with_context(|| format!("making a component of {}", module.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_module_is_refused_by_its_path() {
        let error = encode(&Path::new(env!("CARGO_MANIFEST_DIR")).join("Cargo.toml")).unwrap_err();
        assert!(format!("{error:#}").contains("making a component of"), "{error:#}");
    }
}
