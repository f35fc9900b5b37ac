//! What the server says about itself.

use serde_json::json;

use crate::call::{Answer, Call, Outcome};
use crate::errors::ApiError;
use crate::world::World;

/// The version whose behaviour was recorded.
pub(crate) const VERSION: &str = "5.37.0";

/// `GET /system/ping`
pub(crate) fn ping(_world: &mut World, _call: &Call) -> Outcome {
    Ok(Answer::ok(json!({
        "AndroidLatestVersion": "",
        "AndroidMinVersion": "",
        "DesktopLatestVersion": "",
        "DesktopMinVersion": "",
        "IosLatestVersion": "",
        "IosMinVersion": "",
        "status": "OK",
    })))
}

/// `GET /groups`: groups want a licence, and the simulator has none.
pub(crate) fn groups(_world: &mut World, _call: &Call) -> Outcome {
    Err(ApiError::new(501, "api.ldap_groups.license_error", "Your licence does not support groups."))
}
