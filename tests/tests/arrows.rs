//! The house keeps its arrows: which crate may know which.

use std::process::Command;

/// Everything that a crate of ours depends on, in the shipped program.
fn dependencies(of: &str) -> Vec<String> {
    let arguments =
        ["tree", "--package", of, "--edges", "normal", "--prefix", "none", "--format", "{p}", "--offline"];
    let output = Command::new(env!("CARGO")).args(arguments).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).unwrap();
    text.lines().skip(1).filter_map(|line| line.split_whitespace().next()).map(str::to_owned).collect()
}

#[test]
fn the_pure_crates_know_no_runtime_network_sandbox_or_database() {
    for of in ["warroom-workflow", "warroom-engine"] {
        let known = dependencies(of);
        for forbidden in ["tokio", "wasmtime", "reqwest", "rusqlite", "axum", "hyper"] {
            assert!(!known.iter().any(|name| name == forbidden), "{of} depends on {forbidden}");
        }
    }
}

#[test]
fn rooms_know_only_those_that_the_design_lets_them_know() {
    let may_know: [(&str, &[&str]); 7] = [
        ("warroom-workflow", &[]),
        ("warroom-engine", &["warroom-workflow"]),
        ("warroom-sandbox", &[]),
        ("warroom-mattermost", &[]),
        ("warroom-store", &[]),
        ("warroom-simulator", &[]),
        ("warroom-runner", &["warroom-engine", "warroom-sandbox", "warroom-workflow"]),
    ];
    for (of, allowed) in may_know {
        for name in dependencies(of).iter().filter(|name| name.starts_with("warroom")) {
            assert!(allowed.contains(&name.as_str()), "{of} depends on {name}");
        }
    }
}
