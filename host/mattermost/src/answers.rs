//! What became of a call: reading answers and errors.

use std::time::Duration;

use reqwest::StatusCode;
use reqwest::header::{HeaderMap, RETRY_AFTER};
use serde::Deserialize;

use crate::error::ApiErrorKind;

/// How much of an answer that is no error of the server's is told to people, in characters.
const EXCERPT_CHARS_MAX: usize = 200;

/// A longer wait than this is not believed.
const RETRY_AFTER_MAX: Duration = Duration::from_secs(3600);

/// An answer up to its bound.
pub(crate) async fn read(mut response: reqwest::Response, bytes_max: usize) -> Result<Vec<u8>, ApiErrorKind> {
    let mut body = Vec::new();
    while let Some(chunk) =
        response.chunk().await.map_err(|error| ApiErrorKind::Interrupted(chain(&error)))?
    {
        if body.len().saturating_add(chunk.len()) > bytes_max {
            return Err(ApiErrorKind::TooLong(bytes_max));
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}

pub(crate) fn sending_failed(error: &reqwest::Error) -> ApiErrorKind {
    if error.is_connect() {
        ApiErrorKind::Unreachable(chain(error))
    } else if error.is_builder() {
        ApiErrorKind::Invalid(chain(error))
    } else {
        ApiErrorKind::Interrupted(chain(error))
    }
}

/// The seconds of the header. Behind a second limiter the header can hold two values, and then the longer wait counts.
pub(crate) fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    headers
        .get_all(RETRY_AFTER)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .filter_map(|value| value.trim().parse().ok())
        .max()
        .map(|seconds| Duration::from_secs(seconds).min(RETRY_AFTER_MAX))
}

/// What servers say about an error.
#[derive(Default, Deserialize)]
#[serde(default)]
struct ErrorBody {
    id: String,
    message: String,
}

pub(crate) fn server_error(status: StatusCode, headers: &HeaderMap, body: &[u8]) -> ApiErrorKind {
    let retry_after = retry_after(headers);
    let status = status.as_u16();
    match serde_json::from_slice::<ErrorBody>(body) {
        Ok(ErrorBody { id, message }) if !id.is_empty() => {
            ApiErrorKind::Server { status, id, message, retry_after }
        }
        // A proxy in front of the server speaks HTML.
        _ => ApiErrorKind::Server { status, id: String::new(), message: excerpt(body), retry_after },
    }
}

pub(crate) fn unexpected_status(status: StatusCode, headers: &HeaderMap) -> ApiErrorKind {
    let location = headers.get(reqwest::header::LOCATION).and_then(|value| value.to_str().ok());
    ApiErrorKind::Unexpected(match location {
        Some(location) => format!("it is {status}, to {location}: configure the address that this leads to"),
        None => format!("it is {status}"),
    })
}

pub(crate) fn excerpt(body: &[u8]) -> String {
    String::from_utf8_lossy(body).trim().chars().take(EXCERPT_CHARS_MAX).collect()
}

/// An error with all that caused it; the library's own text holds only the outermost.
pub(crate) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let inner = error.to_string();
        if !text.contains(&inner) {
            text.push_str(": ");
            text.push_str(&inner);
        }
        cause = error.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use reqwest::header::HeaderValue;

    #[test]
    fn retry_after_takes_odd_headers() {
        let mut headers = HeaderMap::new();
        assert_eq!(retry_after(&headers), None);
        for (value, seconds) in
            [("1", Some(1)), ("1, 3", Some(3)), ("999999", Some(3600)), ("soon", None), ("-1", None)]
        {
            headers.insert(RETRY_AFTER, HeaderValue::from_static(value));
            assert_eq!(retry_after(&headers), seconds.map(Duration::from_secs), "{value}");
        }
    }
}
