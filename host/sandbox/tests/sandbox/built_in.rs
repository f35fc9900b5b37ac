//! Each built-in action: what it imports, what it calls, what it puts out.

use serde_json::json;
use warroom_sandbox::{
    ActionError, Answer, Call, CallFailure, Capability, ChannelDraft, Controls, ErrorKind, Field, FieldKind,
    PostDraft, Refusal, Transition,
};

use crate::components::built;
use crate::fake_host::{Bench, FakeHost, Record, good_answer, user};

const COMPONENT_BYTES_MAX: usize = 100_000;

/// Runs a built-in with good answers; gives its calls and outputs.
async fn run(component: &str, input: serde_json::Value) -> (Vec<Call>, Vec<(String, String)>) {
    let record = Record::default();
    let execution = Bench::of(component).await.run(&input.to_string(), FakeHost::new(&record)).await.unwrap();
    let outcome = execution.outcome.unwrap();
    assert_eq!(outcome.transition, None);
    assert_eq!(execution.host_calls as usize, record.calls().len());
    (record.calls(), outcome.outputs)
}

/// Runs a built-in with these answers; gives its error.
async fn run_failing(
    component: &str,
    input: serde_json::Value,
    answer: impl Fn(&Call) -> Result<Answer, CallFailure> + Send + 'static,
) -> ActionError {
    let host = FakeHost::answering(&Record::default(), answer);
    Bench::of(component).await.run(&input.to_string(), host).await.unwrap().outcome.unwrap_err()
}

fn outputs(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
    pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

fn find(name: &str) -> Call {
    Call::FindChannel { team: None, name: name.into() }
}

#[tokio::test]
async fn each_imports_only_what_it_needs_and_is_small() {
    use Capability::{Archiving, Channels, Members, Posts, Users};
    for (component, imports) in [
        ("create_channel", &[Channels][..]),
        ("add_users_channel", &[Channels, Users, Members, Posts]),
        ("post", &[Channels, Posts]),
        ("archive_channel", &[Channels, Archiving]),
    ] {
        let bench = Bench::of(component).await;
        assert_eq!(bench.action.imports(), &imports.iter().copied().collect(), "{component}");
        assert_eq!(bench.action.descriptor().type_name, component);
        let bytes = built(component).len();
        assert!(bytes < COMPONENT_BYTES_MAX, "{component} has {bytes} bytes");
    }
}

#[tokio::test]
async fn each_schema_describes_and_titles_its_parameters() {
    for component in ["create_channel", "add_users_channel", "post", "archive_channel"] {
        let bench = Bench::of(component).await;
        let schema = &bench.action.descriptor().parameters;
        assert_eq!(schema["additionalProperties"], json!(false), "{component}");
        for (name, parameter) in schema["properties"].as_object().unwrap() {
            assert!(parameter["title"].is_string(), "{component}: {name}");
        }
    }
}

#[tokio::test]
async fn create_channel_makes_the_room() {
    let (calls, put_out) = run(
        "create_channel",
        json!({
            "channel_name": "~security-issue-7", "channel_displayname": "Security Issue 7", "team_name": "staff",
            "header": "h", "purpose": "p".repeat(300), "private": "Yes",
        }),
    )
    .await;
    let draft = ChannelDraft {
        team: Some("staff".into()),
        name: "security-issue-7".into(),
        display_name: "Security Issue 7".into(),
        header: "h".into(),
        purpose: "p".repeat(249) + "…",
        private: true,
    };
    assert_eq!(calls, [Call::CreateChannel(draft)]);
    assert_eq!(
        put_out,
        outputs(&[("ChannelName", "security-issue-7"), ("ChannelID", "id-security-issue-7")])
    );
}

#[tokio::test]
async fn create_channel_needs_nothing_but_a_name() {
    let (calls, _) = run("create_channel", json!({"channel_name": "room-7"})).await;
    let draft = ChannelDraft {
        team: None,
        name: "room-7".into(),
        display_name: String::new(),
        header: String::new(),
        purpose: String::new(),
        private: false,
    };
    assert_eq!(calls, [Call::CreateChannel(draft)]);
}

#[tokio::test]
async fn create_channel_refuses_what_is_no_handle_before_it_calls() {
    let error = run_failing("create_channel", json!({"channel_name": "Security Issue 7"}), |call| {
        panic!("called {}", call.function())
    })
    .await;
    assert_eq!(error.kind, ErrorKind::InvalidInput);
    assert!(error.message.contains("`security-issue-7`"), "{}", error.message);
}

#[tokio::test]
async fn an_error_of_the_host_keeps_its_kind_and_says_what_was_being_done() {
    let taken = || CallFailure::Error(ActionError::new(ErrorKind::Conflict, "the name is taken"));
    let error = run_failing("create_channel", json!({"channel_name": "room-7"}), move |_| Err(taken())).await;
    assert_eq!(
        error,
        ActionError::new(ErrorKind::Conflict, "creating the channel `room-7`: the name is taken")
    );
}

#[tokio::test]
async fn add_users_channel_finds_then_adds() {
    let input = json!({"channel_name": "room-7", "users": ["jon", "@chris"]});
    let (calls, put_out) = run("add_users_channel", input).await;
    let add = Call::AddMembers { channel_id: "id-room-7".into(), users: vec![user("jon"), user("chris")] };
    assert_eq!(calls, [find("room-7"), Call::FindUsers { names: vec!["jon".into(), "chris".into()] }, add]);
    assert_eq!(put_out, outputs(&[("Added", "jon,chris"), ("NotAdded", "")]));
}

#[tokio::test]
async fn add_users_channel_asks_for_200_people_at_a_time() {
    let names: Vec<_> = (0..201).map(|n| format!("u{n}")).collect();
    let (calls, _) =
        run("add_users_channel", json!({"channel_name": "room-7", "users": names.join(", ")})).await;
    let asked: Vec<_> = calls
        .iter()
        .filter_map(|call| match call {
            Call::FindUsers { names } => Some(names.len()),
            _ => None,
        })
        .collect();
    assert_eq!(asked, [200, 1]);
}

/// Knows everybody but `ghost`, and refuses to add `chris`.
fn strict(call: &Call) -> Result<Answer, CallFailure> {
    match call {
        Call::FindUsers { names } => {
            let (unknown, known): (Vec<_>, Vec<_>) = names.iter().cloned().partition(|name| name == "ghost");
            Ok(Answer::Users { users: known.iter().map(|name| user(name)).collect(), unknown })
        }
        Call::AddMembers { users, .. } => {
            let reason = ActionError::new(ErrorKind::Denied, "not in the team");
            let refused = users.iter().filter(|user| user.username == "chris").cloned();
            Ok(Answer::Refusals(refused.map(|user| Refusal { user, reason: reason.clone() }).collect()))
        }
        other => Ok(good_answer(other)),
    }
}

#[tokio::test]
async fn add_users_channel_names_those_who_are_not_in() {
    let bench = Bench::of("add_users_channel").await;
    let host = FakeHost::answering(&Record::default(), strict);
    let input = json!({"channel_name": "room-7", "users": "jon chris ghost"}).to_string();
    let outcome = bench.run(&input, host).await.unwrap().outcome.unwrap();
    assert_eq!(outcome.outputs, outputs(&[("Added", "jon"), ("NotAdded", "ghost,chris")]));
}

#[tokio::test]
async fn add_users_channel_mentions_those_who_are_in_where_that_is_wanted() {
    let input = json!({"channel_name": "room-7", "users": ["jon", "chris"], "notify": "Yes"});
    let (calls, _) = run("add_users_channel", input).await;
    let Some(Call::CreatePost { channel_id, draft }) = calls.last() else { panic!("{calls:?}") };
    assert_eq!(
        (channel_id.as_str(), draft.message.as_str()),
        ("id-room-7", "@jon @chris: you are needed here.")
    );
}

#[tokio::test]
async fn add_users_channel_fails_when_nobody_is_in() {
    let error = run_failing(
        "add_users_channel",
        json!({"channel_name": "room-7", "users": ["ghost", "chris"]}),
        strict,
    )
    .await;
    assert_eq!(error.kind, ErrorKind::NotFound);
    assert!(
        error.message.contains("`ghost`") && error.message.contains("not in the team"),
        "{}",
        error.message
    );
}

#[tokio::test]
async fn post_hands_its_controls_over_as_data() {
    let (calls, put_out) = run(
        "post",
        json!({
            "channel_name": "Town Square", "message": "New issue",
            "fields_title": "Please add details",
            "fields": [
                {"name": "Alert", "type": "button", "description": "Alert the Sysadmin"},
                {"name": "Impact", "type": "options", "options": ["I1", "I2"]},
            ],
            "transition_title": "On",
            "transitions": [{"label": "Triaged", "description": "Issue has been triaged", "to": "DevelopFix",
                "allowed": ["@jon"]}],
        }),
    )
    .await;
    let field = |name: &str, description: &str, kind| Field {
        name: name.into(),
        description: description.into(),
        kind,
    };
    let controls = Controls {
        fields_title: "Please add details".into(),
        fields: vec![
            field("Alert", "Alert the Sysadmin", FieldKind::Button),
            field("Impact", "", FieldKind::Menu(vec!["I1".into(), "I2".into()])),
        ],
        transitions_title: "On".into(),
        transitions: vec![Transition {
            label: "Triaged".into(),
            description: "Issue has been triaged".into(),
            to: "DevelopFix".into(),
            allowed: vec!["jon".into()],
        }],
    };
    let draft = PostDraft { message: "New issue".into(), controls: Some(controls) };
    assert_eq!(calls, [find("Town Square"), Call::CreatePost { channel_id: "id-Town Square".into(), draft }]);
    assert_eq!(put_out, outputs(&[("PostID", "post-1"), ("ChannelID", "id-Town Square")]));
}

#[tokio::test]
async fn post_shortens_a_message_to_what_the_server_takes() {
    let (calls, _) = run("post", json!({"channel_name": "~room-7", "message": "m".repeat(20_000)})).await;
    assert_eq!(calls.first(), Some(&find("room-7")));
    let Some(Call::CreatePost { draft, .. }) = calls.last() else { panic!("{calls:?}") };
    assert_eq!(draft, &PostDraft { message: "m".repeat(16_382) + "…", controls: None });
}

#[tokio::test]
async fn post_refuses_to_post_nothing() {
    let error =
        run_failing("post", json!({"channel_name": "room-7", "message": " "}), |_| unreachable!()).await;
    assert_eq!(error.kind, ErrorKind::InvalidInput);
}

#[tokio::test]
async fn archive_channel_finds_then_archives() {
    let (calls, put_out) =
        run("archive_channel", json!({"channel_name": "room-7", "team_name": "staff"})).await;
    let find = Call::FindChannel { team: Some("staff".into()), name: "room-7".into() };
    assert_eq!(calls, [find, Call::ArchiveChannel { channel_id: "id-room-7".into() }]);
    assert_eq!(put_out, outputs(&[]));
}
