//! The action types that a workflow can use.

use std::collections::BTreeMap;

use jsonschema::{Draft, PatternOptions, Validator};
use serde_json::Value;

use crate::schema;

/// Keys of an action that belong to the language; they are never passed to a component.
pub(crate) const LANGUAGE_KEYS: [&str; 4] = ["type", "name", "on_error", "retry"];
/// Control flow of the language, not components.
pub(crate) const TRANSITION_TO: &str = "transition_to";
pub(crate) const FINISHED_WORKFLOW: &str = "finished_workflow";

/// The longest type name, in characters.
const TYPE_NAME_CHARS_MAX: usize = 64;
/// The most memory that a pattern of a schema may take, in bytes.
const PATTERN_MEMORY_BYTES_MAX: usize = 1024 * 1024;

/// An action type, as its component describes it.
#[derive(Debug, Clone, PartialEq)]
pub struct ActionType {
    /// The word that a workflow writes as `"type"`.
    pub type_name: String,
    /// The JSON Schema (draft 2020-12) of the parameters. On a schema of a string, `"x-warroom-step": true` marks the
    /// name of a step and `"x-warroom-outputs": true` the name of an output; on any schema `"x-warroom-role"` says what the
    /// value is for.
    pub parameters: Value,
    /// The outputs that the action always has.
    pub outputs: Vec<String>,
}

/// The action types that a workflow can use, with their schemas compiled.
///
/// ```
/// use serde_json::json;
/// use warroom_workflow::{ActionType, Catalog};
///
/// let page = ActionType {
///     type_name: "page_operator".to_owned(),
///     parameters: json!({"type": "object", "properties": {"text": {"type": "string"}}, "required": ["text"]}),
///     outputs: vec!["PageID".to_owned()],
/// };
/// let catalog = Catalog::new([page])?;
/// assert!(catalog.get("page_operator").is_some());
/// # Ok::<(), warroom_workflow::CatalogError>(())
/// ```
#[derive(Debug, Clone, Default)]
pub struct Catalog {
    types: BTreeMap<String, Entry>,
}

#[derive(Debug, Clone)]
pub(crate) struct Entry {
    pub(crate) action: ActionType,
    pub(crate) validator: Validator,
}

/// Why action types form no [`Catalog`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CatalogError {
    /// The type's name is no name.
    #[error(
        "the action type `{0}` cannot be offered: its name must be a lower-case letter, then lower-case letters, digits \
         and underscores, at most 64 in all"
    )]
    Name(String),
    /// The name belongs to the language.
    #[error(
        "the action type `{0}` cannot be offered: the name is reserved for the workflow language, choose another"
    )]
    Reserved(String),
    /// Two types have the same name.
    #[error("the action type `{0}` is there twice; remove one of the two, or give it another name")]
    Duplicate(String),
    /// The schema does not compile.
    #[error("the action type `{type_name}` cannot be offered: its schema of parameters is wrong: {reason}")]
    Schema {
        /// The type.
        type_name: String,
        /// What is wrong.
        reason: String,
    },
    /// The schema has a parameter whose name is a key of the language.
    #[error(
        "the action type `{type_name}` cannot be offered: its parameter `{parameter}` has the name of a key of the \
         workflow language and would never be passed; rename it"
    )]
    Parameter {
        /// The type.
        type_name: String,
        /// The parameter.
        parameter: &'static str,
    },
    /// One of our keywords stands where it means nothing.
    #[error(
        "the action type `{type_name}` cannot be offered: at `{pointer}` of its schema one of our keywords is wrong; \
         `x-warroom-step` and `x-warroom-outputs` must be true or false, and beside \"type\": \"string\"; `x-warroom-role` must \
         be a text"
    )]
    Keyword {
        /// The type.
        type_name: String,
        /// The place in the schema, as a JSON pointer.
        pointer: String,
    },
}

impl Catalog {
    /// Checks and compiles action types. No schema may refer to another document: nothing is ever fetched.
    pub fn new(types: impl IntoIterator<Item = ActionType>) -> Result<Catalog, CatalogError> {
        let mut catalog = Catalog::default();
        for action in types {
            let entry = Entry::new(action)?;
            let name = entry.action.type_name.clone();
            if catalog.types.insert(name.clone(), entry).is_some() {
                return Err(CatalogError::Duplicate(name));
            }
        }
        Ok(catalog)
    }

    /// The action type with this name.
    pub fn get(&self, type_name: &str) -> Option<&ActionType> {
        self.types.get(type_name).map(|entry| &entry.action)
    }

    /// The names of all types, sorted, without those of the language itself.
    pub fn type_names(&self) -> impl Iterator<Item = &str> + Clone {
        self.types.keys().map(String::as_str)
    }

    pub(crate) fn entry(&self, type_name: &str) -> Option<&Entry> {
        self.types.get(type_name)
    }
}

impl Entry {
    fn new(action: ActionType) -> Result<Entry, CatalogError> {
        let type_name = || action.type_name.clone();
        if !is_type_name(&action.type_name) {
            return Err(CatalogError::Name(type_name()));
        }
        if [TRANSITION_TO, FINISHED_WORKFLOW].contains(&action.type_name.as_str()) {
            return Err(CatalogError::Reserved(type_name()));
        }
        if !action.parameters.is_object() {
            let reason = "it is no object".to_owned();
            return Err(CatalogError::Schema { type_name: type_name(), reason });
        }
        let properties = action.parameters.get("properties");
        let taken =
            LANGUAGE_KEYS.into_iter().find(|key| properties.is_some_and(|all| all.get(key).is_some()));
        if let Some(parameter) = taken {
            return Err(CatalogError::Parameter { type_name: type_name(), parameter });
        }
        if let Some(pointer) = schema::misplaced_keyword(&action.parameters, "", 0) {
            return Err(CatalogError::Keyword { type_name: type_name(), pointer });
        }
        // An engine without backtracking: the schema may come from a stranger, the text from another.
        let patterns = PatternOptions::regex().size_limit(PATTERN_MEMORY_BYTES_MAX);
        let validator = jsonschema::options()
            .with_draft(Draft::Draft202012)
            .with_pattern_options(patterns)
            .offline()
            .build(&action.parameters)
            .map_err(|error| CatalogError::Schema { type_name: type_name(), reason: error.to_string() })?;
        Ok(Entry { action, validator })
    }
}

fn is_type_name(name: &str) -> bool {
    name.len() <= TYPE_NAME_CHARS_MAX
        && name.starts_with(|first: char| first.is_ascii_lowercase())
        && name
            .chars()
            .all(|character| character.is_ascii_lowercase() || character.is_ascii_digit() || character == '_')
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn catalog(type_name: &str, parameters: Value) -> Result<Catalog, CatalogError> {
        Catalog::new([ActionType { type_name: type_name.to_owned(), parameters, outputs: Vec::new() }])
    }

    #[test]
    fn names_are_checked() {
        assert!(catalog("page_1", json!({})).is_ok());
        for wrong in ["", "Page", "1page", "pa-ge", &"p".repeat(65)] {
            assert_eq!(catalog(wrong, json!({})).unwrap_err(), CatalogError::Name(wrong.to_owned()));
        }
        for reserved in ["transition_to", "finished_workflow"] {
            assert_eq!(
                catalog(reserved, json!({})).unwrap_err(),
                CatalogError::Reserved(reserved.to_owned())
            );
        }
        let twice = ["page", "page"].map(|name| ActionType {
            type_name: name.to_owned(),
            parameters: json!({}),
            outputs: Vec::new(),
        });
        assert_eq!(Catalog::new(twice).unwrap_err(), CatalogError::Duplicate("page".to_owned()));
    }

    #[test]
    fn schemas_are_compiled() {
        for wrong in [json!({"type": "strnig"}), json!(7), json!({"properties": {"a": {"pattern": "("}}})] {
            let error = catalog("page", wrong.clone()).unwrap_err();
            assert!(matches!(error, CatalogError::Schema { .. }), "{wrong}: {error}");
        }
    }

    #[test]
    fn nothing_is_fetched() {
        for remote in ["https://example.com/schema.json", "http://127.0.0.1:1/a", "file:///etc/hostname"] {
            let error = catalog("page", json!({"properties": {"a": {"$ref": remote}}})).unwrap_err();
            assert!(matches!(error, CatalogError::Schema { .. }), "{error}");
        }
    }

    #[test]
    fn parameters_and_keywords_are_checked() {
        let error = catalog("page", json!({"properties": {"name": {}}})).unwrap_err();
        assert!(matches!(error, CatalogError::Parameter { parameter: "name", .. }));
        let error = catalog("page", json!({"properties": {"to": {"x-warroom-step": true}}})).unwrap_err();
        assert!(matches!(error, CatalogError::Keyword { .. }));
    }
}
