//! The recordings, and what of them the simulator cannot answer.

use std::collections::BTreeSet;

use serde_json::Value;

/// File and name of exchanges.
pub(crate) type Replayed = BTreeSet<(String, String)>;

const NO_COMMANDS: &str = "the simulator has no slash commands: nothing of the project makes or answers any";
const NO_DIALOGS: &str = "the simulator has no dialogs: nothing of the project opens any";
const NO_FILES: &str = "the simulator keeps no files: nothing of the project reads any";
const NO_OUTGOING: &str =
    "the simulator has no outgoing webhooks: they are no substitute for the event stream";
const NO_REACTIONS: &str = "the simulator has no reactions: nothing of the project reads or makes any";

/// Exchanges that are not replayed, and why. Whatever else is recorded must be.
const LEFT_OUT: [(&str, &str, &str); 20] = [
    ("commands", "create slash command", NO_COMMANDS),
    ("commands", "create slash command again", NO_COMMANDS),
    ("commands", "create slash command as bot", NO_COMMANDS),
    ("commands", "list custom commands", NO_COMMANDS),
    ("commands", "run: ephemeral", NO_COMMANDS),
    ("commands", "run: in channel, with words", NO_COMMANDS),
    ("commands", "run: reply 500", NO_COMMANDS),
    ("commands", "run: reply not json", NO_COMMANDS),
    ("commands", "delayed reply to response_url", NO_COMMANDS),
    ("dialogs", "open", NO_DIALOGS),
    ("dialogs", "open with bad trigger", NO_DIALOGS),
    ("dialogs", "submit", NO_DIALOGS),
    ("dialogs", "submit, field errors", NO_DIALOGS),
    ("dialogs", "cancel", NO_DIALOGS),
    ("files", "upload", NO_FILES),
    ("files", "info", NO_FILES),
    ("files", "content", NO_FILES),
    ("posts", "reaction", NO_REACTIONS),
    ("webhooks", "create outgoing webhook", NO_OUTGOING),
    ("webhooks", "outgoing webhook callback", NO_OUTGOING),
];

/// Recorded events that the simulator never sends: their name, what their form holds, and why.
pub(crate) const EVENTS_LEFT_OUT: [(&str, &str, &str); 6] = [
    ("channel_viewed", "", "the simulator does not count what somebody has read"),
    ("posted", r#""otherFile""#, NO_FILES),
    ("posted", r#""a": "number""#, NO_COMMANDS),
    ("reaction_added", "", NO_REACTIONS),
    ("reply", "", "the recorded bot authenticated on the stream, this one in the header"),
    ("user_updated", "", "the simulator's users do not change their profiles"),
];

fn directory() -> String {
    format!("{}/tests/recordings", env!("CARGO_MANIFEST_DIR"))
}

/// The exchanges of a file, in order.
pub(crate) fn recording(file: &str) -> Vec<Value> {
    let path = format!("{}/{file}.json", directory());
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

pub(crate) fn is_left_out(file: &str, exchange: &Value) -> bool {
    LEFT_OUT.iter().any(|(of, name, _)| *of == file && exchange["name"] == *name)
}

/// File and name of every exchange that must be replayed: all there are, whatever files there are, but those left out.
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
    for (file, name, reason) in LEFT_OUT {
        let found = all.remove(&(file.to_owned(), name.to_owned()));
        assert!(found, "{name} of {file} is left out ({reason}), but not recorded");
    }
    all
}
