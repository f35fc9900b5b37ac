//! Executions beside each other. Every test has one thread: who does not let go of it is noticed.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use tokio::sync::{Semaphore, mpsc};
use warroom_sandbox::{
    Action, ActionError, Answer, Call, CallFailure, Host, Limits, LogLevel, RunError, Sandbox,
};

use crate::components::{built, everything};
use crate::fake_host::{FakeHost, Record, context, good_answer, incident};

const FIND: &str = r#"{"do": "find", "times": 1, "name_bytes": 1}"#;

async fn hostile(limits: Limits) -> (Sandbox, Arc<Action>) {
    let sandbox = Sandbox::new(limits).unwrap();
    let action = sandbox.admit(&built("hostile"), &everything()).await.unwrap();
    (sandbox, action)
}

/// A host that says when it is called, and answers when it is let.
struct Gate {
    name: &'static str,
    called: mpsc::UnboundedSender<&'static str>,
    open: Arc<Semaphore>,
}

#[async_trait]
impl Host for Gate {
    async fn call(&mut self, call: Call) -> Result<Answer, CallFailure> {
        self.called.send(self.name).unwrap();
        self.open.acquire().await.unwrap().forget();
        Ok(good_answer(&call))
    }

    fn log(&mut self, _level: LogLevel, _message: &str) {}

    fn secret(&mut self, _name: &str) -> Result<String, ActionError> {
        Ok(String::new())
    }
}

#[tokio::test(flavor = "current_thread")]
async fn a_spinning_guest_lets_others_run() {
    let (sandbox, action) = hostile(Limits { deadline: Duration::from_secs(600), ..Limits::default() }).await;
    let run = |input| {
        let host = Box::new(FakeHost::new(&Record::default()));
        let (sandbox, action) = (&sandbox, &action);
        async move { sandbox.run(action, &context(), &incident(), input, host).await }
    };
    tokio::select! {
        biased;
        spinning = run(r#"{"do": "spin"}"#) => panic!("{spinning:?}"),
        other = run(FIND) => assert!(other.unwrap().outcome.is_ok()),
    }
}

#[tokio::test(flavor = "current_thread")]
async fn waiting_for_the_host_meets_the_deadline() {
    let max = Duration::from_millis(50);
    let (sandbox, action) = hostile(Limits { deadline: max, ..Limits::default() }).await;
    let (called, mut calls) = mpsc::unbounded_channel();
    let gate = Gate { name: "shut", called, open: Arc::new(Semaphore::new(0)) };
    let error = sandbox.run(&action, &context(), &incident(), FIND, Box::new(gate)).await.unwrap_err();
    assert_eq!(error, RunError::Deadline { max });
    assert_eq!(calls.recv().await, Some("shut"));
    assert_eq!(calls.recv().await, None, "the host is dropped with the execution");
}

/// Starts two executions, lets both get as far as they can, then opens their gates. Gives who had called before
/// any gate was opened.
async fn called_at_once(instances_max: u32) -> Vec<&'static str> {
    let (sandbox, action) = hostile(Limits { instances_max, ..Limits::default() }).await;
    let (called, mut calls) = mpsc::unbounded_channel();
    let open = Arc::new(Semaphore::new(0));
    let run = |name| {
        let gate = Gate { name, called: called.clone(), open: Arc::clone(&open) };
        let (sandbox, action) = (&sandbox, &action);
        async move { sandbox.run(action, &context(), &incident(), FIND, Box::new(gate)).await }
    };
    let mut at_once = Vec::new();
    let conduct = async {
        for _ in 0..1_000 {
            tokio::task::yield_now().await;
        }
        while let Ok(name) = calls.try_recv() {
            at_once.push(name);
        }
        open.add_permits(2);
    };
    let (first, second, ()) = tokio::join!(run("first"), run("second"), conduct);
    assert!(first.unwrap().outcome.is_ok() && second.unwrap().outcome.is_ok());
    at_once
}

#[tokio::test(flavor = "current_thread")]
async fn executions_beyond_the_limit_wait_for_a_place() {
    assert_eq!(called_at_once(2).await, ["first", "second"]);
    assert_eq!(called_at_once(1).await, ["first"]);
}
