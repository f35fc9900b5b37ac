//! What a control carries verifies as it was signed, and in no other way: not altered, not with another key, not made up.
#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use serde_json::{Map, Value};
use warroom_engine::Key;

static KEY: LazyLock<Key> = LazyLock::new(|| Key::new([7; 32]));
static OTHER: LazyLock<Key> = LazyLock::new(|| Key::new([8; 32]));

fn context(run: &str, post: &str, control: &str) -> Map<String, Value> {
    let Value::Object(context) = KEY.context(run, post, control) else { panic!("a context is no object") };
    context
}

/// The text without its last character, and that character.
fn without_last(text: &str) -> Option<(&str, &str)> {
    let (at, _) = text.char_indices().next_back()?;
    Some(text.split_at(at))
}

fuzz_target!(|input: (&str, &str, &str, &str)| {
    let (run, post, control, text) = input;
    let signed = context(run, post, control);
    // Only a control that exists is one, whatever was signed.
    if let Ok(address) = KEY.verify(&signed) {
        assert_eq!((address.run.as_str(), address.post.as_str()), (run, post));
    }
    assert!(OTHER.verify(&signed).is_err());

    let altered = |part: &str, value: Value| {
        let mut altered = signed.clone();
        altered.insert(part.to_owned(), value);
        altered
    };
    for part in ["run", "post", "control", "mac"] {
        let mut lacking = signed.clone();
        lacking.remove(part);
        assert!(KEY.verify(&lacking).is_err(), "without {part}");
        if signed[part] != *text {
            assert!(KEY.verify(&altered(part, text.into())).is_err(), "{part} is {text:?}");
        }
    }
    // Posts show their stamps to everybody.
    assert!(KEY.verify(&altered("mac", KEY.stamp(text).into())).is_err());
    if let Some((shorter, last)) = without_last(run) {
        let mut shifted = altered("run", shorter.into());
        shifted.insert("post".to_owned(), format!("{last}{post}").into());
        assert!(KEY.verify(&shifted).is_err(), "{last:?} went from the run to the post");
    }
    // Whatever else comes is signed, or refused.
    if let Ok(Value::Object(foreign)) = serde_json::from_str::<Value>(text)
        && let Ok(address) = KEY.verify(&foreign)
    {
        let control = foreign["control"].as_str().unwrap();
        assert_eq!(foreign["mac"], context(&address.run, &address.post, control)["mac"]);
    }
});
