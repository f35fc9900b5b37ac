//! A chat server in memory that outlives the processes that call it.

use crate::fuse::Fuse;
use async_trait::async_trait;
use serde_json::{Map, Value};
use std::collections::BTreeSet;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::sync::oneshot;
use warroom_engine::{Channel, Loss, Person};
use warroom_runner::{
    Chat, ChatError, ChatErrorKind, FoundChannel, IncomingPost, NewChannel, RenderedPost, Search,
};

pub(crate) struct MemoryChat {
    state: Mutex<State>,
    fuse: Arc<Fuse>,
    bot: Person,
    /// How long after a post is written its writer is answered, in milliseconds.
    pub(crate) answer_ms: AtomicU64,
    /// How many of the next posts find nobody who takes them.
    pub(crate) not_now: AtomicU32,
    /// How many of the next posts are written, and their writer is told of a failure.
    pub(crate) unanswered: AtomicU32,
    /// The server fails at posts that say this.
    pub(crate) breaks_at: Mutex<Option<String>>,
    /// How often it did.
    pub(crate) broken: AtomicU32,
    /// The channel where the bot may not write.
    pub(crate) closed: Mutex<Option<String>>,
    /// The channel where operators want to be told.
    pub(crate) operators: Mutex<Option<String>>,
    /// The next post is written, and its writer answered once somebody says so.
    pub(crate) post_answered: Mutex<Option<oneshot::Receiver<()>>>,
    /// Whether a post carries a stamp is told the next time once somebody says so.
    pub(crate) stamp_told: Mutex<Option<oneshot::Receiver<()>>>,
    /// How often it was not let.
    pub(crate) refused: AtomicU32,
    /// How often a post was looked for.
    pub(crate) searched: AtomicU32,
    /// How often a name was looked up.
    pub(crate) looked_up: AtomicU32,
    /// How often somebody was added to a channel, or was to be.
    pub(crate) added: AtomicU32,
    /// How many of the next pins end in a defect of this program.
    pub(crate) panics: AtomicU32,
}

#[derive(Default)]
struct State {
    rooms: Vec<Room>,
    posts: Vec<Post>,
    pinned: BTreeSet<String>,
}

#[derive(Clone)]
pub(crate) struct Room {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) archived: bool,
    pub(crate) members: BTreeSet<String>,
}

struct Post {
    id: String,
    channel_id: String,
    stamp: String,
    rendered: RenderedPost,
}

fn error(kind: ChatErrorKind, message: &str) -> ChatError {
    ChatError { kind, message: message.to_owned(), retry_after_ms: None }
}

/// Whether one was left, which is taken.
fn less(left: &AtomicU32) -> bool {
    left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1)).is_ok()
}

impl Room {
    fn channel(&self) -> Channel {
        Channel {
            id: self.id.clone(),
            name: self.name.clone(),
            display_name: self.name.clone(),
            team_id: "team".into(),
        }
    }
}

impl MemoryChat {
    pub(crate) fn new(fuse: Arc<Fuse>) -> MemoryChat {
        MemoryChat {
            state: Mutex::default(),
            fuse,
            bot: Person { id: "bot".into(), username: "warroom".into() },
            answer_ms: AtomicU64::new(0),
            not_now: AtomicU32::new(0),
            unanswered: AtomicU32::new(0),
            breaks_at: Mutex::default(),
            broken: AtomicU32::new(0),
            closed: Mutex::default(),
            operators: Mutex::default(),
            post_answered: Mutex::default(),
            stamp_told: Mutex::default(),
            refused: AtomicU32::new(0),
            searched: AtomicU32::new(0),
            looked_up: AtomicU32::new(0),
            added: AtomicU32::new(0),
            panics: AtomicU32::new(0),
        }
    }

    fn let_in(&self, channel_id: &str) -> Result<(), ChatError> {
        if self.closed.lock().unwrap().as_deref() == Some(channel_id) {
            self.refused.fetch_add(1, Ordering::Relaxed);
            return Err(error(ChatErrorKind::Denied, "the bot may not write there"));
        }
        Ok(())
    }

    pub(crate) fn only_room(&self, after: &str) -> Room {
        let state = self.state.lock().unwrap();
        assert_eq!(state.rooms.len(), 1, "{after}");
        state.rooms[0].clone()
    }

    pub(crate) fn messages(&self, channel_id: &str) -> Vec<String> {
        let state = self.state.lock().unwrap();
        let of_channel = state.posts.iter().filter(|post| post.channel_id == channel_id);
        of_channel.map(|post| post.rendered.message.clone()).collect()
    }

    pub(crate) fn has_no_room(&self) -> bool {
        self.state.lock().unwrap().rooms.is_empty()
    }

    /// Whether some post says this.
    pub(crate) fn says(&self, part: &str) -> bool {
        self.state.lock().unwrap().posts.iter().any(|post| post.rendered.message.contains(part))
    }

    pub(crate) fn controls_left(&self) -> usize {
        let state = self.state.lock().unwrap();
        state
            .posts
            .iter()
            .flat_map(|post| &post.rendered.sections)
            .map(|section| section.controls.len())
            .sum()
    }

    /// The newest post that shows a control with this label: its id, its channel, and the control's context.
    pub(crate) fn newest_with(&self, label: &str) -> Option<(String, String, Map<String, Value>)> {
        let (id, channel_id) = {
            let state = self.state.lock().unwrap();
            let shows = |post: &&Post| {
                post.rendered
                    .sections
                    .iter()
                    .flat_map(|section| &section.controls)
                    .any(|control| control.label == label)
            };
            let post = state.posts.iter().rev().find(shows)?;
            (post.id.clone(), post.channel_id.clone())
        };
        let context = self.control(&id, label)?;
        Some((id, channel_id, context))
    }

    /// Writes the post once more, and gives the id of the other one.
    pub(crate) fn copy(&self, post_id: &str) -> String {
        let mut state = self.state.lock().unwrap();
        let post = state.posts.iter().find(|post| post.id == post_id).unwrap();
        let (channel_id, stamp, rendered) =
            (post.channel_id.clone(), post.stamp.clone(), post.rendered.clone());
        let id = format!("post-{}", state.posts.len() + 1);
        state.posts.push(Post { id: id.clone(), channel_id, stamp, rendered });
        id
    }

    /// Writes a post that the bot knows nothing of, and gives its id.
    pub(crate) fn post_as_somebody(&self, channel_id: &str) -> String {
        let mut state = self.state.lock().unwrap();
        let id = format!("post-{}", state.posts.len() + 1);
        let (channel_id, stamp, rendered) = (channel_id.to_owned(), String::new(), RenderedPost::default());
        state.posts.push(Post { id: id.clone(), channel_id, stamp, rendered });
        id
    }

    /// The context of the control with this label.
    pub(crate) fn control(&self, post_id: &str, label: &str) -> Option<Map<String, Value>> {
        let state = self.state.lock().unwrap();
        let post = state.posts.iter().find(|post| post.id == post_id)?;
        let mut controls = post.rendered.sections.iter().flat_map(|section| &section.controls);
        controls.find(|control| control.label == label)?.context.as_object().cloned()
    }
}

#[async_trait]
impl Chat for MemoryChat {
    async fn answers(&self) -> bool {
        true
    }

    async fn operators_channel(&self) -> Result<Option<String>, ChatError> {
        Ok(self.operators.lock().unwrap().clone())
    }

    fn bot(&self) -> &Person {
        &self.bot
    }

    async fn find_team(&self, _name: &str) -> Result<Option<String>, ChatError> {
        Ok(None)
    }

    async fn find_channel(&self, _team_id: &str, name: &str) -> Result<Option<Channel>, ChatError> {
        let find = || {
            if name == "Town Square" || name == "town-square" {
                return Ok(Some(Channel {
                    id: "town".into(),
                    name: "town-square".into(),
                    display_name: "Town Square".into(),
                    team_id: "team".into(),
                }));
            }
            let state = self.state.lock().unwrap();
            Ok(state.rooms.iter().find(|room| room.name == name && !room.archived).map(Room::channel))
        };
        self.fuse.call("chat find_channel", find).await
    }

    async fn channel_by_handle(
        &self,
        _team_id: &str,
        handle: &str,
    ) -> Result<Option<FoundChannel>, ChatError> {
        let find = || {
            self.looked_up.fetch_add(1, Ordering::Relaxed);
            let state = self.state.lock().unwrap();
            let found = state.rooms.iter().find(|room| room.name == handle);
            Ok(found.map(|room| FoundChannel {
                channel: room.channel(),
                creator_id: "bot".into(),
                archived: room.archived,
            }))
        };
        self.fuse.call("chat channel_by_handle", find).await
    }

    async fn channel_by_id(&self, _channel_id: &str) -> Result<Option<Channel>, ChatError> {
        Ok(None)
    }

    async fn create_channel(&self, new: &NewChannel) -> Result<Channel, ChatError> {
        let create = || {
            let mut state = self.state.lock().unwrap();
            if state.rooms.iter().any(|room| room.name == new.name) {
                return Err(error(ChatErrorKind::Conflict, "the name is taken"));
            }
            let id = format!("room-{}", state.rooms.len());
            let members = BTreeSet::from(["bot".to_owned()]);
            let room = Room { id, name: new.name.clone(), archived: false, members };
            state.rooms.push(room.clone());
            Ok(room.channel())
        };
        self.fuse.call("chat create_channel", create).await
    }

    async fn archive_channel(&self, channel_id: &str) -> Result<(), ChatError> {
        let archive = || {
            let mut state = self.state.lock().unwrap();
            let room = state.rooms.iter_mut().find(|room| room.id == channel_id);
            room.map(|room| room.archived = true)
                .ok_or_else(|| error(ChatErrorKind::NotFound, "no such channel"))
        };
        self.fuse.call("chat archive_channel", archive).await
    }

    async fn find_users(&self, names: &[String]) -> Result<(Vec<Person>, Vec<String>), ChatError> {
        self.looked_up.fetch_add(1, Ordering::Relaxed);
        let person = |name: &String| Person { id: format!("id-{name}"), username: name.clone() };
        self.fuse.call("chat find_users", || Ok((names.iter().map(person).collect(), Vec::new()))).await
    }

    async fn add_member(&self, channel_id: &str, user_id: &str) -> Result<(), ChatError> {
        let add = || {
            self.added.fetch_add(1, Ordering::Relaxed);
            let mut state = self.state.lock().unwrap();
            let room = state.rooms.iter_mut().find(|room| room.id == channel_id);
            let room = room.ok_or_else(|| error(ChatErrorKind::NotFound, "no such channel"))?;
            room.members.insert(user_id.to_owned());
            Ok(())
        };
        self.fuse.call("chat add_member", add).await
    }

    async fn create_post(
        &self,
        channel_id: &str,
        stamp: &str,
        post: &RenderedPost,
    ) -> Result<String, ChatError> {
        if less(&self.not_now) {
            return Err(error(ChatErrorKind::Unreachable, "not now"));
        }
        if self.breaks_at.lock().unwrap().as_ref().is_some_and(|part| post.message.contains(part)) {
            self.broken.fetch_add(1, Ordering::Relaxed);
            return Err(error(ChatErrorKind::Unavailable, "the server fails at that"));
        }
        self.let_in(channel_id)?;
        let create = || {
            let mut state = self.state.lock().unwrap();
            if state.rooms.iter().any(|room| room.id == channel_id && room.archived) {
                return Err(error(ChatErrorKind::Conflict, "the channel is archived"));
            }
            let id = format!("post-{}", state.posts.len() + 1);
            state.posts.push(Post {
                id: id.clone(),
                channel_id: channel_id.to_owned(),
                stamp: stamp.to_owned(),
                rendered: post.clone(),
            });
            Ok(id)
        };
        let result = self.fuse.call(&format!("chat create_post {:?}", post.message), create).await;
        let answered = self.post_answered.lock().unwrap().take();
        if let Some(answered) = answered {
            answered.await.unwrap();
        }
        tokio::time::sleep(Duration::from_millis(self.answer_ms.load(Ordering::Relaxed))).await;
        if less(&self.unanswered) {
            return Err(error(ChatErrorKind::Unavailable, "the answer is lost"));
        }
        result
    }

    async fn find_post(&self, channel_id: &str, stamp: &str, _since_ms: u64) -> Result<Search, ChatError> {
        let find = || {
            self.searched.fetch_add(1, Ordering::Relaxed);
            let state = self.state.lock().unwrap();
            let mut posts = state.posts.iter();
            let found = posts.find(|post| post.channel_id == channel_id && post.stamp == stamp);
            Ok(found.map_or(Search::Absent, |post| Search::Found(post.id.clone())))
        };
        self.fuse.call("chat find_post", find).await
    }

    async fn update_post(&self, post_id: &str, _stamp: &str, post: &RenderedPost) -> Result<(), ChatError> {
        let update = || {
            let mut state = self.state.lock().unwrap();
            let known = state.posts.iter_mut().find(|known| known.id == post_id);
            let known = known.ok_or_else(|| error(ChatErrorKind::NotFound, "no such post"))?;
            self.let_in(&known.channel_id)?;
            known.rendered = post.clone();
            Ok(())
        };
        self.fuse.call("chat update_post", update).await
    }

    async fn has_stamp(&self, post_id: &str, channel_id: &str, stamp: &str) -> Result<bool, ChatError> {
        let told = self.stamp_told.lock().unwrap().take();
        if let Some(told) = told {
            told.await.unwrap();
        }
        let state = self.state.lock().unwrap();
        let is_it = |post: &Post| post.id == post_id && post.channel_id == channel_id && post.stamp == stamp;
        Ok(state.posts.iter().any(is_it))
    }

    async fn shows_post(&self, post_id: &str, _stamp: &str, post: &RenderedPost) -> Result<bool, ChatError> {
        let state = self.state.lock().unwrap();
        Ok(state.posts.iter().any(|known| known.id == post_id && known.rendered == *post))
    }

    async fn pin_post(&self, post_id: &str, is_pinned: bool) -> Result<(), ChatError> {
        assert!(!less(&self.panics), "a defect, as a test wants it");
        let pin = || {
            let mut state = self.state.lock().unwrap();
            if is_pinned {
                state.pinned.insert(post_id.to_owned());
            } else {
                state.pinned.remove(post_id);
            }
            Ok(())
        };
        self.fuse.call("chat pin_post", pin).await
    }

    async fn read_post(&self, _post_id: &str) -> Result<Option<IncomingPost>, ChatError> {
        Ok(None)
    }

    async fn losses(&self, channels: &[Channel]) -> Vec<Result<Option<Loss>, ChatError>> {
        channels.iter().map(|_| Ok(None)).collect()
    }

    async fn is_member(&self, channel_id: &str, user_id: &str) -> Result<bool, ChatError> {
        let state = self.state.lock().unwrap();
        Ok(channel_id == "town"
            || state.rooms.iter().any(|room| room.id == channel_id && room.members.contains(user_id)))
    }

    async fn is_in_group(&self, _group: &str, _person: &Person) -> Result<bool, ChatError> {
        Ok(false)
    }

    async fn is_administrator(&self, _user_id: &str) -> Result<bool, ChatError> {
        Ok(false)
    }
}
