//! `todo show`. It works offline, on the copy of the tasks.

use serde::Serialize;
use taskhold_domain::task::Priority;
use taskhold_domain::timestamp::Timestamp;

use super::task_line;
use crate::arguments::OneTask;
use crate::clock::timestamp;
use crate::failure::Failure;
use crate::output::Output;
use crate::workspace::{Row, Workspace};

#[derive(Serialize)]
struct Shown<'a> {
    task: Row<'a>,
    /// The time at which the task was current; absent if it is now.
    #[serde(skip_serializing_if = "Option::is_none")]
    offline_since: Option<Timestamp>,
}

/// Prints a task with all its members.
pub async fn show(
    workspace: &mut Workspace,
    arguments: &OneTask,
    output: &mut Output,
) -> Result<(), Failure> {
    let offline = workspace.update_if_reachable(output).await?;
    let id = workspace.find("show", &arguments.task, &workspace.ids())?;
    let found = workspace
        .cache
        .tasks()
        .iter()
        .find(|task| task.id == id)
        .cloned();
    let Some(task) = found else {
        return Err(Failure::no_task(arguments.task.trim()));
    };
    let short_id = workspace.end(id);
    if output.is_json() {
        let shown = Shown {
            task: Row {
                task: &task,
                short_id,
            },
            offline_since: offline.map(timestamp),
        };
        return Ok(output.json(&shown)?);
    }
    let zone = &workspace.zone;
    let time = |at| zone.local(at).strftime("%Y-%m-%d %H:%M").to_string();
    let details = [
        (
            "Due",
            task.due
                .as_deref()
                .map(|due| task_line::due_text(due, zone)),
        ),
        ("Repeats", task.repeat.clone()),
        (
            "Priority",
            (task.priority != Priority::None).then(|| task.priority.to_string()),
        ),
        (
            "Tags",
            (!task.tags.is_empty()).then(|| task.tags.join(", ")),
        ),
        ("Created", Some(time(task.created_at))),
        ("Changed", Some(time(task.updated_at))),
        ("Completed", task.completed_at.map(time)),
        ("ID", Some(task.id.to_string())),
    ];
    output.line(&task_line::line(&short_id, &task))?;
    // Each line of its own, since a terminal shows no line ends within one.
    for line in task.description.lines() {
        output.line(&format!("    {line}"))?;
    }
    for (name, value) in details {
        if let Some(value) = value {
            output.line(&format!("{name:<10} {value}"))?;
        }
    }
    Ok(())
}
