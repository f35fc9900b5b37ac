//! The configuration that a set-up writes, or finds.

use super::console::Progress;
use anyhow::Context as _;
use std::io::Write as _;
use std::path::{Path, PathBuf};

/// Where the service listens unless the callback address says otherwise.
const LISTEN: &str = "127.0.0.1:8480";

/// Where the journal is unless something else is said.
const STORE_URL: &str = "sqlite:warroom.db";

/// What the configuration is to say.
pub(super) struct Wanted {
    /// Where Mattermost is.
    pub(super) url: String,
    /// The address that Mattermost calls, if it was given.
    pub(super) callback_url: Option<String>,
    /// Where the journal is, if that was given.
    pub(super) store_url: Option<String>,
    /// Whether all public channels are watched.
    pub(super) watch_all: bool,
}

/// A configuration that is there already.
pub(super) struct Existing(toml::Table);

impl Existing {
    /// How many channels the bot listens to at most, where the file says so.
    pub(super) fn watched_channels_max(&self) -> Option<usize> {
        let limit = self.0.get("limits")?.get("watched_channels_max")?.as_integer()?;
        usize::try_from(limit).ok()
    }

    /// Reads the file; none when there is none.
    ///
    /// # Errors
    /// When it cannot be read, or is no TOML.
    pub(super) fn read(path: &Path) -> anyhow::Result<Option<Existing>> {
        let text = match std::fs::read_to_string(path) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            read => read.with_context(|| format!("cannot read the configuration {}", path.display()))?,
        };
        match text.parse() {
            Ok(table) => Ok(Some(Existing(table))),
            // The parser's text shows the line, which may hold a token.
            Err(_) => anyhow::bail!(
                "{} is no TOML: `warroom doctor --config {}` says where; correct it, or move it away",
                path.display(),
                path.display()
            ),
        }
    }

    fn text(&self, section: &str, key: &str) -> Option<&str> {
        self.0.get(section)?.get(key)?.as_str()
    }

    /// The token, where the configuration itself holds it.
    pub(super) fn token(&self) -> Option<&str> {
        self.text("mattermost", "token")
    }

    /// The file of the token, relative to the configuration.
    pub(super) fn token_file(&self) -> Option<&str> {
        self.text("mattermost", "token_file")
    }

    /// Whether all public channels are watched.
    pub(super) fn watches_all(&self) -> bool {
        self.text("mattermost", "watch") == Some("all")
    }

    /// The directory of the workflows, relative to the configuration.
    pub(super) fn workflows_dir(&self) -> Option<&str> {
        self.text("workflows", "dir")
    }

    /// The address that Mattermost calls.
    pub(super) fn callback_url(&self) -> Option<String> {
        let listen = || self.text("http", "listen").filter(|listen| !listens_everywhere(listen));
        let given = self.text("http", "callback_url").map(str::to_owned);
        given.or_else(|| listen().map(|listen| format!("http://{listen}")))
    }

    /// What it says that is not wanted, and what to write there.
    fn differences(&self, wanted: &Wanted) -> Vec<String> {
        let mut differences = Vec::new();
        let mut compare = |section: &str, key: &str, wanted: &str| {
            let found = self.text(section, key);
            if found.map(|found| found.trim_end_matches('/')) != Some(wanted.trim_end_matches('/')) {
                let found = found.map_or("missing".to_owned(), quoted);
                differences.push(format!("[{section}] {key} is {found}: write `{key} = {}`", quoted(wanted)));
            }
        };
        compare("mattermost", "url", &wanted.url);
        if let Some(url) = &wanted.callback_url {
            compare("http", "callback_url", url);
        }
        if let Some(url) = &wanted.store_url {
            compare("store", "url", url);
        }
        if wanted.watch_all {
            compare("mattermost", "watch", "all");
        }
        let said = wanted.callback_url.as_deref().or_else(|| self.text("http", "callback_url"));
        if let (None, Some(listen)) =
            (said, self.text("http", "listen").filter(|listen| listens_everywhere(listen)))
        {
            differences.push(format!(
                "[http] listen is {listen}, which is no address to call: write `callback_url = \"http://HOST:PORT\"`"
            ));
        }
        differences
    }
}

/// Writes the configuration when there is none; otherwise says what in it is different.
///
/// # Errors
/// When it cannot be written.
pub(super) fn ensure(
    path: &Path,
    existing: Option<&Existing>,
    wanted: &Wanted,
    progress: &mut Progress<'_>,
) -> anyhow::Result<()> {
    let shown = path.display();
    let Some(existing) = existing else {
        let file = std::fs::OpenOptions::new().write(true).create_new(true).open(path);
        let written = file.and_then(|mut file| {
            file.write_all(text(wanted).as_bytes())?;
            file.sync_all()
        });
        written.with_context(|| format!("cannot write the configuration {shown}"))?;
        progress.changed(&format!("the configuration {shown} is written"));
        return Ok(());
    };
    let differences = existing.differences(wanted);
    if differences.is_empty() {
        progress.is_right(&format!("the configuration {shown} says what is wanted"));
    }
    for difference in differences {
        progress.is_left(&format!("{shown} is left as it is, but {difference}"));
    }
    Ok(())
}

/// Makes the directory of the workflows.
///
/// # Errors
/// When it cannot be made.
pub(super) fn ensure_directory(path: &Path, progress: &mut Progress<'_>) -> anyhow::Result<()> {
    let shown = path.display();
    if path.is_dir() {
        progress.is_right(&format!("the directory {shown} is there"));
        return Ok(());
    }
    std::fs::create_dir_all(path).with_context(|| format!("cannot make the directory {shown}"))?;
    progress.changed(&format!("the directory {shown} is made: put workflow files (*.json) there"));
    Ok(())
}

/// The directory that relative paths of a configuration count from.
pub(super) fn directory(path: &Path) -> PathBuf {
    path.parent().map(Path::to_owned).unwrap_or_default()
}

/// Whether to listen there is to listen on every address of the machine.
fn listens_everywhere(listen: &str) -> bool {
    listen.parse::<std::net::SocketAddr>().is_ok_and(|address| address.ip().is_unspecified())
}

fn quoted(text: &str) -> String {
    toml::Value::from(text).to_string()
}

/// Where to listen so that the callback address leads there, as far as it tells: behind a proxy, on loopback.
fn listen(callback_url: Option<&str>) -> String {
    let Some(url) = callback_url.and_then(|url| reqwest::Url::parse(url).ok()) else {
        return LISTEN.to_owned();
    };
    let host = url.host_str().unwrap_or_default().trim_matches(['[', ']']).to_owned();
    let ip = host.parse::<std::net::IpAddr>().ok();
    let loopback = host == "localhost" || ip.is_some_and(|ip| ip.is_loopback());
    match (url.scheme(), url.port(), loopback) {
        ("http", Some(port), true) => match ip {
            Some(std::net::IpAddr::V6(_)) => format!("[::1]:{port}"),
            _ => format!("127.0.0.1:{port}"),
        },
        ("http", Some(port), false) => format!("0.0.0.0:{port}"),
        _ => LISTEN.to_owned(),
    }
}

fn text(wanted: &Wanted) -> String {
    let url = quoted(&wanted.url);
    let listen = quoted(&listen(wanted.callback_url.as_deref()));
    let callback = match &wanted.callback_url {
        Some(url) => format!("callback_url = {}", quoted(url)),
        None => "# callback_url = \"http://warroom.internal:8480\"".to_owned(),
    };
    let store = quoted(wanted.store_url.as_deref().unwrap_or(STORE_URL));
    let watch = if wanted.watch_all { "watch = \"all\"" } else { "# watch = \"named\"" };
    format!(
        "\
# The configuration of Warroom. Every key can come from the environment too: [mattermost] url is WARROOM_MATTERMOST_URL, and
# so on; the environment wins. Relative paths count from this file. Groups, limits and grants are explained in
# samples/warroom.toml.

[mattermost]
# Where Mattermost is, as this program reaches it.
url = {url}
# The file that holds the bot's token, and nothing else.
token_file = \"bot-token\"
# Which channels the bot joins to watch them: \"named\", those that triggers name; or \"all\", every public one of its teams.
{watch}

[http]
# Where this program listens: for Mattermost's callbacks, and for /healthz and /readyz.
listen = {listen}
# This program's address as the Mattermost server reaches it. Default: what it listens on.
{callback}
# This program's address as browsers reach it. Default: the same as callback_url. This version serves no pages there.
# public_url = \"https://warroom.example.com\"

[store]
# The journal: one SQLite file, made when it is not there. One program at a time.
url = {store}

[actions]
# A directory of your own action components (*.wasm). Without it there are the built-in ones.
# dir = \"actions\"

[workflows]
# The directory of the workflow files (*.json), read at start and again when one changes.
dir = \"workflows\"

[permissions]
# User ids, names or groups of those who, besides system administrators, manage every incident. An incident that is blocked before it has
# a room waits for who started it, or for one of them, and mentions them: name those on call.
managers = []

[operators]
# TEAM/CHANNEL where operators are told what concerns no single incident, such as a workflow file with errors. Have the bot in it.
# notify = \"infosec/warroom-operators\"
"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wanted(callback_url: Option<&str>, watch_all: bool) -> Wanted {
        let url = "https://chat.example.com".to_owned();
        let store_url = watch_all.then(|| "sqlite:/var/lib/warroom/warroom.db".to_owned());
        Wanted { url, callback_url: callback_url.map(str::to_owned), store_url, watch_all }
    }

    #[test]
    fn it_listens_where_the_callback_address_leads() {
        for (callback, listens) in [
            (None, LISTEN),
            (Some("http://127.0.0.1:9000"), "127.0.0.1:9000"),
            (Some("http://localhost:9000/x"), "127.0.0.1:9000"),
            (Some("http://[::1]:9000"), "[::1]:9000"),
            (Some("http://warroom.internal:9000"), "0.0.0.0:9000"),
            (Some("https://warroom.internal"), LISTEN),
        ] {
            assert_eq!(listen(callback), listens, "{callback:?}");
        }
    }

    #[test]
    fn what_is_written_has_no_differences() {
        for wanted in [wanted(None, false), wanted(Some("http://10.0.0.7:8480/\"x"), true)] {
            let table: toml::Table = text(&wanted).parse().unwrap();
            assert_eq!(Existing(table).differences(&wanted), Vec::<String>::new());
        }
    }

    #[test]
    fn what_is_different_is_told_with_what_to_write() {
        let table = "[mattermost]\nurl = \"https://old.example.com\"\n[http]\nlisten = \"0.0.0.0:1\""
            .parse()
            .unwrap();
        let existing = Existing(table);
        // Everywhere is no address to call.
        assert_eq!(existing.callback_url(), None);
        assert!(
            existing
                .differences(&wanted(None, false))
                .iter()
                .any(|one| one.contains("write `callback_url = "))
        );
        assert_eq!(
            existing.differences(&wanted(Some("http://a:1"), true)),
            [
                "[mattermost] url is \"https://old.example.com\": write `url = \"https://chat.example.com\"`",
                "[http] callback_url is missing: write `callback_url = \"http://a:1\"`",
                "[store] url is missing: write `url = \"sqlite:/var/lib/warroom/warroom.db\"`",
                "[mattermost] watch is missing: write `watch = \"all\"`",
            ]
        );
    }
}
