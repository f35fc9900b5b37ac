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
use warroom_workflow::render_diagnostics;

mod untold;

pub(crate) use untold::Untold;

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
    /// What operators were not told of yet.
    pub(crate) untold: Untold,
    /// Workflows that are not in force, since another file has one of that name: what is said of each, by file and name.
    pub(crate) clashes: BTreeMap<(String, String), String>,
}

/// How much of what is wrong with a file operators are shown, in characters.
const SHOWN_CHARS_MAX: usize = 3_000;

/// A file as it was at the last look.
#[derive(Debug, Default)]
pub(crate) struct SeenFile {
    /// What was read last, in force or not; none when it could never be read.
    text: Option<String>,
    /// Whether something that it held once is in force.
    is_in_force: bool,
    /// Whether what was read last has no errors.
    is_right: bool,
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
            let text = format!("{name} is gone: its workflows start no more runs; open ones go on");
            tracing::info!("{text}");
            self.untold.mended(&name, &text);
            changes += 1;
        }
        for (name, read) in found {
            let mut seen = self.seen.remove(&name).unwrap_or_default();
            match read {
                Ok(text) => {
                    let was_unreadable = seen.complaint.take().is_some();
                    if seen.text.as_ref() != Some(&text) {
                        self.put(&LoadedFile { name: name.clone(), text: text.clone() }, &mut seen);
                        seen.text = Some(text);
                        changes += 1;
                    } else if was_unreadable && seen.is_right {
                        self.untold.mended(&name, &format!("{name} can be read again"));
                    }
                }
                // What cannot be read now may be read at the next look: the old one stays in force.
                Err(error) => {
                    if seen.complaint.as_ref() != Some(&error) {
                        let path = self.directory.join(&name);
                        let text = format!("cannot read {}: {error}; {}", path.display(), seen.what_stays());
                        tracing::error!("{text}");
                        self.untold.wrong(&name, &text);
                        seen.complaint = Some(error);
                    }
                }
            }
            self.seen.insert(name, seen);
        }
        self.tell_clashes();
        Ok(changes)
    }

    fn put(&mut self, file: &LoadedFile, seen: &mut SeenFile) {
        let (is_right, diagnostics) = self.workflows.put(file, self.components.catalog());
        let shown = self.directory.join(&file.name).display().to_string();
        seen.is_right = is_right;
        if !diagnostics.is_empty() {
            let rendered = render_diagnostics(&shown, &file.text, &diagnostics, false);
            if is_right {
                tracing::warn!("{shown} has warnings:\n{rendered}");
            } else {
                tracing::error!("{shown} has errors; {}:\n{rendered}", seen.what_stays());
                // Nothing in the file ends the block that shows it.
                let quoted: String = rendered.replace("```", "` ` `").chars().take(SHOWN_CHARS_MAX).collect();
                let stays = seen.what_stays();
                self.untold.wrong(&file.name, &format!("{shown} has errors; {stays}:\n```\n{quoted}\n```"));
            }
        }
        if is_right {
            seen.is_in_force = true;
            let names = self.workflows.names_of(&file.name);
            if !names.is_empty() {
                tracing::info!("{shown} is in force: {}", names.join(", "));
            }
            self.untold.mended(&file.name, &format!("{shown} has no errors any more"));
        }
    }

    /// What is not in force since its name is taken is said once, and also when that is over.
    fn tell_clashes(&mut self) {
        let now = self.workflows.clashes();
        let about = |(file, workflow): &(String, String)| format!("{file}/{workflow}");
        for (of, text) in self.clashes.iter().filter(|(of, text)| now.get(*of) != Some(*text)) {
            self.untold.mended(&about(of), &format!("this is over: {text}"));
            tracing::info!("this is over: {text}");
        }
        for (of, text) in now.iter().filter(|(of, text)| self.clashes.get(*of) != Some(*text)) {
            tracing::error!("{text}");
            self.untold.wrong(&about(of), text);
        }
        self.clashes = now;
    }

    /// Looks at the directory for ever, and tells operators what is wrong, also what was wrong before.
    pub(crate) async fn watch(mut self, every: Duration, runner: Runner) {
        let mut complained = false;
        loop {
            self.untold.tell(&runner);
            tokio::time::sleep(every).await;
            match self.read() {
                Ok(changes) => {
                    if complained {
                        self.untold.mended("directory", "the directory can be read again");
                        complained = false;
                    }
                    if changes > 0 {
                        self.changed.send_modify(|looks| *looks += 1);
                    }
                }
                Err(error) if !complained => {
                    let text = format!("{error}; the workflows stay as they are");
                    tracing::error!("{text}");
                    self.untold.wrong("directory", &text);
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
            untold: Untold::default(),
            clashes: BTreeMap::new(),
        }
    }

    #[tokio::test]
    async fn a_name_that_two_files_define_is_said_once_and_when_it_is_over() {
        let directory = tempfile::tempdir().unwrap();
        let mut watched = watched(directory.path()).await;
        let mut look = || {
            logged(LogFormat::Text, "info", || {
                watched.read().unwrap();
            })
        };
        let write = |name: &str, text: &str| std::fs::write(directory.path().join(name), text).unwrap();
        write("a.json", RIGHT);
        assert!(look().contains("a.json is in force: drill"));
        write("b.json", RIGHT);
        let log = look();
        assert!(log.contains("workflow `drill` of b.json is not in force"), "{log}");
        assert!(!log.contains("b.json is in force"), "{log}");
        write("c.json", &RIGHT.replace("drill", "other"));
        let log = look();
        assert!(log.contains("c.json is in force: other") && !log.contains("drill"), "{log}");
        std::fs::remove_file(directory.path().join("a.json")).unwrap();
        let log = look();
        assert!(log.contains("this is over: workflow `drill` of b.json"), "{log}");
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
