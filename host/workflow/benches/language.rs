//! What the language costs: finding the triggers of a message, building their index, checking a file.
//!
//! Messages match nothing, as nearly all do, but share words and beginnings with what is looked for. The last line compares: what a
//! message takes with 10,000 triggers, as a multiple of what it takes with 10.
#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::unwrap_used,
    clippy::print_stdout,
    missing_docs,
    reason = "a benchmark that cannot go on must fail at once, and prints"
)]

use std::hint::black_box;
use std::sync::Arc;
use std::time::{Duration, Instant};

use criterion::{Criterion, criterion_group, criterion_main};
use serde_json::{Value, json};
use warroom_workflow::{ActionType, Author, Catalog, Message, TriggerIndex, Workflow, check};

const NOUNS: [&str; 16] = [
    "disk",
    "latency",
    "replica",
    "queue",
    "certificate",
    "backup",
    "memory",
    "gateway",
    "login",
    "payment",
    "index",
    "cache",
    "cluster",
    "volume",
    "tenant",
    "deploy",
];

/// One message of 1 KB, as an alert would be written.
fn message(number: usize) -> String {
    let mut text = format!("[{number}] PROBLEM on host web{number:02}: ");
    for word in 0.. {
        if text.len() >= 1_000 {
            break;
        }
        let noun = NOUNS[(number * 7 + word * 5) % NOUNS.len()];
        text.push_str(noun);
        text.push_str(
            [" is slow, see #incidents-", " failed after ", " alert of check ", "; the last "][word % 4],
        );
        text.push_str(&(word * 37 % 101).to_string());
        text.push(' ');
    }
    text.truncate(1_024);
    text
}

/// A file of workflows with one trigger each, one in ten a pattern.
fn file(workflows: usize) -> Value {
    let workflow = |number: usize| {
        let noun = NOUNS[number % NOUNS.len()];
        let trigger = if number.is_multiple_of(10) {
            json!({"name": "T", "type": "text", "match_regex": format!(r"(?i)\[FIRING:\d+\] {noun}[-_ ]alert-{number}\b")})
        } else {
            json!({"name": "T", "type": "text", "match": format!("#{noun}-{number}")})
        };
        json!({
            "name": format!("w{number}"),
            "description": "What happens when this alert fires, and who is called when it does.",
            "triggers": [trigger],
            "steps": [
                {"name": "Respond", "start_actions": [
                    {"name": "Room", "type": "create_channel", "channel_name": format!("{noun}-{number}-{{{{.Instance.Number}}}}")},
                    {"name": "Ask", "type": "post", "channel_name": "{{.Action.Room.ChannelName}}",
                     "message": "@oncall look at {{.Trigger.T.Message}}",
                     "fields": [{"name": "Severity", "type": "options", "options": ["S1", "S2"]}],
                     "transitions": [{"label": "Resolved", "description": "It works again", "to": "Close"}]},
                ]},
                {"name": "Close", "start_actions": [
                    {"name": "Say", "type": "post", "channel_name": "{{.Action.Room.ChannelName}}",
                     "message": "Resolved, severity {{.Action.Ask.Severity}}."},
                    {"name": "Archive", "type": "archive_channel", "channel_name": "{{.Action.Room.ChannelName}}"},
                ]},
            ],
        })
    };
    (0..workflows).map(workflow).collect()
}

fn catalog() -> Catalog {
    let schemas = [
        ("create_channel", include_str!("../../../guest-actions/create_channel/src/schema.json")),
        ("add_users_channel", include_str!("../../../guest-actions/add_users_channel/src/schema.json")),
        ("post", include_str!("../../../guest-actions/post/src/schema.json")),
        ("archive_channel", include_str!("../../../guest-actions/archive_channel/src/schema.json")),
    ];
    Catalog::new(schemas.map(|(name, schema)| ActionType {
        type_name: name.to_owned(),
        parameters: serde_json::from_str(schema).unwrap(),
        outputs: vec!["ChannelName".to_owned(), "ChannelID".to_owned()],
    }))
    .unwrap()
}

fn workflows(count: usize) -> Vec<Arc<Workflow>> {
    // As many files as they fit into.
    let (catalog, all) = (catalog(), file(count));
    let files = all.as_array().unwrap().chunks(1_000).map(|part| Value::from(part).to_string());
    let workflows: Vec<_> = files.flat_map(|file| check(&file, &catalog).workflows).map(Arc::new).collect();
    assert_eq!(workflows.len(), count);
    workflows
}

/// A figure of this process's memory, in KB; 0 where the system does not give it.
fn memory_kb(name: &str) -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix(name)).unwrap_or_default();
    line.trim_start_matches(':').split_whitespace().next().and_then(|figure| figure.parse().ok()).unwrap_or(0)
}

/// How many copies of an index the memory is measured over.
const COPIES: usize = 6;

/// Builds an index and prints what that took.
fn build(workflows: Vec<Arc<Workflow>>) -> TriggerIndex {
    let count = workflows.len();
    let began = Instant::now();
    let index = TriggerIndex::new(workflows.clone());
    let took = began.elapsed();
    // The first copies may take what was freed before; the last ones need memory of their own.
    let copies = |number: usize| -> Vec<TriggerIndex> {
        (0..number).map(|_| TriggerIndex::new(workflows.clone())).collect()
    };
    let _first = copies(COPIES);
    let before = memory_kb("VmRSS");
    let _last = copies(COPIES);
    let held_kb = memory_kb("VmRSS").saturating_sub(before) / COPIES as u64;
    println!("index of {count} triggers: built in {} ms, {held_kb} KB resident", took.as_millis());
    index
}

fn matched(index: &TriggerIndex, texts: &[String]) -> usize {
    let matches = |text: &String| {
        let message = Message {
            text,
            attachments: "",
            author: Author::Automation,
            team_name: "it",
            channel_id: "c",
            channel_name: "alerts",
            channel_display_name: "Alerts",
        };
        index.matches(&message).len()
    };
    texts.iter().map(matches).sum()
}

fn triggers(criterion: &mut Criterion) {
    let texts: Vec<String> = (0..64).map(message).collect();
    let indexes: Vec<(usize, TriggerIndex)> =
        [10, 1_000, 10_000].into_iter().map(|count| (count, build(workflows(count)))).collect();
    let mut group = criterion.benchmark_group("triggers of a 1 KB message");
    for (count, index) in &indexes {
        assert_eq!(matched(index, &texts), 0);
        let mut next = texts.iter().cycle();
        group.bench_function(count.to_string(), |bencher| {
            bencher.iter(|| matched(index, std::slice::from_ref(black_box(next.next().unwrap()))));
        });
    }
    group.finish();
    compare(&indexes[0].1, &indexes[2].1, &texts);
}

/// The two by turns, so that whatever else the machine does meets both.
fn compare(few: &TriggerIndex, many: &TriggerIndex, texts: &[String]) {
    let (mut of_few, mut of_many) = (Duration::MAX, Duration::MAX);
    for _ in 0..200 {
        for (index, best) in [(few, &mut of_few), (many, &mut of_many)] {
            let began = Instant::now();
            black_box(matched(index, black_box(texts)));
            *best = (*best).min(began.elapsed());
        }
    }
    let messages = texts.len() as f64;
    let micros = |took: Duration| took.as_secs_f64() * 1e6 / messages;
    println!(
        "10,000 triggers take {:.2} us a message, 10 take {:.2} us: {:.2} times as much",
        micros(of_many),
        micros(of_few),
        micros(of_many) / micros(of_few)
    );
}

fn checking(criterion: &mut Criterion) {
    let (catalog, text) = (catalog(), serde_json::to_string_pretty(&file(1_000)).unwrap());
    assert!(!check(&text, &catalog).workflows.is_empty());
    let name = format!("check a file of 1,000 workflows, {} KB", text.len() / 1_000);
    let mut group = criterion.benchmark_group("files");
    group.sample_size(10);
    group.bench_function(name, |bencher| bencher.iter(|| check(black_box(&text), &catalog)));
    group.finish();
}

criterion_group!(benches, triggers, checking);
criterion_main!(benches);
