//! The rate limit, as it was recorded.

use serde_json::{Value, json};

use super::recordings::{Replayed, recording};
use crate::support::Setup;

/// Plays the burst. The recorded server let ten calls a second in; here the rate is so slow that how long this takes does
/// not matter, which changes the seconds in the headers only.
pub(crate) async fn replay() -> Replayed {
    let setup = Setup::start().await;
    setup.simulator.limit_rate(0, 5);
    let recorded = recording("ratelimit");
    let rows = recorded[0]["rows"].as_array().unwrap();
    for row in rows {
        let got = setup.call("GET", "/api/v4/users/me", setup.simulator.bot_token(), &Value::Null).await;
        assert_eq!(json!(got.status), row["status"]);
        for (name, wanted) in row["headers"].as_object().unwrap() {
            let header = got.headers.get(name).unwrap_or_else(|| panic!("no {name}")).to_str().unwrap();
            if name == "x-ratelimit-reset" || name == "retry-after" {
                let numbers =
                    |text: &str| text.split(", ").map(|n| n.parse::<u64>().is_ok()).collect::<Vec<_>>();
                assert_eq!(numbers(header), numbers(wanted.as_str().unwrap()), "{name}: {header}");
            } else {
                assert_eq!(json!(header), *wanted, "{name}");
            }
        }
        assert_eq!(got.headers.contains_key("retry-after"), row["headers"].get("retry-after").is_some());
        if let Some(body) = row.get("body") {
            assert_eq!(&got.body["_text"], body);
        }
    }
    Replayed::from([("ratelimit".to_owned(), recorded[0]["name"].as_str().unwrap().to_owned())])
}
