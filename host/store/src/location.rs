//! Where the journal is: its address, and the file behind it.

use std::fs::{File, OpenOptions};
use std::io::ErrorKind;
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use crate::error::StoreError;

/// Only the host's own user may read the journal: it holds secrets and what people wrote.
const FILE_MODE: u32 = 0o600;

/// Where a journal is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Location {
    /// In memory, until the store is closed.
    Memory,
    /// In this file.
    File(PathBuf),
}

impl Location {
    /// Reads `sqlite:PATH`, `sqlite://PATH` or `sqlite::memory:`.
    pub(crate) fn parse(url: &str) -> Result<Self, StoreError> {
        let wrong = |reason: &str| StoreError::Url { url: url.to_owned(), reason: reason.to_owned() };
        let rest = url.strip_prefix("sqlite:").ok_or_else(|| wrong("it does not begin with `sqlite:`"))?;
        if rest == ":memory:" {
            return Ok(Self::Memory);
        }
        let path = rest.strip_prefix("//").unwrap_or(rest);
        if path.is_empty() {
            return Err(wrong("it names no file"));
        }
        // Absolute, since SQLite would read a relative path that begins with `file:` as a URI.
        std::path::absolute(path).map(Self::File).map_err(|error| wrong(&error.to_string()))
    }

    /// The path as SQLite takes it.
    pub(crate) fn path(&self) -> &Path {
        match self {
            Self::Memory => Path::new(":memory:"),
            Self::File(path) => path,
        }
    }
}

/// Makes the file if there is none, and makes sure that a power cut cannot lose its name.
pub(crate) fn create_file(path: &Path) -> Result<(), StoreError> {
    match OpenOptions::new().write(true).create_new(true).mode(FILE_MODE).open(path) {
        Ok(_) => sync_directory(path),
        Err(error) if error.kind() == ErrorKind::AlreadyExists => {
            warn_of_readers(path);
            Ok(())
        }
        Err(error) => Err(StoreError::File {
            doing: "create the journal",
            path: path.to_owned(),
            reason: format!("{error}. Make the directory, and let the host's user write there"),
        }),
    }
}

fn sync_directory(path: &Path) -> Result<(), StoreError> {
    let Some(directory) = path.parent() else { return Ok(()) };
    File::open(directory).and_then(|handle| handle.sync_all()).map_err(|error| StoreError::File {
        doing: "write to disk the directory",
        path: directory.to_owned(),
        reason: error.to_string(),
    })
}

/// A file that others may read is the operator's to mend: changing its mode could cut off a backup that reads it.
fn warn_of_readers(path: &Path) {
    if let Ok(metadata) = std::fs::metadata(path)
        && metadata.permissions().mode() & 0o077 != 0
    {
        tracing::warn!(path = %path.display(), "other users can read the journal, which holds secrets; run chmod 600 on it");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_read() {
        assert_eq!(Location::parse("sqlite::memory:"), Ok(Location::Memory));
        assert_eq!(Location::parse("sqlite:/var/x.db"), Ok(Location::File("/var/x.db".into())));
        assert_eq!(Location::parse("sqlite:///var/x.db"), Ok(Location::File("/var/x.db".into())));
        let relative = std::env::current_dir().unwrap().join("x.db");
        assert_eq!(Location::parse("sqlite:x.db"), Ok(Location::File(relative)));
    }

    #[test]
    fn wrong_addresses_say_what_to_write() {
        for url in ["", "sqlite:", "sqlite://", "postgres://db", "/var/x.db"] {
            let error = Location::parse(url).unwrap_err();
            assert!(matches!(error, StoreError::Url { .. }), "{url}");
            assert!(error.to_string().contains("sqlite:PATH"), "{error}");
        }
    }
}
