//! `warroom runs`: looks at incidents, and mends them, from the shell of the machine that the service runs on.

mod story;
mod table;

use super::door::Door;
use crate::admin::Order;
use crate::config::Config;
use clap::{Args as ClapArgs, Subcommand, ValueEnum};
use std::io::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;

/// Lists, shows and mends incidents from the shell.
///
/// Speaks to the running service over its socket ([http] admin_socket). Without a running service, `list` and `show` read the journal
/// themselves.
#[derive(ClapArgs)]
#[command(after_help = "\
A RUN is an id from `runs list`, or WORKFLOW:NUMBER.

Examples:
  warroom runs list --config warroom.toml                 what is open, the newest first
  warroom runs list --all                                 ended incidents too
  warroom runs show security_issue:7 --format markdown    the timeline, for a post mortem
  warroom runs retry security_issue:7                     try the failed action again
  warroom runs retry --current security_issue:7           … as the workflow file is now
  warroom runs retry --renumber security_issue:7          … with the next number whose channel name is free
  warroom runs skip security_issue:7                      go on without the failed action
  warroom runs cancel security_issue:7 --reason 'a drill' end it and archive its room")]
pub(crate) struct Args {
    #[command(subcommand)]
    verb: Verb,
    /// The configuration file of the service.
    #[arg(long, value_name = "FILE", env = "WARROOM_CONFIG", default_value = "warroom.toml", global = true)]
    config: PathBuf,
}

#[derive(Subcommand)]
enum Verb {
    /// Lists incidents, the newest first; those that are open unless said otherwise.
    #[command(after_help = "Examples:\n\
        \x20 warroom runs list --config warroom.toml\n\
        \x20 warroom runs list --all --limit 1000\n\
        \x20 warroom runs list --format json | jq '.[] | select(.state == \"blocked\")'")]
    List {
        /// Ended ones too.
        #[arg(long)]
        all: bool,
        /// How many at most.
        #[arg(long, value_name = "N", default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=1_000))]
        limit: u32,
        /// For people, or for programs.
        #[arg(long, value_enum, default_value_t = ListFormat::Human)]
        format: ListFormat,
    },
    /// Shows an incident with its timeline: what happened when, by whom, what went wrong, and the posts.
    #[command(after_help = "Examples:\n\
        \x20 warroom runs show security_issue:7\n\
        \x20 warroom runs show security_issue:7 --details\n\
        \x20 warroom runs show security_issue:7 --format markdown > post-mortem.md")]
    Show {
        /// The incident.
        run: String,
        /// For people, for a post mortem, or for programs.
        #[arg(long, value_enum, default_value_t = ShowFormat::Human)]
        format: ShowFormat,
        /// Each call of each action too; for programs they are always there.
        #[arg(long)]
        details: bool,
    },
    /// Lets a blocked incident try its failed action again.
    #[command(after_help = "Examples:\n\
        \x20 warroom runs retry security_issue:7\n\
        \x20 warroom runs retry --current security_issue:7\n\
        \x20 warroom runs retry --renumber security_issue:7")]
    Retry {
        /// The incident.
        run: String,
        /// As the workflow file is now, and keep to that version.
        #[arg(long, conflicts_with = "renumber")]
        current: bool,
        /// With the next number whose channel name is free.
        #[arg(long)]
        renumber: bool,
    },
    /// Lets a blocked incident go on without its failed action.
    #[command(after_help = "Examples:\n\
        \x20 warroom runs skip security_issue:7")]
    Skip {
        /// The incident.
        run: String,
    },
    /// Ends an incident: its buttons go, its finish actions are not run, its room is archived, and people are told where it was
    /// reported. It counts as cancelled.
    #[command(after_help = "Examples:\n\
        \x20 warroom runs cancel security_issue:7 --reason 'only a drill'\n\
        \x20 warroom runs cancel security_issue:7 --keep-room")]
    Cancel {
        /// The incident.
        run: String,
        /// Why, for those who read it in the chat.
        #[arg(long, value_name = "TEXT")]
        reason: Option<String>,
        /// Leave the room as it is.
        #[arg(long)]
        keep_room: bool,
    },
}

#[derive(Clone, Copy, ValueEnum)]
enum ListFormat {
    Human,
    Json,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum ShowFormat {
    Human,
    Markdown,
    Json,
}

pub(crate) async fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let config = Config::read(&args.config, &|name| std::env::var(name).ok())?;
    let door = Door::of(&config);
    let text = match &args.verb {
        Verb::List { all, limit, format } => {
            let lines = door.list(*all, *limit).await?;
            match format {
                ListFormat::Human => table::text(&lines),
                ListFormat::Json => serde_json::to_string_pretty(&lines)? + "\n",
            }
        }
        Verb::Show { run, format, details } => {
            let mut story = door.show(run).await?;
            // Programs leave out by themselves what they do not need.
            story.events.retain(|event| *details || !event.is_detail || *format == ShowFormat::Json);
            match format {
                ShowFormat::Human => story::human(&story),
                ShowFormat::Markdown => story::markdown(&story),
                ShowFormat::Json => serde_json::to_string_pretty(&story)? + "\n",
            }
        }
        Verb::Retry { run, current, renumber } => {
            let order = Order { current: *current, renumber: *renumber, ..Order::by_me() };
            let id = door.order(run, "retry", &order).await?;
            // The number that it was named by may be another one's soon.
            let named = if *renumber { &id } else { run };
            format!("{run} tries its failed action again; `warroom runs show {named}` tells how it went\n")
        }
        Verb::Skip { run } => {
            door.order(run, "skip", &Order::by_me()).await?;
            format!("{run} goes on without its failed action\n")
        }
        Verb::Cancel { run, reason, keep_room } => {
            let order = Order { reason: reason.clone(), keep_room: *keep_room, ..Order::by_me() };
            door.order(run, "cancel", &order).await?;
            format!("{run} is cancelled\n")
        }
    };
    std::io::stdout().write_all(text.as_bytes())?;
    Ok(ExitCode::SUCCESS)
}

impl Order {
    /// An order of who runs this program.
    fn by_me() -> Order {
        let name = ["SUDO_USER", "USER", "LOGNAME"].iter().find_map(|name| std::env::var(name).ok());
        Order {
            by: name.filter(|name| !name.is_empty()).unwrap_or_else(|| "operator".to_owned()),
            current: false,
            renumber: false,
            reason: None,
            keep_room: false,
        }
    }
}
