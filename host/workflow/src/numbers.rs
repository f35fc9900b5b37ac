//! Numbers as JSON has them, and as other languages do.

use serde_json::Number;

/// A number that is not written as JSON wants it.
pub(crate) struct WrongNumber {
    pub(crate) message: String,
    pub(crate) help: String,
    pub(crate) meant: Option<Number>,
}

/// Reads `word` as a number; none when it is no number at all but a text.
pub(crate) fn read(word: &str) -> Option<Result<Number, WrongNumber>> {
    if is_json(word) {
        return Some(word.parse().map_err(|_| WrongNumber {
            message: "this number is too large".to_owned(),
            help: "write a number that a computer can hold, below 1e308".to_owned(),
            meant: None,
        }));
    }
    let (sign, digits) = match word.strip_prefix('-') {
        Some(digits) => ("-", digits),
        None => ("", word.strip_prefix('+').unwrap_or(word)),
    };
    if matches!(digits.to_ascii_lowercase().as_str(), "nan" | "inf" | "infinity") {
        return Some(Err(WrongNumber {
            message: format!("`{word}` is no number of JSON"),
            help: "write a number in digits".to_owned(),
            meant: None,
        }));
    }
    let right = format!("{sign}{}", corrected(digits)?);
    let meant = Some(&right).filter(|right| is_json(right))?.parse().ok();
    Some(Err(WrongNumber {
        message: "this number is not written as JSON wants it".to_owned(),
        help: format!("write `{right}`; if it is a text, put it into double quotes"),
        meant,
    }))
}

/// Whether `word` is a number by the grammar of JSON.
fn is_json(word: &str) -> bool {
    let unsigned = word.strip_prefix('-').unwrap_or(word);
    let (mantissa, exponent) = match unsigned.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, Some(exponent.strip_prefix(['+', '-']).unwrap_or(exponent))),
        None => (unsigned, None),
    };
    let (whole, fraction) = match mantissa.split_once('.') {
        Some((whole, fraction)) => (whole, Some(fraction)),
        None => (mantissa, None),
    };
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    digits(whole)
        && (whole == "0" || !whole.starts_with('0'))
        && fraction.is_none_or(digits)
        && exponent.is_none_or(digits)
}

/// Digits as they are probably meant.
fn corrected(digits: &str) -> Option<String> {
    let lower = digits.to_ascii_lowercase();
    if let Some(hexadecimal) = lower.strip_prefix("0x") {
        return u64::from_str_radix(hexadecimal, 16).ok().map(|number| number.to_string());
    }
    let plain = digits.replace('_', "");
    let (mantissa, exponent) = match plain.find(['e', 'E']) {
        Some(place) => plain.split_at(place),
        None => (plain.as_str(), ""),
    };
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    if !digits.starts_with(|first: char| first.is_ascii_digit() || first == '.') || mantissa == "." {
        return None;
    }
    let whole = Some(whole.trim_start_matches('0')).filter(|whole| !whole.is_empty()).unwrap_or("0");
    let point = if mantissa.contains('.') { "." } else { "" };
    let fraction = if fraction.is_empty() && !point.is_empty() { "0" } else { fraction };
    Some(format!("{whole}{point}{fraction}{exponent}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_of_json_are_read() {
        for word in ["0", "-0", "1", "-12.50", "1e5", "1E-3", "0.1e+2", "18446744073709551616"] {
            let expected: Number = serde_json::from_str(word).unwrap();
            assert_eq!(read(word).and_then(Result::ok), Some(expected), "{word}");
        }
    }

    #[test]
    fn other_numbers_are_corrected() {
        for (word, right) in [
            ("01", "1"),
            ("-007", "-7"),
            (".5", "0.5"),
            ("1.", "1.0"),
            ("+1", "1"),
            ("0x1F", "31"),
            ("1_000", "1000"),
            ("00", "0"),
        ] {
            let Some(Err(wrong)) = read(word) else { unreachable!("{word} is not refused") };
            assert!(wrong.help.starts_with(&format!("write `{right}`;")), "{word}: {}", wrong.help);
            assert_eq!(wrong.meant, right.parse().ok(), "{word}");
        }
        assert!(read("1e999").is_some_and(|read| read.is_err_and(|wrong| wrong.meant.is_none())));
        assert!(read("-Infinity").is_some_and(|read| read.is_err()));
    }

    #[test]
    fn words_are_no_numbers() {
        for word in ["-", ".", "+", "1a", "2024-incident", "1.5.2", "#sec", "abc", "1e", "-x"] {
            assert!(read(word).is_none(), "{word}");
        }
    }
}
