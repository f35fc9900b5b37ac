//! The life of a run, as pure state machines: no I/O, no clock, no randomness.
//!
//! A run is the fold of its journal. Three functions are all there is:
//!
//! - [`Run::apply`] folds one [`Event`] into the run. It never fails: what is journalled has happened.
//! - [`next`] says what the host must do now, given nothing but the workflow and the run.
//! - [`decide`] turns what a person did into facts, or refuses with a reason that the person can read.
//!
//! Time arrives inside events, so a replay years later sees what the first execution saw. The host's loop is: ask
//! [`next`], do it, journal what happened as events, apply them, ask again. Killing the host between any two of these
//! loses nothing, since each starts from the journal alone; [`effects`] holds the decision that makes a half-done
//! call safe to resume.
//!
//! ```
//! use warroom_engine::{Event, Fact, Next, Run, next};
//! # use warroom_workflow::{Catalog, check};
//! # let catalog = Catalog::new([])?;
//! # let text = r#"[{"name": "drill", "triggers": [{"name": "Said", "type": "text", "match": "drill"}],
//! #   "steps": [{"name": "Only", "start_actions": [{"name": "End", "type": "finished_workflow"}]}]}]"#;
//! let workflow = &check(text, &catalog).workflows[0];
//! # let trigger = warroom_engine::Trigger { name: "Said".into(), post_id: "p".into(), text: "drill".into(),
//! #   user: warroom_engine::Person { id: "u".into(), username: "jon".into() },
//! #   channel: warroom_engine::Channel { id: "c".into(), name: "alerts".into(), display_name: "Alerts".into(), team_id: "t".into() },
//! #   team_name: "infosec".into(), permalink: String::new(), created_ms: 0, groups: Default::default() };
//! let started = Fact::RunStarted { run: "r1".into(), workflow: "drill".into(), workflow_digest: "sha256:0".into(),
//!     components: Default::default(), number: 1, trigger: trigger.into() };
//! let mut run = Run::start(&Event { at_ms: 0, fact: started })?;
//! while let Next::Record(facts) = next(workflow, &run) {
//!     for fact in facts {
//!         run.apply(&Event { at_ms: 1, fact });
//!     }
//! }
//! assert_eq!(next(workflow, &run), Next::Done);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod announcement;
mod apply;
mod budget;
mod control;
mod data;
mod decide;
pub mod effects;
mod event;
mod next;
mod run;
mod signature;
mod timeline;

pub use announcement::{Announcement, Matter, Place, Remedy, Resolution};
pub use budget::Budget;
pub use control::{ControlPost, Controls, Field, FieldKind, TransitionControl};
pub use data::{template_data, trigger_data};
pub use decide::{
    Actor, Click, Input, Pressed, Refusal, Whereabouts, can_renumber, decide, ends_by_itself,
    goes_on_after_failure, is_repeated, place_in,
};
pub use event::{
    ActionKey, Channel, Chooser, Destination, Event, Fact, Failure, FailureKind, Loss, Person, Phase, Repeat,
    Trigger, is_id,
};
pub use next::{AUTOMATIC_TRANSITIONS_MAX, Act, Next, next, next_besides};
pub use run::{
    CHOICES_KEPT_MAX, Call, Cancelled, Choice, CurrentAction, DELETED_MAX, GIVEN_UP_MAX, GivenUp, LEFT_MAX,
    Leaving, NotARun, Renumbering, Repeats, Run, Status, Visit,
};
pub use signature::{Address, Control, Key, Unverified};
pub use timeline::{Entry, Picked, headline, time_span, timeline};
