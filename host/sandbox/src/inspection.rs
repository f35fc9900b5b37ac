//! What a component imports and exports, read from its bytes before any of them is compiled.

use std::collections::BTreeSet;

use wasmparser::{ComponentTypeRef, Encoding, Parser, Payload, TypeBounds};

use crate::admission::AdmissionError;
use crate::capability::Capability;

/// The package of the contract, and the versions of it that this host offers: patches add interfaces and take nothing away.
const PACKAGE: &str = "warroom:action/";
const VERSION: (u64, u64) = (0, 1);
/// The interface that only has types in it: nothing can be called, so nothing is granted.
const TYPES: &str = "types";

const EXPORTS: [&str; 2] = ["describe", "run"];

/// Reads a component's imports as the capabilities that it asks for.
///
/// # Errors
/// When the bytes are no component, import anything but the contract's interfaces, or lack one of its exports.
pub(crate) fn inspect(bytes: &[u8]) -> Result<BTreeSet<Capability>, AdmissionError> {
    let outside = read(bytes)?;
    let mut capabilities = BTreeSet::new();
    for import in &outside.imports {
        capabilities.extend(capability(import)?);
    }
    match EXPORTS.into_iter().find(|name| !outside.exports.iter().any(|export| export == name)) {
        Some(name) => Err(AdmissionError::MissingExport { name }),
        None => Ok(capabilities),
    }
}

/// How every WebAssembly file begins.
const MAGIC: &[u8] = b"\0asm";

/// The names at a component's outside.
#[derive(Default)]
struct Outside {
    imports: Vec<String>,
    exports: Vec<String>,
}

fn read(bytes: &[u8]) -> Result<Outside, AdmissionError> {
    if !bytes.starts_with(MAGIC) {
        return Err(AdmissionError::Malformed(
            "it does not begin as one does, so it is something else".to_owned(),
        ));
    }
    let malformed = |error: wasmparser::BinaryReaderError| AdmissionError::Malformed(error.to_string());
    let mut outside = Outside::default();
    // Components and modules nest; only what stands directly in the outermost component is its outside.
    let mut depth = 0_usize;
    for payload in Parser::new(0).parse_all(bytes) {
        match payload.map_err(malformed)? {
            Payload::Version { encoding: Encoding::Module, .. } if depth == 0 => {
                return Err(AdmissionError::CoreModule);
            }
            Payload::Version { .. } => depth += 1,
            Payload::End(_) => depth = depth.saturating_sub(1),
            Payload::ComponentImportSection(section) if depth == 1 => {
                for import in section {
                    let import = import.map_err(malformed)?;
                    // The world's `use types.{…}`: another name for a type, nothing that the host would provide.
                    if !matches!(import.ty, ComponentTypeRef::Type(TypeBounds::Eq(_))) {
                        outside.imports.push(import.name.name.to_owned());
                    }
                }
            }
            Payload::ComponentExportSection(section) if depth == 1 => {
                for export in section {
                    outside.exports.push(export.map_err(malformed)?.name.name.to_owned());
                }
            }
            _ => {}
        }
    }
    Ok(outside)
}

/// The capability that an import asks for; none for the interface with the types.
fn capability(import: &str) -> Result<Option<Capability>, AdmissionError> {
    let foreign = || AdmissionError::ForeignImport { name: import.to_owned() };
    let (interface, version) =
        import.strip_prefix(PACKAGE).and_then(|rest| rest.split_once('@')).ok_or_else(foreign)?;
    if major_and_minor(version) != Some(VERSION) {
        return Err(AdmissionError::OtherVersion { name: import.to_owned() });
    }
    if interface == TYPES {
        return Ok(None);
    }
    interface.parse().map(Some).map_err(|_| foreign())
}

fn major_and_minor(version: &str) -> Option<(u64, u64)> {
    let mut parts = version.split('.').map(str::parse::<u64>);
    match (parts.next(), parts.next(), parts.next(), parts.next()) {
        (Some(Ok(major)), Some(Ok(minor)), Some(Ok(_)), None) => Some((major, minor)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_import_of_the_contract_is_a_capability() {
        assert_eq!(capability("warroom:action/posts@0.1.0").unwrap(), Some(Capability::Posts));
        assert_eq!(capability("warroom:action/posts@0.1.7").unwrap(), Some(Capability::Posts));
        assert_eq!(capability("warroom:action/types@0.1.0").unwrap(), None);
    }

    #[test]
    fn other_versions_are_told_from_foreign_imports() {
        for name in ["warroom:action/posts@0.2.0", "warroom:action/posts@1.1.0", "warroom:action/posts@0.1"] {
            assert!(matches!(capability(name), Err(AdmissionError::OtherVersion { .. })), "{name}");
        }
        for name in
            ["wasi:cli/environment@0.2.0", "posts", "warroom:action/posts", "warroom:action/shell@0.1.0"]
        {
            assert!(matches!(capability(name), Err(AdmissionError::ForeignImport { .. })), "{name}");
        }
    }
}
