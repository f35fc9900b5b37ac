//! Names of workflows, triggers, steps and actions.

use std::borrow::Borrow;
use std::fmt;
use std::ops::Deref;

/// The longest name, in characters.
pub const NAME_CHARS_MAX: usize = 64;

/// A checked name: an ASCII letter, then ASCII letters, digits and underscores, at most [`NAME_CHARS_MAX`] of them.
///
/// Templates read triggers and actions by name (`.Action.NAME.KEY`), so a name must be a word of the template language.
///
/// ```
/// use warroom_workflow::Name;
///
/// assert_eq!(Name::new("CreateWarroom")?, "CreateWarroom");
/// assert!(Name::new("2nd step").is_err());
/// # Ok::<(), warroom_workflow::NameError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Name(String);

/// Why a text is no [`Name`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    /// Nothing but white space.
    #[error("it is blank")]
    Blank,
    /// It begins with something other than an ASCII letter.
    #[error("it begins with `{0}`, not with a letter of A-Z or a-z")]
    Start(char),
    /// It holds something other than ASCII letters, digits and underscores.
    #[error("it holds `{0}`, which is no letter of A-Z or a-z, digit or underscore")]
    Character(char),
    /// It is longer than [`NAME_CHARS_MAX`].
    #[error("it has {0} characters, more than {NAME_CHARS_MAX}")]
    Long(usize),
}

impl Name {
    /// Checks `text`; it is taken as it is, nothing is trimmed.
    pub fn new(text: impl Into<String>) -> Result<Name, NameError> {
        let text = text.into();
        let mut characters = text.chars();
        match characters.next() {
            Some(_) if text.trim().is_empty() => return Err(NameError::Blank),
            None => return Err(NameError::Blank),
            Some(first) if !first.is_ascii_alphabetic() => return Err(NameError::Start(first)),
            Some(_) => {}
        }
        if let Some(wrong) =
            characters.find(|character| !character.is_ascii_alphanumeric() && *character != '_')
        {
            return Err(NameError::Character(wrong));
        }
        // Only ASCII is left, so bytes are characters.
        if text.len() > NAME_CHARS_MAX {
            return Err(NameError::Long(text.len()));
        }
        Ok(Name(text))
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Deref for Name {
    type Target = str;

    fn deref(&self) -> &str {
        &self.0
    }
}

impl AsRef<str> for Name {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

impl Borrow<str> for Name {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Name {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(&self.0)
    }
}

impl PartialEq<str> for Name {
    fn eq(&self, other: &str) -> bool {
        self.0 == other
    }
}

impl PartialEq<&str> for Name {
    fn eq(&self, other: &&str) -> bool {
        self.0 == *other
    }
}

impl PartialEq<String> for Name {
    fn eq(&self, other: &String) -> bool {
        &self.0 == other
    }
}

impl From<Name> for String {
    fn from(name: Name) -> String {
        name.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_a_letter_then_letters_digits_and_underscores() {
        for good in ["a", "Z9_", "CreateWarroom", "security_issue"] {
            assert_eq!(Name::new(good).unwrap(), good);
        }
        assert_eq!(Name::new(""), Err(NameError::Blank));
        assert_eq!(Name::new(" \t"), Err(NameError::Blank));
        assert_eq!(Name::new("_a"), Err(NameError::Start('_')));
        assert_eq!(Name::new("9a"), Err(NameError::Start('9')));
        assert_eq!(Name::new(" a"), Err(NameError::Start(' ')));
        assert_eq!(Name::new("a-b"), Err(NameError::Character('-')));
        assert_eq!(Name::new("aü"), Err(NameError::Character('ü')));
    }

    #[test]
    fn a_name_has_at_most_64_characters() {
        assert!(Name::new("n".repeat(64)).is_ok());
        assert_eq!(Name::new("n".repeat(65)), Err(NameError::Long(65)));
    }
}
