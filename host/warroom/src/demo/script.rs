//! What the people of the demo do.

use super::people::{Chatroom, Person};
use super::transcript::Transcript;
use anyhow::Context as _;
use serde_json::Value;
use std::time::Instant;
use warroom_runner::Runner;

/// The team that the simulator has.
const TEAM: &str = "infosec";

/// What starts the incident.
pub(crate) const REPORT: &str =
    "#sec Customers can read each other's invoices by changing the number in the address";

/// What was played.
pub(crate) struct Scene {
    /// The room's id.
    pub(crate) room_id: String,
    /// The triggering channel's id.
    pub(crate) town_square_id: String,
    /// The run's id.
    pub(crate) run_id: String,
    /// When the report was about to be posted.
    pub(crate) posted: Instant,
}

/// Plays the incident: report, triage, a fix, back to triage, resolved.
pub(crate) async fn play(
    runner: &Runner,
    chat: &Chatroom,
    jon: &Person,
    chris: &Person,
    transcript: &mut Transcript,
) -> anyhow::Result<Scene> {
    let town_square_id = id(&chat.channel(TEAM, "town-square").await?)?;
    let posted = Instant::now();
    jon.post(&town_square_id, REPORT).await?;
    let room_id = id(&chat.channel(TEAM, "security-issue-1").await?)?;
    chat.post(&town_square_id, "Security issue reported.").await?;
    let triage = chat.post(&room_id, "New issue to triage").await?;
    let run_id = runner.open_runs().into_iter().next().context("no run is open")?;
    transcript.show(chat, "Town Square", &town_square_id).await?;
    transcript.show(chat, "Security Issue 1", &room_id).await?;

    for (person, menu, option) in
        [(jon, "Likelihood", "L2"), (chris, "Impact", "I3"), (jon, "Severity", "S1")]
    {
        person.use_control(&triage, menu, Some(option)).await?;
        transcript.did(&person.name, &format!("chooses {option} from [{menu} ▾]"));
    }
    press(chris, &triage, "Alert", transcript).await?;
    transcript.show_again(chat, &triage).await?;
    // Pressing a button is a post too: edits notify nobody.
    chat.post(&room_id, "**Alert**").await?;
    transcript.show(chat, "Security Issue 1", &room_id).await?;
    press(jon, &triage, "Triaged", transcript).await?;

    let fix = chat.post(&room_id, "Developing a fix").await?;
    transcript.show(chat, "Security Issue 1", &room_id).await?;
    press(chris, &fix, "Triage", transcript).await?;

    let again = newer(chat, &room_id, "New issue to triage", &triage).await?;
    transcript.show(chat, "Security Issue 1", &room_id).await?;
    press(jon, &again, "Resolved", transcript).await?;

    chat.wait_for("the archived room", async || {
        let room = chat.get(&format!("/channels/{room_id}")).await?;
        Ok(room["delete_at"].as_i64().filter(|at| *at > 0))
    })
    .await?;
    // The room is archived a moment before the run has written down its end.
    chat.wait_for("the end of the run", async || Ok(runner.open_runs().is_empty().then_some(()))).await?;
    transcript.show(chat, "Security Issue 1", &room_id).await?;
    transcript.show(chat, "Town Square", &town_square_id).await?;
    Ok(Scene { room_id, town_square_id, run_id, posted })
}

async fn press(
    person: &Person,
    post: &Value,
    label: &str,
    transcript: &mut Transcript,
) -> anyhow::Result<()> {
    person.use_control(post, label, None).await?;
    transcript.did(&person.name, &format!("presses [{label}]"));
    Ok(())
}

/// A post with this beginning that is not that one.
async fn newer(chat: &Chatroom, channel_id: &str, beginning: &str, old: &Value) -> anyhow::Result<Value> {
    chat.wait_for("the second triage", async || {
        let newest = chat.post(channel_id, beginning).await?;
        Ok((newest["id"] != old["id"]).then_some(newest))
    })
    .await
}

fn id(value: &Value) -> anyhow::Result<String> {
    value["id"].as_str().map(str::to_owned).context("the server gave something without an id")
}
