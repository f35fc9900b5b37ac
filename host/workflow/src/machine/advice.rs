//! What a workflow does to people and channels, as far as the schemas of its components tell: names of rooms that will be taken,
//! phones that will not ring, posts that look like reports.

use crate::codes;
use crate::diagnostic::Findings;
use crate::draft::{DraftKind, DraftRole, DraftWorkflow, Roles};
use crate::model::{Condition, Trigger};
use crate::templates::Parsed;

use super::channels;

/// Reports all of it.
pub(super) fn check(workflow: &DraftWorkflow, findings: &mut Findings<'_>) {
    for role in roles(workflow).flat_map(|roles| &roles.new_channels) {
        check_varies(role, findings);
    }
    for role in roles(workflow).flat_map(|roles| &roles.messages) {
        check_holds_no_trigger(role, &workflow.triggers, findings);
    }
    check_mentions(workflow, findings);
}

pub(super) fn roles(workflow: &DraftWorkflow) -> impl Iterator<Item = &Roles> {
    workflow.actions().filter_map(|action| match &action.kind {
        Some(DraftKind::Component { roles, .. }) => Some(roles),
        _ => None,
    })
}

/// A channel's name is taken for ever, also by one that is archived.
fn check_varies(role: &DraftRole, findings: &mut Findings<'_>) {
    // A wrong template is reported where it is read.
    let Ok(parsed) = Parsed::new(&role.text) else { return };
    let reads = parsed.map(|parsed| parsed.reads()).unwrap_or_default();
    let help = "let the number of the incident vary it: `incident-{{.Instance.Number}}`".to_owned();
    if reads.is_empty() {
        if channels::is_fixed(&role.text) {
            let message = "every incident creates a channel of this same name, so the second one fails: a name is taken for \
                           ever, also by an archived channel";
            findings.error(codes::FIXED_CHANNEL, role.mark.clone(), message, help);
        }
        return;
    }
    let may_repeat = reads.iter().all(|read| {
        let path: Vec<&str> = read.path.iter().map(|segment| segment.name.as_str()).collect();
        matches!(path.as_slice(), ["Trigger", _, variable, ..] if !["PostID", "Permalink"].contains(variable))
    });
    if may_repeat {
        let message = "two incidents may create a channel of the same name, and then the second one fails";
        findings.warning(codes::CHANNEL_MAY_REPEAT, role.mark.clone(), message, help);
    }
}

/// Our own posts trigger nothing, but people copy and quote them.
fn check_holds_no_trigger(role: &DraftRole, triggers: &[Trigger], findings: &mut Findings<'_>) {
    let literal = channels::literal(&role.text);
    let fires = |trigger: &&Trigger| {
        let is_met = |condition: &Condition| condition.is_met_by(&literal);
        // A pattern that matches nothing in particular is reported by itself.
        let means_something =
            !matches!(&trigger.condition, Condition::Pattern(pattern) if pattern.is_match(""));
        means_something && is_met(&trigger.condition) && !trigger.except.iter().any(is_met)
    };
    if let Some(trigger) = triggers.iter().find(fires) {
        let message = format!("this text holds what the trigger `{}` looks for", trigger.name);
        let help = "Warroom's own posts trigger nothing, but people who repeat it will; word it differently"
            .to_owned();
        findings.warning(codes::HOLDS_TRIGGER, role.mark.clone(), message, help);
    }
}

fn check_mentions(workflow: &DraftWorkflow, findings: &mut Findings<'_>) {
    let mentioned = roles(workflow)
        .any(|roles| roles.notifies || roles.messages.iter().any(|message| mentions(&message.text)));
    if mentioned {
        return;
    }
    let brings = |kind: &Option<DraftKind>| matches!(kind, Some(DraftKind::Component { roles, .. }) if roles.brings_people);
    if let Some(action) = workflow.actions().find(|action| brings(&action.kind)) {
        let message = "people are brought in, but nobody is mentioned: no phone rings";
        let help = "write `\"notify\": true` here, or mention somebody in a message: `@jon`".to_owned();
        findings.warning(codes::NOBODY_MENTIONED, action.mark.clone(), message, help);
    }
}

/// Whether a text mentions somebody, or may once it is rendered.
fn mentions(text: &str) -> bool {
    text.split('@')
        .skip(1)
        .any(|after| after.starts_with("{{") || after.starts_with(|first: char| first.is_alphanumeric()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mention_is_an_at_sign_before_a_name() {
        for text in ["@jon", "hey @here: look", "@{{.Trigger.T.UserName}}"] {
            assert!(mentions(text), "{text}");
        }
        for text in ["", "jon", "a @ b", "3 @ 5"] {
            assert!(!mentions(text), "{text}");
        }
    }
}
