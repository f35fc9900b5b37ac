//! Groups of people.

use reqwest::Method;
use serde::de::DeserializeOwned;

use crate::call::Call;
use crate::client::Client;
use crate::error::ApiError;
use crate::group::{Group, GroupList, GroupMembers};
use crate::user::User;

use super::page_query;

impl Client {
    /// The groups that can be mentioned and have the text in their handle or display name, as far as the server lists them; `None`:
    /// the server has no groups, since it has no licence for them.
    ///
    /// # Errors
    /// [`ApiError`].
    pub async fn groups(&self, name: &str) -> Result<Option<Vec<Group>>, ApiError> {
        // As many as a page can have: the one that is meant may be the last of those with the text in their names.
        let query = [
            ("q", name.to_owned()),
            ("filter_allow_reference", "true".to_owned()),
            ("per_page", "200".to_owned()),
        ];
        let call = Call::new("groups", Method::GET, &["groups"], format!("search for the group {name}"));
        let found = self.call_if_licensed::<GroupList>(call.query(&query)).await?;
        Ok(found.map(GroupList::into_groups))
    }

    /// A page of a group's members; `None`: the server has no groups. The first page is 0; `per_page` is cut to `page_posts_max` of the
    /// options, and a page with fewer people is the last one.
    ///
    /// # Errors
    /// [`ApiError`]; with status 403 when the bot may not see them, 404 when there is no such group.
    pub async fn group_members(
        &self,
        group_id: &str,
        page: u32,
        per_page: u32,
    ) -> Result<Option<Vec<User>>, ApiError> {
        let path = ["groups", group_id, "members"];
        let query = page_query(self, page, per_page);
        let doing = format!("list the members of the group {group_id}");
        let call = Call::new("group_members", Method::GET, &path, doing);
        let found = self.call_if_licensed::<GroupMembers>(call.query(&query)).await?;
        Ok(found.map(|found| found.members))
    }

    /// `None` when the server has no licence for what is asked.
    async fn call_if_licensed<T: DeserializeOwned>(&self, call: Call<'_>) -> Result<Option<T>, ApiError> {
        match self.call(call).await {
            Ok(answer) => Ok(Some(answer)),
            Err(error) if error.status() == Some(501) || error.id().ends_with("license_error") => Ok(None),
            Err(error) => Err(error),
        }
    }
}
