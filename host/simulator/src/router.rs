//! The routes under `/api/v4`, as a table.

use crate::call::{Call, Outcome};
use crate::world::World;
use crate::{
    bots, channels, commands, config, dialogs, directory, files, members, outgoing, posts, reactions,
    revisions, system, team_members, teams, timeline, tokens, users, webhooks,
};

/// What answers a route.
#[derive(Clone, Copy)]
pub(crate) enum Handler {
    /// A visit to the world.
    World(fn(&mut World, &Call) -> Outcome),
    /// The use of a control, which calls an integration in between; so do the others.
    Press,
    /// The use of a slash command.
    Command,
    /// The submission of a dialog.
    Dialog,
}

/// A route that was found.
pub(crate) struct Found {
    /// What answers it.
    pub(crate) handler: Handler,
    /// Whether it wants a token.
    pub(crate) session: bool,
    /// The variable parts of the path, in order.
    pub(crate) params: Vec<String>,
}

struct Route {
    method: &'static str,
    /// Parts in braces vary: `{id}` is letters and digits, `{name}` also `-` and `_`, `{user}` also `.`. A path that does
    /// not fit is not found, whatever it holds.
    pattern: &'static str,
    session: bool,
    handler: Handler,
}

const fn open(
    method: &'static str,
    pattern: &'static str,
    handler: fn(&mut World, &Call) -> Outcome,
) -> Route {
    Route { method, pattern, session: false, handler: Handler::World(handler) }
}

const fn route(
    method: &'static str,
    pattern: &'static str,
    handler: fn(&mut World, &Call) -> Outcome,
) -> Route {
    Route { method, pattern, session: true, handler: Handler::World(handler) }
}

const ROUTES: &[Route] = &[
    open("GET", "system/ping", system::ping),
    open("GET", "config/client", config::client),
    route("GET", "config", config::get),
    route("PUT", "config/patch", config::patch),
    route("GET", "groups", system::groups),
    open("POST", "users/login", tokens::login),
    route("POST", "users", users::create),
    route("GET", "users/me", users::me),
    route("POST", "users/usernames", users::list_by_usernames),
    route("POST", "users/ids", users::list_by_ids),
    route("GET", "users/username/{user}", users::get_by_username),
    route("GET", "users/{id}", users::get),
    route("PUT", "users/{id}/patch", users::patch),
    route("PUT", "users/{id}/roles", users::set_roles),
    route("POST", "users/{id}/tokens", tokens::create),
    route("POST", "users/tokens/revoke", tokens::revoke),
    route("GET", "users/{id}/teams", teams::list_of_user),
    route("GET", "users/{id}/teams/{id}/channels", directory::list_of_user),
    route("POST", "bots", bots::create),
    route("GET", "bots", bots::list),
    route("GET", "bots/{id}", bots::get),
    route("POST", "bots/{id}/enable", bots::enable),
    route("POST", "bots/{id}/disable", bots::disable),
    route("POST", "teams", teams::create),
    route("GET", "teams", teams::list),
    route("GET", "teams/name/{name}", teams::get_by_name),
    route("GET", "teams/name/{name}/channels/name/{name}", directory::get_by_team_name),
    route("GET", "teams/{id}", teams::get),
    route("POST", "teams/{id}/members", team_members::add),
    route("GET", "teams/{id}/members", team_members::list),
    route("GET", "teams/{id}/members/{id}", team_members::get),
    route("DELETE", "teams/{id}/members/{id}", team_members::remove),
    route("GET", "teams/{id}/channels", directory::list_public),
    route("POST", "teams/{id}/channels/search", directory::search),
    route("GET", "teams/{id}/channels/name/{name}", directory::get_by_name),
    route("POST", "channels", channels::create),
    route("POST", "channels/direct", channels::create_direct),
    route("GET", "channels/{id}", directory::get),
    route("PUT", "channels/{id}/patch", channels::patch),
    route("DELETE", "channels/{id}", channels::archive),
    route("POST", "channels/{id}/restore", channels::restore),
    route("GET", "channels/{id}/members", members::list),
    route("POST", "channels/{id}/members", members::add),
    route("GET", "channels/{id}/members/{id}", members::get),
    route("DELETE", "channels/{id}/members/{id}", members::remove),
    route("GET", "channels/{id}/posts", timeline::list),
    route("POST", "posts", posts::create),
    route("POST", "posts/ephemeral", posts::create_ephemeral),
    route("GET", "posts/{id}", posts::get),
    route("PUT", "posts/{id}/patch", revisions::patch),
    route("DELETE", "posts/{id}", revisions::delete),
    route("POST", "posts/{id}/pin", revisions::pin),
    route("POST", "posts/{id}/unpin", revisions::unpin),
    Route { method: "POST", pattern: "posts/{id}/actions/{id}", session: true, handler: Handler::Press },
    route("POST", "reactions", reactions::create),
    route("POST", "hooks/incoming", webhooks::create),
    route("POST", "hooks/outgoing", outgoing::create),
    route("POST", "commands", commands::create),
    route("GET", "commands", commands::list),
    Route { method: "POST", pattern: "commands/execute", session: true, handler: Handler::Command },
    open("POST", "actions/dialogs/open", dialogs::open),
    Route { method: "POST", pattern: "actions/dialogs/submit", session: true, handler: Handler::Dialog },
    route("POST", "files", files::upload),
    route("GET", "files/{id}", files::content),
    route("GET", "files/{id}/info", files::info),
];

/// The route for a method and a path after `/api/v4/`. A literal route stands before one that varies.
pub(crate) fn find(method: &str, path: &str) -> Option<Found> {
    ROUTES.iter().filter(|route| route.method == method).find_map(|route| {
        let params = fit(route.pattern, path)?;
        Some(Found { handler: route.handler, session: route.session, params })
    })
}

fn fit(pattern: &str, path: &str) -> Option<Vec<String>> {
    let mut params = Vec::new();
    let mut parts = path.split('/');
    for wanted in pattern.split('/') {
        let part = parts.next()?;
        let more = match wanted {
            "{id}" => "",
            "{name}" => "-_",
            "{user}" => "-_.",
            literal if literal == part => continue,
            _ => return None,
        };
        if part.is_empty() || !part.chars().all(|c| c.is_ascii_alphanumeric() || more.contains(c)) {
            return None;
        }
        params.push(part.to_owned());
    }
    parts.next().is_none().then_some(params)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_that_vary_take_only_their_characters() {
        assert_eq!(
            fit("posts/{id}/actions/{id}", "posts/abc/actions/Alert1"),
            Some(vec!["abc".into(), "Alert1".into()])
        );
        assert_eq!(fit("posts/{id}/actions/{id}", "posts/abc/actions/a-b"), None);
        assert_eq!(fit("teams/name/{name}", "teams/name/a-b_c"), Some(vec!["a-b_c".into()]));
        assert_eq!(fit("teams/name/{name}", "teams/name/Town%20Square"), None);
        assert_eq!(fit("teams/{id}", "teams/a/b"), None);
        assert!(find("GET", "groups/name/oncall").is_none());
    }
}
