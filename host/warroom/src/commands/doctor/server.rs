//! The server, the token and the bot's teams.

use super::report::Report;
use crate::config::Config;
use warroom_mattermost::{Client, Team, User};

/// The oldest version that is known to work.
const VERSION_MIN: (u32, u32) = (5, 37);
/// How far the clocks may be apart.
const CLOCKS_APART_MS_MAX: u64 = 60_000;

/// Whether the server answers, and whether what it says of itself will do.
pub(super) async fn check_server(client: &Client, config: &Config, now_ms: u64, report: &mut Report) -> bool {
    let ping = match client.server_ping().await {
        Ok(ping) => ping,
        Err(error) => {
            let remedy = "see that the server runs, and that [mattermost] url is its address";
            report.problem("server", error.to_string(), remedy);
            return false;
        }
    };
    match client.client_config().await {
        Ok(about) => {
            check_version(&config.mattermost_url, &about.version, report);
            // Strangers are not told.
            if about.site_url.is_empty() && client.me().await.is_err() {
                report.skipped("site-url", "the server tells it only to who has a token");
            } else {
                check_site_url(&config.mattermost_url, &about.site_url, report);
            }
        }
        Err(error) => report.problem("server", error.to_string(), "see the server's log"),
    }
    check_clock(ping.time_ms, now_ms, report);
    true
}

fn check_version(url: &str, version: &str, report: &mut Report) {
    let mut numbers = version.split('.').map(|part| part.parse::<u32>().ok());
    let parsed = numbers.next().flatten().zip(numbers.next().flatten());
    let (major, minor) = VERSION_MIN;
    match parsed {
        Some(parsed) if parsed >= VERSION_MIN => {
            report.ok("server", format!("{url} answers; it is Mattermost {version}"));
        }
        Some(_) => {
            let finding = format!("{url} is Mattermost {version}, older than {major}.{minor}");
            report.warning("server", finding, "upgrade the server: nobody tried so old a one");
        }
        None => {
            let finding = format!("{url} answers, but does not say which version it is");
            report.warning(
                "server",
                finding,
                "see that [mattermost] url leads to Mattermost, not to a proxy's page",
            );
        }
    }
}

fn check_site_url(url: &str, site_url: &str, report: &mut Report) {
    let place = "System Console > Environment > Web Server > Site URL";
    let site_url = site_url.trim_end_matches('/');
    if site_url.is_empty() {
        let remedy = format!("set {place}: links to posts and some notifications need it");
        report.warning("site-url", "the server does not know its own address", remedy);
    } else if site_url == url.trim_end_matches('/') {
        report.ok("site-url", format!("the server's own address is {site_url}"));
    } else {
        let finding = format!("the server's own address is {site_url}, and [mattermost] url is {url}");
        let remedy = format!("nothing, if both lead to it; else correct [mattermost] url, or {place}");
        report.warning("site-url", finding, remedy);
    }
}

fn check_clock(server_ms: Option<u64>, now_ms: u64, report: &mut Report) {
    let Some(server_ms) = server_ms else {
        let remedy = "compare the clocks of the two machines yourself";
        return report.warning("clock", "the server does not say what time it is", remedy);
    };
    let apart_ms = server_ms.abs_diff(now_ms);
    if apart_ms < CLOCKS_APART_MS_MAX {
        report.ok("clock", format!("it differs from the server's by {} s", apart_ms / 1_000));
    } else {
        let finding = format!("it differs from the server's by {} s", apart_ms / 1_000);
        let remedy = "let both machines take their time from the network (NTP)";
        report.problem("clock", finding, remedy);
    }
}

/// Whose the token is; none when nobody's.
pub(super) async fn check_token(client: &Client, report: &mut Report) -> Option<User> {
    let me = match client.me().await {
        Ok(me) => me,
        Err(error) if error.status() == Some(401) => {
            let remedy = "run `warroom setup` again: it makes a new one, or enables the bot";
            report.problem("token", "the server refuses it", remedy);
            return None;
        }
        Err(error) => {
            report.problem("token", error.to_string(), "see the server's log");
            return None;
        }
    };
    if !me.is_bot {
        let finding = format!("it is @{}'s, whom the server does not call a bot", me.username);
        let remedy = "take the token of a bot account: `warroom setup` makes both. A person's account may be locked or leave";
        report.warning("token", finding, remedy);
    } else if me.is_system_admin() {
        let finding = format!("@{} is a system administrator", me.username);
        report.warning("token", finding, "take that role away from the bot: it needs none of it");
    } else {
        report.ok("token", format!("it is that of the bot @{}", me.username));
    }
    Some(me)
}

/// The teams that the bot is on.
pub(super) async fn check_teams(client: &Client, me: &User, report: &mut Report) -> Vec<Team> {
    match client.teams_of_me().await {
        Ok(teams) if teams.is_empty() => {
            let finding = format!("@{} is on no team, so it sees no post", me.username);
            report.problem(
                "teams",
                finding,
                "add it: `warroom setup … --team NAME`, or /invite it to the team",
            );
            teams
        }
        Ok(teams) => {
            let names: Vec<&str> = teams.iter().map(|team| team.name.as_str()).collect();
            report.ok("teams", format!("@{} is on {}", me.username, names.join(", ")));
            teams
        }
        Err(error) => {
            report.problem("teams", error.to_string(), "see the server's log");
            Vec::new()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::report::Verdict;
    use super::*;

    fn verdict(look: impl FnOnce(&mut Report)) -> Verdict {
        let mut report = Report::default();
        look(&mut report);
        assert_eq!(report.checks.len(), 1);
        report.checks[0].verdict
    }

    #[test]
    fn old_and_unknown_versions_are_told() {
        for (version, expected) in [
            ("5.37.0", Verdict::Ok),
            ("11.2.3", Verdict::Ok),
            ("5.36.9", Verdict::Warning),
            ("4.99", Verdict::Warning),
            ("", Verdict::Warning),
            ("dev", Verdict::Warning),
        ] {
            assert_eq!(verdict(|report| check_version("u", version, report)), expected, "{version}");
        }
    }

    #[test]
    fn clocks_may_be_less_than_a_minute_apart() {
        for (server, now, expected) in [
            (Some(100_000), 159_999, Verdict::Ok),
            (Some(159_999), 100_000, Verdict::Ok),
            (Some(100_000), 160_000, Verdict::Problem),
            (None, 0, Verdict::Warning),
        ] {
            assert_eq!(verdict(|report| check_clock(server, now, report)), expected, "{server:?} {now}");
        }
    }

    #[test]
    fn the_servers_own_address_is_compared() {
        for (site_url, expected) in [
            ("https://chat.example.com/", Verdict::Ok),
            ("", Verdict::Warning),
            ("https://other.example.com", Verdict::Warning),
        ] {
            let look = |report: &mut Report| check_site_url("https://chat.example.com", site_url, report);
            assert_eq!(verdict(look), expected, "{site_url}");
        }
    }
}
