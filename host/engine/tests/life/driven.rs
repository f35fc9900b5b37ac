//! A run driven by hand: the test is its host.

use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::Arc;
use warroom_engine::*;
use warroom_workflow::{ActionType, Catalog, Workflow, check};

pub(crate) const SECURITY_ISSUE: &str = include_str!("../../../workflow/tests/fixtures/security_issue.json");

fn catalog() -> Catalog {
    let named = |type_name: &str, outputs: &[&str]| ActionType {
        type_name: type_name.into(),
        parameters: json!({ "type": "object", "properties": {
            "fields": { "type": "array", "items": { "type": "object", "properties": {
                "name": { "type": "string", "x-warroom-outputs": true } } } },
            "transitions": { "type": "array", "items": { "type": "object", "properties": {
                "to": { "type": "string", "x-warroom-step": true } } } },
        } }),
        outputs: outputs.iter().map(|name| (*name).to_owned()).collect(),
    };
    Catalog::new([
        named("create_channel", &["ChannelName", "ChannelID"]),
        named("add_users_channel", &["Added", "NotAdded"]),
        named("post", &["PostID", "ChannelID"]),
        named("archive_channel", &[]),
    ])
    .unwrap()
}

pub(crate) fn workflow(text: &str) -> Workflow {
    let checked = check(text, &catalog());
    assert!(!checked.workflows.is_empty(), "{:#?}", checked.diagnostics);
    checked.workflows.into_iter().next().unwrap()
}

/// A workflow whose steps have these actions, given as JSON.
pub(crate) fn steps(steps: &[(&str, &str, &str)]) -> Workflow {
    let steps: Vec<String> = steps
        .iter()
        .map(|(name, start, finish)| {
            format!(r#"{{"name": "{name}", "start_actions": [{start}], "finish_actions": [{finish}]}}"#)
        })
        .collect();
    workflow(&format!(
        r#"[{{"name": "w", "triggers": [{{"name": "T", "type": "text", "match": "x"}}], "steps": [{}]}}]"#,
        steps.join(",")
    ))
}

pub(crate) fn person(name: &str) -> Person {
    Person { id: format!("id-{name}"), username: name.to_owned() }
}

/// A run driven by hand, with its journal.
pub(crate) struct Driven {
    pub(crate) workflow: Workflow,
    pub(crate) run: Run,
    journal: Vec<Event>,
    /// What the host was asked to tell people, in order.
    pub(crate) told: Vec<Matter>,
    /// What it did besides, in order: pins and closed rooms.
    pub(crate) done: Vec<String>,
}

impl Driven {
    pub(crate) fn new(workflow: Workflow) -> Driven {
        let channel = Channel {
            id: "town".into(),
            name: "town-square".into(),
            display_name: "Town Square".into(),
            team_id: "t".into(),
        };
        let trigger = Trigger {
            name: workflow.triggers[0].name.to_string(),
            post_id: "p".into(),
            text: "#sec hello".into(),
            user: person("jon"),
            channel,
            team_name: "infosec".into(),
            permalink: "http://chat/infosec/pl/p".into(),
            created_ms: 900,
            groups: BTreeMap::new(),
        };
        let fact = Fact::RunStarted {
            run: "r".into(),
            workflow: workflow.name.to_string(),
            workflow_digest: "sha256:0".into(),
            components: Arc::default(),
            number: 7,
            trigger: Arc::new(trigger),
        };
        let first = Event { at_ms: 1_000, fact };
        Driven {
            workflow,
            run: Run::start(&first).unwrap(),
            journal: vec![first],
            told: Vec::new(),
            done: Vec::new(),
        }
    }

    pub(crate) fn record(&mut self, facts: Vec<Fact>) {
        for fact in facts {
            let event = Event { at_ms: 1_000 + self.journal.len() as u64, fact };
            self.run.apply(&event);
            self.journal.push(event);
        }
        // Through the text and back: what is journalled is all there is.
        let text = serde_json::to_string(&self.journal).unwrap();
        let read: Vec<Event> = serde_json::from_str(&text).unwrap();
        assert_eq!(Run::replay(&read).unwrap(), self.run);
    }

    pub(crate) fn journal(&self) -> &[Event] {
        &self.journal
    }

    /// Journals what the engine says by itself, until something is to be done outside.
    pub(crate) fn settle(&mut self) -> Next {
        for _ in 0..1_000 {
            match next(&self.workflow, &self.run) {
                Next::Record(facts) => self.record(facts),
                Next::RemoveControls(post) => self.record(vec![Fact::ControlsRemoved { post: post.key }]),
                Next::Announce(n) => self.tell(n),
                Next::Pin(post) => self.note(format!("pin {}", post.action), Fact::Pinned { post: post.key }),
                Next::Unpin(post) => {
                    self.note(format!("unpin {}", post.action), Fact::Unpinned { post: post.key });
                }
                Next::CloseRoom(room) => {
                    self.note(format!("close {}", room.id), Fact::ChannelArchived { channel_id: room.id });
                }
                other => return other,
            }
        }
        panic!("the engine does not settle");
    }

    fn tell(&mut self, n: u32) {
        self.told.push(self.run.announcements[n as usize].matter.clone());
        let channel_id = "town".to_owned();
        self.record(vec![
            Fact::AnnouncementIntended { n, channel_id },
            Fact::AnnouncementPosted { n, post_id: format!("told-{n}") },
        ]);
    }

    fn note(&mut self, what: String, fact: Fact) {
        self.done.push(what);
        self.record(vec![fact]);
    }

    pub(crate) fn act(&mut self) -> Act {
        match self.settle() {
            Next::Act(act) => *act,
            other => panic!("{other:?}"),
        }
    }

    /// Executes the next action well, as its component would.
    pub(crate) fn succeed(&mut self) -> Act {
        let act = self.act();
        let mut facts = vec![Fact::ActionStarted {
            action: act.key.clone(),
            digest: "sha256:1".into(),
            input: act.input.clone().into(),
            incident: Arc::default(),
        }];
        let mut outputs = BTreeMap::new();
        if act.type_name == "create_channel" {
            let name = act.input["channel_name"].as_str().unwrap().to_owned();
            outputs.insert("ChannelName".to_owned(), name.clone());
            let channel =
                Channel { id: "room".into(), display_name: name.clone(), name, team_id: "t".into() };
            facts.push(Fact::ChannelCreated { channel });
        }
        if act.type_name == "post" {
            facts.extend(self.controls(&act).map(|post| Fact::ControlsPosted { post }));
        }
        facts.push(Fact::ActionSucceeded { action: act.key.clone(), outputs });
        self.record(facts);
        act
    }

    fn controls(&self, act: &Act) -> Option<ControlPost> {
        let text = |value: &Value, key: &str| value[key].as_str().unwrap_or_default().to_owned();
        let list = |key: &str| act.input.get(key).and_then(Value::as_array).cloned().unwrap_or_default();
        let fields: Vec<Field> = list("fields")
            .iter()
            .map(|field| Field {
                name: text(field, "name"),
                description: text(field, "description"),
                kind: match field["options"].as_array() {
                    Some(options) => FieldKind::Menu(
                        options.iter().map(|option| option.as_str().unwrap().to_owned()).collect(),
                    ),
                    None => FieldKind::Button,
                },
            })
            .collect();
        let transitions: Vec<TransitionControl> = list("transitions")
            .iter()
            .map(|offer| TransitionControl {
                label: text(offer, "label"),
                description: text(offer, "description"),
                to: text(offer, "to"),
                allowed: offer["allowed"]
                    .as_array()
                    .map(|names| names.iter().map(|name| name.as_str().unwrap().to_owned()).collect())
                    .unwrap_or_default(),
            })
            .collect();
        if fields.is_empty() && transitions.is_empty() {
            return None;
        }
        Some(ControlPost {
            key: act.key.call(&self.run.id, 2),
            visit: act.key.visit,
            action: act.key.name.clone(),
            post_id: "post".into(),
            channel_id: "room".into(),
            message: text(&Value::Object(act.input.clone()), "message"),
            controls: Controls {
                fields_title: "Fields".into(),
                fields,
                transitions_title: "Transitions".into(),
                transitions,
            },
        })
    }

    /// Executes actions until people are asked.
    pub(crate) fn run_to_wait(&mut self) -> Next {
        loop {
            match self.settle() {
                Next::Act(_) => {
                    self.succeed();
                }
                other => return other,
            }
        }
    }

    pub(crate) fn decide(&mut self, input: Input, by: &str) -> Result<(), Refusal> {
        let facts = decide(&self.workflow, &self.run, input, &person(by).into())?;
        self.record(facts);
        Ok(())
    }

    pub(crate) fn press(&mut self, label: &str, by: &str) -> Result<(), Refusal> {
        let post = self.run.posts.last().unwrap().clone();
        let transition = post.controls.transitions.iter().position(|offer| offer.label == label).unwrap();
        self.decide(Input::ChooseTransition { post: post.key, transition }, by)
    }

    pub(crate) fn fail(&mut self, message: &str) -> Act {
        self.fail_as(FailureKind::Conflict, message)
    }

    pub(crate) fn fail_as(&mut self, kind: FailureKind, message: &str) -> Act {
        let act = self.act();
        let failure = Failure { kind, message: message.into() };
        self.record(vec![Fact::ActionFailed { action: act.key.clone(), failure, goes_on: false }]);
        act
    }

    pub(crate) fn visited(&self) -> Vec<&str> {
        self.run.visits.iter().map(|visit| visit.step.as_str()).collect()
    }
}
