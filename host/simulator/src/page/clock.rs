//! Times for people.

const MS_PER_DAY: i64 = 86_400_000;

/// A time in ms since 1970 as `2026-01-31T12:05:09Z`. Years 1970 to 9999; others give the nearest of them.
pub(super) fn iso(ms: i64) -> String {
    let ms = ms.clamp(0, 253_402_300_799_000);
    let (year, month, day) = date(ms.div_euclid(MS_PER_DAY));
    let seconds = ms.rem_euclid(MS_PER_DAY) / 1_000;
    let (hour, minute, second) = (seconds / 3_600, seconds / 60 % 60, seconds % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z")
}

/// The time of day of the same, in UTC: `12:05`.
pub(super) fn hour_minute(ms: i64) -> String {
    let minutes = ms.rem_euclid(MS_PER_DAY) / 60_000;
    format!("{:02}:{:02}", minutes / 60, minutes % 60)
}

/// Year, month and day of a day since 1970, counted in eras of 400 years that begin in March.
fn date(days: i64) -> (i64, i64, i64) {
    let days = days + 719_468;
    let era = days.div_euclid(146_097);
    let day_of_era = days.rem_euclid(146_097);
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = if shifted_month < 10 { shifted_month + 3 } else { shifted_month - 9 };
    (year_of_era + era * 400 + i64::from(month <= 2), month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_written_as_in_the_calendar() {
        assert_eq!(iso(0), "1970-01-01T00:00:00Z");
        assert_eq!(iso(951_827_696_000), "2000-02-29T12:34:56Z");
        assert_eq!(iso(1_795_518_157_645), "2026-11-24T11:02:37Z");
        assert_eq!(iso(1_767_225_599_999), "2025-12-31T23:59:59Z");
        assert_eq!(hour_minute(951_827_696_000), "12:34");
    }
}
