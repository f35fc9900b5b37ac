//! Diagnostics: what is wrong with a file, where, and what to write instead.

use std::fmt;
use std::ops::Range;

use crate::codes;
use crate::lines::Lines;

/// The most diagnostics of one file; what is more is counted, not kept.
pub const DIAGNOSTICS_MAX: usize = 1_000;

/// How bad a diagnostic is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Severity {
    /// The file is refused.
    Error,
    /// The file is accepted, but probably does not do what its author wants.
    Warning,
}

impl fmt::Display for Severity {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(match self {
            Severity::Error => "error",
            Severity::Warning => "warning",
        })
    }
}

/// One problem of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Diagnostic {
    /// How bad it is.
    pub severity: Severity,
    /// A stable code: `E` or `W` and three digits.
    pub code: &'static str,
    /// What is wrong, in one line.
    pub message: String,
    /// What to do about it.
    pub help: Option<String>,
    /// Where, in bytes of the text. Never longer than a line; it may be empty, where something is missing.
    pub span: Range<usize>,
    /// The line of the span's start; the first is 1.
    pub line: usize,
    /// The column of the span's start in characters; the first is 1.
    pub column: usize,
    /// The line of the span's end.
    pub end_line: usize,
    /// The column just after the span's end, in characters.
    pub end_column: usize,
}

/// Collects the diagnostics of one text.
pub(crate) struct Findings<'text> {
    lines: Lines<'text>,
    list: Vec<Diagnostic>,
    dropped: usize,
    errors: bool,
    /// What stands after this is not reported.
    trusted_until: usize,
}

impl<'text> Findings<'text> {
    pub(crate) fn new(text: &'text str) -> Findings<'text> {
        Findings {
            lines: Lines::new(text),
            list: Vec::new(),
            dropped: 0,
            errors: false,
            trusted_until: usize::MAX,
        }
    }

    /// Reports a mistake for which the file is refused.
    pub(crate) fn error(
        &mut self,
        code: &'static str,
        span: Range<usize>,
        message: impl Into<String>,
        help: impl Into<Option<String>>,
    ) {
        self.push(Severity::Error, code, span, message.into(), help.into());
    }

    /// Reports something that the author should look at.
    pub(crate) fn warning(
        &mut self,
        code: &'static str,
        span: Range<usize>,
        message: impl Into<String>,
        help: impl Into<Option<String>>,
    ) {
        self.push(Severity::Warning, code, span, message.into(), help.into());
    }

    /// The text that is looked at.
    pub(crate) fn text(&self) -> &'text str {
        self.lines.text()
    }

    /// Drops what is reported from now on about the text after `offset`: nobody knows what belongs where in it.
    pub(crate) fn distrust(&mut self, offset: usize) {
        self.trusted_until = offset;
    }

    /// The line of an offset in bytes; the first is 1.
    pub(crate) fn line(&self, offset: usize) -> usize {
        self.lines.line(offset)
    }

    /// Whether what is reported from now on is only counted, so that help need not be thought out.
    pub(crate) fn is_full(&self) -> bool {
        self.list.len() >= DIAGNOSTICS_MAX
    }

    /// Whether an error was reported.
    pub(crate) fn has_errors(&self) -> bool {
        self.errors
    }

    /// All that was reported, in the order of the text.
    pub(crate) fn finish(mut self) -> Vec<Diagnostic> {
        self.list.sort_by(|a, b| (a.span.start, a.code).cmp(&(b.span.start, b.code)));
        if self.dropped > 0 {
            let end = self.lines.text().len();
            let message = format!("{} more problems are not shown", self.dropped);
            let help = "correct those above and check again".to_owned();
            let last =
                self.diagnostic(Severity::Error, codes::TOO_MANY_PROBLEMS, end..end, message, Some(help));
            self.list.push(last);
        }
        self.list
    }

    fn push(
        &mut self,
        severity: Severity,
        code: &'static str,
        span: Range<usize>,
        message: String,
        help: Option<String>,
    ) {
        if span.start >= self.trusted_until {
            return;
        }
        self.errors |= severity == Severity::Error;
        if self.is_full() {
            self.dropped += 1;
            return;
        }
        let diagnostic = self.diagnostic(severity, code, span, message, help);
        self.list.push(diagnostic);
    }

    fn diagnostic(
        &self,
        severity: Severity,
        code: &'static str,
        span: Range<usize>,
        message: String,
        help: Option<String>,
    ) -> Diagnostic {
        let span = self.lines.within_a_line(span);
        let (line, column) = self.lines.position(span.start);
        let (end_line, end_column) = self.lines.position(span.end);
        Diagnostic { severity, code, message, help, span, line, column, end_line, end_column }
    }
}
