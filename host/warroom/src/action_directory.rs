//! The operator's own action components: the `.wasm` files of a directory.

use anyhow::Context as _;
use std::path::Path;
use warroom_runner::{Origin, Source};
use warroom_sandbox::Digest;

/// Every `.wasm` file of the directory; and what there is to say of those that are too large.
///
/// # Errors
/// When the directory, or a file there, cannot be read.
pub(crate) fn sources(directory: &Path, bytes_max: usize) -> anyhow::Result<(Vec<Source>, Vec<String>)> {
    let (mut sources, mut too_large) = (Vec::new(), Vec::new());
    let entries = std::fs::read_dir(directory).with_context(|| {
        format!("cannot read the action directory {} ([actions] dir), which must be there, though it may be empty; without the key there is none", directory.display())
    })?;
    for entry in entries {
        let path = entry?.path();
        if path.extension().is_none_or(|extension| extension != "wasm") {
            continue;
        }
        let size = std::fs::metadata(&path)?.len();
        if size > bytes_max as u64 {
            too_large.push(format!(
                "{} is not loaded: it has {size} bytes, and {bytes_max} are allowed ([limits] component_bytes_max)",
                path.display()
            ));
            continue;
        }
        let bytes = std::fs::read(&path).with_context(|| format!("cannot read {}", path.display()))?;
        let digest = Digest::of(&bytes).to_string();
        sources.push(Source {
            name: format!("{} ({digest})", path.display()),
            bytes,
            origin: Origin::Custom,
        });
    }
    sources.sort_by(|one, other| one.name.cmp(&other.name));
    Ok((sources, too_large))
}
