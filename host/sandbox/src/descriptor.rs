//! What a component says of itself, checked.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::admission::AdmissionError;
use crate::bindings::warroom::action::types;
use crate::limits::Limits;

const NAME_CHARACTERS_MAX: usize = 64;
const SUMMARY_CHARACTERS_MAX: usize = 300;
const OUTPUTS_MAX: usize = 256;

/// What an action is and what it takes.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct Descriptor {
    /// The word that a workflow writes as `"type"`.
    pub type_name: String,
    /// The action's own version, as `MAJOR.MINOR.PATCH`.
    pub version: String,
    /// One sentence for people.
    pub summary: String,
    /// The JSON Schema of the parameters, an object schema.
    pub parameters: Value,
    /// The outputs that do not follow from parameters.
    pub outputs: Vec<String>,
}

impl Descriptor {
    /// Takes what `describe` returned.
    ///
    /// # Errors
    /// [`AdmissionError::Descriptor`], for the first part that is not as the contract wants it.
    pub(crate) fn check(described: types::Descriptor, limits: &Limits) -> Result<Self, AdmissionError> {
        let types::Descriptor { type_name, version, summary, parameters, outputs } = described;
        check_size(limits, &[&type_name, &version, &summary, &parameters], &outputs)?;
        if !is_type_name(&type_name) {
            return Err(wrong(
                "type-name",
                format!(
                    "`{}` is not a lower-case letter, then lower-case letters, digits and `_`, {NAME_CHARACTERS_MAX} \
                     characters at most",
                    beginning(&type_name)
                ),
            ));
        }
        if !is_version(&version) {
            return Err(wrong("version", format!("`{}` is not MAJOR.MINOR.PATCH", beginning(&version))));
        }
        let summary_characters = summary.chars().count();
        if summary.trim().is_empty() || summary_characters > SUMMARY_CHARACTERS_MAX {
            return Err(wrong(
                "summary",
                format!(
                    "has {summary_characters} characters: write one sentence of at most {SUMMARY_CHARACTERS_MAX}"
                ),
            ));
        }
        check_outputs(&outputs)?;
        Ok(Self { type_name, version, summary, parameters: schema(&parameters)?, outputs })
    }
}

fn check_size(limits: &Limits, texts: &[&str], outputs: &[String]) -> Result<(), AdmissionError> {
    let bytes =
        texts.iter().map(|text| text.len()).sum::<usize>() + outputs.iter().map(String::len).sum::<usize>();
    if bytes > limits.output_bytes_max {
        let max = limits.output_bytes_max;
        return Err(wrong(
            "parameters",
            format!("make it {bytes} bytes long, above [limits] output_bytes_max = {max}"),
        ));
    }
    Ok(())
}

fn check_outputs(outputs: &[String]) -> Result<(), AdmissionError> {
    if outputs.len() > OUTPUTS_MAX {
        return Err(wrong("outputs", format!("are {}: declare at most {OUTPUTS_MAX}", outputs.len())));
    }
    let mut known = BTreeSet::new();
    for name in outputs {
        if !is_output_name(name) {
            return Err(wrong(
                "outputs",
                format!(
                    "has `{}`, which no template could read: write a letter, then letters, digits and `_`, \
                     {NAME_CHARACTERS_MAX} characters at most",
                    beginning(name)
                ),
            ));
        }
        if !known.insert(name) {
            return Err(wrong("outputs", format!("has `{name}` twice")));
        }
    }
    Ok(())
}

fn schema(parameters: &str) -> Result<Value, AdmissionError> {
    let schema: Value = serde_json::from_str(parameters)
        .map_err(|error| wrong("parameters", format!("is no JSON: {error}")))?;
    if schema.get("type").and_then(Value::as_str) != Some("object") {
        return Err(wrong(
            "parameters",
            "is no object schema: write \"type\": \"object\" at its top".to_owned(),
        ));
    }
    Ok(schema)
}

fn wrong(part: &'static str, reason: String) -> AdmissionError {
    AdmissionError::Descriptor { part, reason }
}

/// As much of an untrusted text as an error message shows.
fn beginning(text: &str) -> String {
    text.chars().take(80).collect()
}

fn is_type_name(name: &str) -> bool {
    name.len() <= NAME_CHARACTERS_MAX
        && name.starts_with(|first: char| first.is_ascii_lowercase())
        && name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_')
}

fn is_output_name(name: &str) -> bool {
    name.len() <= NAME_CHARACTERS_MAX
        && name.starts_with(|first: char| first.is_ascii_alphabetic())
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}

fn is_version(version: &str) -> bool {
    let is_number =
        |part: &str| !part.is_empty() && part.len() <= 9 && part.bytes().all(|b| b.is_ascii_digit());
    version.split('.').count() == 3 && version.split('.').all(is_number)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn described() -> types::Descriptor {
        types::Descriptor {
            type_name: "page_duty".into(),
            version: "1.2.3".into(),
            summary: "Pages who is on duty.".into(),
            parameters: r#"{"type": "object"}"#.into(),
            outputs: vec!["Pager_1".into()],
        }
    }

    /// The part that is wrong after a change to a right descriptor.
    fn wrong_part(change: impl FnOnce(&mut types::Descriptor)) -> Option<&'static str> {
        let mut described = described();
        change(&mut described);
        match Descriptor::check(described, &Limits::default()) {
            Ok(_) => None,
            Err(AdmissionError::Descriptor { part, .. }) => Some(part),
            Err(other) => panic!("{other}"),
        }
    }

    #[test]
    fn a_right_descriptor_is_taken_whole() {
        let descriptor = Descriptor::check(described(), &Limits::default()).unwrap();
        assert_eq!(descriptor.parameters, serde_json::json!({"type": "object"}));
        assert_eq!(
            (descriptor.type_name.as_str(), descriptor.outputs.as_slice()),
            ("page_duty", &["Pager_1".into()][..])
        );
    }

    #[test]
    fn type_names_are_words_of_the_language() {
        for (name, part) in [
            ("a", None),
            (&*"a".repeat(64), None),
            (&*"a".repeat(65), Some("type-name")),
            ("", Some("type-name")),
            ("1a", Some("type-name")),
            ("Page", Some("type-name")),
            ("page-duty", Some("type-name")),
        ] {
            assert_eq!(wrong_part(|d| d.type_name = name.to_owned()), part, "{name}");
        }
    }

    #[test]
    fn versions_have_three_numbers() {
        for (version, part) in
            [("0.0.1", None), ("1.2", Some("version")), ("1.2.x", Some("version")), ("1..2", Some("version"))]
        {
            assert_eq!(wrong_part(|d| d.version = version.to_owned()), part, "{version}");
        }
    }

    #[test]
    fn the_schema_is_json_of_an_object() {
        for (parameters, part) in [
            ("{", Some("parameters")),
            ("[]", Some("parameters")),
            ("{}", Some("parameters")),
            (r#"{"type": "string"}"#, Some("parameters")),
        ] {
            assert_eq!(wrong_part(|d| d.parameters = parameters.to_owned()), part, "{parameters}");
        }
    }

    #[test]
    fn outputs_can_be_read_by_templates_and_are_declared_once() {
        let outputs = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
        assert_eq!(wrong_part(|d| d.outputs = outputs(&["A", "B"])), None);
        assert_eq!(wrong_part(|d| d.outputs = outputs(&["A", "A"])), Some("outputs"));
        assert_eq!(wrong_part(|d| d.outputs = outputs(&["Channel Name"])), Some("outputs"));
        assert_eq!(wrong_part(|d| d.outputs = (0..257).map(|n| format!("O{n}")).collect()), Some("outputs"));
    }

    #[test]
    fn a_summary_is_there_and_short() {
        assert_eq!(wrong_part(|d| d.summary = " ".into()), Some("summary"));
        assert_eq!(wrong_part(|d| d.summary = "s".repeat(300)), None);
        assert_eq!(wrong_part(|d| d.summary = "s".repeat(301)), Some("summary"));
    }

    #[test]
    fn the_whole_is_bounded() {
        let padded = |spaces| format!("{{\"type\": \"object\"}}{}", " ".repeat(spaces));
        assert_eq!(wrong_part(|d| d.parameters = padded(60_000)), None);
        assert_eq!(wrong_part(|d| d.parameters = padded(66_000)), Some("parameters"));
    }
}
