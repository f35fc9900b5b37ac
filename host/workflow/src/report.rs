//! Diagnostics for programs: JSON, and SARIF for code review.

use serde_json::{Value, json};

use crate::diagnostic::{Diagnostic, Severity};

/// The page that explains every code, a table row each.
const PAGE: &str = include_str!("../../../docs/diagnostics.md");

/// Every code and what it means, as docs/diagnostics.md has them.
pub(crate) fn rules() -> impl Iterator<Item = (&'static str, &'static str)> {
    PAGE.lines().filter_map(|line| {
        let (code, meaning) = line.strip_prefix("| ")?.strip_suffix(" |")?.split_once(" | ")?;
        let code = code.trim_matches('`');
        let is_code = code.len() == 4
            && code.starts_with(['E', 'W'])
            && code.bytes().skip(1).all(|byte| byte.is_ascii_digit());
        is_code.then_some((code, meaning))
    })
}

/// Diagnostics of files, given with their names, as a list of
/// `{file, severity, code, message, help, line, column, end_line, end_column}`.
///
/// Lines and columns begin with 1, columns count characters, and the end's is the one after the last. `help` is null
/// where there is none.
pub fn diagnostics_json<'a>(files: impl IntoIterator<Item = (&'a str, &'a [Diagnostic])>) -> Value {
    let each = |(file, found): (&str, &Diagnostic)| {
        json!({
            "file": file,
            "severity": found.severity.to_string(),
            "code": found.code,
            "message": found.message,
            "help": found.help,
            "line": found.line,
            "column": found.column,
            "end_line": found.end_line,
            "end_column": found.end_column,
        })
    };
    let files = files.into_iter();
    files.flat_map(|(file, found)| found.iter().map(move |found| (file, found))).map(each).collect()
}

/// Diagnostics of files, given with their names, as a SARIF 2.1.0 log.
pub fn diagnostics_sarif<'a>(files: impl IntoIterator<Item = (&'a str, &'a [Diagnostic])>) -> Value {
    let rules: Vec<_> = rules().collect();
    let files = files.into_iter();
    let results = files
        .flat_map(|(file, found)| found.iter().map(move |found| (file, found)))
        .map(|(file, found)| result(file, found, &rules))
        .collect::<Vec<_>>();
    let rule = |(code, meaning): &(&str, &str)| {
        let level = if code.starts_with('W') { "warning" } else { "error" };
        json!({
            "id": code,
            "shortDescription": {"text": meaning},
            "defaultConfiguration": {"level": level}
        })
    };
    json!({
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "version": "2.1.0",
        "runs": [{
            "tool": {"driver": {
                "name": "warroom",
                "version": env!("CARGO_PKG_VERSION"),
                "rules": rules.iter().map(rule).collect::<Vec<_>>()
            }},
            "columnKind": "unicodeCodePoints",
            "results": results
        }]
    })
}

fn result(file: &str, found: &Diagnostic, rules: &[(&str, &str)]) -> Value {
    let level = match found.severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
    };
    let text = match &found.help {
        Some(help) => format!("{} (help: {help})", found.message),
        None => found.message.clone(),
    };
    let mut result = json!({
        "ruleId": found.code,
        "level": level,
        "message": {"text": text},
        "locations": [{"physicalLocation": {
            "artifactLocation": {"uri": uri(file)},
            "region": {
                "startLine": found.line,
                "startColumn": found.column,
                "endLine": found.end_line,
                "endColumn": found.end_column
            }
        }}]
    });
    if let Some(index) = rules.iter().position(|(code, _)| *code == found.code)
        && let Value::Object(members) = &mut result
    {
        members.insert("ruleIndex".to_owned(), json!(index));
    }
    result
}

/// A path as a URI reference: what is no letter, digit or harmless sign is written in percent.
fn uri(path: &str) -> String {
    path.bytes().fold(String::new(), |mut uri, byte| {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'/' | b'-' | b'_' | b'.' | b'~' => {
                uri.push(char::from(byte));
            }
            _ => uri.push_str(&format!("%{byte:02X}")),
        }
        uri
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_lists_exactly_the_codes_that_there_are() {
        let listed: Vec<_> = rules().map(|(code, _)| code).collect();
        let constants = include_str!("codes.rs").lines().filter_map(|line| line.split('"').nth(1));
        let mut known: Vec<_> = constants.collect();
        known.sort_unstable();
        assert_eq!(listed, known, "docs/diagnostics.md, in order, and codes.rs");
    }

    #[test]
    fn a_path_becomes_a_uri() {
        assert_eq!(uri("a b/ü#1.json"), "a%20b/%C3%BC%231.json");
    }
}
