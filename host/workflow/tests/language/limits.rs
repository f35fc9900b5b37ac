//! Every bound of a file, just below and just above it.

use warroom_workflow::{
    ACTIONS_MAX, DIAGNOSTICS_MAX, FILE_BYTES_MAX, NESTING_MAX, PHRASE_CHARS_MAX, STEPS_MAX, TEXT_BYTES_MAX,
    TRIGGERS_MAX, WORKFLOWS_MAX, check,
};

use super::{SEED, catalog, codes, file};

const NONE: [&str; 0] = [];

#[test]
fn a_file_has_at_most_4_mib() {
    let padded = |length: usize| format!("{SEED}{}", " ".repeat(length - SEED.len()));
    assert_eq!(codes(&padded(FILE_BYTES_MAX)), ["W017"]);
    assert_eq!(codes(&padded(FILE_BYTES_MAX + 1)), ["E001"]);
}

#[test]
fn values_nest_64_deep() {
    // The parameter stands in a list, a workflow, a list, a step, a list and an action: 6 levels.
    let nested = |depth: usize| {
        let value = format!("{}{}", "[".repeat(depth), "]".repeat(depth));
        file(&format!(
            r#"{{"name": "S", "start_actions": [{{"name": "A", "type": "post", "channel_name": "a", "odd": {value}}}]}}"#
        ))
    };
    assert_eq!(codes(&nested(NESTING_MAX - 6)), ["E006"], "read, and refused for its unknown key");
    assert_eq!(codes(&nested(NESTING_MAX - 5)), ["E006", "E003"]);
}

#[test]
fn a_file_has_at_most_10_000_workflows() {
    let workflows = |count: usize| {
        let all: Vec<String> = (0..count)
            .map(|n| {
                format!(
                    r#"{{"name":"w{n}","triggers":[{{"name":"T","type":"text","match":"a"}}],"steps":[{{"name":"S",
                        "start_actions":[{{"name":"E","type":"finished_workflow"}}]}}]}}"#
                )
            })
            .collect();
        format!("[{}]", all.join(","))
    };
    let checked = check(&workflows(WORKFLOWS_MAX), &catalog());
    assert_eq!((checked.workflows.len(), checked.diagnostics.len()), (WORKFLOWS_MAX, 0));
    assert_eq!(codes(&workflows(WORKFLOWS_MAX + 1)), ["E009"]);
}

#[test]
fn a_workflow_has_at_most_1_000_steps() {
    // A chain of automatic transitions, so that all are reached.
    let chain = |count: usize| {
        let mut steps: Vec<String> = (1..count)
            .map(|n| {
                let next = n + 1;
                format!(
                    r#"{{"name":"S{n}","start_actions":[{{"name":"A{n}","type":"transition_to","to":"S{next}"}}]}}"#
                )
            })
            .collect();
        steps.push(format!(
            r#"{{"name":"S{count}","start_actions":[{{"name":"E","type":"finished_workflow"}}]}}"#
        ));
        file(&steps.join(","))
    };
    assert_eq!(codes(&chain(STEPS_MAX)), NONE);
    assert_eq!(codes(&chain(STEPS_MAX + 1)), ["E009"]);
}

#[test]
fn at_most_1_000_problems_are_shown() {
    let workflows = |count: usize| format!("[{}]", vec!["7"; count].join(","));
    assert_eq!(codes(&workflows(DIAGNOSTICS_MAX)).len(), DIAGNOSTICS_MAX);
    let found = check(&workflows(DIAGNOSTICS_MAX + 2), &catalog());
    let last = found.diagnostics.last().unwrap();
    assert_eq!(found.diagnostics.len(), DIAGNOSTICS_MAX + 1);
    assert_eq!((last.code, last.message.as_str()), ("E099", "2 more problems are not shown"));
}

#[test]
fn a_step_has_at_most_1_000_actions() {
    let step = |count: usize| {
        let all: Vec<String> = (1..=count)
            .map(|n| format!(r#"{{"name":"A{n}","type":"archive_channel","channel_name":"a"}}"#))
            .collect();
        file(&format!(r#"{{"name":"S","start_actions":[{}]}}"#, all.join(",")))
    };
    assert!(!codes(&step(ACTIONS_MAX)).contains(&"E009"));
    assert!(codes(&step(ACTIONS_MAX + 1)).contains(&"E009"));
}

#[test]
fn a_workflow_has_at_most_1_000_triggers() {
    let workflow = |count: usize| {
        let all: Vec<String> =
            (1..=count).map(|n| format!(r#"{{"name":"T{n}","type":"text","match":"a"}}"#)).collect();
        format!(
            r#"[{{"name":"w","triggers":[{}],"steps":[{{"name":"S","start_actions":[{{"name":"E","type":"finished_workflow"}}]}}]}}]"#,
            all.join(",")
        )
    };
    assert_eq!(codes(&workflow(TRIGGERS_MAX)), NONE);
    assert_eq!(codes(&workflow(TRIGGERS_MAX + 1)), ["E009"]);
}

#[test]
fn a_string_has_at_most_64_kib() {
    let described = |length: usize| {
        SEED.replacen("\"name\"", &format!("\"description\": \"{}\", \"name\"", "x".repeat(length)), 1)
    };
    assert_eq!(codes(&described(TEXT_BYTES_MAX)), ["W017"]);
    assert_eq!(codes(&described(TEXT_BYTES_MAX + 1)), ["E018"]);
}

#[test]
fn retry_is_bounded() {
    let retry = |tries: u32, minutes: u32| {
        file(&format!(
            r#"{{"name":"S","start_actions":[{{"name":"A","type":"archive_channel","channel_name":"a","retry":{{"tries":{tries},"minutes":{minutes}}}}}]}}"#
        ))
    };
    for (tries, minutes) in [(1, 1), (1_000, 1_440)] {
        let checked = check(&retry(tries, minutes), &catalog());
        let read = checked.workflows[0].action("A").unwrap().retry.unwrap();
        assert_eq!((read.tries, read.minutes), (tries, minutes));
    }
    for (tries, minutes) in [(0, 1), (1_001, 1), (1, 0), (1, 1_441)] {
        assert!(codes(&retry(tries, minutes)).contains(&"E008"), "{tries} {minutes}");
    }
}

#[test]
fn a_start_limit_is_bounded() {
    let limited = |key: &str, value: u32| {
        let text = file(r#"{"name": "S", "start_actions": [{"name": "A", "type": "finished_workflow"}]}"#);
        text.replacen("\"triggers\"", &format!("\"start_limit\": {{\"{key}\": {value}}}, \"triggers\""), 1)
    };
    for (key, max) in [("starts", 1_000), ("minutes", 1_440)] {
        assert_eq!(codes(&limited(key, 1)), NONE);
        assert_eq!(codes(&limited(key, max)), NONE);
        assert_eq!(codes(&limited(key, max + 1)), ["E008"]);
        assert_eq!(codes(&limited(key, 0)), ["E008"]);
    }
}

#[test]
fn a_phrase_has_at_most_1_000_characters() {
    let phrase = |length: usize| {
        let text = file(r#"{"name": "S", "start_actions": [{"name": "A", "type": "finished_workflow"}]}"#);
        text.replacen("#sec", &"ü".repeat(length), 1)
    };
    assert_eq!(codes(&phrase(PHRASE_CHARS_MAX)), NONE);
    assert_eq!(codes(&phrase(PHRASE_CHARS_MAX + 1)), ["E008"]);
}
