//! Between the contract's generated types and ours, field by field: whoever adds a field to one side is told by the compiler.

use crate::bindings::warroom::action::{channels, http, incident, log, members, posts, types};
use crate::call::{
    ChannelDraft, Controls, Field, FieldKind, Header, HttpRequest, HttpResponse, PostDraft, PostRef, Refusal,
    Transition,
};
use crate::failure::{ActionError, ErrorKind};
use crate::host::LogLevel;
use crate::incident::{ActionOutputs, Channel, Context, TriggerPost, User};

/// Converts every item of a list.
fn each<A, B: From<A>>(items: Vec<A>) -> Vec<B> {
    items.into_iter().map(B::from).collect()
}

impl From<User> for types::User {
    fn from(User { id, username }: User) -> Self {
        Self { id, username }
    }
}

impl From<types::User> for User {
    fn from(types::User { id, username }: types::User) -> Self {
        Self { id, username }
    }
}

impl From<Channel> for types::Channel {
    fn from(Channel { id, name, display_name, team_id }: Channel) -> Self {
        Self { id, name, display_name, team_id }
    }
}

impl From<&Context> for types::Context {
    fn from(context: &Context) -> Self {
        Self {
            key: context.key.clone(),
            workflow: context.workflow.clone(),
            number: context.number,
            step: context.step.clone(),
        }
    }
}

impl From<TriggerPost> for incident::TriggerPost {
    fn from(post: TriggerPost) -> Self {
        let TriggerPost { name, post_id, text, user, channel, team_name, permalink, created_ms, groups } =
            post;
        let groups = groups.into_iter().map(|(name, value)| types::Output { name, value }).collect();
        let (user, channel) = (user.into(), channel.into());
        Self { name, post_id, text, user, channel, team_name, permalink, created_ms, groups }
    }
}

impl From<ActionOutputs> for incident::ActionOutputs {
    fn from(ActionOutputs { action, outputs }: ActionOutputs) -> Self {
        let outputs = outputs.into_iter().map(|(name, value)| types::Output { name, value }).collect();
        Self { action, outputs }
    }
}

impl From<ErrorKind> for types::ErrorKind {
    fn from(kind: ErrorKind) -> Self {
        match kind {
            ErrorKind::InvalidInput => Self::InvalidInput,
            ErrorKind::NotFound => Self::NotFound,
            ErrorKind::Conflict => Self::Conflict,
            ErrorKind::Denied => Self::Denied,
            ErrorKind::RateLimited => Self::RateLimited,
            ErrorKind::Unavailable => Self::Unavailable,
            ErrorKind::Failed => Self::Failed,
        }
    }
}

impl From<types::ErrorKind> for ErrorKind {
    fn from(kind: types::ErrorKind) -> Self {
        match kind {
            types::ErrorKind::InvalidInput => Self::InvalidInput,
            types::ErrorKind::NotFound => Self::NotFound,
            types::ErrorKind::Conflict => Self::Conflict,
            types::ErrorKind::Denied => Self::Denied,
            types::ErrorKind::RateLimited => Self::RateLimited,
            types::ErrorKind::Unavailable => Self::Unavailable,
            types::ErrorKind::Failed => Self::Failed,
        }
    }
}

impl From<ActionError> for types::Error {
    fn from(ActionError { kind, message }: ActionError) -> Self {
        Self { kind: kind.into(), message }
    }
}

impl From<channels::Draft> for ChannelDraft {
    fn from(draft: channels::Draft) -> Self {
        let channels::Draft { team, name, display_name, header, purpose, private } = draft;
        Self { team, name, display_name, header, purpose, private }
    }
}

impl From<Refusal> for members::Refusal {
    fn from(Refusal { user, reason }: Refusal) -> Self {
        Self { user: user.into(), reason: reason.into() }
    }
}

impl From<posts::Draft> for PostDraft {
    fn from(posts::Draft { message, controls }: posts::Draft) -> Self {
        Self { message, controls: controls.map(Into::into) }
    }
}

impl From<posts::Controls> for Controls {
    fn from(controls: posts::Controls) -> Self {
        let posts::Controls { fields_title, fields, transitions_title, transitions } = controls;
        Self { fields_title, fields: each(fields), transitions_title, transitions: each(transitions) }
    }
}

impl From<posts::Field> for Field {
    fn from(posts::Field { name, description, kind }: posts::Field) -> Self {
        let kind = match kind {
            posts::FieldKind::Button => FieldKind::Button,
            posts::FieldKind::Menu(options) => FieldKind::Menu(options),
        };
        Self { name, description, kind }
    }
}

impl From<posts::Transition> for Transition {
    fn from(posts::Transition { label, description, to, allowed }: posts::Transition) -> Self {
        Self { label, description, to, allowed }
    }
}

impl From<PostRef> for posts::Post {
    fn from(PostRef { id, channel_id }: PostRef) -> Self {
        Self { id, channel_id }
    }
}

impl From<http::Header> for Header {
    fn from(http::Header { name, value }: http::Header) -> Self {
        Self { name, value }
    }
}

impl From<Header> for http::Header {
    fn from(Header { name, value }: Header) -> Self {
        Self { name, value }
    }
}

impl From<http::Request> for HttpRequest {
    fn from(http::Request { method, url, headers, body }: http::Request) -> Self {
        Self { method, url, headers: each(headers), body }
    }
}

impl From<HttpResponse> for http::Response {
    fn from(HttpResponse { status, headers, body }: HttpResponse) -> Self {
        Self { status, headers: each(headers), body }
    }
}

impl From<log::Level> for LogLevel {
    fn from(level: log::Level) -> Self {
        match level {
            log::Level::Debug => Self::Debug,
            log::Level::Info => Self::Info,
            log::Level::Warn => Self::Warn,
            log::Level::Error => Self::Error,
        }
    }
}
