//! Patterns of triggers.

use std::fmt;

/// The longest pattern, in bytes.
pub const PATTERN_BYTES_MAX: usize = 8 * 1024;
/// The most memory that a compiled pattern may take, in bytes. A nest of counted repetitions grows without bound otherwise.
pub const PATTERN_MEMORY_BYTES_MAX: usize = 1024 * 1024;

/// A pattern that `match_regex` holds. Matching takes time linear in the message, whatever the pattern.
///
/// The syntax is that of the `regex` crate, in which `\d`, `\w`, `\s` and `\b` know all of Unicode. A type of its own, so that the syntax it reads and the engine it runs on can change without its users.
#[derive(Clone)]
pub struct Pattern {
    regex: regex::Regex,
}

/// Why a text is no [`Pattern`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PatternError {
    /// The text is longer than [`PATTERN_BYTES_MAX`].
    #[error("it has {0} bytes, more than {PATTERN_BYTES_MAX}")]
    Long(usize),
    /// Compiled, it would take more than [`PATTERN_MEMORY_BYTES_MAX`].
    #[error("it is too large when its repetitions are written out, make them smaller")]
    Memory,
    /// It breaks the syntax.
    #[error("{0}")]
    Syntax(String),
}

impl Pattern {
    /// Compiles a pattern.
    pub fn new(text: &str) -> Result<Pattern, PatternError> {
        if text.len() > PATTERN_BYTES_MAX {
            return Err(PatternError::Long(text.len()));
        }
        let regex = regex::RegexBuilder::new(text)
            .size_limit(PATTERN_MEMORY_BYTES_MAX)
            .dfa_size_limit(PATTERN_MEMORY_BYTES_MAX)
            .build()
            .map_err(|error| match error {
                regex::Error::CompiledTooBig(_) => PatternError::Memory,
                // The crate draws the pattern over several lines; its last line says what is wrong.
                other => {
                    let drawn = other.to_string();
                    let reason = drawn.lines().last().unwrap_or_default().trim();
                    PatternError::Syntax(reason.trim_start_matches("error: ").to_owned())
                }
            })?;
        Ok(Pattern { regex })
    }

    /// Whether the pattern matches anywhere in `text`.
    pub fn is_match(&self, text: &str) -> bool {
        self.regex.is_match(text)
    }

    /// The pattern as written.
    pub fn as_str(&self) -> &str {
        self.regex.as_str()
    }
}

impl PartialEq for Pattern {
    fn eq(&self, other: &Pattern) -> bool {
        self.as_str() == other.as_str()
    }
}

impl Eq for Pattern {}

impl fmt::Debug for Pattern {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_tuple("Pattern").field(&self.as_str()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn matches_anywhere() {
        let pattern = Pattern::new(r"^\[FIRING:\d+\]|outage").unwrap();
        assert!(pattern.is_match("[FIRING:3] disk"));
        assert!(pattern.is_match("an outage"));
        assert!(!pattern.is_match("x [FIRING:3] disk"));
    }

    #[test]
    fn a_wrong_pattern_says_why() {
        assert_eq!(Pattern::new("(a"), Err(PatternError::Syntax("unclosed group".to_owned())));
        assert!(
            matches!(Pattern::new("(?=a)"), Err(PatternError::Syntax(reason)) if reason.contains("look-around"))
        );
    }

    #[test]
    fn size_is_bounded() {
        assert!(Pattern::new(&"a".repeat(PATTERN_BYTES_MAX)).is_ok());
        assert_eq!(
            Pattern::new(&"a".repeat(PATTERN_BYTES_MAX + 1)),
            Err(PatternError::Long(PATTERN_BYTES_MAX + 1))
        );
        assert!(Pattern::new("(a{100}){100}").is_ok());
        assert_eq!(Pattern::new("((a{100}){100}){100}"), Err(PatternError::Memory));
    }
}
