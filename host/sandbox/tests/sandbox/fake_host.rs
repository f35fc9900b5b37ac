//! A host that records what it is asked and answers what it was told to.

use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use warroom_sandbox::{
    Action, ActionError, ActionOutputs, Answer, Call, CallFailure, Channel, Context, Execution, Host,
    Incident, Limits, LogLevel, PostRef, RunError, Sandbox, TriggerPost, User,
};

use crate::components::{built, everything};

/// What a host saw, shared with the test.
#[derive(Clone, Default)]
pub(crate) struct Record {
    calls: Arc<Mutex<Vec<Call>>>,
    log: Arc<Mutex<Vec<(LogLevel, String)>>>,
}

impl Record {
    pub(crate) fn calls(&self) -> Vec<Call> {
        self.calls.lock().unwrap().clone()
    }

    pub(crate) fn log(&self) -> Vec<(LogLevel, String)> {
        self.log.lock().unwrap().clone()
    }
}

type Answering = dyn Fn(&Call) -> Result<Answer, CallFailure> + Send;

/// The host.
pub(crate) struct FakeHost {
    record: Record,
    answer: Box<Answering>,
}

impl FakeHost {
    /// A host that answers every call well.
    pub(crate) fn new(record: &Record) -> Self {
        Self::answering(record, |call| Ok(good_answer(call)))
    }

    pub(crate) fn answering(
        record: &Record,
        answer: impl Fn(&Call) -> Result<Answer, CallFailure> + Send + 'static,
    ) -> Self {
        Self { record: record.clone(), answer: Box::new(answer) }
    }
}

#[async_trait]
impl Host for FakeHost {
    async fn call(&mut self, call: Call) -> Result<Answer, CallFailure> {
        let answer = (self.answer)(&call);
        self.record.calls.lock().unwrap().push(call);
        answer
    }

    fn log(&mut self, level: LogLevel, message: &str) {
        self.record.log.lock().unwrap().push((level, message.to_owned()));
    }

    fn secret(&mut self, name: &str) -> Result<String, ActionError> {
        Ok(format!("the secret {name}"))
    }
}

/// The answer of a server where everything is there and allowed.
pub(crate) fn good_answer(call: &Call) -> Answer {
    match call {
        Call::FindChannel { name, .. } => Answer::Channel(channel(name)),
        Call::CreateChannel(draft) => Answer::Channel(channel(&draft.name)),
        Call::ArchiveChannel { .. } => Answer::Done,
        Call::FindUsers { names } => {
            Answer::Users { users: names.iter().map(|name| user(name)).collect(), unknown: Vec::new() }
        }
        Call::AddMembers { .. } => Answer::Refusals(Vec::new()),
        Call::CreatePost { channel_id, .. } => {
            Answer::Post(PostRef { id: "post-1".into(), channel_id: channel_id.clone() })
        }
        Call::SendHttp(_) => panic!("no action of these tests speaks HTTP"),
    }
}

pub(crate) fn channel(name: &str) -> Channel {
    Channel {
        id: format!("id-{name}"),
        name: name.to_owned(),
        display_name: name.to_uppercase(),
        team_id: "team-1".into(),
    }
}

pub(crate) fn user(name: &str) -> User {
    User { id: format!("id-{name}"), username: name.to_owned() }
}

pub(crate) fn context() -> Context {
    Context {
        key: "run/1/Action/1".into(),
        workflow: "security_issue".into(),
        number: 7,
        step: "Setup".into(),
    }
}

pub(crate) fn incident() -> Incident {
    Incident {
        now_ms: 1_700_000_000_000,
        run_id: "run".into(),
        room: Some(channel("security-issue-7")),
        trigger: TriggerPost {
            name: "IssueReported".into(),
            post_id: "post-0".into(),
            text: "#sec the door is open".into(),
            user: user("anna"),
            channel: channel("town-square"),
            team_name: "staff".into(),
            permalink: "https://chat.example/staff/pl/post-0".into(),
            created_ms: 1_699_999_999_000,
            groups: [("what".to_owned(), "door".to_owned())].into(),
        },
        outputs: vec![ActionOutputs {
            action: "CreateWarroom".into(),
            outputs: vec![("ChannelName".into(), "security-issue-7".into())],
        }],
        last_actor: Some(user("jon")),
    }
}

/// A sandbox with one admitted component in it.
pub(crate) struct Bench {
    pub(crate) sandbox: Sandbox,
    pub(crate) action: Arc<Action>,
}

impl Bench {
    /// A built component under the default limits.
    pub(crate) async fn of(component: &str) -> Self {
        Self::with(component, Limits::default()).await
    }

    pub(crate) async fn with(component: &str, limits: Limits) -> Self {
        let sandbox = Sandbox::new(limits).unwrap();
        let action = sandbox.admit(&built(component), &everything()).await.unwrap();
        Self { sandbox, action }
    }

    pub(crate) async fn run(&self, input: &str, host: FakeHost) -> Result<Execution, RunError> {
        self.sandbox.run(&self.action, &context(), &incident(), input, Box::new(host)).await
    }
}
