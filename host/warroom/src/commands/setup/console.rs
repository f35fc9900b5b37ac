//! How a set-up speaks with the person who started it.

use std::io::{BufRead as _, IsTerminal as _, Read as _, Write as _};

/// The longest answer that is read, in bytes.
const ANSWER_BYTES_MAX: u64 = 1024;

/// Somebody to tell and to ask.
pub(super) trait Console {
    /// Tells a line.
    fn say(&mut self, line: &str);

    /// Asks for a yes. Without anybody who could answer it is a no.
    fn confirm(&mut self, question: &str) -> bool;
}

/// The terminal that the program was started from.
pub(super) struct Terminal {
    /// Whether every question was answered with yes beforehand.
    pub(super) yes: bool,
}

impl Console for Terminal {
    fn say(&mut self, line: &str) {
        let _ = writeln!(std::io::stdout(), "{line}");
    }

    fn confirm(&mut self, question: &str) -> bool {
        if self.yes {
            self.say(&format!("{question} Yes, by --yes."));
            return true;
        }
        if !std::io::stdin().is_terminal() {
            self.say(&format!("{question} No: there is no terminal to ask on. Run it with --yes to agree."));
            return false;
        }
        let mut out = std::io::stdout();
        let _ = write!(out, "{question} [y/N] ");
        let _ = out.flush();
        let mut answer = String::new();
        let read = std::io::stdin().lock().take(ANSWER_BYTES_MAX).read_line(&mut answer);
        read.is_ok() && ["y", "yes"].contains(&answer.trim().to_lowercase().as_str())
    }
}

/// What was found, changed and left to do, told as it happens.
pub(super) struct Progress<'console> {
    console: &'console mut dyn Console,
    /// How much was changed.
    pub(super) changes: usize,
    /// How much is left for the person to do.
    pub(super) left: usize,
}

impl<'console> Progress<'console> {
    pub(super) fn new(console: &'console mut dyn Console) -> Progress<'console> {
        Progress { console, changes: 0, left: 0 }
    }

    /// Something is as it should be.
    pub(super) fn is_right(&mut self, what: &str) {
        self.console.say(&format!("as it was: {what}"));
    }

    /// Something was changed.
    pub(super) fn changed(&mut self, what: &str) {
        self.changes += 1;
        self.console.say(&format!("changed:   {what}"));
    }

    /// Something is left for the person to do.
    pub(super) fn is_left(&mut self, what: &str) {
        self.left += 1;
        self.console.say(&format!("to do:     {what}"));
    }

    /// A line that is none of these.
    pub(super) fn say(&mut self, line: &str) {
        self.console.say(line);
    }

    pub(super) fn confirm(&mut self, question: &str) -> bool {
        self.console.confirm(question)
    }
}

/// Remembers what is told, and answers what the test wants.
#[cfg(test)]
pub(super) struct Recorded {
    pub(super) answer: bool,
    pub(super) lines: Vec<String>,
}

#[cfg(test)]
impl Console for Recorded {
    fn say(&mut self, line: &str) {
        self.lines.push(line.to_owned());
    }

    fn confirm(&mut self, question: &str) -> bool {
        self.lines.push(format!("asked: {question}"));
        self.answer
    }
}
