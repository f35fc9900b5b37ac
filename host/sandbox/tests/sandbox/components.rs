//! Where the tests' components come from.

use std::path::{Path, PathBuf};

use warroom_sandbox::{Capability, Grant};
use wit_component::{ComponentEncoder, StringEncoding, embed_component_metadata};
use wit_parser::Resolve;

/// The bytes of a component that `cargo xtask actions` built.
pub(crate) fn built(name: &str) -> Vec<u8> {
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| PathBuf::from("target"), PathBuf::from);
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let path = root.join(target).join("actions").join(format!("{name}.wasm"));
    std::fs::read(&path).unwrap_or_else(|error| {
        panic!("reading {}: {error}: run `cargo xtask actions` first", path.display())
    })
}

/// A component of the world `action` made of a core module in text form.
pub(crate) fn assembled(module: &str) -> Vec<u8> {
    let mut module = wat::parse_str(module).unwrap();
    let mut resolve = Resolve::default();
    let wit = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../wit");
    let (package, _) = resolve.push_path(&wit).unwrap();
    let world = resolve.select_world(&[package], Some("action")).unwrap();
    embed_component_metadata(&mut module, &resolve, world, StringEncoding::UTF8).unwrap();
    ComponentEncoder::default().module(&module).unwrap().validate(true).encode().unwrap()
}

/// A component whose `describe` does this (text form, to leave an i32), with these imports and other parts of the module.
pub(crate) fn describing(parts: &str, body: &str) -> Vec<u8> {
    assembled(&format!(
        r#"(module
            {parts}
            (memory (export "memory") 1)
            (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) (i32.const 1024))
            (func (export "run") (param i32 i32 i32 i32 i64 i32 i32 i32 i32) (result i32) (unreachable))
            (func (export "describe") (result i32) {body}))"#
    ))
}

/// A grant of everything.
pub(crate) fn everything() -> Grant {
    Grant::of(Capability::ALL)
}
