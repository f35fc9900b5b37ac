//! The hostile zoo: each limit is met from both sides.

use std::time::Duration;

use warroom_sandbox::{
    ActionError, Answer, CallFailure, ErrorKind, Execution, Limits, LogLevel, RunError, Sandbox,
};

use crate::components::{describing, everything};
use crate::fake_host::{Bench, FakeHost, Record};

async fn run_with(limits: Limits, input: &str) -> Result<Execution, RunError> {
    Bench::with("hostile", limits).await.run(input, FakeHost::new(&Record::default())).await
}

async fn run(input: &str) -> Result<Execution, RunError> {
    run_with(Limits::default(), input).await
}

/// How `describe` of a component in text form fails.
async fn describe(limits: Limits, parts: &str, body: &str) -> String {
    let component = describing(parts, body);
    Sandbox::new(limits).unwrap().admit(&component, &everything()).await.unwrap_err().to_string()
}

#[tokio::test]
async fn an_endless_loop_meets_the_deadline() {
    let max = Duration::from_millis(50);
    let error =
        run_with(Limits { deadline: max, ..Limits::default() }, r#"{"do": "spin"}"#).await.unwrap_err();
    assert_eq!(error, RunError::Deadline { max });
    assert!(error.to_string().contains("50 ms ([limits] deadline_ms)"), "{error}");
}

#[tokio::test]
async fn memory_may_be_used_up_to_its_limit() {
    const MAX: usize = 8 << 20;
    let limits = || Limits { memory_bytes_max: MAX, ..Limits::default() };
    let grow = |bytes: usize| format!(r#"{{"do": "grow", "bytes": {bytes}}}"#);
    let small = run_with(limits(), &grow(1)).await.unwrap().memory_bytes_peak;
    // Memory grows by pages of 64 KiB, and the allocator adds a little to each block.
    let just_below = MAX - small - (64 << 10);
    let below = run_with(limits(), &grow(just_below)).await.unwrap();
    assert!(below.outcome.is_ok());
    assert!(below.memory_bytes_peak > MAX - (128 << 10), "{}", below.memory_bytes_peak);
    let error = run_with(limits(), &grow(MAX)).await.unwrap_err();
    assert!(matches!(error, RunError::Memory { max: MAX, asked_bytes } if asked_bytes > MAX), "{error:?}");
    assert!(error.to_string().contains("[limits] memory_bytes_max is 8388608"), "{error}");
}

#[tokio::test]
async fn memory_is_summed_over_several_memories() {
    let limits = Limits { memory_bytes_max: 10 * (64 << 10), ..Limits::default() };
    let fits = describe(limits.clone(), "(memory $second 9)", "(unreachable)").await;
    assert!(fits.contains("unreachable"), "{fits}");
    let exceeds = describe(limits, "(memory $second 10)", "(unreachable)").await;
    assert!(exceeds.contains("asked for 720896 bytes of memory"), "{exceeds}");
}

#[tokio::test]
async fn tables_may_grow_up_to_their_limit() {
    let limits = Limits { table_elements_max: 1_000, ..Limits::default() };
    let grow = |by: u32| format!("(drop (table.grow (ref.null func) (i32.const {by}))) (unreachable)");
    let fits = describe(limits.clone(), "(table 1 funcref)", &grow(999)).await;
    assert!(fits.contains("unreachable"), "{fits}");
    let exceeds = describe(limits, "(table 1 funcref)", &grow(1_000)).await;
    assert!(exceeds.contains("1001 table elements, and [limits] table_elements_max is 1000"), "{exceeds}");
}

#[tokio::test]
async fn endless_recursion_ends_at_the_stack() {
    let error =
        describe(Limits::default(), "(func $deeper (call $deeper))", "(call $deeper) (i32.const 0)").await;
    assert!(error.contains("[limits] stack_bytes_max = 524288"), "{error}");
}

#[tokio::test]
async fn a_guest_that_recurses_with_frames_in_memory_breaks_and_nothing_else_does() {
    let bench = Bench::of("hostile").await;
    let error = bench.run(r#"{"do": "recurse"}"#, FakeHost::new(&Record::default())).await.unwrap_err();
    assert!(matches!(error, RunError::Trapped(_) | RunError::Stack { .. }), "{error:?}");
    let next = bench.run(r#"{"do": "output", "bytes": 1}"#, FakeHost::new(&Record::default())).await;
    assert!(next.unwrap().outcome.is_ok());
}

#[tokio::test]
async fn calls_to_the_host_are_counted() {
    let find = |times: u32| format!(r#"{{"do": "find", "times": {times}, "name_bytes": 1}}"#);
    let all = run(&find(100)).await.unwrap();
    assert_eq!((all.outcome.is_ok(), all.host_calls), (true, 100));
    assert_eq!(run(&find(101)).await.unwrap_err(), RunError::HostCalls { max: 100 });
}

#[tokio::test]
async fn what_a_call_hands_over_is_bounded() {
    let limits = || Limits { hostcall_bytes_max: 64 << 10, ..Limits::default() };
    let find = |bytes: usize| format!(r#"{{"do": "find", "times": 1, "name_bytes": {bytes}}}"#);
    assert!(run_with(limits(), &find(64 << 10)).await.unwrap().outcome.is_ok());
    let error = run_with(limits(), &find((64 << 10) + 1)).await.unwrap_err();
    assert_eq!(error, RunError::HostcallBytes { max: 64 << 10 });
}

#[tokio::test]
async fn the_log_ends_at_its_limit_and_says_so() {
    // A line of 1,024 bytes costs 128 more: fourteen fit into 16 KiB.
    for (bytes, lines, last) in [(14 << 10, 14, LogLevel::Info), (20 << 10, 15, LogLevel::Warn)] {
        let record = Record::default();
        let input = format!(r#"{{"do": "log", "bytes": {bytes}}}"#);
        let bench = Bench::of("hostile").await;
        assert!(bench.run(&input, FakeHost::new(&record)).await.unwrap().outcome.is_ok());
        let log = record.log();
        assert_eq!((log.len(), log.last().unwrap().0), (lines, last));
    }
}

#[tokio::test]
async fn the_outcome_is_bounded() {
    let max = Limits::default().output_bytes_max;
    let output = |bytes: usize| format!(r#"{{"do": "output", "bytes": {bytes}}}"#);
    let name = "Value".len();
    assert!(run(&output(max - name)).await.unwrap().outcome.is_ok());
    let error = run(&output(max - name + 1)).await.unwrap_err();
    assert_eq!(error, RunError::Output { bytes: max + 1, max });
}

#[tokio::test]
async fn an_error_is_bounded_too_and_shortened() {
    let max = Limits::default().output_bytes_max;
    let fail = |bytes: usize| format!(r#"{{"do": "fail", "bytes": {bytes}}}"#);
    let error = run(&fail(max)).await.unwrap().outcome.unwrap_err();
    assert_eq!((error.kind, error.message.chars().count()), (ErrorKind::Failed, 1_000));
    assert_eq!(run(&fail(max + 1)).await.unwrap_err(), RunError::Output { bytes: max + 1, max });
}

#[tokio::test]
async fn the_input_is_bounded() {
    let max = Limits::default().input_bytes_max;
    let input = r#"{"do": "output", "bytes": 1}"#;
    let padded = |bytes: usize| format!("{input}{}", " ".repeat(bytes - input.len()));
    assert!(run(&padded(max)).await.unwrap().outcome.is_ok());
    assert_eq!(run(&padded(max + 1)).await.unwrap_err(), RunError::Input { bytes: max + 1, max });
}

#[tokio::test]
async fn a_panic_is_told_without_noise() {
    let error = run(r#"{"do": "panic"}"#).await.unwrap_err();
    assert!(matches!(&error, RunError::Trapped(text) if text.contains("unreachable")), "{error:?}");
    assert!(!error.to_string().contains("backtrace") && !error.to_string().contains('\n'), "{error}");
}

#[tokio::test]
async fn names_that_nobody_declared_are_passed_on_as_they_are() {
    let named = run(r#"{"do": "name", "output": "Undeclared"}"#).await.unwrap().outcome.unwrap();
    assert_eq!(named.outputs, [("Undeclared".into(), "value".into())]);
    let gone = run(r#"{"do": "go", "to": "Elsewhere"}"#).await.unwrap().outcome.unwrap();
    assert_eq!(gone.transition.as_deref(), Some("Elsewhere"));
}

#[tokio::test]
async fn input_that_the_guest_cannot_read_is_its_own_error() {
    let error = run(r#"{"do": "nothing we know"}"#).await.unwrap().outcome.unwrap_err();
    assert_eq!(error.kind, ErrorKind::InvalidInput);
}

#[tokio::test]
async fn the_incident_is_what_the_host_was_given() {
    let outcome = run(r#"{"do": "incident"}"#).await.unwrap().outcome.unwrap();
    let expected = "1700000000000 run security-issue-7 #sec the door is open 1 jon 1699999999000 what=door";
    assert_eq!(outcome.outputs, [("Value".into(), expected.into())]);
}

#[tokio::test]
async fn a_suspended_call_ends_the_execution_and_the_guest_goes_no_further() {
    let record = Record::default();
    let host = FakeHost::answering(&record, |_| Err(CallFailure::Suspend("the server is away".into())));
    let bench = Bench::of("hostile").await;
    let error = bench.run(r#"{"do": "find", "times": 2, "name_bytes": 1}"#, host).await.unwrap_err();
    assert_eq!(error, RunError::Suspended("the server is away".into()));
    assert_eq!(record.calls().len(), 1);
}

#[tokio::test]
async fn a_refused_call_is_given_to_the_guest() {
    let denied = ActionError::new(ErrorKind::Denied, "not this channel");
    let host = FakeHost::answering(&Record::default(), {
        let denied = denied.clone();
        move |_| Err(denied.clone().into())
    });
    let bench = Bench::of("hostile").await;
    let execution = bench.run(r#"{"do": "find", "times": 1, "name_bytes": 1}"#, host).await.unwrap();
    assert_eq!(execution.outcome, Err(denied));
}

#[tokio::test]
async fn an_answer_to_another_call_is_a_mistake_of_the_host() {
    let host = FakeHost::answering(&Record::default(), |_| Ok(Answer::Done));
    let bench = Bench::of("hostile").await;
    let error = bench.run(r#"{"do": "find", "times": 1, "name_bytes": 1}"#, host).await.unwrap_err();
    assert_eq!(error, RunError::WrongAnswer("channels.find"));
}
