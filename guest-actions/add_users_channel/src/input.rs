//! The parameters of `add_users_channel`, as schema.json has them.

use std::fmt;

use serde::de::{self, Deserialize, Deserializer, SeqAccess, Visitor};

#[derive(serde::Deserialize)]
pub(crate) struct Input {
    pub(crate) channel_name: String,
    #[serde(default)]
    pub(crate) team_name: Option<String>,
    pub(crate) users: People,
}

/// A list of names, or one string with several.
pub(crate) struct People(Vec<String>);

impl People {
    /// The names without `@`, each once, in the order of writing. A list's items are split as well: a template in one of them
    /// may have come out as several names, or as none.
    pub(crate) fn names(&self) -> Vec<String> {
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

impl<'de> Deserialize<'de> for People {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(PeopleVisitor)
    }
}

struct PeopleVisitor;

impl<'de> Visitor<'de> for PeopleVisitor {
    type Value = People;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a list of usernames, or one string that separates them with commas or blanks")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<People, E> {
        Ok(People(vec![text.to_owned()]))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<People, A::Error> {
        let mut list = Vec::new();
        while let Some(item) = items.next_element()? {
            list.push(item);
        }
        Ok(People(list))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(json: &str) -> Vec<String> {
        serde_json::from_str::<People>(json).unwrap().names()
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
        let error = serde_json::from_str::<People>("7").err().unwrap().to_string();
        assert!(error.contains("expected a list of usernames"), "{error}");
    }
}
