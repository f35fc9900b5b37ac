//! Any body of a callback is read or refused, and what is read is what the body says.
#![no_main]

use libfuzzer_sys::fuzz_target;
use serde_json::{Map, Value};
use warroom_mattermost::ActionRequest;

fuzz_target!(|body: &[u8]| {
    let Ok(request) = serde_json::from_slice::<ActionRequest>(body) else { return };
    // What nobody reads may be nested deeper than a value can be.
    let Ok(value) = serde_json::from_slice::<Value>(body) else { return };
    // A list is taken as the fields in their order.
    let Value::Object(fields) = value else { return };
    let texts = [
        ("user_id", &request.user_id),
        ("channel_id", &request.channel_id),
        ("post_id", &request.post_id),
        ("type", &request.kind),
    ];
    for (name, text) in texts {
        assert_eq!(fields.get(name).and_then(Value::as_str).unwrap_or_default(), text, "{name}");
    }
    let context = fields.get("context").and_then(Value::as_object).cloned().unwrap_or_else(Map::new);
    assert_eq!(request.selected_option(), context.get("selected_option").and_then(Value::as_str));
    assert_eq!(request.context, context);
});
