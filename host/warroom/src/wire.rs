//! A rendered post, as Mattermost takes it.

use serde_json::{Map, Value, json};
use warroom_mattermost as mm;
use warroom_runner::{ControlKind, RenderedControl, RenderedPost, Section};
use warroom_sandbox::Digest;

/// Where Mattermost sends clicks and choices, below the callback address.
pub(crate) const ACTION_PATH: &str = "/callbacks/action";

/// The property of a post that holds its stamp. Guests cannot set properties, so nobody but the host writes it.
pub(crate) const STAMP: &str = "warroom_stamp";

/// The property of a post that says how it looks, so that nobody must compare what the server made of it.
pub(crate) const LOOK: &str = "warroom_look";

/// A post's message and properties, as the server takes them.
pub(crate) fn wire(callback_url: &str, stamp: &str, post: &RenderedPost) -> (String, Map<String, Value>) {
    let mut props = Map::new();
    props.insert(STAMP.to_owned(), Value::String(stamp.to_owned()));
    // The server sets this when a bot posts, and forgets it when the properties are replaced.
    props.insert("from_bot".to_owned(), Value::String("true".to_owned()));
    if !post.sections.is_empty() {
        let attachments: Vec<mm::Attachment> =
            post.sections.iter().map(|section| attachment(callback_url, section)).collect();
        // Attachments are plain data: they always encode.
        props.insert("attachments".to_owned(), serde_json::to_value(attachments).unwrap_or_default());
    }
    let look = json!({ "message": post.message, "props": props });
    props.insert(LOOK.to_owned(), Value::String(Digest::of(look.to_string().as_bytes()).to_string()));
    (post.message.clone(), props)
}

fn attachment(callback_url: &str, section: &Section) -> mm::Attachment {
    mm::Attachment {
        title: section.title.clone(),
        text: section.text.clone(),
        fallback: section.title.clone(),
        actions: section.controls.iter().map(|control| action(callback_url, control)).collect(),
        ..mm::Attachment::default()
    }
}

fn action(callback_url: &str, control: &RenderedControl) -> mm::AttachmentAction {
    let (kind, options, chosen) = match &control.kind {
        ControlKind::Button => (mm::ActionKind::Button, Vec::new(), None),
        ControlKind::Menu { options, chosen } => {
            let option = |text: &String| mm::ActionOption { text: text.clone(), value: text.clone() };
            (mm::ActionKind::Select, options.iter().map(option).collect(), chosen.clone())
        }
    };
    let context = match &control.context {
        Value::Object(context) => context.clone(),
        _ => Map::new(),
    };
    mm::AttachmentAction {
        id: control.id.clone(),
        name: control.label.clone(),
        kind,
        style: String::new(),
        options,
        default_option: chosen.unwrap_or_default(),
        integration: Some(mm::Integration { url: format!("{callback_url}{ACTION_PATH}"), context }),
    }
}
