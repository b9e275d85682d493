//! Lists of tasks: `todo list`, `todo today`, `todo search`. They work offline, on the copy of the tasks.

use std::time::SystemTime;

use serde::Serialize;
use taskhold_client::tasks::Task;
use taskhold_domain::search::fold;
use taskhold_domain::task::Due;
use taskhold_domain::timestamp::Timestamp;
use taskhold_domain::zone::Zone;

use super::task_line;
use crate::arguments::List;
use crate::clock::{now, timestamp};
use crate::failure::Failure;
use crate::output::Output;
use crate::workspace::{Row, Workspace};

/// The line that is printed for an empty list, as by the console.
pub const EMPTY: &str = "No tasks in the list.";

/// A list in JSON.
#[derive(Serialize)]
pub struct TaskList<'a> {
    pub tasks: Vec<Row<'a>>,
    /// The time at which the tasks were current; absent if they are now.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub offline_since: Option<Timestamp>,
}

/// Lists all tasks, or those that the options select.
pub async fn list(
    workspace: &mut Workspace,
    arguments: &List,
    output: &mut Output,
) -> Result<(), Failure> {
    let tags: Vec<_> = arguments
        .tag
        .iter()
        .map(|tag| fold(tag.trim_start_matches('#')))
        .collect();
    let is_selected = |task: &Task| {
        let has_state = !(arguments.open && task.completed || arguments.done && !task.completed);
        let has = |tag: &String| task.tags.iter().any(|own| fold(own) == *tag);
        has_state && tags.iter().all(has)
    };
    let offline = workspace.update_if_reachable(output).await?;
    let zone = workspace.zone.clone();
    print(workspace.selected(is_selected), &zone, offline, output)
}

/// Lists the open tasks that are due today or overdue, in the order in which they are due.
pub async fn today(workspace: &mut Workspace, output: &mut Output) -> Result<(), Failure> {
    let offline = workspace.update_if_reachable(output).await?;
    let zone = workspace.zone.clone();
    let today = zone.day_of(timestamp(now()));
    let due = |task: &Task| Due::from_stored(task.due.as_deref()?).ok();
    let is_due = |task: &Task| due(task).is_some_and(|due| due.day_in(&zone) <= today);
    let mut rows = workspace.selected(|task| !task.completed && is_due(task));
    rows.sort_by_key(|row| (due(row.task).map(|due| due.sort_key(&zone)), row.task.id));
    print(rows, &zone, offline, output)
}

/// Lists the tasks with a text in title or description, compared as the service does.
pub async fn search(
    workspace: &mut Workspace,
    text: &str,
    output: &mut Output,
) -> Result<(), Failure> {
    let text = fold(text);
    let offline = workspace.update_if_reachable(output).await?;
    let zone = workspace.zone.clone();
    let rows = workspace.selected(|task| {
        fold(&task.title).contains(&text) || fold(&task.description).contains(&text)
    });
    print(rows, &zone, offline, output)
}

fn print(
    rows: Vec<Row<'_>>,
    zone: &Zone,
    offline: Option<SystemTime>,
    output: &mut Output,
) -> Result<(), Failure> {
    if output.is_json() {
        let list = TaskList {
            tasks: rows,
            offline_since: offline.map(timestamp),
        };
        return Ok(output.json(&list)?);
    }
    if rows.is_empty() {
        return Ok(output.line(EMPTY)?);
    }
    output.page(rows.len());
    for row in &rows {
        let line = task_line::line(&row.short_id, row.task);
        output.row(&line, &task_line::details(row.task, zone))?;
    }
    Ok(())
}
