//! What is not let in, and what the operator reads then.

use std::time::Duration;

use warroom_sandbox::{AdmissionError, Capability, Digest, Grant, Limits, RunError, Sandbox};

use crate::components::{built, describing, everything};

async fn refused(component: &[u8], grant: &Grant) -> AdmissionError {
    Sandbox::new(Limits::default()).unwrap().admit(component, grant).await.unwrap_err()
}

#[tokio::test]
async fn an_admitted_action_is_known_by_its_digest_and_descriptor() {
    let component = built("archive_channel");
    let sandbox = Sandbox::new(Limits::default()).unwrap();
    let grant = Grant::of([Capability::Channels, Capability::Archiving]);
    let action = sandbox.admit(&component, &grant).await.unwrap();
    assert_eq!(action.digest(), &Digest::of(&component));
    assert_eq!(action.descriptor().version, env!("CARGO_PKG_VERSION"));
}

#[tokio::test]
async fn what_was_not_granted_is_named_in_plain_words() {
    let error = refused(&built("post"), &Grant::of([Capability::Channels])).await;
    assert_eq!(
        error.to_string(),
        "the component wants to write posts: grant `posts` if it may, else do not use it"
    );
}

#[tokio::test]
async fn the_size_is_bounded() {
    let component = built("archive_channel");
    let bytes = component.len();
    let limits = |max| Limits { component_bytes_max: max, ..Limits::default() };
    assert!(Sandbox::new(limits(bytes)).unwrap().admit(&component, &everything()).await.is_ok());
    let error = Sandbox::new(limits(bytes - 1)).unwrap().admit(&component, &everything()).await.unwrap_err();
    assert!(matches!(error, AdmissionError::TooLarge { .. }), "{error}");
}

#[tokio::test]
async fn garbage_is_refused() {
    for bytes in [&b""[..], b"\0asm", b"not wasm at all", b"\0asm\x0d\0\x01\0\xff\xff\xff\xff"] {
        let error = refused(bytes, &everything()).await;
        assert!(
            matches!(error, AdmissionError::Malformed(_) | AdmissionError::MissingExport { .. }),
            "{error:?}"
        );
    }
}

#[tokio::test]
async fn every_truncation_of_a_component_is_refused() {
    let component = built("archive_channel");
    let sandbox = Sandbox::new(Limits::default()).unwrap();
    for end in (0..component.len()).step_by(997) {
        assert!(sandbox.admit(&component[..end], &everything()).await.is_err(), "the first {end} bytes");
    }
}

#[tokio::test]
async fn a_core_module_is_told_from_a_component() {
    let error = refused(&wat::parse_str("(module)").unwrap(), &everything()).await;
    assert!(matches!(error, AdmissionError::CoreModule), "{error}");
}

#[tokio::test]
async fn wasi_is_refused_with_what_to_do() {
    let component =
        wat::parse_str(r#"(component (import "wasi:cli/environment@0.2.0" (instance)))"#).unwrap();
    let error = refused(&component, &everything()).await;
    assert!(
        error.to_string().contains("`wasi:cli/environment@0.2.0`, which Warroom does not offer"),
        "{error}"
    );
    assert!(error.to_string().contains("components get no WASI"), "{error}");
}

#[tokio::test]
async fn another_version_of_the_contract_is_refused() {
    let component =
        wat::parse_str(r#"(component (import "warroom:action/posts@0.2.0" (instance)))"#).unwrap();
    let error = refused(&component, &everything()).await;
    assert!(matches!(error, AdmissionError::OtherVersion { .. }), "{error}");
}

#[tokio::test]
async fn an_interface_with_other_types_does_not_fit() {
    let component = wat::parse_str(
        r#"(component
            (import "warroom:action/log@0.1.0" (instance (export "write" (func (param "message" u8)))))
            (core module $m (func (export "f")))
            (core instance $i (instantiate $m))
            (func $f (canon lift (core func $i "f")))
            (export "describe" (func $f))
            (export "run" (func $f)))"#,
    )
    .unwrap();
    let error = refused(&component, &everything()).await;
    assert!(matches!(error, AdmissionError::Contract(_)), "{error:?}");
}

#[tokio::test]
async fn a_component_without_the_exports_is_refused() {
    let error = refused(&wat::parse_str("(component)").unwrap(), &everything()).await;
    assert_eq!(
        error.to_string(),
        "the component does not export `describe`: build it for the world `action` of warroom:action@0.1"
    );
}

#[tokio::test]
async fn exports_of_other_types_are_refused() {
    let component = wat::parse_str(
        r#"(component
            (core module $m (func (export "f")))
            (core instance $i (instantiate $m))
            (func $f (canon lift (core func $i "f")))
            (export "describe" (func $f))
            (export "run" (func $f)))"#,
    )
    .unwrap();
    let sandbox = Sandbox::new(Limits::default()).unwrap();
    let error = sandbox.admit(&component, &everything()).await.unwrap_err();
    assert!(matches!(error, AdmissionError::Contract(_) | AdmissionError::Describe(_)), "{error:?}");
}

#[tokio::test]
async fn describe_must_not_call_the_host() {
    let now = r#"(import "warroom:action/incident@0.1.0" "now-ms" (func $now (result i64)))"#;
    let error = refused(&describing(now, "(drop (call $now)) (unreachable)"), &everything()).await;
    assert_eq!(
        error.to_string(),
        "`describe` called `incident.now-ms`: it must not call the host, since nothing is granted yet"
    );
}

#[tokio::test]
async fn describe_must_end() {
    let max = Duration::from_millis(50);
    let sandbox = Sandbox::new(Limits { deadline: max, ..Limits::default() }).unwrap();
    let component = describing("", "(loop $again (br $again)) (unreachable)");
    let error = sandbox.admit(&component, &everything()).await.unwrap_err();
    assert!(
        matches!(error, AdmissionError::Describe(RunError::Deadline { max: reported }) if reported == max),
        "{error}"
    );
}

#[tokio::test]
async fn a_limit_that_makes_no_sense_is_named() {
    let error = Sandbox::new(Limits { instances_max: 0, ..Limits::default() }).unwrap_err();
    assert_eq!(error.to_string(), "[limits] instances_max is not between 1 and 1000");
}
