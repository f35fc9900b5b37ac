//! Diagnostics for programs, and names across files.

use serde_json::json;
use warroom_workflow::{check_all, diagnostics_json, diagnostics_sarif};

use super::{SEED, catalog};

#[test]
fn a_name_in_two_files_is_an_error_in_the_second() {
    let checked = check_all(&[("a.json", SEED), ("b.json", SEED)], &catalog());
    assert!(!checked[0].workflows.is_empty(), "{:#?}", checked[0].diagnostics);
    assert_eq!((checked[1].diagnostics[0].code, checked[1].workflows.len()), ("E019", 0));
    assert!(checked[1].diagnostics[0].message.contains("a.json"));
}

#[test]
fn json_is_one_list_over_all_files() {
    let checked = check_all(&[("a.json", "{"), ("b.json", "[1,]")], &catalog());
    let files = ["a.json", "b.json"].into_iter().zip(checked.iter().map(|file| file.diagnostics.as_slice()));
    let all = diagnostics_json(files);
    let last = all.as_array().unwrap().last().unwrap();
    assert_eq!(
        *last,
        json!({
            "file": "b.json", "severity": "error", "code": "E002",
            "message": "a comma stands after the last value of this list", "help": "delete it",
            "line": 1, "column": 3, "end_line": 1, "end_column": 4
        })
    );
    assert!(all.as_array().unwrap().iter().any(|found| found["file"] == "a.json"));
}

#[test]
fn sarif_has_what_its_readers_need() {
    let checked = check_all(&[("a b.json", "[1,]")], &catalog());
    let log = diagnostics_sarif([("a b.json", checked[0].diagnostics.as_slice())]);
    assert_eq!(log["version"], "2.1.0");
    let run = &log["runs"][0];
    assert_eq!(
        (&run["columnKind"], &run["tool"]["driver"]["name"]),
        (&json!("unicodeCodePoints"), &json!("warroom"))
    );
    for result in run["results"].as_array().unwrap() {
        let rule = &run["tool"]["driver"]["rules"][result["ruleIndex"].as_u64().unwrap() as usize];
        assert_eq!(rule["id"], result["ruleId"]);
        assert!(rule["shortDescription"]["text"].is_string() && result["message"]["text"].is_string());
        let place = &result["locations"][0]["physicalLocation"];
        assert_eq!(place["artifactLocation"]["uri"], "a%20b.json");
        assert!(place["region"]["startLine"].as_u64() >= Some(1) && place["region"]["endColumn"].is_u64());
    }
    assert_eq!(run["results"].as_array().unwrap().len(), checked[0].diagnostics.len());
}
