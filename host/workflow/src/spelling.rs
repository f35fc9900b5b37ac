//! What an author probably meant.

/// How many words are compared. What is compared is short, but may be wrong a thousand times in a file.
const COMPARED_MAX: usize = 200;

/// A word among the first of `known` that is written nearly like `word`. Words of which no more than a third differ are
/// near, those that differ in every letter never.
pub(crate) fn nearest<'known>(
    word: &str,
    known: impl IntoIterator<Item = &'known str>,
) -> Option<&'known str> {
    let length = word.chars().count().min(64);
    let distance_max = length.div_ceil(3).min(length.saturating_sub(1));
    known
        .into_iter()
        .take(COMPARED_MAX)
        .map(|candidate| (distance(word, candidate), candidate))
        .filter(|(distance, _)| *distance <= distance_max)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

/// `did you mean ...?`, or else the list of what there is.
pub(crate) fn suggestion<'known>(word: &str, known: impl IntoIterator<Item = &'known str> + Clone) -> String {
    match nearest(word, known.clone()) {
        Some(candidate) => format!("did you mean `{candidate}`? There is {}", listed(known)),
        None => format!("there is {}", listed(known)),
    }
}

/// Words in back quotes, separated by commas; at most 40 of them.
pub(crate) fn listed<'known>(words: impl IntoIterator<Item = &'known str>) -> String {
    const WORDS_MAX: usize = 40;
    let quoted: Vec<String> = words.into_iter().take(WORDS_MAX + 1).map(|word| format!("`{word}`")).collect();
    match quoted.get(..WORDS_MAX) {
        Some(shown) if quoted.len() > WORDS_MAX => format!("{}, …", shown.join(", ")),
        _ if quoted.is_empty() => "none".to_owned(),
        _ => quoted.join(", "),
    }
}

/// Edits between two words, a swap of neighbours counted once; letter case and the kind of separator cost nothing.
fn distance(a: &str, b: &str) -> usize {
    let plain =
        |word: &str| word.chars().take(64).collect::<String>().to_lowercase().replace(['-', ' '], "_");
    strsim::osa_distance(&plain(a), &plain(b))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_near_word_is_found() {
        let known = ["channel_name", "team_name", "message"];
        assert_eq!(nearest("chanel_name", known), Some("channel_name"));
        assert_eq!(nearest("channel-name", known), Some("channel_name"));
        assert_eq!(nearest("Mesage", known), Some("message"));
        assert_eq!(nearest("colour", known), None);
        assert_eq!(nearest("x", ["y"]), None);
    }

    #[test]
    fn a_long_list_is_cut() {
        let words: Vec<String> = (0..41).map(|n| format!("w{n}")).collect();
        assert!(listed(words.iter().map(String::as_str)).ends_with("`w39`, …"));
        assert_eq!(listed(["a", "b"]), "`a`, `b`");
        assert_eq!(listed([]), "none");
    }
}
