//! Files that commands are given, read no further than they may be long.

use std::io::Read as _;
use std::path::Path;

/// The bytes of a file, or of the standard input for `-`; none when there are more than `bytes_max`.
///
/// # Errors
/// What the system says.
pub(super) fn read(path: &Path, bytes_max: usize) -> std::io::Result<Option<Vec<u8>>> {
    let most = u64::try_from(bytes_max).unwrap_or(u64::MAX).saturating_add(1);
    let mut bytes = Vec::new();
    if path == Path::new("-") {
        std::io::stdin().lock().take(most).read_to_end(&mut bytes)?;
    } else {
        std::fs::File::open(path)?.take(most).read_to_end(&mut bytes)?;
    }
    Ok((bytes.len() <= bytes_max).then_some(bytes))
}
