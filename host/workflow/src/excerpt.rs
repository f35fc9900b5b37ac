//! Diagnostics as people read them: with the line of the file and a mark under the mistake.

use std::ops::Range;

use annotate_snippets::renderer::DecorStyle;
use annotate_snippets::{AnnotationKind, Level, Origin, Renderer, Snippet};

use crate::diagnostic::{Diagnostic, Severity};

/// The longest line that is drawn from its beginning, in bytes. A whole file may be one line; drawing it for each
/// diagnostic would take forever.
const LINE_BYTES_MAX: usize = 1_000;
/// What is drawn of a longer line to the left of the mark, in bytes; twice as much to the right.
const CONTEXT_BYTES_MAX: usize = 120;

/// Diagnostics as text, each with file, line, column, excerpt, code and help, an empty line between two; empty when
/// there are none.
///
/// `text` is what the diagnostics were made of; `color` adds ANSI escape codes, for a terminal.
pub fn render_diagnostics(file_name: &str, text: &str, diagnostics: &[Diagnostic], color: bool) -> String {
    let renderer = if color { Renderer::styled() } else { Renderer::plain() };
    let renderer = renderer.decor_style(DecorStyle::Ascii);
    let mut rendered = String::new();
    for diagnostic in diagnostics {
        if !rendered.is_empty() {
            rendered.push('\n');
        }
        rendered.push_str(&render_one(&renderer, file_name, text, diagnostic));
        rendered.push('\n');
    }
    rendered
}

fn render_one(renderer: &Renderer, file_name: &str, text: &str, diagnostic: &Diagnostic) -> String {
    let level = match diagnostic.severity {
        Severity::Error => Level::ERROR,
        Severity::Warning => Level::WARNING,
    };
    let excerpt = Excerpt::new(text, &diagnostic.span);
    let snippet = Snippet::source(excerpt.source)
        .line_start(diagnostic.line)
        .annotation(AnnotationKind::Primary.span(excerpt.mark));
    let title = level.primary_title(&diagnostic.message).id(diagnostic.code);
    let mut group = if excerpt.is_cut {
        // The column cannot be computed from the excerpt, so the place is given.
        title
            .element(Origin::path(file_name).line(diagnostic.line).char_column(diagnostic.column))
            .element(snippet)
    } else {
        title.element(snippet.path(file_name))
    };
    if let Some(help) = &diagnostic.help {
        group = group.element(Level::HELP.message(help));
    }
    renderer.render(&[group])
}

/// The line of a span, or the part of it around the span.
struct Excerpt<'text> {
    source: &'text str,
    /// The span inside `source`.
    mark: Range<usize>,
    /// Whether `source` begins in the middle of the line.
    is_cut: bool,
}

impl<'text> Excerpt<'text> {
    fn new(text: &'text str, span: &Range<usize>) -> Excerpt<'text> {
        let start = text.floor_char_boundary(span.start);
        let end = text.floor_char_boundary(span.end.max(start));
        let before = text.get(..start).unwrap_or_default();
        let after = text.get(end..).unwrap_or_default();
        let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
        let line_end = end + after.find(['\r', '\n']).unwrap_or(after.len());
        let (mut from, mut to) = (line_start, line_end);
        if line_end - line_start > LINE_BYTES_MAX {
            from = text.ceil_char_boundary(line_start.max(start.saturating_sub(CONTEXT_BYTES_MAX)));
            to = text.floor_char_boundary(line_end.min(start.saturating_add(2 * CONTEXT_BYTES_MAX)));
        }
        let source = text.get(from..to).unwrap_or_default();
        let mark = start.saturating_sub(from)..end.min(to).saturating_sub(from);
        Excerpt { source, mark, is_cut: from > line_start }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_excerpt_is_the_line_of_the_mark() {
        for (text, span, source, mark) in
            [("one\ntwo\r\nthree", 5..6, "two", 1..2), ("one", 3..3, "one", 3..3), ("", 0..0, "", 0..0)]
        {
            let excerpt = Excerpt::new(text, &span);
            assert_eq!((excerpt.source, excerpt.mark, excerpt.is_cut), (source, mark, false));
        }
    }

    #[test]
    fn a_long_line_is_cut_around_the_mark() {
        let text = format!("{}mark{}", "ü".repeat(5_000), "x".repeat(5_000));
        let excerpt = Excerpt::new(&text, &(10_000..10_004));
        assert!(excerpt.is_cut && excerpt.source.len() <= 3 * CONTEXT_BYTES_MAX);
        assert_eq!(&excerpt.source[excerpt.mark], "mark");
    }
}
