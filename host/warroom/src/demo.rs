//! `warroom demo`: an incident from its keyword to its archive, on a simulated server, played by people of the simulator
//! through its public API, and checked by what the server holds afterwards.
#![expect(clippy::indexing_slicing, reason = "a JSON value gives null for a key that is not there")]

pub(crate) mod people;
mod script;
mod transcript;
mod verdict;

use crate::cli::{DemoArgs, ended};
use crate::config::{Config, LimitsConfig, Watch};
use crate::meter::FirstRoom;
use crate::service::Service;
use anyhow::Context as _;
use people::{Chatroom, Person};
use std::collections::BTreeMap;
use std::io::Write as _;
use std::net::SocketAddr;
use std::path::Path;
use std::process::ExitCode;
use std::time::{Duration, Instant};
use transcript::Transcript;
use warroom_engine::Run;
use warroom_mattermost::Token;
use warroom_simulator::{Options, Simulator};

/// The workflow that is played: that of the documentation which Warroom follows, unchanged.
const WORKFLOW: &str = include_str!("../../workflow/tests/fixtures/security_issue.json");

pub(crate) async fn run(args: &DemoArgs) -> anyhow::Result<ExitCode> {
    let simulator = Simulator::start(Options { listen: args.listen, ..Options::default() }).await?;
    let directory = Directory::new()?;
    std::fs::write(directory.0.join("security_issue.json"), WORKFLOW)?;
    let service = Service::start(config(&simulator, &directory.0)).await?;
    service.ready().await?;

    let mut transcript = Transcript::new();
    let chat = Chatroom::new(simulator.url(), simulator.admin_token())?;
    let jon = person(&simulator, &chat, "jon")?;
    let chris = person(&simulator, &chat, "chris")?;
    let played = script::play(service.runner(), &chat, &jon, &chris, &mut transcript).await;
    let measured = service.meter().first_room();
    let problems = match &played {
        Ok(scene) => verdict::problems(&chat, scene).await?,
        Err(error) => vec![format!("{error:#}")],
    };
    if let Ok(scene) = &played {
        let run = service.runner().run(&scene.run_id).await?;
        print_steps(&run)?;
        print_speed(scene.posted, measured)?;
    }
    let mut out = std::io::stdout().lock();
    for problem in &problems {
        writeln!(out, "WRONG: {problem}")?;
    }
    if problems.is_empty() {
        writeln!(
            out,
            "\nThe room exists, has its members, its posts say what the templates said, and it is archived."
        )?;
    }
    drop(out);
    if args.serve && problems.is_empty() {
        let mut out = std::io::stdout().lock();
        writeln!(
            out,
            "\nThe chat is up: open {} and post `#sec …` in Town Square. Ctrl-C ends it.",
            simulator.url()
        )?;
        out.flush()?;
        drop(out);
        ended()?.await;
    }
    service.stop().await;
    simulator.stop().await;
    Ok(if problems.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn person(simulator: &Simulator, chat: &Chatroom, name: &str) -> anyhow::Result<Person> {
    let token = simulator.token_of(name).with_context(|| format!("the simulator has no @{name}"))?;
    Ok(chat.person(name, token))
}

pub(crate) fn config(simulator: &Simulator, directory: &Path) -> Config {
    Config {
        mattermost_url: simulator.url().to_owned(),
        token: Token::new(simulator.bot_token()),
        token_file: None,
        watch: Watch::default(),
        listen: SocketAddr::from(([127, 0, 0, 1], 0)),
        callback_url: None,
        public_url: None,
        admin_socket: None,
        metrics_listen: None,
        store_url: format!("sqlite:{}", directory.join("warroom.db").display()),
        actions_dir: None,
        grants: Vec::new(),
        workflows_dir: directory.to_owned(),
        workflows_poll: Duration::from_secs(1),
        managers: Vec::new(),
        groups: BTreeMap::new(),
        operators_notify: None,
        limits: LimitsConfig::default(),
    }
}

/// A directory of our own, gone with this value.
pub(crate) struct Directory(pub(crate) std::path::PathBuf);

impl Directory {
    pub(crate) fn new() -> anyhow::Result<Directory> {
        let mut random = [0; 8];
        getrandom::fill(&mut random)
            .map_err(|error| anyhow::anyhow!("the system gives no random numbers: {error}"))?;
        let path = std::env::temp_dir().join(format!("warroom-demo-{:016x}", u64::from_ne_bytes(random)));
        std::fs::create_dir(&path).with_context(|| format!("cannot create {}", path.display()))?;
        Ok(Directory(path))
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        // What is left behind in the temporary directory harms nobody.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn print_steps(run: &Run) -> anyhow::Result<()> {
    let mut out = std::io::stdout().lock();
    writeln!(out, "\nSteps of {} {}", run.workflow, run.number)?;
    for visit in &run.visits {
        let entered = visit.entered_ms.saturating_sub(run.started_ms);
        let stayed = visit.left_ms.map(|left| left.saturating_sub(visit.entered_ms));
        let stayed = stayed.map_or_else(|| "open".to_owned(), |stayed| format!("{stayed:>6} ms"));
        writeln!(out, "  {:<12} entered after {entered:>6} ms, took {stayed}", visit.step)?;
    }
    Ok(())
}

fn print_speed(posted: Instant, measured: Option<FirstRoom>) -> anyhow::Result<()> {
    let mut out = std::io::stdout().lock();
    if let Some(FirstRoom { received, existed, http }) = measured {
        let ms = |duration: Duration| format!("{:.1} ms", duration.as_secs_f64() * 1000.0);
        let delivery = received.saturating_duration_since(posted);
        let own = existed.saturating_duration_since(received).saturating_sub(http);
        writeln!(
            out,
            "\nFrom the trigger post to the war room: {}",
            ms(existed.saturating_duration_since(posted))
        )?;
        writeln!(out, "  posting and delivering the post      {}", ms(delivery))?;
        writeln!(out, "  waiting for the server's answers     {}", ms(http))?;
        writeln!(out, "  the host's own share                 {}", ms(own))?;
    }
    if let Some(bytes) = resident_bytes() {
        writeln!(out, "Resident memory, simulator included: {:.1} MB", bytes as f64 / 1e6)?;
    }
    Ok(())
}

/// The process's resident memory, where the system tells.
fn resident_bytes() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kib: u64 = line.split_whitespace().next()?.parse().ok()?;
    Some(kib * 1024)
}
