//! A template of any bytes: it is refused, or renders within its bounds.
#![no_main]

use libfuzzer_sys::fuzz_target;
use serde_json::{Value, json};
use std::sync::LazyLock;
use warroom_workflow::{OUTPUT_BYTES_MAX, check_template, render};

static DATA: LazyLock<Value> = LazyLock::new(|| {
    json!({
        "Instance": {"Number": 42},
        "Trigger": {"Alert": {"Message": "disk <full> & \"hot\"", "UserName": "jon", "Groups": {"host": "web1"}}},
        "Action": {"Room": {"ChannelName": "disk-42"}, "Ask": {"Severity": "", "Count": "3"}},
        "List": [1, "two", 3.5, null, true],
        "Nothing": null,
    })
});

fuzz_target!(|template: &str| {
    let accepted = check_template(template).is_ok();
    match render(template, &DATA) {
        Ok(text) => {
            assert!(accepted, "what renders was accepted before");
            assert!(text.len() <= OUTPUT_BYTES_MAX);
        }
        Err(error) => drop(error.to_string()),
    }
});
