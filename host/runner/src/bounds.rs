//! The sizes that one host call may have, as the contract says them. They are checked before anything else, and the same for a
//! call that is replayed.

use warroom_sandbox::{ActionError, Call, ChannelDraft, Controls, ErrorKind, FieldKind, PostDraft};

/// People named or added at once.
const PEOPLE_MAX: usize = 200;
/// A name that is looked up, in characters: no server has longer ones.
const NAME_CHARS_MAX: usize = 256;
/// A post's message, in characters; what the server takes.
const MESSAGE_CHARS_MAX: usize = 16_383;
/// A channel's handle, display name, header and purpose, in characters; what the server takes.
const HANDLE_CHARS_MAX: usize = 64;
const DISPLAY_NAME_CHARS_MAX: usize = 64;
const HEADER_CHARS_MAX: usize = 1_024;
const PURPOSE_CHARS_MAX: usize = 250;
/// Fields of a post, and transitions of a post.
const CONTROLS_MAX: usize = 50;
/// Options of a menu.
const OPTIONS_MAX: usize = 200;
/// A title, label, description, field's name or option, in characters.
const TEXT_CHARS_MAX: usize = 2_000;

/// Refuses a call that is larger than the contract lets it be.
pub(crate) fn check(call: &Call) -> Result<(), ActionError> {
    match call {
        Call::FindUsers { names } => {
            at_most("people", names.len(), PEOPLE_MAX)?;
            names.iter().try_for_each(|name| text("a name", name, NAME_CHARS_MAX))
        }
        Call::FindChannel { team, name } => {
            text("the team's name", team.as_deref().unwrap_or_default(), NAME_CHARS_MAX)?;
            text("the channel's name", name, NAME_CHARS_MAX)
        }
        Call::AddMembers { users, .. } => at_most("people", users.len(), PEOPLE_MAX),
        Call::CreateChannel(draft) => channel(draft),
        Call::CreatePost { draft, .. } => post(draft),
        Call::ArchiveChannel { channel_id } => text("the channel's id", channel_id, NAME_CHARS_MAX),
        Call::SendHttp(_) => Ok(()),
    }
}

/// Whether a post can say this.
pub(crate) fn fits_message(message: &str) -> bool {
    message.chars().count() <= MESSAGE_CHARS_MAX
}

/// The beginning of a message, as much as a post can say. It ends between words: half a mention would be somebody else's.
pub(crate) fn shortened(message: &str) -> String {
    let Some((end, _)) = message.char_indices().nth(MESSAGE_CHARS_MAX - 1) else { return message.to_owned() };
    let head = message.get(..end).unwrap_or_default();
    let head = head.rfind(char::is_whitespace).and_then(|at| head.get(..at)).unwrap_or(head);
    format!("{head}\u{2026}")
}

fn channel(draft: &ChannelDraft) -> Result<(), ActionError> {
    text("the channel's name", &draft.name, HANDLE_CHARS_MAX)?;
    text("the channel's display name", &draft.display_name, DISPLAY_NAME_CHARS_MAX)?;
    text("the channel's header", &draft.header, HEADER_CHARS_MAX)?;
    text("the channel's purpose", &draft.purpose, PURPOSE_CHARS_MAX)
}

fn post(draft: &PostDraft) -> Result<(), ActionError> {
    text("the message", &draft.message, MESSAGE_CHARS_MAX)?;
    draft.controls.as_ref().map_or(Ok(()), controls)
}

fn controls(controls: &Controls) -> Result<(), ActionError> {
    at_most("fields", controls.fields.len(), CONTROLS_MAX)?;
    at_most("transitions", controls.transitions.len(), CONTROLS_MAX)?;
    for title in [&controls.fields_title, &controls.transitions_title] {
        text("a title", title, TEXT_CHARS_MAX)?;
    }
    for field in &controls.fields {
        text("a field's name", &field.name, TEXT_CHARS_MAX)?;
        text("a field's description", &field.description, TEXT_CHARS_MAX)?;
        if let FieldKind::Menu(options) = &field.kind {
            at_most("options", options.len(), OPTIONS_MAX)?;
            options.iter().try_for_each(|option| text("an option", option, TEXT_CHARS_MAX))?;
        }
    }
    for offer in &controls.transitions {
        text("a transition's label", &offer.label, TEXT_CHARS_MAX)?;
        text("a transition's description", &offer.description, TEXT_CHARS_MAX)?;
    }
    Ok(())
}

fn at_most(what: &str, count: usize, max: usize) -> Result<(), ActionError> {
    if count <= max {
        Ok(())
    } else {
        Err(too_large(format!("{count} {what} in one call, and {max} are allowed")))
    }
}

fn text(what: &str, text: &str, max: usize) -> Result<(), ActionError> {
    let characters = text.chars().count();
    if characters <= max {
        return Ok(());
    }
    Err(too_large(format!("{what} has {characters} characters, and {max} are allowed")))
}

fn too_large(message: String) -> ActionError {
    ActionError { kind: ErrorKind::InvalidInput, message }
}

#[cfg(test)]
mod tests {
    use super::*;
    use warroom_sandbox::{Field, Transition};

    fn find(count: usize) -> Call {
        Call::FindUsers { names: vec!["jon".into(); count] }
    }

    fn message(characters: usize) -> Call {
        Call::CreatePost {
            channel_id: "c".into(),
            draft: PostDraft { message: "é".repeat(characters), controls: None },
        }
    }

    fn menu(fields: usize, options: usize) -> Call {
        let kind = FieldKind::Menu(vec!["S1".into(); options]);
        let field = Field { name: "Severity".into(), description: String::new(), kind };
        let controls = Controls {
            fields_title: String::new(),
            fields: vec![field; fields],
            transitions_title: String::new(),
            transitions: Vec::<Transition>::new(),
        };
        let draft = PostDraft { message: String::new(), controls: Some(controls) };
        Call::CreatePost { channel_id: "c".into(), draft }
    }

    #[test]
    fn a_message_is_shortened_between_words_and_only_when_it_is_too_long() {
        let fits = "é".repeat(MESSAGE_CHARS_MAX - 1);
        assert_eq!(shortened(&fits), fits);
        let long = format!("{} @oncall", "é".repeat(MESSAGE_CHARS_MAX - 4));
        assert_eq!(shortened(&long), format!("{}\u{2026}", "é".repeat(MESSAGE_CHARS_MAX - 4)));
        assert!(fits_message(&shortened(&"é".repeat(2 * MESSAGE_CHARS_MAX))));
    }

    #[test]
    fn each_bound_lets_the_largest_pass_and_refuses_one_more() {
        let pairs = [
            (find(PEOPLE_MAX), find(PEOPLE_MAX + 1)),
            (message(MESSAGE_CHARS_MAX), message(MESSAGE_CHARS_MAX + 1)),
            (menu(CONTROLS_MAX, 1), menu(CONTROLS_MAX + 1, 1)),
            (menu(1, OPTIONS_MAX), menu(1, OPTIONS_MAX + 1)),
        ];
        for (largest, too_large) in pairs {
            assert_eq!(check(&largest), Ok(()));
            let error = check(&too_large).unwrap_err();
            assert_eq!(error.kind, ErrorKind::InvalidInput);
            assert!(error.message.contains("are allowed"), "{}", error.message);
        }
    }
}
