//! A bounded run of each fuzz target, seeded with what the repository has; and whether the targets build.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use serde_json::{Value, json};

use crate::process::{available, cargo, run, starts};
use crate::workspace;

/// How long each target runs, in seconds, unless another time is given.
const SECONDS: u32 = 60;

/// Gives the seeds of a target.
type Seeds = fn() -> Result<Vec<String>>;

/// The targets, and what makes their seeds.
const TARGETS: [(&str, Seeds); 6] = [
    ("file", files),
    ("template", templates),
    ("pattern", patterns),
    ("event", events),
    ("callback", callbacks),
    ("control", controls),
];

/// Runs every target, or the one that is named.
pub(crate) fn fuzz(arguments: &[String]) -> Result<()> {
    let (seconds, only) = parse(arguments)?;
    if !available("fuzz") {
        bail!("cargo-fuzz is not installed: `cargo install --locked cargo-fuzz` does it");
    }
    for (target, seeds) in TARGETS.into_iter().filter(|(target, _)| only.is_none_or(|only| only == *target)) {
        let corpus = workspace::root().join("fuzz/corpus").join(target);
        write_seeds(&corpus, &seeds()?)?;
        eprintln!("\n== {target}, {seconds} s");
        // Without a sanitizer it runs on the pinned compiler: there is no unsafe code that one could find anything in.
        let mut command = cargo();
        command.args(["fuzz", "run", "--sanitizer", "none", target]).arg(&corpus).arg("--");
        command.args([
            &format!("-max_total_time={seconds}"),
            "-timeout=10",
            "-rss_limit_mb=2048",
            "-max_len=16384",
            "-print_final_stats=1",
        ]);
        run(&mut command)?;
    }
    Ok(())
}

/// Checks that the targets build, so that nobody has to mend them before the next fuzzing. libFuzzer is C++: without a compiler this is
/// skipped, but not in continuous integration.
///
/// # Errors
/// When they do not build, or cannot be checked where they must be.
pub(crate) fn check() -> Result<()> {
    let compiler = std::env::var("CXX").unwrap_or_else(|_| "c++".to_owned());
    if !is_checkable(&compiler, starts(&compiler), std::env::var_os("CI").is_some())? {
        return Ok(());
    }
    let mut command = cargo();
    command.args(["check", "--locked", "--manifest-path", "fuzz/Cargo.toml", "--target-dir"]);
    run(command.arg(workspace::target_dir()))
}

fn is_checkable(compiler: &str, is_there: bool, is_ci: bool) -> Result<bool> {
    let missing = format!(
        "the C++ compiler `{compiler}` is not installed, which libFuzzer needs; `apt-get install g++` does it on Debian, and CXX \
         names another one"
    );
    match (is_there, is_ci) {
        (true, _) => Ok(true),
        (false, false) => {
            eprintln!("skipped the fuzz targets: {missing}");
            Ok(false)
        }
        (false, true) => bail!("cannot check the fuzz targets: {missing}"),
    }
}

/// The time, and the target where one is named.
fn parse(arguments: &[String]) -> Result<(u32, Option<&str>)> {
    let (mut seconds, mut only) = (SECONDS, None);
    for argument in arguments {
        if let Ok(given) = argument.parse() {
            seconds = given;
        } else if TARGETS.iter().any(|(target, _)| target == argument) {
            only = Some(argument.as_str());
        } else {
            let known: Vec<_> = TARGETS.iter().map(|(target, _)| *target).collect();
            bail!(
                "`{argument}` is neither a time in seconds nor a target; the targets are {}",
                known.join(", ")
            );
        }
    }
    Ok((seconds, only))
}

/// Writes what is not there yet; what earlier runs found stays.
fn write_seeds(corpus: &Path, seeds: &[String]) -> Result<()> {
    fs::create_dir_all(corpus).with_context(|| format!("making {}", corpus.display()))?;
    for (number, seed) in seeds.iter().enumerate() {
        let path = corpus.join(format!("seed-{number}"));
        fs::write(&path, seed).with_context(|| format!("writing {}", path.display()))?;
    }
    Ok(())
}

/// The samples, and the files that the tests know to be wrong.
fn files() -> Result<Vec<String>> {
    let mut seeds = Vec::new();
    for directory in ["samples/workflows", "host/workflow/tests/fixtures/wrong"] {
        let directory = workspace::root().join(directory);
        let entries = fs::read_dir(&directory).with_context(|| format!("reading {}", directory.display()))?;
        let mut paths: Vec<PathBuf> = entries
            .map(|entry| Ok(entry?.path()))
            .collect::<std::io::Result<_>>()
            .with_context(|| format!("reading {}", directory.display()))?;
        paths.sort();
        for path in paths.iter().filter(|path| path.extension().is_some_and(|extension| extension == "json"))
        {
            // A fixture may be no text at all.
            seeds.push(String::from_utf8_lossy(&fs::read(path)?).into_owned());
        }
    }
    Ok(seeds)
}

fn templates() -> Result<Vec<String>> {
    Ok(cases("templates.json")?.iter().map(|case| text(case, "template")).collect())
}

/// The target takes a pattern and a text; how many bytes belong to which is said by the end of the input.
fn patterns() -> Result<Vec<String>> {
    Ok(cases("regexes.json")?.iter().map(|case| text(case, "pattern") + &text(case, "text")).collect())
}

/// The frames that a server sent.
fn events() -> Result<Vec<String>> {
    let mut seeds = Vec::new();
    for recording in recordings("websocket_events")? {
        seeds.extend(list(&recording, "events").iter().map(Value::to_string));
    }
    Ok(seeds)
}

/// The bodies that a server sent to controls.
fn callbacks() -> Result<Vec<String>> {
    let mut seeds = Vec::new();
    for recording in recordings("actions")? {
        let bodies = list(&recording, "callbacks").iter().filter_map(|callback| callback.get("body"));
        seeds.extend(bodies.map(Value::to_string));
    }
    Ok(seeds)
}

/// The target takes the three parts of what is signed, and a text that something of it is replaced with.
fn controls() -> Result<Vec<String>> {
    let run = "01935f3e-7c1a-7b6e-9d55-0a4c6f2b8e11";
    let of_post = ["field0", "transition12", "retry", "renumber", "cancel"];
    let of_post = of_post.map(|control| format!("{run}{run}/1/TriagePost/1/2{control}field1"));
    let made_up = json!({ "run": run, "post": "p", "control": "skip", "mac": "0".repeat(64) });
    Ok([of_post.to_vec(), vec![format!("{run}held/cstart3{made_up}"), made_up.to_string()]].concat())
}

/// What was recorded from a server.
fn recordings(name: &str) -> Result<Vec<Value>> {
    let path = workspace::root().join("host/mattermost/tests/recordings").join(name).with_extension("json");
    let file = fs::read_to_string(&path).with_context(|| format!("reading {}", path.display()))?;
    serde_json::from_str(&file).with_context(|| format!("reading {}", path.display()))
}

fn list<'a>(value: &'a Value, name: &str) -> &'a [Value] {
    value.get(name).and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

/// The recorded cases of Go that the tests compare with.
fn cases(name: &str) -> Result<Vec<Value>> {
    let path = workspace::root().join("host/workflow/tests/fixtures").join(name);
    let file = fs::read_to_string(&path).with_context(|| format!("reading {}", path.display()))?;
    let file: Value = serde_json::from_str(&file).with_context(|| format!("reading {}", path.display()))?;
    Ok(file.get("cases").and_then(Value::as_array).cloned().unwrap_or_default())
}

fn text(case: &Value, name: &str) -> String {
    case.get(name).and_then(Value::as_str).unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(words: &[&str]) -> Vec<String> {
        words.iter().map(|word| (*word).to_owned()).collect()
    }

    #[test]
    fn a_time_and_a_target_may_be_given() {
        assert_eq!(parse(&[]).unwrap(), (SECONDS, None));
        assert_eq!(parse(&words(&["5", "template"])).unwrap(), (5, Some("template")));
        let error = parse(&words(&["tempalte"])).unwrap_err().to_string();
        assert!(
            error.contains("the targets are file, template, pattern, event, callback, control"),
            "{error}"
        );
    }

    #[test]
    fn targets_are_not_checked_without_a_compiler_but_in_continuous_integration_they_must_be() {
        for is_ci in [false, true] {
            assert!(is_checkable("c++", true, is_ci).unwrap());
        }
        assert!(!is_checkable("c++", false, false).unwrap());
        let error = is_checkable("clang++", false, true).unwrap_err().to_string();
        assert!(
            error.contains("`clang++` is not installed") && error.contains("apt-get install g++"),
            "{error}"
        );
    }

    #[test]
    fn every_target_is_built() {
        let manifest = fs::read_to_string(workspace::root().join("fuzz/Cargo.toml")).unwrap();
        for (target, _) in TARGETS {
            assert!(manifest.contains(&format!("\nname = \"{target}\"\n")), "{target}");
        }
        assert_eq!(manifest.matches("[[bin]]").count(), TARGETS.len());
    }

    #[test]
    fn every_target_has_seeds() {
        for (target, seeds) in TARGETS {
            assert!(seeds().unwrap().len() > 3, "{target}");
        }
    }
}
