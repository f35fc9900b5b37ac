//! The calls, by what they are about.

mod administration;
mod channels;
mod groups;
mod posts;
mod server;
mod teams;
mod users;

use crate::client::Client;

/// The query for a page of a list. The first page is 0; how much is on it is cut to what the options say.
fn page_query(client: &Client, page: u32, per_page: u32) -> [(&'static str, String); 2] {
    let per_page = per_page.min(client.options().page_posts_max);
    [("page", page.to_string()), ("per_page", per_page.to_string())]
}
