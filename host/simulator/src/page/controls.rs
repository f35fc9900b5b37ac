//! Attachments and their buttons and menus, as the page shows them.

use crate::attachments::{self, Action};
use crate::channels::Kind;
use crate::posts::Post;
use crate::world::World;

/// One choice of a menu.
pub(super) struct ChoiceView {
    pub(super) value: String,
    pub(super) text: String,
    pub(super) chosen: bool,
}

/// A button or a menu.
pub(super) struct ControlView {
    pub(super) id: String,
    pub(super) name: String,
    /// One of the known styles, or `default`.
    pub(super) style: &'static str,
    pub(super) disabled: bool,
    pub(super) is_menu: bool,
    /// Whether a choice of the menu is chosen already.
    pub(super) any_chosen: bool,
    pub(super) choices: Vec<ChoiceView>,
}

/// An attachment; its text is HTML already.
pub(super) struct AttachmentView {
    pub(super) title: String,
    pub(super) html: String,
    pub(super) controls: Vec<ControlView>,
}

/// The attachments of a post. `html` turns Markdown into HTML.
pub(super) fn attachments_of(
    world: &World,
    post: &Post,
    html: impl Fn(&str) -> String,
) -> Vec<AttachmentView> {
    attachments::of(&post.props)
        .into_iter()
        .map(|attachment| AttachmentView {
            title: attachment.title,
            html: html(&attachment.text),
            controls: attachment.actions.iter().map(|action| control(world, action)).collect(),
        })
        .collect()
}

fn control(world: &World, action: &Action) -> ControlView {
    let choices = choices(world, action);
    ControlView {
        id: action.id.clone(),
        name: action.name.clone(),
        style: style(&action.style),
        disabled: action.disabled,
        is_menu: action.kind == "select",
        any_chosen: choices.iter().any(|choice| choice.chosen),
        choices,
    }
}

/// A style becomes a class: only those that the style sheet knows.
fn style(style: &str) -> &'static str {
    ["primary", "danger", "warning", "good", "success"]
        .into_iter()
        .find(|known| *known == style)
        .unwrap_or("default")
}

fn choices(world: &World, action: &Action) -> Vec<ChoiceView> {
    let choice = |value: &str, text: String| ChoiceView {
        value: value.to_owned(),
        text,
        chosen: !value.is_empty() && value == action.default_option,
    };
    match action.data_source.as_str() {
        "users" => world.users.values().map(|user| choice(&user.id, format!("@{}", user.username))).collect(),
        "channels" => world
            .channels
            .values()
            .filter(|channel| channel.kind == Kind::Public && channel.delete_at == 0)
            .map(|channel| choice(&channel.id, format!("~{}", channel.display_name)))
            .collect(),
        _ => action.options.iter().map(|option| choice(&option.value, option.text.clone())).collect(),
    }
}
