//! `todo trash` and `todo restore`.

use futures_util::TryStreamExt as _;
use serde::Serialize;
use taskhold_client::tasks::{ChangedTask, DeletedTask};
use taskhold_domain::task::TaskId;
use taskhold_domain::timestamp::Timestamp;

use super::keyed::write;
use super::list::EMPTY;
use super::task_line;
use crate::arguments::OneTask;
use crate::failure::Failure;
use crate::output::Output;
use crate::workspace::{Row, Workspace};

#[derive(Serialize)]
struct TrashList<'a> {
    tasks: Vec<TrashRow<'a>>,
}

#[derive(Serialize)]
struct TrashRow<'a> {
    #[serde(flatten)]
    row: Row<'a>,
    deleted_at: Timestamp,
}

/// Lists the deleted tasks, the last deleted first.
pub async fn list(workspace: &mut Workspace, output: &mut Output) -> Result<(), Failure> {
    workspace.update(output).await?;
    let deleted = read(workspace).await?;
    let rows = workspace.rows(deleted.iter().map(|deleted| &deleted.task));
    let rows = rows.into_iter().zip(&deleted);
    if output.is_json() {
        let rows = rows.map(|(row, deleted)| TrashRow {
            row,
            deleted_at: deleted.deleted_at,
        });
        let list = TrashList {
            tasks: rows.collect(),
        };
        return Ok(output.json(&list)?);
    }
    if deleted.is_empty() {
        return Ok(output.line(EMPTY)?);
    }
    output.page(deleted.len());
    for (row, deleted) in rows {
        let line = task_line::line(&row.short_id, row.task);
        let at = workspace
            .zone
            .local(deleted.deleted_at)
            .strftime("%Y-%m-%d %H:%M");
        output.row(&line, &format!("  (deleted {at})"))?;
    }
    Ok(())
}

/// Takes a task out of the trash.
pub async fn restore(
    workspace: &mut Workspace,
    arguments: &OneTask,
    output: &mut Output,
) -> Result<(), Failure> {
    let text = &arguments.task;
    let command = ["restore", text];
    let not_found = format!("Task with ID {} not found in the trash", text.trim());
    let restored = write(
        workspace,
        &command,
        output,
        async |workspace| {
            let ids: Vec<_> = read(workspace)
                .await?
                .into_iter()
                .map(|deleted| deleted.task.id)
                .collect();
            workspace.find("restore", text, &ids)
        },
        async |client, id: &TaskId, key| Ok(client.restore(*id, key).await?.map(ChangedTask::from)),
        Some(&not_found),
    );
    let restored = restored.await?;
    restored.refuse_changed(workspace, output).await?;
    restored.print(workspace, output, |workspace, restored, output| {
        let id = workspace.end(restored.task.id);
        Ok(output.line(&format!("Task {id} restored successfully"))?)
    })
}

async fn read(workspace: &Workspace) -> Result<Vec<DeletedTask>, Failure> {
    Ok(workspace.client.trash().try_collect().await?)
}
