//! Lists of a channel's posts.

use serde_json::{Map, Value, json};

use crate::call::{Answer, Call, Outcome};
use crate::errors::ApiError;
use crate::posts::Post;
use crate::world::World;

/// The most that `since` gives, as on the real server.
const SINCE_MAX: usize = 1_000;

/// `GET /channels/{id}/posts`, by page, or `since` a time, or `after` or `before` a post. Newest first.
pub(crate) fn list(world: &mut World, call: &Call) -> Outcome {
    let channel_id = call.id(0, "channel_id")?;
    // Unlike a single post, for which to be on the team is enough.
    if !world.may_act_in(&call.caller, &channel_id) {
        return Err(ApiError::forbidden());
    }
    if let Some(since) = call.query("since") {
        let since: i64 = since.parse().map_err(|_| ApiError::url("since"))?;
        return Ok(Answer::ok(changed_since(world, &channel_id, since)?));
    }
    let live = live(world, &channel_id)?;
    let (skip, take) = call.page();
    // Times are compared, as on the real server: also that of a post that was deleted, and not the order within a millisecond.
    let time_of = |id: &str| world.posts.get(id).map(|post| post.create_at);
    let range = if let Some(id) = call.query("after") {
        // An unknown post has nothing after it, nor before it.
        let start = time_of(id).map_or(live.len(), |at| live.partition_point(|post| post.create_at <= at));
        let start = start.saturating_add(skip).min(live.len());
        start..start.saturating_add(take).min(live.len())
    } else {
        let end = match call.query("before") {
            Some(id) => time_of(id).map_or(0, |at| live.partition_point(|post| post.create_at < at)),
            None => live.len(),
        };
        let end = end.saturating_sub(skip);
        end.saturating_sub(take)..end
    };
    let id_at = |at: Option<usize>| at.and_then(|at| live.get(at)).map_or("", |post| post.id.as_str());
    let (previous, next) =
        if range.is_empty() { ("", "") } else { (id_at(range.start.checked_sub(1)), id_at(Some(range.end))) };
    let shown: Vec<&Post> = live.get(range.clone()).unwrap_or_default().iter().rev().copied().collect();
    Ok(Answer::ok(page(world, &shown, previous, next)))
}

/// The posts that are neither deleted nor old revisions, oldest first.
pub(crate) fn live<'a>(world: &'a World, channel_id: &str) -> Result<Vec<&'a Post>, ApiError> {
    let timeline = &world.channel(channel_id)?.timeline;
    Ok(timeline.iter().filter_map(|id| world.posts.get(id)).filter(|post| post.delete_at == 0).collect())
}

/// Deleted posts and old revisions included: they changed, too.
fn changed_since(world: &World, channel_id: &str, since: i64) -> Result<Value, ApiError> {
    let timeline = &world.channel(channel_id)?.timeline;
    let mut changed: Vec<&Post> = timeline
        .iter()
        .rev()
        .filter_map(|id| world.posts.get(id))
        .filter(|post| post.update_at > since)
        .collect();
    changed.sort_by_key(|post| std::cmp::Reverse(post.create_at));
    changed.truncate(SINCE_MAX);
    Ok(page(world, &changed, "", ""))
}

fn page(world: &World, newest_first: &[&Post], previous: &str, next: &str) -> Value {
    let order: Vec<&str> = newest_first.iter().map(|post| post.id.as_str()).collect();
    let mut posts: Map<String, Value> =
        newest_first.iter().map(|post| (post.id.clone(), post.json(""))).collect();
    // A reply comes with the post that opened its thread.
    for root in newest_first.iter().filter_map(|post| world.posts.get(&post.root_id)) {
        posts.entry(root.id.clone()).or_insert_with(|| root.json(""));
    }
    json!({"order": order, "posts": posts, "next_post_id": next, "prev_post_id": previous})
}
