//! What a person says in a message, without what is only shown: code and quoted lines.

use std::borrow::Cow;
use std::collections::HashMap;

/// The text without code blocks, inline code and quoted lines. What is taken out leaves a line break, so that no words join.
///
/// Blocks of code stand between lines of three or more `` ` `` or `~`, one that is not closed goes to the end; inline code stands
/// between equally long runs of `` ` ``; a quoted line begins with `>`. Up to three blanks may stand before a mark.
pub(crate) fn prose(text: &str) -> Cow<'_, str> {
    if !text.contains(['`', '~', '>']) {
        return Cow::Borrowed(text);
    }
    Cow::Owned(without_inline_code(&without_blocks(text)))
}

fn without_blocks(text: &str) -> String {
    let mut kept = String::with_capacity(text.len());
    let mut fence: Option<(char, usize)> = None;
    for line in text.split_inclusive('\n') {
        let body = line.trim_end();
        let indented = body.len() - body.trim_start_matches(' ').len();
        let body = if indented <= 3 { body.trim_start_matches(' ') } else { "" };
        let mark = body.chars().next().filter(|mark| matches!(mark, '`' | '~'));
        let length = mark.map_or(0, |mark| body.chars().take_while(|character| *character == mark).count());
        let after = body.get(length..).unwrap_or_default();
        match fence {
            Some((open, needed)) => {
                if mark == Some(open) && length >= needed && after.trim().is_empty() {
                    fence = None;
                }
                kept.push('\n');
            }
            // What follows three backticks on the same line may be inline code.
            None if length >= 3 && !(mark == Some('`') && after.contains('`')) => {
                fence = mark.map(|mark| (mark, length));
                kept.push('\n');
            }
            None if body.starts_with('>') => kept.push('\n'),
            None => kept.push_str(line),
        }
    }
    kept
}

fn without_inline_code(text: &str) -> String {
    // Code does not go over the end of a paragraph.
    let mut kept = String::with_capacity(text.len());
    let mut paragraph = 0;
    let mut at = 0;
    for line in text.split_inclusive('\n') {
        if line.trim().is_empty() {
            take_out(text.get(paragraph..at).unwrap_or_default(), &mut kept);
            kept.push_str(line);
            paragraph = at + line.len();
        }
        at += line.len();
    }
    take_out(text.get(paragraph..).unwrap_or_default(), &mut kept);
    kept
}

/// Adds the paragraph to `kept`, without its inline code.
fn take_out(text: &str, kept: &mut String) {
    // Runs of backticks as (where, how long), each with the next one of the same length.
    let mut runs: Vec<(usize, usize)> = Vec::new();
    for (at, _) in text.match_indices('`') {
        let backslashes =
            text.get(..at).unwrap_or_default().bytes().rev().take_while(|byte| *byte == b'\\').count();
        match runs.last_mut() {
            Some((start, length)) if *start + *length == at => *length += 1,
            // The character itself is meant.
            _ if backslashes % 2 == 1 => {}
            _ => runs.push((at, 1)),
        }
    }
    let mut next_of_length: HashMap<usize, usize> = HashMap::new();
    let mut partners: Vec<Option<usize>> = vec![None; runs.len()];
    for (index, (at, length)) in runs.iter().enumerate().rev() {
        if let Some(partner) = partners.get_mut(index) {
            *partner = next_of_length.insert(*length, *at);
        }
    }
    let mut from = 0;
    for ((at, length), partner) in runs.into_iter().zip(partners) {
        if at < from {
            continue;
        }
        if let Some(partner) = partner {
            kept.push_str(text.get(from..at).unwrap_or_default());
            kept.push('\n');
            from = partner + length;
        }
    }
    kept.push_str(text.get(from..).unwrap_or_default());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn code_and_quotes_are_taken_out() {
        for text in [
            "`#sec`",
            "see ``a ` #sec``",
            "```\n#sec\n```",
            "  ~~~ text\n#sec\n~~~~\n",
            "```\n#sec",
            "> #sec",
            "   > #sec\nmore",
            "```sh\n~~~\n#sec\n```",
            "``` #sec ```",
        ] {
            assert!(!prose(text).contains("#sec"), "{text:?}: {:?}", prose(text));
        }
    }

    #[test]
    fn what_is_said_stays() {
        for text in [
            "#sec",
            "a lone ` before #sec",
            "`` no end ` #sec",
            "```\ncode\n```\n#sec",
            "> quoted\n#sec",
            "2 > 1 #sec",
            "    ~~~\n#sec",
            "~~ struck ~~ #sec",
            "`a` #sec `b`",
            "a ` b\n\n#sec ` c",
            r"\` #sec \`",
        ] {
            assert!(prose(text).contains("#sec"), "{text:?}: {:?}", prose(text));
        }
    }

    #[test]
    fn words_do_not_join_over_what_is_taken_out() {
        assert_eq!(prose("#s`x`ec"), "#s\nec");
    }

    #[test]
    fn many_marks_take_linear_time() {
        let runs: String = (1..600).map(|length| format!("{} ", "`".repeat(length))).collect();
        assert_eq!(prose(&runs), runs);
        assert_eq!(prose(&"` ".repeat(100_000)).len(), 2 * 50_000);
    }
}
