//! What is to be sent.

use reqwest::Method;
use serde_json::Value;

/// A call that is to be sent.
pub(crate) struct Call<'a> {
    /// For whoever measures: `create_channel`.
    pub(crate) name: &'static str,
    /// For errors: "create the channel security-issue-1".
    pub(crate) doing: String,
    pub(crate) method: Method,
    /// The path below `/api/v4/`, unencoded.
    pub(crate) path: &'a [&'a str],
    pub(crate) query: &'a [(&'a str, String)],
    pub(crate) body: Option<Value>,
    /// Whether the server answers it whatever the token, so that its answer says nothing of the token.
    pub(crate) is_open: bool,
    /// Whether it asks whose the token is: it is sent also while the client is held.
    pub(crate) asks_who: bool,
    /// Whether the answer holds a secret, so that no error may quote it.
    pub(crate) is_secret: bool,
    /// Whether the answer lists all there is, since the server gives no pages of it.
    pub(crate) is_listing: bool,
}

impl<'a> Call<'a> {
    /// A call without query and body.
    pub(crate) fn new(
        name: &'static str,
        method: Method,
        path: &'a [&'a str],
        doing: impl Into<String>,
    ) -> Self {
        Self {
            name,
            doing: doing.into(),
            method,
            path,
            query: &[],
            body: None,
            is_open: false,
            asks_who: false,
            is_secret: false,
            is_listing: false,
        }
    }

    /// Adds a query.
    pub(crate) fn query(self, query: &'a [(&'a str, String)]) -> Self {
        Self { query, ..self }
    }

    /// Adds a body.
    pub(crate) fn body(self, body: Value) -> Self {
        Self { body: Some(body), ..self }
    }

    /// Needs no token: it is sent even when the token is refused.
    pub(crate) fn open(self) -> Self {
        Self { is_open: true, ..self }
    }

    /// Asks whose the token is.
    pub(crate) fn asking_who(self) -> Self {
        Self { asks_who: true, ..self }
    }

    /// Has an answer without pages, as long as there is something to list.
    pub(crate) fn listing(self) -> Self {
        Self { is_listing: true, ..self }
    }

    /// Has an answer that nobody but the caller may see.
    pub(crate) fn secret(self) -> Self {
        Self { is_secret: true, ..self }
    }
}
