//! `todo undo`.

use taskhold_client::tasks::ChangedTask;

use super::keyed::write;
use super::task_line;
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
                    "There is no change to undo, or this service does not tell its last one: give a number of todo \
                     history"
                };
                Failure::new(Kind::NotFound, message)
            })
        },
        async |client, number: &i64, key| {
            Ok(client.undo(*number, key).await?.map(ChangedTask::from))
        },
        Some("There is no such change, or it is no longer kept"),
    );
    let undone = undone.await?;
    let undone_number = undone.target;
    let last = if undone.pending.is_resumed() {
        let last = workspace.update(output).await?;
        if number.is_none() && last != undone.written.seq {
            undone.pending.forget();
            let message = format!(
                "The interrupted command did undo change {undone_number}, and there are changes since. Give the command \
                 again to undo the last one"
            );
            return Err(Failure::new(Kind::Conflict, message));
        }
        last
    } else {
        workspace.update(output).await.ok().flatten()
    };
    undone.print(workspace, output, |workspace, undone, output| {
        let id = workspace.end(undone.task.id);
        // Without an answer nobody knows whether the task is in the trash.
        let is_listed = last.is_none() || workspace.ids().contains(&undone.task.id);
        let line = if is_listed {
            task_line::line(&id, &undone.task)
        } else {
            format!("Task {id} is in the trash: {}", undone.task.title)
        };
        Ok(output.line(&format!("Undid change {undone_number}: {line}"))?)
    })
}
