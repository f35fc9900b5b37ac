//! The settings of the server that a set-up depends on.

use super::console::Progress;
use crate::commands::callback_address::{self, CallbackAddress};
use anyhow::{Context as _, bail};
use serde_json::{Value, json};
use warroom_mattermost::Client;

/// A switch of the server's configuration.
pub(super) struct Switch {
    key: &'static str,
    /// Where an administrator finds it.
    place: &'static str,
    /// What it allows.
    allows: &'static str,
}

/// Whether bots can be made.
pub(super) const BOTS: Switch = Switch {
    key: "EnableBotAccountCreation",
    place: "System Console > Integrations > Bot Accounts > Enable Bot Account Creation",
    allows: "bot accounts to be made",
};

/// Whether accounts can have access tokens.
pub(super) const TOKENS: Switch = Switch {
    key: "EnableUserAccessTokens",
    place: "System Console > Integrations > Integration Management > Enable Personal Access Tokens",
    allows: "access tokens to be made",
};

impl Switch {
    fn is_on(&self, settings: &Value) -> bool {
        service_setting(settings, self.key).and_then(Value::as_bool).unwrap_or_default()
    }

    /// Makes sure that the switch is on: asks before it turns it on.
    ///
    /// # Errors
    /// When it is off and stays so.
    pub(super) async fn require(&self, client: &Client, progress: &mut Progress<'_>) -> anyhow::Result<()> {
        let settings = client.server_config().await?;
        if self.is_on(&settings) {
            progress.is_right(&format!("the server allows {}", self.allows));
            return Ok(());
        }
        let Switch { key, place, allows } = self;
        let question = format!(
            "The server does not allow {allows} (ServiceSettings.{key} is off; {place}). Turn it on now?"
        );
        if !progress.confirm(&question) {
            bail!("the server does not allow {allows}: turn on {place}, then run this again");
        }
        let changed = patch(client, key, json!(true)).await?;
        if !self.is_on(&changed) {
            bail!(
                "ServiceSettings.{key} stays off: the server's environment or its configuration file sets it. Turn it on there, \
                 then run this again"
            );
        }
        progress.changed(&format!("the server allows {allows} (ServiceSettings.{key})"));
        Ok(())
    }
}

fn service_setting<'a>(settings: &'a Value, key: &str) -> Option<&'a Value> {
    settings.get("ServiceSettings").and_then(|section| section.get(key))
}

async fn patch(client: &Client, key: &str, value: Value) -> anyhow::Result<Value> {
    let patch = json!({ "ServiceSettings": { key: value } });
    client.patch_server_config(&patch).await.with_context(|| format!("cannot set ServiceSettings.{key}"))
}

/// Makes sure that the server may call this address: asks before it is allowed.
///
/// # Errors
/// When the settings cannot be read or changed, or the address is none.
pub(super) async fn allow_callbacks(
    client: &Client,
    url: &str,
    progress: &mut Progress<'_>,
) -> anyhow::Result<()> {
    let address = CallbackAddress::resolve(url).await?;
    if !address.is_internal() {
        progress.is_right(&format!(
            "the server may call {url}, which is {}; whether it reaches it, `warroom doctor` tells",
            address.nature()
        ));
        return Ok(());
    }
    let settings = client.server_config().await?;
    let allowed = service_setting(&settings, callback_address::SETTING).and_then(Value::as_str);
    let allowed = allowed.unwrap_or_default().trim();
    let (host, nature) = (address.host(), address.nature());
    if address.is_allowed_by(allowed) {
        progress.is_right(&format!("the server may call {host}, which is {nature}"));
        return Ok(());
    }
    let wanted = format!("{allowed} {host}").trim().to_owned();
    let (setting, place) = (callback_address::SETTING, callback_address::PLACE);
    let question = format!(
        "Buttons and menus call {url}, which is {nature}: the server refuses that until ServiceSettings.{setting} names {host} \
         ({place}). Set it to `{wanted}` now?"
    );
    if !progress.confirm(&question) {
        progress.is_left(&format!("set {place} to `{wanted}`: without it no button and no menu works"));
        return Ok(());
    }
    let changed = patch(client, setting, json!(wanted)).await?;
    if service_setting(&changed, setting).and_then(Value::as_str) == Some(wanted.as_str()) {
        progress.changed(&format!("the server may call {host} (ServiceSettings.{setting} is `{wanted}`)"));
    } else {
        progress.is_left(&format!(
            "set ServiceSettings.{setting} to `{wanted}` in the server's environment or configuration file, which set it now"
        ));
    }
    Ok(())
}
