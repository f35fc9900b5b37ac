//! One REST call, and its answer.

use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};

use crate::errors::ApiError;
use crate::ids::is_id;

/// A REST call after routing and authentication.
#[derive(Debug)]
pub(crate) struct Call {
    /// Id of the user who calls; empty for a stranger, on routes that need no session.
    pub(crate) caller: String,
    /// The variable parts of the path, in order.
    pub(crate) params: Vec<String>,
    /// The decoded query, in order.
    pub(crate) query: Vec<(String, String)>,
    /// The body as it came.
    pub(crate) body: Vec<u8>,
}

impl Call {
    /// The n-th variable part of the path; empty if the route has fewer.
    pub(crate) fn param(&self, index: usize) -> &str {
        self.params.get(index).map_or("", String::as_str)
    }

    /// The n-th variable part of the path as an id; `me` stands for the caller.
    pub(crate) fn id(&self, index: usize, name: &str) -> Result<String, ApiError> {
        match self.param(index) {
            "me" => Ok(self.caller.clone()),
            id if is_id(id) => Ok(id.to_owned()),
            _ => Err(ApiError::url(name)),
        }
    }

    /// A value of the query, if given and not empty.
    pub(crate) fn query(&self, name: &str) -> Option<&str> {
        self.query
            .iter()
            .find(|(key, _)| key == name)
            .map(|(_, value)| value.as_str())
            .filter(|value| !value.is_empty())
    }

    /// Whether a switch of the query is on.
    pub(crate) fn flag(&self, name: &str) -> bool {
        self.query(name).is_some_and(|value| value == "true" || value == "1")
    }

    /// `page` and `per_page` of the query, as (items to skip, items to take). At most 200 a page, by default 60.
    pub(crate) fn page(&self) -> (usize, usize) {
        let number = |name| self.query(name).and_then(|text| text.parse::<usize>().ok());
        let size = number("per_page").unwrap_or(60).clamp(1, 200);
        (number("page").unwrap_or(0).saturating_mul(size), size)
    }

    /// The body as JSON of this form; `name` is what the error calls it. A key whose value is null counts as left out, as
    /// on the real server: there are clients that send every key they know.
    pub(crate) fn json<T: DeserializeOwned>(&self, name: &str) -> Result<T, ApiError> {
        serde_json::from_slice(&self.body).or_else(|_| self.without_nulls(name))
    }

    fn without_nulls<T: DeserializeOwned>(&self, name: &str) -> Result<T, ApiError> {
        let mut body: Map<String, Value> =
            serde_json::from_slice(&self.body).map_err(|_| ApiError::body(name))?;
        body.retain(|_, value| !value.is_null());
        serde_json::from_value(Value::Object(body)).map_err(|_| ApiError::body(name))
    }
}

/// A successful answer.
#[derive(Debug)]
pub(crate) struct Answer {
    /// HTTP status.
    pub(crate) status: u16,
    /// JSON body.
    pub(crate) body: Value,
    /// A token for the `Token` header, as a login gives it.
    pub(crate) token: Option<String>,
    /// A file instead of the JSON body: its media type and its bytes.
    pub(crate) file: Option<(&'static str, Vec<u8>)>,
}

impl Answer {
    /// 200 with this body.
    pub(crate) fn ok(body: Value) -> Answer {
        Answer { status: 200, body, token: None, file: None }
    }

    /// 201 with this body.
    pub(crate) fn created(body: Value) -> Answer {
        Answer { status: 201, ..Answer::ok(body) }
    }

    /// 200 with a file.
    pub(crate) fn file(kind: &'static str, content: Vec<u8>) -> Answer {
        Answer { file: Some((kind, content)), ..Answer::ok(Value::Null) }
    }

    /// 200 with the body `{"status": "OK"}`.
    pub(crate) fn done() -> Answer {
        Answer::ok(json!({"status": "OK"}))
    }
}

/// What a route's function gives.
pub(crate) type Outcome = Result<Answer, ApiError>;
