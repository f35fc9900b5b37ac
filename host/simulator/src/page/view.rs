//! What the page shows: the world as one person sees it.

use askama::Template;

use super::clock;
use super::controls::{AttachmentView, attachments_of};
use super::markdown::{self, Links};
use crate::channels::{Channel, Kind};
use crate::posts::Post;
use crate::timeline;
use crate::users::User;
use crate::world::World;

/// Posts on the page: the newest of the channel.
const POSTS_MAX: usize = 200;
/// Colours for avatars in the style sheet.
const HUES: usize = 8;

/// The whole page.
#[derive(Template)]
#[template(path = "chat.html")]
pub(super) struct Chat {
    pub(super) team: String,
    pub(super) me: String,
    pub(super) people: Vec<PersonView>,
    pub(super) groups: Vec<GroupView>,
    pub(super) channel: HeadView,
    pub(super) posts: Vec<PostView>,
    pub(super) version: u64,
}

/// The parts of the page that change while somebody looks at it.
#[derive(Template)]
#[template(path = "fragment.html")]
pub(super) struct Fragment {
    pub(super) chat: Chat,
}

/// Somebody to act as.
pub(super) struct PersonView {
    pub(super) name: String,
    pub(super) initial: String,
    pub(super) hue: usize,
    pub(super) href: String,
    pub(super) current: bool,
}

/// Channels under one title.
pub(super) struct GroupView {
    pub(super) title: &'static str,
    pub(super) archived: bool,
    pub(super) channels: Vec<ChannelView>,
}

/// A channel in the list.
pub(super) struct ChannelView {
    pub(super) name: String,
    pub(super) display_name: String,
    pub(super) sign: &'static str,
    pub(super) href: String,
    pub(super) current: bool,
}

/// The channel that is open.
pub(super) struct HeadView {
    pub(super) id: String,
    pub(super) display_name: String,
    pub(super) sign: &'static str,
    pub(super) header_html: String,
    pub(super) members: String,
    pub(super) archived: bool,
    pub(super) member: bool,
}

/// A post; its text is HTML already.
pub(super) struct PostView {
    pub(super) id: String,
    pub(super) stamp: i64,
    pub(super) author: String,
    pub(super) initial: String,
    pub(super) hue: usize,
    pub(super) is_bot: bool,
    pub(super) is_system: bool,
    pub(super) is_whisper: bool,
    pub(super) is_reply: bool,
    pub(super) edited: bool,
    pub(super) iso: String,
    pub(super) time: String,
    pub(super) html: String,
    pub(super) attachments: Vec<AttachmentView>,
}

/// Address of the page for a person in a channel. User names and ids need no escaping.
pub(super) fn address(who: &str, channel_id: &str) -> String {
    format!("/?as={who}&channel={channel_id}")
}

impl Chat {
    /// The page as `who` sees the channel; the first person and the first channel if there is none such. `None` if there
    /// is nobody to act as.
    pub(super) fn of(world: &World, team_id: &str, who: &str, channel_id: &str) -> Option<Chat> {
        let mut people: Vec<&User> = world.users.values().filter(|user| user.bot.is_none()).collect();
        people.sort_by_key(|user| (user.admin, user.create_at));
        let me = people.iter().find(|user| user.username == who).or_else(|| people.first())?;
        let channels = visible(world, team_id, &me.id);
        let channel = channels
            .iter()
            .find(|channel| channel.id == channel_id)
            .or_else(|| channels.iter().find(|channel| channel.is_town_square()))?;
        let people = people.iter().map(|user| PersonView {
            name: user.username.clone(),
            initial: initial(&user.username),
            hue: hue(&user.username),
            href: address(&user.username, &channel.id),
            current: user.id == me.id,
        });
        Some(Chat {
            team: world.teams.get(team_id).map(|team| team.display_name.clone()).unwrap_or_default(),
            me: me.username.clone(),
            people: people.collect(),
            groups: groups(world, me, channel, &channels),
            channel: head(world, me, channel),
            posts: posts(world, me, channel),
            version: *world.version().borrow(),
        })
    }
}

fn visible<'a>(world: &'a World, team_id: &str, user_id: &str) -> Vec<&'a Channel> {
    let mut channels: Vec<&Channel> = world
        .channels
        .values()
        .filter(|channel| match channel.kind {
            Kind::Direct => channel.members.contains_key(user_id),
            Kind::Public | Kind::Private => channel.team_id == team_id && world.may_see(user_id, &channel.id),
        })
        .collect();
    channels.sort_by_cached_key(|channel| (channel.display_name.to_lowercase(), channel.create_at));
    channels
}

fn groups(world: &World, me: &User, open: &Channel, channels: &[&Channel]) -> Vec<GroupView> {
    let group = |title, wanted: &dyn Fn(&Channel) -> bool| GroupView {
        title,
        archived: title == "Archived",
        channels: channels
            .iter()
            .filter(|channel| wanted(channel))
            .map(|channel| ChannelView {
                name: channel.name.clone(),
                display_name: title_of(world, me, channel),
                sign: sign(channel.kind),
                href: address(&me.username, &channel.id),
                current: channel.id == open.id,
            })
            .collect(),
    };
    let groups = [
        group("Channels", &|channel| channel.delete_at == 0 && channel.kind != Kind::Direct),
        group("Direct messages", &|channel| channel.delete_at == 0 && channel.kind == Kind::Direct),
        group("Archived", &|channel| channel.delete_at != 0),
    ];
    groups.into_iter().filter(|group| !group.channels.is_empty()).collect()
}

fn sign(kind: Kind) -> &'static str {
    match kind {
        Kind::Public => "#",
        Kind::Private => "🔒",
        Kind::Direct => "@",
    }
}

/// A direct channel is called after the other person, a channel without a display name after its handle.
fn title_of(world: &World, me: &User, channel: &Channel) -> String {
    if channel.kind == Kind::Direct {
        let other = channel.members.keys().find(|id| **id != me.id);
        return world.username(other.unwrap_or(&me.id)).to_owned();
    }
    if channel.display_name.is_empty() { channel.name.clone() } else { channel.display_name.clone() }
}

fn head(world: &World, me: &User, channel: &Channel) -> HeadView {
    let mut members: Vec<&str> = channel.members.keys().map(|id| world.username(id)).collect();
    members.sort_unstable();
    HeadView {
        id: channel.id.clone(),
        display_name: title_of(world, me, channel),
        sign: sign(channel.kind),
        header_html: rich(world, me, channel, &channel.header),
        members: members.join(", "),
        archived: channel.delete_at != 0,
        member: world.may_act_in(&me.id, &channel.id),
    }
}

fn posts(world: &World, me: &User, channel: &Channel) -> Vec<PostView> {
    let live = timeline::live(world, &channel.id).unwrap_or_default();
    let newest = live.len().saturating_sub(POSTS_MAX);
    let whispers = world
        .ephemeral_posts
        .iter()
        .filter(|whisper| whisper.user_id == me.id && whisper.post.channel_id == channel.id)
        .map(|whisper| &whisper.post);
    let mut shown: Vec<&Post> = live.into_iter().skip(newest).chain(whispers).collect();
    shown.sort_by_key(|post| post.create_at);
    shown.into_iter().map(|post| post_view(world, me, channel, post)).collect()
}

fn post_view(world: &World, me: &User, channel: &Channel, post: &Post) -> PostView {
    let user = world.users.get(&post.user_id);
    let is_whisper = post.kind == "system_ephemeral";
    let override_name = post.props.get("override_username").and_then(serde_json::Value::as_str);
    let author = match override_name.filter(|name| !name.is_empty()) {
        _ if is_whisper || post.is_system() => "System",
        Some(name) => name,
        None => user.map_or("somebody", |user| user.username.as_str()),
    };
    let html = |text: &str| rich(world, me, channel, text);
    PostView {
        id: post.id.clone(),
        stamp: post.update_at,
        author: author.to_owned(),
        initial: initial(author),
        hue: hue(author),
        is_bot: !post.is_system() && (user.is_some_and(|user| user.bot.is_some()) || override_name.is_some()),
        is_system: post.is_system() && !is_whisper,
        is_whisper,
        is_reply: !post.root_id.is_empty() && !is_whisper,
        edited: post.edit_at != 0,
        iso: clock::iso(post.create_at),
        time: clock::hour_minute(post.create_at),
        html: html(&post.message),
        attachments: attachments_of(world, post, html),
    }
}

fn rich(world: &World, me: &User, channel: &Channel, text: &str) -> String {
    let links = Links {
        channel: &|name| {
            let found = world.channels.values().find(|other| {
                other.name == name && other.team_id == channel.team_id && world.may_see(&me.id, &other.id)
            })?;
            Some((address(&me.username, &found.id), title_of(world, me, found)))
        },
        person: &|name| world.user_named(name).is_some(),
    };
    markdown::html(text, &links)
}

fn initial(name: &str) -> String {
    name.chars().next().map(|c| c.to_uppercase().collect()).unwrap_or_default()
}

/// The same name has the same colour.
fn hue(name: &str) -> usize {
    name.bytes().fold(7_usize, |sum, byte| sum.wrapping_mul(31).wrapping_add(usize::from(byte))) % HUES
}
