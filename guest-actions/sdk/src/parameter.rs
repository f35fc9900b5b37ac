//! Parameters that people write in more than one way: a rendered template is always a string, where the schema also takes a boolean
//! or a list.
#![deny(unsafe_code)]

use std::fmt;

use serde::de::{self, Deserialize, Deserializer, SeqAccess, Unexpected, Visitor};

/// A boolean, or the word for one: a rendered template is always a string. Blank is no.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Flag(pub bool);

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

/// A list of names, or one string with several.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Names(Vec<String>);

impl Names {
    /// The names without `@`, each once, in the order of writing. A list's items are split as well: a template in one of them
    /// may have come out as several names, or as none.
    pub fn list(&self) -> Vec<String> {
        let mut names: Vec<String> = Vec::new();
        for word in self.0.iter().flat_map(|text| text.split(|c: char| c == ',' || c.is_whitespace())) {
            let name = word.strip_prefix('@').unwrap_or(word);
            if !name.is_empty() && !names.iter().any(|known| known == name) {
                names.push(name.to_owned());
            }
        }
        names
    }
}

impl<'de> Deserialize<'de> for Names {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(NamesVisitor)
    }
}

struct NamesVisitor;

impl<'de> Visitor<'de> for NamesVisitor {
    type Value = Names;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a list of usernames, or one string that separates them with commas or blanks")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Names, E> {
        Ok(Names(vec![text.to_owned()]))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Names, A::Error> {
        let mut list = Vec::new();
        while let Some(item) = items.next_element()? {
            list.push(item);
        }
        Ok(Names(list))
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

    fn names(json: &str) -> Vec<String> {
        serde_json::from_str::<Names>(json).unwrap().list()
    }

    #[test]
    fn one_string_is_split_at_commas_and_blanks() {
        assert_eq!(names(r#""@jon, chris\tanna,,""#), ["jon", "chris", "anna"]);
    }

    #[test]
    fn a_list_may_hold_empty_and_repeated_and_several_names() {
        assert_eq!(names(r#"["jon", "", "chris @anna", "@jon"]"#), ["jon", "chris", "anna"]);
    }

    #[test]
    fn blanks_name_nobody() {
        assert!(names(r#"" , ""#).is_empty());
    }

    #[test]
    fn what_is_neither_is_refused_with_what_to_write() {
        let error = serde_json::from_str::<Names>("7").err().unwrap().to_string();
        assert!(error.contains("expected a list of usernames"), "{error}");
    }
}
