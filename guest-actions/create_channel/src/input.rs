//! The parameters of `create_channel`, as schema.json has them.

use std::fmt;

use serde::de::{self, Deserialize, Deserializer, Unexpected, Visitor};

#[derive(serde::Deserialize)]
pub(crate) struct Input {
    pub(crate) channel_name: String,
    #[serde(default)]
    pub(crate) channel_displayname: String,
    #[serde(default)]
    pub(crate) team_name: Option<String>,
    #[serde(default)]
    pub(crate) header: String,
    #[serde(default)]
    pub(crate) purpose: String,
    #[serde(default)]
    pub(crate) private: Flag,
}

/// A boolean, or the word for one: a rendered template is always a string. Blank is no.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Flag(pub(crate) bool);

impl<'de> Deserialize<'de> for Flag {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(FlagVisitor)
    }
}

struct FlagVisitor;

impl Visitor<'_> for FlagVisitor {
    type Value = Flag;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("true or false, or \"Yes\" or \"No\"")
    }

    fn visit_bool<E: de::Error>(self, value: bool) -> Result<Flag, E> {
        Ok(Flag(value))
    }

    fn visit_str<E: de::Error>(self, word: &str) -> Result<Flag, E> {
        match word.trim().to_ascii_lowercase().as_str() {
            "yes" | "true" => Ok(Flag(true)),
            "no" | "false" | "" => Ok(Flag(false)),
            _ => Err(E::invalid_value(Unexpected::Str(word), &self)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn flag(json: &str) -> Result<Flag, serde_json::Error> {
        serde_json::from_str(json)
    }

    #[test]
    fn a_flag_is_a_boolean_or_the_word_for_one_in_any_case() {
        for (json, value) in [
            ("true", true),
            ("false", false),
            ("\"Yes\"", true),
            ("\" yES \"", true),
            ("\"True\"", true),
            ("\"No\"", false),
            ("\"FALSE\"", false),
            ("\"\"", false),
        ] {
            assert_eq!(flag(json).unwrap(), Flag(value), "{json}");
        }
    }

    #[test]
    fn anything_else_is_refused_with_what_to_write() {
        let error = flag("\"maybe\"").unwrap_err().to_string();
        assert!(error.contains("\"maybe\", expected true or false, or \"Yes\" or \"No\""), "{error}");
        assert!(flag("1").unwrap_err().to_string().contains("expected true or false"));
    }
}
