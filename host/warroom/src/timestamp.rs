//! Times for people.

use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

/// A time in milliseconds since 1970, in UTC to the second, as `2026-01-31 23:59:59`; the number itself when no calendar has it.
pub(crate) fn timestamp(at_ms: u64) -> String {
    let seconds = i64::try_from(at_ms / 1_000).ok();
    let time = seconds.and_then(|seconds| OffsetDateTime::from_unix_timestamp(seconds).ok());
    match time.and_then(|time| time.format(&Rfc3339).ok()) {
        Some(text) => text.trim_end_matches('Z').replace('T', " "),
        None => at_ms.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_read_by_people() {
        assert_eq!(timestamp(0), "1970-01-01 00:00:00");
        assert_eq!(timestamp(1_764_016_747_999), "2025-11-24 20:39:07");
        assert_eq!(timestamp(u64::MAX), u64::MAX.to_string());
    }
}
