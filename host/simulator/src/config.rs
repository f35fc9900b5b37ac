//! The server's configuration, as far as a set-up reads and changes it.

use serde_json::{Map, Value, json};

use crate::call::{Answer, Call, Outcome};
use crate::errors::ApiError;
use crate::system::VERSION;
use crate::world::World;

/// A switch of the configuration that the simulator heeds. Everything else is kept as it was written, and does nothing.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Switch {
    /// Whether bots can be made.
    Bots,
    /// Whether people can have access tokens.
    PersonalTokens,
}

impl Switch {
    fn key(self) -> &'static str {
        match self {
            Switch::Bots => "EnableBotAccountCreation",
            Switch::PersonalTokens => "EnableUserAccessTokens",
        }
    }
}

/// What a simulator begins with: what is needed to be of use without a set-up is on.
pub(crate) fn initial() -> Value {
    json!({
        "ServiceSettings": {
            "SiteURL": "",
            "AllowedUntrustedInternalConnections": "",
            "EnableBotAccountCreation": true,
            "EnableUserAccessTokens": true,
            "EnableIncomingWebhooks": true,
            "EnableOutgoingWebhooks": true,
            "EnableCommands": true,
            "EnablePostUsernameOverride": true,
            "EnablePostIconOverride": true,
            "EnableTesting": false,
        },
        "TeamSettings": {
            "SiteName": "Mattermost",
            "MaxUsersPerTeam": 1_000,
            "MaxChannelsPerTeam": 2_000,
            "EnableOpenServer": true,
            "EnableUserCreation": true,
        },
        "RateLimitSettings": {
            "Enable": false,
            "PerSec": 10,
            "MaxBurst": 100,
            "VaryByRemoteAddr": true,
            "VaryByUser": false,
        },
    })
}

impl World {
    fn setting(&self, section: &str, key: &str) -> Option<&Value> {
        self.config.get(section).and_then(|section| section.get(key))
    }

    /// Whether this is on.
    pub(crate) fn switched_on(&self, switch: Switch) -> bool {
        self.setting("ServiceSettings", switch.key()).and_then(Value::as_bool).unwrap_or_default()
    }

    /// Where people reach the server, as the configuration says.
    /// Where people and integrations reach the server.
    pub(crate) fn site_url(&self) -> &str {
        self.config.pointer("/ServiceSettings/SiteURL").and_then(Value::as_str).unwrap_or_default()
    }

    /// Says where people and integrations reach the server.
    pub(crate) fn set_site_url(&mut self, url: &str) {
        merge(&mut self.config, json!({"ServiceSettings": {"SiteURL": url}}));
    }
}

/// Sets what `patch` names and leaves the rest. Goes as deep as the patch, whose depth the JSON reader bounds.
fn merge(config: &mut Value, patch: Value) {
    match (config, patch) {
        (Value::Object(config), Value::Object(patch)) => {
            for (key, value) in patch {
                merge(config.entry(key).or_insert(Value::Null), value);
            }
        }
        (config, patch) => *config = patch,
    }
}

/// `GET /config`
pub(crate) fn get(world: &mut World, call: &Call) -> Outcome {
    if !world.is_admin(&call.caller) {
        return Err(ApiError::forbidden());
    }
    Ok(Answer::ok(world.config.clone()))
}

/// `PUT /config/patch`
pub(crate) fn patch(world: &mut World, call: &Call) -> Outcome {
    let patch: Map<String, Value> = call.json("config")?;
    if !world.is_admin(&call.caller) {
        return Err(ApiError::forbidden());
    }
    let mut patched = world.config.clone();
    merge(&mut patched, Value::Object(patch));
    if patched.to_string().len() > world.limits.config_bytes_max {
        return Err(ApiError::full("bytes of configuration", world.limits.config_bytes_max));
    }
    world.config = patched.clone();
    Ok(Answer::ok(patched))
}

/// `GET /config/client?format=old`: those who are logged in see more.
pub(crate) fn client(world: &mut World, call: &Call) -> Outcome {
    match call.query("format") {
        Some("old") => {}
        Some(_) => return Err(ApiError::url("format")),
        None => {
            return Err(ApiError::new(
                501,
                "api.config.client.old_format.app_error",
                "New format for the client configuration is not supported. Ask with format=old.",
            ));
        }
    }
    let mut shown = json!({
        "BuildNumber": "",
        "EnableBotAccountCreation": world.switched_on(Switch::Bots).to_string(),
        "Version": VERSION,
    });
    if !call.caller.is_empty() {
        let url = world.setting("ServiceSettings", "SiteURL").cloned().unwrap_or_default();
        let tokens = world.switched_on(Switch::PersonalTokens).to_string();
        merge(&mut shown, json!({"SiteURL": url, "EnableUserAccessTokens": tokens}));
    }
    Ok(Answer::ok(shown))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_patch_changes_what_it_names_only() {
        let mut config = json!({"A": {"x": 1, "y": [1, 2]}, "B": true});
        merge(&mut config, json!({"A": {"y": [3], "z": {"new": 1}}, "C": "c"}));
        assert_eq!(config, json!({"A": {"x": 1, "y": [3], "z": {"new": 1}}, "B": true, "C": "c"}));
    }
}
