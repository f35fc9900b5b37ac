//! Looks whether the bot can still use the channels that incidents made.

use crate::chat::{MattermostChat, chat_error, is_everywhere};
use std::collections::{BTreeSet, HashSet};
use warroom_engine::{Channel, Loss};
use warroom_mattermost::ApiError;
use warroom_runner::ChatError;

/// What keeps the bot from using the channels, in their order. One call per team lists those that are fine; only the others are
/// looked at one by one. What cannot be looked at hides nothing of the others, unless the server is away.
pub(crate) async fn losses(
    chat: &MattermostChat,
    channels: &[Channel],
) -> Vec<Result<Option<Loss>, ChatError>> {
    let teams: BTreeSet<&str> = channels.iter().map(|channel| channel.team_id.as_str()).collect();
    let mut usable: HashSet<String> = HashSet::new();
    for team in teams {
        match chat.timed(chat.client.channels_of_me(team)).await {
            Ok(listed) => {
                usable.extend(listed.into_iter().filter(|known| !known.is_archived()).map(|known| known.id));
            }
            Err(error) if is_everywhere(&chat.client, &error).await => {
                return channels.iter().map(|_| Err(chat_error(error.clone()))).collect();
            }
            // Not on the team any more, or the list cannot be read: each of its channels is looked at.
            Err(_) => {}
        }
    }
    let (mut losses, mut away) = (Vec::with_capacity(channels.len()), None);
    for channel in channels {
        losses.push(match &away {
            _ if usable.contains(&channel.id) => Ok(None),
            Some(error) => Err(chat_error(ApiError::clone(error))),
            None => match loss(chat, &channel.id).await {
                Ok(loss) => Ok(loss),
                Err(error) => {
                    away = is_everywhere(&chat.client, &error).await.then(|| error.clone());
                    Err(chat_error(error))
                }
            },
        });
    }
    losses
}

async fn loss(chat: &MattermostChat, channel_id: &str) -> Result<Option<Loss>, ApiError> {
    let channel = match chat.timed(chat.client.channel_by_id(channel_id)).await {
        Err(error) if error.status() == Some(403) => return Ok(Some(Loss::Removed)),
        Err(error) if error.status() == Some(404) => return Ok(Some(Loss::Gone)),
        channel => channel?,
    };
    if channel.is_archived() {
        return Ok(Some(Loss::Archived));
    }
    // It may have been joined since it was listed.
    match chat.timed(chat.client.channel_member(channel_id, &chat.bot.id)).await {
        Ok(_) => Ok(None),
        Err(error) if matches!(error.status(), Some(403 | 404)) => Ok(Some(Loss::Removed)),
        Err(error) => Err(error),
    }
}
