//! Who may use the page: a browser on this machine, on the page itself.
//!
//! The page has no login, so that another site in the same browser could otherwise act through it, by a form or by a
//! name of its own that resolves to loopback.

use axum::extract::Request;
use axum::http::header::{HOST, ORIGIN, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");
const CONTENT_SECURITY_POLICY: HeaderName = HeaderName::from_static("content-security-policy");
const POLICY: HeaderValue = HeaderValue::from_static(
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; \
     form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
);

/// Refuses what does not come from the page itself, and tells the browser what the page may do.
pub(super) async fn check(request: Request, next: Next) -> Response {
    let mut response = match refusal(request.method(), request.headers()) {
        Some(reason) => (StatusCode::FORBIDDEN, reason).into_response(),
        None => next.run(request).await,
    };
    let headers = response.headers_mut();
    headers.insert(CONTENT_SECURITY_POLICY, POLICY);
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    response
}

fn refusal(method: &Method, headers: &HeaderMap) -> Option<&'static str> {
    let text = |name: &HeaderName| headers.get(name).map(|value| value.to_str().unwrap_or("unreadable"));
    let host = text(&HOST).unwrap_or_default();
    if !is_loopback(host) {
        return Some("The page answers on 127.0.0.1, [::1] and localhost only.");
    }
    if method == Method::GET || method == Method::HEAD {
        return None;
    }
    let same_site = text(&SEC_FETCH_SITE).is_none_or(|site| site == "same-origin" || site == "none");
    let same_origin = text(&ORIGIN).is_none_or(|origin| origin.strip_prefix("http://") == Some(host));
    (!same_site || !same_origin).then_some("Another site may not act through this page.")
}

fn is_loopback(host: &str) -> bool {
    let name = match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
        _ => host,
    };
    matches!(name, "localhost" | "127.0.0.1" | "[::1]")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(method: &Method, headers: &[(HeaderName, &'static str)]) -> bool {
        let headers = headers.iter().map(|(name, value)| (name.clone(), HeaderValue::from_static(value)));
        refusal(method, &headers.collect()).is_some()
    }

    #[test]
    fn only_the_page_itself_may_act() {
        let host = (HOST, "127.0.0.1:8065");
        assert!(!refused(&Method::POST, std::slice::from_ref(&host)));
        assert!(!refused(&Method::POST, &[host.clone(), (ORIGIN, "http://127.0.0.1:8065")]));
        assert!(!refused(&Method::POST, &[(HOST, "[::1]:1"), (ORIGIN, "http://[::1]:1")]));
        assert!(refused(&Method::POST, &[host.clone(), (ORIGIN, "http://127.0.0.1:9000")]));
        assert!(refused(&Method::POST, &[host.clone(), (ORIGIN, "null")]));
        assert!(refused(&Method::POST, &[host.clone(), (SEC_FETCH_SITE, "cross-site")]));
        assert!(refused(&Method::POST, &[host.clone(), (SEC_FETCH_SITE, "same-site")]));
        assert!(
            !refused(&Method::GET, &[host, (SEC_FETCH_SITE, "cross-site")]),
            "a link to the page is fine"
        );
        assert!(refused(&Method::GET, &[(HOST, "rebound.test:8065")]));
        assert!(refused(&Method::GET, &[]));
    }
}
