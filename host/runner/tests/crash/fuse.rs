//! Lets the process die at the n-th call.

use std::sync::Mutex;
use tokio::sync::Notify;

/// When the process dies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Death {
    BeforeTheCall,
    AfterTheCall,
}

#[derive(Default)]
pub(crate) struct Fuse {
    state: Mutex<State>,
    blown: Notify,
}

#[derive(Default)]
struct State {
    left: Option<u32>,
    death: Option<Death>,
    last_call: String,
    dead: bool,
}

impl Fuse {
    pub(crate) fn arm(&self, at: u32, death: Death) {
        let mut state = self.state.lock().unwrap();
        (state.left, state.death) = (Some(at), Some(death));
    }

    pub(crate) fn disarm(&self) {
        let mut state = self.state.lock().unwrap();
        *state = State { last_call: std::mem::take(&mut state.last_call), ..State::default() };
    }

    pub(crate) fn last_call(&self) -> String {
        self.state.lock().unwrap().last_call.clone()
    }

    pub(crate) async fn blown(&self) {
        loop {
            let notified = self.blown.notified();
            if self.state.lock().unwrap().dead {
                return;
            }
            notified.await;
        }
    }

    /// Makes a call that takes effect at once, unless the process dies before it; does not return when it dies.
    pub(crate) async fn call<T>(&self, name: &str, effect: impl FnOnce() -> T) -> T {
        let death = self.burn(name);
        if death == Some(Death::BeforeTheCall) {
            self.die().await;
        }
        let result = effect();
        if death == Some(Death::AfterTheCall) {
            self.die().await;
        }
        result
    }

    /// The death that comes with this call. Once dead, every further call dies before it does anything.
    fn burn(&self, name: &str) -> Option<Death> {
        let mut state = self.state.lock().unwrap();
        let left = state.left?;
        state.left = Some(left.saturating_sub(1));
        match left {
            0 => Some(Death::BeforeTheCall),
            1 => {
                state.last_call = name.to_owned();
                state.death
            }
            _ => None,
        }
    }

    async fn die(&self) {
        self.state.lock().unwrap().dead = true;
        self.blown.notify_one();
        std::future::pending::<()>().await;
    }
}
