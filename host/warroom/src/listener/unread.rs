//! Channels that could not be read: which of them are tried again, which are given up for now, and in what order.

use super::TRIES;
use std::collections::HashMap;
use warroom_mattermost::{ApiError, Channel};

/// How many channels may fail while none is read, and are believed to be what fails.
const FEW: usize = 2;
/// How often in a row many fail and none is read before each counts as failing.
const BARREN_MAX: u32 = 7;
/// How many channels that failed are tried again together.
const AGAIN_AT_ONCE: usize = 8;

/// Channels that could not be read when they were read last.
#[derive(Default)]
pub(crate) struct Unread {
    /// By id.
    channels: HashMap<String, Failing>,
    /// How often a channel could not be read, ever.
    failures: u64,
    /// Whether what fails in this round is to blame itself: another channel could be read, or all were tried long ago.
    is_theirs: bool,
    /// How often in a row many could not in this round, and none could.
    barren: u32,
}

struct Failing {
    channel: Channel,
    /// How often it was tried, as far as that tells something about it.
    tries: u32,
    /// When it was tried last, in the order of all tries.
    tried: u64,
}

/// What comes of channels that could not be read.
#[derive(Default)]
pub(super) struct Judged {
    /// The error of one that is worth another try at once.
    pub(super) again: Option<ApiError>,
    /// The ids of those that wait for a better time.
    pub(super) waiting: Vec<String>,
    /// Those of them that begin to wait.
    pub(super) hopeless: Vec<(Channel, ApiError)>,
}

impl Unread {
    /// Whether every channel can be read.
    pub(super) fn is_empty(&self) -> bool {
        self.channels.is_empty()
    }

    pub(super) fn len(&self) -> usize {
        self.channels.len()
    }

    /// Begins a round of reading: what the last one came to says nothing about this one.
    pub(super) fn begin_round(&mut self) {
        self.is_theirs = false;
        self.barren = 0;
    }

    /// Begins a round with channels that failed in earlier ones, after a while: the server had its time to mend.
    pub(super) fn begin_late_round(&mut self) {
        self.begin_round();
        self.is_theirs = true;
    }

    /// Some of the channels, those first that were tried least recently.
    pub(super) fn next(&self) -> Vec<Channel> {
        let mut failing: Vec<&Failing> = self.channels.values().collect();
        failing.sort_by_key(|failing| failing.tried);
        failing.into_iter().take(AGAIN_AT_ONCE).map(|failing| failing.channel.clone()).collect()
    }

    /// The channel was not read yet, through no fault of its own.
    pub(super) fn postponed(&mut self, channel: Channel) {
        self.channels.entry(channel.id.clone()).or_insert(Failing { channel, tries: 0, tried: 0 });
    }

    /// The channel was read. Where nothing was posted, the server need not have been asked; that tells nothing of the others.
    pub(super) fn read(&mut self, channel_id: &str, was_asked: bool) {
        self.is_theirs |= was_asked;
        self.channels.remove(channel_id);
    }

    /// These could not be read, after those that could were taken out. Channels that fail again and again wait for a better time.
    pub(super) fn failed(&mut self, failed: Vec<(Channel, ApiError)>) -> Judged {
        // Where many fail and none is read it is the server, for a while, and not they.
        let is_theirs = self.is_theirs || failed.len() <= FEW;
        self.barren += u32::from(!is_theirs);
        let counts = is_theirs || self.barren > BARREN_MAX;
        let mut judged = Judged::default();
        for (channel, error) in failed {
            self.failures += 1;
            self.postponed(channel.clone());
            let Some(failing) = self.channels.get_mut(&channel.id) else { continue };
            failing.tried = self.failures;
            failing.tries = failing.tries.saturating_add(u32::from(counts));
            if failing.tries < TRIES {
                judged.again = Some(error);
                continue;
            }
            judged.waiting.push(channel.id.clone());
            if counts && failing.tries == TRIES {
                judged.hopeless.push((channel, error));
            }
        }
        judged
    }

    /// Forgets the channels that the bot does not listen to any more; gives their ids.
    pub(super) fn forget_unless(&mut self, is_heard: impl Fn(&Channel) -> bool) -> Vec<String> {
        let gone = self.channels.values().filter(|failing| !is_heard(&failing.channel));
        let gone: Vec<String> = gone.map(|failing| failing.channel.id.clone()).collect();
        self.channels.retain(|id, _| !gone.contains(id));
        gone
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use warroom_mattermost::ApiErrorKind;

    fn failing(ids: &[&str]) -> Vec<(Channel, ApiError)> {
        let error = || ApiError { doing: "read".into(), kind: ApiErrorKind::Interrupted("cut".into()) };
        ids.iter().map(|id| (Channel { id: (*id).to_owned(), ..Channel::default() }, error())).collect()
    }

    fn ids(channels: Vec<Channel>) -> Vec<String> {
        channels.into_iter().map(|channel| channel.id).collect()
    }

    #[test]
    fn a_channel_that_fails_again_and_again_waits_and_is_told_once() {
        let mut unread = Unread::default();
        for _ in 1..TRIES {
            let judged = unread.failed(failing(&["a"]));
            assert!(judged.again.is_some() && judged.waiting.is_empty());
        }
        let judged = unread.failed(failing(&["a"]));
        assert!(judged.again.is_none());
        assert_eq!((judged.waiting, judged.hopeless.len()), (vec!["a".to_owned()], 1));
        let judged = unread.failed(failing(&["a"]));
        assert_eq!((judged.waiting, judged.hopeless.len()), (vec!["a".to_owned()], 0));
        unread.read("a", true);
        assert!(unread.is_empty());
        assert!(unread.failed(failing(&["a"])).again.is_some(), "it begins anew");
    }

    #[test]
    fn many_that_fail_together_are_the_servers_trouble_for_a_while() {
        let mut unread = Unread::default();
        for _ in 0..BARREN_MAX {
            assert!(unread.failed(failing(&["a", "b", "c"])).waiting.is_empty());
        }
        for _ in 1..TRIES {
            assert!(unread.failed(failing(&["a", "b", "c"])).waiting.is_empty());
        }
        assert_eq!(unread.failed(failing(&["a", "b", "c"])).waiting, ["a", "b", "c"]);
    }

    #[test]
    fn many_that_fail_while_another_is_read_are_to_blame_themselves() {
        let mut unread = Unread::default();
        unread.read("quiet", false);
        unread.read("town", true);
        for _ in 1..TRIES {
            assert!(unread.failed(failing(&["a", "b", "c"])).waiting.is_empty());
        }
        assert_eq!(unread.failed(failing(&["a", "b", "c"])).waiting.len(), 3);
        unread.begin_round();
        let judged = unread.failed(failing(&["d", "e", "f"]));
        assert!(judged.again.is_some() && judged.waiting.is_empty());
    }

    #[test]
    fn channels_where_nothing_was_posted_tell_nothing_of_the_others() {
        let mut unread = Unread::default();
        for _ in 0..BARREN_MAX {
            unread.read("quiet", false);
            assert!(unread.failed(failing(&["a", "b", "c"])).waiting.is_empty());
        }
    }

    #[test]
    fn what_fails_at_every_later_look_is_told_once_however_many_they_are() {
        let mut unread = Unread::default();
        for (channel, _) in failing(&["a", "b", "c"]) {
            unread.postponed(channel);
        }
        let mut told = 0;
        for _ in 0..3 * TRIES {
            unread.begin_late_round();
            told += unread.failed(failing(&["a", "b", "c"])).hopeless.len();
        }
        assert_eq!(told, 3);
    }

    #[test]
    fn what_was_tried_last_comes_last() {
        let mut unread = Unread::default();
        let names: Vec<String> = (0..=AGAIN_AT_ONCE).map(|n| format!("c{n}")).collect();
        let all: Vec<&str> = names.iter().map(String::as_str).collect();
        unread.failed(failing(&all));
        assert_eq!(ids(unread.next()), all[..AGAIN_AT_ONCE]);
        unread.failed(failing(&all[..AGAIN_AT_ONCE]));
        assert_eq!(ids(unread.next())[0], all[AGAIN_AT_ONCE], "it was not tried the last time");
        unread.postponed(failing(&["new"]).remove(0).0);
        assert_eq!(ids(unread.next())[0], "new");
    }

    #[test]
    fn what_is_not_listened_to_is_forgotten() {
        let mut unread = Unread::default();
        unread.failed(failing(&["a", "b"]));
        assert_eq!(unread.forget_unless(|channel| channel.id == "b"), ["a"]);
        assert_eq!(ids(unread.next()), ["b"]);
    }
}
