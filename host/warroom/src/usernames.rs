//! The usernames of those whom `[groups]` names by id: posts mention people by username, and people are renamed.

use crate::config::Config;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;
use warroom_engine::is_id;
use warroom_mattermost::Client;
use warroom_runner::Groups;

/// How long the first wait is after a failure; each further one doubles. Until then posts mention some by an id, which rings nobody.
const AGAIN: Duration = Duration::from_secs(2);

pub(crate) struct Usernames {
    client: Client,
    groups: Arc<Groups>,
    /// Whom `[groups]` names by id.
    ids: Vec<String>,
    /// How often they are looked up.
    every: Duration,
    /// How long the next wait after a failure is.
    again: Duration,
}

impl Usernames {
    /// None when the configuration names nobody by id.
    pub(crate) fn of(config: &Config, client: &Client, groups: &Arc<Groups>) -> Option<Usernames> {
        let members = config.groups.values().flatten();
        // Each once, whatever number of groups somebody is in.
        let ids: BTreeSet<String> = members.filter(|member| is_id(member)).cloned().collect();
        (!ids.is_empty()).then(|| Usernames {
            client: client.clone(),
            groups: Arc::clone(groups),
            ids: ids.into_iter().collect(),
            every: Duration::from_millis(config.limits.rooms_check_ms),
            again: AGAIN,
        })
    }

    /// Looks them up now; gives how long to wait until the next time.
    pub(crate) async fn look_up(&mut self) -> Duration {
        match self.client.users_by_ids(&self.ids).await {
            Ok(users) => {
                self.groups.rename(users.into_iter().map(|user| (user.id, user.username)));
                self.again = AGAIN;
                self.every
            }
            Err(error) => {
                let wait = error.retry_after().unwrap_or(self.again).max(AGAIN).min(self.every);
                tracing::warn!(
                    "the ids in [groups] cannot be looked up, so posts mention people as they were called before: {error}; trying \
                     again in {} s",
                    wait.as_secs()
                );
                self.again = self.again.saturating_mul(2);
                wait
            }
        }
    }

    /// Looks them up for ever, the first time after `wait`.
    pub(crate) async fn keep(mut self, mut wait: Duration) {
        loop {
            tokio::time::sleep(wait).await;
            wait = self.look_up().await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use warroom_mattermost::{ClientOptions, Token};
    use warroom_simulator::{Options, Simulator};

    #[tokio::test]
    async fn a_failure_is_followed_by_another_try_soon_and_then_ever_later() {
        let server = Simulator::start(Options::default()).await.unwrap();
        let client = Client::new(ClientOptions::new(server.url(), Token::new(server.bot_token()))).unwrap();
        let jon = client.user_by_username("jon").await.unwrap().id;
        let groups = Arc::new(Groups::new([("oncall".to_owned(), vec![jon.clone()])]));
        let every = Duration::from_secs(5);
        let mut usernames =
            Usernames { client, groups: Arc::clone(&groups), ids: vec![jon.clone()], every, again: AGAIN };
        server.fail_next("POST", "/api/v4/users/ids", 503, 3);
        for seconds in [2, 4, 5] {
            assert_eq!(usernames.look_up().await, Duration::from_secs(seconds));
            assert_eq!(groups.spelled_out("@oncall"), format!("@oncall (@{jon})"));
        }
        assert_eq!(usernames.look_up().await, every);
        assert_eq!(groups.spelled_out("@oncall"), "@oncall (@jon)");
        server.fail_next("POST", "/api/v4/users/ids", 503, 1);
        assert_eq!(usernames.look_up().await, AGAIN, "a success begins anew");
        assert_eq!(groups.spelled_out("@oncall"), "@oncall (@jon)");
    }

    #[tokio::test]
    async fn without_an_id_nobody_is_asked_for() {
        let server = Simulator::start(Options::default()).await.unwrap();
        let client = Client::new(ClientOptions::new(server.url(), Token::new(server.bot_token()))).unwrap();
        let directory = tempfile::tempdir().unwrap();
        let mut config = crate::demo::config(&server, directory.path());
        let of = |config: &Config| Usernames::of(config, &client, &Arc::default()).map(|known| known.ids);
        config.groups.insert("oncall".to_owned(), vec!["jon".to_owned()]);
        assert_eq!(of(&config), None);
        let id = client.user_by_username("jon").await.unwrap().id;
        for group in ["oncall", "security"] {
            config.groups.insert(group.to_owned(), vec!["chris".to_owned(), id.clone()]);
        }
        assert_eq!(of(&config), Some(vec![id]));
    }
}
