//! Whether the incident went as the workflow says, judged by what the server holds.

use super::people::Chatroom;
use super::script::{REPORT, Scene};
use serde_json::Value;
use std::collections::BTreeSet;

/// Everything that is not as it should be; nothing when all is well.
pub(crate) async fn problems(chat: &Chatroom, scene: &Scene) -> anyhow::Result<Vec<String>> {
    let mut problems = Vec::new();
    let room = chat.get(&format!("/channels/{}", scene.room_id)).await?;
    let mut expect = |what: &str, found: &Value, expected: &str| {
        if found.as_str() != Some(expected) {
            problems.push(format!("{what} is {found}, not \u{201c}{expected}\u{201d}"));
        }
    };
    expect("the room's handle", &room["name"], "security-issue-1");
    expect("the room's name", &room["display_name"], "Security Issue 1");
    if room["delete_at"].as_i64().unwrap_or(0) == 0 {
        problems.push("the room is not archived".to_owned());
    }
    problems.extend(members(chat, &scene.room_id).await?);
    problems.extend(texts(chat, "the room", &scene.room_id, &room_texts()).await?);
    let public = [
        REPORT.to_owned(),
        "Security issue reported. War room created: ~security-issue-1".to_owned(),
        "Resolved Security Issue 1".to_owned(),
    ];
    problems.extend(texts(chat, "Town Square", &scene.town_square_id, &public).await?);
    problems.extend(controls(chat, &scene.room_id).await?);
    Ok(problems)
}

/// What the workflow's templates make of the report and the choices, in order.
fn room_texts() -> Vec<String> {
    let triage = format!("New issue to triage:\n ```{REPORT}```");
    let finished = "Finished Triage".to_owned();
    vec![
        triage.clone(),
        "**Alert**: @chris".to_owned(),
        finished.clone(),
        "Developing a fix underway. Issue information:\n\nLikelihood: L2\nImpact: I3\nSeverity: S1"
            .to_owned(),
        triage,
        finished,
        "Resolved.".to_owned(),
    ]
}

async fn members(chat: &Chatroom, room_id: &str) -> anyhow::Result<Vec<String>> {
    let members = chat.get(&format!("/channels/{room_id}/members?per_page=60")).await?;
    let mut names = BTreeSet::new();
    for member in members.as_array().into_iter().flatten() {
        let user = chat.get(&format!("/users/{}", member["user_id"].as_str().unwrap_or_default())).await?;
        names.insert(user["username"].as_str().unwrap_or_default().to_owned());
    }
    let expected = ["chris", "jon", "warroom"].map(str::to_owned).into();
    Ok(if names == expected {
        Vec::new()
    } else {
        vec![format!("the room's members are {names:?}, not {expected:?}")]
    })
}

async fn texts(
    chat: &Chatroom,
    place: &str,
    channel_id: &str,
    expected: &[String],
) -> anyhow::Result<Vec<String>> {
    let posts = chat.posts(channel_id).await?;
    let spoken = posts
        .iter()
        .filter(|post| post["type"] == "")
        .map(|post| post["message"].as_str().unwrap_or_default());
    let spoken: Vec<&str> = spoken.collect();
    Ok(if spoken == expected {
        Vec::new()
    } else {
        vec![format!("the posts of {place} are {spoken:#?}, not {expected:#?}")]
    })
}

async fn controls(chat: &Chatroom, room_id: &str) -> anyhow::Result<Vec<String>> {
    let posts = chat.posts(room_id).await?;
    let has_controls = |post: &&Value| {
        let attachments = post["props"]["attachments"].as_array().into_iter().flatten();
        attachments.flat_map(|attachment| attachment["actions"].as_array()).any(|actions| !actions.is_empty())
    };
    let left = posts.iter().filter(has_controls).count();
    Ok(if left == 0 { Vec::new() } else { vec![format!("{left} posts still show controls")] })
}
