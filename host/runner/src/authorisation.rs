//! Who may press what. The server is asked only where the journal and the configuration do not say it, and never while the run is
//! held open: a slow server makes one person wait, not the incident.

use crate::chat::ChatError;
use crate::controls::{Address, Control, Press};
use crate::runner::Runner;
use std::time::Duration;
use warroom_engine::{Actor, Person, Run, is_id};

/// How long the server is asked; it waits 30 s for the answer to the press.
const LOOK_UP_MAX: Duration = Duration::from_secs(8);

impl Runner {
    /// Who presses, with the groups that count for this control; or why not, in words for that person. Whom a transition is for, the
    /// engine decides.
    pub(crate) async fn authorised(
        &self,
        run: &Run,
        address: &Address,
        press: &Press,
    ) -> Result<Actor, String> {
        in_time(press, self.look_up(run, address, press)).await
    }

    /// Whether who presses is in the channel; or why not, in words for that person.
    pub(crate) async fn authorised_as_member(&self, press: &Press) -> Result<(), String> {
        in_time(press, async { Ok(self.is_member(press).await?.then_some(()).ok_or_else(not_a_member)) })
            .await
    }

    /// Newer servers let everybody on the team press in a public channel.
    async fn is_member(&self, press: &Press) -> Result<bool, ChatError> {
        let (core, now_ms) = (&self.core, self.core.clock.now_ms());
        if core.members.has(&press.channel_id, &press.by.id, now_ms) {
            return Ok(true);
        }
        let is_member = core.chat.is_member(&press.channel_id, &press.by.id).await?;
        if is_member {
            core.members.saw(&press.channel_id, &press.by.id, now_ms);
        }
        Ok(is_member)
    }

    async fn look_up(
        &self,
        run: &Run,
        address: &Address,
        press: &Press,
    ) -> Result<Result<Actor, String>, ChatError> {
        if !self.is_member(press).await? {
            return Ok(Err(not_a_member()));
        }
        let mut actor = Actor::from(press.by.clone());
        // Anybody may choose such a username.
        actor.is_called_like_a_group = self.core.options.groups.members(&press.by.username).is_some();
        match address.control {
            Control::Field(_) | Control::Start(_) => {}
            Control::Transition(at) => {
                let offer = run
                    .post(run.stands_for(&address.post))
                    .and_then(|post| post.controls.transitions.get(at));
                let allowed = offer.map(|offer| offer.allowed.as_slice()).unwrap_or_default();
                actor.groups.extend(self.group_of(run, allowed, &actor).await?);
            }
            Control::Retry | Control::Renumber | Control::Repin | Control::Skip | Control::Cancel => {
                if !self.may_decide(run, press, &actor).await? {
                    let why = "Here, where everybody reads it, only who started the incident and the managers decide this (`[permissions] managers` of the configuration, and administrators of the server).";
                    return Ok(Err(why.to_owned()));
                }
            }
        }
        Ok(Ok(actor))
    }

    /// The members of a room decide about their incident. What stands elsewhere is for who
    /// started the incident, and managers.
    async fn may_decide(&self, run: &Run, press: &Press, actor: &Actor) -> Result<bool, ChatError> {
        let managers = &self.core.options.managers;
        if run.peopled_room().is_some_and(|room| room.id == press.channel_id)
            || run.trigger.user.id == press.by.id
            || managers.iter().any(|name| actor.is_named(name))
        {
            return Ok(true);
        }
        match self.group_of(run, managers, actor).await {
            Ok(Some(_)) => Ok(true),
            Ok(None) => self.core.chat.is_administrator(&press.by.id).await,
            Err(error) => match self.core.chat.is_administrator(&press.by.id).await {
                Ok(true) => Ok(true),
                _ => Err(error),
            },
        }
    }

    /// The first of the names that is a group with the person. Nothing is looked up for who is named there, nor for what is plainly
    /// somebody else. A group that cannot be read is an error unless another one has the person.
    async fn group_of(
        &self,
        run: &Run,
        names: &[String],
        actor: &Actor,
    ) -> Result<Option<String>, ChatError> {
        if names.iter().any(|name| actor.is_named(name)) {
            return Ok(None);
        }
        let mut failed = None;
        let groups = &self.core.options.groups;
        let is_group = |name: &&String| groups.members(name).is_some() || !is_somebody(run, name);
        for name in names.iter().filter(is_group) {
            let bare = name.trim_start_matches('@');
            match self.core.chat.is_in_group(bare, &actor.person).await {
                Ok(true) => return Ok(Some(bare.to_owned())),
                Ok(false) => {}
                Err(error) => failed = Some(error),
            }
        }
        failed.map_or(Ok(None), Err)
    }
}

/// What the server says in time; or why nothing can be told, in words for who presses.
async fn in_time<T>(
    press: &Press,
    look_up: impl Future<Output = Result<Result<T, String>, ChatError>>,
) -> Result<T, String> {
    let looked_up = match tokio::time::timeout(LOOK_UP_MAX, look_up).await {
        Ok(Ok(looked_up)) => return looked_up,
        Ok(Err(error)) => error.to_string(),
        Err(_) => format!("no answer within {} s", LOOK_UP_MAX.as_secs()),
    };
    tracing::warn!(by = %press.by.id, "who may press cannot be looked up: {looked_up}");
    Err("It cannot be told now whether you may press this: the server does not say who belongs where. Press again in a moment."
        .to_owned())
}

fn not_a_member() -> String {
    "Only members of this channel press here. Join it first, then press again.".to_owned()
}

/// Whether the name is plainly that of a person: an id, or somebody whom the run knows.
fn is_somebody(run: &Run, name: &str) -> bool {
    let is_named = |person: &Person| person.is_named(name);
    is_id(name) || is_named(&run.trigger.user) || run.last_actor.as_ref().is_some_and(is_named)
}
