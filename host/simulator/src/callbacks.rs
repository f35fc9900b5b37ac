//! Calls to integrations: what the server sends when somebody uses a control, a command or a dialog, and what may come back.

use std::error::Error;
use std::net::IpAddr;
use std::time::Duration;

use reqwest::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, USER_AGENT};
use reqwest::{Client, StatusCode, Url, redirect};
use serde::Deserialize;
use serde_json::{Map, Value};

use crate::options::Options;

/// What an integration answers to the use of a control; everything may be missing.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Reply {
    /// What to change on the post.
    pub(crate) update: Option<Update>,
    /// What to say to whoever clicked, and to nobody else.
    pub(crate) ephemeral_text: String,
}

impl Reply {
    /// What was received, read. The error says why it is no reply.
    pub(crate) fn read(received: &Received) -> Result<Reply, String> {
        match received.body_of_200()? {
            [] => Ok(Reply::default()),
            body => serde_json::from_slice(body)
                .map_err(|error| format!("the integration's answer is not as expected: {error}")),
        }
    }
}

/// The new text of the post, and its new props if given.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Update {
    pub(crate) message: String,
    pub(crate) props: Option<Map<String, Value>>,
}

/// What is sent to an integration.
#[derive(Debug)]
pub(crate) struct Message {
    kind: &'static str,
    authorization: Option<String>,
    body: String,
}

impl Message {
    /// JSON.
    pub(crate) fn json(body: &Value) -> Message {
        Message { kind: "application/json", authorization: None, body: body.to_string() }
    }

    /// A form.
    pub(crate) fn form(fields: &[(&str, &str)]) -> Message {
        // The form's encoding is that of a query.
        let encoded = Url::parse_with_params("http://form/", fields);
        let body = encoded.ok().and_then(|url| url.query().map(str::to_owned)).unwrap_or_default();
        Message { kind: "application/x-www-form-urlencoded", authorization: None, body }
    }

    /// With an `Authorization` header.
    pub(crate) fn authorized(self, value: String) -> Message {
        Message { authorization: Some(value), ..self }
    }
}

/// What an integration sent back.
#[derive(Debug)]
pub(crate) struct Received {
    status: StatusCode,
    /// The media type.
    pub(crate) kind: String,
    pub(crate) body: Vec<u8>,
}

impl Received {
    /// The body, if the status is 200; else the reason why it is none.
    pub(crate) fn body_of_200(&self) -> Result<&[u8], String> {
        match self.status {
            StatusCode::OK => Ok(&self.body),
            status => Err(format!("the integration answered {} instead of 200", status.as_u16())),
        }
    }
}

/// Calls integrations.
#[derive(Debug)]
pub(crate) struct Callbacks {
    client: Client,
    hosts: Vec<String>,
    reply_bytes_max: usize,
}

impl Callbacks {
    /// A caller within the limits of `options`.
    pub(crate) fn new(options: &Options) -> Result<Callbacks, reqwest::Error> {
        // The client asks for a TLS provider even if it will only speak HTTP. Another part of the process may have
        // installed one already: then that one serves.
        if rustls::crypto::ring::default_provider().install_default().is_err() {
            tracing::debug!("a TLS provider is installed already");
        }
        let client = Client::builder()
            .timeout(options.limits.callback_timeout)
            .connect_timeout(options.limits.callback_timeout.min(Duration::from_secs(5)))
            .redirect(redirect::Policy::none())
            .no_proxy()
            // No certificates: nothing but HTTP is called, so do not read the system's.
            .tls_certs_only(Vec::new())
            .build()?;
        Ok(Callbacks {
            client,
            hosts: options.callback_hosts.clone(),
            reply_bytes_max: options.limits.callback_reply_bytes_max,
        })
    }

    /// Sends `message` to `url`. The error says why nothing came back.
    pub(crate) async fn exchange(&self, url: &str, message: Message) -> Result<Received, String> {
        let url = self.check(url)?;
        let mut request = self
            .client
            .post(url)
            .header(USER_AGENT, "Mattermost-Bot/1.1")
            .header(ACCEPT, "application/json")
            .header(CONTENT_TYPE, message.kind);
        if let Some(authorization) = message.authorization {
            request = request.header(AUTHORIZATION, authorization);
        }
        let mut response = request
            .body(message.body)
            .send()
            .await
            .map_err(|error| format!("the integration could not be reached: {}", cause(error)))?;
        let (status, kind) = (response.status(), response.headers().get(CONTENT_TYPE));
        let kind = kind.and_then(|kind| kind.to_str().ok()).unwrap_or_default().to_owned();
        let mut body = Vec::new();
        while let Some(chunk) = response
            .chunk()
            .await
            .map_err(|error| format!("the integration's answer broke off: {}", cause(error)))?
        {
            if body.len() + chunk.len() > self.reply_bytes_max {
                return Err(format!("the integration's answer has more than {} bytes", self.reply_bytes_max));
            }
            body.extend_from_slice(&chunk);
        }
        Ok(Received { status, kind, body })
    }

    /// Only HTTP, and only to loopback and the hosts that were allowed.
    fn check(&self, url: &str) -> Result<Url, String> {
        let url = Url::parse(url).map_err(|error| format!("the control's URL is none: {error}"))?;
        if url.scheme() != "http" {
            return Err(format!("the simulator calls http:// only, not {}://", url.scheme()));
        }
        let host = url.host_str().unwrap_or_default();
        let bare = host.trim_start_matches('[').trim_end_matches(']');
        let loopback = host == "localhost" || bare.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback());
        if loopback || self.hosts.iter().any(|allowed| allowed == host) {
            Ok(url)
        } else {
            Err(format!("address forbidden: {host} is not loopback; allow it with callback_hosts"))
        }
    }
}

/// The innermost cause, such as "connection refused": the outer ones only say that a request failed. The address is left
/// out, since it may hold a secret of the integration.
fn cause(error: reqwest::Error) -> String {
    if error.is_timeout() {
        return "it took too long".to_owned();
    }
    let error = error.without_url();
    let mut innermost: &dyn Error = &error;
    while let Some(source) = innermost.source() {
        innermost = source;
    }
    innermost.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_loopback_and_allowed_hosts_are_called() {
        let options = Options { callback_hosts: vec!["chat.test".to_owned()], ..Options::default() };
        let callbacks = Callbacks::new(&options).unwrap();
        for url in ["http://127.0.0.1:1/x", "http://localhost/x", "http://[::1]:2/", "http://chat.test/a"] {
            assert!(callbacks.check(url).is_ok(), "{url}");
        }
        for url in
            ["http://192.168.0.1/", "https://127.0.0.1/", "file:///etc/passwd", "http://evil.test/", "x"]
        {
            assert!(callbacks.check(url).is_err(), "{url}");
        }
    }
}
