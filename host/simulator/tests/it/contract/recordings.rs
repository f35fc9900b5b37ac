//! The recordings.

use std::collections::BTreeSet;

use serde_json::Value;

/// File and name of exchanges.
pub(crate) type Replayed = BTreeSet<(String, String)>;

fn directory() -> String {
    format!("{}/tests/recordings", env!("CARGO_MANIFEST_DIR"))
}

/// The exchanges of a file, in order.
pub(crate) fn recording(file: &str) -> Vec<Value> {
    let path = format!("{}/{file}.json", directory());
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

/// File and name of every exchange: all there are, whatever files there are.
pub(crate) fn wanted() -> Replayed {
    let mut all = Replayed::new();
    for entry in std::fs::read_dir(directory()).unwrap() {
        let file = entry.unwrap().file_name().into_string().unwrap();
        let file = file.strip_suffix(".json").unwrap();
        for exchange in recording(file) {
            let new = all.insert((file.to_owned(), exchange["name"].as_str().unwrap().to_owned()));
            assert!(new, "two exchanges of {file} have the name {}", exchange["name"]);
        }
    }
    all
}
