//! Any pattern is refused or compiled: no panic, and matching ends in time. The input is a pattern, a line break, a text.
#![no_main]

use libfuzzer_sys::fuzz_target;
use warroom_workflow::Pattern;

fuzz_target!(|input: &str| {
    let (pattern, text) = input.split_once('\n').unwrap_or((input, ""));
    if let Ok(pattern) = Pattern::new(pattern) {
        let _ = pattern.is_match(text);
    }
});
