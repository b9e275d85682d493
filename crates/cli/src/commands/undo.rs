//! `todo undo`.

use super::keyed::{Sent, write};
use super::task_line;
use super::write::print_task;
use crate::failure::{Failure, Kind};
use crate::output::Output;
use crate::workspace::Workspace;

/// Takes back the change of a number, or the last one.
pub async fn undo(
    workspace: &mut Workspace,
    number: Option<i64>,
    output: &mut Output,
) -> Result<(), Failure> {
    let words = number.map(|number| number.to_string()).unwrap_or_default();
    let command = ["undo", &words];
    let undone = write(
        workspace,
        &command,
        output,
        async |workspace| {
            let last = workspace.update(output).await?;
            number.or(last).ok_or_else(|| {
                // A service of an earlier version does not tell its last change.
                let message = if workspace.cache.tasks().is_empty() {
                    "There is no change to undo"
                } else {
                    "There is no change to undo, or this service does not tell its last one: give a number of todo history"
                };
                Failure::new(Kind::NotFound, message)
            })
        },
        async |client, number: i64, key| Ok((client.undo(number, key).await?, number)),
        Some("There is no such change, or it is no longer kept"),
    );
    let Sent {
        value: (written, undone),
        pending,
    } = undone.await?;
    let last = if pending.is_resumed() {
        let last = workspace.update(output).await?;
        if number.is_none() && last != written.seq {
            pending.forget();
            let message = format!(
                "The interrupted command did undo change {undone}, and there are changes since. Give the command again \
                 to undo the last one"
            );
            return Err(Failure::new(Kind::Conflict, message));
        }
        last
    } else {
        workspace.update(output).await.ok().flatten()
    };
    if output.is_json() {
        let printed = print_task(workspace, &written.value, None, written.seq, output);
        return pending.finish_when(printed, output);
    }
    let id = workspace.end(written.value.id);
    // Without an answer nobody knows whether the task is in the trash.
    let is_listed = last.is_none() || workspace.ids().contains(&written.value.id);
    let line = if is_listed {
        task_line::line(&id, &written.value)
    } else {
        format!("Task {id} is in the trash: {}", written.value.title)
    };
    let printed = output.line(&format!("Undid change {undone}: {line}"));
    pending.finish_when(printed.map_err(Failure::from), output)
}
