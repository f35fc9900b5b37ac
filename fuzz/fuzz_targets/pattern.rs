//! A pattern of any bytes: it is refused with a reason, or means the same as its translation, printed and parsed by `regex`.
#![no_main]

use libfuzzer_sys::fuzz_target;
use warroom_workflow::{PATTERN_BYTES_MAX, Pattern};

fuzz_target!(|input: (&str, &str)| {
    let (written, text) = input;
    match Pattern::new(written) {
        Ok(pattern) => {
            assert!(written.len() <= PATTERN_BYTES_MAX);
            // Go takes names of groups that begin with a digit, `regex` does not.
            if pattern.group_names().any(|name| name.starts_with(|first: char| first.is_ascii_digit())) {
                return;
            }
            let translated = pattern.translated();
            match regex::RegexBuilder::new(&translated).size_limit(1 << 26).build() {
                Ok(regex) => assert_eq!(pattern.is_match(text), regex.is_match(text), "{written:?}: {translated:?}"),
                // The limits of the two differ; the syntax must not.
                Err(regex::Error::CompiledTooBig(_)) => {}
                Err(error) => panic!("{written:?} became {translated:?}: {error}"),
            }
        }
        Err(error) => assert!(!error.to_string().is_empty()),
    }
});
