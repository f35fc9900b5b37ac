//! What of a text stands in code, as Markdown has it: there nobody is mentioned.

use std::ops::Range;

/// A run of backticks.
struct Ticks {
    at: usize,
    count: usize,
    /// Whether a block of code can begin or end here.
    begins_line: bool,
}

/// The parts of the text that stand in code, in order: by their bytes.
pub(crate) fn spans(text: &str) -> Vec<Range<usize>> {
    let runs = runs(text);
    let mut spans = Vec::new();
    let mut rest = runs.as_slice();
    while let Some((open, after)) = rest.split_first() {
        let close = if opens_block(text, open) {
            // A block that nobody ends goes to the end of the text.
            Some(after.iter().position(|run| run.begins_line && run.count >= open.count))
        } else {
            after
                .iter()
                .position(|run| run.count == open.count && is_one_paragraph(text, open, run))
                .map(Some)
        };
        rest = after;
        match close {
            Some(Some(close)) => {
                if let Some((run, tail)) = after.get(close..).and_then(<[Ticks]>::split_first) {
                    spans.push(open.at..run.at + run.count);
                    rest = tail;
                }
            }
            Some(None) => {
                spans.push(open.at..text.len());
                return spans;
            }
            None => {}
        }
    }
    spans
}

/// Whether one of the spans has the byte.
pub(crate) fn has(spans: &[Range<usize>], at: usize) -> bool {
    let before = spans.partition_point(|span| span.end <= at);
    spans.get(before).is_some_and(|span| span.contains(&at))
}

fn runs(text: &str) -> Vec<Ticks> {
    let mut runs: Vec<Ticks> = Vec::new();
    let mut line_start = 0;
    let mut is_escaped = false;
    for (at, character) in text.char_indices() {
        if character == '`' && !is_escaped {
            match runs.last_mut().filter(|run| run.at + run.count == at) {
                Some(run) => run.count += 1,
                None => {
                    let begins_line = text.get(line_start..at).is_some_and(|head| head.trim().is_empty());
                    runs.push(Ticks { at, count: 1, begins_line });
                }
            }
        }
        if character == '\n' {
            line_start = at + 1;
        }
        is_escaped = character == '\\' && !is_escaped;
    }
    runs
}

fn opens_block(text: &str, run: &Ticks) -> bool {
    let line = text.get(run.at + run.count..).and_then(|rest| rest.lines().next()).unwrap_or_default();
    run.begins_line && run.count >= 3 && !line.contains('`')
}

fn is_one_paragraph(text: &str, open: &Ticks, close: &Ticks) -> bool {
    text.get(open.at..close.at).is_some_and(|between| !between.contains("\n\n"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn code(text: &str) -> Vec<&str> {
        spans(text).into_iter().map(|span| &text[span]).collect()
    }

    #[test]
    fn a_run_of_backticks_ends_with_one_as_long() {
        assert_eq!(code("a `b` c ``d ` e`` f"), ["`b`", "``d ` e``"]);
        assert_eq!(code("it's 5` long, `b`"), ["` long, `"]);
        assert_eq!(code("one ` only, ``` and more"), Vec::<&str>::new());
        assert_eq!(code(r"\`a\` `b`"), ["`b`"]);
        assert_eq!(code("a ` b\n\nc ` d"), Vec::<&str>::new());
    }

    #[test]
    fn a_block_ends_with_its_own_line_or_the_text() {
        assert_eq!(code("```rust\na ` b\n```\nc"), ["```rust\na ` b\n```"]);
        assert_eq!(code("x\n ```\na\n\nb"), ["```\na\n\nb"]);
        assert_eq!(code("x:\n ```in a line``` y"), ["```in a line```"]);
    }

    #[test]
    fn a_byte_is_found_in_its_span() {
        let spans = spans("a `b` c `d`");
        let inside: Vec<usize> = (0..11).filter(|at| has(&spans, *at)).collect();
        assert_eq!(inside, [2, 3, 4, 8, 9, 10]);
    }
}
