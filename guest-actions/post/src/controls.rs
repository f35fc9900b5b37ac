//! From the parameters to the controls that the host takes.

use warroom_action::{Error, Names, posts};

use crate::input::{Field, Input, Kind, Transition};

/// As many as a menu offers without becoming unusable.
const OPTIONS_MAX: usize = 100;

/// The controls of the post; none when there are neither fields nor transitions.
///
/// # Errors
/// `invalid-input` when a field is wrong in a way that the schema cannot say or that only a rendered template shows.
pub(crate) fn of(input: &Input) -> Result<Option<posts::Controls>, Error> {
    if input.fields.is_empty() && input.transitions.is_empty() {
        return Ok(None);
    }
    let mut fields: Vec<posts::Field> = Vec::with_capacity(input.fields.len());
    for field in &input.fields {
        if fields.iter().any(|known| known.name == field.name) {
            return Err(Error::invalid_input(format!(
                "two fields are named `{}`: rename one, since a template could not tell them apart",
                field.name
            )));
        }
        fields.push(posts::Field {
            name: field.name.clone(),
            description: field.description.clone(),
            kind: kind(field)?,
        });
    }
    let transitions = input.transitions.iter().map(transition).collect::<Result<_, _>>()?;
    let transitions_title = input.transitions_title.as_deref().or(input.transition_title.as_deref());
    Ok(Some(posts::Controls {
        fields_title: title(input.fields_title.as_deref(), "Fields"),
        fields,
        transitions_title: title(transitions_title, "Transitions"),
        transitions,
    }))
}

/// # Errors
/// `invalid-input` when `allowed` is written and names nobody: open to all would be the opposite of what is meant.
fn transition(written: &Transition) -> Result<posts::Transition, Error> {
    let allowed = written.allowed.as_ref().map(Names::list).unwrap_or_default();
    if allowed.is_empty() && written.allowed.is_some() {
        return Err(Error::invalid_input(format!(
            "`allowed` of the transition `{}` names nobody: write usernames, or leave `allowed` away",
            written.label
        )));
    }
    Ok(posts::Transition {
        label: written.label.clone(),
        description: written.description.clone(),
        to: written.to.clone(),
        allowed,
    })
}

fn kind(field: &Field) -> Result<posts::FieldKind, Error> {
    if field.kind == Kind::Button {
        return Ok(posts::FieldKind::Button);
    }
    if field.options.is_empty() || field.options.len() > OPTIONS_MAX {
        return Err(Error::invalid_input(format!(
            "the field `{}` is of type options and has {} options: write 1 to {OPTIONS_MAX}",
            field.name,
            field.options.len()
        )));
    }
    Ok(posts::FieldKind::Menu(field.options.clone()))
}

fn title(written: Option<&str>, default: &str) -> String {
    written.filter(|title| !title.trim().is_empty()).unwrap_or(default).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn field(name: &str, kind: Kind, options: usize) -> Field {
        let options = (0..options).map(|n| n.to_string()).collect();
        Field { name: name.into(), kind, description: String::new(), options }
    }

    fn fields(fields: Vec<Field>) -> Input {
        Input { fields, ..Input::default() }
    }

    fn leading_on(allowed: Option<&str>) -> Transition {
        let allowed = allowed.map(|json| serde_json::from_str(json).unwrap());
        Transition { label: "On".into(), description: String::new(), to: "Next".into(), allowed }
    }

    #[test]
    fn allowed_names_people_or_everybody_may_press() {
        let allowed = |json| {
            let input = Input { transitions: vec![leading_on(json)], ..Input::default() };
            of(&input).map(|controls| controls.unwrap().transitions.remove(0).allowed)
        };
        assert!(allowed(None).unwrap().is_empty());
        assert_eq!(allowed(Some(r#"["@jon", "chris"]"#)).unwrap(), ["jon", "chris"]);
        assert_eq!(allowed(Some("\"jon, chris\"")).unwrap(), ["jon", "chris"]);
        // A template that came out empty must not open the button to everybody.
        for nobody in ["\"\"", "[]", r#"[" "]"#] {
            assert!(allowed(Some(nobody)).unwrap_err().message.contains("names nobody"), "{nobody}");
        }
    }

    #[test]
    fn no_fields_and_no_transitions_are_no_controls() {
        assert!(of(&Input { fields_title: Some("x".into()), ..Input::default() }).unwrap().is_none());
    }

    #[test]
    fn titles_have_defaults_and_both_spellings() {
        let transitions = || vec![leading_on(None)];
        let controls = |transitions_title, transition_title| {
            let title = |text: Option<&str>| text.map(str::to_owned);
            of(&Input {
                transitions: transitions(),
                transitions_title: title(transitions_title),
                transition_title: title(transition_title),
                ..Input::default()
            })
            .unwrap()
            .unwrap()
        };
        assert_eq!(controls(None, None).fields_title, "Fields");
        assert_eq!(controls(None, None).transitions_title, "Transitions");
        assert_eq!(controls(None, Some("b")).transitions_title, "b");
        assert_eq!(controls(Some("a"), Some("b")).transitions_title, "a");
    }

    #[test]
    fn menus_have_1_to_100_options() {
        for (options, accepted) in [(0, false), (1, true), (100, true), (101, false)] {
            assert_eq!(of(&fields(vec![field("A", Kind::Options, options)])).is_ok(), accepted, "{options}");
        }
    }

    #[test]
    fn a_button_needs_no_options() {
        let controls = of(&fields(vec![field("A", Kind::Button, 0)])).unwrap().unwrap();
        assert!(matches!(controls.fields[0].kind, posts::FieldKind::Button));
    }

    #[test]
    fn field_names_are_unique() {
        let error = of(&fields(vec![field("A", Kind::Button, 0), field("A", Kind::Button, 0)])).unwrap_err();
        assert!(error.message.contains("two fields are named `A`"), "{}", error.message);
    }
}
