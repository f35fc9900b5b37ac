//! The log: lines for people, or JSON for whoever collects them.
//!
//! What happens inside of a run is logged inside of its spans, so that every line there names the workflow, the run and, while
//! one is executed, the action. Spans are made at the level of errors: a filter that lets only errors through would drop
//! those of a lower level, and with them the fields of the lines that are left.
//!
//! Secrets are no matter of the log: their types do not show them.

use std::io::IsTerminal as _;
use std::time::{Duration, Instant};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::util::SubscriberInitExt as _;

/// How the log is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum LogFormat {
    /// A line for people.
    Text,
    /// An object in a line: timestamp, level, message, fields and spans.
    Json,
}

/// Begins to log on the standard error. `RUST_LOG` wins over the level.
pub(crate) fn start(format: LogFormat, level: &str) {
    let said = std::env::var(EnvFilter::DEFAULT_ENV).ok().filter(|said| !said.trim().is_empty());
    let (filter, misunderstood) = filter(said.as_deref(), level);
    subscriber(format, filter, std::io::stderr, std::io::stderr().is_terminal()).init();
    if let Some(misunderstood) = misunderstood {
        tracing::warn!("{misunderstood}");
    }
}

/// How much is logged, as `RUST_LOG` says or else at the level; and what is to be said of one that makes no sense.
fn filter(said: Option<&str>, level: &str) -> (EnvFilter, Option<String>) {
    let filter = said.map(EnvFilter::try_new);
    match filter {
        None => (EnvFilter::new(level), None),
        Some(Ok(filter)) => (filter, None),
        Some(Err(error)) => {
            let text = format!(
                "RUST_LOG is not understood: {error}. The level is `{level}`; write one of error, warn, info, debug and trace, or pairs as in \
                 `info,warroom_mattermost=debug`"
            );
            (EnvFilter::new(level), Some(text))
        }
    }
}

fn subscriber<W>(
    format: LogFormat,
    filter: EnvFilter,
    writer: W,
    is_terminal: bool,
) -> Box<dyn tracing::Subscriber + Send + Sync>
where
    W: for<'a> MakeWriter<'a> + Send + Sync + 'static,
{
    // A log that cannot be written, as on a full disk, must stop nothing; told on the same standard error, it would be a panic.
    let builder =
        tracing_subscriber::fmt().with_env_filter(filter).with_writer(writer).log_internal_errors(false);
    let builder = builder.with_target(false);
    match format {
        LogFormat::Text => Box::new(builder.with_ansi(is_terminal).finish()),
        LogFormat::Json => Box::new(
            builder.json().flatten_event(true).with_current_span(false).with_span_list(true).finish(),
        ),
    }
}

/// How often the same is said again.
const SAID_EVERY: Duration = Duration::from_secs(60);

/// Keeps what is tried every other second from filling the log with the same words.
#[derive(Debug, Default)]
pub(crate) struct Seldom {
    said: Option<(String, Instant)>,
}

impl Seldom {
    /// Whether to say this now: it is something else than before, or was said a while ago.
    pub(crate) fn is_due(&mut self, text: &str) -> bool {
        let is_known = |(said, at): &(String, Instant)| said == text && at.elapsed() < SAID_EVERY;
        let is_due = !self.said.as_ref().is_some_and(is_known);
        if is_due {
            self.said = Some((text.to_owned(), Instant::now()));
        }
        is_due
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use serde_json::{Value, json};
    use std::io::Write;
    use std::sync::{Arc, Mutex};

    #[derive(Clone, Default)]
    struct Lines(Arc<Mutex<Vec<u8>>>);

    impl Write for Lines {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    impl<'a> MakeWriter<'a> for Lines {
        type Writer = Lines;

        fn make_writer(&'a self) -> Lines {
            self.clone()
        }
    }

    /// What is logged while `work` runs.
    pub(crate) fn logged(format: LogFormat, level: &str, work: impl FnOnce()) -> String {
        let lines = Lines::default();
        let subscriber = subscriber(format, EnvFilter::new(level), lines.clone(), false);
        tracing::subscriber::with_default(subscriber, work);
        let bytes = lines.0.lock().unwrap().clone();
        String::from_utf8(bytes).unwrap()
    }

    #[test]
    fn the_same_is_said_seldom() {
        let mut seldom = Seldom::default();
        assert!(seldom.is_due("a") && !seldom.is_due("a"));
        assert!(seldom.is_due("b") && seldom.is_due("a"));
        seldom.said = Some(("a".to_owned(), Instant::now().checked_sub(SAID_EVERY).unwrap()));
        assert!(seldom.is_due("a") && !seldom.is_due("a"));
    }

    #[test]
    fn a_level_that_makes_no_sense_is_told() {
        let of = |said| {
            let (filter, misunderstood) = filter(said, "info");
            (filter.to_string(), misunderstood.is_some())
        };
        assert_eq!(of(None), ("info".to_owned(), false));
        assert_eq!(of(Some("warn")), ("warn".to_owned(), false));
        assert_eq!(of(Some("warroom=loud")), ("info".to_owned(), true));
    }

    fn in_an_action() {
        let run = tracing::error_span!("run", workflow = "security_issue", run = "0192");
        let _run = run.enter();
        let action = tracing::error_span!("action", action = "TriagePost");
        let _action = action.enter();
        tracing::error!(tries = 3, "an action failed");
    }

    #[test]
    fn a_line_of_text_names_workflow_run_and_action() {
        let line = logged(LogFormat::Text, "error", in_an_action);
        for wanted in [
            "workflow=\"security_issue\"",
            "run=\"0192\"",
            "action=\"TriagePost\"",
            "an action failed",
            "tries=3",
        ] {
            assert!(line.contains(wanted), "{wanted} in {line}");
        }
        assert!(!line.contains('\u{1b}'), "{line}");
    }

    #[test]
    fn a_line_of_json_names_workflow_run_and_action() {
        let line: Value = serde_json::from_str(&logged(LogFormat::Json, "error", in_an_action)).unwrap();
        assert_eq!(
            (&line["level"], &line["message"], &line["tries"]),
            (&json!("ERROR"), &json!("an action failed"), &json!(3))
        );
        assert_eq!(
            line["spans"],
            json!([
                {"name": "run", "workflow": "security_issue", "run": "0192"},
                {"name": "action", "action": "TriagePost"},
            ])
        );
        assert!(line["timestamp"].is_string());
    }

    #[test]
    fn a_filter_leaves_out_lower_levels() {
        let work = || {
            tracing::info!("heard");
            tracing::debug!("unheard");
        };
        let text = logged(LogFormat::Text, "info", work);
        assert!(text.contains("heard") && !text.contains("unheard"), "{text}");
    }

    #[test]
    fn a_configuration_in_the_log_holds_no_token() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("warroom.toml");
        std::fs::write(&path, "[mattermost]\nurl = \"http://127.0.0.1:1\"\ntoken = \"s3cret-t0ken\"\n")
            .unwrap();
        let config = crate::Config::read(&path, &|_| None).unwrap();
        for format in [LogFormat::Text, LogFormat::Json] {
            let line = logged(format, "info", || tracing::info!(?config, token = %config.token, "read"));
            assert!(line.contains("mattermost_url") && line.contains("[token]"), "{line}");
            assert!(!line.contains("s3cret-t0ken"), "{line}");
        }
    }
}
