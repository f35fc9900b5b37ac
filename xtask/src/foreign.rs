//! Clients that others wrote, against the simulator: what they can do with a real server they must be able to do here.

use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use anyhow::{Context, Result, bail};

use crate::process::{cargo, run, starts};
use crate::workspace;

/// Bytes of the line in which the simulator says where it is.
const LINE_BYTES_MAX: u64 = 64 << 10;
/// Somebody whom the simulator knows; the password is the name.
const PERSON: &str = "jon";

/// Runs the official JavaScript client and a Python client. Both are installed into `target/foreign`.
pub(crate) fn foreign(_arguments: &[String]) -> Result<()> {
    let missing = missing_programs(starts);
    if !missing.is_empty() {
        bail!("cannot run the foreign clients: {}", missing.join("; "));
    }
    // Of the workspace, so that it takes the dependencies as the tests built them: a package alone has other features.
    run(cargo().args(["build", "--workspace", "--example", "serve"]))?;
    let simulator = Simulator::start()?;
    let node = install_node()?;
    eprintln!("running the official JavaScript client");
    run(simulator.known_to(Command::new("node").arg("client.mjs").current_dir(node)))?;
    let python = install_python()?;
    eprintln!("running the Python client");
    run(simulator.known_to(Command::new(python).arg(sources("python").join("client.py"))))?;
    eprintln!("both clients logged in, posted, pressed a button and heard the post");
    Ok(())
}

/// What is needed and not there, each with a way to get it.
fn missing_programs(there: impl Fn(&str) -> bool) -> Vec<String> {
    let needed = [
        ("node", "Node.js 18 or later (Debian: apt-get install nodejs)"),
        ("npm", "npm, which comes with Node.js (Debian: apt-get install npm)"),
        ("python3", "Python 3.11 or later with venv (Debian: apt-get install python3-venv)"),
    ];
    let missing = needed.into_iter().filter(|(program, _)| !there(program));
    missing.map(|(program, how)| format!("`{program}` is not installed: get {how}")).collect()
}

fn sources(language: &str) -> PathBuf {
    workspace::root().join("tests/foreign").join(language)
}

fn installed(language: &str) -> PathBuf {
    workspace::target_dir().join("foreign").join(language)
}

/// Copies the project and installs exactly what its lock file names; gives the directory.
fn install_node() -> Result<PathBuf> {
    let (from, to) = (sources("node"), installed("node"));
    std::fs::create_dir_all(&to).with_context(|| format!("making {}", to.display()))?;
    for file in ["package.json", "package-lock.json", "client.mjs"] {
        copy(&from.join(file), &to.join(file))?;
    }
    let mut npm = Command::new("npm");
    run(npm.args(["ci", "--no-audit", "--no-fund", "--ignore-scripts"]).current_dir(&to))
        .context("installing the JavaScript client; is the npm registry reachable?")?;
    Ok(to)
}

fn copy(from: &Path, to: &Path) -> Result<()> {
    std::fs::copy(from, to)
        .map(|_| ())
        .with_context(|| format!("copying {} to {}", from.display(), to.display()))
}

/// Makes an environment with exactly what the requirements name; gives its interpreter.
fn install_python() -> Result<PathBuf> {
    let to = installed("python");
    run(Command::new("python3").args(["-m", "venv"]).arg(&to))
        .context("making an environment for Python; on Debian, `apt-get install python3-venv`")?;
    let python = to.join(if cfg!(windows) { "Scripts/python.exe" } else { "bin/python" });
    let mut pip = Command::new(&python);
    pip.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--requirement"]);
    run(pip.arg(sources("python").join("requirements.txt")))
        .context("installing the Python client; is the package index reachable?")?;
    Ok(python)
}

/// A simulator in a process of its own. Dropping it ends the process.
struct Simulator {
    process: Child,
    url: String,
}

impl Simulator {
    fn start() -> Result<Simulator> {
        let program = workspace::target_dir()
            .join("debug/examples")
            .join(format!("serve{}", std::env::consts::EXE_SUFFIX));
        let process = Command::new(&program)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .with_context(|| format!("starting the simulator, {}", program.display()))?;
        // From here on the process ends with this value, whatever goes wrong.
        let mut simulator = Simulator { process, url: String::new() };
        let output = simulator.process.stdout.take().context("the simulator has no output")?;
        let mut line = String::new();
        BufReader::new(output.take(LINE_BYTES_MAX))
            .read_line(&mut line)
            .context("reading where the simulator is")?;
        simulator.url = url_of(&line)?;
        Ok(simulator)
    }

    /// Lets a client know where the simulator is, and as whom to log in.
    fn known_to<'a>(&self, command: &'a mut Command) -> &'a mut Command {
        command
            .env("MATTERMOST_URL", &self.url)
            .env("MATTERMOST_LOGIN", PERSON)
            .env("MATTERMOST_PASSWORD", PERSON)
    }
}

impl Drop for Simulator {
    fn drop(&mut self) {
        if let Err(error) = self.process.kill().and_then(|()| self.process.wait()) {
            eprintln!("warning: the simulator could not be ended: {error}");
        }
    }
}

fn url_of(line: &str) -> Result<String> {
    let said: serde_json::Value = serde_json::from_str(line)
        .with_context(|| format!("the simulator ended, or said {line:?} instead of where it is"))?;
    let url = said.get("url").and_then(serde_json::Value::as_str);
    url.map(str::to_owned).with_context(|| format!("the simulator did not say its url, but {line:?}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_missing_is_named_with_a_way_to_get_it() {
        assert!(missing_programs(|_| true).is_empty());
        let missing = missing_programs(|program| program != "python3");
        assert_eq!(missing.len(), 1);
        assert!(missing[0].starts_with("`python3` is not installed: get Python 3"), "{missing:?}");
        assert!(missing[0].contains("apt-get install"), "{missing:?}");
        assert!(!starts("no-such-program-at-all"));
    }

    #[test]
    fn the_simulators_line_names_its_url() {
        assert_eq!(url_of(r#"{"url": "http://127.0.0.1:1", "team": "t"}"#).unwrap(), "http://127.0.0.1:1");
        for line in ["", "not json", r#"{"team": "t"}"#] {
            assert!(url_of(line).unwrap_err().to_string().contains("the simulator"), "{line}");
        }
    }
}
