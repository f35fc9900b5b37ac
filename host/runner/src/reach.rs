//! How far a component's grant reaches: which channels and teams it may find and name.

use crate::components::Scope;
use crate::host_calls::{HostCalls, Trouble, shown};
use warroom_engine::{Channel, Run};
use warroom_sandbox::ErrorKind;

impl HostCalls {
    /// Ids count only when the host gave them out: to this execution, or to the run as what it made.
    pub(crate) fn require_channel(&self, run: &Run, channel_id: &str, to_post: bool) -> Result<(), Trouble> {
        let own = run.channels.iter().any(|channel| channel.id == channel_id);
        let triggering = to_post && run.trigger.channel.id == channel_id;
        let given = self.permit.scope != Scope::Run && self.known.contains(channel_id);
        if own || triggering || given {
            return Ok(());
        }
        let reach = match self.permit.scope {
            Scope::Run => "its grant reaches only channels that this run made",
            Scope::Team | Scope::Everywhere => "it must be found or made by this action first",
        };
        let message = format!("the channel {channel_id} is out of this component's reach: {reach}");
        Err(shown(ErrorKind::Denied, message))
    }

    /// A channel by what the component calls it.
    pub(crate) async fn find_channel(
        &self,
        run: &Run,
        team: Option<&str>,
        name: &str,
    ) -> Result<Channel, Trouble> {
        let team_id = self.team(run, team).await?;
        let handle = name.trim_start_matches('~');
        // The name that a template wrote is nearly always the room's: the journal knows it.
        let own = run.channels.iter().chain([&run.trigger.channel]);
        let named = |own: &&Channel| own.team_id == team_id && (own.name == handle || own.id == handle);
        if let Some(own) = own.into_iter().find(named) {
            return Ok(own.clone());
        }
        // What lies outside its reach is not even looked up: the answer would tell what there is.
        let found = match self.permit.scope {
            Scope::Run => None,
            Scope::Team | Scope::Everywhere => self.chat.find_channel(&team_id, handle).await?,
        };
        found.ok_or_else(|| {
            let message = format!(
                "there is no channel `{name}` that the bot can reach; check the name and that it is not archived, and if it is private invite the bot to it"
            );
            shown(ErrorKind::NotFound, message)
        })
    }

    /// A team's id by its handle; none: the triggering post's.
    pub(crate) async fn team(&self, run: &Run, team: Option<&str>) -> Result<String, Trouble> {
        let Some(name) = team.filter(|name| *name != run.trigger.team_name) else {
            return Ok(run.trigger.channel.team_id.clone());
        };
        if self.permit.scope != Scope::Everywhere {
            let message = format!(
                "the team `{name}` is out of this component's reach: its grant ends with the run's team"
            );
            return Err(shown(ErrorKind::Denied, message));
        }
        self.chat.find_team(name).await?.ok_or_else(|| {
            let message =
                format!("the bot is on no team `{name}`; check the name, or add the bot to the team");
            shown(ErrorKind::NotFound, message)
        })
    }
}
