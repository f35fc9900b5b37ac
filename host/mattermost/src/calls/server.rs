//! The server itself.

use std::time::UNIX_EPOCH;

use reqwest::Method;
use reqwest::header::{DATE, HeaderMap};
use serde::Deserialize;

use crate::call::Call;
use crate::client::Client;
use crate::error::ApiError;
use crate::server::{ClientConfig, ServerPing};

#[derive(Deserialize)]
struct Pong {
    #[serde(default)]
    status: String,
}

impl Client {
    /// Asks the server whether it is well, and what time it is. Needs no token.
    ///
    /// # Errors
    /// [`ApiError`]; with status 500 when the server is there and not well.
    pub async fn server_ping(&self) -> Result<ServerPing, ApiError> {
        let path = ["system", "ping"];
        let call = Call::new("server_ping", Method::GET, &path, "ask whether the server is well").open();
        let (pong, headers) = self.call_with_headers::<Pong>(call).await?;
        Ok(ServerPing { status: pong.status, time_ms: time_ms(&headers) })
    }

    /// The server's version and public address. Needs no token.
    ///
    /// # Errors
    /// [`ApiError`].
    pub async fn client_config(&self) -> Result<ClientConfig, ApiError> {
        let path = ["config", "client"];
        let query = [("format", "old".to_owned())];
        let call = Call::new("client_config", Method::GET, &path, "read the server's configuration");
        self.call(call.query(&query).open()).await
    }
}

fn time_ms(headers: &HeaderMap) -> Option<u64> {
    let date = httpdate::parse_http_date(headers.get(DATE)?.to_str().ok()?).ok()?;
    let since = date.duration_since(UNIX_EPOCH).ok()?;
    u64::try_from(since.as_millis()).ok()
}
