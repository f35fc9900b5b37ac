//! Keeps the workflow files in force: reads the directory at start, and looks at it again and again.
//!
//! It polls rather than asks the kernel for notices: notices do not arrive for network file systems and bind mounts,
//! and a configuration map replaces a whole directory by a link; reading a few small files each second costs nothing.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use warroom_runner::{Components, LoadedFile, Runner, Workflows};
use warroom_sandbox::Digest;
use warroom_workflow::render_diagnostics;

/// The directory of the workflow files.
pub(crate) struct WorkflowDirectory {
    pub(crate) directory: PathBuf,
    pub(crate) files_max: usize,
    pub(crate) workflows: Arc<Workflows>,
    pub(crate) components: Arc<Components>,
    /// What was seen last, by file name.
    pub(crate) seen: BTreeMap<String, SeenFile>,
    /// Counts the looks that found something changed.
    pub(crate) changed: watch::Sender<u64>,
    /// What is wrong and operators were not told of yet.
    pub(crate) untold: Vec<Trouble>,
}

/// Something that is wrong with the files.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Trouble {
    /// What it is about: the same is told once.
    about: String,
    /// For operators, in Markdown.
    text: String,
}

/// How much of what is wrong with a file operators are shown, in characters.
const SHOWN_CHARS_MAX: usize = 3_000;
/// Of how much they are shown so much at once; of the rest, how much there is.
const SHOWN_MAX: usize = 3;
/// How much waits to be told; the newest.
const UNTOLD_MAX: usize = 1_000;

/// All of it as one matter: they are told once, however many files a change breaks.
fn together(untold: &[Trouble]) -> Option<Trouble> {
    let abouts: Vec<&str> = untold.iter().map(|trouble| trouble.about.as_str()).collect();
    let about = match abouts.as_slice() {
        [] => return None,
        [one] => (*one).to_owned(),
        several => format!("workflow-files/{}", Digest::of(several.join(" ").as_bytes())),
    };
    let mut texts: Vec<String> = untold.iter().take(SHOWN_MAX).map(|trouble| trouble.text.clone()).collect();
    if untold.len() > SHOWN_MAX {
        texts.push(format!("and {} more, which the log has.", untold.len() - SHOWN_MAX));
    }
    Some(Trouble { about, text: format!("Workflow files: {}", texts.join("\n\n")) })
}

/// A file as it was at the last look.
#[derive(Debug, Default)]
pub(crate) struct SeenFile {
    /// What was read last, in force or not; none when it could never be read.
    text: Option<String>,
    /// Whether something that it held once is in force.
    is_in_force: bool,
    /// Why it cannot be read: said once, not at each look.
    complaint: Option<String>,
}

impl SeenFile {
    /// What the log says of the workflows when the file is not what it should be.
    fn what_stays(&self) -> &'static str {
        if self.is_in_force { "what was in force before stays so" } else { "nothing of it is in force" }
    }
}

/// The largest workflow file that is read. The language's own bound is smaller or the same.
const FILE_BYTES_MAX: u64 = 4 * 1024 * 1024;

impl WorkflowDirectory {
    /// Reads the directory; puts in force what is new or changed and right, and says what is wrong. Gives how many
    /// files were new, changed or gone.
    ///
    /// # Errors
    /// When the directory itself cannot be read; everything stays in force then.
    pub(crate) fn read(&mut self) -> Result<usize, DirectoryError> {
        let mut found = BTreeMap::new();
        for path in files(&self.directory, self.files_max)? {
            let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
            found.insert(name, text(&path));
        }
        let mut changes = 0;
        let gone: Vec<String> = self.seen.keys().filter(|name| !found.contains_key(*name)).cloned().collect();
        for name in gone {
            self.workflows.remove(&name);
            self.seen.remove(&name);
            tracing::info!("{name} is gone: its workflows start no more runs; open ones go on");
            changes += 1;
        }
        for (name, read) in found {
            let mut seen = self.seen.remove(&name).unwrap_or_default();
            match read {
                Ok(text) => {
                    seen.complaint = None;
                    if seen.text.as_ref() != Some(&text) {
                        self.put(&LoadedFile { name: name.clone(), text: text.clone() }, &mut seen);
                        seen.text = Some(text);
                        changes += 1;
                    }
                }
                // What cannot be read now may be read at the next look: the old one stays in force.
                Err(error) => {
                    if seen.complaint.as_ref() != Some(&error) {
                        let path = self.directory.join(&name);
                        let text = format!("cannot read {}: {error}; {}", path.display(), seen.what_stays());
                        tracing::error!("{text}");
                        self.complain(&name, &text);
                        seen.complaint = Some(error);
                    }
                }
            }
            self.seen.insert(name, seen);
        }
        Ok(changes)
    }

    /// Operators are to be told.
    fn complain(&mut self, about: &str, text: &str) {
        let about = format!("workflow-files/{about}/{}", Digest::of(text.as_bytes()));
        if self.untold.len() == UNTOLD_MAX {
            self.untold.remove(0);
        }
        self.untold.push(Trouble { about, text: text.to_owned() });
    }

    fn put(&mut self, file: &LoadedFile, seen: &mut SeenFile) {
        let (in_force, diagnostics, clashes) = self.workflows.put(file, self.components.catalog());
        let shown = self.directory.join(&file.name).display().to_string();
        if !diagnostics.is_empty() {
            let rendered = render_diagnostics(&shown, &file.text, &diagnostics, false);
            if in_force {
                tracing::warn!("{shown} has warnings:\n{rendered}");
            } else {
                tracing::error!("{shown} has errors; {}:\n{rendered}", seen.what_stays());
                // Nothing in the file ends the block that shows it.
                let quoted: String = rendered.replace("```", "` ` `").chars().take(SHOWN_CHARS_MAX).collect();
                let stays = seen.what_stays();
                self.complain(&file.name, &format!("{shown} has errors; {stays}:\n```\n{quoted}\n```"));
            }
        }
        for clash in clashes {
            tracing::error!("{clash}");
            self.complain(&file.name, &clash);
        }
        if in_force {
            seen.is_in_force = true;
            tracing::info!("{shown} is in force");
        }
    }

    /// Looks at the directory for ever, and tells operators what is wrong, also what was wrong before.
    pub(crate) async fn watch(mut self, every: Duration, runner: Runner) {
        let mut complained = false;
        loop {
            if let Some(Trouble { about, text }) = together(&self.untold)
                && runner.tell_operators(&about, &text)
            {
                self.untold.clear();
            }
            tokio::time::sleep(every).await;
            match self.read() {
                Ok(changes) => {
                    complained = false;
                    if changes > 0 {
                        self.changed.send_modify(|looks| *looks += 1);
                    }
                }
                Err(error) if !complained => {
                    let text = format!("{error}; the workflows stay as they are");
                    tracing::error!("{text}");
                    self.complain("directory", &text);
                    complained = true;
                }
                Err(_) => {}
            }
        }
    }
}

/// The workflow files of a directory, in order.
///
/// # Errors
/// When it cannot be read, or holds too many.
pub(crate) fn files(directory: &Path, files_max: usize) -> Result<Vec<PathBuf>, DirectoryError> {
    let unreadable = |error| DirectoryError {
        problem: format!("cannot read the workflow directory {}: {error}", directory.display()),
        remedy: "make the directory, or point [workflows] dir at the one with your workflow files",
    };
    let mut files = Vec::new();
    for entry in std::fs::read_dir(directory).map_err(unreadable)? {
        let path = entry.map_err(unreadable)?.path();
        if path.extension().is_some_and(|extension| extension == "json") && path.is_file() {
            files.push(path);
        }
    }
    if files.len() > files_max {
        let (directory, count) = (directory.display(), files.len());
        return Err(DirectoryError {
            problem: format!(
                "the workflow directory {directory} holds {count} files, and {files_max} are allowed"
            ),
            remedy: "raise [limits] workflow_files_max, or take files out of it",
        });
    }
    files.sort();
    Ok(files)
}

/// Why the workflow directory is of no use, and what to do.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("{problem}; {remedy}")]
pub(crate) struct DirectoryError {
    pub(crate) problem: String,
    pub(crate) remedy: &'static str,
}

/// The text of a workflow file.
///
/// # Errors
/// When it cannot be read, or is too long.
pub(crate) fn text(path: &Path) -> Result<String, String> {
    let size = std::fs::metadata(path).map_err(|error| error.to_string())?.len();
    if size > FILE_BYTES_MAX {
        return Err(format!("the file has {size} bytes, and at most {FILE_BYTES_MAX} are read"));
    }
    std::fs::read_to_string(path).map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::journal::StoreJournal;
    use crate::logging::LogFormat;
    use crate::logging::tests::logged;
    use warroom_sandbox::{Limits, Sandbox};
    use warroom_store::{Options, Store};

    const RIGHT: &str = r#"[{"name": "drill", "triggers": [{"name": "Said", "type": "text", "match": "drill"}],
        "steps": [{"name": "Only", "start_actions": [{"name": "End", "type": "finished_workflow"}]}]}]"#;

    async fn watched(directory: &Path) -> WorkflowDirectory {
        let store = Store::open("sqlite::memory:", Options::default()).await.unwrap();
        let sandbox = Arc::new(Sandbox::new(Limits::default()).unwrap());
        let journal = Arc::new(StoreJournal(store));
        let loaded = Components::load(sandbox, journal, Vec::new(), BTreeMap::new()).await.unwrap();
        WorkflowDirectory {
            directory: directory.to_owned(),
            files_max: 10,
            workflows: Arc::default(),
            components: Arc::new(loaded.0),
            seen: BTreeMap::new(),
            changed: watch::channel(0).0,
            untold: Vec::new(),
        }
    }

    #[test]
    fn what_is_wrong_is_told_at_once_and_counted_where_it_is_much() {
        let trouble = |n: usize| Trouble { about: format!("a{n}"), text: format!("file {n} is wrong") };
        let all: Vec<Trouble> = (1..=5).map(trouble).collect();
        assert_eq!(together(&[]), None);
        let one = together(&all[..1]).unwrap();
        assert_eq!((one.about.as_str(), one.text.as_str()), ("a1", "Workflow files: file 1 is wrong"));
        let five = together(&all).unwrap();
        assert!(five.text.ends_with("file 3 is wrong\n\nand 2 more, which the log has."), "{}", five.text);
        assert_ne!(five.about, together(&all[..4]).unwrap().about);
    }

    #[tokio::test]
    async fn the_log_says_what_is_in_force_and_says_it_once() {
        const NOTHING: &str = "nothing of it is in force";
        const STAYS: &str = "what was in force before stays so";
        let directory = tempfile::tempdir().unwrap();
        let mut watched = watched(directory.path()).await;
        let mut look = |bytes: &[u8]| {
            std::fs::write(directory.path().join("drill.json"), bytes).unwrap();
            logged(LogFormat::Text, "error", || {
                watched.read().unwrap();
            })
        };
        // Not UTF-8: it cannot be read.
        let unreadable: &[u8] = &[0xff];
        for (bytes, says) in [
            (unreadable, NOTHING),
            (unreadable, ""),
            (b"[{", NOTHING),
            (b"[{]", NOTHING),
            (RIGHT.as_bytes(), ""),
            (b"[{", STAYS),
            (unreadable, STAYS),
            (unreadable, ""),
            (b"[{", ""),
            (unreadable, STAYS),
        ] {
            let log = look(bytes);
            assert!(if says.is_empty() { log.is_empty() } else { log.contains(says) }, "{says:?}: {log}");
        }
        assert_eq!(watched.workflows.names(), ["drill"]);
        std::fs::remove_file(directory.path().join("drill.json")).unwrap();
        assert_eq!(watched.read(), Ok(1));
        assert!(watched.workflows.names().is_empty());
    }
}
