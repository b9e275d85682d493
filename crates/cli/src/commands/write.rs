//! Commands that change one task: `todo add`, `update`, `complete`, `incomplete`, `toggle` and `delete`.

use serde::Serialize;
use taskhold_client::tasks::{ChangedTask, NewTask, Written};
use taskhold_client::{Client, Error, IdempotencyKey};
use taskhold_domain::input::{Member, TaskInput};
use taskhold_domain::task::TaskId;

use super::keyed::{Answered, finish_when, refuse_changed, write};
use super::list::{EMPTY, TaskList};
use super::task_line;
use crate::arguments::{Add, OneTask, TaskCommand, Update};
use crate::failure::{Failure, Kind};
use crate::output::Output;
use crate::workspace::Workspace;

/// A task, and the time zone of this computer, which is a part of the request: a key is for one request.
type TaskInZone = (TaskId, String);

/// A deletion in JSON, as the console prints it.
#[derive(Serialize)]
struct Deletion<'a> {
    success: bool,
    message: &'a str,
    /// The number of the change, which `todo undo` takes.
    change: Option<i64>,
}

/// Adds a task.
pub async fn add(
    workspace: &mut Workspace,
    arguments: &Add,
    output: &mut Output,
) -> Result<(), Failure> {
    let (title, description) = (&arguments.texts.title, &arguments.texts.description);
    let is_quick = arguments.quick;
    let command = [
        "add",
        title,
        description,
        if is_quick { "quick" } else { "" },
    ];
    let added = write(
        workspace,
        &command,
        output,
        // The time zone is a part of the request, and a key is for one request.
        async |workspace| Ok(workspace.zone.name().to_owned()),
        async |client, zone: &String, key| {
            if is_quick {
                let written = client.quick_add(title, zone, key).await?;
                return Ok(written.map(|understood| understood.task.into()));
            }
            let task = NewTask {
                description: description.clone(),
                ..NewTask::titled(title)
            };
            Ok(client.create(&task, key).await?.map(ChangedTask::from))
        },
        None,
    );
    let added = added.await?;
    if !added.pending.is_resumed() {
        // The end by which it is shown must not be that of a task that this computer does not know yet.
        _ = workspace.cache.update(&workspace.client).await;
    }
    added.refuse_changed(workspace, output).await?;
    added.print(workspace, output, |workspace, added, output| {
        let id = workspace.end(added.task.id);
        let line = format!(
            "Task '{}' added successfully with ID {id}",
            added.task.title
        );
        let details = task_line::details(&added.task, &workspace.zone);
        Ok(output.line_with(&line, &details)?)
    })
}

/// Replaces title and description.
pub async fn update(
    workspace: &mut Workspace,
    arguments: &Update,
    output: &mut Output,
) -> Result<(), Failure> {
    let (title, description) = (&arguments.texts.title, &arguments.texts.description);
    let command = ["update", &arguments.task, title, description];
    let updated = change_task(
        workspace,
        &command,
        &arguments.task,
        output,
        async |client, (id, _), key| {
            let written = client.update(*id, title, description, key).await?;
            Ok(written.map(ChangedTask::from))
        },
    );
    let updated = updated.await?;
    updated.refuse_changed(workspace, output).await?;
    updated.print(workspace, output, |workspace, updated, output| {
        let id = workspace.end(updated.task.id);
        Ok(output.line(&format!("Task {id} updated successfully"))?)
    })
}

/// Completes a task, reopens it, or toggles it if told neither.
pub async fn complete(
    workspace: &mut Workspace,
    name: &str,
    arguments: &OneTask,
    completed: Option<bool>,
    output: &mut Output,
) -> Result<(), Failure> {
    let command = [name, &arguments.task];
    let completed = change_task(
        workspace,
        &command,
        &arguments.task,
        output,
        async |client, (id, zone), key| client.complete(*id, completed, zone, key).await,
    );
    let completed = completed.await?;
    completed.refuse_changed(workspace, output).await?;
    completed.print(workspace, output, |workspace, completed, output| {
        let id = workspace.end(completed.task.id);
        let state = if completed.task.completed {
            "complete"
        } else {
            "incomplete"
        };
        output.line(&format!("Task {id} marked as {state}"))?;
        if let Some(next) = &completed.next {
            let id = workspace.end(next.id);
            let line = format!("Next: {}", task_line::line(&id, next));
            output.line_with(&line, &task_line::details(next, &workspace.zone))?;
        }
        Ok(())
    })
}

/// Moves a task to the trash.
pub async fn delete(
    workspace: &mut Workspace,
    arguments: &OneTask,
    output: &mut Output,
) -> Result<(), Failure> {
    let command = ["delete", &arguments.task];
    let deleted = change_task(
        workspace,
        &command,
        &arguments.task,
        output,
        async |client, (id, _), key| client.delete(*id, key).await,
    );
    let Answered {
        target: (id, _),
        written,
        pending,
    } = deleted.await?;
    refuse_changed(&pending, workspace, id, None, output).await?;
    let message = format!("Task {} deleted successfully", workspace.end(id));
    let printed = if output.is_json() {
        output.json(&Deletion {
            success: true,
            message: &message,
            change: written.seq,
        })
    } else {
        output.line(&message)
    };
    finish_when(pending, printed.map_err(Failure::from), output)
}

/// Writes to the task that a text names, among those that are not in the trash.
async fn change_task<T>(
    workspace: &mut Workspace,
    command: &[&str],
    text: &str,
    output: &Output,
    send: impl AsyncFnOnce(&Client, &TaskInZone, &IdempotencyKey) -> Result<Written<T>, Error>,
) -> Result<Answered<TaskInZone, T>, Failure> {
    let resolve = async |workspace: &mut Workspace| {
        workspace.update(output).await?;
        let name = command.first().copied().unwrap_or_default();
        let id = workspace.find(name, text, &workspace.ids())?;
        Ok((id, workspace.zone.name().to_owned()))
    };
    let not_found = format!("Task with ID {} not found", text.trim());
    write(workspace, command, output, resolve, send, Some(&not_found)).await
}

/// Prints what the console does for a user without a name, who has no tasks and can have none.
pub fn without_user(command: &TaskCommand, output: &mut Output) -> Result<(), Failure> {
    match command {
        TaskCommand::Add(arguments) => {
            let input = TaskInput {
                title: Member::Given(arguments.texts.title.clone()),
                description: Member::Given(arguments.texts.description.clone()),
                ..TaskInput::default()
            };
            let message = match input.into_draft() {
                Ok(_) => "Task user_id must be a non-empty string".to_owned(),
                Err(violations) => violations.to_string(),
            };
            Err(Failure::new(Kind::BrokenRule, message))
        }
        TaskCommand::List(_) if output.is_json() => Ok(output.json(&TaskList {
            tasks: Vec::new(),
            offline_since: None,
        })?),
        TaskCommand::List(_) => Ok(output.line(EMPTY)?),
        TaskCommand::Complete(task)
        | TaskCommand::Incomplete(task)
        | TaskCommand::Toggle(task)
        | TaskCommand::Delete(task) => Err(Failure::no_task(task.task.trim())),
        TaskCommand::Update(arguments) => Err(Failure::no_task(arguments.task.trim())),
        _ => Err(Failure::new(
            Kind::BrokenRule,
            "Task user_id must be a non-empty string",
        )),
    }
}
