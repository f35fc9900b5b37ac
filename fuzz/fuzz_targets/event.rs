//! Any frame of the event stream is read or refused with a reason, and what is yielded names what it is about.
#![no_main]

use libfuzzer_sys::fuzz_target;
use warroom_mattermost::{StreamEvent, read_frame};

fuzz_target!(|text: &str| {
    let event = match read_frame(text, Some("wbb8h5beiif5br1e1dbn4n8y7r")) {
        Ok(Some(event)) => event,
        Ok(None) => return,
        Err(reason) => return assert!(!reason.is_empty()),
    };
    match &event {
        StreamEvent::Posted(posted) => {
            assert!(!posted.post.id.is_empty());
            // Each text of the post is there once, and nothing is made up.
            assert!(posted.post.text().starts_with(&posted.post.message));
            assert!(posted.post.text().ends_with(&posted.post.attachments_text()));
        }
        StreamEvent::ChannelClosed { channel_id }
        | StreamEvent::ChannelReopened { channel_id }
        | StreamEvent::ChannelCreated { channel_id, .. }
        | StreamEvent::ChannelRenamed { channel_id }
        | StreamEvent::BotAdded { channel_id, .. }
        | StreamEvent::BotRemoved { channel_id } => assert!(!channel_id.is_empty()),
        StreamEvent::TeamLeft { team_id } => assert!(!team_id.is_empty()),
        StreamEvent::PostDeleted { post_id } => assert!(!post_id.is_empty()),
        StreamEvent::Connected { .. } | StreamEvent::Lost { .. } | StreamEvent::Refused { .. } => {
            panic!("no frame says so: {event:?}")
        }
    }
    // Without the bot's id, nothing happens to the bot, and all else is the same.
    let about_bot = matches!(
        event,
        StreamEvent::BotAdded { .. } | StreamEvent::BotRemoved { .. } | StreamEvent::TeamLeft { .. }
    );
    assert_eq!(read_frame(text, None), Ok((!about_bot).then_some(event)));
});
