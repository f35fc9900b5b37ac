//! The built-in action types, inside the program. They take the same path as any other component, with the least they need.

use anyhow::Context as _;
use std::collections::BTreeSet;
use warroom_runner::{Origin, Source};
use warroom_sandbox::{Capability, Grant, Limits, Sandbox};
use warroom_workflow::{ActionType, Catalog};

/// Each component with what it is granted.
const BUILT_IN: &[(&str, &[u8], &[Capability])] = &[
    (
        "create_channel",
        include_bytes!(concat!(env!("WARROOM_ACTIONS"), "/create_channel.wasm")),
        &[Capability::Channels],
    ),
    (
        "add_users_channel",
        include_bytes!(concat!(env!("WARROOM_ACTIONS"), "/add_users_channel.wasm")),
        &[Capability::Channels, Capability::Users, Capability::Members, Capability::Posts],
    ),
    (
        "post",
        include_bytes!(concat!(env!("WARROOM_ACTIONS"), "/post.wasm")),
        &[Capability::Channels, Capability::Posts],
    ),
    (
        "archive_channel",
        include_bytes!(concat!(env!("WARROOM_ACTIONS"), "/archive_channel.wasm")),
        &[Capability::Channels, Capability::Archiving],
    ),
];

/// The built-in components as sources.
pub(crate) fn sources() -> Vec<Source> {
    let source = |(name, bytes, capabilities): &(&str, &[u8], &[Capability])| Source {
        name: format!("the built-in {name}"),
        bytes: bytes.to_vec(),
        origin: Origin::BuiltIn(capabilities.iter().copied().collect::<BTreeSet<_>>()),
    };
    BUILT_IN.iter().map(source).collect()
}

/// The catalog of the built-in action types, as `check` needs it.
pub(crate) async fn catalog() -> anyhow::Result<Catalog> {
    let sandbox = Sandbox::new(Limits::default())?;
    let mut types = Vec::new();
    for source in sources() {
        let capabilities = match source.origin {
            Origin::BuiltIn(capabilities) => capabilities,
            Origin::Custom => BTreeSet::new(),
        };
        let grant = Grant { capabilities };
        let action = sandbox.admit(&source.bytes, &grant).await.with_context(|| source.name.clone())?;
        let descriptor = action.descriptor();
        types.push(ActionType {
            type_name: descriptor.type_name.clone(),
            parameters: descriptor.parameters.clone(),
            outputs: descriptor.outputs.clone(),
        });
    }
    Ok(Catalog::new(types)?)
}
