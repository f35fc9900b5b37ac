//! The list of runs, for people.

use crate::admin::RunLine;
use crate::timestamp::timestamp;

/// One line for each run, in columns; the reason of a blocked one below it.
pub(super) fn text(lines: &[RunLine]) -> String {
    if lines.is_empty() {
        return "no incident is open; `warroom runs list --all` shows ended ones\n".to_owned();
    }
    let rows: Vec<[String; 5]> = lines
        .iter()
        .map(|line| {
            let is_known = line.started_ms > 0;
            [
                if is_known { format!("{}:{}", line.workflow, line.number) } else { line.run.clone() },
                line.state.clone(),
                line.step.clone().unwrap_or_default(),
                line.room.as_ref().map(|room| format!("~{room}")).unwrap_or_default(),
                if is_known { timestamp(line.started_ms) } else { String::new() },
            ]
        })
        .collect();
    let heads = ["RUN", "STATE", "STEP", "ROOM", "STARTED (UTC)"];
    let mut widths = heads.map(|head| head.chars().count());
    for row in &rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.chars().count());
        }
    }
    let mut text = row_text(&heads.map(str::to_owned), widths);
    for (row, line) in rows.iter().zip(lines) {
        text += &row_text(row, widths);
        if let Some(reason) = &line.reason {
            text += &format!("  {}\n", reason.lines().collect::<Vec<_>>().join("\n  "));
        }
    }
    text
}

fn row_text(row: &[String; 5], widths: [usize; 5]) -> String {
    let cells = row.iter().zip(widths).map(|(cell, width)| format!("{cell:width$}"));
    let line = cells.collect::<Vec<_>>().join("  ");
    format!("{}\n", line.trim_end())
}
