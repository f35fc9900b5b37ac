//! `warroom try pattern`.

use std::io::Write as _;
use std::process::ExitCode;
use warroom_workflow::Pattern;

/// Says whether a pattern matches anywhere in a text.
///
/// Prints what its named groups hold. Ends with 0 when it matches, 1 when not, 2 when the pattern is not valid.
#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  warroom try pattern -- '^\\[FIRING:\\d+\\]' '[FIRING:3] disk full'")]
pub(crate) struct Args {
    /// The pattern, as in `match_regex`, but without JSON's escapes.
    pattern: String,
    /// The text.
    text: String,
}

pub(crate) fn run(args: &Args) -> ExitCode {
    match Pattern::new(&args.pattern) {
        Ok(pattern) => match pattern.groups(&args.text) {
            Some(groups) => {
                let groups: String = groups.iter().map(|(name, held)| format!("{name}: {held}\n")).collect();
                let _ = write!(std::io::stdout(), "match\n{groups}");
                ExitCode::SUCCESS
            }
            None => {
                let _ = writeln!(std::io::stdout(), "no match");
                ExitCode::FAILURE
            }
        },
        Err(reason) => {
            let help = reason.help().map(|help| format!("; {help}")).unwrap_or_default();
            let _ = writeln!(std::io::stderr(), "warroom: the pattern is not valid: {reason}{help}");
            ExitCode::from(2)
        }
    }
}
