//! What one execution of a built-in component costs, beside a host that answers at once: a fresh store, the call, two
//! host calls. The second figure is the same host called directly, so that the ratio holds on a noisy machine.

#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a benchmark that cannot go on must fail"
)]

use criterion::{Criterion, criterion_group, criterion_main};
use std::hint::black_box;
use std::sync::Arc;
use warroom_sandbox::{
    Action, ActionError, Answer, Call, CallFailure, Capability, Channel, Context, Grant, Host, Incident,
    Limits, LogLevel, PostDraft, PostRef, Sandbox, TriggerPost, User,
};

struct Instant;

fn channel() -> Channel {
    Channel { id: "c".into(), name: "room".into(), display_name: "Room".into(), team_id: "t".into() }
}

#[async_trait::async_trait]
impl Host for Instant {
    async fn call(&mut self, call: Call) -> Result<Answer, CallFailure> {
        Ok(match call {
            Call::FindChannel { .. } => Answer::Channel(channel()),
            _ => Answer::Post(PostRef { id: "p".into(), channel_id: "c".into() }),
        })
    }

    fn log(&mut self, _level: LogLevel, _message: &str) {}

    fn secret(&mut self, _name: &str) -> Result<String, ActionError> {
        unreachable!("the action imports no secrets")
    }
}

fn incident() -> Incident {
    let user = User { id: "u".into(), username: "jon".into() };
    Incident {
        now_ms: 0,
        run_id: "r".into(),
        room: Some(channel()),
        trigger: TriggerPost {
            name: "T".into(),
            post_id: "p".into(),
            text: "#sec".into(),
            user,
            channel: channel(),
            team_name: "t".into(),
            permalink: String::new(),
            created_ms: 0,
            groups: std::collections::BTreeMap::new(),
        },
        outputs: Vec::new(),
        last_actor: None,
    }
}

async fn admit(sandbox: &Sandbox) -> Arc<Action> {
    let directory = std::env::var("WARROOM_ACTIONS")
        .unwrap_or_else(|_| concat!(env!("CARGO_MANIFEST_DIR"), "/../target/actions").to_owned());
    let bytes = std::fs::read(format!("{directory}/post.wasm")).expect("run `cargo xtask actions` first");
    sandbox.admit(&bytes, &Grant::of([Capability::Channels, Capability::Posts])).await.unwrap()
}

fn execution(criterion: &mut Criterion) {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    let sandbox = Sandbox::new(Limits::default()).unwrap();
    let action = runtime.block_on(admit(&sandbox));
    let context = Context { key: "k".into(), workflow: "w".into(), number: 1, step: "s".into() };
    let (incident, input) = (incident(), r#"{"channel_name": "room", "message": "hello"}"#);
    let mut group = criterion.benchmark_group("post");
    group.bench_function("in the sandbox", |bencher| {
        bencher.iter(|| {
            let execution = sandbox.run(&action, &context, &incident, input, Box::new(Instant));
            runtime.block_on(execution).unwrap().outcome.unwrap()
        });
    });
    group.bench_function("the same host calls without it", |bencher| {
        bencher.iter(|| {
            runtime.block_on(async {
                let find = Call::FindChannel { team: None, name: "room".into() };
                black_box(Instant.call(find).await.is_ok());
                let draft = PostDraft { message: "hello".into(), controls: None };
                black_box(Instant.call(Call::CreatePost { channel_id: "c".into(), draft }).await.is_ok())
            })
        });
    });
    group.finish();
}

criterion_group!(benches, execution);
criterion_main!(benches);
