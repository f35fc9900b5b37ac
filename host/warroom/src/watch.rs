//! Keeps the workflow files in force: reads the directory at start, and looks at it again and again.
//!
//! It polls rather than asks the kernel for notices: notices do not arrive for network file systems and bind mounts,
//! and a configuration map replaces a whole directory by a link; reading a few small files each second costs nothing.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use warroom_runner::{Components, LoadedFile, Workflows};
use warroom_workflow::render_diagnostics;

/// The directory of the workflow files.
pub(crate) struct WorkflowDirectory {
    pub(crate) directory: PathBuf,
    pub(crate) files_max: usize,
    pub(crate) workflows: Arc<Workflows>,
    pub(crate) components: Arc<Components>,
    /// What was read last, in force or not, by file name.
    pub(crate) seen: BTreeMap<String, String>,
    /// Counts the looks that found something changed.
    pub(crate) changed: watch::Sender<u64>,
}

/// The largest workflow file that is read. The language's own bound is smaller or the same.
const FILE_BYTES_MAX: u64 = 4 * 1024 * 1024;

impl WorkflowDirectory {
    /// Reads the directory; puts in force what is new or changed and right, and says what is wrong. Gives how many
    /// files were new, changed or gone.
    ///
    /// # Errors
    /// When the directory itself cannot be read; everything stays in force then.
    pub(crate) fn read(&mut self) -> Result<usize, String> {
        let mut found = BTreeMap::new();
        for path in files(&self.directory, self.files_max)? {
            let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
            match text(&path) {
                Ok(text) => {
                    found.insert(name, text);
                }
                // What cannot be read now may be read at the next look: the old one stays in force.
                Err(error) => {
                    tracing::error!("{}: {error}; what was in force stays so", path.display());
                    found.extend(self.seen.get(&name).map(|old| (name, old.clone())));
                }
            }
        }
        let mut changes = 0;
        let gone: Vec<String> = self.seen.keys().filter(|name| !found.contains_key(*name)).cloned().collect();
        for name in gone {
            self.workflows.remove(&name);
            self.seen.remove(&name);
            tracing::info!("{name} is gone: its workflows start no more runs; open ones go on");
            changes += 1;
        }
        for (name, text) in found {
            if self.seen.get(&name) != Some(&text) {
                self.put(LoadedFile { name: name.clone(), text: text.clone() });
                self.seen.insert(name, text);
                changes += 1;
            }
        }
        Ok(changes)
    }

    fn put(&self, file: LoadedFile) {
        let known_before = self.seen.contains_key(&file.name);
        let (in_force, diagnostics, clashes) = self.workflows.put(&file, self.components.catalog());
        let shown = self.directory.join(&file.name).display().to_string();
        if !diagnostics.is_empty() {
            let rendered = render_diagnostics(&shown, &file.text, &diagnostics, false);
            if in_force {
                tracing::warn!("{shown} has warnings:\n{rendered}");
            } else {
                let old = if known_before {
                    "what was in force before stays so"
                } else {
                    "nothing of it is in force"
                };
                tracing::error!("{shown} has errors; {old}:\n{rendered}");
            }
        }
        for clash in clashes {
            tracing::error!("{clash}");
        }
        if in_force {
            tracing::info!("{shown} is in force");
        }
    }

    /// Looks at the directory for ever.
    pub(crate) async fn watch(mut self, every: Duration) {
        let mut complained = false;
        loop {
            tokio::time::sleep(every).await;
            match self.read() {
                Ok(changes) => {
                    complained = false;
                    if changes > 0 {
                        self.changed.send_modify(|looks| *looks += 1);
                    }
                }
                Err(error) if !complained => {
                    tracing::error!("{error}; the workflows stay as they are");
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
pub(crate) fn files(directory: &Path, files_max: usize) -> Result<Vec<PathBuf>, String> {
    let unreadable = |error| format!("cannot read the workflow directory {}: {error}", directory.display());
    let mut files = Vec::new();
    for entry in std::fs::read_dir(directory).map_err(unreadable)? {
        let path = entry.map_err(unreadable)?.path();
        if path.extension().is_some_and(|extension| extension == "json") && path.is_file() {
            files.push(path);
        }
    }
    if files.len() > files_max {
        return Err(format!(
            "the workflow directory {} holds {} files, and {files_max} are allowed ([limits] workflow_files_max)",
            directory.display(),
            files.len()
        ));
    }
    files.sort();
    Ok(files)
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
