//! The bot's token, which nobody may see.

use std::fmt;

use serde::Deserialize;

/// An access token. Its text forms do not hold it.
#[derive(Clone, PartialEq, Eq, Deserialize)]
#[serde(from = "String")]
pub struct Token(String);

impl Token {
    /// Takes a token as it was configured; space around it, such as the end of a file's line, does not count.
    #[must_use]
    pub fn new(text: &str) -> Self {
        Self(text.trim().to_owned())
    }

    /// The token itself, for the header or the file that carries it. Nothing else should hold it.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// The text without the token, should a server or a library have put it there.
    pub(crate) fn redact(&self, text: &str) -> String {
        if self.0.is_empty() { text.to_owned() } else { text.replace(&self.0, "[token]") }
    }
}

impl From<String> for Token {
    fn from(text: String) -> Self {
        Self::new(&text)
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token([token])")
    }
}

impl fmt::Display for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[token]")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_token_does_not_show() {
        let token = Token::new(" s3cret\n");
        assert_eq!(token.expose(), "s3cret");
        assert_eq!(format!("{token} {token:?}"), "[token] Token([token])");
        assert_eq!(token.redact("bad token s3cret!"), "bad token [token]!");
        assert_eq!(Token::new("").redact("as it was"), "as it was");
    }
}
