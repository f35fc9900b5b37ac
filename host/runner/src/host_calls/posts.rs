//! Writing a post, and what people press there.

use super::{HostCalls, Trouble, over, shown};
use crate::chat::find_or_create_post;
use crate::clock::earliest;
use crate::declared::Declared;
use crate::mentions;
use crate::rendering;
use warroom_engine::{self as engine, ControlPost, Fact, Run};
use warroom_sandbox::{Answer, ErrorKind, PostDraft, PostRef};

impl HostCalls {
    pub(super) async fn create_post(
        &self,
        run: &Run,
        channel_id: &str,
        draft: &PostDraft,
        intent: &Fact,
        intended: bool,
    ) -> Result<(Answer, Vec<Fact>), Trouble> {
        let key = self.action.call(&run.id, self.n);
        let stamp = self.key.stamp(&key);
        let mut post = ControlPost {
            key,
            visit: self.action.visit,
            action: self.action.name.clone(),
            post_id: String::new(),
            channel_id: channel_id.to_owned(),
            message: self.spoken(&draft.message),
            controls: self.controls(draft)?,
        };
        self.intend(intent, intended, Vec::new()).await?;
        let rendered = rendering::control_post(&self.key, run, &post);
        post.post_id = match self.ledger.hinted(&post.key) {
            Some(post_id) if intended => post_id,
            _ if intended => {
                let since_ms = self.began_ms(run);
                if self.is_over(run) {
                    self.chat.find_post(channel_id, &stamp, since_ms).await?.sure()?.ok_or_else(over)?
                } else {
                    find_or_create_post(self.chat.as_ref(), channel_id, &stamp, since_ms, &rendered).await?
                }
            }
            _ => self.chat.create_post(channel_id, &stamp, &rendered).await?,
        };
        self.ledger.canvas.written(&post.key, &rendered);
        let answer = Answer::Post(PostRef { id: post.post_id.clone(), channel_id: channel_id.to_owned() });
        let has_controls = !post.controls.fields.is_empty() || !post.controls.transitions.is_empty();
        Ok((answer, if has_controls { vec![Fact::ControlsPosted { post }] } else { Vec::new() }))
    }

    /// The time that no post of this execution can be older than.
    fn began_ms(&self, run: &Run) -> u64 {
        let began = self.execution(run).map_or_else(|| self.clock.now_ms(), |known| known.started_ms);
        earliest(began)
    }

    /// The text as this component may say it.
    fn spoken(&self, text: &str) -> String {
        if !self.permit.mentions {
            return self.groups.quiet(&mentions::quiet(text));
        }
        self.groups.loud(text)
    }

    fn controls(&self, draft: &PostDraft) -> Result<engine::Controls, Trouble> {
        let Some(controls) = &draft.controls else {
            return Ok(engine::Controls {
                fields_title: String::new(),
                fields: Vec::new(),
                transitions_title: String::new(),
                transitions: Vec::new(),
            });
        };
        let declared = Declared::by(&self.ledger.workflow(), &self.action.name);
        if let Some(offer) = controls.transitions.iter().find(|offer| !declared.steps.contains(&offer.to)) {
            let message = format!(
                "the transition `{}` leads to `{}`, which no parameter that names a step names; mend the component",
                offer.label, offer.to
            );
            return Err(shown(ErrorKind::InvalidInput, message));
        }
        if let Some(field) = controls.fields.iter().find(|field| !declared.outputs.contains(&field.name)) {
            let message = format!(
                "the field `{}` is no output that the parameters name; mend the component",
                field.name
            );
            return Err(shown(ErrorKind::InvalidInput, message));
        }
        let field = |field: &warroom_sandbox::Field| engine::Field {
            name: field.name.clone(),
            description: self.spoken(&field.description),
            kind: match &field.kind {
                warroom_sandbox::FieldKind::Button => engine::FieldKind::Button,
                warroom_sandbox::FieldKind::Menu(options) => engine::FieldKind::Menu(options.clone()),
            },
        };
        let transition = |offer: &warroom_sandbox::Transition| engine::TransitionControl {
            label: self.spoken(&offer.label),
            description: self.spoken(&offer.description),
            to: offer.to.clone(),
            allowed: offer.allowed.clone(),
        };
        Ok(engine::Controls {
            fields_title: self.spoken(&controls.fields_title),
            fields: controls.fields.iter().map(field).collect(),
            transitions_title: self.spoken(&controls.transitions_title),
            transitions: controls.transitions.iter().map(transition).collect(),
        })
    }
}
