//! The functions that components import. Each turns the contract's types into ours and back; what is decided is decided by the
//! host behind [`State`].

use crate::bindings::warroom::action::{
    archiving, channels, http, incident, log, members, posts, secrets, types, users,
};
use crate::call::{Answer, Call};
use crate::consumption::Stop;
use crate::state::State;

/// What a function of the contract returns: the outer error ends the execution, the inner one is the guest's.
type Returned<T> = wasmtime::Result<Result<T, types::Error>>;

impl types::Host for State {}

impl incident::Host for State {
    async fn now_ms(&mut self) -> wasmtime::Result<u64> {
        Ok(self.incident("incident.now-ms")?.now_ms)
    }

    async fn run_id(&mut self) -> wasmtime::Result<String> {
        Ok(self.incident("incident.run-id")?.run_id.clone())
    }

    async fn room(&mut self) -> wasmtime::Result<Option<types::Channel>> {
        Ok(self.incident("incident.room")?.room.clone().map(Into::into))
    }

    async fn trigger(&mut self) -> wasmtime::Result<incident::TriggerPost> {
        Ok(self.incident("incident.trigger")?.trigger.clone().into())
    }

    async fn outputs(&mut self) -> wasmtime::Result<Vec<incident::ActionOutputs>> {
        Ok(self.incident("incident.outputs")?.outputs.iter().cloned().map(Into::into).collect())
    }

    async fn last_actor(&mut self) -> wasmtime::Result<Option<types::User>> {
        Ok(self.incident("incident.last-actor")?.last_actor.clone().map(Into::into))
    }
}

impl channels::Host for State {
    async fn find(&mut self, team: Option<String>, name: String) -> Returned<types::Channel> {
        match self.call(Call::FindChannel { team, name }).await? {
            Ok(Answer::Channel(channel)) => Ok(Ok(channel.into())),
            Ok(_) => Err(Stop::WrongAnswer("channels.find").into()),
            Err(error) => Ok(Err(error.into())),
        }
    }

    async fn create(&mut self, draft: channels::Draft) -> Returned<types::Channel> {
        match self.call(Call::CreateChannel(draft.into())).await? {
            Ok(Answer::Channel(channel)) => Ok(Ok(channel.into())),
            Ok(_) => Err(Stop::WrongAnswer("channels.create").into()),
            Err(error) => Ok(Err(error.into())),
        }
    }
}

impl archiving::Host for State {
    async fn archive(&mut self, channel_id: String) -> Returned<()> {
        match self.call(Call::ArchiveChannel { channel_id }).await? {
            Ok(Answer::Done) => Ok(Ok(())),
            Ok(_) => Err(Stop::WrongAnswer("archiving.archive").into()),
            Err(error) => Ok(Err(error.into())),
        }
    }
}

impl users::Host for State {
    async fn find(&mut self, names: Vec<String>) -> Returned<users::Found> {
        match self.call(Call::FindUsers { names }).await? {
            Ok(Answer::Users { users, unknown }) => {
                Ok(Ok(users::Found { users: users.into_iter().map(Into::into).collect(), unknown }))
            }
            Ok(_) => Err(Stop::WrongAnswer("users.find").into()),
            Err(error) => Ok(Err(error.into())),
        }
    }
}

impl members::Host for State {
    async fn add(&mut self, channel_id: String, users: Vec<types::User>) -> Returned<Vec<members::Refusal>> {
        let users = users.into_iter().map(Into::into).collect();
        match self.call(Call::AddMembers { channel_id, users }).await? {
            Ok(Answer::Refusals(refusals)) => Ok(Ok(refusals.into_iter().map(Into::into).collect())),
            Ok(_) => Err(Stop::WrongAnswer("members.add").into()),
            Err(error) => Ok(Err(error.into())),
        }
    }
}

impl posts::Host for State {
    async fn create(&mut self, channel_id: String, draft: posts::Draft) -> Returned<posts::Post> {
        match self.call(Call::CreatePost { channel_id, draft: draft.into() }).await? {
            Ok(Answer::Post(post)) => Ok(Ok(post.into())),
            Ok(_) => Err(Stop::WrongAnswer("posts.create").into()),
            Err(error) => Ok(Err(error.into())),
        }
    }
}

impl http::Host for State {
    async fn send(&mut self, request: http::Request) -> Returned<http::Response> {
        match self.call(Call::SendHttp(request.into())).await? {
            Ok(Answer::Http(response)) => Ok(Ok(response.into())),
            Ok(_) => Err(Stop::WrongAnswer("http.send").into()),
            Err(error) => Ok(Err(error.into())),
        }
    }
}

impl secrets::Host for State {
    async fn get(&mut self, name: String) -> Returned<String> {
        Ok(self.secret(&name)?.map_err(Into::into))
    }
}

impl log::Host for State {
    async fn write(&mut self, level: log::Level, message: String) -> wasmtime::Result<()> {
        self.log(level.into(), &message)
    }
}
