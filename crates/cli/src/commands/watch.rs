//! `todo watch`.

use std::collections::HashMap;
use std::time::Duration;

use futures_util::TryStreamExt as _;
use serde::Serialize;
use taskhold_client::Error;
use taskhold_client::changes::Changes;
use taskhold_domain::task::TaskId;

use super::task_line;
use crate::clock::{now, timestamp};
use crate::failure::Failure;
use crate::output::Output;
use crate::workspace::{Row, Workspace};

/// The pause between attempts to read what changed, while the service is away.
const PAUSE: Duration = Duration::from_secs(1);

#[derive(Serialize)]
struct ChangedTask<'a> {
    changed: Row<'a>,
}

#[derive(Serialize)]
struct RemovedTask<'a> {
    removed: TaskId,
    short_id: &'a str,
}

/// Prints each change as it happens, until the program is ended: a line for each task, as it is then; in JSON an object.
pub async fn watch(workspace: &mut Workspace, output: &mut Output) -> Result<(), Failure> {
    workspace.update(output).await?;
    if !output.is_json() {
        output.note("Watching. Ctrl-C ends it.");
    }
    let mut signs = std::pin::pin!(workspace.client.watch());
    while signs.try_next().await?.is_some() {
        let before: HashMap<TaskId, String> = workspace
            .cache
            .tasks()
            .iter()
            .map(|task| (task.id, task.title.clone()))
            .collect();
        let pages = loop {
            match workspace.cache.update(&workspace.client).await {
                Ok(pages) => break pages,
                // It comes back, and nothing tells so as long as the stream of signs is open.
                Err(Error::Unreachable { .. } | Error::Busy { .. } | Error::Failed(_)) => {
                    tokio::time::sleep(PAUSE).await;
                }
                Err(error) => return Err(error.into()),
            }
        };
        for page in &pages {
            print(workspace, page, &before, output)?;
        }
        output.flush()?;
    }
    Ok(())
}

fn print(
    workspace: &mut Workspace,
    page: &Changes,
    before: &HashMap<TaskId, String>,
    output: &mut Output,
) -> Result<(), Failure> {
    let time = workspace
        .zone
        .local(timestamp(now()))
        .strftime("%H:%M:%S")
        .to_string();
    let zone = workspace.zone.clone();
    for row in workspace.rows(&page.changed) {
        if output.is_json() {
            output.json_line(&ChangedTask { changed: row })?;
            continue;
        }
        let line = task_line::line(&row.short_id, row.task);
        output.line_with(
            &format!("{time} {line}"),
            &task_line::details(row.task, &zone),
        )?;
    }
    for id in &page.removed {
        // A task that was created and deleted since the last look was never shown.
        let Some(title) = before.get(id) else {
            continue;
        };
        let short_id = workspace.end(*id);
        if output.is_json() {
            output.json_line(&RemovedTask {
                removed: *id,
                short_id: &short_id,
            })?;
            continue;
        }
        output.line(&format!("{time} [-] {short_id}: {title}"))?;
    }
    Ok(())
}
