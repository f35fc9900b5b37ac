//! The index finds what the definition says, for any triggers and any message.

use std::sync::Arc;

use proptest::prelude::*;
use proptest::sample::select;
use serde_json::{Value, json};
use warroom_workflow::{Author, Message, Pattern, TriggerIndex, Workflow, check};

use super::catalog;

fn workflows(triggers: &[Vec<Value>]) -> Vec<Arc<Workflow>> {
    let workflow = |(number, triggers): (usize, &Vec<Value>)| {
        let named = |(number, trigger): (usize, &Value)| {
            let mut trigger = trigger.clone();
            (trigger["name"], trigger["type"]) = (json!(format!("T{number}")), json!("text"));
            trigger
        };
        let triggers: Vec<_> = triggers.iter().enumerate().map(named).collect();
        let steps = json!([{"name": "A", "start_actions": [{"name": "End", "type": "finished_workflow"}]}]);
        json!({"name": format!("w{number}"), "triggers": triggers, "steps": steps})
    };
    let file = Value::Array(triggers.iter().enumerate().map(workflow).collect());
    let checked = check(&file.to_string(), &catalog());
    assert_eq!(checked.workflows.len(), triggers.len(), "{:#?}", checked.diagnostics);
    checked.workflows.into_iter().map(Arc::new).collect()
}

fn message<'a>(text: &'a str, attachments: &'a str, author: Author) -> Message<'a> {
    Message {
        text,
        attachments,
        author,
        team_name: "it",
        channel_id: "c1",
        channel_name: "ops",
        channel_display_name: "The Ops",
    }
}

/// The definition, spelled out.
fn fires(trigger: &Value, text: &str) -> bool {
    let holds = |phrase: &str| {
        let fold =
            |text: &str| if trigger["ignore_case"] == true { text.to_lowercase() } else { text.to_owned() };
        let (text, phrase) = (fold(text), fold(phrase));
        let is_word = |character: Option<char>| character.is_some_and(|c| c.is_alphanumeric() || c == '_');
        (0..text.len()).filter(|at| text.is_char_boundary(*at)).any(|at| {
            text[at..].starts_with(&phrase)
                && !is_word(text[..at].chars().next_back())
                && !is_word(text[at + phrase.len()..].chars().next())
        })
    };
    let met = match trigger.get("match").and_then(Value::as_str) {
        Some(phrase) => holds(phrase),
        None => Pattern::new(trigger["match_regex"].as_str().unwrap()).unwrap().is_match(text),
    };
    let excepted = trigger.get("except").and_then(Value::as_str).is_some_and(holds);
    let wrong_channel = trigger.get("channel_name").is_some_and(|name| name != "ops" && name != "The Ops");
    met && !excepted && !wrong_channel
}

fn trigger() -> impl Strategy<Value = Value> {
    let phrases = select(vec![
        "#sec",
        "sec",
        "a",
        "disk full",
        "DISK",
        "b c",
        "é",
        "#",
        "a very long phrase that is cut by the index",
        "sec\na",
    ]);
    let patterns = select(vec![
        "sec",
        "(?i)DISK",
        r"\d+",
        "a|b c",
        "^x",
        "full$",
        "(?:disk )?full",
        r"\bsec\b",
        "[ab]c",
        r"sec\na",
    ]);
    let condition = prop_oneof![
        phrases.prop_map(|phrase| json!({"match": phrase})),
        patterns.prop_map(|pattern| json!({"match_regex": pattern})),
    ];
    let except = prop::option::of(select(vec!["full", "x"]));
    let channel = prop::option::of(select(vec!["ops", "The Ops", "elsewhere"]));
    (condition, except, channel, any::<bool>()).prop_map(|(mut trigger, except, channel, ignore_case)| {
        trigger["ignore_case"] = json!(ignore_case);
        except.into_iter().for_each(|except| trigger["except"] = json!(except));
        channel.into_iter().for_each(|channel| trigger["channel_name"] = json!(channel));
        trigger
    })
}

fn text() -> impl Strategy<Value = String> {
    let words = select(vec![
        "#sec",
        "sec",
        "a",
        "disk",
        "full",
        "Disk",
        "b",
        "c",
        "É",
        "é",
        "#",
        "x",
        "1",
        "a very long phrase that is cut by the index",
    ]);
    let between = select(vec![" ", "", ".", "\n"]);
    prop::collection::vec((words, between), 0..8)
        .prop_map(|parts| parts.into_iter().map(|(a, b)| format!("{a}{b}")).collect())
}

/// A message with code in it, and what a person says in it.
fn post() -> impl Strategy<Value = (String, String)> {
    let code = prop::option::of(select(vec!["sec", "a b", "#sec disk full"]));
    prop::collection::vec((text(), code), 1..4).prop_map(|parts| {
        let (mut written, mut said) = (String::new(), String::new());
        for (text, code) in parts {
            written.push_str(&text);
            said.push_str(&text);
            if let Some(code) = code {
                written.push_str(&format!("`{code}`"));
                said.push('\n');
            }
        }
        (written, said)
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_index_finds_what_the_definition_says(
        triggers in prop::collection::vec(prop::collection::vec(trigger(), 1..4), 1..6),
        texts in prop::collection::vec(post(), 1..6),
    ) {
        let index = TriggerIndex::new(workflows(&triggers));
        for (written, text) in &texts {
            let found: Vec<_> = index
                .matches(&message(written, "", Author::Person))
                .into_iter()
                .map(|found| (found.workflow.name.to_string(), found.trigger.to_string()))
                .collect();
            let first = |triggers: &Vec<Value>| triggers.iter().position(|trigger| fires(trigger, text));
            let wanted: Vec<_> = (0..)
                .zip(&triggers)
                .filter_map(|(number, triggers)| Some((format!("w{number}"), format!("T{}", first(triggers)?))))
                .collect();
            prop_assert_eq!(found, wanted, "{:?} on {:?}", &triggers, text);
        }
    }
}

fn starts(trigger: Value, message: &Message<'_>) -> bool {
    !TriggerIndex::new(workflows(&[vec![trigger]])).matches(message).is_empty()
}

#[test]
fn of_a_person_only_what_they_say_counts() {
    let trigger = json!({"match": "#sec"});
    for text in ["`#sec`", "> #sec", "```\n#sec\n```"] {
        assert!(!starts(trigger.clone(), &message(text, "", Author::Person)), "{text}");
        assert!(starts(trigger.clone(), &message(text, "", Author::Automation)), "{text}");
        let all = json!({"match": "#sec", "match_in": "all"});
        assert!(starts(all, &message(text, "", Author::Person)), "{text}");
        let prose = json!({"match": "#sec", "match_in": "prose"});
        assert!(!starts(prose, &message(text, "", Author::Automation)), "{text}");
    }
    assert!(!starts(trigger.clone(), &message("hello", "#sec", Author::Person)));
    assert!(starts(trigger.clone(), &message("", "#sec", Author::Automation)));
    assert!(starts(trigger, &message("hello", "#sec", Author::Automation)));
}

#[test]
fn exceptions_are_searched_where_the_condition_is() {
    let alert = json!({"match_regex": "HighLatency", "except": "[RESOLVED]", "except_regex": ["(?i)recovery", "^TEST"]});
    let bot = |text, attachments| message(text, attachments, Author::Automation);
    assert!(starts(alert.clone(), &bot("", "[FIRING:1] HighLatency")));
    assert!(!starts(alert.clone(), &bot("", "[RESOLVED] HighLatency")));
    assert!(!starts(alert.clone(), &bot("RECOVERY", "HighLatency")));
    assert!(!starts(alert.clone(), &bot("TEST HighLatency", "")));
    let quoted = message("> [RESOLVED]\nHighLatency", "", Author::Person);
    assert!(starts(alert, &quoted), "what a person quotes is not what they say");
}

#[test]
fn groups_are_those_of_the_pattern_that_fired() {
    let trigger = json!({"match_regex": r"\[FIRING:\d+\] (?P<alert>\w+)(?: on (?P<host>\w+))?"});
    let index = TriggerIndex::new(workflows(&[vec![trigger]]));
    let found = index.matches(&message("[FIRING:1] DiskFull", "", Author::Automation)).remove(0);
    assert_eq!(found.groups["alert"], "DiskFull");
    assert_eq!(found.groups["host"], "");
}

#[test]
fn every_trigger_in_one_long_message_is_found() {
    let triggers: Vec<_> =
        (0..1_000).map(|number| vec![json!({"match": format!("#alert{number}")})]).collect();
    let index = TriggerIndex::new(workflows(&triggers));
    let text: String = (0..1_000).map(|number| format!("#alert{number} ")).collect();
    assert_eq!(index.matches(&message(&text, "", Author::Automation)).len(), 1_000);
}

#[test]
fn a_channel_is_named_by_its_handle_its_name_or_its_id() {
    for (name, fires) in [
        ("ops", true),
        ("The Ops", true),
        ("Ops", true),
        (" OPS ", true),
        ("c1", true),
        ("The", false),
        ("c", false),
    ] {
        let trigger = json!({"name": "T", "type": "text", "match": "#x", "channel_name": name});
        let index = TriggerIndex::new(workflows(&[vec![trigger]]));
        assert_eq!(!index.matches(&message("#x", "", Author::Person)).is_empty(), fires, "{name:?}");
    }
}
