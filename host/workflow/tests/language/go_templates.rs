//! What real Go makes of templates, case by case.

use std::collections::BTreeMap;

use serde_json::Value;
use warroom_workflow::{check_template, render};

/// Cases whose result differs, each with the reason. The list can only become shorter: a case here that has Go's result
/// fails the test too.
const DEVIATIONS: [(&str, &str); 1] = [(
    r#"{{index .Action "Nope"}}"#,
    "Go prints `<no value>`; here a missing value is an error, since nobody wants it in a channel's name",
)];

#[test]
fn templates_come_out_as_in_go() {
    let golden: Value = serde_json::from_str(include_str!("../fixtures/templates.json")).unwrap();
    let deviations = BTreeMap::from(DEVIATIONS);
    let cases = golden["cases"].as_array().unwrap();
    assert_eq!(cases.len(), 69);
    let mut wrong = Vec::new();
    let mut met = 0;
    for case in cases {
        let template = case["template"].as_str().unwrap();
        let parse_error = case["parse_error"].as_bool().unwrap();
        let any_error = parse_error || case["exec_error"].as_bool().unwrap();
        let checked = check_template(template);
        let rendered = render(template, &golden["data"]);
        let same = match &rendered {
            Ok(output) => !any_error && output == case["output"].as_str().unwrap(),
            Err(_) => any_error,
        } && checked.is_err() == parse_error;
        met += usize::from(deviations.contains_key(template));
        if same == deviations.contains_key(template) {
            wrong.push(format!("{template}\n  Go: {case}\n  parsed: {checked:?}\n  rendered: {rendered:?}"));
        }
    }
    assert_eq!(met, deviations.len(), "a deviation names no case");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
