//! What a doctor found.

use serde_json::{Value, json};

/// How bad a finding is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    /// It is as it should be.
    Ok,
    /// Incidents run, but not as somebody may expect.
    Warning,
    /// Incidents do not run, or not to their end.
    Problem,
    /// It could not be looked at.
    Skipped,
}

impl Verdict {
    fn as_str(self) -> &'static str {
        match self {
            Verdict::Ok => "ok",
            Verdict::Warning => "warning",
            Verdict::Problem => "problem",
            Verdict::Skipped => "skipped",
        }
    }
}

/// One thing that was looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Check {
    /// What was looked at, in a word.
    pub(super) name: &'static str,
    pub(super) verdict: Verdict,
    /// What was found.
    pub(super) finding: String,
    /// What to do about it; empty where nothing is.
    pub(super) remedy: String,
}

/// Everything that was looked at, in order.
#[derive(Debug, Default)]
pub(super) struct Report {
    pub(super) checks: Vec<Check>,
}

impl Report {
    pub(super) fn ok(&mut self, name: &'static str, finding: impl Into<String>) {
        self.push(name, Verdict::Ok, finding.into(), String::new());
    }

    pub(super) fn warning(
        &mut self,
        name: &'static str,
        finding: impl Into<String>,
        remedy: impl Into<String>,
    ) {
        self.push(name, Verdict::Warning, finding.into(), remedy.into());
    }

    pub(super) fn problem(
        &mut self,
        name: &'static str,
        finding: impl Into<String>,
        remedy: impl Into<String>,
    ) {
        self.push(name, Verdict::Problem, finding.into(), remedy.into());
    }

    pub(super) fn skipped(&mut self, name: &'static str, why: &str) {
        self.push(name, Verdict::Skipped, format!("not looked at, since {why}"), String::new());
    }

    pub(super) fn push(&mut self, name: &'static str, verdict: Verdict, finding: String, remedy: String) {
        // One line for each check, whatever a server or a file put into its words.
        let line = |text: String| text.split_whitespace().collect::<Vec<_>>().join(" ");
        self.checks.push(Check { name, verdict, finding: line(finding), remedy: line(remedy) });
    }

    pub(super) fn has_problem(&self) -> bool {
        self.checks.iter().any(|check| check.verdict == Verdict::Problem)
    }

    /// A line for each check.
    pub(super) fn human(&self) -> String {
        let line = |check: &Check| {
            let Check { name, verdict, finding, remedy } = check;
            let arrow = if remedy.is_empty() { "" } else { " -> " };
            format!("{:<8} {name:<13} {finding}{arrow}{remedy}\n", verdict.as_str())
        };
        self.checks.iter().map(line).collect()
    }

    /// A list of `{check, verdict, finding, remedy}`; the remedy is null where there is none.
    pub(super) fn json(&self) -> Value {
        let object = |check: &Check| {
            let remedy = (!check.remedy.is_empty()).then_some(&check.remedy);
            json!({
                "check": check.name,
                "verdict": check.verdict.as_str(),
                "finding": check.finding,
                "remedy": remedy,
            })
        };
        self.checks.iter().map(object).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_check_is_a_line_and_an_object() {
        let mut report = Report::default();
        report.ok("token", "it is\nthe bot's");
        assert!(!report.has_problem());
        report.problem("teams", "the bot is on none", "add it");
        assert!(report.has_problem());
        assert_eq!(
            report.human(),
            "ok       token         it is the bot's\nproblem  teams         the bot is on none -> add it\n"
        );
        assert_eq!(
            report.json(),
            json!([
                {"check": "token", "verdict": "ok", "finding": "it is the bot's", "remedy": null},
                {"check": "teams", "verdict": "problem", "finding": "the bot is on none", "remedy": "add it"},
            ])
        );
    }
}
