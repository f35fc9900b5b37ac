//! The event stream at `/api/v4/websocket`.

mod connection;
mod event;
mod hub;

pub(crate) use connection::upgrade;
pub(crate) use event::{Audience, Event};
pub(crate) use hub::Hub;
