//! Trigger ids: what a click or a command hands to an integration, so that it can open a dialog for the person in time.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::errors::ApiError;
use crate::world::World;

/// A trigger id, in its two forms.
#[derive(Debug)]
pub(crate) struct Trigger {
    /// For the person's own client: an id.
    pub(crate) client: String,
    /// For the integration: also who, when, and a signature.
    pub(crate) signed: String,
}

impl World {
    /// A trigger id for what this user just did.
    pub(crate) fn trigger(&mut self, user_id: &str) -> Trigger {
        let (client, now, signature) = (self.ids.next(), self.now_ms(), self.ids.next());
        let signed = STANDARD.encode(format!("{client}:{user_id}:{now}:{signature}"));
        if self.triggers.len() >= self.limits.triggers_max.max(1) {
            self.triggers.pop_front();
        }
        self.triggers.push_back(signed.clone());
        Trigger { client, signed }
    }

    /// Whom a trigger id stands for, and its form for that person's client.
    pub(crate) fn triggered(&mut self, signed: &str) -> Result<(String, String), ApiError> {
        let wrong = |id, message: &str| ApiError::invalid(id, message);
        let text = STANDARD.decode(signed).map_err(|_| {
            let id = "interactive_message.decode_trigger_id.base64_decode_failed";
            wrong(id, "The trigger id is not in base64: send it as it came.")
        })?;
        let text = String::from_utf8_lossy(&text);
        let [client, user_id, made_ms, _signature] = text.split(':').collect::<Vec<_>>()[..] else {
            let id = "interactive_message.decode_trigger_id.missing_data";
            return Err(wrong(id, "The trigger id lacks something: send it as it came."));
        };
        if !self.triggers.iter().any(|known| known == signed) {
            let id = "interactive_message.decode_trigger_id.verify_signature_failed";
            return Err(wrong(id, "The trigger id was not made here, or is too old."));
        }
        let valid_ms = i64::try_from(self.limits.trigger_valid.as_millis()).unwrap_or(i64::MAX);
        let age_ms = self.now_ms().saturating_sub(made_ms.parse().unwrap_or(0));
        if age_ms > valid_ms {
            let id = "interactive_message.decode_trigger_id.expired";
            return Err(wrong(id, &format!("The trigger id was to be used within {valid_ms} ms.")));
        }
        Ok((user_id.to_owned(), client.to_owned()))
    }
}
