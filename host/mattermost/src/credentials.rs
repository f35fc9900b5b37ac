//! The token in use, and whether the server refuses it.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use reqwest::header::HeaderValue;
use tokio::sync::watch;
use tokio::time::Instant;

use crate::token::Token;

/// The token that all clones of a client use. Once the server refuses it, calls would only fill the server's log: they fail at once,
/// but for one now and then, since an administrator may enable the bot again.
#[derive(Debug)]
pub(crate) struct Credentials {
    current: Mutex<Current>,
    refused: watch::Sender<bool>,
    probe_every: Duration,
}

#[derive(Debug)]
struct Current {
    pass: Pass,
    /// When a refused token may be tried again; `None`: it is not refused.
    next_probe: Option<Instant>,
}

/// What a call carries.
#[derive(Debug, Clone)]
pub(crate) struct Pass {
    pub(crate) token: Token,
    pub(crate) header: HeaderValue,
}

impl Pass {
    fn new(token: Token) -> Result<Self, String> {
        if token.expose().is_empty() {
            return Err("the token is empty; give the access token of the bot".into());
        }
        let mut header = HeaderValue::from_str(&format!("Bearer {}", token.expose()))
            .map_err(|_| "the token has characters that no token has; copy it again".to_owned())?;
        header.set_sensitive(true);
        Ok(Self { token, header })
    }
}

impl Credentials {
    /// The error says what is wrong with the token, without it.
    pub(crate) fn new(token: Token, probe_every: Duration) -> Result<Self, String> {
        let current = Mutex::new(Current { pass: Pass::new(token)?, next_probe: None });
        Ok(Self { current, refused: watch::Sender::new(false), probe_every })
    }

    /// Uses another token from now on. The same one stays refused if it is.
    pub(crate) fn replace(&self, token: Token) -> Result<(), String> {
        let pass = Pass::new(token)?;
        let mut current = self.lock();
        if current.pass.token != pass.token {
            *current = Current { pass, next_probe: None };
            self.refused.send_replace(false);
        }
        Ok(())
    }

    /// Whether the token is refused, and the next probe is not due.
    pub(crate) fn is_barred(&self) -> bool {
        self.lock().next_probe.is_some_and(|next| Instant::now() < next)
    }

    /// Whether this is what calls carry, and not refused.
    pub(crate) fn is_in_force(&self, pass: &Pass) -> bool {
        let current = self.lock();
        current.next_probe.is_none() && current.pass.token == pass.token
    }

    /// Whether this is the token in use.
    pub(crate) fn is_current(&self, token: &Token) -> bool {
        self.lock().pass.token == *token
    }

    /// What a call carries; the error holds the token that is refused. Such a one is given out once whenever a probe is due.
    pub(crate) fn pass(&self) -> Result<Pass, Token> {
        let mut current = self.lock();
        if let Some(next) = current.next_probe {
            let now = Instant::now();
            if now < next {
                return Err(current.pass.token.clone());
            }
            current.next_probe = Some(now + self.probe_every);
        }
        Ok(current.pass.clone())
    }

    /// What a call carries that the server answers whatever the token.
    pub(crate) fn open_pass(&self) -> Pass {
        self.lock().pass.clone()
    }

    /// The server refused what a call carried. It does not count when the token was replaced meanwhile.
    pub(crate) fn mark_refused(&self, pass: &Pass) {
        let mut current = self.lock();
        if current.pass.token == pass.token {
            current.next_probe = Some(Instant::now() + self.probe_every);
            if !self.refused.send_replace(true) {
                tracing::error!(
                    "the server refuses the token: make a new one for the bot, or enable the bot again"
                );
            }
        }
    }

    /// The server took what a call carried.
    pub(crate) fn mark_accepted(&self, pass: &Pass) {
        let mut current = self.lock();
        if current.next_probe.is_some() && current.pass.token == pass.token {
            current.next_probe = None;
            self.refused.send_replace(false);
            tracing::info!("the server takes the token again");
        }
    }

    /// Tells whether the token is refused, and of every change.
    pub(crate) fn watch(&self) -> watch::Receiver<bool> {
        self.refused.subscribe()
    }

    /// Waits until the token is not refused any more, or may be tried again.
    pub(crate) async fn worth_trying(&self) {
        let mut refused = self.watch();
        let probe = self.lock().next_probe.unwrap_or_else(Instant::now);
        // The sender is this, so the first can only end with the token's acceptance.
        tokio::select! {
            _ = refused.wait_for(|refused| !refused) => {}
            () = tokio::time::sleep_until(probe) => {}
        }
    }

    fn lock(&self) -> MutexGuard<'_, Current> {
        // Nothing in here is left half changed by a panic.
        self.current.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const EVERY: Duration = Duration::from_secs(30);

    fn credentials() -> Credentials {
        Credentials::new(Token::new("one"), EVERY).unwrap()
    }

    #[tokio::test(start_paused = true)]
    async fn a_refused_token_is_tried_once_in_a_while() {
        let credentials = credentials();
        let refused = credentials.watch();
        let pass = credentials.pass().unwrap();
        credentials.mark_refused(&pass);
        assert!(*refused.borrow() && credentials.is_barred() && credentials.pass().is_err());
        tokio::time::advance(EVERY - Duration::from_millis(1)).await;
        assert!(credentials.pass().is_err());
        tokio::time::advance(Duration::from_millis(1)).await;
        assert!(!credentials.is_barred());
        assert!(credentials.pass().is_ok() && credentials.pass().is_err());
        credentials.mark_accepted(&pass);
        assert!(!*refused.borrow() && credentials.pass().is_ok());
    }

    #[tokio::test(start_paused = true)]
    async fn only_another_token_ends_the_refusal() {
        let credentials = credentials();
        let old = credentials.pass().unwrap();
        credentials.mark_refused(&old);
        credentials.replace(Token::new("one\n")).unwrap();
        assert!(credentials.pass().is_err());
        assert!(credentials.replace(Token::new("")).is_err());
        credentials.replace(Token::new("two")).unwrap();
        assert_eq!(credentials.pass().unwrap().token, Token::new("two"));
        // What becomes of calls with the old one says nothing of the new one.
        credentials.mark_refused(&old);
        assert!(credentials.pass().is_ok());
        credentials.mark_refused(&credentials.open_pass());
        credentials.mark_accepted(&old);
        assert!(credentials.pass().is_err());
    }

    #[tokio::test(start_paused = true)]
    async fn waiting_ends_with_a_probe_or_another_token() {
        let credentials = credentials();
        credentials.worth_trying().await;
        credentials.mark_refused(&credentials.open_pass());
        let began = Instant::now();
        credentials.worth_trying().await;
        assert_eq!(began.elapsed(), EVERY);

        credentials.mark_refused(&credentials.open_pass());
        let began = Instant::now();
        let replaced = async { credentials.replace(Token::new("two")) };
        let ((), replaced) = tokio::join!(credentials.worth_trying(), replaced);
        assert!(replaced.is_ok() && began.elapsed().is_zero());
    }
}
