//! Lines and columns of a text.

use std::ops::Range;

/// Where the lines of a text begin. A line ends at `\n`; a `\r` before it belongs to the line's end.
pub(crate) struct Lines<'text> {
    text: &'text str,
    starts: Vec<usize>,
}

impl<'text> Lines<'text> {
    pub(crate) fn new(text: &'text str) -> Lines<'text> {
        let starts =
            std::iter::once(0).chain(text.match_indices('\n').map(|(offset, _)| offset + 1)).collect();
        Lines { text, starts }
    }

    pub(crate) fn text(&self) -> &'text str {
        self.text
    }

    /// The line of an offset in bytes, counted from 1.
    pub(crate) fn line(&self, offset: usize) -> usize {
        self.starts.partition_point(|start| *start <= offset)
    }

    /// Line and column of an offset in bytes, both counted from 1, the column in characters. An offset after the end
    /// is the end's, one inside a character the character's.
    pub(crate) fn position(&self, offset: usize) -> (usize, usize) {
        let offset = self.text.floor_char_boundary(offset);
        let line = self.line(offset);
        let start = self.starts.get(line.saturating_sub(1)).copied().unwrap_or_default();
        let column = self.text.get(start..offset).map_or(0, |before| before.chars().count()) + 1;
        (line, column)
    }

    /// The span, inside the text, on character boundaries, and cut where its first line ends.
    pub(crate) fn within_a_line(&self, span: Range<usize>) -> Range<usize> {
        let start = self.text.floor_char_boundary(span.start);
        let end = self.text.floor_char_boundary(span.end.max(start));
        let length = self.text.get(start..end).and_then(|marked| marked.find(['\r', '\n']));
        start..length.map_or(end, |length| start + length)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_count_characters() {
        let lines = Lines::new("a\nüx\r\n");
        assert_eq!(lines.position(0), (1, 1));
        assert_eq!(lines.position(1), (1, 2));
        assert_eq!(lines.position(2), (2, 1));
        assert_eq!(lines.position(4), (2, 2));
        assert_eq!(lines.position(3), (2, 1), "inside ü");
        assert_eq!(lines.position(7), (3, 1));
        assert_eq!(lines.position(99), (3, 1));
    }

    #[test]
    fn a_span_stays_in_its_first_line() {
        let lines = Lines::new("ab\r\ncd");
        assert_eq!(lines.within_a_line(1..6), 1..2);
        assert_eq!(lines.within_a_line(5..90), 5..6);
        assert_eq!(lines.within_a_line(90..91), 6..6);
    }
}
