//! Patterns of triggers: Go's syntax, on an engine that takes time linear in the message whatever the pattern.

mod classes;
mod re2;
mod required;
mod scripts;

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use regex_automata::meta;
use regex_automata::util::captures::Captures;
use regex_syntax::hir::Hir;
use regex_syntax::hir::print::Printer;

/// The longest pattern, in bytes.
pub const PATTERN_BYTES_MAX: usize = 8 * 1024;
/// The most memory that a compiled pattern may take, in bytes. A nest of counted repetitions grows without bound otherwise.
pub const PATTERN_MEMORY_BYTES_MAX: usize = 4 * 1024 * 1024;

/// A pattern that `match_regex` holds, in the syntax and with the meaning of Go's regexp (RE2): `\d`, `\w`, `\s` and `\b` are ASCII.
/// Matching takes time linear in the message, whatever the pattern.
///
/// ```
/// use warroom_workflow::Pattern;
///
/// let pattern = Pattern::new(r"^\[FIRING:\d+\] (?P<alert>\w+)")?;
/// assert_eq!(pattern.groups("[FIRING:2] DiskFull on web1").unwrap()["alert"], "DiskFull");
/// assert!(Pattern::new("(?!a)b").unwrap_err().to_string().contains("look-around"));
/// # Ok::<(), warroom_workflow::PatternError>(())
/// ```
#[derive(Clone)]
pub struct Pattern {
    inner: Arc<Inner>,
}

struct Inner {
    text: String,
    hir: Hir,
    regex: meta::Regex,
}

/// Why a text is no [`Pattern`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PatternError {
    /// The text is longer than [`PATTERN_BYTES_MAX`].
    #[error("it has {0} bytes, more than {PATTERN_BYTES_MAX}")]
    Long(usize),
    /// Compiled, it would take more than [`PATTERN_MEMORY_BYTES_MAX`].
    #[error("it is too large when its repetitions are written out")]
    Memory,
    /// It breaks the syntax.
    #[error("{reason}")]
    Syntax {
        /// What is wrong.
        reason: String,
        /// What to write instead.
        help: Option<&'static str>,
    },
}

impl PatternError {
    /// What to do about it.
    #[must_use]
    pub fn help(&self) -> Option<&'static str> {
        match self {
            PatternError::Long(_) => Some("write several triggers, each with a part of it"),
            PatternError::Memory => Some("make the counts of its repetitions smaller"),
            PatternError::Syntax { help, .. } => *help,
        }
    }
}

impl Pattern {
    /// Compiles a pattern.
    ///
    /// # Errors
    /// [`PatternError`], whose text completes the sentence "the pattern is not valid: …".
    pub fn new(text: &str) -> Result<Pattern, PatternError> {
        if text.len() > PATTERN_BYTES_MAX {
            return Err(PatternError::Long(text.len()));
        }
        let hir = re2::parse(text)
            .map_err(|error| PatternError::Syntax { reason: error.reason, help: error.help })?;
        let limits = meta::Config::new()
            .nfa_size_limit(Some(PATTERN_MEMORY_BYTES_MAX))
            .onepass_size_limit(Some(PATTERN_MEMORY_BYTES_MAX))
            .hybrid_cache_capacity(PATTERN_MEMORY_BYTES_MAX);
        let regex = meta::Builder::new().configure(limits).build_from_hir(&hir);
        let regex = regex.map_err(|error| match error.size_limit() {
            Some(_) => PatternError::Memory,
            None => PatternError::Syntax { reason: error.to_string(), help: None },
        })?;
        Ok(Pattern { inner: Arc::new(Inner { text: text.to_owned(), hir, regex }) })
    }

    /// Whether the pattern matches anywhere in `text`.
    #[must_use]
    pub fn is_match(&self, text: &str) -> bool {
        self.inner.regex.is_match(text)
    }

    /// What the named groups of the first match in `text` hold; none when nothing matches. A group that took no part
    /// holds the empty string.
    #[must_use]
    pub fn groups(&self, text: &str) -> Option<BTreeMap<String, String>> {
        // Asking where the groups are costs more than asking whether it matches.
        if !self.is_match(text) {
            return None;
        }
        let mut captures: Captures = self.inner.regex.create_captures();
        self.inner.regex.captures(text, &mut captures);
        let held = |name: &str| {
            let span = captures.get_group_by_name(name)?;
            text.get(span.range())
        };
        let names = self.group_names();
        Some(names.map(|name| (name.to_owned(), held(name).unwrap_or_default().to_owned())).collect())
    }

    /// The names of its groups, in the order of writing.
    pub fn group_names(&self) -> impl Iterator<Item = &str> {
        let names = self.inner.regex.group_info().pattern_names(regex_automata::PatternID::ZERO);
        names.flatten()
    }

    /// The pattern as written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.inner.text
    }

    /// The same pattern in the syntax of the `regex` crate, which takes no name of a group that begins with a digit.
    #[must_use]
    pub fn translated(&self) -> String {
        let mut text = String::new();
        // Writing to a string does not fail.
        let _ = Printer::new().print(&self.inner.hir, &mut text);
        text
    }

    /// Whether a match depends on what stands around it: beginnings, ends, edges of words.
    pub(crate) fn looks_around(&self) -> bool {
        !self.inner.hir.properties().look_set().is_empty()
    }

    /// Texts of which every match holds at least one, in the form of [`crate::folding`]; none when there is no such set that
    /// is worth looking for.
    pub(crate) fn required(&self) -> Option<Vec<String>> {
        required::texts(&self.inner.hir)
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
    fn a_group_that_took_no_part_is_empty() {
        let pattern = Pattern::new("(?P<a>x)|(?<b>y)").unwrap();
        assert_eq!(pattern.group_names().collect::<Vec<_>>(), ["a", "b"]);
        let groups = pattern.groups("y").unwrap();
        assert_eq!((groups["a"].as_str(), groups["b"].as_str()), ("", "y"));
        assert_eq!(pattern.groups("z"), None);
        let twice = Pattern::new("(?P<a>x)(?P<a>y)").unwrap();
        assert_eq!(twice.groups("xy").unwrap()["a"], "x", "the first, as in Go");
    }

    #[test]
    fn a_wrong_pattern_says_why_and_what_to_write() {
        for (text, reason, help) in [
            ("(a", "a `(` has no `)`", ""),
            ("a)", "a `)` has no `(`", r"`\)`"),
            ("a(?=b)", "`(?=` is a look-around", "`except`"),
            ("(?<!a)b", "`(?<!` is a look-around", "`except`"),
            ("a**", "`**` repeats a repetition", "`(?:a*)*`"),
            ("*a", "`*` repeats nothing", "backslash"),
            ("a{1001}", "`{1001}`", "at most 1,000"),
            ("a{3,2}", "`{3,2}`", "smaller"),
            ("(a{100}){11}", "`{11}`", "multiplied"),
            (r"(a)\1", r"`\1` is no escape", "cannot refer back"),
            (r"a\Z", r"`\Z` is no escape", r"`\z`"),
            (r"\p{greek}", r"`\p{greek}` is no class", "Greek"),
            ("[[:foo:]]", "`[:foo:]` is no class", "[:alpha:]"),
            ("[z-a]", "`z-a` goes backwards", "smaller"),
            ("[a", "`[a` has no `]`", r"`\[`"),
            ("(?P<a-b>x)", "`a-b` cannot be", "letters"),
            ("(?x)a", "`(?x` begins no group", "(?i)"),
            ("a\\", r"it ends with a `\`", r"`\\`"),
        ] {
            let error = Pattern::new(text).unwrap_err();
            assert!(error.to_string().contains(reason), "{text}: {error}");
            assert!(error.help().unwrap_or_default().contains(help), "{text}: {:?}", error.help());
        }
    }

    #[test]
    fn size_is_bounded() {
        assert!(Pattern::new(&"a".repeat(PATTERN_BYTES_MAX)).is_ok());
        assert_eq!(
            Pattern::new(&"a".repeat(PATTERN_BYTES_MAX + 1)),
            Err(PatternError::Long(PATTERN_BYTES_MAX + 1))
        );
        assert!(Pattern::new(r"\pL{30}").is_ok());
        assert_eq!(Pattern::new(r"\pL{1000}"), Err(PatternError::Memory));
        assert!(Pattern::new("(a{10}){100}").is_ok());
    }

    #[test]
    fn nesting_is_bounded() {
        let nest = |depth: usize| format!("{}a{}", "(".repeat(depth), ")".repeat(depth));
        assert!(Pattern::new(&nest(re2::NESTING_MAX)).is_ok());
        let error = Pattern::new(&nest(re2::NESTING_MAX + 1)).unwrap_err();
        assert!(error.to_string().contains("deep"), "{error}");
        assert!(Pattern::new(&"(".repeat(PATTERN_BYTES_MAX)).is_err());
    }
}
