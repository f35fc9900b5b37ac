//! The built-in action types, inside the program. They take the same path as any other component, with the least they need.

use crate::action_directory;
use crate::config::Config;
use anyhow::Context as _;
use std::collections::BTreeSet;
use std::path::Path;
use warroom_runner::{Origin, Source};
use warroom_sandbox::{Capability, Digest, Grant, Limits, Sandbox};
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

/// The catalog of the built-in action types and, with a configuration, of the operator's. One of the operator's that
/// cannot be admitted is left out, and the log says why.
pub(crate) async fn catalog_with(config: Option<&Path>) -> anyhow::Result<Catalog> {
    let config = config.map(|path| Config::read(path, &|name| std::env::var(name).ok())).transpose()?;
    let (catalog, refused) = catalog_and_refused(config.as_ref()).await?;
    for reason in refused {
        tracing::warn!("an action component is left out: {reason}");
    }
    Ok(catalog)
}

/// The same, with what is to be said of each component of the operator's that is left out.
pub(crate) async fn catalog_and_refused(config: Option<&Config>) -> anyhow::Result<(Catalog, Vec<String>)> {
    let sandbox = Sandbox::new(config.map_or_else(Limits::default, |config| config.limits.sandbox()))?;
    let (mut types, mut refused) = (Vec::new(), Vec::new());
    for source in sources() {
        types.push(admit(&sandbox, &source, config).await?);
    }
    if let Some((config, directory)) = config.and_then(|config| Some((config, config.actions_dir.as_ref()?)))
    {
        let (sources, too_large) = action_directory::sources(directory, config.limits.component_bytes_max)?;
        refused.extend(too_large);
        for source in sources {
            match admit(&sandbox, &source, Some(config)).await {
                Ok(action) if types.iter().any(|known| known.type_name == action.type_name) => {
                    refused.push(format!(
                        "{}: the type `{}` is there already; give this component another type name",
                        source.name, action.type_name
                    ));
                }
                Ok(action) => types.push(action),
                Err(error) => refused.push(format!("{error:#}")),
            }
        }
    }
    Ok((Catalog::new(types)?, refused))
}

async fn admit(sandbox: &Sandbox, source: &Source, config: Option<&Config>) -> anyhow::Result<ActionType> {
    let capabilities = match &source.origin {
        Origin::BuiltIn(capabilities) => capabilities.clone(),
        Origin::Custom => {
            let digest = Digest::of(&source.bytes).to_string();
            let grants = config.map_or(&[][..], |config| config.grants.as_slice());
            let grant = grants.iter().find(|grant| grant.digest == digest);
            grant.map(|grant| grant.permit().capabilities).unwrap_or_default()
        }
    };
    let action =
        sandbox.admit(&source.bytes, &Grant { capabilities }).await.with_context(|| source.name.clone())?;
    let descriptor = action.descriptor();
    Ok(ActionType {
        type_name: descriptor.type_name.clone(),
        parameters: descriptor.parameters.clone(),
        outputs: descriptor.outputs.clone(),
    })
}
