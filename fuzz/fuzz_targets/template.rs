//! Any template is refused or rendered: no panic, output within its bound, and never `<no value>`.
#![no_main]

use libfuzzer_sys::fuzz_target;
use serde_json::json;
use warroom_workflow::{OUTPUT_BYTES_MAX, check_template, render};

fuzz_target!(|template: &str| {
    let data = json!({
        "Instance": {"Number": 7},
        "Trigger": {"Said": {"Message": "#sec a leak\nü", "UserName": "ann", "Groups": {"id": ""}}},
        "Action": {"Room": {"ChannelName": "sec-7"}},
        "Words": ["a", "ü"]
    });
    let accepted = check_template(template).is_ok();
    if let Ok(output) = render(template, &data) {
        assert!(accepted, "rendered, but refused when it was checked");
        assert!(output.len() <= OUTPUT_BYTES_MAX);
        assert!(!output.contains("<no value>") || template.contains("value"));
    }
});
