//! Error answers, in the form of the real server.

use serde_json::{Value, json};

/// An error answer: status, the id that clients match on, and a sentence for people.
#[derive(Debug, Clone)]
pub(crate) struct ApiError {
    /// HTTP status.
    pub(crate) status: u16,
    /// What clients match on, such as `api.context.permissions.app_error`.
    pub(crate) id: &'static str,
    /// What went wrong and what to do, for people.
    pub(crate) message: String,
    /// Only the router's own 404 fills this.
    detail: String,
}

impl ApiError {
    /// An error with this status, id and sentence.
    pub(crate) fn new(status: u16, id: &'static str, message: impl Into<String>) -> Self {
        ApiError { status, id, message: message.into(), detail: String::new() }
    }

    /// 400 with this id.
    pub(crate) fn invalid(id: &'static str, message: impl Into<String>) -> Self {
        ApiError::new(400, id, message)
    }

    /// 403: the caller may not do this.
    pub(crate) fn forbidden() -> Self {
        ApiError::new(
            403,
            "api.context.permissions.app_error",
            "You do not have the appropriate permissions. Join the team or channel, or ask an administrator.",
        )
    }

    /// 401: no token, or an unknown one.
    pub(crate) fn session() -> Self {
        ApiError::new(
            401,
            "api.context.session_expired.app_error",
            "Invalid or expired session, please log in again.",
        )
    }

    /// 404: no such route.
    pub(crate) fn route(method: &str, path: &str) -> Self {
        let mut error =
            ApiError::new(404, "api.context.404.app_error", "Sorry, the simulator has no such page.");
        error.detail = format!("There is no {method} {path}. A typo in the address?");
        error
    }

    /// 400: a part of the body is missing or of the wrong type.
    pub(crate) fn body(name: &str) -> Self {
        ApiError::invalid(
            "api.context.invalid_body_param.app_error",
            format!("Invalid or missing {name} in the request body."),
        )
    }

    /// 400: a part of the address is not what it should be.
    pub(crate) fn url(name: &str) -> Self {
        ApiError::invalid(
            "api.context.invalid_url_param.app_error",
            format!("Invalid or missing {name} in the address."),
        )
    }

    /// 400: a bound of the simulator is reached; no status of the real server fits.
    pub(crate) fn full(what: &str, max: usize) -> Self {
        ApiError::invalid(
            "simulator.limit.app_error",
            format!("The simulator holds at most {max} {what}. Restart it, or raise the limit."),
        )
    }

    /// Whether this is the router's own 404, which the real server sends as `text/plain`.
    pub(crate) fn is_route(&self) -> bool {
        self.id == "api.context.404.app_error"
    }

    /// The body, as clients read it.
    pub(crate) fn json(&self, request_id: &str) -> Value {
        json!({
            "id": self.id,
            "message": self.message,
            "detailed_error": self.detail,
            "request_id": request_id,
            "status_code": self.status,
        })
    }
}
