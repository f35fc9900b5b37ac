//! Looks whether the bot can still use the channels that incidents made.

use crate::chat::{MattermostChat, chat_error, found};
use std::collections::{BTreeSet, HashSet};
use warroom_engine::{Channel, Loss};
use warroom_runner::ChatError;

/// What keeps the bot from using the channels, in their order. One call per team lists those that are fine; only the others are
/// looked at one by one.
pub(crate) async fn losses(
    chat: &MattermostChat,
    channels: &[Channel],
) -> Result<Vec<Option<Loss>>, ChatError> {
    let teams: BTreeSet<&str> = channels.iter().map(|channel| channel.team_id.as_str()).collect();
    let mut usable: HashSet<String> = HashSet::new();
    for team in teams {
        match chat.timed(chat.client.channels_of_me(team)).await {
            Ok(listed) => {
                usable.extend(listed.into_iter().filter(|known| !known.is_archived()).map(|known| known.id));
            }
            // Not on the team any more: every channel of it is looked at, and found closed.
            Err(error) if error.status().is_some_and(|status| matches!(status, 403 | 404)) => {}
            Err(error) => return Err(chat_error(error)),
        }
    }
    let mut losses = Vec::with_capacity(channels.len());
    for channel in channels {
        losses.push(if usable.contains(&channel.id) { None } else { loss(chat, &channel.id).await? });
    }
    Ok(losses)
}

async fn loss(chat: &MattermostChat, channel_id: &str) -> Result<Option<Loss>, ChatError> {
    let looked_up = chat.timed(chat.client.channel_by_id(channel_id)).await;
    if looked_up.as_ref().is_err_and(|error| error.status() == Some(403)) {
        return Ok(Some(Loss::Removed));
    }
    let Some(channel) = found(looked_up)? else { return Ok(Some(Loss::Gone)) };
    if channel.is_archived() {
        return Ok(Some(Loss::Archived));
    }
    // It may have been joined since it was listed.
    let member = chat.timed(chat.client.channel_member(channel_id, &chat.bot.id)).await;
    if member.as_ref().is_err_and(|error| error.status() == Some(403)) {
        return Ok(Some(Loss::Removed));
    }
    Ok(if found(member)?.is_some() { None } else { Some(Loss::Removed) })
}
