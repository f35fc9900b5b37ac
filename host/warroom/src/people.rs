//! Finds people on the server: by username, by id, by group.

use crate::chat::{MattermostChat, chat_error};
use std::collections::BTreeMap;
use std::sync::PoisonError;
use std::time::{Duration, Instant};
use warroom_engine::{Person, is_id};
use warroom_mattermost as mm;
use warroom_runner::{ChatError, ChatErrorKind};

/// People of one page of a group.
const GROUP_PAGE: u32 = 200;
/// How many people of one group of the server are brought in.
const GROUP_PEOPLE_MAX: usize = 1_000;
/// How many people of one group are looked through for somebody.
const GROUP_SEARCHED_MAX: usize = 20_000;
/// How long a server that has no licence for groups is not asked for one.
const LICENCE_KNOWN_FOR: Duration = Duration::from_secs(5 * 60);

impl MattermostChat {
    /// People by username, id, group of the configuration or group of the server, in the order asked for, each once; with
    /// them, what was nobody.
    pub(crate) async fn people(&self, names: &[String]) -> Result<(Vec<Person>, Vec<String>), ChatError> {
        let names: Vec<String> = names.iter().map(|name| name.trim_start_matches('@').to_owned()).collect();
        let known = self.known(&self.persons(&names)).await?;
        let (mut found, mut unknown) = (Vec::<Person>::new(), Vec::new());
        for name in names {
            let people = match (self.groups.members(&name), known.get(&name)) {
                (None, Some(person)) => vec![person.clone()],
                (Some(members), _) => {
                    unknown.extend(members.iter().filter(|member| !known.contains_key(*member)).cloned());
                    members.iter().filter_map(|member| known.get(member)).cloned().collect()
                }
                (None, None) => match self.members_on_server(&name, GROUP_PEOPLE_MAX, |_| false).await {
                    Ok(members) => members.unwrap_or_default(),
                    // The others are not to miss the incident for it: only this name is nobody.
                    Err(error) if matches!(error.kind, ChatErrorKind::Denied | ChatErrorKind::NotFound) => {
                        tracing::warn!(group = %name, "the members of a group cannot be read: {error}");
                        Vec::new()
                    }
                    Err(error) => return Err(error),
                },
            };
            if people.is_empty() && self.groups.members(&name).is_none() {
                unknown.push(name);
            }
            for person in people {
                if !found.iter().any(|known| known.id == person.id) {
                    found.push(person);
                }
            }
        }
        Ok((found, unknown))
    }

    /// Begins to look up whom [`MattermostChat::people`] will be asked for.
    pub(crate) fn expect_people(&self, names: &[String]) {
        let persons = self.persons(names);
        self.expected.begin(persons.clone(), look_up(self.client.clone(), persons));
    }

    /// The names with those of the members in the place of a group of the configuration.
    fn persons(&self, names: &[String]) -> Vec<String> {
        // Anybody may choose the name of a group as a username: the group is meant.
        let persons =
            names.iter().flat_map(|name| self.groups.members(name).unwrap_or(std::slice::from_ref(name)));
        persons.cloned().collect()
    }

    /// Those of the names that are usernames or ids of people whose accounts are active.
    async fn known(&self, names: &[String]) -> Result<BTreeMap<String, Person>, ChatError> {
        if names.is_empty() {
            return Ok(BTreeMap::new());
        }
        let users = match self.timed(self.expected.take(names)).await {
            Some(users) => users,
            None => self.timed(look_up(self.client.clone(), names.to_vec())).await.map_err(chat_error)?,
        };
        let person = |name: &String| {
            // Anybody may choose somebody's id as a username, and is not that person.
            let by_id = users.iter().find(|user| user.id == *name);
            let user = by_id.or_else(|| users.iter().find(|user| user.username == name.to_lowercase()))?;
            (user.delete_at == 0).then(|| (name.clone(), person(user)))
        };
        Ok(names.iter().filter_map(person).collect())
    }

    /// The members of a group of the server, up to the page that has whom it is asked for; none when it has no such group, or no licence
    /// for groups.
    async fn members_on_server(
        &self,
        name: &str,
        people_max: usize,
        is_wanted: impl Fn(&Person) -> bool + Send + Sync,
    ) -> Result<Option<Vec<Person>>, ChatError> {
        let wanted = name.to_lowercase();
        if self.is_without_groups() {
            return Ok(None);
        }
        let listed = match self.timed(self.client.groups(&wanted)).await {
            Ok(Some(listed)) => listed,
            Ok(None) => {
                let mut asked = self.groupless_at.lock().unwrap_or_else(PoisonError::into_inner);
                *asked = Some(Instant::now());
                return Ok(None);
            }
            // Not every bot may look; then there is no group that it could name.
            Err(error) if error.status().is_some_and(|status| matches!(status, 403 | 404)) => Vec::new(),
            Err(error) => return Err(chat_error(error)),
        };
        let Some(group) = listed.into_iter().find(|group| group.name == wanted && group.delete_at == 0)
        else {
            return Ok(None);
        };
        let mut people = Vec::new();
        for page in 0.. {
            let members = self.timed(self.client.group_members(&group.id, page, GROUP_PAGE)).await;
            let members = members.map_err(chat_error)?.unwrap_or_default();
            let is_last = members.len() < GROUP_PAGE as usize;
            people.extend(members.iter().filter(|user| user.delete_at == 0).map(person));
            if is_last || people.iter().any(&is_wanted) {
                break;
            }
            if people.len() >= people_max {
                tracing::warn!(group = %wanted, "only the first {people_max} members of a group are taken");
                break;
            }
        }
        Ok(Some(people))
    }

    /// Whether the server said a moment ago that it has no licence for groups.
    fn is_without_groups(&self) -> bool {
        let asked = *self.groupless_at.lock().unwrap_or_else(PoisonError::into_inner);
        asked.is_some_and(|asked| asked.elapsed() < LICENCE_KNOWN_FOR)
    }

    /// Whether a group has the person.
    pub(crate) async fn has_member(&self, group: &str, person: &Person) -> Result<bool, ChatError> {
        if let Some(members) = self.groups.members(group) {
            return Ok(members.iter().any(|member| person.is_named(member)));
        }
        let members = self
            .members_on_server(group, GROUP_SEARCHED_MAX, |member| member.id == person.id)
            .await?
            .unwrap_or_default();
        Ok(members.iter().any(|member| member.id == person.id))
    }
}

/// The accounts, active or not, that have one of the names as their username or id.
async fn look_up(client: mm::Client, names: Vec<String>) -> Result<Vec<mm::User>, mm::ApiError> {
    let lowered: Vec<String> = names.iter().map(|name| name.to_lowercase()).collect();
    let mut users = client.users_by_usernames(&lowered).await?;
    let ids: Vec<String> = names.into_iter().filter(|name| is_id(name)).collect();
    if !ids.is_empty() {
        users.extend(client.users_by_ids(&ids).await?);
    }
    Ok(users)
}

fn person(user: &mm::User) -> Person {
    Person { id: user.id.clone(), username: user.username.clone() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::expected::Expected;
    use crate::meter::Meter;
    use crate::translator::Translator;
    use std::sync::{Arc, Mutex};
    use warroom_mattermost::{Client, ClientOptions, Token};
    use warroom_runner::{Chat as _, Groups};
    use warroom_simulator::{Options, Simulator};

    async fn chat(server: &Simulator, members: Vec<String>) -> MattermostChat {
        let client = Client::new(ClientOptions::new(server.url(), Token::new(server.bot_token()))).unwrap();
        MattermostChat {
            bot: person(&client.user_by_username("warroom").await.unwrap()),
            callback_url: String::new(),
            meter: Arc::new(Meter::default()),
            groups: Arc::new(Groups::new([("oncall".to_owned(), members)])),
            translator: Translator::new(client.clone(), String::new()),
            groupless_at: Mutex::default(),
            operators: None,
            operators_id: Mutex::default(),
            joining: tokio::sync::Mutex::default(),
            expected: Expected::default(),
            client,
        }
    }

    async fn jon(server: &Simulator) -> Person {
        person(&chat(server, Vec::new()).await.client.user_by_username("jon").await.unwrap())
    }

    #[tokio::test]
    async fn nobody_counts_as_a_member_since_the_server_does_not_say() {
        let server = Simulator::start(Options::default()).await.unwrap();
        let (chat, jon) = (chat(&server, Vec::new()).await, jon(&server).await);
        let team = chat.client.teams_of_me().await.unwrap().remove(0);
        let town = chat.client.channel_by_name(&team.id, "town-square", false).await.unwrap().id;
        assert!(chat.is_member(&town, &jon.id).await.unwrap());
        // Not for the bot to see, and what kind of channel it is cannot be read either.
        server.fail_next("GET", &format!("/api/v4/channels/{town}/members"), 403, 1);
        server.fail_next("GET", &format!("/api/v4/channels/{town}"), 500, 1);
        assert!(chat.is_member(&town, &jon.id).await.is_err());
    }

    /// How often the server was asked who has certain usernames.
    fn times_asked(server: &Simulator) -> usize {
        server.requests().iter().filter(|(_, path)| path.ends_with("/users/usernames")).count()
    }

    #[tokio::test]
    async fn who_is_expected_is_asked_for_once_and_answers_once() {
        let server = Simulator::start(Options::default()).await.unwrap();
        let chat = chat(&server, vec!["@Chris".to_owned()]).await;
        let names = ["jon", "@oncall"].map(str::to_owned);
        chat.expect_people(&names);
        let (found, unknown) = chat.people(&names).await.unwrap();
        assert_eq!(found.iter().map(|person| person.username.as_str()).collect::<Vec<_>>(), ["jon", "chris"]);
        assert!(unknown.is_empty());
        assert_eq!(times_asked(&server), 1);
        chat.people(&names).await.unwrap();
        assert_eq!(times_asked(&server), 2);
    }

    #[tokio::test]
    async fn who_is_not_expected_or_was_not_found_out_is_asked_for() {
        let server = Simulator::start(Options::default()).await.unwrap();
        let chat = chat(&server, Vec::new()).await;
        let [jon, chris] = ["jon", "chris"].map(|name| [name.to_owned()]);
        chat.expect_people(&jon);
        assert_eq!(chat.people(&chris).await.unwrap().0.len(), 1);
        server.fail_next("POST", "/api/v4/users/usernames", 400, 1);
        chat.expect_people(&chris);
        assert_eq!(chat.people(&chris).await.unwrap().0[0].username, "chris");
        assert_eq!(chat.people(&jon).await.unwrap().0[0].username, "jon");
    }

    #[tokio::test]
    async fn nobody_is_in_a_group_for_taking_the_id_of_a_member_as_a_username() {
        let server = Simulator::start(Options::default()).await.unwrap();
        let jon = jon(&server).await;
        let chat = chat(&server, vec![jon.id.clone(), "@Chris".to_owned()]).await;
        let is_in = async |id: &str, username: &str| {
            let person = Person { id: id.to_owned(), username: username.to_owned() };
            chat.has_member("OnCall", &person).await.unwrap()
        };
        // Nobody told the group's usernames yet: an id says by its form that it is one.
        assert!(is_in(&jon.id, "jon").await);
        assert!(is_in("somebody", "chris").await && is_in("somebody", "CHRIS").await);
        assert!(!is_in("somebody", &jon.id).await);
        assert!(!is_in("somebody", "jon").await);
    }
}
