//! Replays what a real server did: in the same situation the simulator must give the same status, the same error id and
//! the same keys with the same JSON types, over REST, in callbacks and in events.

mod forms;
mod player;
mod rates;
mod recordings;
mod rest;
mod streams;

use recordings::{Replayed, wanted};

#[tokio::test]
async fn everything_recorded_happens_here_too() {
    let mut replayed = Replayed::new();
    replayed.extend(rest::replay().await);
    replayed.extend(streams::replay_requests().await);
    replayed.extend(streams::replay_reconnects().await);
    replayed.extend(rates::replay().await);
    assert_eq!(replayed, wanted());
}
