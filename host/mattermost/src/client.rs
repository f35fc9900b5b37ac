//! Sending a call and reading its answer, within bounds.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use reqwest::header::{AUTHORIZATION, HeaderMap};
use reqwest::{StatusCode, Url};
use serde::de::DeserializeOwned;
use tokio::sync::watch;
use tokio::time::Instant;

use crate::answers::{chain, excerpt, read, retry_after, sending_failed, server_error, unexpected_status};
use crate::call::Call;
use crate::credentials::{Credentials, Pass};
use crate::error::{ApiError, ApiErrorKind, InvalidOptions};
use crate::observer::{CallOutcome, Observer};
use crate::options::ClientOptions;
use crate::throttle::Throttle;
use crate::tls;
use crate::token::Token;

/// Longer times than this are cut, so that no clock overflows.
const TIME_MAX: Duration = Duration::from_secs(24 * 3600);

/// How long a server is left alone that says that there are too many calls, and not how long to wait.
const HOLD_UNTOLD: Duration = Duration::from_secs(1);

/// A client of one server, as one bot. Clones share the connections, the token and the throttle.
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
    credentials: Credentials,
    throttle: Throttle,
    held: watch::Sender<bool>,
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client").field("url", &self.shared.base.as_str()).finish_non_exhaustive()
    }
}

impl Client {
    /// Makes a client. Nothing is sent yet.
    ///
    /// # Errors
    /// When the address is not one of a server, or the token cannot stand in a header.
    pub fn new(mut options: ClientOptions) -> Result<Self, InvalidOptions> {
        tls::install_provider();
        options.timeout = options.timeout.min(TIME_MAX);
        let invalid = |reason: String| InvalidOptions { url: options.url.clone(), reason };
        let base = base_url(&options.url).map_err(invalid)?;
        let probe_every = options.refused_probe_every.min(TIME_MAX);
        let credentials = Credentials::new(options.token.clone(), probe_every).map_err(invalid)?;
        let throttle = Throttle::new(options.calls_per_second, options.calls_burst);
        let http = reqwest::Client::builder()
            .user_agent(concat!("warroom/", env!("CARGO_PKG_VERSION")))
            .connect_timeout(options.connect_timeout)
            // A redirected POST would become a GET, and the token would go to another host.
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy()
            .build()
            .map_err(|error| invalid(chain(&error)))?;
        let held = watch::Sender::new(false);
        Ok(Self { shared: Arc::new(Shared { http, base, options, credentials, throttle, held }) })
    }

    /// Uses another token from now on, in all clones: for later calls, and when the event stream connects again. Calls fail no
    /// more because the last one was refused. The same token again changes nothing.
    ///
    /// # Errors
    /// When the token cannot stand in a header; then the one before stays in use.
    pub fn replace_token(&self, token: Token) -> Result<(), InvalidOptions> {
        let invalid = |reason| InvalidOptions { url: self.shared.options.url.clone(), reason };
        self.shared.credentials.replace(token).map_err(invalid)
    }

    /// Whether calls are made with this token.
    #[must_use]
    pub fn has_token(&self, token: &Token) -> bool {
        self.shared.credentials.is_current(token)
    }

    /// Keeps all clones from calling, as if the server could not be reached, and from connecting to the event stream; or lets them again.
    /// For as long as it is not known whose the token is, which can still be asked.
    pub fn hold(&self, is_held: bool) {
        self.shared.held.send_replace(is_held);
    }

    fn is_held(&self) -> bool {
        *self.shared.held.borrow()
    }

    /// Returns once nothing is held.
    pub(crate) async fn let_go(&self) {
        // The sender is this, so there is no error.
        let _ = self.shared.held.subscribe().wait_for(|is_held| !is_held).await;
    }

    /// A client of the same server with another token, which shares nothing with this one.
    ///
    /// # Errors
    /// When no header can hold the token.
    pub fn with_token(&self, token: Token) -> Result<Client, InvalidOptions> {
        Client::new(ClientOptions { token, ..self.shared.options.clone() })
    }

    /// Whether the server refuses the token. The receiver is told of every change.
    #[must_use]
    pub fn token_refused(&self) -> watch::Receiver<bool> {
        self.shared.credentials.watch()
    }

    /// How many calls, of all clones, wait for their turn now, as [`ClientOptions::calls_per_second`] says or the server asked.
    #[must_use]
    pub fn calls_waiting(&self) -> usize {
        self.shared.throttle.waiting()
    }

    /// The options that the client was made with. The token may be another one by now.
    pub(crate) fn options(&self) -> &ClientOptions {
        &self.shared.options
    }

    pub(crate) fn credentials(&self) -> &Credentials {
        &self.shared.credentials
    }

    pub(crate) fn observer(&self) -> Option<&dyn Observer> {
        self.shared.options.observer.as_deref()
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
        self.call_with_headers(call).await.map(|(answer, _)| answer)
    }

    /// Sends a call and reads its answer, which came with these headers.
    pub(crate) async fn call_with_headers<T: DeserializeOwned>(
        &self,
        call: Call<'_>,
    ) -> Result<(T, HeaderMap), ApiError> {
        let began = Instant::now();
        let result = self.attempt(&call, began + self.shared.options.timeout).await;
        if let Some(observer) = self.observer() {
            let outcome = result.as_ref().map_or_else(CallOutcome::of, |_| CallOutcome::Ok);
            observer.called(call.name, outcome, began.elapsed());
        }
        result.map_err(|kind| ApiError::new(&call.doing, kind))
    }

    /// Waits for the call's turn, and sends it if the token is worth sending.
    async fn attempt<T: DeserializeOwned>(
        &self,
        call: &Call<'_>,
        deadline: Instant,
    ) -> Result<(T, HeaderMap), ApiErrorKind> {
        let Shared { credentials, throttle, options, .. } = &*self.shared;
        let url = self.address(call.path, call.query)?;
        if self.is_held() && !call.asks_who && !call.is_open {
            return Err(ApiErrorKind::Unreachable("it has not said yet whose the token is".to_owned()));
        }
        // A refused token makes calls fail at once, not when their turn comes.
        if !call.is_open && credentials.is_barred() {
            return Err(ApiErrorKind::TokenRefused);
        }
        let turn = throttle.turn(deadline).await;
        turn.map_err(|wait| ApiErrorKind::TurnTooLate { wait })?;
        let pass = if call.is_open { Ok(credentials.open_pass()) } else { credentials.pass() };
        let pass = pass.map_err(|_| ApiErrorKind::TokenRefused)?;

        let result = self.exchange(call, url, &pass, deadline).await;
        match &result {
            Err(ApiErrorKind::RateLimited { retry_after }) => {
                throttle.hold(retry_after.unwrap_or(HOLD_UNTOLD).min(options.hold_max));
            }
            Ok(_) if !call.is_open => credentials.mark_accepted(&pass),
            // A proxy that wants a password does not know the token.
            Err(ApiErrorKind::Server { status: 401, id, .. }) if !call.is_open && !id.is_empty() => {
                credentials.mark_refused(&pass);
            }
            _ => {}
        }
        let (body, headers) = result.map_err(|kind| redacted(kind, &pass.token))?;
        match serde_json::from_slice(&body) {
            Ok(answer) => Ok((answer, headers)),
            Err(_) if call.is_secret => {
                Err(ApiErrorKind::Unexpected("it holds a secret, and is not shown".into()))
            }
            Err(error) => {
                let kind = ApiErrorKind::Unexpected(format!("{error} in `{}`", excerpt(&body)));
                Err(redacted(kind, &pass.token))
            }
        }
    }

    async fn exchange(
        &self,
        call: &Call<'_>,
        url: Url,
        pass: &Pass,
        deadline: Instant,
    ) -> Result<(Vec<u8>, HeaderMap), ApiErrorKind> {
        let left = deadline.saturating_duration_since(Instant::now());
        let mut request = self.shared.http.request(call.method.clone(), url).timeout(left);
        request = request.header(AUTHORIZATION, pass.header.clone());
        if let Some(body) = &call.body {
            request = request.json(body);
        }
        let response = request.send().await.map_err(|error| sending_failed(&error))?;
        let status = response.status();
        let headers = response.headers().clone();
        if status == StatusCode::TOO_MANY_REQUESTS {
            return Err(ApiErrorKind::RateLimited { retry_after: retry_after(&headers) });
        }
        let options = &self.shared.options;
        let bytes_max = if call.is_listing { options.listing_bytes_max } else { options.answer_bytes_max };
        let body = read(response, bytes_max).await;
        match (status, body) {
            (status, body) if status.is_success() => body.map(|body| (body, headers)),
            // What the server decided is known even when its words are lost.
            (status, body) if status.is_client_error() || status.is_server_error() => {
                Err(server_error(status, &headers, &body.unwrap_or_default()))
            }
            (status, _) => Err(unexpected_status(status, &headers)),
        }
    }
}

/// No library and no server is trusted to leave the token out of its words.
fn redacted(kind: ApiErrorKind, token: &Token) -> ApiErrorKind {
    let redact = |text: &str| token.redact(text);
    match kind {
        ApiErrorKind::Unreachable(text) => ApiErrorKind::Unreachable(redact(&text)),
        ApiErrorKind::Interrupted(text) => ApiErrorKind::Interrupted(redact(&text)),
        ApiErrorKind::Unexpected(text) => ApiErrorKind::Unexpected(redact(&text)),
        ApiErrorKind::Invalid(text) => ApiErrorKind::Invalid(redact(&text)),
        ApiErrorKind::Server { status, id, message, retry_after } => {
            ApiErrorKind::Server { status, id: redact(&id), message: redact(&message), retry_after }
        }
        wordless @ (ApiErrorKind::RateLimited { .. }
        | ApiErrorKind::TurnTooLate { .. }
        | ApiErrorKind::TooLong(_)
        | ApiErrorKind::TokenRefused) => wordless,
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

    #[tokio::test(start_paused = true)]
    async fn calls_take_their_turns_as_the_options_say() {
        let options = ClientOptions {
            calls_per_second: 4,
            calls_burst: 3,
            ..ClientOptions::new("https://h", Token::new("t"))
        };
        let client = Client::new(options).unwrap();
        let clone = client.clone();
        for _ in 0..3 {
            assert_eq!(client.shared.throttle.turn(Instant::now()).await, Ok(()));
        }
        assert_eq!(clone.shared.throttle.turn(Instant::now()).await, Err(Duration::from_millis(250)));
    }
}
