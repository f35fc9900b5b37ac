//! The format of a scenario file.

use serde::Deserialize;
use serde_json::Value;
use std::time::Duration;

/// Bytes of a scenario file.
pub(super) const BYTES_MAX: usize = 1 << 20;
/// Entries of its script.
pub(super) const ENTRIES_MAX: usize = 1_000;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Scenario {
    /// Who is on the team; absent: the simulator's people.
    pub(super) people: Option<Vec<String>>,
    /// Channels beside the default ones.
    #[serde(default)]
    pub(super) channels: Vec<String>,
    pub(super) script: Vec<Entry>,
}

#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Entry {
    Post(Post),
    Webhook(Webhook),
    Press(Press),
    Choose(Choose),
    Wait(String),
    Expect(Box<Expect>),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Post {
    pub(super) by: String,
    pub(super) r#in: String,
    pub(super) text: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Webhook {
    pub(super) r#in: String,
    #[serde(default)]
    pub(super) r#as: String,
    #[serde(default)]
    pub(super) text: String,
    #[serde(default)]
    pub(super) attachments: Vec<Value>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Press {
    pub(super) by: String,
    pub(super) button: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Choose {
    pub(super) by: String,
    pub(super) field: String,
    pub(super) option: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Expect {
    /// How many runs there were so far.
    pub(super) runs: Option<usize>,
    /// Of the latest run: its workflow, step, and whether it is open, blocked, finished or cancelled.
    pub(super) workflow: Option<String>,
    pub(super) step: Option<String>,
    pub(super) status: Option<String>,
    pub(super) room: Option<Room>,
    #[serde(default)]
    pub(super) posts: Vec<Posted>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Room {
    pub(super) name: String,
    pub(super) display_name: Option<String>,
    pub(super) header: Option<String>,
    pub(super) purpose: Option<String>,
    /// People who must be in it.
    #[serde(default)]
    pub(super) members: Vec<String>,
    pub(super) archived: Option<bool>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Posted {
    pub(super) r#in: String,
    /// The whole text, or a part of it; one of them.
    pub(super) text: Option<String>,
    pub(super) contains: Option<String>,
    /// How often it stands there; absent: at least once.
    pub(super) times: Option<usize>,
    /// What its buttons and menus say, in order; absent: not looked at.
    pub(super) controls: Option<Vec<String>>,
}

impl Scenario {
    /// Reads a scenario, or says what is wrong with it and where.
    pub(super) fn parse(text: &str) -> Result<Scenario, String> {
        if text.len() > BYTES_MAX {
            return Err(format!("it has {} bytes, and {BYTES_MAX} are allowed; split it", text.len()));
        }
        let scenario: Scenario = serde_json::from_str(text).map_err(|error| error.to_string())?;
        let entries = scenario.script.len();
        if entries > ENTRIES_MAX {
            return Err(format!("its script has {entries} entries, and {ENTRIES_MAX} are allowed; split it"));
        }
        for (index, entry) in scenario.script.iter().enumerate() {
            entry.check().map_err(|error| format!("script entry {}: {error}", index + 1))?;
        }
        Ok(scenario)
    }
}

impl Entry {
    fn check(&self) -> Result<(), String> {
        match self {
            Entry::Wait(text) => duration(text).map(|_| ()),
            Entry::Expect(expect) => expect.posts.iter().try_for_each(|post| {
                if post.text.is_some() == post.contains.is_some() {
                    return Err("a post is expected by `text` or by `contains`: write one of them".to_owned());
                }
                Ok(())
            }),
            _ => Ok(()),
        }
    }
}

/// A time such as `90s`, `15m`, `2h` or `1d`.
pub(super) fn duration(text: &str) -> Result<Duration, String> {
    let wrong = || format!("`{text}` is no duration; write a number and s, m, h or d, such as `15m`");
    let unit = text.chars().last().ok_or_else(wrong)?;
    let seconds = match unit {
        's' => 1,
        'm' => 60,
        'h' => 3_600,
        'd' => 86_400,
        _ => return Err(wrong()),
    };
    let count: u64 = text.trim_end_matches(unit).parse().map_err(|_| wrong())?;
    count.checked_mul(seconds).map(Duration::from_secs).ok_or_else(wrong)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn script(entries: usize) -> String {
        format!(r#"{{"script": [{}]}}"#, vec![r#"{"wait": "1s"}"#; entries].join(","))
    }

    fn error(text: &str) -> String {
        Scenario::parse(text).err().unwrap()
    }

    #[test]
    fn each_bound_lets_the_largest_pass_and_refuses_one_more() {
        assert!(Scenario::parse(&script(ENTRIES_MAX)).is_ok());
        assert!(error(&script(ENTRIES_MAX + 1)).contains("entries"));
        let text = script(1);
        let padded = |bytes: usize| format!("{text}{}", " ".repeat(bytes - text.len()));
        assert!(Scenario::parse(&padded(BYTES_MAX)).is_ok());
        assert!(error(&padded(BYTES_MAX + 1)).contains("bytes"));
    }

    #[test]
    fn a_wrong_scenario_says_where() {
        let unknown = error("{\n  \"script\": [{\"press\": {\"by\": \"jon\", \"buton\": \"A\"}}]\n}");
        assert!(unknown.contains("unknown field `buton`") && unknown.contains("line 2 column"), "{unknown}");
        assert!(error(r#"{"script": [{"wait": "soon"}]}"#).contains("script entry 1: `soon` is no duration"));
        let both = r#"{"script": [{"expect": {"posts": [{"in": "a"}]}}]}"#;
        assert!(error(both).contains("`text` or by `contains`"));
    }

    #[test]
    fn durations_have_units() {
        assert_eq!(duration("90s"), Ok(Duration::from_secs(90)));
        assert_eq!(duration("2h"), Ok(Duration::from_secs(7_200)));
        for wrong in ["", "2", "h", "2w", "99999999999999999999d"] {
            assert!(duration(wrong).is_err(), "{wrong}");
        }
    }
}
