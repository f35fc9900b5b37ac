//! Sending a call and reading its answer, within bounds.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use reqwest::header::{AUTHORIZATION, HeaderMap, HeaderValue, RETRY_AFTER};
use reqwest::{Method, StatusCode, Url};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::error::{ApiError, ApiErrorKind, InvalidOptions};
use crate::options::ClientOptions;
use crate::tls;

/// How much of an answer that is no error of the server's is told to people, in characters.
const EXCERPT_CHARS_MAX: usize = 200;

/// A longer wait than this is not believed.
const RETRY_AFTER_MAX: Duration = Duration::from_secs(3600);

/// A client of one server, as one bot. Clones share the connections.
///
/// The client sends each call once; it is the caller who tries again. Calls may run at the same time.
#[derive(Clone)]
pub struct Client {
    shared: Arc<Shared>,
}

struct Shared {
    http: reqwest::Client,
    base: Url,
    options: ClientOptions,
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client").field("url", &self.shared.base.as_str()).finish_non_exhaustive()
    }
}

/// A call that is to be sent.
pub(crate) struct Call<'a> {
    /// For errors: "create the channel security-issue-1".
    pub(crate) doing: String,
    pub(crate) method: Method,
    /// The path below `/api/v4/`, unencoded.
    pub(crate) path: &'a [&'a str],
    pub(crate) query: &'a [(&'a str, String)],
    pub(crate) body: Option<Value>,
}

impl<'a> Call<'a> {
    /// A call without query and body.
    pub(crate) fn new(method: Method, path: &'a [&'a str], doing: impl Into<String>) -> Self {
        Self { doing: doing.into(), method, path, query: &[], body: None }
    }

    /// Adds a query.
    pub(crate) fn query(self, query: &'a [(&'a str, String)]) -> Self {
        Self { query, ..self }
    }

    /// Adds a body.
    pub(crate) fn body(self, body: Value) -> Self {
        Self { body: Some(body), ..self }
    }
}

impl Client {
    /// Makes a client. Nothing is sent yet.
    ///
    /// # Errors
    /// When the address is not one of a server, or the token cannot stand in a header.
    pub fn new(options: ClientOptions) -> Result<Self, InvalidOptions> {
        tls::install_provider();
        let invalid = |reason: String| InvalidOptions { url: options.url.clone(), reason };
        let base = base_url(&options.url).map_err(invalid)?;
        let mut headers = HeaderMap::new();
        headers.insert(AUTHORIZATION, bearer(&options).map_err(invalid)?);
        let http = reqwest::Client::builder()
            .default_headers(headers)
            .user_agent(concat!("warroom/", env!("CARGO_PKG_VERSION")))
            .timeout(options.timeout)
            .connect_timeout(options.connect_timeout)
            // A redirected POST would become a GET, and the token would go to another host.
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy()
            .build()
            .map_err(|error| invalid(chain(&error)))?;
        Ok(Self { shared: Arc::new(Shared { http, base, options }) })
    }

    /// The options that the client was made with.
    pub(crate) fn options(&self) -> &ClientOptions {
        &self.shared.options
    }

    /// The header that the event stream authenticates with.
    pub(crate) fn authorization(&self) -> Result<HeaderValue, String> {
        bearer(&self.shared.options)
    }

    /// An address below `/api/v4/`.
    pub(crate) fn address(&self, path: &[&str], query: &[(&str, String)]) -> Result<Url, ApiErrorKind> {
        let mut url = self.shared.base.clone();
        // The parser of URLs drops such segments, and the call would go somewhere else.
        if let Some(odd) = path.iter().find(|segment| matches!(**segment, "" | "." | "..")) {
            return Err(ApiErrorKind::Invalid(format!("`{odd}` is neither a name nor an id")));
        }
        let wrong = || ApiErrorKind::Invalid("the server's address cannot have a path".into());
        url.path_segments_mut().map_err(|()| wrong())?.pop_if_empty().extend(["api", "v4"]).extend(path);
        if !query.is_empty() {
            url.query_pairs_mut().extend_pairs(query);
        }
        Ok(url)
    }

    /// Sends a call and reads its answer.
    pub(crate) async fn call<T: DeserializeOwned>(&self, call: Call<'_>) -> Result<T, ApiError> {
        let doing = call.doing.clone();
        let body = self.send(call).await.map_err(|kind| ApiError::new(&doing, self.redacted(kind)))?;
        serde_json::from_slice(&body).map_err(|error| {
            let kind = ApiErrorKind::Unexpected(format!("{error} in `{}`", excerpt(&body)));
            ApiError::new(&doing, self.redacted(kind))
        })
    }

    async fn send(&self, call: Call<'_>) -> Result<Vec<u8>, ApiErrorKind> {
        let url = self.address(call.path, call.query)?;
        let mut request = self.shared.http.request(call.method, url);
        if let Some(body) = &call.body {
            request = request.json(body);
        }
        let response = request.send().await.map_err(|error| sending_failed(&error))?;
        let status = response.status();
        let headers = response.headers().clone();
        if status == StatusCode::TOO_MANY_REQUESTS {
            return Err(ApiErrorKind::RateLimited { retry_after: retry_after(&headers) });
        }
        let body = self.read(response).await;
        match (status, body) {
            (status, body) if status.is_success() => body,
            // What the server decided is known even when its words are lost.
            (status, body) if status.is_client_error() || status.is_server_error() => {
                Err(server_error(status, &body.unwrap_or_default()))
            }
            (status, _) => Err(unexpected_status(status, &headers)),
        }
    }

    /// Reads an answer up to its bound.
    async fn read(&self, mut response: reqwest::Response) -> Result<Vec<u8>, ApiErrorKind> {
        let bytes_max = self.shared.options.answer_bytes_max;
        let mut body = Vec::new();
        while let Some(chunk) =
            response.chunk().await.map_err(|error| ApiErrorKind::Interrupted(chain(&error)))?
        {
            if body.len().saturating_add(chunk.len()) > bytes_max {
                return Err(ApiErrorKind::Unexpected(format!("it is longer than {bytes_max} bytes")));
            }
            body.extend_from_slice(&chunk);
        }
        Ok(body)
    }

    /// No library and no server is trusted to leave the token out of its words.
    fn redacted(&self, kind: ApiErrorKind) -> ApiErrorKind {
        let redact = |text: &str| self.shared.options.token.redact(text);
        match kind {
            ApiErrorKind::Unreachable(text) => ApiErrorKind::Unreachable(redact(&text)),
            ApiErrorKind::Interrupted(text) => ApiErrorKind::Interrupted(redact(&text)),
            ApiErrorKind::Unexpected(text) => ApiErrorKind::Unexpected(redact(&text)),
            ApiErrorKind::Invalid(text) => ApiErrorKind::Invalid(redact(&text)),
            ApiErrorKind::Server { status, id, message } => {
                ApiErrorKind::Server { status, id: redact(&id), message: redact(&message) }
            }
            limited @ ApiErrorKind::RateLimited { .. } => limited,
        }
    }
}

fn base_url(text: &str) -> Result<Url, String> {
    let url = Url::parse(text).map_err(|error| format!("{error}. Write it as `https://chat.example.com`"))?;
    if !matches!(url.scheme(), "http" | "https") {
        return Err("it begins neither with `https://` nor with `http://`".into());
    }
    if url.query().is_some() || url.fragment().is_some() {
        return Err("it has a `?` or a `#`; leave out what follows".into());
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err("it has a user or a password; the bot's token is given by itself".into());
    }
    Ok(url)
}

fn bearer(options: &ClientOptions) -> Result<HeaderValue, String> {
    let token = options.token.expose();
    if token.is_empty() {
        return Err("the token is empty; give the access token of the bot".into());
    }
    let mut header = HeaderValue::from_str(&format!("Bearer {token}"))
        .map_err(|_| "the token has characters that no token has; copy it again".to_owned())?;
    header.set_sensitive(true);
    Ok(header)
}

fn sending_failed(error: &reqwest::Error) -> ApiErrorKind {
    if error.is_connect() {
        ApiErrorKind::Unreachable(chain(error))
    } else if error.is_builder() {
        ApiErrorKind::Invalid(chain(error))
    } else {
        ApiErrorKind::Interrupted(chain(error))
    }
}

/// The seconds of the header. Behind a second limiter the header can hold two values, and then the longer wait counts.
fn retry_after(headers: &HeaderMap) -> Option<Duration> {
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

fn server_error(status: StatusCode, body: &[u8]) -> ApiErrorKind {
    let status = status.as_u16();
    match serde_json::from_slice::<ErrorBody>(body) {
        Ok(ErrorBody { id, message }) if !id.is_empty() => ApiErrorKind::Server { status, id, message },
        // A proxy in front of the server speaks HTML.
        _ => ApiErrorKind::Server { status, id: String::new(), message: excerpt(body) },
    }
}

fn unexpected_status(status: StatusCode, headers: &HeaderMap) -> ApiErrorKind {
    let location = headers.get(reqwest::header::LOCATION).and_then(|value| value.to_str().ok());
    ApiErrorKind::Unexpected(match location {
        Some(location) => format!("it is {status}, to {location}: configure the address that this leads to"),
        None => format!("it is {status}"),
    })
}

fn excerpt(body: &[u8]) -> String {
    String::from_utf8_lossy(body).trim().chars().take(EXCERPT_CHARS_MAX).collect()
}

/// An error with all that caused it; the library's own text holds only the outermost.
fn chain(error: &dyn std::error::Error) -> String {
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
    use crate::token::Token;

    fn client(url: &str) -> Result<Client, InvalidOptions> {
        Client::new(ClientOptions::new(url, Token::new("t0ken")))
    }

    #[test]
    fn addresses_are_encoded_and_stay_below_the_base() {
        let client = client("https://h/chat/").unwrap();
        let url = client.address(&["teams", "a/b", "Town Square"], &[("q", "x&y".into())]).unwrap();
        assert_eq!(url.as_str(), "https://h/chat/api/v4/teams/a%2Fb/Town%20Square?q=x%26y");
        for odd in ["", ".", ".."] {
            assert!(matches!(client.address(&["users", odd], &[]), Err(ApiErrorKind::Invalid(_))), "{odd}");
        }
    }

    #[test]
    fn odd_options_are_refused() {
        for url in ["chat.example.com", "ftp://h", "https://h?x", "https://u:p@h", ""] {
            assert!(client(url).is_err(), "{url}");
        }
        let error = Client::new(ClientOptions::new("https://h", Token::new("a\nb"))).unwrap_err();
        assert!(!error.to_string().contains("a\nb"));
        assert!(Client::new(ClientOptions::new("https://h", Token::new(""))).is_err());
        assert!(!format!("{:?}", client("https://h").unwrap()).contains("t0ken"));
    }

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
