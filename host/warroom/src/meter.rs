//! Measures where the time goes between a triggering post and the room that it opens.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// What was measured for the first room of a service.
#[derive(Debug, Clone, Copy)]
pub(crate) struct FirstRoom {
    /// When the triggering post had arrived.
    pub(crate) received: Instant,
    /// When the server had answered that the room exists.
    pub(crate) existed: Instant,
    /// Time spent waiting for the server in between.
    pub(crate) http: Duration,
}

/// Collects the times; cheap enough to be always on.
#[derive(Debug, Default)]
pub(crate) struct Meter {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    received: Option<Instant>,
    http: Duration,
    first_room: Option<FirstRoom>,
}

impl Meter {
    /// A post arrived that starts a run, unless one did before.
    pub(crate) fn post_received(&self, at: Instant) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if state.received.is_none() {
            (state.received, state.http) = (Some(at), Duration::ZERO);
        }
    }

    /// A call to the server took this long.
    pub(crate) fn called(&self, took: Duration) {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).http += took;
    }

    /// The server answered that a room exists.
    pub(crate) fn room_exists(&self) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if let (Some(received), None) = (state.received, state.first_room) {
            state.first_room = Some(FirstRoom { received, existed: Instant::now(), http: state.http });
        }
    }

    pub(crate) fn first_room(&self) -> Option<FirstRoom> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).first_room
    }
}
