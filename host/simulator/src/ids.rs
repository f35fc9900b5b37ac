//! Identifiers as Mattermost makes them: 26 characters of a base-32 alphabet.

const ALPHABET: &[u8; 32] = b"ybndrfg8ejkmcpqxot1uwisza345h769";

/// Characters of every id and token.
pub(crate) const ID_CHARS: usize = 26;

/// Makes ids. Seeded once by the operating system, so that making one cannot fail afterwards.
///
/// Xorshift is no cryptographic generator. That is enough here: the server listens on loopback only, and its page gives
/// every identity to whoever reaches it.
#[derive(Debug)]
pub(crate) struct Ids {
    state: u64,
}

impl Ids {
    /// Takes a seed from the operating system.
    pub(crate) fn from_system() -> Result<Ids, getrandom::Error> {
        let mut seed = [0_u8; 8];
        getrandom::fill(&mut seed)?;
        Ok(Ids { state: u64::from_le_bytes(seed) | 1 })
    }

    /// A new id, also used for tokens.
    pub(crate) fn next(&mut self) -> String {
        (0..ID_CHARS).map(|_| self.letter()).collect()
    }

    fn letter(&mut self) -> char {
        self.state ^= self.state << 13;
        self.state ^= self.state >> 7;
        self.state ^= self.state << 17;
        // The high bits are the good ones.
        let index = (self.state >> 59) as usize;
        char::from(*ALPHABET.get(index).unwrap_or(&b'y'))
    }
}

/// Whether `text` has the form of an id.
pub(crate) fn is_id(text: &str) -> bool {
    text.len() == ID_CHARS && text.bytes().all(|byte| byte.is_ascii_alphanumeric())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_have_the_form_of_ids_and_differ() {
        let mut ids = Ids { state: 1 };
        let made: std::collections::HashSet<String> = (0..1_000).map(|_| ids.next()).collect();
        assert_eq!(made.len(), 1_000);
        assert!(made.iter().all(|id| is_id(id)));
        assert!(!is_id("short") && !is_id("abcdefghijklmnopqrstuvwxy-"));
    }
}
